"""The other ways that a thread can go, for a chat: answer anew, say it otherwise, go back."""

import uuid
from typing import Any

from devstack.cli.output import printable
from devstack.cli.screen import Screen
from devstack.client import Client


class Branching:
    """Branches of one thread. What begins a branch answers the id of its run, if it did."""

    def __init__(self, client: Client, screen: Screen, thread: str) -> None:
        self._client = client
        self._screen = screen
        self._thread = thread

    def again(self) -> str | None:
        """Answer the last message anew."""
        said = self._last_said()
        if said is None:
            return None
        return self._call("regenerate", messageId=said["messageId"])["runId"]

    def edit(self, text: str) -> str | None:
        """Say the last message in other words."""
        said = self._last_said()
        if said is None or not text:
            self._screen.note("say what it is to be instead: /edit TEXT")
            return None
        return self._call(
            "edit-message",
            messageId=said["messageId"],
            userMessage={"role": "user", "content": text},
            clientMessageId=str(uuid.uuid4()),
        )["runId"]

    def show(self) -> None:
        """Tell which branches there are."""
        active = self._call("conversation-state", pageSize=1).get("activeBranchId", "")
        for branch in reversed(self._call("list-branches", pageSize=50).get("branches", [])):
            name = branch["branchId"]
            mark = "*" if name == active else " "
            self._screen.note(f"{mark} {printable(name)}")

    def choose(self, branch: str) -> None:
        """Go on in another branch, and show where that is."""
        self._call("choose-branch", branchId=branch)
        messages = self._call("conversation-state", pageSize=10).get("messages", [])
        for each in messages:
            self._screen.show(each)

    def _last_said(self) -> dict[str, Any] | None:
        messages = self._call("list-messages", pageSize=50).get("messages", [])
        said = next((each for each in messages if each["role"] == "user"), None)
        if said is None:
            self._screen.note("nothing was said yet")
        return said

    def _call(self, method: str, **request: Any) -> dict[str, Any]:
        return self._client.patiently(method, conversationKey=self._thread, **request)
