"""Local cloud as a program; see the package.

Set by the stack: LOCAL_CLOUD_ISSUER_KEY, the file of the issuer's key, LOCAL_CLOUD_SERVICE_ACCOUNT,
the key file with which the platform calls Firebase, LOCAL_CLOUD_ACCOUNTS, where Firebase's users
are kept (each is made if absent), and LOCAL_CLOUD_MODEL_URL, where the local model listens.
"""

import argparse
import asyncio
import os
from pathlib import Path

from devstack.cloud.app import LocalCloud
from devstack.cloud.local_model import LOCAL_MODEL_ROW, LocalModel
from devstack.firebase import key_file
from devstack.firebase.accounts import Accounts
from devstack.firebase.app import FirebaseDouble
from devstack.issuer import Issuer, IssuerApp, SigningKey
from devstack.openrouter.app import OpenRouterDouble
from devstack.serving import LOOPBACK, Application, serve_until_told
from devstack.toolbox.app import Toolbox


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="devstack.cloud", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default=LOOPBACK, help="address to listen on")
    parser.add_argument("--url", help="where others find it; the loopback address if left out")
    given = parser.parse_args()
    url = given.url or f"http://{LOOPBACK}:{given.port}"
    issuer = Issuer(f"{url}/issuer", signing_key(os.environ.get("LOCAL_CLOUD_ISSUER_KEY")))
    accounts = Accounts(_path(os.environ.get("LOCAL_CLOUD_ACCOUNTS")))
    openrouter = openrouter_of(os.environ.get("LOCAL_CLOUD_MODEL_URL"))
    cloud = LocalCloud(
        {
            "openrouter": ("OpenRouter", openrouter),
            "issuer": ("OIDC issuer", IssuerApp(issuer, accounts)),
            "firebase": ("Firebase", FirebaseDouble(issuer, accounts, service_key())),
            "toolbox": ("Tool server", Toolbox()),
        }
    )
    asyncio.run(serve_until_told(cloud, given.port, lambda _: f"Local cloud on {url}", given.host))


def openrouter_of(model_url: str | None) -> Application:
    """The scripted double, with the local model beside its own where one runs."""
    if not model_url:
        return OpenRouterDouble()
    return LocalModel(OpenRouterDouble([LOCAL_MODEL_ROW]), model_url)


def service_key() -> SigningKey:
    """The key of the service account; of one that nobody has where there is no file for it."""
    path = _path(os.environ.get("LOCAL_CLOUD_SERVICE_ACCOUNT"))
    return key_file.signing_key(key_file.kept(path).read_text()) if path else SigningKey()


def signing_key(key_path: str | None) -> SigningKey:
    """The key of an earlier run, so that its tokens stay valid; without a path a new one."""
    if not key_path:
        return SigningKey()
    path = Path(key_path)
    if path.exists():
        return SigningKey(path.read_bytes())
    key = SigningKey()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(key.pem())
    return key


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


if __name__ == "__main__":
    main()
