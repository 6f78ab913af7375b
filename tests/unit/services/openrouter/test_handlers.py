"""What other components hear about models."""

import pytest

from errors import RpcError
from services.openrouter import contract, reasons
from services.openrouter.catalogue import Catalogue
from services.openrouter.contract import ListModelsRequest
from services.openrouter.handlers import OpenRouter
from services.openrouter.wire import Model
from tests.support.fake_platform import FakePlatform

pytestmark = pytest.mark.anyio


class Source:
    """Models, or the error in their place."""

    def __init__(self, *errors: RpcError) -> None:
        self.errors = list(errors)
        self.asked = 0

    async def list_models(self) -> list[Model]:
        """See `ModelSource`."""
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return [
            Model(
                id="a/b",
                name="A B",
                description="says things",
                context_length=2**40,
                max_completion_tokens=99,
                pricing={"prompt": "0.0000001", "completion": "0.0000002", "image": "1"},
                supported_parameters=("tools",),
                input_modalities=("text", "image"),
                output_modalities=("text",),
            ),
            Model(id="c/d", name="C D"),
        ]


async def test_models_are_listed_with_what_they_cost_and_can() -> None:
    async with FakePlatform() as platform:
        platform.serve(contract.component, OpenRouter(Catalogue(Source())))
        listed = await platform.call(contract.list_models, ListModelsRequest())
        first, second = listed.models
        assert (first.id, first.name, first.context_length) == ("a/b", "A B", 2**40)
        assert first.pricing is not None
        assert (first.pricing.prompt, first.pricing.completion) == ("0.0000001", "0.0000002")
        assert first.supported_parameters == ["tools"]
        assert first.input_modalities == ["text", "image"]
        assert second.id == "c/d"


async def test_a_vendor_that_comes_back_in_time_is_no_failure() -> None:
    source = Source(reasons.UNREACHABLE.error(), reasons.UNREACHABLE.error())
    async with FakePlatform() as platform:
        platform.serve(contract.component, OpenRouter(Catalogue(source)))
        listed = await platform.call(contract.list_models, ListModelsRequest())
        assert [model.id for model in listed.models] == ["a/b", "c/d"]
    assert source.asked == 3


@pytest.mark.parametrize("reason", [reasons.NOT_CONFIGURED, reasons.CREDENTIALS_REFUSED])
async def test_a_vendor_that_cannot_answer_is_told_at_once_and_declared(
    reason: reasons.Reason,
) -> None:
    source = Source(*[reason.error()] * 9)
    async with FakePlatform() as platform:
        platform.serve(contract.component, OpenRouter(Catalogue(source)))
        with pytest.raises(RpcError) as refused:
            await platform.call(contract.list_models, ListModelsRequest())
        assert refused.value == reason.error()
    assert source.asked == 1
    assert reason in contract.list_models.errors
