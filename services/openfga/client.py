"""A client of one OpenFGA store, usable from any shell.

    client = OpenFgaStore(settings)
    try:
        await client.write([NamedTuple("user:acme/ann", "viewer", "file:acme/f1")])
    finally:
        await client.aclose()

It speaks through OpenFGA's own library, which is imported with the first call because that takes
half a second. The library's retries are off (they belong to the caller), and what it lets through
raw is caught here: a server that is away is an aiohttp error, one that hangs a TimeoutError, and an
answer that makes no sense a missing value. Every failure is an `RpcError` with a reason of
reasons.py; what the server said is not passed on, because it quotes names of users.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar, cast

import aiohttp

from errors import ErrorDetails, Reason, RpcError, UpstreamError
from services.openfga import model, reasons
from services.openfga.names import NamedTuple
from services.openfga.settings import OpenFgaSettings

T = TypeVar("T")

SERVICE = "openfga"
MOST_LISTED = 1000
"""Where the server ends a list unless it is told otherwise."""
_MODELS_READ = 50
_FRESH, _USUAL = "HIGHER_CONSISTENCY", "MINIMIZE_LATENCY"


class OpenFgaStore:
    """The store and the model of this platform on one server."""

    def __init__(self, settings: OpenFgaSettings) -> None:
        """Does no I/O."""
        self._settings = settings
        self._sdk: Any = None
        self._opened: Any = None
        self._opening: asyncio.Task[Any] | None = None

    async def aclose(self) -> None:
        """Close the connections; the next call would open them again."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        sdk, self._sdk, self._opened = self._sdk, None, None
        if sdk is not None:
            await sdk.close()

    async def write(self, tuples: Sequence[NamedTuple]) -> None:
        """Have these tuples: all or none, whether they were there or not."""
        await self._write("writes", tuples)

    async def delete(self, tuples: Sequence[NamedTuple]) -> None:
        """Have these tuples no more: all or none, whether they were there or not."""
        await self._write("deletes", tuples)

    async def check(
        self, asked: Sequence[NamedTuple], context: Sequence[NamedTuple], *, fresh: bool
    ) -> list[bool]:
        """Whether each of these holds, as far as tuples and `context` tell.

        fresh: past every cache of the server.
        """
        client = await self._open()
        from openfga_sdk.client import models

        tuples = [_client_tuple(models, each) for each in context]
        options = {"consistency": _FRESH if fresh else _USUAL}
        if len(asked) == 1:
            body = models.ClientCheckRequest(
                asked[0].user, asked[0].relation, asked[0].object, contextual_tuples=tuples
            )
            answer = await self._ask(lambda: client.check(body, options))
            return [_verdict(answer)]
        items = [
            models.ClientBatchCheckItem(
                each.user, each.relation, each.object, str(number), contextual_tuples=tuples
            )
            for number, each in enumerate(asked)
        ]
        batch = models.ClientBatchCheckRequest(checks=items)
        answers = await self._ask(lambda: client.batch_check(batch, options))
        # They come in any order, and one that failed looks like a refusal.
        found = {answer.correlation_id: answer for answer in answers.result}
        if len(found) != len(asked):
            raise _about(reasons.FAILED)
        return [_verdict(found[str(number)]) for number in range(len(asked))]

    async def list_objects(
        self, user: str, relation: str, kind: str, context: Sequence[NamedTuple], *, fresh: bool
    ) -> list[str]:
        """The names of all objects of a type that this holds for, MOST_LISTED at the most."""
        client = await self._open()
        from openfga_sdk.client import models

        tuples = [_client_tuple(models, each) for each in context]
        body = models.ClientListObjectsRequest(user, relation, kind, contextual_tuples=tuples)
        options = {"consistency": _FRESH if fresh else _USUAL}
        answer = await self._ask(lambda: client.list_objects(body, options))
        if answer.objects is None:
            raise _about(reasons.FAILED)
        return list(answer.objects)

    async def prepare(self) -> tuple[str, str]:
        """Make the store and write the model where they are not there yet; their ids.

        For one process at a time: two could make two stores of the same name.
        """
        client = self._sdk_client()
        import openfga_sdk as sdk

        store_id = await self._find_store(client)
        if store_id is None:
            wanted = sdk.CreateStoreRequest(name=self._settings.store)
            store_id = str((await self._ask(lambda: client.create_store(wanted))).id)
        client.set_store_id(store_id)
        model_id = await self._find_model(client)
        if model_id is None:
            brought = sdk.WriteAuthorizationModelRequest(**model.ours())
            written = await self._ask(lambda: client.write_authorization_model(brought))
            model_id = str(written.authorization_model_id)
        return store_id, model_id

    async def _write(self, what: str, tuples: Iterable[NamedTuple]) -> None:
        client = await self._open()
        from openfga_sdk.client import models
        from openfga_sdk.client.models import write_conflict_opts as conflicts

        body = models.ClientWriteRequest(**{what: [_client_tuple(models, each) for each in tuples]})
        options = {
            "conflict": conflicts.ConflictOptions(
                on_duplicate_writes=conflicts.ClientWriteRequestOnDuplicateWrites.IGNORE,
                on_missing_deletes=conflicts.ClientWriteRequestOnMissingDeletes.IGNORE,
            )
        }
        await self._ask(lambda: client.write(body, options))

    async def _open(self) -> Any:
        """The library's client with the store and the model of this code."""
        if self._opened is None:
            # One look for everybody who asks meanwhile, so that nobody waits for many.
            if self._opening is None or self._opening.done():
                self._opening = asyncio.create_task(self._find())
            self._opened = await asyncio.shield(self._opening)
        return self._opened

    async def _find(self) -> Any:
        client = self._sdk_client()
        store_id = await self._find_store(client)
        if store_id is None:
            raise reasons.NOT_PREPARED.error()
        client.set_store_id(store_id)
        model_id = await self._find_model(client)
        if model_id is None:
            raise reasons.NOT_PREPARED.error()
        client.set_authorization_model_id(model_id)
        return client

    def _sdk_client(self) -> Any:
        if self._sdk is not None:
            return self._sdk
        if self._settings.api_url is None:
            raise reasons.NOT_CONFIGURED.error()
        from openfga_sdk import ClientConfiguration, OpenFgaClient
        from openfga_sdk.configuration import RetryParams
        from openfga_sdk.credentials import CredentialConfiguration, Credentials

        token = self._settings.api_token
        credentials = None
        if token is not None:
            shown = CredentialConfiguration(api_token=token.get_secret_value())
            credentials = Credentials(method="api_token", configuration=shown)
        self._sdk = OpenFgaClient(
            ClientConfiguration(
                api_url=str(self._settings.api_url).rstrip("/"),
                credentials=credentials,
                retry_params=RetryParams(max_retry=0),
                timeout_millisec=int(self._settings.timeout_seconds * 1000),
            )
        )
        return self._sdk

    async def _find_store(self, client: Any) -> str | None:
        found = await self._ask(lambda: client.list_stores({"name": self._settings.store}))
        if found.stores is None:
            raise _about(reasons.FAILED)
        # The oldest, should there ever be several: everybody has to take the same.
        stores = sorted((store.created_at, store.id) for store in found.stores)
        return str(stores[0][1]) if stores else None

    async def _find_model(self, client: Any) -> str | None:
        options = {"page_size": _MODELS_READ}
        found = await self._ask(lambda: client.read_authorization_models(options))
        for each in found.authorization_models or ():
            if model.is_ours(client._api_client.sanitize_for_serialization(each)):
                return str(each.id)
        return None

    async def _ask(self, call: Callable[[], Awaitable[T]]) -> T:
        from openfga_sdk.exceptions import ApiException, OpenApiException

        try:
            # The library's own timeout leaves out the time in which a connection is made.
            async with asyncio.timeout(self._settings.timeout_seconds):
                return await call()
        except ApiException as error:
            raise _refusal(cast("Any", error).status or 0) from None
        except (aiohttp.ClientError, TimeoutError, OSError):
            raise _about(reasons.UNREACHABLE) from None
        except (OpenApiException, ValueError, TypeError, AttributeError):
            raise _about(reasons.FAILED) from None


def _client_tuple(models: Any, named: NamedTuple) -> Any:
    return models.ClientTuple(user=named.user, relation=named.relation, object=named.object)


def _verdict(answer: Any) -> bool:
    """Only a plain yes is one; a page of a proxy reads as None."""
    allowed = answer.allowed
    if getattr(answer, "error", None) is not None or not isinstance(allowed, bool):
        raise _about(reasons.FAILED)
    return allowed


def _refusal(status: int) -> RpcError:
    if status in (401, 403):
        return _about(reasons.CREDENTIALS_REFUSED, status)
    if status in (408, 429, 502, 503, 504):
        return _about(reasons.UNREACHABLE, status)
    if 400 <= status < 500:
        return _about(reasons.REQUEST_REFUSED, status)
    return _about(reasons.FAILED, status)


def _about(reason: Reason, status: int = 0) -> RpcError:
    upstream = UpstreamError(service=SERVICE, status_code=status)
    return reason.error(details=ErrorDetails(upstream_error=upstream))
