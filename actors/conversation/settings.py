"""What an operator may set about conversations."""

from datetime import timedelta

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chassis.settings import Section


class ConversationSettings(Section):
    """How runs are bounded. Read from `CONVERSATION_*`."""

    model_config = SettingsConfigDict(
        env_prefix="CONVERSATION_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    default_model: str = Field(default="openai/gpt-4o-mini", min_length=1)
    run_deadline_seconds: float = Field(default=900, gt=0, le=86_400)
    # A run that is past its deadline is given this long to report before it counts as lost.
    lost_grace_seconds: float = Field(default=60, ge=0, le=3600)
    # A cancelled run is given this long to hand over its partial answer.
    cancel_grace_seconds: float = Field(default=10, gt=0, le=600)
    keep_last: int = Field(default=40, ge=1, le=1000)
    # With SUMMARIZE: how many messages after the summary are read at most, and how many of the
    # newest a compaction leaves as they are where the thread does not say.
    summarized_context: int = Field(default=200, ge=10, le=1000)
    compaction_keeps: int = Field(default=10, ge=1, le=1000)
    compaction_deadline_seconds: float = Field(default=900, gt=0, le=86_400)
    # How long a call of a tool waits for a person where the thread does not say.
    approval_timeout_seconds: float = Field(default=3600, gt=0, le=604_800)
    queue_limit: int = Field(default=100, ge=1, le=1000)

    @property
    def run_deadline(self) -> timedelta:
        """From a run's activation to its end, waiting for a free stream included."""
        return timedelta(seconds=self.run_deadline_seconds)

    @property
    def lost_grace(self) -> timedelta:
        """From a run's deadline to its settlement as lost."""
        return timedelta(seconds=self.lost_grace_seconds)

    @property
    def cancel_grace(self) -> timedelta:
        """From a cancel to its settlement without the workflow."""
        return timedelta(seconds=self.cancel_grace_seconds)

    @property
    def compaction_deadline(self) -> timedelta:
        """From the start of a compaction to the moment from which it counts as lost."""
        return timedelta(seconds=self.compaction_deadline_seconds)

    @property
    def approval_timeout(self) -> timedelta:
        """From a request for approval to its default."""
        return timedelta(seconds=self.approval_timeout_seconds)
