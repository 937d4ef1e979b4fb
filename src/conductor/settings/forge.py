"""GitHub: which one it is, and as whom Conductor asks it."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from conductor.settings.kinds import WebAddress


class ForgeSettings(BaseSettings):
    """How GitHub is reached."""

    github_url: WebAddress = Field(
        default="https://github.com",
        description="Which GitHub: its address for people, also of a GitHub Enterprise Server.",
    )
    github_app_id: str = Field(
        default="",
        description="Id of the GitHub App, from its page of settings; with `CONDUCTOR_GITHUB_PRIVATE_KEY`.",
    )
    github_private_key: SecretStr | None = Field(
        default=None, description="Private key of the App, in PEM; `\\n` may stand for its line ends."
    )
    github_private_key_file: Path | None = Field(
        default=None, description="File with the private key of the App, instead of the key itself."
    )
    github_token: SecretStr | None = Field(
        default=None,
        description="Fine-grained token instead of an App: verdicts are commit statuses then, for a token may make no checks.",
    )
    github_webhook_secret: SecretStr | None = Field(
        default=None,
        description="What GitHub signs its deliveries with. Two with a comma between them while one takes the other's place; none has a "
        "comma in it.",
    )
