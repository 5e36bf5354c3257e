"""Settings from the environment. No other module of the project reads environment variables.

fal_client itself reads `FAL_RUN_HOST` and `FAL_QUEUE_RUN_HOST`, and TLS reads `SSL_CERT_FILE`; they keep their meaning.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.errors import StartupError

Number = TypeVar("Number", int, float)
Money = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _default_data_dir() -> Path:
    from platformdirs import user_data_path

    return user_data_path("flux2-flex-playground", appauthor=False)


class Settings(BaseSettings):
    """The operator's settings. Each field is named like its environment variable, in lower case."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    fal_key: SecretStr | None = Field(
        default=None,
        description="The owner's fal key. With it pictures come from fal, without it from the demo engine.",
    )
    fal_key_id: str | None = Field(default=None, description="The owner's key in two parts, with FAL_KEY_SECRET.")
    fal_key_secret: SecretStr | None = Field(default=None, description="Second part of the key.")
    gradio_server_name: str | None = Field(
        default=None, description="Address to listen on. Default: 127.0.0.1, and 0.0.0.0 on Spaces."
    )
    gradio_server_port: int = Field(default=7860, ge=0, le=65535, description="Port to listen on.")
    forwarded_allow_ips: str | None = Field(
        default=None,
        description="Proxies whose X-Forwarded headers are believed: addresses or networks, separated by commas. "
        "Default: 127.0.0.1, and all (*) on Spaces.",
    )
    playground_allowed_hosts: str | None = Field(
        default=None,
        description="Host names that the server answers to besides localhost and addresses, separated by commas; * is "
        "any. Default: none where it listens on the loopback only (other sites' pages cannot reach it by a name of "
        "theirs), any elsewhere.",
    )
    space_id: str | None = Field(
        default=None,
        description="Set by Hugging Face Spaces: visitor history, budgets and 0.0.0.0 become the defaults.",
    )
    playground_engine: Literal["auto", "fal", "demo"] = Field(
        default="auto", description="auto takes fal when there is a key and the demo engine otherwise."
    )
    playground_data_dir: Path = Field(
        default_factory=_default_data_dir,
        description="Where history and pictures are kept. Default: the platform's user data folder.",
    )
    playground_max_concurrent: int = Field(
        default=8, ge=1, le=100, description="Requests in flight for each key; the others wait their turn."
    )
    playground_price_per_megapixel: Money = Field(
        default=0.05, description="US dollars for each megapixel begun; used for estimates."
    )
    playground_history: Literal["auto", "shared", "visitor"] = Field(
        default="auto",
        description="shared: one history for all. visitor: one for each browser. auto: visitor on Spaces.",
    )
    playground_visitor_budget_usd: Money | None = Field(
        default=None,
        description="What one visitor may spend of the owner's key in a day. Unset: no limit ($1 on Spaces).",
    )
    playground_daily_budget_usd: Money | None = Field(
        default=None,
        description="What all may spend of the owner's key in a day. Unset: no limit ($10 on Spaces).",
    )
    playground_media_limit_gb: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        default=None,
        description="GB of original pictures to keep. Above it those of the oldest that are no favourites are removed; "
        "their entries and small copies stay, and the page says so. Unset: all are kept.",
    )
    playground_import_limit_gb: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = Field(
        default=None,
        description="GB of an export that may be dropped on the page to restore it, packed or unpacked; 0 allows none. "
        "Default: 4, and 0.25 on Spaces.",
    )
    playground_import_total_gb: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = Field(
        default=None,
        description="GB of original pictures up to which a history may grow by restoring exports. Unset: no limit "
        "(1 on Spaces).",
    )
    playground_pictures_per_minute: int | None = Field(
        default=None,
        ge=1,
        description="How many pictures one visitor may ask for in a minute. Unset: no limit (120 on Spaces).",
    )
    playground_queue_limit: int | None = Field(
        default=None,
        ge=1,
        description="How many pictures of all visitors may wait or be made at once. Unset: no limit (200 on Spaces).",
    )
    playground_lock_safety: bool = Field(
        default=False,
        description="Locks Safety tolerance and Safety checker at their defaults, on the page and for the API.",
    )
    playground_keep_nobodys_days: float | None = Field(
        default=None,
        ge=0,
        allow_inf_nan=False,
        description="With a history for each visitor: days after which pictures and grids of callers without a token "
        "are deleted. Unset: never (30 on Spaces).",
    )
    playground_backups: int = Field(
        default=7,
        ge=0,
        description="Days for which the daily backups of the history in the data folder's `backups` are kept; 0 keeps "
        "and makes none.",
    )
    playground_fal_api_host: str | None = Field(
        default=None,
        description="Where a submit that was never answered is looked for. Default: api.fal.ai, or nowhere where "
        "FAL_QUEUE_RUN_HOST names a host that is not fal's.",
    )
    fal_queue_run_host: str = Field(default="queue.fal.run", description="fal's queue, as fal's own client reads it.")
    playground_demo_step_seconds: float = Field(
        default=0.03, ge=0, le=10, description="Seconds the demo engine takes for each step."
    )

    @property
    def owner_key(self) -> str | None:
        """The owner's fal key, or None. Never log or show it."""
        if self.fal_key and self.fal_key.get_secret_value().strip():
            return self.fal_key.get_secret_value().strip()
        if self.fal_key_id and self.fal_key_secret:
            return f"{self.fal_key_id}:{self.fal_key_secret.get_secret_value()}"
        return None

    @property
    def on_spaces(self) -> bool:
        return bool(self.space_id)

    @property
    def engine(self) -> Literal["fal", "demo"]:
        """The engine for visitors who bring no key of their own."""
        if self.playground_engine == "auto":
            return "fal" if self.owner_key else "demo"
        return self.playground_engine

    @property
    def history_mode(self) -> Literal["shared", "visitor"]:
        if self.playground_history == "auto":
            return "visitor" if self.on_spaces else "shared"
        return self.playground_history

    @property
    def host(self) -> str:
        # On Spaces the app runs in a container that only the proxy can reach.
        return self.gradio_server_name or ("0.0.0.0" if self.on_spaces else "127.0.0.1")  # noqa: S104  # nosec B104

    @property
    def data_dir(self) -> Path:
        return self.playground_data_dir.expanduser()

    @property
    def fal_api_host(self) -> str | None:
        own = "api.fal.ai" if self.fal_queue_run_host == "queue.fal.run" else None
        return self.playground_fal_api_host or own

    @property
    def trusted_proxies(self) -> str:
        return self.forwarded_allow_ips or ("*" if self.on_spaces else "127.0.0.1")

    @property
    def only_on_loopback(self) -> bool:
        return self.host in ("127.0.0.1", "::1", "localhost")

    @property
    def allowed_hosts(self) -> frozenset[str] | None:
        """Host names in lower case; None allows any."""
        asked = self.playground_allowed_hosts
        if asked is None:
            return frozenset() if self.only_on_loopback and not self.on_spaces else None
        names = frozenset(name.strip().lower() for name in asked.split(","))
        return None if "*" in names else names

    @property
    def visitor_budget_usd(self) -> float | None:
        return self._or_on_spaces(self.playground_visitor_budget_usd, 1.0)

    @property
    def daily_budget_usd(self) -> float | None:
        return self._or_on_spaces(self.playground_daily_budget_usd, 10.0)

    @property
    def has_budget(self) -> bool:
        return self.visitor_budget_usd is not None or self.daily_budget_usd is not None

    @property
    def media_limit_bytes(self) -> int | None:
        limit = self.playground_media_limit_gb
        return None if limit is None else int(limit * 2**30)

    @property
    def import_limit_bytes(self) -> int:
        limit = self.playground_import_limit_gb
        return int((limit if limit is not None else 0.25 if self.on_spaces else 4.0) * 2**30)

    @property
    def import_total_bytes(self) -> int | None:
        limit = self._or_on_spaces(self.playground_import_total_gb, 1.0)
        return None if limit is None else int(limit * 2**30)

    @property
    def pictures_per_minute(self) -> int | None:
        return self._or_on_spaces(self.playground_pictures_per_minute, 120)

    @property
    def queue_limit(self) -> int | None:
        return self._or_on_spaces(self.playground_queue_limit, 200)

    @property
    def keep_anonymous_days(self) -> float | None:
        """Days until runs of callers without a token are deleted; None: never. Always None in a shared history."""
        kept = self._or_on_spaces(self.playground_keep_nobodys_days, 30.0)
        return kept if self.history_mode == "visitor" else None

    def _or_on_spaces(self, asked: Number | None, on_spaces: Number) -> Number | None:
        return on_spaces if asked is None and self.on_spaces else asked

    def warnings(self) -> tuple[str, ...]:
        """Messages for the operator at the start."""
        found = []
        if not self.only_on_loopback and self.owner_key and not self.has_budget:
            found.append(
                f"Listening on {self.host} with your fal key and no budget: whoever reaches this address can spend "
                "your money. Set PLAYGROUND_VISITOR_BUDGET_USD or PLAYGROUND_DAILY_BUDGET_USD."
            )
        if self.playground_engine == "fal" and not self.owner_key:
            found.append("PLAYGROUND_ENGINE=fal without FAL_KEY: each visitor has to enter a key before generating.")
        return tuple(found)


def load_settings() -> Settings:
    """Read the environment. Raises StartupError that names each variable at fault."""
    try:
        return Settings()
    except ValidationError as error:
        lines = [f"{str(item['loc'][0]).upper()}: {item['msg']}" for item in error.errors(include_input=False)]
        raise StartupError("These environment variables cannot be used:\n  " + "\n  ".join(lines)) from None
