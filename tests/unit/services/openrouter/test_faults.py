"""Every way a model fails, over a real socket: the code, the reason, and whether to try again."""

from datetime import timedelta

import pytest
from pydantic import SecretStr

from devstack.openrouter import messages
from devstack.openrouter.control import OpenRouterControl
from devstack.openrouter.messages import Answer
from devstack.processes import free_port
from errors import Code, RpcError
from services.openrouter import faults
from services.openrouter.answers import VendorError
from services.openrouter.client import OpenRouterClient
from services.openrouter.http import Http
from services.openrouter.settings import OpenRouterSettings
from tests.support.models import Heard, listen, question

pytestmark = pytest.mark.anyio

SHORT = 0.3


def fails_with(heard: Heard, code: Code, reason: str, *, terminal: bool) -> RpcError:
    """Assert what kind of failure it was; the stream must not have finished."""
    assert heard.error is not None
    assert heard.finish is None
    found = (heard.error.code, heard.error.reason, heard.error.is_terminal)
    assert found == (code, reason, terminal)
    return heard.error


async def test_an_unknown_model_is_named_so(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    heard = await listen(client, question(model="double/nobody"))
    error = fails_with(heard, Code.MODEL_INVALID, "model.unknown", terminal=True)
    assert error.details.model_error is not None
    assert error.details.model_error.model == "double/nobody"
    assert error.details.upstream_error is not None
    assert error.details.upstream_error.status_code == 400


async def test_a_model_without_endpoints_is_unknown(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    await double.script(Answer(status=404, error_message="No endpoints found for double/echo."))
    fails_with(await listen(client), Code.MODEL_INVALID, "model.unknown", terminal=True)


async def test_no_credits_is_final(client: OpenRouterClient, double: OpenRouterControl) -> None:
    await double.script(messages.no_credits())
    fails_with(
        await listen(client), Code.INSUFFICIENT_CREDITS, "openrouter.no_credits", terminal=True
    )


async def test_a_budget_that_is_only_in_flight_is_worth_a_wait(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    metadata = {"limit_source": "openrouter_in_flight_budget"}
    await double.script(Answer(status=402, error_metadata=metadata, retry_after="3"))
    error = fails_with(
        await listen(client), Code.RATE_LIMITED, "model.rate_limited", terminal=False
    )
    assert error.retry_after == timedelta(seconds=3)


async def test_429_with_retry_after_says_when(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    await double.script(messages.rate_limited("12"))
    error = fails_with(
        await listen(client), Code.RATE_LIMITED, "model.rate_limited", terminal=False
    )
    assert error.retry_after == timedelta(seconds=12)


async def test_429_without_retry_after_leaves_it_open(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    await double.script(messages.rate_limited())
    error = fails_with(
        await listen(client), Code.RATE_LIMITED, "model.rate_limited", terminal=False
    )
    assert error.retry_after is None


async def test_500_may_be_tried_again(client: OpenRouterClient, double: OpenRouterControl) -> None:
    await double.script(Answer(status=500, error_message="Internal Server Error"))
    fails_with(await listen(client), Code.UPSTREAM_ERROR, "model.failed", terminal=False)


async def test_503_says_when_to_come_back(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    await double.script(Answer(status=503, retry_after="1"))
    error = fails_with(await listen(client), Code.UNAVAILABLE, "model.unavailable", terminal=False)
    assert error.retry_after == timedelta(seconds=1)


async def test_the_error_page_of_a_proxy_is_classified_by_its_status(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    await double.script(Answer(status=502, raw_body="<html>Bad gateway</html>"))
    error = fails_with(await listen(client), Code.UPSTREAM_ERROR, "model.failed", terminal=False)
    assert error.details.upstream_error is not None
    assert error.details.upstream_error.body == "<html>Bad gateway</html>"


async def test_a_refused_credential_is_not_the_callers_fault_and_not_shown(
    http: Http, settings: OpenRouterSettings, double: OpenRouterControl
) -> None:
    wrong = settings.model_copy(update={"api_key": SecretStr("invalid")})
    heard = await listen(OpenRouterClient(http, wrong))
    error = fails_with(heard, Code.UNAVAILABLE, "openrouter.credentials_refused", terminal=True)
    assert error.details.upstream_error is not None
    assert error.details.upstream_error.body == ""


async def test_a_request_the_provider_rejects_is_final(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    await double.script(Answer(status=400, error_message="temperature must be at most 2"))
    fails_with(await listen(client), Code.UPSTREAM_ERROR, "model.request_refused", terminal=True)


async def test_a_context_that_is_too_long_comes_with_its_limits(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    await double.script(messages.context_exceeded(8192, 9000))
    error = fails_with(
        await listen(client), Code.CONTEXT_LENGTH_EXCEEDED, "model.context_exceeded", terminal=True
    )
    assert error.details.model_error is not None
    assert error.details.model_error.limits == {"contextTokens": 8192, "requestedTokens": 9000}


async def test_moderation_is_content_filtered(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    await double.script(messages.moderated("bad words"))
    error = fails_with(
        await listen(client), Code.CONTENT_FILTERED, "model.moderated", terminal=True
    )
    assert error.details.model_error is not None
    assert error.details.model_error.provider == "Double"


async def test_a_403_without_moderation_is_about_our_access(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    await double.script(Answer(status=403, error_message="Only management keys can do this"))
    fails_with(
        await listen(client), Code.UNAVAILABLE, "openrouter.credentials_refused", terminal=True
    )


@pytest.mark.parametrize("stream", [True, False])
async def test_an_error_inside_a_200_is_an_error(
    client: OpenRouterClient, double: OpenRouterControl, stream: bool
) -> None:
    await double.script(Answer(error_in_200=True, error_code=429))
    if stream:
        heard = await listen(client)
    else:
        with pytest.raises(RpcError) as raised:
            await client.chat(question())
        heard = Heard("", error=raised.value)
    fails_with(heard, Code.RATE_LIMITED, "model.rate_limited", terminal=False)


@pytest.mark.parametrize(
    ("code", "expected", "reason", "terminal"),
    [
        (502, Code.UPSTREAM_ERROR, "model.failed", False),
        ("server_error", Code.UPSTREAM_ERROR, "model.failed", False),
        ("429", Code.RATE_LIMITED, "model.rate_limited", False),
        ("rate_limit_exceeded", Code.RATE_LIMITED, "model.rate_limited", False),
        ("overloaded_error", Code.UNAVAILABLE, "model.unavailable", False),
        ("content_policy_violation", Code.CONTENT_FILTERED, "model.moderated", True),
        ("insufficient_quota", Code.INSUFFICIENT_CREDITS, "openrouter.no_credits", True),
        ("context_length_exceeded", Code.CONTEXT_LENGTH_EXCEEDED, "model.context_exceeded", True),
        ("a_word_nobody_knows", Code.UPSTREAM_ERROR, "model.failed", False),
        (7, Code.UPSTREAM_ERROR, "model.failed", False),
    ],
)
async def test_a_midstream_error_keeps_the_text_and_says_what_happened(
    client: OpenRouterClient,
    double: OpenRouterControl,
    code: int | str,
    expected: Code,
    reason: str,
    terminal: bool,
) -> None:
    await double.script(Answer(text="one two three", error_after=2, error_code=code))
    heard = await listen(client)
    fails_with(heard, expected, reason, terminal=terminal)
    assert heard.text == "one two "


@pytest.mark.parametrize("comment_every_ms", [None, 20])
async def test_no_first_token_in_time_closes_the_connection(
    client: OpenRouterClient, double: OpenRouterControl, comment_every_ms: float | None
) -> None:
    await double.script(Answer(text="late", stall_after=0, comment_every_ms=comment_every_ms))
    heard = await listen(client, question(first_token_timeout_seconds=SHORT))
    fails_with(heard, Code.DEADLINE_EXCEEDED, "model.first_token_timeout", terminal=False)
    [call] = await double.wait(closed=1)
    assert call.closed_by_client


async def test_no_headers_in_time_is_no_first_token_either(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    await double.script(Answer(text="late", hold_headers=True, gate="never"))
    heard = await listen(client, question(first_token_timeout_seconds=SHORT))
    fails_with(heard, Code.DEADLINE_EXCEEDED, "model.first_token_timeout", terminal=False)
    await double.wait(closed=1)


@pytest.mark.parametrize("comment_every_ms", [None, 20])
async def test_a_stall_in_midstream_keeps_the_text_and_closes_the_connection(
    client: OpenRouterClient, double: OpenRouterControl, comment_every_ms: float | None
) -> None:
    answer = Answer(text="one two three", stall_after=2, comment_every_ms=comment_every_ms)
    await double.script(answer)
    heard = await listen(client, question(inter_token_timeout_seconds=SHORT))
    fails_with(heard, Code.DEADLINE_EXCEEDED, "model.stalled", terminal=False)
    assert heard.text == "one two "
    [call] = await double.wait(closed=1)
    assert call.closed_by_client


async def test_slow_tokens_are_no_stall_but_the_total_deadline_holds(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    await double.script(Answer(token_count=1000, token_delay_ms=20))
    request = question(inter_token_timeout_seconds=5, total_timeout_seconds=0.6)
    heard = await listen(client, request)
    fails_with(heard, Code.DEADLINE_EXCEEDED, "model.timed_out", terminal=False)
    assert heard.text.startswith("t0 t1 ")


async def test_a_whole_answer_that_takes_too_long_is_given_up(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    await double.script(Answer(text="late", stall_after=0))
    with pytest.raises(RpcError) as raised:
        await client.chat(question(total_timeout_seconds=SHORT))
    assert raised.value.reason == "model.timed_out"
    [call] = await double.wait(closed=1)
    assert call.closed_by_client


@pytest.mark.parametrize("fault", ["cut_after", "end_after"])
@pytest.mark.parametrize("position", [0, 2])
async def test_a_stream_that_ends_early_is_a_failure_and_keeps_the_text(
    client: OpenRouterClient, double: OpenRouterControl, fault: str, position: int
) -> None:
    await double.script(Answer.model_validate({"text": "one two three", fault: position}))
    heard = await listen(client)
    fails_with(heard, Code.UPSTREAM_ERROR, "model.stream_cut", terminal=False)
    assert heard.text == ("one two " if position else "")


@pytest.mark.parametrize(
    "answer",
    [
        Answer(garbage="html"),
        Answer(garbage="binary"),
        Answer(text="one two three", garbage_after=2),
    ],
    ids=["html", "binary", "midstream"],
)
async def test_garbage_is_a_passing_fault_of_the_provider(
    client: OpenRouterClient, double: OpenRouterControl, answer: Answer
) -> None:
    await double.script(answer)
    fails_with(await listen(client), Code.UPSTREAM_ERROR, "model.garbage", terminal=False)


async def test_garbage_instead_of_a_whole_answer_is_garbage_too(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    await double.script(Answer(garbage="html"))
    with pytest.raises(RpcError) as raised:
        await client.chat(question())
    assert raised.value.reason == "model.garbage"


@pytest.mark.parametrize(
    ("finish_reason", "code", "reason", "terminal"),
    [
        ("stop", Code.UPSTREAM_ERROR, "model.empty_answer", False),
        ("length", Code.UPSTREAM_ERROR, "model.tokens_spent", True),
        ("content_filter", Code.CONTENT_FILTERED, "model.moderated", True),
    ],
)
async def test_an_empty_answer_is_no_answer(
    client: OpenRouterClient,
    double: OpenRouterControl,
    finish_reason: str,
    code: Code,
    reason: str,
    terminal: bool,
) -> None:
    await double.script(Answer(tokens=[], finish_reason=finish_reason))
    error = fails_with(await listen(client), code, reason, terminal=terminal)
    assert error.details.model_error is not None
    assert error.details.model_error.finish_reason == finish_reason


async def test_a_fallback_that_works_answers_under_its_own_name(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    await double.script(Answer(status=503), model="double/echo")
    heard = await listen(client, question(fallbacks=("double/fallback",)))
    [call] = await double.calls()
    assert heard.text == "You said: hello"
    assert heard.finish is not None
    assert heard.finish.model == "double/fallback"
    assert call.tried == ["double/echo", "double/fallback"]


async def test_a_fallback_that_fails_too_is_the_failure(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    await double.script(Answer(status=503), model="double/echo")
    await double.script(messages.rate_limited("4"), model="double/fallback")
    heard = await listen(client, question(fallbacks=("double/fallback",)))
    error = fails_with(heard, Code.RATE_LIMITED, "model.rate_limited", terminal=False)
    assert error.retry_after == timedelta(seconds=4)
    assert len(await double.calls()) == 1


async def test_nobody_listening_is_unreachable(http: Http, settings: OpenRouterSettings) -> None:
    nowhere = settings.model_copy(update={"base_url": f"http://127.0.0.1:{free_port()}"})
    heard = await listen(OpenRouterClient(http, nowhere))
    fails_with(heard, Code.UNAVAILABLE, "openrouter.unreachable", terminal=False)


@pytest.mark.parametrize(
    "error",
    [
        {
            "code": 400,
            "message": "Provider returned error",
            "metadata": {
                "raw": '{"error":{"message":"This model\'s maximum context length is 8192 tokens. '
                'However, your messages resulted in 9000 tokens."}}'
            },
        },
        {
            "code": 400,
            "message": "This model's maximum context length is 8192 tokens, "
            "however you requested 9000 tokens (8000 in your prompt; 1000 for the completion).",
        },
        {"code": "context_length_exceeded", "message": "context limit 8192, requested 9000"},
        {"code": 400, "message": "prompt is too long: 9000 tokens > 8192 maximum"},
    ],
)
def test_providers_words_for_a_long_context_are_understood(error: dict[str, object]) -> None:
    found = faults.from_error(VendorError.model_validate(error), model="m")
    assert found.code is Code.CONTEXT_LENGTH_EXCEEDED
    assert found.details.model_error is not None
    assert found.details.model_error.limits == {"contextTokens": 8192, "requestedTokens": 9000}
