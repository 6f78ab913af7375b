"""The double as a program: `python -m devstack.openrouter --port 8090 [--token-delay-ms 20]`."""

import argparse
import asyncio

from devstack.openrouter.app import OpenRouterDouble
from devstack.openrouter.messages import Defaults
from devstack.serving import serve_until_told


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="devstack.openrouter", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--first-token-delay-ms", type=float, default=0.0)
    parser.add_argument("--token-delay-ms", type=float, default=0.0)
    given = parser.parse_args()
    double = OpenRouterDouble()
    double.state.defaults = Defaults(
        first_token_delay_ms=given.first_token_delay_ms, token_delay_ms=given.token_delay_ms
    )
    asyncio.run(serve_until_told(double, given.port, _greeting))


def _greeting(address: str) -> str:
    return f"OpenRouter double on {address}/api/v1, control on {address}/control"


if __name__ == "__main__":
    main()
