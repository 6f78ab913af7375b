"""Whatever is sent, the answer is one that openapi.json declares and says nothing of the inside."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.edge_server import public_routes
from devstack.keys import SecretKey
from tests.support.envelopes import envelope_faults
from tests.support.people import newcomer
from tests.support.repository import ROOT
from tests.support.stack import API, RunningStack

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

GATEWAY = "llm/gateway/"
STREAMS = [rpc.route.path for rpc in public_routes() if rpc.route is not None and rpc.route.stream]
PATHS = [rpc.route.path for rpc in public_routes() if rpc.route is not None]
# Each method is tried with values at the edges of its schema beside the random ones.
EDGES_OF_SCHEMAS = 80
# Another way in which the answer may rightly differ from what the tool expects, each with its
# reason: protojson reads more than one spelling of a value, so a wrong type is not always wrong;
# a page token of the right shape may be no token; and most calls are given the right credential.
LEFT_OUT = "negative_data_rejection,positive_data_acceptance,ignored_auth,missing_required_header"


async def threads_with_runs(stack: RunningStack) -> tuple[list[str], list[str]]:
    """Threads that exist, each with the id of a run of its own."""
    threads, runs = [f"noise-{number}" for number in range(3)], list[str]()
    for thread in threads:
        created = await stack.call(
            f"{GATEWAY}create-thread", {"conversationKey": thread}, key=stack.dave
        )
        assert created.status == 200
        message = {"conversationKey": thread, "userMessage": {"content": "hello"}}
        sent = await stack.call(f"{GATEWAY}send-message", message, key=stack.dave)
        runs.append(sent.body["runId"])
    return threads, runs


@pytest.mark.timeout(3600)
async def test_every_answer_to_generated_calls_is_declared(
    live_stack: RunningStack, cases: int, tmp_path: Path
) -> None:
    threads, runs = await threads_with_runs(live_stack)
    # The last owner stays one whatever is called.
    owner = await newcomer(live_stack, "generated")
    await owner.found()
    told = {name: len(live_stack.log(name)) for name in ("edge", "handlers")}
    done = await anyio.run_process(
        schemathesis(live_stack.base_url, tmp_path, cases),
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SCHEMATHESIS_HOOKS": "tests.contract.hooks",
            "CONTRACT_KEY": live_stack.dave.key,
            "CONTRACT_TOKEN": owner.token,
            "CONTRACT_THREADS": json.dumps(threads),
            "CONTRACT_RUNS": json.dumps(runs),
        },
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["test_cases"]["generated"] >= cases
    assert report["operations"]["tested"] == len(PATHS) - len(STREAMS)
    for name, length in told.items():
        assert errors_in(live_stack.log(name)[length:]) == []


def errors_in(log: str) -> list[str]:
    """The lines that tell of a mistake of ours."""
    lines = [line for line in log.splitlines() if line.startswith("{")]
    return [line for line in lines if json.loads(line)["level"] in ("error", "critical")]


def schemathesis(base_url: str, folder: Path, cases: int) -> tuple[str, ...]:
    """The command; about `cases` calls, spread over the methods."""
    methods = len(PATHS) - len(STREAMS)
    # A quarter more, because a method with few fields has fewer different calls than are wanted.
    each = max(cases * 5 // 4 // methods - EDGES_OF_SCHEMAS, 10)
    streams = (part for path in STREAMS for part in ("--exclude-path", path))
    return (
        str(Path(sys.executable).with_name("schemathesis")), "run", str(ROOT / "openapi.json"),
        "--url", base_url, "--phases", "examples,coverage,fuzzing", "--max-examples", str(each),
        "--exclude-checks", LEFT_OUT, *streams, "--continue-on-failure", "--workers", "2",
        "--request-timeout", "30", "--generation-database", "none", "--no-color",
        "--suppress-health-check", "all", "--warnings", "off",
        "--report", "json", "--report-json-path", str(folder / "report.json"),
    )  # fmt: skip


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
FIELDS: Any = st.dictionaries(
    st.sampled_from(["conversationKey", "conversation_key", "after", "wait", "limit", "userMessage",
                     "pageSize", "pageToken", "runId", "settings", "metadata"]),
    JSON,
)  # fmt: skip
BODIES: Any = st.binary() | JSON.map(json.dumps) | FIELDS.map(json.dumps)


@pytest.mark.timeout(3600)
async def test_any_bytes_get_an_answer_of_the_contract(
    live_stack: RunningStack, cases: int
) -> None:
    @settings(
        max_examples=cases // 10,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(path=st.sampled_from(PATHS), body=BODIES)
    def try_one(path: str, body: bytes | str) -> None:
        with httpx.Client(base_url=live_stack.base_url, trust_env=False, verify=False) as client:
            answer(client, path, body, live_stack.dave)

    try_one()


def answer(client: httpx.Client, path: str, body: bytes | str, key: SecretKey) -> None:
    """Send it; the answer is a success, which for a stream is its head, or a declared error."""
    headers = {"x-api-key": key.key, "content-type": "application/json"}
    with client.stream("POST", path, content=body, headers=headers) as got:
        if got.status_code != 200:
            assert envelope_faults(got.status_code, got.headers, got.read()) == []
        elif path in STREAMS:
            assert got.headers["content-type"] == "text/event-stream"
        else:
            assert isinstance(json.loads(got.read()), dict)


def test_there_are_methods_to_try() -> None:
    assert PATHS
    assert all(path.startswith(API) for path in PATHS)
