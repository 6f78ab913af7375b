"""`openapi.json`: the public interface as OpenAPI 3.1, for client generators, pages and tests."""

from typing import Any

from app.generate.answers import Answers, error_schemas, examples, reasons_of
from app.generate.examples import EXAMPLES
from app.generate.schemas import Schemas
from app.registry import Registered, Registry
from chassis.rpc import Effect, Kind, Mode, Route, Rpc

Schema = dict[str, Any]

# Of the interface, not of the code: clients see it change when the interface does.
_VERSION = "0.1.0"

_ABOUT = """\
Durable conversations with language models.

Every call is `POST` with a JSON body; an empty body means `{}`. Field names are lowerCamelCase in
answers; requests may use snake_case too. Fields that hold their default (`false`, `0`, `""`) are
left out of answers, lists are always there. 64-bit integers are strings. Fields that a method does
not know are refused.

Every error has the same form. Other paths answer 404 `route.not_found`, other HTTP methods 405
`route.method_not_allowed`.
"""

_SECRET, _PUBLISHABLE, _TOKEN = "SecretKey", "PublishableKey", "UserToken"


def document(registry: Registry) -> Schema:
    """The whole document."""
    rpcs = registry.routes()
    schemas, answers = Schemas(rpcs), Answers()
    paths = {
        rpc.route.path: {"post": _operation(registry, rpc, rpc.route, schemas, answers)}
        for rpc in rpcs
        if rpc.route is not None
    }
    reasons = [reason for rpc in rpcs if rpc.route for reason in reasons_of(rpc, rpc.route)]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Yocaso",
            "version": _VERSION,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "The server that this document came from."}],
        "tags": [_tag(each) for each in registry.registered if each.component.kind is Kind.GATEWAY],
        "paths": paths,
        "components": {
            "schemas": dict(sorted((schemas.definitions | error_schemas()).items())),
            "responses": dict(sorted(answers.shared.items())),
            "parameters": _PARAMETERS,
            "headers": _HEADERS,
            "examples": examples(reasons),
            "securitySchemes": _SECURITY,
        },
    }


def _tag(registered: Registered) -> Schema:
    return {
        "name": registered.component.name,
        "description": registered.description.splitlines()[0].partition(": ")[2],
    }


def _operation(
    registry: Registry, rpc: Rpc[Any, Any], route: Route, schemas: Schemas, answers: Answers
) -> Schema:
    summary, _, rest = registry.description(rpc).partition("\n")
    example = EXAMPLES.get(rpc)
    request: Schema = {"schema": schemas.request(rpc)}
    if example is not None:
        request["example"] = example.request.to_dict()
    return {
        "operationId": rpc.target.replace("/", "_"),
        "tags": [rpc.component.name],
        "summary": summary.rstrip("."),
        "description": f"{rest.strip()}\n\n{_terms(route)}".strip(),
        "security": _security(route),
        "parameters": _parameters(route),
        "requestBody": {
            "required": schemas.needs_body(rpc),
            "content": {"application/json": request},
        },
        "responses": {
            "200": _success(rpc, route, schemas),
            **answers.of(rpc, route),
        },
    }


def _terms(route: Route) -> str:
    sentences = [f"Scope: `{route.scope}`."]
    if not route.stream:
        sentences.append(f"Answers within {route.deadline.total_seconds():g} seconds.")
    sentences.append(f"The body has at most {route.body_limit_bytes} bytes.")
    return " ".join(sentences)


def _security(route: Route) -> list[Schema]:
    ways = {
        Mode.FIREBASE: {_TOKEN: [route.scope]},
        Mode.SECRET_KEY: {_SECRET: [route.scope]},
        Mode.PUBLISHABLE_KEY: {_PUBLISHABLE: [route.scope], _TOKEN: [route.scope]},
    }
    return [way for mode, way in ways.items() if mode in route.modes]


def _parameters(route: Route) -> list[Schema]:
    names = ["X-Request-Id", "traceparent"]
    if Mode.SECRET_KEY in route.modes:
        names.insert(0, "X-On-Behalf-Of")
    if route.effect is Effect.COMMAND:
        names.insert(0, "Idempotency-Key")
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def _success(rpc: Rpc[Any, Any], route: Route, schemas: Schemas) -> Schema:
    example = EXAMPLES.get(rpc)
    content: Schema
    if route.stream:
        content = {"text/event-stream": {"schema": {"type": "string"}}}
        if example is not None and example.stream:
            content["text/event-stream"]["example"] = example.stream
    else:
        content = {"application/json": {"schema": schemas.response(rpc)}}
        if example is not None:
            content["application/json"]["example"] = example.response.to_dict()
    names = ["x-request-id", "traceparent"]
    names += ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"]
    return {
        "description": "The events, as they happen." if route.stream else "Done.",
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
        "content": content,
    }


def _header_parameter(name: str, description: str, **schema: Any) -> Schema:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": {"type": "string", **schema},
    }


_PARAMETERS: dict[str, Schema] = {
    parameter["name"]: parameter
    for parameter in (
        _header_parameter(
            "Idempotency-Key",
            "The same key with the same body returns the first answer for 24 hours; with another "
            "body it is refused. An answer with `isTerminal: false` is not remembered.",
            pattern="^[!-~]{1,255}$",
        ),
        _header_parameter(
            "X-On-Behalf-Of",
            "The user to act for. Only with a secret key that has the scope `users:impersonate`.",
            pattern="^[!-~]{1,256}$",
        ),
        _header_parameter(
            "X-Request-Id",
            "Names the request; it comes back in the answer. One that is not well-formed is "
            "replaced.",
            pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
        ),
        _header_parameter(
            "traceparent",
            "W3C trace context; the platform's own spans join that trace.",
            pattern="^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$",
        ),
    )
}

_HEADERS: dict[str, Schema] = {
    "x-request-id": {
        "description": "The request's id. Name it when you ask for help.",
        "required": True,
        "schema": {"type": "string"},
    },
    "traceparent": {
        "description": "The trace that the call was part of.",
        "required": True,
        "schema": {"type": "string"},
    },
    "RateLimit-Limit": {
        "description": "Calls a minute; with a key.",
        "schema": {"type": "integer"},
    },
    "RateLimit-Remaining": {
        "description": "Calls left in this minute; with a key.",
        "schema": {"type": "integer"},
    },
    "RateLimit-Reset": {
        "description": "Seconds until the limit is whole again; with a key.",
        "schema": {"type": "integer"},
    },
    "Retry-After": {
        "description": "Seconds after which to try again.",
        "schema": {"type": "integer"},
    },
    "WWW-Authenticate": {
        "description": "The scheme of tokens.",
        "schema": {"type": "string"},
    },
}

_SECURITY: dict[str, Schema] = {
    _SECRET: {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "A secret key, `sk_...`: for servers.",
    },
    _PUBLISHABLE: {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "A publishable key, `pk_...`, together with a token of its user.",
    },
    _TOKEN: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token of the platform's issuer, or of the issuer that is stored on the "
        "publishable key beside it.",
    },
}
