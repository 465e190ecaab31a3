"""`crosstown certify`: an agency's own sample through everything, and a certificate that says so."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crosstown.cli import ending
from crosstown.cli.shell import HomeOption, Output, OutputOption, err, out, print_json, settings
from crosstown.errors import NotFound, Stop

if TYPE_CHECKING:
    from crosstown.contracts.naming import Naming
    from crosstown.onboarding.certificate import Certificate
    from crosstown.onboarding.certifying import Certifying
    from crosstown.source import Source


def command(
    agency: Annotated[str, typer.Argument(metavar="AGENCY", help="Whose contracts: its id.")],
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE]...", help="Its own files, as they come.")
    ] = None,
    source: Annotated[
        str, typer.Option(help="The files' source.", show_default="the one that names the agency")
    ] = "",
    contracts: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="The contract repository; else CROSSTOWN_SCHEMAS."),
    ] = None,
    to: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where the certificate is put.")
    ] = Path(),
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Try an agency's contract with its own sample, on a Kafka of its own, and write down what holds.

    Writes certificate-AGENCY.html and .json. Nothing that runs is touched, nothing is left behind.
    Ends with 3 where something doesn't hold; the certificate says what.

    Example: `crosstown certify smallville-housing night.csv --contracts contracts`
    """
    from crosstown.onboarding.certificate import as_html, as_json

    given = settings(home)
    folder = (contracts or given.schemas or Path("contracts")).absolute()
    inputs = tuple(file.absolute() for file in files or ())
    for file in inputs:
        if not file.is_file():
            raise Stop(f"{file} isn't there", mend="name the agency's own files")
    if not (folder / agency).is_dir():
        raise NotFound(f"{agency} has no contract in {folder}", candidates=_owners(folder),
                       mend="crosstown new contract FILE.csv, or --contracts FOLDER")  # fmt: skip
    began = time.monotonic()
    ending.in_order()
    with _apart(folder, given.sources or folder / "sources") as ours:
        from crosstown.onboarding.certifying import Certifying

        with err.status("certifying") as status:
            named, make = _source(source, agency, ours) if inputs else ("", None)
            run = Certifying(ours, agency, make, inputs, status.update)
            try:
                run.run()
            finally:
                run.end()
    made = _certificate(run, folder, time.monotonic() - began)
    names = [to / f"certificate-{agency}.{kind}" for kind in ("html", "json")]
    text = json.dumps(as_json(made), indent=1, ensure_ascii=False) + "\n"
    for path, said in zip(names, (as_html(made), text), strict=True):
        _put(path, said)
    if output is Output.JSON:
        print_json(as_json(made) | {"files": [str(path) for path in names]})
    else:
        _show(made, names)
        if made.holds and inputs:
            _next(folder, given.schemas, named, inputs[0])
    if not made.holds:
        raise typer.Exit(3)


def _next(folder: Path, schemas: Path | None, source: str, file: Path) -> None:
    out.print()
    out.print("Next, every night (docs/your-own-source.md):")
    said = (
        []
        if schemas == folder
        else [f"CROSSTOWN_SCHEMAS={folder} in the environment, for all that follows"]
    )
    for line in (*said, "crosstown up --detach", f"crosstown publish {source} {file.name}"):
        out.print(f"  {line}", markup=False, soft_wrap=True)


def _owners(folder: Path) -> tuple[str, ...]:
    from crosstown.contracts.repository import owners

    return tuple(one.name for one in owners(folder)) if folder.is_dir() else ()


@contextlib.contextmanager
def _apart(folder: Path, sources: Path) -> Iterator[Any]:
    """Settings of a home of its own; no setting of the caller's but the cache reaches it."""
    from crosstown.settings import Settings

    cache = Settings().cache
    before = {k: v for k, v in os.environ.items() if k.startswith("CROSSTOWN_")}
    place = Path(tempfile.mkdtemp(prefix="crosstown-certify-"))
    try:
        for name in before:
            del os.environ[name]
        os.environ |= {"CROSSTOWN_CACHE": str(cache), "CROSSTOWN_SCHEMAS": str(folder)}
        yield Settings(home=place, schemas=folder, cache=cache,
                       connectors=sources if sources.is_dir() else None)  # fmt: skip
    finally:
        for name in [k for k in os.environ if k.startswith("CROSSTOWN_")]:
            del os.environ[name]
        os.environ |= before
        shutil.rmtree(place, ignore_errors=True)


def _source(name: str, agency: str, ours: Any) -> tuple[str, Any]:
    """The files' source, by name, and what makes it: the one that was named, else the agency's."""
    from connectors import names, of_agency
    from connectors import source as find

    chosen = [name] if name else of_agency(agency, ours.connectors)
    if len(chosen) != 1:
        known = tuple(chosen or names(ours.connectors))
        raise NotFound(f"which source reads the files of {agency}?", candidates=known,
                       mend="say --source NAME")  # fmt: skip

    def make(naming: Naming) -> Source:
        return find(chosen[0], naming, ours.connectors)

    return chosen[0], make


def _certificate(run: Certifying, folder: Path, seconds: float) -> Certificate:
    from crosstown.onboarding.certificate import Certificate
    from crosstown.settings import SOURCES

    agency = run.agency
    ours = [folder / "agencies.yaml", folder / "concerns.yaml", *sorted((folder / agency).glob("*.*")),
            *sorted((folder / "examples" / agency).glob("*.json")),
            *sorted((folder / SOURCES).glob("*.py"))]  # fmt: skip
    digests = {one.relative_to(folder).as_posix(): _digest(one) for one in ours if one.is_file()}
    digests |= {file.name: _digest(file) for file in run.files}
    called = agency
    if run.contracts:
        found = run.contracts[0].agencies.get(agency)
        called = found.name if found else agency
    return Certificate(
        agency, called, dt.datetime.now(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        tuple(run.trials), {k: v for k, v in run.counts.items() if v >= 0},
        {k: v for k, v in run.rejected.items() if v > 0}, _versions(),
        [f"{c.id} v{c.version}" for c in run.contracts], digests, seconds,
    )  # fmt: skip


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _versions() -> dict[str, str]:
    from crosstown.embedded.jars import ROOTS

    try:
        ours = version("crosstown")
    except PackageNotFoundError:
        ours = "a checkout"
    return {"Crosstown": ours, "Apache Kafka": ROOTS[0].rpartition(":")[2],
            "Python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}  # fmt: skip


def _put(path: Path, text: str) -> None:
    """Write a file whole, or not at all."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, "utf-8", newline="\n")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise Stop(f"{path} can't be written: {error.strerror}", mend="another --to") from None


def _show(made: Certificate, names: list[Path]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    looks = {True: ("holds", "green"), False: ("doesn't hold", "red"), None: ("not tried", "dim")}
    for one in made.trials:
        word, style = looks[one.holds]
        table.add_row(Text(word, style), Text(one.what), Text(one.detail, "dim"))
    out.print(table)
    for path in names:
        out.print(f"written: {path}", markup=False, soft_wrap=True)
