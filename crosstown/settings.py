"""What an installation can be told: environment variables `CROSSTOWN_*`, read once in main.

The command line's `--home` overrides `CROSSTOWN_HOME`. Empty `bootstrap` and `registry` mean the
embedded ones, which `crosstown up` starts under `home`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from crosstown.errors import Stop

SOURCES = "sources"
"""The folder in a contract repository that has the agencies' own sources."""


def _user_cache() -> Path:
    """The per-user cache folder of this operating system, shared by all homes."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local")) / "crosstown"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/crosstown"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crosstown"


class Settings(BaseSettings):
    """One installation's settings; frozen, passed down from main."""

    model_config = SettingsConfigDict(env_prefix="CROSSTOWN_", frozen=True, extra="ignore")

    home: Path = Field(default_factory=lambda: Path.home() / ".crosstown")
    """Where this installation keeps its data, logs and state."""
    cache: Path = Field(default_factory=_user_cache)
    """Where downloaded jars are kept."""
    schemas: Path | None = None
    """The contract repository; unset: the one that ships with Crosstown."""
    concern_maps: tuple[str, ...] = ()
    """Contracts whose concern map is used instead of the concern that they state, as a JSON array."""
    connectors: Path | None = None
    """A folder of your own sources, one Python file each; unset: `sources` in the contract repository,
    where it has one, and those that ship or are installed."""
    bootstrap: str = ""
    """Kafka bootstrap servers of a cluster of your own; empty: the embedded broker."""
    registry: str = ""
    """URL of a Confluent-compatible schema registry; empty: the embedded one."""
    registry_password: SecretStr | None = None
    """The operator's password at Crosstown's own registry; unset: the home's own, made once."""
    registry_listen: str = ""
    """Where that registry listens as a program of its own, host:port; empty: 127.0.0.1, on a port that
    it keeps. What `crosstown up` starts stays on this machine."""
    registry_cert: Path | None = None
    """The registry's certificate chain (PEM); with it and its key it speaks HTTPS."""
    registry_key: Path | None = None
    """The certificate's private key (PEM)."""
    ca: Path | None = None
    """Certificates (PEM) by which the registry's own is checked; unset: the system's."""
    kafka: dict[str, str] = Field(default_factory=dict)
    """More librdkafka settings for every client, as a JSON object (security.protocol, ...)."""
    partitions: int = Field(default=1, ge=1)
    """How many shards `accepted` and `timelines` have, from their making on."""
    pickup_within_days: float = Field(default=3.0, gt=0)
    """A hand-off is reminded of when its receiver has said nothing in the case for so long."""
    watch_seconds: float = Field(default=10.0, gt=0)
    """How often the watcher looks for what has become due."""
    casebook: SecretStr | None = None
    """A PostgreSQL database for the casebook (postgresql://user:password@host/database); unset: a
    SQLite file under home."""
    erasure_key: SecretStr | None = None
    """The secret under which erased records are named; unset: the home's own, made once."""
    audit_key: SecretStr | None = None
    """The secret that signs the access log, 64 hex digits; unset: the home's own, made once."""
    pseudonym_key: SecretStr | None = None
    """The secret from which names under agreements are made; unset: the home's own, made once."""
    erasure_hours: float = Field(default=24.0, gt=0)
    """How long erased bytes may still lie in old segments of Crosstown's own topics."""
    memory_events: int = Field(default=1_000_000, ge=0)
    """How many events a shard of `cases` holds in memory; what is longest untouched lies in a file."""
    keep_seconds: float = Field(default=30.0, gt=0)
    """How often a shard of `cases` writes what changed to that file, at most."""
    slot: int = Field(default=0, ge=0)
    """Which of several workers of one program this is; each has its own."""
    gateway: str = ""
    """Where the gateway listens, host:port; empty: 127.0.0.1, on a port that it keeps."""
    gateway_cert: Path | None = None
    """The gateway's certificate chain (PEM); with it and its key the gateway speaks HTTPS."""
    gateway_key: Path | None = None
    """The certificate's private key (PEM)."""
    gateway_plain: bool = False
    """Whether it may listen to other machines without TLS: what stands before it has HTTPS."""
    gateway_rate: float = Field(default=1_000.0, gt=0)
    """Events a second that one agency may push, on average."""
    webhook_allow: tuple[str, ...] = ()
    """Networks, as a JSON array, in which webhooks may be called though they aren't public."""
    webhook_days: float = Field(default=7.0, gt=0)
    """After so many days in which a receiver took nothing its webhook is given up."""
    webhook_heartbeat: float = Field(default=900.0, gt=0)
    """Seconds of silence after which a receiver is told that there is nothing new."""
    sftp_config: Path | None = None
    """An ssh_config(5) by which batches go out over SFTP; unset: that of the user who calls."""
    reciprocity_minutes: float = Field(default=60.0, gt=0)
    """How often the figures of what each agency gives and gets are found anew, at most."""
    metrics: str = ""
    """Where a program serves its metrics and probes, host:port; empty: a free port of 127.0.0.1."""
    log: Literal["text", "json"] = "text"
    """How the programs' log lines look: for people, or one JSON object a line."""
    traces: str = ""
    """Where an OpenTelemetry collector takes traces (OTLP over HTTP), e.g. http://127.0.0.1:4318; empty:
    nothing is traced."""
    timezone: str = ""
    """Overrides the city's time zone in what people read; empty: the jurisdiction's own."""

    @property
    def sources(self) -> Path | None:
        """Where one's own sources are."""
        beside = self.schemas / SOURCES if self.schemas else None
        return self.connectors or (beside if beside and beside.is_dir() else None)

    @property
    def embedded(self) -> bool:
        """Whether Crosstown starts the broker itself."""
        return not self.bootstrap


def settings_of(home: Path | None) -> Settings:
    """The settings of one call; `home` overrides `CROSSTOWN_HOME`. `Stop` where one can't be read."""
    try:
        found = Settings(home=home) if home else Settings()
    except (ValidationError, SettingsError) as error:
        raise Stop(
            f"a setting can't be read: {error}", mend="look at CROSSTOWN_* variables"
        ) from None
    return found.model_copy(update={"home": found.home.expanduser().absolute()})
