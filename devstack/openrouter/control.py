"""A typed client of the double's control interface, for tests and tools.

control = OpenRouterControl("http://127.0.0.1:8090")
await control.script(Answer(text="one two", gate="g", hold_after=1), contains="hello")
await control.wait(tokens_sent=1, waiting=True)
await control.release("g")
"""

from typing import Any

import httpx

from devstack.openrouter.messages import Answer, Call, Calls, Defaults, ModelList, Rule, Wait


class OpenRouterControl:
    """Scripts a running double. `address` is without a path. Close with `aclose`."""

    def __init__(self, address: str) -> None:
        # Plain HTTP on loopback: loading certificates would only cost every test its time.
        self._http = httpx.AsyncClient(
            base_url=f"{address}/control",
            timeout=60,
            trust_env=False,
            verify=False,  # noqa: S501
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def script(
        self,
        *answers: Answer,
        model: str | None = None,
        contains: str | None = None,
        repeat_last: bool = False,
    ) -> None:
        """Answer the next matching calls with these, in order."""
        rule = Rule(answers=list(answers), model=model, contains=contains, repeat_last=repeat_last)
        await self._post("script", rule.model_dump(mode="json"))

    async def release(self, gate: str) -> None:
        """Open a gate, for those that hold there now and for all that come."""
        await self._post("release", {"gate": gate})

    async def reset(self) -> None:
        """Forget scripts, calls and defaults; open every gate."""
        await self._post("reset", {})

    async def pace(self, *, first_token_delay_ms: float = 0, token_delay_ms: float = 0) -> None:
        """How fast answers come that do not say it themselves."""
        defaults = Defaults(
            first_token_delay_ms=first_token_delay_ms, token_delay_ms=token_delay_ms
        )
        await self._post("defaults", defaults.model_dump())

    async def set_models(
        self, models: list[dict[str, Any]] | None = None, *, status: int | None = None
    ) -> None:
        """Replace the model list, or make it fail with a status; nothing restores it."""
        await self._post("models", ModelList(models=models, status=status).model_dump())

    async def calls(self) -> list[Call]:
        """Every chat call since the last reset, in order of arrival."""
        return (await self._get()).calls

    async def model_lists(self) -> int:
        """How often the model list was asked for."""
        return (await self._get()).model_lists

    async def wait(
        self,
        *,
        calls: int = 0,
        closed: int = 0,
        call: int | None = None,
        tokens_sent: int = 0,
        waiting: bool = False,
        call_closed: bool = False,
        timeout_seconds: float = 20.0,
    ) -> list[Call]:
        """Wait until all of it holds, for any one call or for the one with index `call`.

        :raises TimeoutError: it did not; the text shows the calls
        """
        wanted = Wait(
            calls=calls,
            closed=closed,
            call=call,
            tokens_sent=tokens_sent,
            waiting=waiting,
            call_closed=call_closed,
            timeout_seconds=timeout_seconds,
        )
        answer = await self._http.post("/wait", json=wanted.model_dump())
        if answer.status_code == 408:
            raise TimeoutError(f"{wanted!r} did not hold; the double saw {answer.text[:4000]}")
        return Calls.model_validate_json(answer.raise_for_status().content).calls

    async def _get(self) -> Calls:
        answer = await self._http.get("/calls")
        return Calls.model_validate_json(answer.raise_for_status().content)

    async def _post(self, path: str, body: dict[str, Any]) -> None:
        answer = await self._http.post(f"/{path}", json=body)
        if answer.is_error:
            raise ValueError(answer.text)
