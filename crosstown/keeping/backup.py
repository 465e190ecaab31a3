"""A home in one file, and a home made from such a file.

A backup is taken while nothing runs: then Kafka's own files hold every message, offset and number
exactly as they were left, so what is restored goes on where it stood. The file is a gzipped tar; its
last member says the size and SHA-256 of every other one. It holds the home's secrets, not encrypted.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

from crosstown.errors import Refused, Stop
from crosstown.processes import living
from crosstown.processes.lock import Lock

MANIFEST: Final = "crosstown-backup.json"
FORM: Final = 1
MADE_AGAIN: Final = frozenset({"run", "logs", "state", "client.properties"})
"""What a home makes again by itself, or what only says what once ran."""
_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Backup:
    """What a file holds: how many files, of how many bytes, and when it was taken (ISO, UTC)."""

    taken_at: str
    files: int
    size: int


@contextlib.contextmanager
def _resting(home: Path) -> Iterator[None]:
    """Keep a home from being started; `Stop` where it runs."""
    lock = Lock(home / "run" / "up.lock")
    if not lock.acquire():
        raise Stop(f"{home} runs, and what runs can't be copied whole", mend="crosstown down")
    try:
        if living.marked(home):
            raise Stop(f"a killed run left processes of {home} behind, and they still write",
                       mend="crosstown down")  # fmt: skip
        yield
    finally:
        lock.release()


def back_up(home: Path, to: Path) -> Backup:
    """Write `home` into the new file `to`, and read it again; `Stop` where that can't be done."""
    if not home.is_dir() or not any(one.name not in MADE_AGAIN for one in home.iterdir()):
        raise Stop(f"nothing is in {home} that could be kept", mend="name a home: --home")
    if to.exists():
        raise Stop(f"{to} is there already", mend="name a new file")
    if to.resolve().is_relative_to(home.resolve()):
        raise Stop(f"{to} lies in the home itself", mend="name a file on another disk")
    part = to.with_name(f"{to.name}.part")
    try:
        with _resting(home):
            _write(home, part)
        found = verify(part)
        part.rename(to)
    except OSError as error:
        raise Stop(f"{to} can't be written: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)
    return found


def verify(file: Path) -> Backup:
    """What a backup holds, once every byte of it was read and compared; `Refused` where one differs."""
    return _read(file, None)


def restore(file: Path, home: Path, add: Callable[[Path], None] = lambda _: None) -> Backup:
    """Make the new folder `home` from a backup: whole, or not at all; `add` may put more into it."""
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise Stop(f"{home} isn't empty", mend="name a new home: --home")
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{home.name}.", dir=home.parent))
    except OSError as error:
        raise Stop(f"{home} can't be made: {error.strerror or error}") from None
    try:
        found = _read(file, part)
        add(part)
        part.rename(home)  # over an empty folder too
    except OSError as error:
        raise Stop(f"{home} can't be made: {error.strerror or error}") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return found


def _write(home: Path, part: Path) -> None:
    said: dict[str, dict[str, Any]] = {}
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as raw:
        with tarfile.open(fileobj=raw, mode="w:gz", compresslevel=1) as tar:
            for path in _kept(home):
                name = path.relative_to(home).as_posix()
                tar.add(path, name, recursive=False)
                if path.is_file():
                    with path.open("rb") as body:
                        said[name] = _measured(body, None)
            text = json.dumps(
                {"form": FORM, "taken_at": datetime.now(UTC).isoformat(), "files": said}
            ).encode()
            last = tarfile.TarInfo(MANIFEST)
            last.size = len(text)
            tar.addfile(last, io.BytesIO(text))
        raw.flush()
        os.fsync(raw.fileno())


def _kept(home: Path) -> Iterator[Path]:
    for top in sorted(home.iterdir()):
        if top.name in MADE_AGAIN:
            continue
        for path in (top, *(sorted(top.rglob("*")) if top.is_dir() else ())):
            if not path.is_symlink() and (path.is_file() or path.is_dir()):
                yield path


def _measured(body: IO[bytes], out: IO[bytes] | None) -> dict[str, Any]:
    """Size and SHA-256 of what is read; `out` gets a copy, which is on the disk afterwards."""
    size, digest = 0, hashlib.sha256()
    while piece := body.read(_PIECE):
        size += len(piece)
        digest.update(piece)
        if out:
            out.write(piece)
    if out:
        out.flush()
        os.fsync(out.fileno())
    return {"size": size, "sha256": digest.hexdigest()}


def _read(file: Path, into: Path | None) -> Backup:
    found: dict[str, dict[str, Any]] = {}
    manifest: Any = None
    try:
        opened = file.open("rb")
    except OSError as error:
        raise Stop(f"{file} can't be read: {error.strerror or error}") from None
    with opened as raw:
        try:
            with tarfile.open(fileobj=raw, mode="r|gz") as tar:
                for one in tar:
                    body = tar.extractfile(one) if one.isreg() else None
                    if one.name == MANIFEST and body:
                        manifest = json.loads(body.read())
                    elif body:
                        found[one.name] = _one(one, body, into)
                    elif not one.isdir():
                        raise Refused("backup_damaged", f"{one.name!r} is no file")
                    elif into:
                        _inside(into, one.name).mkdir(mode=0o700, parents=True, exist_ok=True)
            while raw.read(_PIECE):  # to the end: what follows must be readable too
                pass
        except (tarfile.TarError, EOFError, ValueError, OSError) as error:
            if isinstance(error, OSError) and error.errno:  # a disk's fault, not the file's
                raise
            raise _damaged(file, str(error)) from None
    return _compared(file, found, manifest)


def _one(one: tarfile.TarInfo, body: IO[bytes], into: Path | None) -> dict[str, Any]:
    if not into:
        return _measured(body, None)
    target = _inside(into, one.name)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, one.mode & 0o700)
    with os.fdopen(handle, "wb") as out:
        return _measured(body, out)


def _inside(into: Path, name: str) -> Path:
    """Where a member goes; a name that leads out of the folder is refused."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise Refused("backup_damaged", f"{name!r} leads out of the home")
    return into / path


def _compared(file: Path, found: dict[str, dict[str, Any]], manifest: Any) -> Backup:
    if not isinstance(manifest, dict) or manifest.get("form") != FORM:
        raise _damaged(file, "it doesn't say what is in it")
    said = manifest.get("files")
    if not isinstance(said, dict) or said != found:
        wrong = sorted(k for k in {*found, *(said or ())} if (said or {}).get(k) != found.get(k))
        raise _damaged(file, f"{wrong[0] if wrong else 'its list'} isn't what was written")
    return Backup(str(manifest.get("taken_at")), len(found), sum(f["size"] for f in found.values()))


def _damaged(file: Path, why: str) -> Refused:
    return Refused(
        "backup_damaged", f"{file}: {why}", mend="take another backup; nothing was made of this one"
    )
