"""The HTTP transport below the protocol: checked addresses, a bound on answers, no exceptions.

A name is looked up for each request, and the connection goes to one of the numbers that were
checked: what is called is what was judged. Imported on first use, with the protocol's library.
"""

import contextlib
import ssl
from collections.abc import AsyncIterator

import httpx2

from chassis.addresses import AddressRefusedError, OutgoingAddresses
from services.mcp import reasons
from services.mcp.witness import Witness, current

_MOST_NUMBERS = 3
_WRITE_SECONDS = 30.0
_TLS = ssl.create_default_context()


class CheckedTransport(httpx2.AsyncBaseTransport):
    """One server's connections."""

    def __init__(
        self, addresses: OutgoingAddresses, *, connect_seconds: float, answer_bytes: int
    ) -> None:
        self._addresses = addresses
        self._answer_bytes = answer_bytes
        self._timeouts = httpx2.Timeout(None, connect=connect_seconds, write=_WRITE_SECONDS)
        self._inner = httpx2.AsyncHTTPTransport(verify=_TLS, trust_env=False)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._inner.aclose()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The server's answer, or a stand-in for one after a failure that the witness knows."""
        witness = current.get() or Witness("")
        if request.method == "GET" and "last-event-id" not in request.headers:
            # The older protocol's line for what the server wants to say unasked: we have no use
            # for it, and a server has to do without.
            return httpx2.Response(405)
        if witness.failure is not None:
            return _stand_in()
        try:
            response = await self._send(request)
        except AddressRefusedError:
            witness.saw(reasons.ADDRESS_REFUSED)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, OSError):
            witness.saw(reasons.UNREACHABLE)
        except httpx2.TimeoutException:
            witness.saw(reasons.TIMED_OUT)
        except httpx2.TransportError:
            witness.saw(reasons.CUT)
        else:
            return await self._watched(response, witness)
        return _stand_in()

    async def _watched(self, response: httpx2.Response, witness: Witness) -> httpx2.Response:
        if response.headers.get("content-encoding", "identity") != "identity":
            # We asked for none: a packed answer could be of any size.
            await response.aclose()
            witness.saw(reasons.GARBAGE)
            return _stand_in()
        witness.redirected = response.is_redirect
        if response.status_code >= 400:
            witness.saw_status(response.status_code, dict(response.headers))
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=_Bounded(response, self._answer_bytes, witness),
            extensions=response.extensions,
        )

    async def _send(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        self._addresses.check_url(str(url))
        port = url.port or (443 if url.scheme == "https" else 80)
        numbers = await self._addresses.resolve(url.host, port)
        *others, last = numbers[:_MOST_NUMBERS]
        for number in others:
            with contextlib.suppress(httpx2.ConnectError, httpx2.ConnectTimeout):
                return await self._inner.handle_async_request(self._aimed(request, number))
        return await self._inner.handle_async_request(self._aimed(request, last))

    def _aimed(self, request: httpx2.Request, number: str) -> httpx2.Request:
        """The request to one number; name and certificate stay those of the host."""
        extensions = {
            **request.extensions,
            "sni_hostname": request.url.host,
            "timeout": self._timeouts.as_dict(),
        }
        request.headers["accept-encoding"] = "identity"
        return httpx2.Request(
            request.method,
            request.url.copy_with(host=number),
            headers=request.headers,
            stream=request.stream,
            extensions=extensions,
        )


class _Bounded(httpx2.AsyncByteStream):
    """An answer up to a size. What goes wrong while it is read is the witness's to tell."""

    def __init__(self, response: httpx2.Response, most: int, witness: Witness) -> None:
        self._response = response
        self._left = most
        self._witness = witness

    async def __aiter__(self) -> AsyncIterator[bytes]:
        assert isinstance(self._response.stream, httpx2.AsyncByteStream)
        try:
            async for piece in self._response.stream:
                self._left -= len(piece)
                if self._left < 0:
                    self._witness.saw(reasons.ANSWER_TOO_LARGE)
                    raise httpx2.StreamError("too large")
                yield piece
        except httpx2.TransportError as error:
            self._witness.saw(reasons.CUT)
            # The kind of error that the library takes for a bad answer, not for its own end.
            raise httpx2.StreamError("cut") from error

    async def aclose(self) -> None:
        await self._response.aclose()


def _stand_in() -> httpx2.Response:
    return httpx2.Response(502)
