"""Restate's admin port, as far as operators' commands read it. Nothing here changes anything."""

from typing import Any

import httpx

from devstack.cli.output import CommandError, UnreachableError


class Admin:
    """Queries over Restate's tables. Use it as a context."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=url, timeout=30, trust_env=False)

    def __enter__(self) -> "Admin":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def query(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a SQL query; null columns are left out by Restate."""
        return self._read(self._request("POST", "/query", {"query": sql}))["rows"]

    def get(self, path: str) -> dict[str, Any]:
        """A resource of the admin API."""
        return self._read(self._request("GET", path))

    def _request(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> httpx.Response:
        headers = {"accept": "application/json"}
        try:
            return self._http.request(method, path, json=body, headers=headers)
        except httpx.TransportError as error:
            raise UnreachableError(
                f"Restate's admin port does not answer at {self.url}. `yocaso doctor` looks why."
            ) from error

    def _read(self, answer: httpx.Response) -> dict[str, Any]:
        if answer.is_error:
            raise CommandError(
                f"Restate's admin port answered {answer.status_code}: {answer.text[:300]}"
            )
        return answer.json()


def quoted(text: str) -> str:
    """A SQL string."""
    return "'" + text.replace("'", "''") + "'"
