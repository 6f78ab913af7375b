"""Names and texts of schemas in OpenAPI."""

from typing import Any

from app.generate.schemas import Schemas
from chassis.message import Int64, Message
from chassis.retries import REQUEST
from chassis.rpc import Component, Effect, Kind, Rpc


class Colour(Message):
    """How it looks. Read as it is written.

    red, green: from 0 to 1, each
        beside the other.
    name: for people.
    """

    red: float = 0
    green: float = 0
    name: str = ""


class Shelf(Message):
    """A place with things; always with its list."""

    colours: list[Colour] = []
    size_bytes: Int64 = 0


class PublicPutRequest(Message):
    """A shelf to put."""

    shelf: Shelf
    colour: Colour | None = None


class PutResponse(Message):
    """Done."""


class Asked(Message):
    """Which one."""

    name: str = ""


def gateway(name: str) -> Component:
    """A gateway of that name."""
    return Component(f"{name}Gateway", Kind.GATEWAY, REQUEST, base=f"/api/v1/{name.lower()}/")


def public(
    component: Component, name: str, request: type[Message], response: type[Message]
) -> Rpc[Any, Any]:
    """A public method."""
    return component.public(name, request, response, scope="things:read", effect=Effect.READ)


def test_requests_and_answers_are_named_for_their_method_and_nouns_keep_their_name() -> None:
    put = public(gateway("Shop"), "PutShelf", PublicPutRequest, PutResponse)
    get = public(gateway("Shop"), "GetShelf", Asked, Shelf)
    schemas = Schemas([put, get])
    assert set(schemas.definitions) == {
        "Colour", "ColourInput", "GetShelfRequest", "PutShelfRequest", "PutShelfResponse", "Shelf",
        "ShelfInput",
    }  # fmt: skip
    assert schemas.request(put)["$ref"].endswith("/PutShelfRequest")
    assert schemas.response(put)["$ref"].endswith("/PutShelfResponse")
    assert schemas.response(get)["$ref"].endswith("/Shelf")
    written = schemas.definitions["PutShelfRequest"]["properties"]["shelf"]
    assert written["$ref"].endswith("/ShelfInput")


def test_methods_of_one_name_get_the_names_of_their_gateways_too() -> None:
    rpcs = [public(gateway(name), "Put", Asked, PutResponse) for name in ("Shop", "Store")]
    assert set(Schemas(rpcs).definitions) == {
        "ShopPutRequest", "ShopPutResponse", "StorePutRequest", "StorePutResponse",
    }  # fmt: skip


def test_a_body_is_needed_only_where_a_field_is() -> None:
    put = public(gateway("Shop"), "Put", PublicPutRequest, PutResponse)
    ask = public(gateway("Shop"), "Ask", Asked, PutResponse)
    schemas = Schemas([put, ask])
    assert schemas.needs_body(put)
    assert not schemas.needs_body(ask)


def test_what_a_docstring_says_of_fields_stands_at_the_fields() -> None:
    get = public(gateway("Shop"), "Get", Asked, Colour)
    colour = Schemas([get]).definitions["Colour"]
    assert colour["description"] == "How it looks. Read as it is written."
    texts = {name: shown.get("description") for name, shown in colour["properties"].items()}
    assert texts == {
        "red": "from 0 to 1, each beside the other.",
        "green": "from 0 to 1, each beside the other.",
        "name": "for people.",
    }


def test_a_streams_answer_is_no_message() -> None:
    component = gateway("Shop")
    stream = component.public(
        "Listen", Asked, Shelf, scope="things:read", effect=Effect.READ, served_by_edge=True,
        stream=True,
    )  # fmt: skip
    assert "Shelf" not in Schemas([stream]).definitions
