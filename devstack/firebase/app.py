"""The HTTP side of the double, as an ASGI application.

    POST /token                                          assertion of the service account → token
    POST /v1/projects/{project}/accounts:lookup, :update
    POST /v1/accounts:signInWithCustomToken              custom token → ID token, refresh token
    POST /v1/token                                       refresh token → ID token
    POST /control/forget-access                          every access token is void from now on
    GET  /control/calls                                  calls by path since the start

Errors have Google's form and words.
"""

import json
import secrets
import time
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import jwt
from pydantic import TypeAdapter, ValidationError

from devstack.exchange import ClientGoneError, Exchange, Receive, Scope, Send
from devstack.firebase.accounts import Accounts, SignIn
from devstack.firebase.key_file import EMAIL, PROJECT
from devstack.issuer import Issuer, SigningKey

LIFETIME_SECONDS = 3600
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_CUSTOM_AUDIENCE = (
    "https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit"
)
_LONGEST_ATTRIBUTES = 1000
_RESERVED = frozenset({"aud", "auth_time", "exp", "firebase", "iat", "iss", "sub", "user_id"})
_OBJECT = TypeAdapter(dict[str, Any])


class RefusedError(Exception):
    """An answer that is an error: its status, and what its body says."""

    def __init__(self, status: int, error: object) -> None:
        super().__init__()
        self.status = status
        self.body = {"error": error}


def _refused(message: str, status: int = 400) -> RefusedError:
    return RefusedError(status, {"code": status, "message": message})


class FirebaseDouble:
    """See the module. ID tokens are those of the issuer."""

    def __init__(self, issuer: Issuer, accounts: Accounts, service_key: SigningKey) -> None:
        """service_key: the one in the key file of the service account."""
        self.calls: Counter[str] = Counter()
        self._issuer = issuer
        self._accounts = accounts
        self._service_key = service_key.private.public_key()
        self._access: set[str] = set()
        of_project = f"/v1/projects/{PROJECT}"
        self._routes: dict[str, Callable[[Exchange, bytes], dict[str, Any]]] = {
            "/token": self._exchange_assertion,
            f"{of_project}/accounts:lookup": self._look_up,
            f"{of_project}/accounts:update": self._update,
            "/v1/accounts:signInWithCustomToken": self._sign_in,
            "/v1/token": self._refresh,
            "/control/forget-access": self._forget_access,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send)
        body = await exchange.body()
        async with exchange:
            status, answer = self._answer(exchange, body)
            try:
                await exchange.send_json(status, answer)
            except ClientGoneError:
                return

    def close(self) -> None:
        """Nobody waits here."""

    def _answer(self, exchange: Exchange, body: bytes) -> tuple[int, dict[str, Any]]:
        if (exchange.method, exchange.path) == ("GET", "/control/calls"):
            return 200, dict(self.calls)
        route = self._routes.get(exchange.path)
        if route is None or exchange.method != "POST":
            return 404, _refused("NOT_FOUND", 404).body
        self.calls[exchange.path] += 1
        try:
            return 200, route(exchange, body)
        except RefusedError as refused:
            return refused.status, refused.body

    def _exchange_assertion(self, _: Exchange, body: bytes) -> dict[str, Any]:
        form = dict(parse_qsl(body.decode()))
        if form.get("grant_type") != _GRANT:
            raise RefusedError(400, "unsupported_grant_type")
        said = self._signed_by_service(form.get("assertion", ""))
        if said is None or said.get("iss") != EMAIL or not said.get("scope"):
            raise RefusedError(400, "invalid_grant")
        token = f"ya29.{secrets.token_urlsafe(24)}"
        self._access.add(token)
        return {"access_token": token, "expires_in": LIFETIME_SECONDS, "token_type": "Bearer"}

    def _forget_access(self, _: Exchange, __: bytes) -> dict[str, Any]:
        self._access.clear()
        return {}

    def _look_up(self, exchange: Exchange, body: bytes) -> dict[str, Any]:
        self._check_access(exchange)
        asked: list[str] = _object(body).get("localId", [])
        found = {user_id: self._accounts.find(user_id) for user_id in asked}
        users = [
            {
                "localId": user_id,
                "customAttributes": account.attributes or "{}",
                "validSince": str(account.valid_since),
            }
            for user_id, account in found.items()
            if account is not None
        ]
        kind = {"kind": "identitytoolkit#GetAccountInfoResponse"}
        return {**kind, "users": users} if users else {**kind}

    def _update(self, exchange: Exchange, body: bytes) -> dict[str, Any]:
        self._check_access(exchange)
        asked = _object(body)
        account = self._accounts.find(asked.get("localId", ""))
        if account is None:
            raise _refused("USER_NOT_FOUND")
        if "customAttributes" in asked:
            account.attributes = _checked_attributes(asked["customAttributes"])
        if "validSince" in asked:
            account.valid_since = int(asked["validSince"])
        self._accounts.keep()
        return {"localId": asked["localId"]}

    def _sign_in(self, _: Exchange, body: bytes) -> dict[str, Any]:
        said = self._signed_by_service(_object(body).get("token", ""), audience=_CUSTOM_AUDIENCE)
        if said is None or not isinstance(said.get("uid"), str) or said.get("sub") != EMAIL:
            raise _refused("INVALID_CUSTOM_TOKEN")
        sign_in = SignIn(
            user_id=said["uid"], auth_time=int(time.time()), claims=said.get("claims") or {}
        )
        self._accounts.open(sign_in.user_id)
        refresh_token = self._accounts.sign_in(sign_in)
        return {
            "idToken": self._id_token(sign_in),
            "refreshToken": refresh_token,
            "expiresIn": str(LIFETIME_SECONDS),
        }

    def _refresh(self, _: Exchange, body: bytes) -> dict[str, Any]:
        form = dict(parse_qsl(body.decode()))
        refresh_token = form.get("refresh_token", "")
        sign_in = self._accounts.signed_in(refresh_token)
        if sign_in is None:
            raise _refused("TOKEN_EXPIRED")
        return {
            "id_token": self._id_token(sign_in),
            "refresh_token": refresh_token,
            "expires_in": str(LIFETIME_SECONDS),
            "user_id": sign_in.user_id,
        }

    def _id_token(self, sign_in: SignIn) -> str:
        claims = {**self._accounts.open(sign_in.user_id).claims(), **sign_in.claims}
        return self._issuer.token(sub=sign_in.user_id, auth_time=sign_in.auth_time, **claims)

    def _check_access(self, exchange: Exchange) -> None:
        scheme, _, token = exchange.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self._access:
            raise _refused("Request had invalid authentication credentials.", 401)

    def _signed_by_service(self, token: str, audience: str | None = None) -> dict[str, Any] | None:
        """What a token of the service account says. Any audience is right where none is given:
        the address under which others find us is not ours to know."""
        try:
            return jwt.decode(
                token,
                self._service_key,
                algorithms=["RS256"],
                audience=audience,
                options={"require": ["iss", "aud", "exp", "iat"], "verify_aud": bool(audience)},
            )
        except jwt.PyJWTError:
            return None


def _object(body: bytes) -> dict[str, Any]:
    try:
        return _OBJECT.validate_json(body)
    except ValidationError:
        raise _refused("Invalid JSON payload received.") from None


def _checked_attributes(text: str) -> str:
    if len(text) > _LONGEST_ATTRIBUTES:
        raise _refused("CLAIMS_TOO_LARGE")
    try:
        claims = _OBJECT.validate_json(text)
    except ValidationError:
        raise _refused("INVALID_CLAIMS") from None
    if not _RESERVED.isdisjoint(claims):
        raise _refused("FORBIDDEN_CLAIM")
    return json.dumps(claims)
