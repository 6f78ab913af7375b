"""`python3 -m devstack.compose_env > .env`: the secrets that `compose.yaml` asks for, made anew.

Needs nothing but Python: it runs before anything is installed. The edge gets the hash of the key;
the key itself stands beside it for whoever uses the stack from this folder.
"""

import json

from devstack.keys import SecretKey, new_sealing_key


def environment(key: SecretKey) -> dict[str, str]:
    """The variables, by name."""
    return {
        "YOCASO_KEY": key.key,
        "EDGE_SECRET_KEYS": json.dumps([key.setting()]),
        "SECRETS_KEYS": json.dumps([new_sealing_key()]),
        "OPENROUTER_API_KEY": "sk-or-local",
    }


def main() -> None:
    """Print a `.env` file for compose and for a shell."""
    print("# For `docker compose` and for `. ./.env`. Keep it out of the repository.")
    for name, value in environment(SecretKey(tenant_id="demo", user_id="visitor")).items():
        print(f"{name}='{value}'")


if __name__ == "__main__":
    main()
