"""The drill: a home that runs is kept in a file, lost, and made again somewhere else."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

from feeding import handshake
from installation import Said, call, line

from crosstown.contracts.repository import Repository

FEED, ENDED = "drill", "ended"


class City:
    """A home with contracts of its own and one handshake."""

    def __init__(self, home: Path, contracts: Path) -> None:
        self.home = home
        self.env = {"CROSSTOWN_SCHEMAS": str(contracts)}

    def __call__(self, *words: str, stdin: str = "") -> Said:
        return call(self.home, *words, stdin=stdin, **self.env).ok()

    def publish(self, first: int, last: int) -> None:
        """Reports at a hundred places."""
        rows = (line(str(n), place=f"address:drill-{n % 100}") for n in range(first, last))
        self("publish", "events", "-", stdin="".join(rows))

    def figures(self) -> dict[str, Any]:
        return self("stats", "--wait", "-o", "json").json()

    def batch(self, folder: Path) -> dict[str, Any]:
        """What the feed has said since the last batch."""
        return self("feed", FEED, "--to", str(folder), "--format", "ndjson", "-o", "json").json()


def told(folder: Path) -> list[dict[str, Any]]:
    """All messages of all batches, by number."""
    files = (one for one in folder.iterdir() if one.suffix == ".ndjson")
    rows = [json.loads(row) for file in files for row in file.read_text("utf-8").splitlines()]
    return sorted(rows, key=lambda row: int(row["number"]))


def test_a_lost_home_comes_back_with_something_missing_or_twice(tmp_path: Path) -> None:
    contracts, file, sent = tmp_path / "contracts", tmp_path / "city.tgz", tmp_path / "sent"
    words = tmp_path / "words.json"
    shutil.copytree(Repository.load().path, contracts)
    shutil.rmtree(contracts / "agreements")
    (contracts / "agreements").mkdir()
    for name in (FEED, ENDED):
        (contracts / "agreements" / f"{name}.yaml").write_text(
            handshake(name, delivery="{ways: [batch]}"), "utf-8"
        )
    sent.mkdir()
    city = City(tmp_path / "home", contracts)
    try:
        city("up", "--detach")
        for name in (FEED, ENDED):
            for party, steward in (
                ("riverton-311", "Dana Ruiz"),
                ("xx-county-health", "Lena Whitfield"),
            ):
                city("agreements", "accept", name, "--agency", party, "--by", steward)
        for agency in ("riverton-311", "xx-county-health"):
            city("key", "add", agency)
        city.publish(0, 300)
        city(
            "erase", "riverton-311/request/7", "--by", "a clerk", "--because", "asked for", "--yes"
        )
        before = city.figures()
        first = all_of(city, sent)
        refused = call(city.home, "backup", str(file), **city.env)
        assert refused.code == 2, refused
        city("down")
        kept = city("backup", str(file), "-o", "json").json()
        assert kept["files"] > 20
        said = said_after_the_backup(city, words)

        shutil.rmtree(city.home)
        city.home = tmp_path / "elsewhere" / "home"
        restored = city("restore", str(file), "--words", str(words), "-o", "json").json()
        assert restored["words"] == said
        city("up", "--detach")
        now = city.figures()
        assert now["dead_letters"] == before["dead_letters"] == 0
        assert now["events"] == before["events"] - 1, "the one that was erased later"
        before = now
        what_was_said_later_stands(city)
        assert not (city.home / "kept-words.json").exists()
        gone = call(city.home, "case", "riverton-311/request/7", **city.env)
        assert gone.code == 2, gone
        city("audit", "verify")
        city.publish(0, 330)  # the ledger knows the first 300: only what is new is said
        after = city.figures()
        assert after["events"] == before["events"] + 30
        assert after["dead_letters"] == 0
        last = all_of(city, sent)
        assert [row["number"] for row in told(sent)] == list(range(1, last + 1))
        assert last == first + 30 + 1, "thirty new ones, and that one was erased"
    finally:
        call(city.home, "down", **city.env)


def said_after_the_backup(city: City, words: Path) -> dict[str, int]:
    """What the backup can't know, and no source says again; kept while everything runs."""
    city("up", "--detach")
    because = ("--by", "a clerk", "--because", "asked for")
    city("erase", "riverton-311/request/8", *because, "--yes")
    city("separate", "riverton-311/request/9", "riverton-311/request/109", *because,
         "--agency", "riverton-311")  # fmt: skip
    city("agreements", "revoke", ENDED, "--agency", "riverton-311", "--by", "Dana Ruiz",
         "--because", "no longer", "--yes")  # fmt: skip
    city("key", "revoke", "xx-county-health")
    city("backup", "--words", str(words))
    said: dict[str, int] = city("backup", "--words", str(words), "-o", "json").json()["words"]
    assert said == {"erasures": 2, "links": 1, "notes": 0, "agreements": 5, "keys": 1}
    assert words.stat().st_mode & 0o077 == 0
    city("down")
    return said


def what_was_said_later_stands(city: City) -> None:
    gone = call(city.home, "case", "riverton-311/request/8", **city.env)
    assert gone.code == 2, gone
    said = city("sql", "select distinct event_id, why from people", "-o", "json").json()
    assert said["why"] == "a clerk: asked for"
    listed = city("agreements", "show", ENDED, "-o", "json").json()
    assert listed["state"] == "revoked", listed
    keys = city("key", "list", "-o", "json").json()
    assert "xx-county-health" not in json.dumps(keys), keys
    assert "riverton-311" in json.dumps(keys), keys


def all_of(city: City, folder: Path) -> int:
    """Take batches until nothing is new; the number of the last message."""
    quiet = 0
    while quiet < 3:
        quiet = 0 if city.batch(folder)["count"] else quiet + 1
        time.sleep(0.5)
    return int(told(folder)[-1]["number"])
