"""OpenRouter's section of the configuration: where it is, our key, and how long we wait."""

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from chassis.settings import Section


class OpenRouterSettings(Section):
    """Environment variables `OPENROUTER_*`.

    Without `api_key` every call answers UNAVAILABLE / `openrouter.not_configured`. A request may
    bring own deadlines; the ones here are the defaults.
    """

    model_config = SettingsConfigDict(env_prefix="OPENROUTER_")

    base_url: str = "https://openrouter.ai/api/v1"
    api_key: SecretStr | None = None
    connect_timeout_seconds: float = Field(default=10.0, gt=0)
    first_token_timeout_seconds: float = Field(default=60.0, gt=0)
    """From sending the request to the first token, reasoning and tool calls included."""
    inter_token_timeout_seconds: float = Field(default=60.0, gt=0)
    """Between two tokens. Keep-alive comments do not count as a sign of life."""
    total_timeout_seconds: float = Field(default=1800.0, gt=0)
    """For a whole answer, streamed or not."""
    models_timeout_seconds: float = Field(default=30.0, gt=0)
    referer: str | None = None
    """Sent as `HTTP-Referer`, by which OpenRouter attributes usage to an app."""
    title: str | None = None
    """Sent as `X-Title`, the app's name on OpenRouter's pages."""

    @property
    def configured(self) -> bool:
        """Whether there is a key to call OpenRouter with."""
        return self.api_key is not None and bool(self.api_key.get_secret_value())
