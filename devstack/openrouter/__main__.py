"""The double as a program: `python -m devstack.openrouter --port 8090 [--token-delay-ms 20]`."""

import argparse
import asyncio
import signal

from devstack.openrouter.app import OpenRouterDouble
from devstack.openrouter.messages import Defaults
from devstack.openrouter.serve import serving


async def _run(port: int, defaults: Defaults) -> None:
    double = OpenRouterDouble()
    double.state.defaults = defaults
    over = asyncio.Event()
    async with serving(double, port) as address:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, over.set)
        print(f"OpenRouter double on {address}/api/v1, control on {address}/control", flush=True)
        await over.wait()


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="devstack.openrouter", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--first-token-delay-ms", type=float, default=0.0)
    parser.add_argument("--token-delay-ms", type=float, default=0.0)
    given = parser.parse_args()
    defaults = Defaults(
        first_token_delay_ms=given.first_token_delay_ms, token_delay_ms=given.token_delay_ms
    )
    asyncio.run(_run(given.port, defaults))


if __name__ == "__main__":
    main()
