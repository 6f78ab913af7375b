"""Vendor answers and broken sockets become errors that tell the caller the right thing."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import Code, classify
from errors.classify import TransportFailure, from_response, from_transport, retry_after, scrub

SECRETS = (
    "sk-or-v1-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "sk-proj-Ab3dEfGh1jKlMn0p",
    "Bearer abc.def-ghi_123",
    "Basic dXNlcjpwYXNz",
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c2VyIn0.c2lnbmF0dXJl",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "AKIAIOSFODNN7EXAMPLE",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "user_2x7DNyswjOHVRWDYVMCIROyGjsS",
    "alice.smith+test@mail.example.com",
    "d41d8cd98f00b204e9800998ecf8427e",
)
HOSTILE = (
    *("a", "1", "_1", "w-", "a@", "@.", "a.b@c", "://", " "),
    *("eyJ", "eyJaaaaaa.", "-----BEGIN ", "sk-", "bearer "),
    *("token=", "token ", "x-token ", "api_key-"),
)


@pytest.mark.parametrize(
    ("status", "code", "terminal"),
    [
        (400, Code.UPSTREAM_ERROR, True),
        (401, Code.UNAVAILABLE, True),
        (402, Code.INSUFFICIENT_CREDITS, True),
        (403, Code.UNAVAILABLE, True),
        (404, Code.UPSTREAM_ERROR, True),
        (408, Code.DEADLINE_EXCEEDED, False),
        (409, Code.UPSTREAM_ERROR, True),
        (422, Code.UPSTREAM_ERROR, True),
        (429, Code.RATE_LIMITED, False),
        (500, Code.UPSTREAM_ERROR, False),
        (502, Code.UPSTREAM_ERROR, False),
        (503, Code.UNAVAILABLE, False),
        (504, Code.DEADLINE_EXCEEDED, False),
        (529, Code.UPSTREAM_ERROR, False),
    ],
)
def test_a_status_decides_code_and_retry_class(status: int, code: Code, terminal: bool) -> None:
    error = from_response("vendor", status, {}, "body")
    assert (error.code, error.is_terminal) == (code, terminal)
    assert error.details.upstream_error is not None
    assert error.details.upstream_error.service == "vendor"
    assert error.details.upstream_error.status_code == status


@given(st.integers(100, 599))
def test_nothing_a_vendor_answers_blames_the_callers_credential(status: int) -> None:
    error = from_response("vendor", status, {}, b"")
    assert error.code not in (Code.UNAUTHENTICATED, Code.PERMISSION_DENIED)
    assert error.is_terminal == (400 <= status < 500 and status not in (408, 429))


@pytest.mark.parametrize("failure", TransportFailure)
def test_every_transport_failure_is_retryable(failure: TransportFailure) -> None:
    error = from_transport("vendor", failure)
    assert not error.is_terminal
    assert error.details.upstream_error is not None
    assert error.details.upstream_error.service == "vendor"


def test_transport_failures_can_be_told_apart() -> None:
    found = {from_transport("vendor", failure).reason for failure in TransportFailure}
    assert len(found) == len(TransportFailure)


def test_the_body_of_a_refused_credential_is_dropped() -> None:
    error = from_response("vendor", 401, {}, "Incorrect API key provided: hunter2")
    assert error.details.upstream_error is not None
    assert error.details.upstream_error.body == ""


@pytest.mark.parametrize("name", ["Retry-After", "retry-after", "RETRY-AFTER"])
def test_retry_after_in_seconds_is_found_under_any_spelling(name: str) -> None:
    error = from_response("vendor", 429, {name: " 7 "}, "")
    assert error.retry_after == timedelta(seconds=7)


def test_without_retry_after_there_is_no_retry_info() -> None:
    assert from_response("vendor", 429, {}, "").details.retry_info is None


def test_an_http_date_counts_from_the_vendors_own_clock() -> None:
    then = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
    headers = {
        "date": format_datetime(then, usegmt=True),
        "retry-after": format_datetime(then + timedelta(seconds=90), usegmt=True),
    }
    assert retry_after(headers) == timedelta(seconds=90)


def test_a_date_in_the_past_means_now() -> None:
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == timedelta(0)


@given(st.one_of(st.text(), st.floats().map(str), st.integers().map(str), st.datetimes().map(str)))
def test_retry_after_is_bounded_whatever_the_vendor_writes(value: str) -> None:
    delay = retry_after({"retry-after": value})
    assert delay is None or timedelta(0) <= delay <= classify.MAX_RETRY_AFTER


@given(secret=st.sampled_from(SECRETS), before=st.text(max_size=40), after=st.text(max_size=40))
def test_no_secret_survives_whatever_stands_around_it(secret: str, before: str, after: str) -> None:
    body = f'{before} "{secret}" {after}'
    value = secret.removeprefix("Bearer ").removeprefix("Basic ")
    assert value not in scrub(body)


@pytest.mark.parametrize(
    "body",
    [
        '{"api_key": "hunter2"}',
        '{"raw": "{\\"api_key\\": \\"hunter2\\"}"}',
        "password=hunter2&user=x",
        "X-Api-Key: hunter2",
        "Set-Cookie: hunter2",
        "postgres://admin:hunter2@db/x",
        "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nhunter2",
        "access_token: 'hunter2'",
    ],
)
def test_a_value_that_is_named_as_a_secret_is_hidden(body: str) -> None:
    assert "hunter2" not in scrub(body)


def test_what_helps_to_understand_the_failure_stays() -> None:
    body = '{"error":{"message":"openai/gpt-4o-mini is overloaded, 12 tokens","code":503}}'
    assert scrub(body) == body


@given(st.one_of(st.binary(max_size=6000), st.text(max_size=6000)))
def test_any_body_becomes_at_most_two_kilobytes_of_text(body: bytes | str) -> None:
    assert len(scrub(body).encode()) <= classify.MAX_BODY_BYTES


@given(st.integers(0, 9000), st.sampled_from(SECRETS))
def test_a_secret_across_a_cut_does_not_show_its_first_half(at: int, secret: str) -> None:
    found = scrub("x " * (at // 2) + secret + " and more" * 1000)
    assert secret[:12] not in found


@pytest.mark.parametrize("word", HOSTILE)
@pytest.mark.parametrize("size", [8_000, 1_000_000])
def test_hostile_bodies_are_scrubbed_at_once(word: str, size: int) -> None:
    body = word * (size // len(word))
    started = time.process_time()
    assert len(scrub(body)) <= classify.MAX_BODY_BYTES
    assert time.process_time() - started < 1
