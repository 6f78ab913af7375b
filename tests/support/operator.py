"""What an operator can do to a run through Restate's admin port."""

import httpx

from tests.support.stack import RunningStack


class Operator:
    """Acts on the workflow invocation of a run."""

    def __init__(self, stack: RunningStack) -> None:
        self._restate = stack.processes.restate

    def status_of(self, run_id: str) -> str:
        """The status of the run's workflow (`running`, `suspended`, `paused`, ...)."""
        return self._invocation(run_id)["status"]

    async def cancel(self, run_id: str) -> None:
        """Cancel it: the handler hears of it."""
        await self._act(run_id, "cancel")

    async def kill(self, run_id: str) -> None:
        """Kill it: no code of ours runs any more."""
        await self._act(run_id, "kill")

    async def pause(self, run_id: str) -> None:
        """Pause it; what runs now is cut off."""
        await self._act(run_id, "pause")

    async def resume(self, run_id: str) -> None:
        """Let a paused one go on."""
        await self._act(run_id, "resume")

    def _invocation(self, run_id: str) -> dict[str, str]:
        rows = self._restate.query(
            "SELECT id, status FROM sys_invocation WHERE target_handler_name = 'Run' "
            f"AND target_service_key = '{run_id}'"
        )
        assert len(rows) == 1
        return rows[0]

    async def _act(self, run_id: str, what: str) -> None:
        address = f"{self._restate.admin_url}/invocations/{self._invocation(run_id)['id']}/{what}"
        async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
            (await http.patch(address)).raise_for_status()
