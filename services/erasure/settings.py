"""Where Restate's admin port is."""

from pydantic import Field, HttpUrl

from chassis.settings import Section


class ErasureSettings(Section):
    """Read from the environment.

    patience_seconds: how long what is at work may take to end before it is killed.
    """

    url: HttpUrl = Field(
        default=HttpUrl("http://127.0.0.1:9070"), validation_alias="RESTATE_ADMIN_URL"
    )
    patience_seconds: float = Field(
        default=3, ge=0, le=20, validation_alias="ERASURE_PATIENCE_SECONDS"
    )
