"""OpenFGA's section of the configuration: where it is, our key, and how long we wait."""

from pydantic import Field, HttpUrl, SecretStr
from pydantic_settings import SettingsConfigDict

from chassis.settings import Section


class OpenFgaSettings(Section):
    """Environment variables `OPENFGA_*`.

    Without `api_url` every call answers UNAVAILABLE / `openfga.not_configured`.
    """

    model_config = SettingsConfigDict(env_prefix="OPENFGA_")

    api_url: HttpUrl | None = None
    api_token: SecretStr | None = None
    """One of the server's preshared keys."""
    store: str = Field(default="yocaso", min_length=3, max_length=64)
    """The name of the store. `python -m app authorization` makes it."""
    timeout_seconds: float = Field(default=3.0, gt=0)
    """For one try of one call."""
    remembered_seconds: float = Field(default=5.0, ge=0, le=10)
    """How long this process believes a verdict; also how late it hears what others wrote."""

    @property
    def configured(self) -> bool:
        """Whether there is a server to ask."""
        return self.api_url is not None
