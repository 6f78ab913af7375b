"""A development issuer: OpenID discovery, a JWKS, and real RS256 tokens, with faults on demand.

    python -m devstack.issuer --port 8091

`Issuer` makes keys and tokens and can be used without a server. `serving` puts it on a port:
`/.well-known/openid-configuration` and `/jwks` as any issuer has them, `POST /token` with claims
answers a signed token, `POST /control/rotate` changes the signing key, `POST /control/fault` with
`{"fault": "stall"}` breaks `/jwks` in one of the ways of `Fault` until the next one, and
`GET /control/calls` counts the look-ups of the keys.
"""

import argparse
import asyncio
import json
import signal
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

AUDIENCE = "yocaso-dev"
LIFETIME_SECONDS = 3600


class Fault(StrEnum):
    """What is wrong with `/jwks`."""

    NONE = "none"
    DOWN = "down"
    """503."""
    STALL = "stall"
    """Never answers."""
    HUGE = "huge"
    """Keys behind two megabytes of spaces."""
    REDIRECT = "redirect"
    """302 to a place that has the keys."""
    GARBAGE = "garbage"
    """200 and HTML."""


class SigningKey:
    """An RSA key with its id."""

    def __init__(self, kid: str) -> None:
        self.kid = kid
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def public_jwk(self) -> dict[str, Any]:
        """The public half as a JWKS lists it."""
        jwk = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {**jwk, "kid": self.kid, "use": "sig", "alg": "RS256"}


class Issuer:
    """Keys and tokens. `url` is the `iss` of every token."""

    def __init__(self, url: str = "http://issuer.invalid") -> None:
        self.url = url
        self.fault = Fault.NONE
        self.lookups = 0
        self._made = 0
        self.keys: list[SigningKey] = []
        self.rotate()

    @property
    def key(self) -> SigningKey:
        """The key that signs now."""
        return self.keys[-1]

    def rotate(self, *, keep_old: bool = True) -> SigningKey:
        """Sign with a new key from now on. Without `keep_old` earlier tokens lose their key."""
        self._made += 1
        kept = self.keys if keep_old else []
        self.keys = [*kept, SigningKey(f"dev-{self._made}")]
        return self.key

    def claims(self, **changes: Any) -> dict[str, Any]:
        """The claims of a valid token; a change to None leaves a claim out."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "user-1",
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, headers: Mapping[str, Any] | None = None, /, **changes: Any) -> str:
        """A signed token (`tenant_id`, `role`, `email`, `sub`, `exp`, ... as wanted)."""
        return jwt.encode(
            self.claims(**changes),
            self.key.private,
            algorithm="RS256",
            headers={"kid": self.key.kid, **(headers or {})},
        )

    def jwks(self) -> dict[str, Any]:
        """The public keys."""
        return {"keys": [key.public_jwk() for key in self.keys]}

    @property
    def jwks_uri(self) -> str:
        """Where a server of this issuer shows its keys."""
        return f"{self.url}/jwks"


class _Server:
    """The HTTP side of an issuer."""

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer
        self._over = asyncio.Event()
        self.app = web.Application()
        self.app.add_routes(
            [
                web.get("/.well-known/openid-configuration", self._discovery),
                web.get("/jwks", self._jwks),
                web.get("/jwks-elsewhere", self._keys),
                web.post("/token", self._token),
                web.post("/control/rotate", self._rotate),
                web.post("/control/fault", self._set_fault),
                web.get("/control/calls", self._calls),
            ]
        )
        self.app.on_shutdown.append(self._release)

    async def _release(self, _: web.Application) -> None:
        self._over.set()

    async def _discovery(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "issuer": self._issuer.url,
                "jwks_uri": self._issuer.jwks_uri,
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )

    async def _jwks(self, request: web.Request) -> web.Response:
        self._issuer.lookups += 1
        match self._issuer.fault:
            case Fault.DOWN:
                return web.Response(status=503)
            case Fault.STALL:
                await self._over.wait()
                return web.Response(status=503)
            case Fault.HUGE:
                return web.Response(body=b" " * 2_000_000 + self._text())
            case Fault.REDIRECT:
                raise web.HTTPFound("/jwks-elsewhere")
            case Fault.GARBAGE:
                return web.Response(text="<html>It works!</html>", content_type="text/html")
            case Fault.NONE:
                return await self._keys(request)

    async def _keys(self, _: web.Request) -> web.Response:
        return web.Response(body=self._text(), content_type="application/json")

    def _text(self) -> bytes:
        return json.dumps(self._issuer.jwks()).encode()

    async def _token(self, request: web.Request) -> web.Response:
        claims: dict[str, Any] = await request.json()
        return web.json_response({"token": self._issuer.token(**claims)})

    async def _rotate(self, _: web.Request) -> web.Response:
        return web.json_response({"kid": self._issuer.rotate().kid})

    async def _set_fault(self, request: web.Request) -> web.Response:
        self._issuer.fault = Fault((await request.json())["fault"])
        return web.json_response({})

    async def _calls(self, _: web.Request) -> web.Response:
        return web.json_response({"jwks": self._issuer.lookups})


@asynccontextmanager
async def serving(issuer: Issuer, port: int = 0) -> AsyncGenerator[Issuer]:
    """Serve on loopback and set the issuer's `url`; port 0 takes a free one."""
    runner = web.AppRunner(_Server(issuer).app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        issuer.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield issuer
    finally:
        await runner.cleanup()


async def _run(port: int) -> None:
    over = asyncio.Event()
    async with serving(Issuer(), port) as issuer:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, over.set)
        print(f"Issuer {issuer.url}, audience {AUDIENCE}, keys at {issuer.jwks_uri}", flush=True)
        await over.wait()


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="devstack.issuer", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(_run(parser.parse_args().port))


if __name__ == "__main__":
    main()
