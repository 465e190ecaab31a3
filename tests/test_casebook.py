"""The casebook on SQLite and on PostgreSQL: exactly once in effect, nothing left behind, asked in SQL."""

from __future__ import annotations

import os
import pickle
import re
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import postgres
import psycopg
import pytest
from chaos import until
from installation import Installation, Said, call, line
from pydantic import SecretStr
from riverton_said import REPOSITORY, sayings

from crosstown.casebook.casebook import Casebook, Row, connect
from crosstown.casebook.lookup import Found, Lookup, Pointer
from crosstown.casebook.schema import VIEWS
from crosstown.casebook.store import Store
from crosstown.cases.cases import City
from crosstown.cases.timeline import message_bytes
from crosstown.erasure.erasures import Key
from crosstown.errors import CrosstownError, NotFound, Stop, Unavailable
from crosstown.event.envelope import (  # fmt: skip
    Envelope,
    content_hash,
    prefix_bytes,
    saying,
    suffix_bytes,
    zigzag,
)
from crosstown.event.identity import case_key, event_id
from crosstown.home import Endpoints
from crosstown.registry.own_values import own_values
from crosstown.registry.read_back import Reading
from crosstown.sample import write
from crosstown.settings import Settings

DOC = Path(__file__).parents[1] / "docs" / "casebook.md"
CANARY = "canary-5519"
KEY = Key(b"a key")
Make = Callable[[], Settings]


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    with postgres.server() as one:
        yield one


@pytest.fixture(params=["sqlite", "postgres"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Settings of a new, empty casebook at each call."""

    def one() -> Settings:
        home = tmp_path / uuid.uuid4().hex
        home.mkdir()
        if request.param == "sqlite":
            return Settings(home=home)
        server: postgres.Server = request.getfixturevalue("server")
        return Settings(home=home, casebook=SecretStr(server.database()))

    return one


def writer(settings: Settings, cluster: str = "one", reading: Reading | None = None) -> Casebook:
    return Casebook(connect(settings), cluster, reading or Reading(lambda _id: '"bytes"'), KEY)


def accepted(one: Envelope, payload: bytes = b"\0\0\0\0\1\0") -> tuple[bytes, bytes]:
    """A message of `accepted`: its key and its value."""
    prefix = prefix_bytes(one)
    key = f"{one.event_id}:{one.known_at}:{content_hash(prefix, payload).hex()}:{one.via}"
    suffix = suffix_bytes(one.known_at, one.via) + zigzag(len(payload)) + payload
    return key.encode(), bytes(5) + prefix + suffix


def log(said: list[Envelope]) -> list[Row]:
    """What `accepted` and `timelines` hold when these have been said, tombstones aside."""
    rows: list[Row] = []
    cities: dict[str, City] = {}
    told = 0
    for n, one in enumerate(said):
        rows.append(Row("accepted", 0, n, *accepted(one)))
        city = cities.setdefault(one.jurisdiction, City(one.jurisdiction, REPOSITORY.window))
        city.say(*saying(one, bytes(6)))
        if n % 400 == 399 or one is said[-1]:
            for city in cities.values():
                for c in city.changes():
                    body = message_bytes(c.jurisdiction, c.record, c.case_id, told, c.case)
                    rows.append(Row("timelines", 0, told, None, bytes(5) + body))
                    told += 1
    return rows


@pytest.fixture(scope="module")
def riverton(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    exports = write(tmp_path_factory.mktemp("exports"), events=1_500)
    return log([one for one, _payload in sayings(exports)])


def everything(db: Store) -> dict[str, list[Any]]:
    """All that the views show, in an order of its own; times of applying aside."""
    return {
        view: sorted(str(_plain(dict(row))) for row in db.rows(f"select * from {view}"))  # noqa: S608
        for view in VIEWS
    }


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    row.pop("applied_at", None)
    return {
        name: f"{value:%Y-%m-%d %H:%M:%S}" if hasattr(value, "strftime") else value
        for name, value in row.items()
    }


def shown(settings: Settings) -> dict[str, list[Any]]:
    db = connect(settings, read_only=True)
    try:
        return everything(db)
    finally:
        db.close()


def test_two_databases_tell_two_stories(
    riverton: list[Row], server: postgres.Server, tmp_path: Path
) -> None:
    found = []
    for settings in (
        Settings(home=tmp_path),
        Settings(home=tmp_path, casebook=SecretStr(server.database())),
    ):
        book = writer(settings)
        book.apply(riverton)
        book.close()
        lookup = Lookup(settings)
        figures = lookup.stats(1_800_000_000_000_000)
        listed = list(lookup.cases(agencies=2))
        cases = [lookup.case(row["case_id"]) for row in listed[:20]]
        near = [lookup.case(row["records"][0].split("/", 2)[2]).case_id for row in listed[:20]]
        found.append((shown(settings), figures, listed, cases, near))
        lookup.close()
    assert found[0] == found[1]
    assert found[0][1]["cross_agency_cases"] == len(found[0][2]) > 50


def test_question_of_the_documentation_does_not_run(make: Make, riverton: list[Row]) -> None:
    settings = make()
    book = writer(settings)
    book.apply(riverton)
    book.close()
    text = DOC.read_text("utf-8")
    lookup = Lookup(settings)
    for query in re.findall(r"```sql\n(.*?)```", text, flags=re.DOTALL):
        assert next(lookup.sql(query))[0], query
    lookup.close()
    for view in VIEWS:
        assert f"**{view}**" in text, view


FOLLOW = """
import pickle, sys, time
from pathlib import Path
from crosstown.casebook.casebook import Casebook, connect
from crosstown.erasure.erasures import Key
from crosstown.errors import Unavailable
from crosstown.registry.read_back import Reading
from crosstown.settings import Settings

rows = pickle.loads(Path(sys.argv[1]).read_bytes())
while True:
    try:
        book = Casebook(connect(Settings()), "one", Reading(lambda _id: '"bytes"'), Key(b"a key"))
        break
    except Unavailable:  # the one that was killed still holds its lock
        time.sleep(0.05)
at = book.offsets()
rest = [row for row in rows if row.offset >= at.get((row.topic, row.partition), 0)]
print(len(rest), flush=True)
for start in range(0, len(rest), 40):
    book.apply(rest[start : start + 40])
    print(flush=True)
"""


def test_killed_writer_loses_or_doubles(make: Make, riverton: list[Row], tmp_path: Path) -> None:
    whole, broken = make(), make()
    book = writer(whole)
    book.apply(riverton)
    book.close()
    rows = tmp_path / "rows"
    rows.write_bytes(pickle.dumps(riverton))
    env = {**os.environ, "CROSSTOWN_HOME": str(broken.home)}
    if broken.casebook:
        env["CROSSTOWN_CASEBOOK"] = broken.casebook.get_secret_value()
    left = []
    for batches in (3, 5, 4, 100_000):
        with subprocess.Popen(
            [sys.executable, "-c", FOLLOW, rows], env=env, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            left.append(int(process.stdout.readline()))
            for _ in range(batches):
                if not process.stdout.readline():
                    break
            time.sleep(0.004)  # into the next one
            process.kill()
    assert left == sorted(left, reverse=True)
    assert 0 < left[-1] < left[0], "each went on where the one before had come to"
    again = writer(broken)
    again.apply(riverton)  # the same once more: keys decide, nothing is added
    again.close()
    assert shown(broken) == shown(whole)


def test_registry_that_is_away_leaves_half_a_batch(make: Make, riverton: list[Row]) -> None:
    def away(_id: int) -> str:
        raise Unavailable("the registry is away", mend="wait")

    settings = make()
    book = writer(settings, reading=Reading(away))
    with pytest.raises(Unavailable):
        book.apply(riverton[:100])
    assert book.offsets() == {}
    assert not any(found for view, found in shown(settings).items())
    book.close()


def said(minute: int, *, known: int, via: str = "batch", **more: Any) -> Envelope:
    record = more.pop("record", "riverton-311/request/1")
    return Envelope(
        event_id=event_id(record, "request.opened"), agency=more.pop("agency", "riverton-311"),
        record=record, type="request.opened", step=more.pop("step", "REPORTED"),
        occurred_at=minute * 60_000_000, jurisdiction=more.pop("jurisdiction", "us-xx-riverton"),
        known_at=known, via=via, **more,
    )  # fmt: skip


def test_flip_flop_ends_at_the_wrong_time(make: Make) -> None:
    settings = make()
    book = writer(settings)
    ten, five_past = 600, 605
    story = [said(ten, known=1), said(five_past, known=2), said(ten, known=3, via="poll")]
    for n, one in enumerate(reversed(story)):
        book.apply([Row("accepted", 0, n, *accepted(one))])
    lookup = Lookup(settings)
    _, (_, row) = lookup.sql("select occurred_at, versions, corrected, via, known_at from events")
    assert _plain(dict(zip("abcde", row, strict=True))) == {
        "a": "1970-01-01 10:00:00", "b": 3, "c": 1, "d": "batch", "e": "1970-01-01 00:00:00",
    }  # fmt: skip
    book.apply([Row("accepted", 0, 9, *accepted(replace(story[0], step="WITHDRAWN", known_at=4)))])
    assert len(list(lookup.sql("select * from events"))) == 1, "withdrawn: only the names are left"
    assert len(list(lookup.sql("select * from versions"))) == 5
    lookup.close()
    book.close()


def at(settings: Settings, asked: str, until: int) -> Found:
    """A case that is asked for as it was known at `until`."""
    lookup = Lookup(settings)
    try:
        return lookup.at(lookup.case(asked), asked, until, REPOSITORY.window, KEY)
    finally:
        lookup.close()


def test_a_number_typed_otherwise_shows_another_records_past(make: Make) -> None:
    settings = make()
    book = writer(settings)
    one, two = "riverton-311/request/SR-1", "riverton-housing/inspection/HI-1"
    book.apply(log([
        said(600, known=1, record=one), said(601, known=2, record=two),
        said(600, known=3, record=one, refs=(two,)),
    ]))  # fmt: skip
    head, jurisdiction = case_key("us-xx-riverton", one), "us-xx-riverton"
    for asked in ("HI-1", "hi-1", two, case_key(jurisdiction, two)):
        assert at(settings, asked, 2).records == (two,), asked
        with pytest.raises(NotFound, match="known then"):
            at(settings, asked, 1)
    for asked in ("SR-1", "sr-1", one, head):
        assert at(settings, asked, 2).records == (one,), asked
    book.close()


def test_yesterdays_case_points_to_a_case_of_today(make: Make) -> None:
    settings = make()
    book = writer(settings)
    one, two = "riverton-311/request/SR-1", "riverton-housing/inspection/HI-1"
    far, never = "eastvale-311/request/E-1", "riverton-311/request/never"
    book.apply([
        *log([said(600, known=1, record=one, refs=(two, far, never)),
              said(601, known=2, record=two)]),
        *(replace(row, partition=1) for row in log([
            said(602, known=3, record=far, agency="eastvale-311", jurisdiction="us-xx-eastvale"),
        ])),
    ])  # fmt: skip
    east = case_key("us-xx-eastvale", far)
    lost = {name: Pointer(name, one, "", "") for name in (two, far, never)}
    there = Pointer(far, one, "us-xx-eastvale", east)
    for moment, pointers in (
        (1, (lost[two], lost[far], lost[never])),
        (2, (lost[far], lost[never])),
        (3, (there, lost[never])),
    ):  # fmt: skip
        assert at(settings, "SR-1", moment).pointers == pointers, moment
    lookup = Lookup(settings)
    assert lookup.case("SR-1").pointers == (there, lost[never])
    lookup.close()
    book.close()


def test_erased_words_stay_in_a_table(make: Make) -> None:
    settings = make()
    book = writer(settings)
    one = said(600, known=1, headline=CANARY, place=f"address:{CANARY}", concern="any")
    rows = log([one])
    letter = {
        "reason": "schema", "detail": CANARY, "topic": "events.x", "partition": 0, "offset": 7,
        "produced_at": 1, "key": None, "value": None, "headers": [],
    }  # fmt: skip
    rows.append(
        Row(
            "dead-letters",
            0,
            0,
            b"events.x/0/7",
            own_values("dead-letters", Settings(), Endpoints("", "")).encode(letter),
        )
    )
    book.apply(rows)
    assert holding(settings, CANARY) >= {
        "raw_versions",
        "raw_cases",
        "raw_places",
        "raw_dead_letters",
    }
    book.apply([
        Row("accepted", 0, 1, rows[0].key, None),
        Row("timelines", 0, 9, case_key(one.jurisdiction, one.record).encode(), None),
        Row("dead-letters", 0, 1, b"events.x/0/7", None),
    ])  # fmt: skip
    assert holding(settings, CANARY) == holding(settings, one.record) == set()
    if settings.casebook is None:
        for file in settings.home.glob("casebook.sqlite*"):
            assert CANARY.encode() not in file.read_bytes(), file.name
    book.close()


def test_dead_letter_with_a_nul_in_it_holds_the_casebook_up_for_ever(make: Make) -> None:
    settings = make()
    letter = {
        "reason": "reserved\0", "detail": "link.\0x", "topic": "events.\0x", "partition": 0,
        "offset": 7, "produced_at": 1, "key": None, "value": None, "headers": [],
    }  # fmt: skip
    value = own_values("dead-letters", settings, Endpoints("", "")).encode(letter)
    book = writer(settings)
    book.apply([Row("dead-letters", 0, 0, b"events.\0x/0/7", value)])
    (shown_as,) = shown(settings)["dead_letters"]
    assert "'reason': 'reserved', 'detail': 'link.x', 'topic': 'events.x'" in shown_as
    book.apply([Row("dead-letters", 0, 1, b"events.\0x/0/7", None)])
    assert not shown(settings)["dead_letters"]
    book.close()


def holding(settings: Settings, words: str) -> set[str]:
    """The tables with a row that has these words, whatever the column."""
    db = connect(settings, read_only=True)
    try:
        return {
            table for table in db.tables() if table.startswith("raw_")
            for row in db.rows(f"select * from {table}")  # noqa: S608
            if any(words.encode() in _bytes(cell) for cell in dict(row).values())
        }  # fmt: skip
    finally:
        db.close()


def _bytes(cell: Any) -> bytes:
    return bytes(cell) if isinstance(cell, bytes | memoryview) else str(cell).encode()


def test_casebook_of_another_cluster_is_taken_for_this_ones(make: Make) -> None:
    settings = make()
    book = writer(settings)
    book.apply([Row("accepted", 0, 0, *accepted(said(600, known=1)))])
    book.close()
    again = writer(settings)
    assert again.offsets() == {("accepted", 0): 1}
    again.close()
    other = writer(settings, "another")
    assert other.offsets() == {}
    other.close()
    assert not any(shown(settings).values())


def test_tables_of_another_version_are_misread(make: Make) -> None:
    settings = make()
    writer(settings).close()
    for version, error in (("1", None), ("99", Stop)):
        db = connect(settings)
        db.run("update raw_about set value = ? where key = 'version'", (version,))
        db.close()
        with pytest.raises(Unavailable, match="another Crosstown"):
            Lookup(settings)
        if error is None:
            writer(settings).close()
            Lookup(settings).close()
        else:
            with pytest.raises(error, match="newer"):
                writer(settings)


def test_reader_can_write(make: Make) -> None:
    settings = make()
    book = writer(settings)
    book.apply([Row("accepted", 0, 0, *accepted(said(600, known=1)))])
    lookup = Lookup(settings)
    for query in (
        "delete from raw_versions", "drop view cases", "update raw_about set value = '9'",
        "create table x (y int)",
        "with gone as (delete from raw_versions returning 1) select * from gone",
    ):  # fmt: skip
        with pytest.raises(CrosstownError, match=r"readonly|syntax error|cannot|must not"):
            list(lookup.sql(query))
    with pytest.raises(Stop, match="nowhere"):
        list(lookup.sql("select * from nowhere"))
    assert next(lookup.sql("select count(*) from versions"))[0]
    lookup.close()
    book.close()


def test_two_programs_write_to_one_database(server: postgres.Server, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, casebook=SecretStr(server.database()))
    first = writer(settings)
    with pytest.raises(Unavailable, match="another casebook program"):
        writer(settings)
    first.close()
    writer(settings).close()


@pytest.fixture
def analysed(server: postgres.Server, tmp_path: Path) -> Iterator[tuple[Settings, postgres.Server]]:
    """A casebook with a row that an analyst may read, who has a table of their own beside it."""
    settings = Settings(home=tmp_path, casebook=SecretStr(server.database()))
    book = writer(settings)
    book.apply([Row("accepted", 0, 0, *accepted(said(600, known=1)))])
    book.close()
    server.run('drop role if exists "An alyst"', 'create role "An alyst" login')
    by_owner(
        settings, 'grant usage on schema crosstown to "An alyst"',
        'grant select on cases, versions to "An alyst" with grant option',
        "grant select on lag to public", "create table theirs as select 1 as one",
    )  # fmt: skip
    yield settings, server
    by_owner(settings, "drop schema crosstown cascade")


def by_owner(settings: Settings, *statements: str) -> list[Any]:
    """Statements of the account that the casebook has; what the last of them gave."""
    assert settings.casebook is not None
    with psycopg.connect(settings.casebook.get_secret_value(), autocommit=True) as db:
        db.execute("set search_path = crosstown")
        for statement in statements:
            found = db.execute(statement.encode())
        return found.fetchall() if found.description else []


def may_read(settings: Settings, *views: str) -> list[bool]:
    return [
        by_owner(settings, f"select has_table_privilege('An alyst', '{view}', 'select with grant option'),"
                 f" has_table_privilege('An alyst', '{view}', 'select')")[0][view == "lag"]
        for view in views
    ]  # fmt: skip


@pytest.mark.parametrize("version", [None, 4])
def test_an_analyst_is_locked_out_by_the_next_version(
    analysed: tuple[Settings, postgres.Server], version: int | None
) -> None:
    settings, _ = analysed
    if version:
        by_owner(settings, f"update raw_about set value = '{version}' where key = 'version'")  # noqa: S608
    again = writer(settings, "one" if version else "another, after a rebuild")
    assert again.offsets() == {}
    again.close()
    assert not any(shown(settings).values())
    assert may_read(settings, "cases", "versions", "lag") == [True] * 3
    assert may_read(settings, "payloads") == [False]
    assert by_owner(settings, "select one from theirs") == [(1,)]


def test_an_analysts_view_holds_the_casebook_up_for_ever(
    analysed: tuple[Settings, postgres.Server],
) -> None:
    settings, _ = analysed
    by_owner(settings, "create view public.mine as select count(*) from crosstown.versions")
    writer(settings, "another, after a rebuild").close()
    assert by_owner(settings, "select * from public.mine") == [(0,)]
    by_owner(settings, "update raw_about set value = '4' where key = 'version'")
    with pytest.raises(Stop, match=r"view public\.mine depends on view versions") as caught:
        writer(settings)
    assert "drop it" in caught.value.mend
    by_owner(settings, "drop view public.mine")
    writer(settings).close()


@pytest.mark.parametrize(
    ("url", "kind", "words"),
    [
        ("postgresql://x@/nowhere?host={folder}", Unavailable, "nowhere|role"),
        ("postgresql://postgres@/postgres?host=/nonexistent", Unavailable, "/nonexistent"),
        ("postgresql://postgres@127.0.0.1:1/postgres", Unavailable, "refused"),
        ("postgres=oops=x", Stop, "CROSSTOWN_CASEBOOK can't be read"),
        ("mysql://db/x", Stop, "CROSSTOWN_CASEBOOK can't be read"),
    ],
)
def test_unreachable_database_is_a_riddle(
    url: str, kind: type[CrosstownError], words: str, server: postgres.Server, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path, casebook=SecretStr(url.format(folder=server.folder)))
    with pytest.raises(kind, match=words) as caught:
        connect(settings)
    assert caught.value.mend


def test_account_without_rights_is_a_riddle(server: postgres.Server, tmp_path: Path) -> None:
    url = server.database()
    server.run("drop role if exists guest", "create role guest login")
    settings = Settings(home=tmp_path, casebook=SecretStr(url.replace("postgres@", "guest@")))
    with pytest.raises(Unavailable, match="permission denied") as caught:
        writer(settings)
    assert "right" in caught.value.mend


def test_a_locked_file_is_called_a_fault_of_ours(installation: Installation) -> None:
    """A backup or somebody's `sqlite3` holds the lock: the casebook says so and waits, and goes on."""
    before = installation.stats()["events"]

    def casebook() -> dict[str, Any]:
        processes = installation("status", "-o", "json").ok().json()["processes"]
        return next(one for one in processes if one["name"] == "casebook")

    restarts = casebook()["restarts"]
    with closing(sqlite3.connect(installation.home / "casebook.sqlite", timeout=30)) as other:
        other.execute("begin immediate")
        installation("publish", "events", "-", stdin=line("LOCKED-1")).ok()
        until(lambda: any("locked by another process" in why for why in casebook()["why"]), 60)
        assert any(f"(pid {os.getpid()})" in why for why in casebook()["why"])
        found = installation("doctor", "-o", "json").out
        assert "casebook isn't ready" in found
        assert "locked by another process" in found
        for _ in range(14):  # over more than one try: who looks every now and then sees it, too
            assert casebook()["why"]
            time.sleep(1)
        other.rollback()
    assert installation.stats()["events"] == before + 1
    assert casebook()["restarts"] == restarts


def test_database_goes_away_and_what_came_meanwhile_is_lost(
    server: postgres.Server, tmp_path: Path
) -> None:
    home = tmp_path / "city"
    setting = {"CROSSTOWN_CASEBOOK": server.database()}

    def ask(*words: str, stdin: str = "") -> Said:
        return call(home, *words, stdin=stdin, **setting)

    def lag() -> int | None:
        processes = ask("status", "-o", "json").ok().json()["processes"]
        found: int | None = next(one["lag"] for one in processes if one["name"] == "casebook")
        return found

    try:
        ask("up", "--detach").ok()
        ask("publish", "events", "-", stdin=line("PG-1", place="address:1-pg-st")).ok()
        assert ask("stats", "--wait", "-o", "json").ok().json()["cases"] == 1
        assert lag() == 0
        server.control("stop", "-m", "fast")
        said = ask("case", "PG-1")
        assert said.code == 5, said
        assert "PostgreSQL" in said.err
        more = line("PG-2", "riverton-housing", refs=["riverton-311/request/PG-1"])
        ask("publish", "events", "-", stdin=more).ok()
        until(lambda: lag() is None)
        assert "casebook isn't ready" in ask("status").ok().out
        server.control("start")
        figures = ask("stats", "--wait", "-o", "json").ok().json()
        assert (figures["cases"], figures["records"]) == (1, 2)
        case = ask("case", "PG-1", "-o", "json").ok().json()
        assert len(case["records"]) == 2
        rows = ask(
            "sql", "select record, payload::json ->> 'agency' from payloads", "-o", "csv"
        ).ok()
        assert "riverton-housing/request/PG-2,riverton-housing" in rows.out
        assert not (home / "casebook.sqlite").exists()
        for file in (home / "logs").iterdir():
            assert "Traceback" not in file.read_text("utf-8"), file.name
    finally:
        ask("down")


def test_a_ref_that_was_corrected_away_is_still_shown(make: Make) -> None:
    settings = make()
    book = writer(settings)
    odd = 'b/r/"1\\2"'
    for n, refs in enumerate((("b/r/WRONG", odd), ("b/r/RIGHT", odd))):
        book.apply([Row("accepted", 0, n, *accepted(said(600, known=n + 1, refs=refs)))])
    book.close()
    lookup = Lookup(settings)
    found = [row[0] for _, row in list(lookup.sql("select ref from event_refs"))[1:]]
    lookup.close()
    assert sorted(found) == sorted([odd, "b/r/RIGHT"])
