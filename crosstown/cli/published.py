"""How `crosstown publish` says what became of the files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from crosstown.cli.shell import Output, err, out, print_json

if TYPE_CHECKING:
    from crosstown.publishing.publish import FileReport


def show(reports: Sequence[FileReport], output: Output) -> None:
    """Print the counts, for people or programs; what is wrong goes to people in any case."""
    if output is Output.JSON:
        print_json(as_json(reports))
    else:
        out.print(_table(reports))
    problems(reports)
    for path in dict.fromkeys(one.rejects for one in reports if one.rejects):
        if not any(one.rejects_problem for one in reports if one.rejects == path):
            err.print(f"rejected rows are in {path}", markup=False)
    for one in reports:
        if one.rejects_problem:
            err.print(f"rejects can't be written: {one.rejects_problem}; name a place: --rejects",
                      markup=False)  # fmt: skip


def as_json(reports: Sequence[FileReport]) -> dict[str, Any]:
    """All of it as one object."""
    return {
        "files": [
            {"file": str(one.file), "published": one.published, "already_known": one.already_known,
             "rejected": one.rejected, **({"refused": one.refused} if one.refused else {}),
             **_counted(one)}
            for one in reports
        ],
        "published": sum(one.published for one in reports),
        "already_known": sum(one.already_known for one in reports),
        "rejected": sum(one.rejected for one in reports),
        "rejects": [str(path) for path in
                    dict.fromkeys(one.rejects for one in reports if one.rejects)],
    }  # fmt: skip


def _counted(one: FileReport) -> dict[str, Any]:
    """What the source had counted, and what was found; nothing where it said nothing."""
    if one.tally is None:
        return {}
    return {"counted": one.tally.expected.manifest.rows, "read": one.tally.rows,
            "missing": one.tally.missing, "unlisted": one.tally.unlisted}  # fmt: skip


def _differences(one: FileReport) -> None:
    """Say on standard error where a file isn't what its source had counted."""
    if one.not_counted:
        err.print(Text(f"the source's count of {one.file} isn't kept: {one.not_counted}"))
    if one.tally is None or not one.tally.differs:
        return
    counted, found = one.tally.expected.manifest.rows, one.tally.rows
    err.print(Text(f"{one.file}: the source counted {counted:,} rows, here are {found:,}"))
    for what, names in (("in no row", one.tally.missing), ("not listed", one.tally.unlisted)):
        if names:
            more = f" and {len(names) - 10:,} more" if len(names) > 10 else ""
            err.print(Text(f"  {what}: {', '.join(names[:10])}{more}"))


def problems(reports: Sequence[FileReport]) -> None:
    """Say on standard error why files were refused and rows rejected, a line a reason."""
    for one in reports:
        _differences(one)
        if one.refused:
            err.print(Text(f"refused: {one.file}: {one.refused}"))
            if one.mend:
                err.print(Text(f"  -> {one.mend}"))
    reasons: Counter[str] = sum((one.reasons for one in reports), Counter())
    for reason, count in reasons.most_common():
        report = next(one for one in reports if reason in one.examples)
        first = report.examples[reason]
        column = f", column {first.column}" if first.column else ""
        err.print(Text(f"{count:,} x {reason}, first: {report.file} row {first.row}{column}: "
                       f"{first.reason.partition(': ')[2]}"))  # fmt: skip


def _table(reports: Sequence[FileReport]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("file", overflow="fold")
    for column in ("published", "already known", "rejected"):
        table.add_column(column, justify="right")
    for one in reports:
        table.add_row(
            Text(str(one.file)), *_cells([one]), Text("refused", "red") if one.refused else ""
        )
    if len(reports) > 1:
        table.add_row("total", *_cells(reports), style="bold")
    return table


def _cells(reports: Sequence[FileReport]) -> tuple[str, str, str]:
    return (
        f"{sum(one.published for one in reports):,}",
        f"{sum(one.already_known for one in reports):,}",
        f"{sum(one.rejected for one in reports):,}",
    )
