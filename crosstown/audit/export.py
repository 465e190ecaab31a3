"""The access log as one file, to be checked by anybody without Kafka: docs/audit.md says its form."""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from crosstown.audit.link import Link, Said, line, moment
from crosstown.audit.signing import Signer
from crosstown.audit.topic import Found
from crosstown.audit.verdict import MAX_LINE, Head, Verdict, verify
from crosstown.errors import NotFound, Stop
from crosstown.home import Home


def export(
    found: Iterable[Found],
    file: Path,
    signer: Signer,
    shown: Callable[[Said], bool] = lambda _: True,
) -> None:
    """Write all links as a signed file; those that aren't `shown` as digests only.

    The file is there whole or not at all. It says what the topic holds, also where that is not whole.
    """
    try:
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=".access-") as folder:
            part = Path(folder) / "export"
            with part.open("wb") as out:
                _write(found, out, Path(folder), signer, shown)
            part.replace(file)
    except OSError as error:
        raise Stop(f"{file} can't be written: {error.strerror or error}",
                   mend="name a file in a folder that is there") from None  # fmt: skip


def _write(
    found: Iterable[Found], out: IO[bytes], folder: Path, signer: Signer, shown: Callable[[Said], bool]
) -> None:  # fmt: skip
    digest = hashlib.sha256()

    def put(text: bytes) -> None:
        digest.update(text)
        out.write(text)

    put(line({"access_log": 1, "key": signer.public}) + b"\n")
    heads: dict[str, Head] = {}
    for text in _by_chain(found, folder, heads, shown):
        put(text)
    end = {
        "chains": {name: {"hash": head.hash, "links": head.number} for name, head in heads.items()},
        "made": moment(time.time_ns() // 1000), "sha256": digest.hexdigest(),
    }  # fmt: skip
    out.write(line({"end": end, "signature": signer.sign(line(end))}) + b"\n")


def _by_chain(
    found: Iterable[Found], folder: Path, heads: dict[str, Head], shown: Callable[[Said], bool]
) -> Iterator[bytes]:
    """The links' lines, chain after chain, then what in the topic is no link."""
    strange: list[bytes] = []
    with contextlib.ExitStack() as files:
        parts: dict[str, IO[bytes]] = {}
        for one in found:
            if one.link is None:
                of = hashlib.sha256(one.value).hexdigest()
                strange.append(line({"offset": one.offset, "strange": of}) + b"\n")
                continue
            chain = one.link.said.chain
            if chain not in parts:
                part = folder / str(len(parts))
                parts[chain] = files.enter_context(part.open("w+b"))
            parts[chain].write(row(one.link, closed=not shown(one.link.said)))
            heads[chain] = Head(one.link.said.number, one.link.hash)
        for chain in sorted(parts):
            parts[chain].seek(0)
            yield from parts[chain]
    yield from strange


def row(link: Link, *, closed: bool = False) -> bytes:
    """One link's line; closed, it tells its place and its digest."""
    said = link.said
    hashes = {"hash": link.hash, "prior": link.prior}
    if closed and said.what != "checkpoint":
        about: dict[str, Any] = {"chain": said.chain, "closed": said.digest, "number": said.number}
    else:
        about = {"said": said.fields}
    return line(hashes | about) + b"\n"


def verified(file: Path, keys: Iterable[str] = (), known: Mapping[str, Head] | None = None) -> Verdict:  # fmt: skip
    """The verdict on an exported file; `Stop` where it can't be read."""
    try:
        with file.open("rb") as lines:
            return verify(iter(lambda: lines.readline(MAX_LINE + 1), b""), frozenset(keys), known)
    except FileNotFoundError:
        raise NotFound(f"there is no file {file}", mend="make one: crosstown audit export FILE") from None  # fmt: skip
    except OSError as error:
        raise Stop(f"{file} can't be read: {error.strerror or error}") from None


def remembered(home: Home) -> dict[str, Head]:
    """The last checkpoints that were written from this home, by chain; a broken file is none."""
    heads = {}
    for file in sorted(home.audit.glob("*.head")):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            said = json.loads(file.read_text("utf-8"))
            heads[str(said["chain"])] = Head(int(said["number"]), str(said["hash"]))
    return heads
