"""The generated files: fresh, valid, and made by one command from a changed contract."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.components import build
from app.generate import files
from app.generate.examples import EXAMPLES
from app.registry import Registry
from app.settings import HandlersConfig
from chassis.rpc import Rpc
from tests.support.json_schema import check_schema, mistakes
from tests.support.repository import ROOT
from tests.support.scratch import change, copy_repository, run_app

REGISTRY: Registry = build(HandlersConfig.read()).registry
DOCUMENT: dict[str, Any] = json.loads((ROOT / "openapi.json").read_text())
ROUTES = REGISTRY.routes()


def operation(rpc: Rpc[Any, Any]) -> dict[str, Any]:
    """What openapi.json says of a method."""
    assert rpc.route is not None
    return DOCUMENT["paths"][rpc.route.path]["post"]


def misfits(schema: dict[str, Any], instance: object) -> list[str]:
    """What is wrong with a value by a schema that may refer to the document's components."""
    return mistakes({**schema, "components": DOCUMENT["components"]}, instance)


def places(document: Any) -> Iterator[dict[str, Any]]:
    """Every object in a document."""
    if isinstance(document, dict):
        yield document
        for value in document.values():  # pyright: ignore[reportUnknownVariableType]
            yield from places(value)
    elif isinstance(document, list):
        for value in document:  # pyright: ignore[reportUnknownVariableType]
            yield from places(value)


def test_no_generated_file_is_stale() -> None:
    assert files.stale(REGISTRY) == [], "run: make generate"


def test_a_file_that_was_edited_by_hand_counts_as_stale(tmp_path: Path) -> None:
    (tmp_path / "krakend").mkdir()
    (tmp_path / "krakend" / "base.json").write_text((ROOT / "krakend/base.json").read_text())
    written = files.write(REGISTRY, tmp_path)
    assert written == [
        "openapi.json", "krakend/krakend.json", "docs/errors.md", "docs/permissions.md",
    ]  # fmt: skip
    assert files.stale(REGISTRY, tmp_path) == []
    (tmp_path / "docs" / "errors.md").write_text("by hand")
    assert files.stale(REGISTRY, tmp_path) == ["docs/errors.md"]


def test_the_page_of_errors_names_each_method_once_and_no_two_alike() -> None:
    text = (ROOT / "docs/errors.md").read_text()
    _, rows = text.split("| reason | code | message | methods |\n| --- | --- | --- | --- |\n")
    listed = [row.split(" | ")[3].removesuffix(" |") for row in rows.split("\n\n")[0].splitlines()]
    by_name = {name: rpc for rpc in ROUTES if (name := named(rpc))}
    assert len(by_name) == len(ROUTES)
    for methods in listed:
        names = methods.split(", ")
        assert len(set(names)) == len(names)
        assert set(names) <= set(by_name)


def named(rpc: Rpc[Any, Any]) -> str:
    """How pages for people name a method: without what the paths of threads have in common."""
    assert rpc.route is not None
    return f"`{rpc.route.path.removeprefix('/api/v1/').removeprefix('llm/gateway/')}`"


def test_openapi_lists_exactly_the_public_methods() -> None:
    paths = {rpc.route.path for rpc in ROUTES if rpc.route is not None}
    assert set(DOCUMENT["paths"]) == paths
    assert all(set(item) == {"post"} for item in DOCUMENT["paths"].values())
    ids = [operation(rpc)["operationId"] for rpc in ROUTES]
    assert len(set(ids)) == len(ids)


def test_every_reference_in_openapi_leads_somewhere() -> None:
    for place in places(DOCUMENT):
        if isinstance(reference := place.get("$ref"), str):
            found: Any = DOCUMENT
            for step in reference.removeprefix("#/").split("/"):
                found = found[step]


def test_every_schema_is_a_schema_and_none_is_unused() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    for schema in schemas.values():
        check_schema(schema)
    used = {place["$ref"] for place in places(DOCUMENT) if isinstance(place.get("$ref"), str)}
    assert {f"#/components/schemas/{name}" for name in schemas} <= used


@pytest.mark.parametrize("rpc", ROUTES, ids=lambda rpc: rpc.name)
def test_every_public_method_has_an_example_that_fits_its_schemas(rpc: Rpc[Any, Any]) -> None:
    example = EXAMPLES[rpc]
    assert isinstance(example.request, rpc.request)
    assert rpc.request.from_public_json(example.request.to_json()) == example.request
    described = operation(rpc)
    request = described["requestBody"]["content"]["application/json"]
    assert misfits(request["schema"], request["example"]) == []
    content = described["responses"]["200"]["content"]
    if rpc.route is not None and rpc.route.stream:
        assert content["text/event-stream"]["example"].startswith("event: ")
        return
    assert isinstance(example.response, rpc.response)
    answer = content["application/json"]
    assert misfits(answer["schema"], answer["example"]) == []


def test_every_error_example_is_an_envelope_of_the_status_it_stands_under() -> None:
    envelope = {"$ref": "#/components/schemas/ErrorResponse"}
    examples = DOCUMENT["components"]["examples"]
    for example in examples.values():
        assert misfits(envelope, example["value"]) == []
    assert misfits(envelope, {"error": {"code": "NO_SUCH_CODE"}})
    for rpc in ROUTES:
        words = {word for answer in error_answers(rpc) for word in answer}
        assert {reason.word for reason in rpc.errors} <= words


def error_answers(rpc: Rpc[Any, Any]) -> list[list[str]]:
    """The reasons of each error answer of a method; the envelope's code fits the status."""
    found: list[list[str]] = []
    for status, answer in operation(rpc)["responses"].items():
        if status == "200":
            continue
        if "$ref" in answer:
            answer = DOCUMENT["components"]["responses"][answer["$ref"].rpartition("/")[2]]
        found.append(list(answer["content"]["application/json"]["examples"]))
    return found


# What a developer adds for a new method, as (file, below this text, added).
CONTRACT = "gateways/llm/contract/__init__.py"
HANDLERS = "gateways/llm/handlers/messages.py"
NEW_RPC = """\
GREETING_REFUSED = Reason("greeting.refused", Code.FAILED_PRECONDITION, "We do not greet today.")


class GreetRequest(Message):
    \"\"\"Whom to greet.\"\"\"

    name: str = ""


class GreetResponse(Message):
    \"\"\"The greeting.\"\"\"

    text: str = ""


greet = component.public(
    "Greet",
    GreetRequest,
    GreetResponse,
    scope="greetings:manage",
    effect=Effect.COMMAND,
    errors=(GREETING_REFUSED,),
)
list_models = component.public("""
NEW_HANDLER = """\
    @implements(contract.greet)
    async def greet(
        self, ctx: Context, request: contract.GreetRequest
    ) -> contract.GreetResponse:
        \"\"\"Greet somebody by name.\"\"\"
        if not request.name:
            raise contract.GREETING_REFUSED.error()
        return contract.GreetResponse(text=request.name)

    @implements(contract.list_models)"""


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A copy of the repository with a method more."""
    folder = copy_repository(tmp_path)
    contract = folder / CONTRACT
    contract.write_text(contract.read_text().replace(
        "from chassis.rpc import Effect\n",
        "from chassis.message import Message\nfrom chassis.rpc import Effect\n"
        "from errors import Code, Reason\n",
    ))  # fmt: skip
    change(contract, "list_models = component.public(", NEW_RPC)
    change(folder / HANDLERS, "    @implements(contract.list_models)", NEW_HANDLER)
    return folder


def test_a_new_method_appears_in_all_generated_files_by_one_command(scratch: Path) -> None:
    done = run_app(scratch, "generate")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 4
    openapi = json.loads((scratch / "openapi.json").read_text())
    greet = openapi["paths"]["/api/v1/llm/gateway/greet"]["post"]
    assert greet["summary"] == "Greet somebody by name"
    assert {"GreetRequest", "GreetResponse"} <= set(openapi["components"]["schemas"])
    krakend = json.loads((scratch / "krakend/krakend.json").read_text())
    endpoints = {each["endpoint"]: each["backend"] for each in krakend["endpoints"]}
    (backend,) = endpoints["/api/v1/llm/gateway/greet"]
    assert backend["url_pattern"] == "/LLMGateway/Greet"
    assert "`greeting.refused`" in (scratch / "docs/errors.md").read_text()
    assert "`greetings:manage` (not members)" in (scratch / "docs/permissions.md").read_text()


@pytest.mark.parametrize(
    ("path", "complete", "forgotten", "sentence"),
    [
        (CONTRACT, '    scope="greetings:manage",\n', "", "LLMGateway/Greet names no scope;"),
        (CONTRACT, "(GREETING_REFUSED,)", "()", "LLMGateway/Greet raises greeting.refused,"),
        (
            CONTRACT,
            "(THREAD_EXISTS, THREAD_DELETING, *MODELS)",
            "(THREAD_DELETING, *MODELS)",
            "LLMGateway/CreateThread calls ConversationActor/Open, which may answer",
        ),
        (HANDLERS, '"""Greet somebody by name."""', "", "LLMGateway/Greet has no docstring;"),
    ],
    ids=["a scope", "an error that it raises", "an error from below", "a docstring"],
)
def test_what_was_forgotten_stops_the_start_in_one_sentence(
    scratch: Path, path: str, complete: str, forgotten: str, sentence: str
) -> None:
    change(scratch / path, complete, forgotten)
    done = run_app(scratch, "handlers", "--port", "0")
    assert done.returncode == 1
    assert done.stderr.startswith(sentence)
    assert len(done.stderr.splitlines()) == 1


def test_check_tells_what_does_not_fit_and_what_is_stale(scratch: Path) -> None:
    done = run_app(scratch, "check")
    assert done.returncode == 1
    assert done.stdout.count(" is stale; run: make generate\n") == 4
    change(scratch / CONTRACT, '    scope="greetings:manage",\n', "")
    done = run_app(scratch, "check", "--json")
    assert done.returncode == 1
    assert done.stderr.startswith("LLMGateway/Greet names no scope;")
