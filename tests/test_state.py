"""A shard's state of which most lies in a file: the same cases, whatever is put away and when."""

from __future__ import annotations

import random
import re
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from chaos import installation
from hypothesis import given, settings
from test_linking import (
    Forget,
    History,
    Reader,
    by_the_rule,
    drawn,
    say,
    thrown,
    window_of,
)

from crosstown.cases import neighbourhoods
from crosstown.cases.neighbourhoods import Hood, Kept, Neighbourhoods
from crosstown.cases.state_store import StateStore
from crosstown.errors import Unavailable
from crosstown.sample import write


class Shard(Reader):
    """A reader of cities that are put away, whole or in part, and come back from the file."""

    def __init__(self, path: Path, seed: int) -> None:
        super().__init__()
        self.dice = random.Random(seed)
        self.path = path
        self.store = StateStore(path, "test")
        self.hoods: dict[str, Neighbourhoods] = {}
        self.fetched = 0
        self.for_good: set[str] = set()

    def city(self, jurisdiction: str) -> Any:
        if jurisdiction not in self.hoods:
            self.hoods[jurisdiction] = Neighbourhoods(
                jurisdiction, window_of, self.erased.__contains__, self.store
            )
        self.cities[jurisdiction] = self.hoods[jurisdiction]  # type: ignore[assignment]
        return self.hoods[jurisdiction]

    def forget(self, one: Forget) -> None:
        for jurisdiction in self.store.jurisdictions():
            self.city(jurisdiction)
        super().forget(replace(one, swept=False))  # `sweep` does that

    def batch(self, said: Any) -> None:
        before = len(self.store.away)
        super().batch(said)
        self.fetched += len(self.store.away) < before
        self.put_away()
        if self.erased and self.erased <= self.for_good and self.dice.random() < 0.5:
            self.sweep()
        elif self.dice.random() < 0.3:
            self.die_and_come_back()

    def sweep(self) -> None:
        """The bytes of erased records are gone from the log: nothing of them may be left here."""
        for city in list(self.hoods.values()):
            for event in list(city.city.events):
                city.forget(event)
        self.die_and_come_back()
        for hood in list(self.store.away):
            for fields, _ in neighbourhoods.sayings(self.store.body(hood)):
                assert fields["record"] not in self.erased
                assert not fields["type"].startswith("link.") or not self.erased & {*fields["refs"]}
        for jurisdiction in self.store.jurisdictions():
            named = dict(self.store.nodes(jurisdiction))
            for record in self.erased & named.keys():
                body = self.store.body(named[record])
                assert any(record in fields["refs"] for fields, _ in neighbourhoods.sayings(body))

    def put_away(self) -> None:
        chosen: list[tuple[Neighbourhoods, Hood]] = []
        for city in self.hoods.values():
            chosen += [
                (city, hood) for hood in city.hoods()
                if self.dice.random() < 0.7 and not city.waits(hood)
            ]  # fmt: skip
        assert self.store.write(c.kept(h) for c, h in chosen if h.dirty)
        for city, hood in chosen:
            city.clean(hood)
            self.store.put_away(hood.id, city.records_of(hood))
            city.put_away(hood)

    def die_and_come_back(self) -> None:
        """As at an orderly end: all is kept; another process opens the file."""
        dirty = [(c, h) for c in self.hoods.values() for h in c.hoods() if h.dirty]
        assert self.store.write((c.kept(h) for c, h in dirty), (), 1)
        self.store.close()
        self.store = StateStore(self.path, "test")
        self.hoods, self.cities = {}, {}
        for jurisdiction, hood in self.store.waiting():
            self.city(jurisdiction).fetch(hood)


def hold(history: History, path: Path, seed: int) -> int:
    """Whether it comes out as the rule says; gives in how many batches something came back."""
    shard = Shard(path, seed)
    forgets = [one for batch in history for one in batch if isinstance(one, Forget)]
    shard.for_good = {one.record for one in forgets} - {o.record for o in forgets if not o.yes}
    try:
        for batch in history:
            shard.batch(batch)
        shard.sweep()
        assert shard.found() == by_the_rule(history)
    finally:
        shard.store.discard()
    return shard.fetched


def held(folder: Path, histories: int) -> None:
    fetched = made = 0

    @given(drawn())
    @settings(max_examples=histories, deadline=None, database=None, derandomize=True)
    def holds(history: History) -> None:
        nonlocal fetched, made
        made += 1
        fetched += hold(history, folder / f"{made}.sqlite", sum(map(len, history)))

    holds()
    for seed in range(histories):
        fetched += hold(thrown(seed), folder / f"{seed}.sqlite", seed)
    assert fetched > histories, "much was put away"


def test_what_is_put_away_differs_from_the_rule(tmp_path: Path) -> None:
    held(tmp_path, 300)


@pytest.mark.long
def test_what_is_put_away_differs_from_the_rule_in_a_long_run(tmp_path: Path) -> None:
    held(tmp_path, 5_000)


def test_a_place_goes_with_the_record_that_was_forgotten(path: Path) -> None:
    """Its name and place leave the store; who comes there later is still found."""
    shard = Shard(path, 0)
    shard.put_away = shard.die_and_come_back = lambda: None  # type: ignore[method-assign]
    shard.batch([say("a/r/1", 0, place="p:1")])
    shard.erased.add("a/r/1")
    for city in shard.hoods.values():
        city.erase("a/r/1".__eq__)
        for event in list(city.city.events):
            city.forget(event)
        list(city.changes())
    keep_all(shard)
    assert not list(shard.store.nodes("us-a"))
    for record, at in (("b/r/1", 0), ("c/r/1", 10)):
        shard.batch([say(record, at, place="p:1")])
        keep_all(shard)
        for city in shard.hoods.values():
            for hood in city.hoods():
                shard.store.put_away(hood.id, city.records_of(hood))
                city.put_away(hood)
    assert set(shard.found().records.values()) >= {frozenset({"b/r/1", "c/r/1"})}
    shard.store.discard()


def keep_all(shard: Shard) -> None:
    for city in shard.hoods.values():
        dirty = [hood for hood in city.hoods() if hood.dirty]
        assert shard.store.write(map(city.kept, dirty))
        for hood in dirty:
            city.clean(hood)


def kept(number: int, body: bytes = b"x" * 100) -> Kept:
    return Kept("us-a", number, [f"a/r/{number}"], body, 1, waits=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite"


def filled(path: Path) -> StateStore:
    store = StateStore(path, "this topic")
    assert store.write([kept(store.new_id())], offset=7)
    return store


def test_a_store_does_not_come_back(path: Path) -> None:
    filled(path).close()
    again = StateStore(path, "this topic")
    assert (again.offset, again.find("us-a", "a/r/1"), again.body(1)) == (7, 1, b"x" * 100)
    assert again.new_id() == 2


def test_a_store_of_another_topic_is_used(path: Path) -> None:
    filled(path).close()
    other = StateStore(path, "another topic of the same name")
    assert (other.offset, other.away) == (0, {})


@pytest.mark.parametrize("junk", [b"not a database at all" * 50, b""])
def test_a_broken_store_stops_a_program(path: Path, junk: bytes) -> None:
    path.write_bytes(junk)
    assert StateStore(path, "this topic").offset == 0


def test_a_store_that_breaks_while_it_is_read_gives_something(path: Path) -> None:
    store = StateStore(path, "this topic")
    assert store.write([kept(store.new_id(), b"x" * 20_000) for _ in range(2_000)], offset=7)
    store.close()
    with path.open("r+b") as file:
        file.seek(40_960)
        file.write(b"?" * 30_000_000)

    def read_all() -> None:
        store = StateStore(path, "this topic")
        for hood in store.away:
            store.body(hood)

    with pytest.raises(Unavailable, match="broken and deleted") as error:
        read_all()
    assert "nothing is lost" in error.value.mend
    assert not path.exists()


def test_two_workers_write_one_store(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    one = filled(path)
    two = StateStore(path, "this topic")
    assert (two.offset, two.away) == (0, {})
    assert "kept in memory" in caplog.text
    assert two.write([kept(two.new_id())], offset=9)
    two.discard()
    assert one.write([kept(one.new_id())], offset=8)
    one.close()
    assert StateStore(path, "this topic").offset == 8


def test_a_full_disk_takes_what_was_kept(path: Path) -> None:
    store = filled(path)
    pages = store.limit(40)
    assert not store.write((kept(store.new_id(), b"y" * 9_000) for _ in range(100)), offset=9)
    store.limit(pages)
    assert (store.offset, store.body(1)) == (7, b"x" * 100)
    assert store.write([kept(store.new_id())], offset=9)


def test_a_city_that_first_came_on_a_full_disk_is_lost_or_taken_for_another(path: Path) -> None:
    store = filled(path)
    pages = store.limit(40)
    there = [Kept("us-b", store.new_id(), [f"b/r/{n}"], b"y" * 9_000, 1, waits=False)
             for n in range(100)]  # fmt: skip
    assert not store.write(there, offset=9)
    store.limit(pages)
    assert store.write(there[:1], offset=9)
    store.close()
    store = StateStore(path, "this topic")
    assert sorted(store.jurisdictions()) == ["us-a", "us-b"]
    assert store.find("us-b", "b/r/0") == there[0].id
    other = Kept("us-c", store.new_id(), ["c/r/1"], b"z", 1, waits=False)
    assert store.write([other], offset=10)
    assert store.find("us-c", "b/r/0") == 0


def test_what_is_in_memory_is_fetched_over_it(path: Path) -> None:
    """A write that failed left the store's old way to a neighbourhood that is in memory again."""
    store = filled(path)
    store.put_away(1, 1)
    assert store.find("us-a", "a/r/1") == 1
    store.fetched(1)
    assert store.find("us-a", "a/r/1") == 0
    assert not list(store.nodes("us-a"))


BUGS = {
    "a ref doesn't reach what was put away": ('    yield from fields["refs"]\n', ""),
    "a place doesn't reach what was put away": ('yield fields["place"], fields["concern"]', "return"),
    "contents that don't count are lost": ("for one in city.sayings(event)]", "for one in city.sayings(event)[:1]]"),
    "when it was said last is lost": ("if last > first:", "if False:"),
    "what was joined stays where it was": ("one.kept = two.id, 0", "one.kept = two.id, len(one.nodes)"),
    "what comes back is told again": ("        part.settle()\n", ""),
    "an erasure doesn't reach what was put away": (
        "self._fetch_named(wanted, lambda name: self._is_erased(name) and not wanted(name))", "pass",
    ),
    "what comes back for its erasure counts as told gone": (
        "lambda name: self._is_erased(name) and not wanted(name)", "self._is_erased",
    ),
    "what waits is put away": ("return any(map(self.city.waits, hood.events))", "return False"),
}  # fmt: skip


@pytest.mark.parametrize(("right", "wrong"), BUGS.values(), ids=BUGS)
def test_a_bug_in_putting_away_is_not_found(
    right: str, wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Path(neighbourhoods.__file__).read_text("utf-8")
    assert source.count(right) == 1, "the line that was broken isn't there any more"
    broken = ModuleType("crosstown.cases.neighbourhoods")
    monkeypatch.setitem(sys.modules, broken.__name__, broken)
    exec(compile(source.replace(right, wrong), "broken", "exec"), broken.__dict__)  # noqa: S102
    monkeypatch.setattr(sys.modules[__name__], "Neighbourhoods", broken.__dict__["Neighbourhoods"])

    def histories_hold() -> None:
        for seed in range(500):
            hold(thrown(seed), tmp_path / f"{seed}.sqlite", seed)

    with pytest.raises(Exception):  # noqa: B017, PT011 - however it shows
        histories_hold()


def test_a_restart_reads_all_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a store that can't be right is made anew; a shard's log says where it began."""
    monkeypatch.setenv("CROSSTOWN_KEEP_SECONDS", "0.5")
    monkeypatch.setenv("CROSSTOWN_MEMORY_EVENTS", "100")
    file = tmp_path / "home" / "state" / "cases-0-0.sqlite"
    with installation(tmp_path / "home", partitions=1) as home:

        def again(change: Callable[[], object]) -> int:
            """Where the shard began, after a stop in which something happens to its file."""
            home.run("down")
            change()
            home.run("up", "--detach")
            log = (home.home / "logs" / "cases.log").read_text("utf-8")
            return int(re.findall(r"local store stands at (\d+)", log)[-1])

        exports = write(tmp_path / "exports", events=3_000)
        home.run("publish", "riverton", *exports)
        before = home.json("stats", "--wait")
        began = again(lambda: None)
        assert began >= before["events"]
        assert home.json("stats", "--wait") == before
        home.run("publish", "riverton", *write(tmp_path / "more", events=4_000))
        more = home.json("stats", "--wait")
        assert more["events"] > before["events"]
        home.run("rebuild")  # fails where what was computed with and without a store differs

        assert again(lambda: file.write_bytes(b"not a database" * 999)) == 0
        assert again(lambda: None) > began
        again(lambda: ahead(file))
        home.run("publish", "riverton", *write(tmp_path / "most", events=5_000))
        most = home.json("stats", "--wait", "--timeout", 60)
        assert most["events"] > more["events"]
        assert "beyond what was committed" in (home.home / "logs" / "cases.log").read_text("utf-8")
        home.run("rebuild")


def ahead(file: Path) -> None:
    with closing(sqlite3.connect(file)) as store:
        store.execute("update about set value = '5000000' where name = 'offset'")
        store.commit()
