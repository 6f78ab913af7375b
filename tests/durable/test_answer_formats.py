"""Answers that are to have a form, with the real server: corrected once, or the run's failure."""

import pytest

from devstack.openrouter.control import OpenRouterControl
from devstack.openrouter.messages import Answer
from tests.support.conversation import Json, RefusedError, User

pytestmark = pytest.mark.anyio

NAMED = {"type": "object", "required": ["name"]}
FORM: Json = {
    "model": "double/echo",
    "responseFormat": {"type": "JSON_SCHEMA", "name": "person", "jsonSchema": NAMED},
}
RIGHT, WRONG = '{"name": "Ada"}', '{"age": 36}'


async def test_a_wrong_answer_is_corrected_and_the_record_says_so(
    model: OpenRouterControl, alice: User
) -> None:
    thread = await alice.create(generationConfig=FORM)
    await model.script(Answer(text=WRONG, cost=0.25), contains="who")
    await model.script(Answer(text=RIGHT, cost=0.5), contains="does not have the form")
    run = await thread.ask("who?")
    assert (run["status"], run["attempts"], run["costUsd"]) == ("COMPLETED", 2, "0.75")
    [left] = run["fallbacks"]
    assert left["model"] == "double/echo"
    assert left["error"]["details"]["reason"] == "answer.format_invalid"
    messages = (await thread.state())["messages"]
    assert [message["content"] for message in messages] == ["who?", RIGHT]
    types = [event["type"] for event in await thread.events()]
    assert types[-4:] == ["run.started", "run.retrying", "message.completed", "run.completed"]


async def test_a_second_wrong_answer_fails_the_run_and_is_kept(
    model: OpenRouterControl, alice: User
) -> None:
    thread = await alice.create(generationConfig=FORM)
    await model.script(Answer(text=WRONG), contains="who")
    await model.script(Answer(text="Ada"), contains="does not have the form")
    run = await thread.ask("who?")
    assert run["status"] == "FAILED"
    error = run["error"]
    assert (error["code"], error["details"]["reason"]) == (
        "UPSTREAM_ERROR",
        "answer.format_invalid",
    )
    assert error["details"]["modelError"]["model"] == "double/echo"
    answer = (await thread.state())["messages"][-1]
    assert (answer["content"], answer["partial"]) == ("Ada", True)


@pytest.mark.parametrize("method", ["complete", "stream-complete"])
async def test_a_completion_is_corrected_as_a_run_is(
    model: OpenRouterControl, alice: User, method: str
) -> None:
    await model.script(Answer(text=WRONG), contains="who")
    await model.script(Answer(text=RIGHT), contains="does not have the form")
    body = {"messages": [{"content": "who?"}], "generationConfig": FORM}
    answer = await alice.http.post(
        f"/api/v1/llm/gateway/{method}", json=body, headers=alice.headers
    )
    assert answer.status_code == 200
    assert r"{\"name\": \"Ada\"}" in answer.text
    assert '"attempts":2' in answer.text


async def test_what_is_no_schema_is_refused_by_its_path(alice: User) -> None:
    form = {"type": "JSON_SCHEMA", "jsonSchema": {"type": "nothing"}}
    config = {"responseFormat": form}
    thread = await alice.create()
    messages = [{"content": "x"}]
    for refused_call in (
        thread.send("x", generationConfig=config),
        thread.call("update-generation-config", generationConfig=config),
        alice.create(generationConfig=config),
        alice.call("complete", {"messages": messages, "generationConfig": config}),
    ):
        with pytest.raises(RefusedError) as refused:
            await refused_call
        assert (refused.value.status, refused.value.code) == (400, "INVALID_ARGUMENT")
        fields = [v["field"] for v in refused.value.error["details"]["fieldViolations"]]
        assert fields == ["generationConfig.responseFormat.jsonSchema"]
