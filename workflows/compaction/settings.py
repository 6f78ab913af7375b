"""What an operator may set about compaction."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chassis.settings import Section


class CompactionSettings(Section):
    """Sizes of summaries. Read from `COMPACTION_*`.

    summary_tokens: the longest summary.
    piece_tokens: how much of a thread a model is shown at once, as far as its window allows.
    """

    model_config = SettingsConfigDict(
        env_prefix="COMPACTION_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    summary_tokens: int = Field(default=1500, ge=100, le=16_000)
    piece_tokens: int = Field(default=24_000, ge=500, le=500_000)
