"""What is wrong with an agency's export: said with file, row and column; what is good goes on."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from installation import Installation, line

HEAD = ("SR_NO", "SEQ", "STATUS", "STATUS_DESC", "STATUS_DT", "TOPIC", "TOPIC_DESC", "ADDR",
        "VOIDED", "UPDATED_AT", "CALLER_NOTES")  # fmt: skip


def row(number: str, **more: str) -> list[str]:
    """A row of Riverton's 311, as its columns stand in HEAD."""
    usual = {
        "SR_NO": number, "SEQ": "1", "STATUS": "NEW", "STATUS_DESC": "reported",
        "STATUS_DT": "2025-03-03 08:00:00", "TOPIC": "HEAT", "TOPIC_DESC": "No heat",
        "ADDR": f"{number.rpartition('-')[2]} Nowhere Street", "VOIDED": "",
        "UPDATED_AT": "2025-03-03 09:00:00", "CALLER_NOTES": "",
    }  # fmt: skip
    return list((usual | more).values())


def export(rows: list[list[str]], head: tuple[str, ...] = HEAD, newline: str = "\n") -> str:
    """A CSV file's text."""
    text = io.StringIO()
    csv.writer(text, lineterminator=newline).writerows([list(head), *rows])
    return text.getvalue()


def rejects(file: Path) -> list[dict[str, str]]:
    """The rejects that were written beside a file."""
    csv.field_size_limit(10_000_000)
    with file.with_name(f"{file.name}.rejects.csv").open(newline="", encoding="utf-8-sig") as rows:
        return list(csv.DictReader(rows))


def test_broken_row_takes_the_good_ones_with_it(installation: Installation, tmp_path: Path) -> None:
    file = tmp_path / "march.csv"
    huge, early = "x" * 5_000_000, "1066-10-14 09:00:00"
    file.write_text(export([
        row("SR-9100001"),
        row("SR-9100002", STATUS_DT="2025-13-45 99:00:00"),
        row("SR-9100003", STATUS="FROZEN"),
        row("SR-9100004", CALLER_NOTES=huge),
        row("SR-9100005", CALLER_NOTES="a\0b"),
        row("SR-9100006")[:5],
        row("", SEQ="1"),
        row("SR-9100008", STATUS_DT=early),
        row("SR-9100009", CALLER_NOTES="two\nlines"),
        row("SR-9100010", ADDR=f"{'9' * 300} Nowhere Street"),
        [*row("SR-9100011", XREF=""), "one", "two"],
        row("SR-9100012"),
    ]), encoding="utf-8")  # fmt: skip
    said = installation("publish", "riverton", str(file), "-o", "json")
    assert said.code == 3, said
    assert said.json()["files"] == [
        {"file": str(file), "published": 3, "already_known": 0, "rejected": 9}
    ]
    found = [(one["row"], one["column"], one["reason"].partition(":")[0]) for one in rejects(file)]
    assert found == [
        ("3", "STATUS_DT", "broken-date"), ("4", "status", "unknown-code"),
        ("5", "CALLER_NOTES", "cell-too-large"), ("6", "CALLER_NOTES", "nul-byte"),
        ("7", "", "wrong-columns"), ("8", "SR_NO", "missing-value"),
        ("9", "occurred_at", "time-out-of-range"), ("12", "place", "place-too-long"),
        ("13", "", "wrong-columns"),
    ]  # fmt: skip
    assert "SR-9100002" in rejects(file)[0]["raw"], "the row as it stood"
    assert f"{file} row 3, column STATUS_DT" in said.err
    assert "2025-13-45" in said.err
    assert "FROZEN" in said.err
    assert len(said.err) < 5_000, "nobody wants to read five million letters"
    installation.stats()
    for number in ("SR-9100001", "SR-9100009", "SR-9100012"):
        assert installation.case(number)["events"] == 1


def test_unreadable_file_stops_the_others(installation: Installation, tmp_path: Path) -> None:
    good = export([row("SR-9200001")])
    contents = {
        "good.csv": good.encode(),
        "other-columns.csv": export([["1", "2"]], ("ID", "WHEN")).encode(),
        "column-missing.csv": good.replace("STATUS_DT", "STATUS_DATE").encode(),
        "utf-16.csv": good.encode("utf-16"),
        "utf-16-without-mark.csv": good.encode("utf-16-le"),
        "empty.csv": b"",
        "blank.csv": b"\n\n  \n",
        "picture.csv": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)),
        "all-bad.csv": export([row("SR-1", STATUS_DT="x"), row("SR-2", STATUS_DT="y")]).encode(),
        "header-only.csv": export([]).encode(),
        "last.csv": export([row("SR-9200002")]).encode(),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    names = [str(tmp_path / name) for name in contents]
    said = installation("publish", "riverton", *names, "-o", "json")
    assert said.code == 3
    files = {Path(one["file"]).name: one for one in said.json()["files"]}
    assert list(files) == list(contents)
    reasons = {name: one["refused"].partition(":")[0]
               for name, one in files.items() if "refused" in one}  # fmt: skip
    assert reasons == {
        "other-columns.csv": "wrong-header", "column-missing.csv": "missing-columns",
        "utf-16.csv": "utf-16", "utf-16-without-mark.csv": "not-text", "empty.csv": "empty-file",
        "blank.csv": "empty-file", "picture.csv": "wrong-header",
    }  # fmt: skip
    assert (files["good.csv"]["published"], files["last.csv"]["published"]) == (1, 1)
    assert files["all-bad.csv"]["rejected"] == 2
    assert files["all-bad.csv"]["published"] == 0
    assert (files["header-only.csv"]["published"], files["header-only.csv"]["rejected"]) == (0, 0)
    for name in reasons:
        assert name in said.err
    assert "STATUS_DT" in said.err, "which column is missing"
    assert "UTF-8" in said.err, "how to mend it"
    shown = installation("publish", "riverton", *names)
    assert shown.code == 3
    assert shown.out.count("refused") == len(reasons)


def test_missing_file_is_noticed_when_half_is_sent(
    installation: Installation, tmp_path: Path
) -> None:
    file = tmp_path / "there.csv"
    file.write_text(export([row("SR-9300001")]))
    for wrong, why in ((tmp_path / "gone.csv", "isn't there"), (tmp_path, "is a folder")):
        said = installation("publish", "riverton", str(file), str(wrong))
        assert said.code == 2
        assert f"{wrong} {why}; nothing was sent" in said.err
    assert (
        installation("publish", "riverton", str(file), "-o", "json").ok().json()["published"] == 1
    )


def test_same_export_saved_by_another_program_is_news(
    installation: Installation, tmp_path: Path
) -> None:
    rows = [row("SR-9400001", CALLER_NOTES="\N{SNOWMAN}"), row("SR-9400002")]
    backwards = [cells[::-1] for cells in rows]
    contents = {
        "plain.csv": export(rows).encode(),
        "bom.csv": b"\xef\xbb\xbf" + export(rows).encode(),
        "crlf.csv": export(rows, newline="\r\n").encode(),
        "order.csv": export(backwards, HEAD[::-1]).encode(),
        "extra.csv": export([[*cells, "new"] for cells in rows], (*HEAD, "NEW_COLUMN")).encode(),
        "all.csv": b"\xef\xbb\xbf" + export(
            [["new", *cells] for cells in backwards], ("NEW", *HEAD[::-1]), newline="\r\n"
        ).encode(),
    }  # fmt: skip
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    names = [str(tmp_path / name) for name in contents]
    said = installation("publish", "riverton", *names, "-o", "json").ok().json()
    assert [(one["published"], one["already_known"]) for one in said["files"]] == [
        (2, 0), *[(0, 2)] * 5,
    ]  # fmt: skip


def test_broken_line_takes_the_good_ones_with_it(installation: Installation) -> None:
    deep = '{"a":' * 40_000
    said = installation("publish", "events", "-", "-o", "json", "--rejects", str(
        installation.home / "lines.csv"), stdin="".join([
            line("B-1"), "not json\n", line("B-2", occurred_at="yesterday"),
            line("B-3", occurred_at="2026-03-02T08:30:00"), line("B-4", step="ON_FIRE"),
            line("B-5", agency="atlantis"), line("B-6", jurisdiction="us-xx-atlantis"),
            line("B-7", record="4711"), line("B-8", record="riverton-water/order/1"),
            line("B-9", refs=["r"] * 17), line("B-10", type=""), line("B-11", via="pigeon"),
            "[]\n", "\n", deep + "\n", line("B-12", note="x" * 300_000), line("B-13", type=7),
            line("B-14", known_at="2199-01-01T00:00:00Z"), line("B-15"),
        ]))  # fmt: skip
    assert said.code == 3
    assert said.json()["published"] == 2
    with (installation.home / "lines.csv").open(newline="", encoding="utf-8-sig") as rows:
        found = [(one["row"], one["column"], one["reason"].partition(":")[0])
                 for one in csv.DictReader(rows)]  # fmt: skip
    assert found == [
        ("2", "", "not-json"), ("3", "occurred_at", "broken-date"),
        ("4", "occurred_at", "broken-date"), ("5", "step", "unknown-code"),
        ("6", "agency", "unknown-agency"), ("7", "jurisdiction", "unknown-jurisdiction"),
        ("8", "record", "bad-record"), ("9", "record", "record-of-another"),
        ("10", "refs", "too-many-refs"), ("11", "type", "missing-value"),
        ("12", "via", "unknown-code"), ("13", "", "not-json"), ("15", "", "not-json"),
        ("16", "", "line-too-long"), ("17", "type", "wrong-type"),
        ("18", "known_at", "known-in-the-future"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("publish", "riverton", "FILE", "--known-at", "yesterday"), "--known-at"),
        (("publish", "riverton", "FILE", "--known-at", "2199-01-01T00:00:00Z"), "future"),
        (("publish", "riverton", "FILE", "--rejects", "FILE"), "one of the files"),
        (("publish", "atlantis-311", "FILE"), "boston-311"),
    ],
    ids=["no time", "future", "rejects over the input", "no such source"],
)
def test_wrong_option_is_noticed_too_late(
    installation: Installation, tmp_path: Path, words: tuple[str, ...], why: str
) -> None:
    file = tmp_path / "one.csv"
    file.write_text(export([row("SR-9500001")]))
    said = installation(*(str(file) if word == "FILE" else word for word in words))
    assert said.code == 2
    assert why in said.err
    assert file.read_text() == export([row("SR-9500001")])
