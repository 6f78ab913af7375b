"""What an operator may set about generation."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chassis.settings import Section


class GenerationSettings(Section):
    """Bounds of generation in one process. Read from `GENERATION_*`.

    streams: model streams at once; every one holds an invocation slot of Restate, so this stays
        well below Restate's concurrent-invocations-limit, else reads would wait too.
    chunk_seconds, watched_chunk_seconds: how much of an answer becomes durable at a time, and
        while somebody reads it.
    chunks_per_second: of all streams together; with many streams chunks are longer, so that
        keeping them durable never takes the processor from the rest.
    tool_text_bytes: how much of a tool's result the model reads; the thread keeps all of it.
    tool_rounds: how often in a run a model may ask for tools where its thread does not say.
    lease_seconds: how long a stream that nobody reads stays open; longer than a restart of
        Restate takes, which then costs no second model call.
    """

    model_config = SettingsConfigDict(
        env_prefix="GENERATION_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    streams: int = Field(default=1000, ge=1, le=100_000)
    attempts: int = Field(default=3, ge=1, le=10)
    chunk_seconds: float = Field(default=1.0, gt=0, le=10)
    watched_chunk_seconds: float = Field(default=0.25, gt=0, le=10)
    chunks_per_second: int = Field(default=200, ge=1, le=10_000)
    tool_text_bytes: int = Field(default=16_384, ge=256, le=1_000_000)
    tool_rounds: int = Field(default=10, ge=1, le=50)
    lease_seconds: float = Field(default=30, gt=0, le=600)
