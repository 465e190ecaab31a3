"""Which versions count, found in one reading of the keys, against the rule word by word."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from confluent_kafka import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from crosstown.backbone.standing import Standing
from crosstown.event.envelope import VIAS

Saying = tuple[str, bytes, int, str]
EVENTS = ["8faea32b-a763-5ed4-a507-24da5388490f", "1dc246d6-12cb-561e-ac3b-a4b43a22410c"]
CONTENTS = [hashlib.sha256(bytes([n])).digest() for n in range(3)]
SAYINGS = st.tuples(
    st.sampled_from(EVENTS), st.sampled_from(CONTENTS), st.integers(-2, 3), st.sampled_from(VIAS[:3])
)  # fmt: skip
LOG = st.lists(st.tuples(SAYINGS, st.booleans(), st.integers(0, 1)), max_size=30)


def _key(one: Saying) -> bytes:
    event, content, known_at, via = one
    return f"{event}:{known_at}:{content.hex()}:{via}".encode()


def _partitions(log: Iterable[tuple[Saying, bool, int]]) -> dict[int, list[tuple[Saying, bool]]]:
    """A key lies in one partition: its event says which."""
    found: dict[int, list[tuple[Saying, bool]]] = {0: [], 1: []}
    for one, dead, _ in log:
        found[EVENTS.index(one[0])].append((one, dead))
    return found


def _standing(log: dict[int, list[tuple[Saying, bool]]], history: bool) -> set[Saying]:
    found = []
    with Standing(sayings=True, history=history) as standing:
        for partition, several in log.items():
            standing.hear([
                Message(topic="accepted", partition=partition, offset=offset, key=_key(one),
                        value=None if dead else b"x")
                for offset, (one, dead) in enumerate(several)
            ])  # fmt: skip
        standing.settle()
        for partition, several in log.items():
            offsets = list(standing.offsets(partition, 0, 1000))
            assert offsets == sorted(set(offsets))
            found += [several[offset][0] for offset in offsets]
    assert len(found) == len(set(found)), "one twice"
    return set(found)


@settings(max_examples=300, deadline=None)
@given(LOG)
def test_another_version_counts_than_by_the_rule(log: list[tuple[Saying, bool, int]]) -> None:
    partitions = _partitions(log)
    alive: dict[Saying, bool] = {}
    for several in partitions.values():
        for one, dead in several:
            alive[one] = not dead
    said = {one for one, lives in alive.items() if lives}
    assert _standing(partitions, history=True) == said
    counting = set()
    for event in {one[0] for one in said}:
        mine = [one for one in said if one[0] == event]
        _, content = max((known_at, content) for _, content, known_at, _ in mine)
        same = [one for one in mine if one[1] == content]
        counting.add(min(same, key=lambda one: (one[2], VIAS.index(one[3]))))
    assert _standing(partitions, history=False) == counting


def test_what_was_erased_comes_back_with_the_history() -> None:
    log = [(b"a", b"1"), (b"b", b"1"), (b"a", None), (b"b", b"2"), (b"a", b"3"), (b"c", None)]
    messages = [Message(topic="t", partition=0, offset=offset, key=key, value=value)
                for offset, (key, value) in enumerate(log)]  # fmt: skip
    for history, wanted in ((False, [3, 4]), (True, [1, 3, 4])):
        with Standing(sayings=False, history=history) as standing:
            standing.hear(messages)
            standing.settle()
            assert list(standing.offsets(0, 0, 100)) == wanted


def test_foreign_key_in_accepted_ends_the_reading() -> None:
    keys = [
        None,
        b"",
        b"a:b",
        b"x:1:zz:hand",
        b"x:one:00:hand",
        b"x:1:00:pigeon",
        b"\xff:1:00:hand",
    ]
    with Standing(sayings=True, history=False) as standing:
        standing.hear(
            [Message(topic="t", partition=0, offset=n, key=key, value=b"x") for n, key in enumerate(keys)]
        )  # fmt: skip
        standing.settle()
        assert list(standing.offsets(0, 0, 100)) == []
        assert standing.foreign == len(keys)
