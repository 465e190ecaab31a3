"""Whether the secrets of a home are there, whole, and for its owner only."""

from __future__ import annotations

import json
import re
import shlex
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from crosstown.doctor.finding import OPERATIONS, Finding, Severity, few
from crosstown.home import Home
from crosstown.settings import Settings

Form = Literal["hex", "json", "any"]
HEX: Final = re.compile(rb"[0-9a-f]{32,}\n?")
LOSS: Final = {
    "erasure.key": "a new one is made, under which nobody can tell what was erased: it would come back",
    "pseudonym.key": "a new one is made, and every receiver knows all things under new names",
    "audit.key": "a new one is made, and the access log written so far can't be verified with it",
    "operator.secret": "a new one is made at the next start",
}


@dataclass(frozen=True, slots=True)
class Secret:
    """One file; `due`: it has been here before, so its absence is a loss."""

    file: Path
    due: bool
    state: Literal["right", "missing", "closed", "damaged"]
    open_to_others: bool


def look(settings: Settings) -> list[Secret]:
    """The home's secrets, but for those that a setting holds."""
    home = Home(settings.home)

    def ran(name: str) -> bool:
        return (home.run / f"{name}.json").exists() or _said_something(home.logs / f"{name}.log")

    has_links = home.audit.is_dir() and any(home.audit.iterdir())
    asked: list[tuple[Path, Form, bool]] = [
        (home.broker / "operator.secret", "hex", (home.broker / "data").exists()),
        (home.broker / "server.properties", "any", False),
        (home.keys, "json", False),
        (home.webhooks, "json", False),
        (home.casebook, "any", False),
    ]
    if not settings.erasure_key:
        asked.append((home.path / "erasure.key", "hex", ran("cases")))
    if not settings.pseudonym_key:
        asked.append((home.path / "pseudonym.key", "hex", ran("feeds")))
    if not settings.audit_key:
        asked.append((home.path / "audit.key", "hex", has_links))
    return [_secret(*one) for one in asked]


def _said_something(log: Path) -> bool:
    return log.exists() and log.stat().st_size > 0


def _secret(file: Path, form: Form, due: bool) -> Secret:
    try:
        mode = file.stat().st_mode
        content = file.read_bytes() if form != "any" else b""
    except FileNotFoundError:
        return Secret(file, due, "missing", open_to_others=False)
    except OSError:
        return Secret(file, due, "closed", open_to_others=False)
    others = sys.platform != "win32" and bool(mode & (stat.S_IRWXG | stat.S_IRWXO))
    return Secret(file, due, "right" if _whole(form, content) else "damaged", others)


def _whole(form: Form, content: bytes) -> bool:
    if form == "hex":
        return HEX.fullmatch(content) is not None
    try:
        return form == "any" or isinstance(json.loads(content), dict)
    except ValueError:
        return False


def judge(secrets: Sequence[Secret]) -> Iterator[Finding]:
    """What is lost, damaged, another user's, or open to others."""
    open_ones = [str(one.file) for one in secrets if one.open_to_others]
    if open_ones:
        yield Finding(
            "secrets", Severity.WARNING, f"others may read {few(open_ones)}", OPERATIONS,
            "its mode was changed, or it was copied back without it; whoever has an account here may"
            " have read it: renew it if that matters",
            (f"chmod 600 {' '.join(map(shlex.quote, open_ones))}",),
        )  # fmt: skip
    for one in secrets:
        if one.state == "missing" and one.due:
            yield _lost(one)
        elif one.state == "damaged":
            yield _damaged(one)
        elif one.state == "closed":
            yield Finding(
                "secrets", Severity.CRITICAL, f"{one.file} is another user's", OPERATIONS,
                "it is for its owner only, and you are not its owner",
                (f"ls -l {shlex.quote(str(one.file))}", "work as the user who started Crosstown"),
            )  # fmt: skip


def _lost(one: Secret) -> Finding:
    return Finding(
        "secrets", Severity.CRITICAL, f"{one.file} is gone", OPERATIONS,
        f"it was deleted, or the home was restored without it; {LOSS[one.file.name]}",
        (f"put it back from the backup before the next start, mode 600: {one.file}",),
    )  # fmt: skip


def _damaged(one: Secret) -> Finding:
    kept = shlex.quote(str(one.file))
    return Finding(
        "secrets", Severity.CRITICAL, f"{one.file} isn't whole", OPERATIONS,
        "it is empty or was cut, as after a full disk, or was edited",
        (f"ls -l {kept}", f"put it back from the backup, mode 600: {one.file}"),
    )  # fmt: skip
