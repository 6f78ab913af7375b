"""The list of models: fetched once for all, kept while the vendor is away."""

import asyncio

import pytest

from errors import RpcError
from services.openrouter import catalogue, reasons
from services.openrouter.catalogue import Catalogue
from services.openrouter.wire import Model
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

AWAY = reasons.UNREACHABLE.error()


class Source:
    """Gives a list when it may; `answers` are used one by one, the last again and again."""

    def __init__(self, *answers: list[str] | Exception) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.may = asyncio.Event()
        self.may.set()

    async def list_models(self) -> list[Model]:
        """See `ModelSource`."""
        self.asked += 1
        await self.may.wait()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return [Model(id=id, name=id) for id in answer]


async def ids(models: Catalogue) -> list[str]:
    return [model.id for model in await models.models()]


async def test_the_list_is_fetched_when_it_is_first_asked_for_and_then_kept() -> None:
    source = Source(["a", "b"])
    models = Catalogue(source)
    assert await ids(models) == ["a", "b"]
    assert await ids(models) == ["a", "b"]
    assert source.asked == 1


async def test_all_who_ask_at_the_same_time_share_one_fetch() -> None:
    source = Source(["a"])
    source.may.clear()
    models = Catalogue(source)
    asking = [asyncio.create_task(ids(models)) for _ in range(10)]
    await until(lambda: source.asked > 0)
    asking[0].cancel()
    source.may.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert answers[1:] == [["a"]] * 9
    assert source.asked == 1


async def test_an_old_list_is_fetched_again_and_kept_while_the_vendor_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = Source(["a"], AWAY, ["a", "b"])
    models = Catalogue(source)
    assert await ids(models) == ["a"]
    monkeypatch.setattr(catalogue, "_FRESH_SECONDS", -1.0)
    assert await ids(models) == ["a"]
    assert models.first_unknown(["a"]) is None
    assert await ids(models) == ["a", "b"]
    assert source.asked == 3


async def test_without_any_list_the_vendors_error_is_told() -> None:
    models = Catalogue(Source(AWAY))
    with pytest.raises(RpcError) as refused:
        await models.models()
    assert refused.value == AWAY


async def test_a_model_is_unknown_only_when_models_are_known() -> None:
    models = Catalogue(Source(["a", "b"]))
    assert models.first_unknown(["anything"]) is None
    await models.models()
    assert models.first_unknown(["a", "b"]) is None
    assert models.first_unknown(["a", "x", "y"]) == "x"
    assert models.first_unknown([]) is None


async def test_the_list_is_kept_fresh_in_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "_FRESH_SECONDS", 0.01)
    monkeypatch.setattr(catalogue, "_RETRY_SECONDS", 0.01)
    source = Source(AWAY, ["a"], AWAY, ["b"])
    models = Catalogue(source)
    models.start()
    await until(lambda: models.first_unknown(["a"]) == "a")
    assert models.first_unknown(["b"]) is None
    await models.stop()


async def test_an_answer_that_nobody_foresaw_does_not_end_the_keeping(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(catalogue, "_RETRY_SECONDS", 0.01)
    source = Source(ValueError("a bug"), ["a"])
    models = Catalogue(source)
    models.start()
    await until(lambda: models.first_unknown(["b"]) == "b")
    await models.stop()


async def test_stopping_ends_a_fetch_that_is_under_way() -> None:
    source = Source(["a"])
    source.may.clear()
    models = Catalogue(source)
    models.start()
    await until(lambda: source.asked == 1)
    await models.stop()
    assert models.first_unknown(["b"]) is None
