"""What an operator may set about tool servers."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chassis.settings import Section


class McpSettings(Section):
    """Bounds of the calls to tool servers. Read from `MCP_*`.

    connect_timeout_seconds: to a connection; a server's own timeout counts from there.
    probe_seconds: how long a list of servers waits for one that does not answer.
    answer_bytes: of one answer; a larger one is cut off and refused.
    idle_seconds: how long a connection that nobody uses is kept.
    """

    model_config = SettingsConfigDict(env_prefix="MCP_")

    connect_timeout_seconds: float = Field(default=5.0, gt=0, le=60)
    probe_seconds: float = Field(default=5.0, gt=0, le=20)
    answer_bytes: int = Field(default=1024 * 1024, ge=1024, le=16 * 1024 * 1024)
    idle_seconds: float = Field(default=60.0, gt=0, le=3600)
