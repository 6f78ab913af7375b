"""From a run's work to the model's request."""

from actors.conversation.contract.run import Work
from actors.conversation.contract.thread import GenerationConfig
from services.openrouter.asking import chat_request
from services.openrouter.wire import ChatRequest


def model_request(work: Work) -> ChatRequest:
    """The call that answers `work`, bounded by what is left of the run's deadline."""
    config = work.generation_config or GenerationConfig()
    remaining = None
    if work.deadline is not None and work.started_at is not None:
        remaining = max((work.deadline - work.started_at).total_seconds(), 1.0)
    return chat_request(config, work.context, remaining)
