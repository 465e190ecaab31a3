"""Lines of JSON as events: what anyone who can print a line can say."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from connectors import source
from crosstown.contracts.checked import Checked, Checker
from crosstown.contracts.naming import Naming
from crosstown.contracts.repository import Repository
from crosstown.errors import Refused
from crosstown.event.identity import event_id
from crosstown.source import Reject

NOW = 1_800_000_000_000_000
LEAST: dict[str, Any] = {
    "agency": "youthline", "record": "youthline/visit/1", "type": "visit.made",
    "occurred_at": "2026-01-05T10:00:00-05:00", "jurisdiction": "us-ma-boston",
}  # fmt: skip


@pytest.fixture(scope="module")
def repository() -> Repository:
    return Repository.load(None)


def said(repository: Repository, file: Path, data: bytes) -> list[Checked | Reject]:
    if str(file) != "-":
        file.write_bytes(data)
    out: list[Checked | Reject] = []
    rows = Checker(repository, NOW, NOW).rows(source("events", Naming(repository.agencies)), file)
    for row in rows:
        out += [row] if isinstance(row, Reject) else row
    return out


def one(repository: Repository, tmp_path: Path, **more: Any) -> Checked | Reject:
    line = {name: value for name, value in {**LEAST, **more}.items() if value != "absent"}
    (found,) = said(repository, tmp_path / "a.anything", json.dumps(line).encode())
    return found


def good(repository: Repository, tmp_path: Path, **more: Any) -> Checked:
    found = one(repository, tmp_path, **more)
    assert isinstance(found, Checked), found
    return found


@pytest.mark.parametrize("said_when", [None, NOW - 7])
def test_a_line_of_today_is_said_yesterday(
    repository: Repository, tmp_path: Path, said_when: int | None
) -> None:
    """Lines that come by and by are said when they come, unless the call said when."""
    hour = 3_600_000_000
    file = tmp_path / "by-and-by"
    own = {"known_at": "2027-01-15T11:00:00Z"}  # three hours after NOW
    rows = [
        LEAST,
        {**LEAST, "record": "youthline/visit/2"},
        {**LEAST, **own, "type": "visit.ended"},
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    clock = iter([NOW + hour, NOW + 2 * hour, NOW + 3 * hour])
    checker = Checker(repository, said_when or NOW, NOW, clock.__next__)
    found = [one for row in checker.rows(source("events", Naming(repository.agencies)), file)
             for one in ([row] if isinstance(row, Reject) else row)]  # fmt: skip
    known = [one.envelope.known_at for one in found if isinstance(one, Checked)]
    assert known[:2] == ([said_when] * 2 if said_when else [NOW + hour, NOW + 2 * hour])
    assert len(known) == 3, found[2]


def test_the_least_that_can_be_said_is_refused(repository: Repository, tmp_path: Path) -> None:
    event = good(repository, tmp_path)
    e = event.envelope
    assert event.topic == "events.youthline.events"
    assert (e.step, e.via, e.known_at) == ("OTHER", "event", NOW)
    assert e.occurred_at == 1_767_625_200_000_000
    assert e.event_id == event_id("youthline/visit/1", "visit.made")


def test_all_that_can_be_said_is_lost(repository: Repository, tmp_path: Path) -> None:
    e = good(
        repository, tmp_path, step="HANDED_OFF", via="hand", known_at="2026-01-06T00:00:00Z",
        due_at="2026-01-07T00:00:00+01:00", place="address:1-elm-st", area="Roxbury", concern="any",
        to_agency="animal-control", channel="phone", refs="animal-control/311/7", flags=["odd"],
        identity=[3, "b"],
    ).envelope  # fmt: skip
    assert (e.step, e.via, e.place, e.area) == ("HANDED_OFF", "hand", "address:1-elm-st", "Roxbury")
    assert (e.to_agency, e.channel, e.refs) == (
        "animal-control",
        "phone",
        ("animal-control/311/7",),
    )
    assert (e.known_at, e.due_at) == (1_767_657_600_000_000, 1_767_740_400_000_000)
    assert e.flags == ("odd",)
    assert e.event_id == event_id("youthline/visit/1", "visit.made", ("3", "b"))


def test_free_text_gets_into_the_headline(repository: Repository, tmp_path: Path) -> None:
    event = good(repository, tmp_path, headline="Ann lives here", note={"deep": [1, 2.5, None]})
    assert "Ann" not in str(event.envelope)
    assert event.envelope.headline == "visit.made"
    packed = b'{"headline":"Ann lives here","note":{"deep":[1,2.5,null]}}'
    assert packed in event.body


def test_another_order_of_fields_is_another_saying(repository: Repository, tmp_path: Path) -> None:
    lines = [{**LEAST, "a": 1, "b": {"c": 1, "d": 2}}, {"b": {"d": 2, "c": 1}, "a": 1, **LEAST}]
    data = "\n".join(map(json.dumps, lines)).encode()
    first, second = said(repository, tmp_path / "a", data)
    assert isinstance(first, Checked)
    assert isinstance(second, Checked)
    assert (first.body, first.envelope) == (second.body, second.envelope)


@pytest.mark.parametrize(
    ("more", "column", "reason"),
    [
        *(({name: "absent"}, name, "missing-value") for name in LEAST),
        *(({name: ""}, name, "missing-value") for name in LEAST),
        *(({name: None}, name, "missing-value") for name in LEAST),
        ({"occurred_at": "2026-01-05T10:00:00"}, "occurred_at", "broken-date"),
        ({"occurred_at": "tomorrow"}, "occurred_at", "broken-date"),
        ({"occurred_at": 1767625200}, "occurred_at", "wrong-type"),
        ({"occurred_at": "0001-01-01T00:00:00+05:00"}, "occurred_at", "time-out-of-range"),
        ({"due_at": "9999-12-31T23:59:59Z"}, "due_at", "time-out-of-range"),
        ({"known_at": "2199-01-01T00:00:00Z"}, "known_at", "known-in-the-future"),
        ({"agency": "nobody", "record": "nobody/a/1"}, "agency", "unknown-agency"),
        ({"jurisdiction": "mars"}, "jurisdiction", "unknown-jurisdiction"),
        ({"record": "visit/1"}, "record", "bad-record"),
        ({"refs": "4711"}, "refs", "bad-record"),
        ({"record": "animal-control/visit/1"}, "record", "record-of-another"),
        ({"step": "DONE"}, "step", "unknown-code"),
        ({"via": "pigeon"}, "via", "unknown-code"),
        ({"place": 7}, "place", "wrong-type"),
        ({"place": "elm"}, "place", "place-without-scheme"),
        ({"refs": [1]}, "refs", "wrong-type"),
        ({"identity": [True]}, "identity", "wrong-type"),
        ({"refs": [f"a/b/{n}" for n in range(17)]}, "refs", "too-many-refs"),
    ],
)
def test_a_broken_field_is_let_through_or_blamed_on_another(
    repository: Repository, tmp_path: Path, more: dict[str, Any], column: str, reason: str
) -> None:
    found = one(repository, tmp_path, **more)
    assert isinstance(found, Reject), found
    assert (found.column, found.reason.partition(":")[0]) == (column, reason)


LINE = json.dumps(LEAST).encode()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not-json"), (b"[1]", "not-json"), (b"7", "not-json"), (b"{\xff}", "not-utf-8"),
        (LINE[:-1] + b', "x": NaN}', "not-json"), (LINE[:-1] + b', "type": "twice"}', "not-json"),
        (b'{"a":' * 30_000, "not-json"), (LINE[:-1] + b', "x": "' + b"x" * 600_000 + b'"}', "line-too-long"),
        (LINE[:-1] + b', "place": "a:\\u0000"}', "bad-text"),
        (LINE[:-1] + b', "area": "\\ud800"}', "bad-text"),
        (LINE[:-1] + b', "note": "\\ud800"}', "not-in-schema"),
        (LINE[:-1] + b', "x": ' + b"9" * 5_000 + b"}", "not-json"),
    ],
    ids=range(12),
)  # fmt: skip
def test_one_bad_line_ends_the_file(
    repository: Repository, tmp_path: Path, line: bytes, reason: str
) -> None:
    data = b"\xef\xbb\xbf\n" + LINE + b"\r\n" + line + b"\n" + LINE
    first, reject, last = said(repository, tmp_path / "a", data)
    assert isinstance(first, Checked)
    assert isinstance(last, Checked)
    assert isinstance(reject, Reject)
    assert (reject.row, reject.reason.partition(":")[0]) == (3, reason)


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "empty-file"), (b"\xef\xbb\xbf\n \n", "empty-file"), (LINE.decode().encode("utf-16"), "utf-16"),
     (LINE.decode().encode("utf-16-le"), "not-text")],
    ids=range(4),
)  # fmt: skip
def test_what_is_no_text_becomes_thousands_of_rejects(
    repository: Repository, tmp_path: Path, data: bytes, reason: str
) -> None:
    with pytest.raises(Refused) as refused:
        said(repository, tmp_path / "a", data)
    assert refused.value.reason == reason
    assert refused.value.mend


def test_standard_input_is_a_file_called_minus(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LINE)))
    (event,) = said(repository, Path("-"), b"")
    assert isinstance(event, Checked)
