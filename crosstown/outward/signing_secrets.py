"""The secrets by which webhooks are signed, one an agreement, in `HOME/webhooks.json` for its owner only.

Unlike keys they're kept as they are: who signs needs the secret itself. A rotated one signs beside the
new one for a while, so that a receiver can change it without missing a call.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosstown.errors import NotFound, Stop
from crosstown.outward.signing import PREFIX
from crosstown.private import write_private
from crosstown.processes.lock import waiting_for

Kept = dict[str, list[tuple[str, int | None]]]
"""By agreement: secrets, the newest first, each with its end (microseconds UTC) or None."""


@dataclass(frozen=True, slots=True)
class SigningSecrets:
    """The secrets of one home; every change is a new file."""

    path: Path

    def of(self, agreement: str, now: int) -> list[str]:
        """The secrets by which an agreement's webhooks are signed at `now`; none: it has none."""
        return [one for one, ends in self._read().get(agreement, ()) if ends is None or ends > now]

    def add(self, agreement: str) -> str:
        """A new secret; `Stop` where there is one."""
        with self._changing() as kept:
            if agreement in kept:
                raise Stop(f"{agreement} has a secret",
                           mend=f"a new one: crosstown webhook rotate {agreement}")  # fmt: skip
            kept[agreement] = [(_new(), None)]
            return kept[agreement][0][0]

    def rotate(self, agreement: str, now: int, grace: int) -> str:
        """A new secret; the old ones end after `grace` microseconds, never later than they would."""
        with self._changing() as kept:
            if agreement not in kept:
                raise NotFound(f"{agreement} has no secret",
                               mend=f"crosstown webhook add {agreement}")  # fmt: skip
            old = [(one, min(now + grace, ends or now + grace)) for one, ends in kept[agreement]]
            kept[agreement] = [(_new(), None), *(pair for pair in old if pair[1] > now)]
            return kept[agreement][0][0]

    def _read(self) -> Kept:
        try:
            said = json.loads(self.path.read_text("utf-8"))
            return {
                agreement: [(str(one["secret"]), one["ends"]) for one in several]
                for agreement, several in said["secrets"].items()
            }
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Stop(f"{self.path} can't be read: {type(error).__name__}",
                       mend="put back a copy of it, or delete it and make new secrets") from None  # fmt: skip

    @contextmanager
    def _changing(self) -> Iterator[Kept]:
        with waiting_for(self.path.with_suffix(".lock"), lambda: None):
            kept = self._read()
            yield kept
            part = self.path.with_suffix(f".{os.getpid()}.part")
            value: dict[str, Any] = {
                "secrets": {agreement: [{"secret": one, "ends": ends} for one, ends in several]
                            for agreement, several in kept.items()}
            }  # fmt: skip
            write_private(part, json.dumps(value, indent=1))
            part.replace(self.path)


def _new() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
