"""Local cloud as a program; see the package."""

import argparse
import asyncio
from pathlib import Path

from devstack.cloud.app import LocalCloud
from devstack.issuer import Issuer, IssuerApp, SigningKey
from devstack.openrouter.app import OpenRouterDouble
from devstack.serving import Application, serve_until_told


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="devstack.cloud", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--issuer-key", type=Path, help="file of the issuer's key; made if absent")
    given = parser.parse_args()
    url = f"http://127.0.0.1:{given.port}"
    issuer = Issuer(f"{url}/issuer", signing_key(given.issuer_key))
    openrouter: Application = OpenRouterDouble()
    cloud = LocalCloud(
        {
            "openrouter": ("OpenRouter", openrouter),
            "issuer": ("OIDC issuer", IssuerApp(issuer)),
        }
    )
    asyncio.run(serve_until_told(cloud, given.port, lambda address: f"Local cloud on {address}"))


def signing_key(path: Path | None) -> SigningKey:
    """The key of an earlier run, so that its tokens stay valid."""
    if path is None:
        return SigningKey()
    if path.exists():
        return SigningKey(path.read_bytes())
    key = SigningKey()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(key.pem())
    return key


if __name__ == "__main__":
    main()
