"""From a run's work to the model's request."""

from dataclasses import replace

from actors.conversation.contract.run import Work
from actors.conversation.contract.thread import GenerationConfig
from services.openrouter.asking import chat_request
from services.openrouter.wire import ChatRequest


def model_request(work: Work) -> ChatRequest:
    """The call that answers `work`, bounded by what is left of the run's deadline."""
    config = work.generation_config or GenerationConfig()
    return bounded(chat_request(config, work.context), work)


def bounded(request: ChatRequest, work: Work) -> ChatRequest:
    """The request, bounded by what is left of the run's deadline when `work` started."""
    if work.deadline is None or work.started_at is None:
        return request
    remaining = max((work.deadline - work.started_at).total_seconds(), 1.0)
    return replace(request, total_timeout_seconds=remaining)
