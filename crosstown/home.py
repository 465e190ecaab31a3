"""Where one installation keeps its things, and where its broker and registry answer.

`run/up.json` is written by the supervisor (`crosstown up`), and by nothing else.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from crosstown.errors import Stop, Unavailable
from crosstown.private import made_once
from crosstown.settings import Settings


@dataclass(frozen=True, slots=True)
class Home:
    """The folders and files under `--home`; `make` creates the folders."""

    path: Path

    @property
    def logs(self) -> Path:
        """One log file a process: `<name>.log`."""
        return self.path / "logs"

    @property
    def run(self) -> Path:
        """What runs now: `up.json`, and `<name>.json` of each program that is ready."""
        return self.path / "run"

    @property
    def state(self) -> Path:
        """Local stores of the programs; may be deleted at any time."""
        return self.path / "state"

    @property
    def broker(self) -> Path:
        """The embedded broker's data."""
        return self.path / "kafka"

    @property
    def registry_port(self) -> Path:
        """The port on which this home's own registry listens, the same over restarts."""
        return self.run / "registry-port"

    @property
    def refusals(self) -> Path:
        """Whom the embedded broker has refused what, a line each."""
        return self.logs / "refusals.log"

    @property
    def casebook(self) -> Path:
        """The read model, a SQLite file."""
        return self.path / "casebook.sqlite"

    @property
    def ledger(self) -> Path:
        """What this home has published and had acknowledged, a SQLite file."""
        return self.path / "published.sqlite"

    @property
    def client(self) -> Path:
        """What any Kafka client needs to connect, a librdkafka setting a line; there while it runs."""
        return self.path / "client.properties"

    @property
    def keys(self) -> Path:
        """Who may publish over HTTP: agencies' keys as hashes, readable by its owner only."""
        return self.path / "keys.json"

    @property
    def webhooks(self) -> Path:
        """The secrets by which webhooks are signed, readable by its owner only."""
        return self.path / "webhooks.json"

    @property
    def kept_words(self) -> Path:
        """What people said after the backup that this home was made from; said at the next start."""
        return self.path / "kept-words.json"

    def erasure_key(self, settings: Settings) -> bytes:
        """The secret under which erased records are named: the setting's, else this home's own.

        Made once, readable by its owner only. Whoever loses it can't tell any more what was erased.
        """
        if settings.erasure_key:
            return settings.erasure_key.get_secret_value().encode()
        return made_once(self.path / "erasure.key", lambda: secrets.token_hex(32))

    def audit_key(self, settings: Settings) -> bytes:
        """The secret that signs the access log, 64 hex digits: the setting's, else this home's own."""
        if settings.audit_key:
            return settings.audit_key.get_secret_value().encode()
        return made_once(self.path / "audit.key", lambda: secrets.token_hex(32))

    @property
    def audit(self) -> Path:
        """The last signed link of each chain of the access log that was written here."""
        return self.path / "audit"

    def pseudonym_key(self, settings: Settings) -> bytes:
        """The secret from which the names under agreements are made: the setting's, else this home's own.

        Made once, readable by its owner only. With another one every receiver would know all things
        under new names.
        """
        if settings.pseudonym_key:
            return settings.pseudonym_key.get_secret_value().encode()
        return made_once(self.path / "pseudonym.key", lambda: secrets.token_hex(32))

    def make(self) -> Home:
        """Create the folders that aren't there yet; `Stop` where one can't write there."""
        for folder in (self.logs, self.run, self.state):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise self._unusable(error.strerror or str(error)) from None
            if not os.access(folder, os.W_OK):
                raise self._unusable(f"{folder} is read-only")
        return self

    def _unusable(self, why: str) -> Stop:
        return Stop(
            f"{self.path} can't be a home: {why}",
            mend="name a folder that you can write to: --home or CROSSTOWN_HOME",
        )

    def up(self) -> dict[str, Any] | None:
        """What the supervisor last wrote to `run/up.json`; None where there is none."""
        try:
            return cast("dict[str, Any]", json.loads((self.run / "up.json").read_text("utf-8")))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
        except PermissionError as error:
            raise self._unusable(error.strerror or str(error)) from None


def shown(url: str) -> str:
    """An address as it may be shown and logged: without the name and password in it."""
    return re.sub(r"//[^/]*@", "//", url)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where Kafka and the schema registry answer."""

    bootstrap: str
    registry: str


def endpoints(settings: Settings) -> Endpoints:
    """The cluster's endpoints: from the settings, else what `crosstown up` started here.

    Raises `Unavailable` where nothing runs; while a broker restarts its endpoint stays the same.
    """
    if settings.bootstrap and settings.registry:
        return Endpoints(settings.bootstrap, settings.registry)
    up = Home(settings.home).up()
    if up is None or not up.get("bootstrap"):
        raise Unavailable(
            f"nothing runs under {settings.home}", mend="start it: crosstown up --detach"
        )
    return Endpoints(settings.bootstrap or up["bootstrap"], settings.registry or up["registry"])
