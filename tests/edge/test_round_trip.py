"""The law of errors: what a service raises is what the client reads, details included."""

import json
from datetime import timedelta

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from errors import (
    Code,
    ErrorDetails,
    FieldViolation,
    HelpLink,
    ModelError,
    RetryInfo,
    RpcError,
    UpstreamError,
)
from tests.support.edges import error_of
from tests.support.probe_stack import ProbeStack

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40)
COUNT = st.integers(0, 2**31 - 1)
DELAY = st.timedeltas(
    min_value=timedelta(0),
    max_value=timedelta(days=1),
)

DETAILS = st.builds(
    ErrorDetails,
    upstream_error=st.none() | st.builds(UpstreamError, service=TEXT, status_code=COUNT, body=TEXT),
    model_error=st.none()
    | st.builds(
        ModelError,
        model=TEXT,
        provider=TEXT,
        finish_reason=TEXT,
        limits=st.dictionaries(TEXT, COUNT, max_size=3),
    ),
    retry_info=st.none() | st.builds(RetryInfo, retry_after=st.none() | DELAY, attempts=COUNT),
    field_violations=st.lists(
        st.builds(FieldViolation, field=TEXT, description=TEXT), max_size=3
    ).map(tuple),
    help_link=st.none() | st.builds(HelpLink, url=TEXT),
)

ERRORS = st.builds(
    RpcError,
    st.sampled_from(list(Code)),
    st.from_regex(r"[a-z]{1,12}\.[a-z_]{1,12}", fullmatch=True),
    TEXT,
    DETAILS,
    is_terminal=st.booleans(),
)


def _raised(error: RpcError) -> dict[str, object]:
    return {
        "code": error.code.value,
        "reason": error.reason,
        "message": error.message,
        "details": json.dumps(error.details.to_json()),
        "isTerminal": error.is_terminal,
    }


@pytest.mark.parametrize("path", ["fail", "fail-command"])
def test_an_error_comes_out_of_the_edge_as_it_went_in(probe_live: ProbeStack, path: str) -> None:
    with httpx.Client(
        base_url=probe_live.base_url,
        headers={"x-api-key": probe_live.alice.key},
        timeout=30,
        trust_env=False,
        verify=False,
    ) as http:

        @settings(
            max_examples=60,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        @given(error=ERRORS)
        def law(error: RpcError) -> None:
            answer = http.post(f"/api/v1/probe/{path}", json=_raised(error))
            assert error_of(answer) == error

        law()


@pytest.mark.parametrize("code", list(Code))
def test_every_code_has_its_status(probe_live: ProbeStack, code: Code) -> None:
    error = RpcError(code, "probe.asked", "As asked.")
    answer = httpx.post(
        f"{probe_live.base_url}/api/v1/probe/fail",
        json=_raised(error),
        headers={"x-api-key": probe_live.alice.key},
        trust_env=False,
        verify=False,
    )
    assert error_of(answer) == error


def test_an_exception_that_nobody_raised_on_purpose_says_nothing_of_the_inside(
    probe_live: ProbeStack,
) -> None:
    answer = httpx.post(
        f"{probe_live.base_url}/api/v1/probe/fail",
        json={"crash": True},
        headers={"x-api-key": probe_live.alice.key},
        trust_env=False,
        verify=False,
    )
    assert error_of(answer).code is Code.INTERNAL
    assert "secret" not in f"{answer.text}{answer.headers}"
