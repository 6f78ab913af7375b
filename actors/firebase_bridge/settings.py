"""Firebase's section of the configuration: our service account, and where Google is."""

from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from actors.firebase_bridge.service_account import KeyFileError, ServiceAccount
from chassis.settings import Section


class FirebaseSettings(Section):
    """Environment variables `FIREBASE_*`.

    Without a service account Firebase is not configured: nobody can be given claims then.
    """

    model_config = SettingsConfigDict(env_prefix="FIREBASE_")

    service_account_file: Path | None = None
    """The service account's key file, as Google's console gives it out."""
    identity_url: str = "https://identitytoolkit.googleapis.com"
    token_url: str = ""
    """Where the service account gets its access tokens; `token_uri` of the key file if empty."""
    timeout_seconds: float = Field(default=10.0, gt=0)
    """For one request and its whole answer."""

    @field_validator("service_account_file")
    @classmethod
    def _is_readable(cls, path: Path | None) -> Path | None:
        if path is not None:
            read_service_account(path)
        return path


def read_service_account(path: Path) -> ServiceAccount:
    """The account of a key file. Raises KeyFileError for any file that is none."""
    try:
        return ServiceAccount(path.read_text())
    except (OSError, UnicodeDecodeError):
        raise KeyFileError("not the key file of a service account") from None
