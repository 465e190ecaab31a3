"""Agencies' keys: who has one, until when, and what may never be seen."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from installation import call

from crosstown.errors import NotFound, Stop
from crosstown.gateway.keys import KeyFile, KeysNow, who

NOW = 1_800_000_000_000_000
HOUR = 3_600_000_000


@pytest.fixture
def file(home: Path) -> KeyFile:
    return KeyFile(home / "keys.json")


def test_key_works_for_another_or_nobodys_does(file: KeyFile) -> None:
    one, other = file.add("a-one", NOW), file.add("b", NOW)
    assert one.startswith("ct_a-one_")
    assert len(one) == len("ct_a-one_") + 64
    assert (who(file.read(), one, NOW), who(file.read(), other, NOW)) == ("a-one", "b")
    for wrong in (
        "",
        "ct_a-one_",
        one[:-1],
        one + "0",
        one.replace("a-one", "b"),
        "\ud800",
        "x" * 10_000,
    ):
        assert who(file.read(), wrong, NOW) == ""
    with pytest.raises(Stop, match="has a key"):
        file.add("b", NOW)


def test_rotated_key_ends_too_soon_or_never(file: KeyFile) -> None:
    first = file.add("a", NOW)
    second = file.rotate("a", NOW, 24 * HOUR)
    third = file.rotate("a", NOW + HOUR, 100 * HOUR)
    keys = file.read()
    assert {who(keys, one, NOW + 2 * HOUR) for one in (first, second, third)} == {"a"}
    later = NOW + 24 * HOUR
    assert [who(keys, one, later) for one in (first, second, third)] == ["", "a", "a"], "grace grew"
    last = file.rotate("a", NOW + 2 * HOUR, 0)
    assert [who(file.read(), one, NOW + 2 * HOUR) for one in (first, second, third, last)] == [
        "",
        "",
        "",
        "a",
    ]
    file.revoke("a")
    assert who(file.read(), last, NOW) == ""
    for act in (lambda: file.revoke("a"), lambda: file.rotate("a", NOW, 0)):
        with pytest.raises(NotFound, match="has no key"):
            act()


def test_secret_lies_in_the_file(file: KeyFile) -> None:
    said = file.add("a", NOW)
    text = file.path.read_text("utf-8")
    assert said not in text
    assert said.rpartition("_")[2] not in text
    if sys.platform != "win32":
        assert file.path.stat().st_mode & 0o777 == 0o600


def test_change_is_not_seen_or_a_broken_file_lets_in(file: KeyFile) -> None:
    now = KeysNow(file)
    assert now() == {}
    said = file.add("a", NOW)
    assert who(now(), said, NOW) == "a"
    file.revoke("a")
    assert who(now(), said, NOW) == ""
    for wrong in ("", "[]", '{"keys": 7}', '{"keys": {"a": {}}}', "{"):
        file.path.write_text(wrong)
        for _ in range(2):
            with pytest.raises(Stop, match="can't be read"):
                now()


def test_two_at_once_lose_a_key(file: KeyFile) -> None:
    with ThreadPoolExecutor(8) as several:
        list(several.map(lambda n: file.add(f"a{n}", NOW), range(20)))
    assert len(file.read()) == 20


def test_clerk_sees_a_secret_twice_or_gives_one_to_a_stranger(home: Path) -> None:
    said = call(home, "key", "add", "riverton-tenants").ok()
    key = said.out.strip()
    assert key.startswith("ct_riverton-tenants_")
    assert key not in said.err
    new = call(home, "key", "rotate", "riverton-tenants", "--grace", "2", "-o", "json").ok().json()
    listed = call(home, "key", "list").ok()
    (row,) = call(home, "key", "list", "-o", "json").ok().lines()
    assert set(row) == {"agency", "created", "rotated", "old_until"}
    assert row["rotated"] < row["old_until"]
    for text in (listed.out + listed.err, json.dumps(row)):
        assert key[-64:] not in text
        assert new["key"][-64:] not in text
    assert call(home, "key", "revoke", "riverton-tenants").ok().out
    assert call(home, "key", "list", "-o", "json").ok().out == ""
    for words in (
        ("add", "nobody"),
        ("add",),
        ("rotate", "riverton-tenants"),
        ("revoke", "nobody"),
    ):
        wrong = call(home, "key", *words)
        assert (wrong.code, wrong.out) == (2, ""), wrong
        assert "->" in wrong.err
