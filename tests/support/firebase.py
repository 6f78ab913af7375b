"""Firebase's double on a socket, behind the switchboard of faults, with the key file it trusts."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from actors.firebase_bridge.settings import FirebaseSettings
from devstack.cloud.app import LocalCloud
from devstack.cloud.faults import Fault
from devstack.firebase import key_file
from devstack.firebase.accounts import Accounts
from devstack.firebase.app import FirebaseDouble
from devstack.issuer import Issuer
from devstack.processes import free_port
from devstack.serving import serving

PROJECT_PATH = f"/v1/projects/{key_file.PROJECT}"


class Firebase:
    """The double as a test holds it: users, calls, faults."""

    def __init__(self, key_path: Path) -> None:
        self.accounts = Accounts()
        self.issuer = Issuer()
        key = key_file.signing_key(key_path.read_text())
        self.double = FirebaseDouble(self.issuer, self.accounts, key)
        self.cloud = LocalCloud({"firebase": ("Firebase", self.double)})
        self.url = ""
        self._key_path = key_path

    def settings(self, timeout_seconds: float = 10) -> FirebaseSettings:
        """As an operator would set them."""
        return FirebaseSettings(
            service_account_file=self._key_path,
            identity_url=self.url,
            token_url=f"{self.url}/token",
            timeout_seconds=timeout_seconds,
        )

    def user(self, user_id: str, attributes: str = "") -> None:
        """Let there be a user who has these custom claims."""
        self.accounts.open(user_id).attributes = attributes

    def claims(self, user_id: str) -> dict[str, object]:
        """What the user's next token claims beside who they are."""
        return self.accounts.open(user_id).claims()

    def fails(self, fault: Fault | None) -> None:
        """Answer like this from now on, or well again."""
        self.cloud.board.set("firebase", fault)

    def calls(self, path: str) -> int:
        """How often a path was called; `lookup` and `update` for those of accounts."""
        whole = path if path.startswith("/") else f"{PROJECT_PATH}/accounts:{path}"
        return self.double.calls[whole]


@asynccontextmanager
async def running_firebase(key_path: Path) -> AsyncGenerator[Firebase]:
    """A running double without users."""
    firebase = Firebase(key_path)
    async with serving(firebase.cloud, free_port()) as address:
        firebase.url = f"{address}/firebase"
        yield firebase
