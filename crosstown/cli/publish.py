"""`crosstown publish`: an agency's exports, or lines of JSON, become events on Kafka."""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from crosstown.cli.shell import HomeOption, Output, OutputOption, err, settings
from crosstown.errors import Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from crosstown.completeness.tally import Expected
    from crosstown.contracts.naming import Naming
    from crosstown.contracts.repository import Repository
    from crosstown.publishing.publish import FileReport, Progress
    from crosstown.settings import Settings
    from crosstown.source import Source

SourceArgument = Annotated[str, typer.Argument(help="What kind of files: boston-311, events, ...")]
FilesArgument = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help="The files; - is standard input (events).")
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Show the first rows as events; send nothing.")
]
KnownAtOption = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="When the source said so (ISO 8601 with a zone), where no "
                                      "column says it; else the time of this call."),
]  # fmt: skip
RejectsOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="One file for all rejects, instead of FILE.rejects.csv "
                                      "beside each."),
]  # fmt: skip
ExpectOption = Annotated[
    int | None,
    typer.Option(min=0, metavar="N", help="How many rows the source itself counted in the file."),
]  # fmt: skip
ManifestOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="What the source says is in the file; one beside it, "
                                      "FILE.manifest.json, is found by itself."),
]  # fmt: skip


def command(
    source: SourceArgument,
    files: FilesArgument,
    *,
    dry_run: DryRunOption = False,
    known_at: KnownAtOption = None,
    rejects: RejectsOption = None,
    expect: ExpectOption = None,
    manifest: ManifestOption = None,
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Publish files: what this home hasn't said yet goes to Kafka, broken rows become rejects.

    Example: `crosstown publish boston-311 exports/*.csv`, or
    `echo '{"agency": ...}' | crosstown publish events -`.

    What the source itself has counted (`--expect 120`, or a manifest `{"rows": 120}` beside the file)
    is held against what is found, and kept for `crosstown completeness`.

    Exit code 3: some rows were rejected, a file refused or not what the source had counted; the
    others went on.
    """
    from connectors import source as find
    from crosstown.contracts.repository import Repository

    given = settings(home)
    repository = Repository.of(given)
    told = _moment(known_at)
    files = expanded(files, windows=sys.platform == "win32")
    inputs = [file for file in files if not file.name.endswith(tuple(_NOT_EXPORTS))]
    for file in set(files) - set(inputs):
        what = next(what for end, what in _NOT_EXPORTS.items() if file.name.endswith(end))
        err.print(f"left out: {file}, {what}", markup=False)
    expected = _expected(inputs, expect, manifest)

    def make(naming: Naming) -> Source:
        return find(source, naming, given.sources)

    if dry_run:
        _preview(given, repository, make, inputs, told, output, expected)
    else:
        _publish(given, repository, make, inputs, told, rejects, output, expected)


def expanded(files: Sequence[Path], *, windows: bool) -> list[Path]:
    """The files; Windows' shells leave a pattern as it is, so there those it fits, sorted, if any."""
    if not windows:
        return list(files)
    return [one for file in files for one in ([] if file.exists() else _fitting(file)) or [file]]


def _fitting(pattern: Path) -> list[Path]:
    return sorted(map(Path, glob(str(pattern))))  # noqa: PTH207 - from any root, in any part


_NOT_EXPORTS: Final = {
    ".rejects.csv": "rejects of an earlier call", ".manifest.json": "a manifest",
}  # fmt: skip


def _expected(
    files: Sequence[Path], expect: int | None, manifest: Path | None
) -> dict[Path, Expected]:
    """What the source has counted in each file, as far as it says so."""
    from crosstown.completeness.manifest import Manifest, beside, read
    from crosstown.completeness.tally import Expected

    if expect is not None or manifest is not None:
        if len(files) != 1 or (expect is not None and manifest is not None):
            raise Stop("--expect and --manifest are about one file, and exclude each other",
                       mend="one call a file; or a manifest beside each: FILE.manifest.json")  # fmt: skip
        if manifest is not None:
            return {files[0]: Expected(read(manifest), "manifest")}
        return {files[0]: Expected(Manifest(rows=expect or 0), "expected")}
    found = {file: beside(file) for file in files}
    return {file: Expected(read(one), "manifest") for file, one in found.items() if one}


def _moment(text: str | None) -> int | None:
    from crosstown.moments import instant

    try:
        return None if text is None else instant(text)
    except ValueError as error:
        raise Stop(f"--known-at {error}", mend="a time with its zone") from None


def _publish(
    given: Settings, repository: Repository, make: Callable[[Naming], Source],
    files: Sequence[Path], known_at: int | None, rejects: Path | None, output: Output,
    expected: dict[Path, Expected],
) -> None:  # fmt: skip
    from crosstown.cli.backbone import backbone
    from crosstown.cli.published import show
    from crosstown.publishing.publish import NotAcknowledged, check_call, publish

    check_call(files, known_at)
    where = backbone(given)
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # events hold no cycles: a quarter of the time was looking
    try:
        with _progress(where.bootstrap) as progress:
            reports = publish(given, where, repository, make, files, known_at=known_at,
                              rejects=rejects, progress=progress, expected=expected)  # fmt: skip
    except NotAcknowledged as error:
        if any(one.rows for one in error.reports):
            show(error.reports, output)
        raise
    except KeyboardInterrupt:
        err.print("publish again to go on: what has arrived isn't sent twice")
        raise
    show(reports, output)
    _exit(reports)


def _preview(
    given: Settings, repository: Repository, make: Callable[[Naming], Source],
    files: Sequence[Path], known_at: int | None, output: Output, expected: dict[Path, Expected],
) -> None:  # fmt: skip
    from crosstown.cli.previewed import show
    from crosstown.publishing.preview import preview

    seen = preview(given, repository, make, files, known_at=known_at, expected=expected)
    show(seen, repository.agencies, output)
    _exit([one.report for one in seen])


def _exit(reports: Sequence[FileReport]) -> None:
    differs = any(one.tally is not None and one.tally.differs for one in reports)
    if differs or any(one.rejected or one.refused or one.not_counted for one in reports):
        raise typer.Exit(3)


@contextmanager
def _progress(broker: str) -> Iterator[Progress]:
    """A line that moves where somebody looks; elsewhere only that the broker is being waited for."""
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Bar(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("publishing", total=None)
        quiet: dict[str, Any] = {"waits": 0}

        def show(report: FileReport | None) -> None:
            if report is not None:
                quiet["waits"] = 0
                bar.update(task, description=f"{report.file.name}: {report.rows:,} rows")
                return
            quiet["waits"] += 1
            if quiet["waits"] >= 5:  # a second without an acknowledgement
                bar.update(task, description=f"waiting for the broker at {broker}")
            if quiet["waits"] == 5 and not err.is_terminal:
                err.print(f"waiting for the broker at {broker}", markup=False)

        yield show
