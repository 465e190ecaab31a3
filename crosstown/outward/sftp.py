"""A folder at a receiver's SFTP server, by OpenSSH's own program `sftp`.

So keys, known hosts, agents and jumps are those of ssh, which whoever runs the machine knows already;
CROSSTOWN_SFTP_CONFIG names an ssh_config of its own. No password is asked for or taken, and a host that
isn't known isn't trusted.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

from crosstown.errors import Stop, Unavailable
from crosstown.outward.shelf import PART

PATIENCE: Final = 600.0
"""Seconds that one transfer may take."""
_URL: Final = re.compile(
    r"sftp://(?:([A-Za-z0-9_][A-Za-z0-9_.-]*)@)?([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::([0-9]{1,5}))?(/[^\"\\\x00-\x1f\x7f*?\[\]]*)"
)
_NO_CONNECTION: Final = 255


@dataclass(frozen=True, slots=True)
class Sftp:
    """`sftp://user@host:port/folder`; `/~/folder` lies in the user's home there. It must be there."""

    to: str
    port: str
    folder: str
    config: Path | None = None

    @classmethod
    def at(cls, url: str, config: Path | None) -> Sftp:
        """The folder at an address; `Stop` where it isn't one."""
        parts = _URL.fullmatch(url)
        if parts is None:
            raise Stop(f"{url[:200]!r} is no address of a folder",
                       mend="say it as sftp://user@host/folder; keys are ssh's own")  # fmt: skip
        user, host, port, path = parts.groups()
        folder = path.removeprefix("/~/") if path.startswith("/~/") else path
        return cls(f"{user}@{host}" if user else host, port or "22", folder or ".", config)

    def names(self) -> list[str]:
        """All of them."""
        return self._do("ls -1a").splitlines()

    def read(self, name: str) -> bytes:
        """What a file holds."""
        with tempfile.TemporaryDirectory() as here:
            self._do(f'get "{name}" "{here}/got"')
            return (Path(here) / "got").read_bytes()

    def remove(self, name: str) -> None:
        """Remove a file, if it's there."""
        self._do(f'-rm "{name}"')

    @contextlib.contextmanager
    def appearing(self, agreement: str, name: str) -> Iterator[BinaryIO]:
        """A new file, written here, sent under a hidden name, then renamed."""
        part = f".{agreement}.{secrets.token_hex(8)}{PART}"
        with tempfile.TemporaryDirectory() as here, (Path(here) / "file").open("w+b") as file:
            yield cast("BinaryIO", file)
            file.flush()
            self._do(f'put "{here}/file" "{part}"', f'rename "{part}" "{name}"')

    def _do(self, *commands: str) -> str:
        """What sftp prints at these commands, carried out in the folder; it ends at the first that fails."""
        config = ["-F", str(self.config)] if self.config else []
        call = ["sftp", "-q", "-b", "-", "-oBatchMode=yes", "-oStrictHostKeyChecking=yes",
                "-oConnectTimeout=15", "-P", self.port, *config, "--", self.to]  # fmt: skip
        said = "\n".join((f'cd "{self.folder}"', *commands)) + "\n"
        try:
            done = subprocess.run(call, input=said.encode(), capture_output=True, check=False,
                                  timeout=PATIENCE)  # fmt: skip
        except FileNotFoundError:
            raise Stop("sftp isn't here", mend="install OpenSSH's client") from None
        except subprocess.TimeoutExpired:
            raise Unavailable(f"{self.to} hasn't finished in {PATIENCE:.0f} s") from None
        why = (done.stderr.decode("utf-8", "replace").strip() or "no reason given")[-300:]
        if done.returncode == _NO_CONNECTION:
            raise Unavailable(f"{self.to} doesn't let us in: {why}",
                              mend=f"try it by hand: sftp -P {self.port} {self.to}")  # fmt: skip
        if done.returncode:
            raise Stop(
                f"{self.to}:{self.folder}: {why}", mend="see whether the folder is there and yours"
            )
        out = done.stdout.decode("utf-8", "replace")
        return "\n".join(line for line in out.splitlines() if not line.startswith("sftp> "))
