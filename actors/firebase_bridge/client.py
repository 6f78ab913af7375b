"""A plain HTTP client of the Identity Toolkit, usable from any shell.

    async with open_http(settings) as http:
        client = FirebaseClient(http, settings)
        await client.update("user-1", claims={"tenant_id": "acme", "role": "admin"}, valid_since=0)

Every failure is an `RpcError` with a reason of reasons.py. There are no retries here, with one
exception: an access token that Google does not know any more is replaced once.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from actors.firebase_bridge import faults, reasons
from actors.firebase_bridge.service_account import ServiceAccount
from actors.firebase_bridge.settings import FirebaseSettings, read_service_account

_OWN_CLAIMS = ("tenant_id", "role")
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# Given up so long before it ends, so that none ends on its way.
_SPARE_SECONDS = 300
_LARGEST_BYTES = 1 << 20
_CLAIMS = TypeAdapter(dict[str, Any])


class _Token(BaseModel):
    access_token: str = Field(min_length=1)
    expires_in: float


class _User(BaseModel):
    custom_attributes: str = Field(default="", alias="customAttributes")
    valid_since: int = Field(default=0, alias="validSince")


class _Users(BaseModel):
    users: list[_User] = Field(default_factory=list[_User])


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def open_http(settings: FirebaseSettings) -> httpx.AsyncClient:
    """The HTTP client for one process. No redirects: they would carry our access away."""
    timeout = httpx.Timeout(settings.timeout_seconds, connect=min(5.0, settings.timeout_seconds))
    return httpx.AsyncClient(timeout=timeout, follow_redirects=False)


class FirebaseClient:
    """Accounts of one Firebase project. `http` is the caller's, who also closes it."""

    def __init__(self, http: httpx.AsyncClient, settings: FirebaseSettings) -> None:
        self._http = http
        self._settings = settings
        path = settings.service_account_file
        self.service_account = None if path is None else read_service_account(path)
        self._token = ""
        self._token_ends = 0.0
        self._fetching = asyncio.Lock()

    @property
    def configured(self) -> bool:
        """Whether there is a service account to call Firebase with."""
        return self.service_account is not None

    async def update(
        self, user_id: str, *, claims: Mapping[str, str] | None, valid_since: int
    ) -> bool:
        """Make these the user's `tenant_id` and `role`, and end sign-ins before a moment.

        claims: None leaves them alone; one that is left out is taken away. The claims of others
            are kept.
        valid_since: unix seconds; never moves back what Firebase has; 0 leaves it alone.
        Answers whether anything had to be changed. Raises RpcError.
        """
        user = await self._look_up(user_id)
        change: dict[str, Any] = {}
        if claims is not None:
            known = _claims_of(user)
            others = {name: value for name, value in known.items() if name not in _OWN_CLAIMS}
            wanted = {**others, **claims}
            if wanted != known:
                change["customAttributes"] = json.dumps(wanted, separators=(",", ":"))
        if valid_since > user.valid_since:
            change["validSince"] = str(valid_since)
        if change:
            await self._accounts("update", {"localId": user_id, **change})
        return bool(change)

    async def _look_up(self, user_id: str) -> _User:
        answer = await self._accounts("lookup", {"localId": [user_id]})
        try:
            found = _Users.model_validate_json(answer.body).users
        except ValidationError:
            raise faults.of_account(answer.status, answer.headers, answer.body) from None
        if not found:
            raise reasons.USER_NOT_FOUND.error()
        return found[0]

    async def _accounts(self, method: str, body: Mapping[str, Any]) -> _Answer:
        account = self._account()
        base = self._settings.identity_url.rstrip("/")
        url = f"{base}/v1/projects/{account.project_id}/accounts:{method}"
        answer = await self._authorized(url, body)
        if answer.status == 401:
            self._token = ""
            answer = await self._authorized(url, body)
        if answer.status != 200:
            raise faults.of_account(answer.status, answer.headers, answer.body)
        return answer

    async def _authorized(self, url: str, body: Mapping[str, Any]) -> _Answer:
        headers = {"authorization": f"Bearer {await self._access_token()}"}
        return await self._send(self._http.build_request("POST", url, headers=headers, json=body))

    async def _access_token(self) -> str:
        # One exchange for all who wait; the token is only ever here, in this process.
        async with self._fetching:
            if not self._token or time.monotonic() >= self._token_ends:
                self._token, seconds = await self._exchange()
                self._token_ends = time.monotonic() + max(seconds - _SPARE_SECONDS, 0)
            return self._token

    async def _exchange(self) -> tuple[str, float]:
        account = self._account()
        url = self._settings.token_url or account.token_url
        form = {"grant_type": _GRANT, "assertion": account.assertion(url)}
        answer = await self._send(self._http.build_request("POST", url, data=form))
        if answer.status == 200:
            try:
                token = _Token.model_validate_json(answer.body)
            except ValidationError:
                pass
            else:
                return token.access_token, token.expires_in
        raise faults.of_token(answer.status, answer.headers, answer.body)

    async def _send(self, request: httpx.Request) -> _Answer:
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                response = await self._http.send(request, stream=True)
                try:
                    body = bytearray()
                    async for chunk in response.aiter_bytes():
                        body += chunk
                        if len(body) > _LARGEST_BYTES:
                            break
                finally:
                    await response.aclose()
        except (httpx.HTTPError, TimeoutError) as error:
            raise faults.of_transport(error) from None
        return _Answer(response.status_code, response.headers, bytes(body))

    def _account(self) -> ServiceAccount:
        if self.service_account is None:
            raise reasons.NOT_CONFIGURED.error()
        return self.service_account


def _claims_of(user: _User) -> dict[str, Any]:
    """The custom claims of an account; what is no object cannot be kept."""
    try:
        return _CLAIMS.validate_json(user.custom_attributes or "{}")
    except ValidationError:
        return {}
