"""The access log's chains without Kafka: what was changed afterwards is found, and where."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crosstown.audit.export import export, verified
from crosstown.audit.link import BEGINNING, Link, Said, chained, line, read
from crosstown.audit.signing import Signer, signer
from crosstown.audit.topic import Found
from crosstown.audit.verdict import Head, Verdict, verify
from crosstown.errors import NotFound, Refused, Stop
from crosstown.settings import Settings

NOW = 1_795_914_000_000_000
KINDS = ("flip", "delete", "reorder", "truncate", "fork")


def links(who: Signer, chain: str, count: int, dice: random.Random, every: int = 7) -> list[Link]:
    """A chain with a checkpoint in each seventh place."""
    made: list[Link] = []
    prior = BEGINNING
    for number in range(1, count + 1):
        said = Said(
            chain=chain, number=number, at=NOW + number, what="delivery", salt=f"{number:032x}",
            agency=dice.choice(["xx-county-health", "riverton-water"]), agreement="health-sees",
            purpose='Nurses know é " \\ \x07 \u2028 before a visit', way=dice.choice(["http", "sse"]),
            first=number, last=number + 3, count=4,
        )  # fmt: skip
        link = (
            who.checkpoint(prior, Said(chain=chain, number=number, at=NOW, what="checkpoint"))
            if number % every == 0
            else Link.after(prior, said)
        )
        made.append(link)
        prior = link.hash
    return made


def found(*chains: list[Link]) -> list[Found]:
    """As they would lie in the topic, one of each chain in turn."""
    rows = [one for turn in zip(*chains, strict=False) for one in turn]
    rest = [one for chain in chains for one in chain[min(map(len, chains)) :]]
    return [Found(offset, link, b"") for offset, link in enumerate([*rows, *rest])]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return signer(Settings(home=tmp_path_factory.mktemp("ours")))


@pytest.fixture(scope="module")
def whole(ours: Signer, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """A good file's lines, three chains of 40, 21 and 1 links."""
    dice = random.Random(7)
    file = tmp_path_factory.mktemp("whole") / "log.ndjson"
    chains = [links(ours, name, n, dice) for name, n in (("a", 40), ("b", 21), ("c-0", 1))]
    export(found(*chains), file, ours)
    return file.read_bytes().splitlines(keepends=True)


def test_whole_log_is_called_broken(ours: Signer, whole: list[bytes]) -> None:
    said = verify(whole, [ours.public])
    assert said.bad is None
    assert {name: (one.head.number, one.signed_to) for name, one in said.chains.items()} == {
        "a": (40, 35), "b": (21, 21), "c-0": (1, 0),
    }  # fmt: skip
    assert (said.links, said.key, verify(whole).bad) == (62, ours.public, None)


def _flip(lines: list[bytes], dice: random.Random, _: Signer) -> tuple[list[bytes], int]:
    at = dice.randrange(len(lines))
    text = bytearray(lines[at])
    where = dice.randrange(len(text))
    text[where] ^= 1 << dice.randrange(8)
    return b"".join([*lines[:at], bytes(text), *lines[at + 1 :]]).splitlines(keepends=True), at


def _delete(lines: list[bytes], dice: random.Random, _: Signer) -> tuple[list[bytes], int]:
    at = dice.randrange(len(lines))
    return lines[:at] + lines[at + dice.choice([1, 1, 1, 5]) :], at


def _reorder(lines: list[bytes], dice: random.Random, _: Signer) -> tuple[list[bytes], int]:
    one, other = sorted(dice.sample(range(len(lines)), 2))
    changed = list(lines)
    if dice.random() < 0.5:
        changed[one], changed[other] = changed[other], changed[one]
    else:
        changed.insert(one, changed.pop(other))
    return changed, one


def _truncate(lines: list[bytes], dice: random.Random, _: Signer) -> tuple[list[bytes], int]:
    at = dice.randrange(len(lines))
    if dice.random() < 0.5:  # in the middle of a line
        return [*lines[:at], lines[at][: dice.randrange(len(lines[at]))]], at
    return [*lines[:at], *([lines[-1]] if dice.random() < 0.5 and at < len(lines) - 1 else [])], at


def _fork(lines: list[bytes], dice: random.Random, forger: Signer) -> tuple[list[bytes], int]:
    """From some link on another history, hashed as it should be, signed by somebody else.

    Half of the time with the old link beside the new one.
    """
    at = dice.randrange(1, len(lines) - 1)
    changed = list(lines)
    row = json.loads(lines[at])
    said = read(row["said"])
    told = Link.after(row["prior"], replace(said, agency="nobody", what="delivery"))
    rows, prior = [told], told.hash
    for text in lines[at + 1 : -1]:
        after = read(json.loads(text)["said"])
        if after.chain != said.chain:
            break
        link = (forger.checkpoint(prior, after) if after.what == "checkpoint"
                else Link.after(prior, after))  # fmt: skip
        rows.append(link)
        prior = link.hash
    new = [line({"hash": r.hash, "prior": r.prior, "said": r.said.fields}) + b"\n" for r in rows]
    beside = [lines[at]] if dice.random() < 0.5 else []
    changed[at : at + len(rows)] = beside + new
    return changed, at


TAMPER: dict[str, Callable[[list[bytes], random.Random, Signer], tuple[list[bytes], int]]] = {
    "flip": _flip, "delete": _delete, "reorder": _reorder, "truncate": _truncate, "fork": _fork,
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_tampering_is_not_found(
    kind: str, ours: Signer, whole: list[bytes], tmp_path: Path
) -> None:
    """200 of each kind; the first bad line is named: never one before what was done."""
    forger = signer(Settings(home=tmp_path))
    dice = random.Random(kind)
    seen = 0
    while seen < 200:
        changed, at = TAMPER[kind](whole, dice, forger)
        if changed == whole:
            continue
        seen += 1
        bad = verify(changed, [ours.public]).bad
        assert bad is not None, (kind, seen, at)
        assert bad.line >= at + 1, (kind, seen, at, bad)
        row = json.loads(whole[at]) if 0 < at < len(whole) - 1 else {}
        of = row.get("said", {"chain": "", "number": 0})
        if kind in ("delete", "truncate") and row:
            named = (bad.chain, bad.number) == (of["chain"], of["number"])
            assert named or bad.line == at + 1, (at, bad)
        elif kind == "reorder":  # another chain's first link isn't wrong yet where it stands
            assert bad.line <= at + 2, (at, bad)
        elif kind == "flip":  # an end of a line that became another byte joins it with the next
            assert bad.line == at + 1, (at, bad)
        elif kind == "fork":
            assert bad.chain == of["chain"]
            signed = "of its links" in bad.why  # behind the last checkpoint only the end tells
            assert bad.number <= of["number"] if signed else bad.line <= at + 9, bad


def test_wrong_link_is_named_too_late(ours: Signer, whole: list[bytes]) -> None:
    """What only one of the checks can name; each would be found at the signed end at the latest."""

    def bad_line(at: int, *new: bytes) -> int | None:
        bad = verify([*whole[:at], *new, *whole[at + 1 :]], [ours.public]).bad
        return bad and bad.line

    row = json.loads(whole[3])
    told = Link.after(row["prior"], replace(read(row["said"]), agency="nobody"))
    hashed = line({"hash": told.hash, "prior": told.prior, "said": told.said.fields}) + b"\n"
    assert bad_line(3, hashed) == 5, "the next one doesn't follow it"
    assert bad_line(3, whole[3].replace(b'":', b'": ', 1)) == 4, "written otherwise"
    assert bad_line(3, whole[3], whole[3]) == 5, "twice"
    assert bad_line(len(whole) - 1, whole[-1], whole[-1]) == len(whole) + 1, "behind the end"
    closed = {"chain": "a", "closed": told.said.digest, "hash": row["hash"], "number": 3,
              "prior": row["prior"]}  # fmt: skip
    closed["closed"] = read(row["said"]).digest
    assert bad_line(3, line(closed) + b"\n") == len(whole), (
        "closed by somebody else than who signed"
    )


def test_number_is_left_out_by_the_owner_of_the_key(ours: Signer, tmp_path: Path) -> None:
    made = links(ours, "a", 3, random.Random(1))
    skips = Link.after(made[-1].hash, replace(made[-1].said, number=5))
    export(found([*made, skips]), tmp_path / "log", ours)
    bad = verified(tmp_path / "log", [ours.public]).bad
    assert bad is not None
    assert (bad.chain, bad.number, bad.line) == ("a", 4, 5)


def test_chains_stand_in_another_order_than_was_signed(ours: Signer, whole: list[bytes]) -> None:
    first = [one for one in whole if b'"chain":"a"' in one and b'"said"' in one]
    second = [one for one in whole if b'"chain":"b"' in one and b'"said"' in one]
    bad = verify([whole[0], *second, *first, *whole[62:]], [ours.public]).bad
    assert bad is not None
    assert (bad.chain, bad.number, bad.line) == ("a", 1, 23)


def test_everything_is_signed_anew_by_somebody_else(
    ours: Signer, whole: list[bytes], tmp_path: Path
) -> None:
    forger = signer(Settings(home=tmp_path))
    file = tmp_path / "forged"
    export(found(links(forger, "a", 40, random.Random(1))), file, forger)
    forged = file.read_bytes().splitlines(keepends=True)
    assert verify(forged).bad is None, "it names a key of its own; that proves nothing"
    bad = verify(forged, [ours.public]).bad
    assert (bad and bad.line) == 1
    own_key = [whole[0], *forged[1:]]
    assert (found_bad := verify(own_key, [ours.public]).bad)
    assert "signature" in found_bad.why
    assert found_bad.number == 7


def test_owner_of_the_key_rewrites_what_others_have_seen(
    ours: Signer, whole: list[bytes], tmp_path: Path
) -> None:
    """The key's owner can sign anything; who kept an earlier file finds it all the same."""
    earlier = verify(whole, [ours.public]).heads
    dice = random.Random(7)
    shorter = [links(ours, name, n, dice) for name, n in (("a", 30), ("b", 21), ("c-0", 1))]
    another = [links(ours, name, n, random.Random(8)) for name, n in (("a", 50), ("b", 21), ("c-0", 1))]  # fmt: skip
    longer = [links(ours, name, n, dice) for name, n in (("b", 21),)]
    file = tmp_path / "later"

    def said(chains: list[list[Link]]) -> Verdict:
        export(found(*chains), file, ours)
        return verified(file, [ours.public], earlier)

    bad = said(shorter).bad
    assert bad is not None
    assert (bad.chain, bad.number) == ("a", 31)
    bad = said(another).bad
    assert bad is not None
    assert (bad.chain, bad.number) == ("a", 40)
    assert "fork" in bad.why
    bad = said(longer).bad
    assert bad is not None
    assert bad.chain == "b", "whose link 21 is another one now"
    kept = {"a": Head(35, json.loads(whole[35])["hash"])}
    assert verify(whole, [ours.public], kept).bad is None


def test_party_sees_others_deliveries_or_cannot_check(ours: Signer, tmp_path: Path) -> None:
    """What isn't the party's own stands there as a digest, and the chain still holds."""
    file = tmp_path / "party"
    chain = links(ours, "a", 40, random.Random(7))
    export(found(chain), file, ours, lambda said: said.agency == "riverton-water")
    text = file.read_text("utf-8")
    assert "riverton-water" in text
    assert "xx-county-health" not in text
    said = verified(file, [ours.public])
    assert said.bad is None
    assert 0 < said.chains["a"].closed < 40
    lines = file.read_bytes().splitlines(keepends=True)
    at = next(i for i, one in enumerate(lines) if b'"closed"' in one)
    row = json.loads(lines[at])
    row["closed"] = "0" * 64
    lines[at] = line(row) + b"\n"
    bad = verify(lines, [ours.public]).bad
    assert bad is not None
    assert bad.line == at + 1
    salts = {one.said.salt for one in chain if one.said.what == "delivery"}
    assert len(salts) == 35, "without a salt of its own a closed entry could be guessed"


def test_nobody_else_can_check_it(whole: list[bytes]) -> None:
    """Each hash is made with sha256sum alone, from the line's own bytes."""
    text = whole[3].decode()
    row = json.loads(text)
    said = text[text.index('"said":') + len('"said":') : -2]

    def sha256sum(what: str) -> str:
        done = subprocess.run(["sha256sum"], input=what.encode(), capture_output=True, check=True)
        return done.stdout.decode().split()[0]

    assert sha256sum(row["prior"] + sha256sum(said)) == row["hash"]
    assert json.loads(whole[2])["hash"] == row["prior"]


def test_form_has_changed_unseen() -> None:
    said = Said(chain="gateway-0", number=1, at=NOW, what="delivery", agency="riverton-water",
                agreement="water", purpose="É", way="http", first=3, last=5, count=2,
                salt="00" * 16)  # fmt: skip
    assert line(said.fields).decode() == (
        '{"agency":"riverton-water","agreement":"water","at":"2026-11-29T01:00:00.000000Z",'
        '"chain":"gateway-0","count":2,"first":3,"key":"","last":5,"number":1,"purpose":"É",'
        '"salt":"00000000000000000000000000000000","signature":"","way":"http","what":"delivery"}'
    )
    link = Link.after(BEGINNING, said)
    assert link.hash == chained(BEGINNING, said.digest)
    assert link.hash == "a7cb7268640987ca3ef6a548cd27593997119252e59aaebe875cde13fc2040e3"


@pytest.mark.parametrize(
    "text",
    [
        b"", b"\n", b"[]\n", b"null\n", b"{}\n", b"\xff\n", b"[" * 15_000 + b"\n",
        b'{"access_log":1,"key":7}\n', b'{"access_log":2,"key":"' + b"0" * 64 + b'"}\n',
        b'{"a":NaN}\n', b'{"a":1e999}\n', b'{"a":"\\ud800"}\n', b"x" * 30_000,
        b'{"a":' + b"9" * 5_000 + b"}\n",
    ],
)  # fmt: skip
def test_garbage_ends_it(text: bytes, whole: list[bytes], tmp_path: Path) -> None:
    for at in (0, 1, 5, len(whole)):
        lines = [*whole[:at], *([text] if text else []), *whole[at + 1 :]]
        if lines != whole:
            assert verify(lines).bad is not None
    file = tmp_path / "garbage"
    file.write_bytes(text)
    assert verified(file).bad is not None


def test_end_that_a_stranger_signed_for_himself_ends_it(tmp_path: Path) -> None:
    """A file may name any key: whatever its holder signed is still looked at."""
    who = signer(Settings(home=tmp_path))
    head = line({"access_log": 1, "key": who.public}) + b"\n"
    ends: list[Any] = [None, 3, "x", [], {}, {"chains": []}, {"chains": {"a": 3}, "sha256": 1, "made": 2},
                {"chains": {"a": {"links": None, "hash": []}}, "sha256": "", "made": ""}]  # fmt: skip
    for end in ends:
        text = line({"end": end, "signature": who.sign(line(end))}) + b"\n"
        assert verify([head, text]).bad is not None, end


def test_broken_key_is_a_stack_trace(tmp_path: Path) -> None:
    (tmp_path / "audit.key").write_text("no key")
    with pytest.raises(Stop, match="64 hex digits"):
        signer(Settings(home=tmp_path))
    with pytest.raises(NotFound, match="no file"):
        verified(tmp_path / "none")
    with pytest.raises(Stop, match="can't be read"):
        verified(tmp_path)
    with pytest.raises(Stop, match="can't be written"):
        export([], tmp_path / "no" / "where", signer(Settings(home=tmp_path, audit_key="00" * 32)))  # type: ignore[arg-type]


def test_what_cannot_stand_in_the_log_is_taken() -> None:
    good = Said(chain="a", number=1, at=NOW, what="delivery", first=1, last=2, count=1).fields
    assert read(good).first == 1
    for change in ({"first": -1}, {"first": 3}, {"count": 1 << 60}, {"count": True}, {"agency": 1},
                   {"purpose": "\ud800"}, {"what": "else"}, {"at": "yesterday"}, {"more": 1}):  # fmt: skip
        with pytest.raises(Refused):
            read(good | change)
