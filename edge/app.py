"""The edge as an ASGI application: the steps in their order, and a process that drains well.

Written against ASGI itself: a framework's request and response objects cost more than all steps
of a refusal together.
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from chassis import logs
from chassis.rpc import Effect, Rpc
from chassis.sealing import Sealing
from edge import body, drain, health, limits, metrics, reasons, scopes, streams
from edge.batches import Batches
from edge.cors import Cors
from edge.credentials.sources import Credentials
from edge.credentials.verified import Verified
from edge.forward import Forwarder, HandlerCalls
from edge.impersonations import Impersonations
from edge.ingress import Ingress
from edge.limits import BodyBrokenError, ClientGoneError, Receive
from edge.liveness import Liveness
from edge.local import EdgeHandler, EventStream, VerifiedRequest
from edge.metrics import IN_FLIGHT
from edge.platform_calls import PlatformCalls
from edge.rates import Addresses, LimitedError, Rates
from edge.requests import Request
from edge.responses import Headers, Response, error_response
from edge.routes import Entry, Routes
from edge.settings import EdgeSettings
from edge.shared_rates import SharedWindows, Valkey
from edge.short_way import ShortWay, chosen
from edge.standing import EVERY_SECONDS, Standing
from edge.streams import Send
from edge.translate import FailedError
from edge.usage import Usage
from errors import Code, RpcError, wire

log = logs.get(__name__)

_EVENT_STREAM = b"text/event-stream"


class Edge:
    """One edge process. `start` and `stop` may be called directly, or come by ASGI's lifespan."""

    def __init__(
        self,
        settings: EdgeSettings,
        routes: Sequence[Rpc[Any, Any]],
        local: Mapping[Rpc[Any, Any], EdgeHandler],
        short_ways: Mapping[Rpc[Any, Any], ShortWay] | None = None,
    ) -> None:
        """`local` has the handlers of the routes that are `served_by_edge`; `short_ways` has the
        routes that may go without their gateway's hop where a setting says so."""
        self._settings = settings
        self._routes = Routes(routes, chosen(short_ways or {}, settings.short_ways))
        self._local = {rpc.target: handler for rpc, handler in local.items()}
        _check_local(self._routes.entries, self._local)
        self._cors = Cors(settings.cors, settings.cors_origins)
        self._shared = _shared_rates(settings)
        self._rates = Rates(
            settings.requests_per_minute, settings.refused_credentials_per_minute, self._shared
        )
        self._addresses = Addresses(settings.trusted_proxies)
        self._platform = PlatformCalls()
        self._credentials = Credentials(settings, self._routes.entries, self._platform)
        self._usage, self._impersonations = Usage(), Impersonations()
        self._batches = Batches(
            self._platform,
            settings.usage_seconds,
            (self._usage.batches, self._impersonations.batches),
        )
        self._forwarder: Forwarder | None = None
        self._private: health.PrivateServer | None = None
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.draining = asyncio.Event()
        drain.tell(self.draining)

    async def start(self) -> None:
        """Open the pool towards the ingress and the private port. Starting twice is harmless."""
        if self._forwarder is not None:
            return
        settings = self._settings
        handlers = settings.handlers_url
        liveness = Liveness(*(handlers.host, handlers.port) if handlers else (None, None))
        ingress = Ingress(str(settings.restate_ingress_url), settings.unreachable_seconds, liveness)
        self._forwarder = Forwarder(ingress, Sealing(settings.secrets_keys))
        self._platform.ingress = ingress
        self._batches.start()
        if settings.private_port is not None:
            self._private = health.PrivateServer(
                settings.private_host, settings.private_port, self._dependencies(ingress)
            )
            await self._private.start()

    async def stop(self) -> None:
        """Refuse new requests, wait for those in flight, close everything."""
        self.draining.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.drain_seconds):
                await self._idle.wait()
        if self._private is not None:
            await self._private.stop()
        await self._batches.stop()
        if self._shared is not None:
            await self._shared.close()
        await self._credentials.close()
        if self._forwarder is not None:
            await self._forwarder.ingress.close()

    @property
    def private_address(self) -> str:
        """`host:port` of /metrics and /statusz, or an empty text."""
        return "" if self._private is None else self._private.address

    def _dependencies(self, ingress: Ingress) -> dict[str, health.Check]:
        checks: dict[str, health.Check] = {"restate": ingress.reachable}
        if self._settings.handlers_url is not None:
            checks["handlers"] = ingress.liveness.listening
        jwks = self._credentials.jwks
        if jwks is not None:

            async def issuer() -> bool:
                return jwks.healthy

            checks["issuer"] = issuer
        if self._shared is not None:
            checks["rates"] = self._shared.server.reachable
        return checks

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http":
            await self._serve(Request(scope), receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await self.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, request: Request, receive: Receive, send: Send) -> None:
        self._enter()
        exchange = _Exchange(request)
        try:
            answer = await self._answer(exchange, receive)
            if isinstance(answer, EventStream):
                await self._stream(exchange, answer, receive, send)
            else:
                await self._send(exchange, answer, send)
        except ClientGoneError as gone:
            if isinstance(gone, BodyBrokenError):
                told = error_response(
                    reasons.BODY_BROKEN.error(), request.request_id, headers=exchange.headers
                )
                await self._send(exchange, told, send)
            exchange.code = "CLIENT_GONE"
        finally:
            self._leave()
            self._record(exchange)

    def _record(self, exchange: "_Exchange") -> None:
        exchange.record()
        verified, entry = exchange.verified, exchange.entry
        if verified is None or entry is None:
            return
        if verified.keeps_usage:
            self._usage.count(verified, entry, failed=exchange.code != "OK")
        if verified.caller.impersonator:
            request = exchange.request
            seen = verified.seen_from(self._addresses.of(request), request.user_agent)
            self._impersonations.note(seen.caller, entry.name, exchange.code)

    def _enter(self) -> None:
        self._in_flight += 1
        self._idle.clear()
        IN_FLIGHT.inc()

    def _leave(self) -> None:
        self._in_flight -= 1
        if not self._in_flight:
            self._idle.set()
        IN_FLIGHT.dec()

    async def _answer(self, exchange: "_Exchange", receive: Receive) -> Response | EventStream:
        request = exchange.request
        try:
            return await self._steps(exchange, receive)
        except RpcError as error:
            if error.reason == reasons.BODY_TOO_LARGE.word:
                await limits.drop_body(request, receive)
            return error_response(error, request.request_id, headers=exchange.headers)
        except FailedError as failed:
            return error_response(
                failed.error, request.request_id, failed.outcome, exchange.headers
            )
        except LimitedError as limited:
            return error_response(limited.error, request.request_id, headers=limited.headers)
        except ClientGoneError:
            raise
        except Exception:
            log.exception("edge failed", extra=logs.fields(request_id=request.request_id))
            return error_response(wire.internal(), request.request_id, headers=exchange.headers)

    async def _steps(self, exchange: "_Exchange", receive: Receive) -> Response | EventStream:
        request = exchange.request
        if request.method != "POST":
            early = self._without_credentials(request)
            if early is not None:
                return early
        exchange.entry = entry = self._routes.find(request)
        if self.draining.is_set():
            raise reasons.DRAINING.error()
        limits.check_head(request, entry)
        exchange.verified = verified = await self._identify(request)
        # Before the scopes: a refused call counts too, and its answer tells what is left.
        exchange.headers = await self._rates.count(verified)
        scopes.check(verified, entry)
        if entry.route.audited:
            verified = verified.seen_from(self._addresses.of(request), request.user_agent)
        raw = await limits.read_body(receive, entry, self._settings.body_seconds)
        message = body.parse(entry, raw)
        forwarder = self._forwarder
        if forwarder is None:
            raise reasons.PLATFORM_UNAVAILABLE.error()
        if entry.route.served_by_edge:
            deadline = asyncio.get_running_loop().time() + entry.deadline_seconds
            calls = HandlerCalls(forwarder, request, entry, verified, raw, deadline)
            return await self._serve_here(
                exchange,
                VerifiedRequest(
                    replace(verified.caller, request_id=request.request_id),
                    message,
                    request.request_id,
                    deadline,
                    calls,
                    partial(streams.gone, receive),
                ),
                entry,
            )
        answer = await forwarder.forward(request, entry, verified, message, raw)
        return Response(200, answer, exchange.headers)

    async def _serve_here(
        self, exchange: "_Exchange", request: VerifiedRequest, entry: Entry
    ) -> Response | EventStream:
        began = time.monotonic()
        served = await self._local[entry.name](request)
        if isinstance(served, EventStream):
            return served
        if entry.route.effect is Effect.READ and time.monotonic() - began > EVERY_SECONDS:
            # A reader who waited may not be one any more.
            await self._verify_again(exchange.request, entry)
        served.headers = [*exchange.headers, *served.headers]
        return served

    async def _verify_again(self, request: Request, entry: Entry) -> None:
        scopes.check(await self._credentials.authenticator.identify(request), entry)

    def _without_credentials(self, request: Request) -> Response | None:
        if request.method in ("GET", "HEAD") and request.path in (health.HEALTHZ, health.READYZ):
            return health.answer(request.path, draining=self.draining.is_set())
        if self._cors.enabled and self._routes.is_preflight(request):
            return self._cors.preflight()
        return None

    async def _identify(self, request: Request) -> Verified:
        try:
            return await self._credentials.authenticator.identify(request)
        except RpcError as refusal:
            if refusal.code is not Code.UNAUTHENTICATED:
                raise
            address = self._addresses.of(request)
            raise await self._rates.refuse_credential(address, refusal) from None

    async def _send(self, exchange: "_Exchange", answer: Response, send: Send) -> None:
        exchange.code = answer.code
        headers = self._headers(exchange.request, answer.content_type, answer.headers)
        headers.append((b"content-length", b"%d" % len(answer.body)))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body, "more_body": False})

    async def _stream(
        self, exchange: "_Exchange", answer: EventStream, receive: Receive, send: Send
    ) -> None:
        request, entry = exchange.request, exchange.entry
        assert entry is not None, "a stream comes from a route"
        headers = self._headers(request, _EVENT_STREAM, exchange.headers)
        # Proxies must pass events on as they come.
        headers.append((b"x-accel-buffering", b"no"))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await streams.pump(
            answer.events,
            receive,
            send,
            self.draining,
            request.request_id,
            Standing(lambda: self._verify_again(request, entry)),
            self._settings.comment_seconds,
        )

    def _headers(self, request: Request, content_type: bytes, more: Headers | tuple[()]) -> Headers:
        return [
            (b"content-type", content_type),
            (b"x-request-id", request.request_id.encode()),
            (b"traceparent", request.traceparent.encode()),
            *self._cors.headers(request),
            *more,
        ]


class _Exchange:
    """What is known of one request while it is served, for its answer, metrics and log line."""

    __slots__ = ("code", "entry", "headers", "request", "verified")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.entry: Entry | None = None
        self.verified: Verified | None = None
        self.headers: Headers | tuple[()] = ()
        self.code = "OK"

    def record(self) -> None:
        """Count it, and write the line of a call that was let in.

        Refusals before that are only counted: a line each would let anyone fill the disk.
        """
        route = "" if self.entry is None else self.entry.name
        metrics.requests(route, self.code).inc()
        if self.verified is None or self.entry is None:
            return
        seconds = time.perf_counter() - self.request.started
        metrics.seconds(route).observe(seconds)
        caller = self.verified.caller
        log.info(
            "call",
            extra=logs.fields(
                target=route,
                code=self.code,
                milliseconds=round(seconds * 1000, 1),
                request_id=self.request.request_id,
                trace_id=self.request.traceparent[3:35],
                tenant_id=caller.tenant_id,
                mode=caller.mode.value,
                key_id=caller.key_id or None,
                # Who acts for a user is told apart from who the user is, always with both.
                impersonator=caller.impersonator or None,
                on_behalf_of=caller.user_id if caller.impersonator else None,
            ),
        )


def _shared_rates(settings: EdgeSettings) -> SharedWindows | None:
    if settings.rates_url is None:
        return None
    url = settings.rates_url.get_secret_value()
    return SharedWindows(Valkey(url, settings.rates_timeout_seconds))


def _check_local(entries: Sequence[Entry], local: Mapping[str, EdgeHandler]) -> None:
    needed = {entry.name for entry in entries if entry.route.served_by_edge}
    if needed != set(local):
        names = ", ".join(sorted(needed ^ set(local)))
        raise ValueError(f"routes served by the edge and their handlers do not match: {names}")
