"""Feeds against what the plan says of the whole set: any order, said twice, any batches, any restarts."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from feed_sayings import (
    INSPECTIONS,
    JUNE,
    LINKS,
    NOTES,
    REQUESTS,
    agreement,
    erase,
    link,
    say,
    window,
)
from feeds_oracle import DAY, Saying, Under, expected
from riverton_said import REPOSITORY
from sharing_said import KEY, NOW, SECRET, Installation, consent, message, schema_text

from crosstown.agreements.agreement import Agreement
from crosstown.agreements.words import standing
from crosstown.erasure.erasures import Erasures
from crosstown.errors import Unavailable
from crosstown.event.envelope import VIAS
from crosstown.feeds.sharing import Sharing

RECORDS = [f"{agency}/r/{n}" for agency in ("riverton-311", "riverton-housing") for n in (1, 2, 3)]


def under(terms: Agreement, wanted: Any = lambda _e, _body: True) -> Under:
    held = standing(terms, consent(terms), NOW)
    assert held.holds
    return Under(terms, wanted, JUNE, held.ends)


ALL = ["agency", "type", "step", "occurred_at", "due_at", "jurisdiction", "place", "area", "concern",
       "to_agency", "channel", "refs", "headline", "flags", "known_at", "via"]  # fmt: skip
BOTH = [{"contract": REQUESTS, "payload": ["topic_text", "occurred_at"]},
        {"contract": INSPECTIONS, "payload": ["outcome_text"]}]  # fmt: skip
UNDER = [
    under(agreement("all-events", contracts=BOTH, envelope=ALL, jurisdictions=["us-xx"])),
    under(agreement("records", identifiers="records", envelope=["step", "refs"],
                    filter='step in ["REPORTED", "CLOSED"] && payload.topic_text == "Heat"'),
          lambda e, body: e.step in ("REPORTED", "CLOSED") and body["topic_text"] == "Heat"),
    under(agreement("coarse", contracts=BOTH, envelope=["step", "occurred_at", "place", "known_at"],
                    coarser={"place": "area", "times": "month"}, filter='place != ""'),
          lambda e, _body: e.place != ""),
    under(agreement("bare", contracts=[{"contract": INSPECTIONS}])),
    under(agreement("lines", gives="timelines", contracts=[*BOTH, {"contract": LINKS}], envelope=ALL,
                    jurisdictions=["us-xx"])),
    under(agreement("lines-of-heat", gives="timelines", contracts=BOTH, identifiers="records",
                    envelope=["step", "occurred_at", "concern", "place"], coarser={"times": "day"},
                    filter='concern == "heat" && step != "NOTE"'),
          lambda e, _body: e.concern == "heat" and e.step != "NOTE"),
    under(agreement("lines-bare", gives="timelines", providers=["riverton-311"],
                    stewards={"riverton-311": "A", "xx-county-health": "B"})),
]  # fmt: skip
TERMS = [one.agreement for one in UNDER]


def erased_by(history: Sequence[Saying]) -> set[str]:
    """Records that stand erased and aren't held, by the rule of versions."""
    found = set()
    for record in RECORDS:
        stands = {}
        for kind in ("record.erased", "record.held"):
            words = [
                ((s.envelope.known_at, message(s.contract, s.envelope, s.payload)[1].split(b":")[2]), s)
                for s in history
                if s.envelope.type == kind and s.envelope.record.endswith(KEY.name(record))
            ]  # fmt: skip
            stands[kind] = (
                bool(words) and max(words, key=lambda w: w[0])[1].envelope.step != "WITHDRAWN"
            )
        if stands["record.erased"] and not stands["record.held"]:
            found.add(record)
    return found


def saying(dice: random.Random) -> Saying:
    return say(
        dice.choice(RECORDS), dice.choice((-30, -1, 0, 10, 20, 49, 60, 100, 120, 800)),
        dice.choice((*[REQUESTS] * 4, *[INSPECTIONS] * 4, NOTES)), kind=dice.choice(("seen", "done")),
        step=dice.choice(("REPORTED", "REPORTED", "NOTE", "CLOSED", "WITHDRAWN", "ASSIGNED")),
        place=dice.choice(("", "p:1", "p:1", "p:2")), concern=dice.choice((*["heat"] * 5, "noise", "")),
        refs=dice.sample([*RECORDS, "z/r/9"], dice.choice((0, 0, 1, 2))),
        known_at=dice.choice((-1, 0, 0, 1, 2, 3)), via=dice.choice(VIAS),
        jurisdiction=dice.choice((*["us-xx-riverton"] * 6, "us-xx-eastvale", "us-ma-boston")),
        text=dice.choice(("Heat", "Mold")), area=dice.choice(("", "Old Town")),
    )  # fmt: skip


def people(dice: random.Random) -> Saying:
    kind, step = (
        dice.choice(("asserted", "separated", "apart")),
        dice.choice(("OTHER", "OTHER", "WITHDRAWN")),
    )
    agency = dice.choice(("riverton-311", "xx-county-health"))
    records = dice.sample(RECORDS, 1 if kind == "apart" else 2)
    return link(agency, kind, records, dice.randrange(-1, 4), step)


def erasure(dice: random.Random) -> Saying:
    kind, step = (
        dice.choice(("erased", "erased", "held")),
        dice.choice(("OTHER", "OTHER", "WITHDRAWN")),
    )
    return erase(dice.choice(RECORDS[:2]), dice.randrange(4), step, f"record.{kind}")


def again(said: Saying, dice: random.Random) -> Saying:
    """The same content, said at another time or in another way."""
    how: dict[str, Any] = {
        "known_at": JUNE + dice.choice((-1, 0, 1, 2, 3)) * DAY,
        "via": dice.choice(VIAS),
    }
    return replace(said, envelope=replace(said.envelope, **how))


def history_of(seed: int) -> list[Saying]:
    """Some sayings, of few records at few times, so that they meet; each third says one again."""
    dice = random.Random(seed)
    kinds = [saying] * 12 + [people] * 2 + [erasure] * dice.choice((0, 1, 2))
    said: list[Saying] = []
    for _ in range(dice.choice((3, 10, 25, 60))):
        repeats = bool(said) and dice.random() < 0.3
        said.append(again(dice.choice(said), dice) if repeats else dice.choice(kinds)(dice))
    return said


def check(installation: Installation, history: Sequence[Saying]) -> None:
    erased = erased_by(history)
    for one in UNDER:
        must = expected(history, one, SECRET, REPOSITORY.agencies.chain, window, erased)
        assert installation.known(one.agreement.id) == must, one.agreement.id


def run(history: Sequence[Saying], dice: random.Random) -> Installation:
    """Say a history in any order, parts of it twice, in batches of any size, with restarts and halts.

    The agreements are accepted before, meanwhile or after.
    """
    one = Installation(dice.sample(TERMS, len(TERMS)), window, dice.randrange(1 << 32))
    left = dice.sample(history, len(history))
    left += dice.sample(left, dice.randrange(len(left) + 1))
    waiting = list(TERMS) if dice.random() < 0.5 else []
    for terms in () if waiting else TERMS:
        one.accept(terms)
    while left:
        size = dice.choice((1, 2, 5, 50))
        for said in left[:size]:
            one.say(message(said.contract, said.envelope, said.payload))
        del left[:size]
        if waiting and dice.random() < 0.5:
            one.accept(waiting.pop())
        match dice.randrange(6):
            case 0 | 1:
                one.hand_out(dice.randrange(25))
            case 2:
                one.hand_out(dice.randrange(25))
                one.restart()
            case 3:
                pass
            case _:
                one.hand_out()
    for terms in waiting:
        one.accept(terms)
    one.hand_out()
    return one


@pytest.mark.parametrize("part", range(10))
def test_a_receiver_knows_something_else_than_was_agreed(part: int) -> None:
    compare(range(part * 40, part * 40 + 40))


@pytest.mark.long
def test_a_receiver_knows_something_else_after_one_of_thousands_of_histories() -> None:
    compare(range(400, 5_000))


def compare(seeds: Iterable[int]) -> None:
    for seed in seeds:
        history = history_of(seed)
        one = run(history, random.Random(seed))
        check(one, history)
        before = {name: r.number for name, r in one.receivers.items()}
        one.restart()
        one.hand_out()
        assert {name: r.number for name, r in one.receivers.items()} == before, "told again"


def test_what_is_erased_comes_back_when_its_bytes_are_gone() -> None:
    """Tombstones follow an erasure; then the log holds no more of it, for whoever starts anew."""
    swept_any = False
    for seed in range(100):
        history = history_of(seed)
        one = run(history, random.Random(seed))
        erased = erased_by(history)
        swept = {
            message(s.contract, s.envelope, s.payload)[1] for s in history
            if s.envelope.record in erased
            or (s.envelope.type.startswith("link.") and set(s.envelope.refs) & erased)
        }  # fmt: skip
        swept_any = swept_any or bool(swept)
        for key in sorted(swept):
            one.say(("", key, None))
        one.hand_out()
        check(one, history)
        one.log = [said for said in one.log if said[1] not in swept]
        one.restart()
        one.hand_out()
        check(one, history)
    assert swept_any


def test_what_was_to_be_told_while_the_registry_was_away_is_never_told() -> None:
    terms = agreement("heat", contracts=[{"contract": REQUESTS, "payload": ["topic_text"]}])
    away = 4

    def text(schema_id: int) -> str:
        nonlocal away
        if away:
            away -= 1
            raise Unavailable("the registry is away")
        return schema_text(schema_id)

    sharing = Sharing(REPOSITORY, SECRET, Erasures(KEY), window, text)
    sharing.terms([terms])
    for word in consent(terms):
        sharing.word(word)
    for number in range(6):
        one = say(f"riverton-311/r/{number}", number, REQUESTS)
        sharing.say(*message(one.contract, one.envelope, one.payload))
    told = []
    for _ in range(8):
        try:
            told += list(sharing.outputs(NOW))
        except Unavailable:
            continue
    assert [one.number for one in told] == [1, 2, 3, 4, 5, 6]
