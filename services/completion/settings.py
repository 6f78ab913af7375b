"""What an operator may set about completions."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chassis.settings import Section


class CompletionSettings(Section):
    """Bounds of completions. Read from `COMPLETION_*`.

    attempts: how often a model is asked in all, while its failures may pass.
    chunk_seconds: how much of an answer becomes durable at a time. It only has to outlast Restate's
        own restart; readers get their text from the bus.
    """

    model_config = SettingsConfigDict(
        env_prefix="COMPLETION_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    attempts: int = Field(default=3, ge=1, le=10)
    chunk_seconds: float = Field(default=2.0, gt=0, le=10)
