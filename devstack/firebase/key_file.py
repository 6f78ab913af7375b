"""The key file of a service account of nobody's, in the form in which Google gives them out."""

import json
from pathlib import Path

from devstack.issuer import SigningKey

PROJECT = "yocaso-dev"
EMAIL = f"platform@{PROJECT}.iam.gserviceaccount.com"


def make() -> str:
    """The JSON text of a new one."""
    key = SigningKey()
    return json.dumps(
        {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": key.kid,
            "private_key": key.pem().decode(),
            "client_email": EMAIL,
        }
    )


def kept(path: Path) -> Path:
    """The file, which is made, for its owner alone, if there is none."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(make())
    return path


def signing_key(text: str) -> SigningKey:
    """The key of a file that `make` made."""
    return SigningKey(json.loads(text)["private_key"].encode())
