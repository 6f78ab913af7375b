"""A development issuer: OpenID discovery, a JWKS, and real RS256 tokens, with faults on demand.

    python -m devstack.issuer --port 8091

`Issuer` makes keys and tokens and can be used without a server. `serving` puts it on a port:
`/.well-known/openid-configuration` and `/jwks` as any issuer has them, `POST /token` with claims
answers a signed token (with those that Firebase's double was told for this `sub`, unless others are
asked for), `POST /control/rotate` changes the signing key, `POST /control/fault` with
`{"fault": "stall"}` breaks `/jwks` in one of the ways of `Fault` until the next one, and
`GET /control/calls` counts the look-ups of the keys.
"""

import argparse
import asyncio
import hashlib
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from pydantic import TypeAdapter

from devstack.exchange import ClientGoneError, Exchange, Receive, Scope, Send
from devstack.firebase.accounts import Accounts
from devstack.keys import AUDIENCE
from devstack.processes import free_port
from devstack.serving import serve_until_told
from devstack.serving import serving as serving_app

__all__ = ["AUDIENCE", "Fault", "Issuer", "IssuerApp", "SigningKey", "serving"]

LIFETIME_SECONDS = 3600
SUBJECT = "user-1"
"""Whose token it is when nobody is named."""
_CLAIMS = TypeAdapter(dict[str, Any])


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
    """An RSA key with its id, which belongs to the key: another key has another id."""

    def __init__(self, pem: bytes | None = None) -> None:
        """A new key, or the one that `pem` gave out."""
        self.private = _loaded(pem) if pem else rsa.generate_private_key(65537, 2048)
        public = self.private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.kid = f"dev-{hashlib.sha256(public).hexdigest()[:12]}"

    def pem(self) -> bytes:
        """The private key in the form that the constructor takes."""
        return self.private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def public_jwk(self) -> dict[str, Any]:
        """The public half as a JWKS lists it."""
        jwk = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {**jwk, "kid": self.kid, "use": "sig", "alg": "RS256"}


def _loaded(pem: bytes) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("not an RSA key")
    return key


class Issuer:
    """Keys and tokens. `url` is the `iss` of every token."""

    def __init__(self, url: str = "http://issuer.invalid", key: SigningKey | None = None) -> None:
        """Sign with this key, or with a new one."""
        self.url = url
        self.fault = Fault.NONE
        self.cache_control = ""
        self.lookups = 0
        self.keys = [key or SigningKey()]

    @property
    def key(self) -> SigningKey:
        """The key that signs now."""
        return self.keys[-1]

    def rotate(self, *, keep_old: bool = True) -> SigningKey:
        """Sign with a new key from now on. Without `keep_old` earlier tokens lose their key."""
        kept = self.keys if keep_old else []
        self.keys = [*kept, SigningKey()]
        return self.key

    def claims(self, **changes: Any) -> dict[str, Any]:
        """The claims of a valid token; a change to None leaves a claim out."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": SUBJECT,
            "iat": now,
            "auth_time": changes.get("iat", now),
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


class IssuerApp:
    """The HTTP side of an issuer, as an ASGI application."""

    def __init__(self, issuer: Issuer, accounts: Accounts | None = None) -> None:
        """accounts: those of Firebase's double, where one runs beside."""
        self._issuer = issuer
        self._accounts = accounts or Accounts()
        self._over = asyncio.Event()
        self._routes: dict[tuple[str, str], Callable[[Exchange, bytes], Awaitable[None]]] = {
            ("GET", "/.well-known/openid-configuration"): self._discovery,
            ("GET", "/jwks"): self._jwks,
            ("GET", "/jwks-elsewhere"): self._keys,
            ("POST", "/token"): self._token,
            ("POST", "/control/rotate"): self._rotate,
            ("POST", "/control/fault"): self._set_fault,
            ("GET", "/control/calls"): self._calls,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send)
        body = await exchange.body()
        async with exchange:
            route = self._routes.get((exchange.method, exchange.path))
            try:
                if route is None:
                    await exchange.send_json(404, {"error": "not_found"})
                else:
                    await route(exchange, body)
            except ValueError:
                await exchange.send_json(400, {"error": "invalid_request"})
            except ClientGoneError:
                pass

    def close(self) -> None:
        """Let go whoever waits for the keys."""
        self._over.set()

    async def _discovery(self, exchange: Exchange, _: bytes) -> None:
        found = {
            "issuer": self._issuer.url,
            "jwks_uri": self._issuer.jwks_uri,
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        await exchange.send_json(200, found)

    async def _jwks(self, exchange: Exchange, _: bytes) -> None:
        self._issuer.lookups += 1
        match self._issuer.fault:
            case Fault.DOWN:
                await exchange.send_json(503, {})
            case Fault.STALL:
                await exchange.wait_for(self._over)
                await exchange.send_json(503, {})
            case Fault.HUGE:
                keys = json.dumps(self._issuer.jwks()).encode()
                await exchange.send(200, b" " * 2_000_000 + keys, "application/json")
            case Fault.REDIRECT:
                elsewhere = {"location": f"{self._issuer.url}/jwks-elsewhere"}
                await exchange.send(302, b"", "text/plain", elsewhere)
            case Fault.GARBAGE:
                await exchange.send(200, b"<html>It works!</html>", "text/html")
            case Fault.NONE:
                told = self._issuer.cache_control
                headers = {"cache-control": told} if told else {}
                await exchange.send_json(200, self._issuer.jwks(), headers)

    async def _keys(self, exchange: Exchange, _: bytes) -> None:
        await exchange.send_json(200, self._issuer.jwks())

    async def _token(self, exchange: Exchange, body: bytes) -> None:
        asked = _CLAIMS.validate_json(body or b"{}")
        account = self._accounts.open(str(asked.get("sub", SUBJECT)))
        token = self._issuer.token(**{**account.claims(), **asked})
        await exchange.send_json(200, {"token": token})

    async def _rotate(self, exchange: Exchange, _: bytes) -> None:
        await exchange.send_json(200, {"kid": self._issuer.rotate().kid})

    async def _set_fault(self, exchange: Exchange, body: bytes) -> None:
        self._issuer.fault = Fault(_CLAIMS.validate_json(body)["fault"])
        await exchange.send_json(200, {})

    async def _calls(self, exchange: Exchange, _: bytes) -> None:
        await exchange.send_json(200, {"jwks": self._issuer.lookups})


@asynccontextmanager
async def serving(issuer: Issuer, port: int = 0) -> AsyncGenerator[Issuer]:
    """Serve on loopback and set the issuer's `url`; port 0 takes a free one."""
    async with serving_app(IssuerApp(issuer), port or free_port()) as address:
        issuer.url = address
        yield issuer


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="devstack.issuer", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    port: int = parser.parse_args().port
    issuer = Issuer(f"http://127.0.0.1:{port}")
    greeting = f"Issuer {issuer.url}, audience {AUDIENCE}, keys at {issuer.jwks_uri}"
    asyncio.run(serve_until_told(IssuerApp(issuer), port, lambda _: greeting))


if __name__ == "__main__":
    main()
