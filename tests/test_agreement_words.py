"""Where an agreement stands by what parties said, and what becomes of what they ask one another."""

from __future__ import annotations

import datetime as dt
from itertools import permutations
from typing import Any, Final

import pytest

from crosstown.agreements.agreement import HANDSHAKE_DAYS, Agreement
from crosstown.agreements.differences import accepted_before, differences
from crosstown.agreements.requests import requests
from crosstown.agreements.words import (
    DAY,
    LAPSES_DAYS,
    Word,
    delete_by,
    missing,
    shared_since,
    standing,
)

HAND: Final = Agreement.model_validate({
    "id": "a-hand", "kind": "handshake", "providers": ["one", "two"], "receiver": "three",
    "stewards": {"one": "Ann", "two": "Bo", "three": "Cy"}, "purpose": "So that they know it.",
    "gives": "events", "contracts": [{"contract": "one/things", "payload": ["what"]}],
    "envelope": ["type"], "jurisdictions": ["here"], "delete_within_days": 7,
})  # fmt: skip
FORMAL: Final = Agreement.model_validate({
    **HAND.model_dump(mode="json"), "id": "a-law", "kind": "agreement", "start": "1970-01-11",
    "end": "1970-02-10", "basis": {"law": "An act of somebody.", "document": "x", "sha256": "0" * 64,
                                   "redisclosure": "To nobody at all."},
})  # fmt: skip


def word(party: str, day: float, said: str = "accepted", of: Agreement = HAND, **more: Any) -> Word:
    terms = {"terms": of.terms, "text": of.text} if said == "accepted" else {"terms": of.terms}
    return Word(agreement=of.id, word=said, party=party, by="x", said_at=round(day * DAY),  # type: ignore[arg-type]
                **{**terms, **more})  # fmt: skip


def everyone(day: float, of: Agreement = HAND) -> list[Word]:
    return [word(party, day + n, of=of) for n, party in enumerate(of.parties)]


def state(words: list[Word], day: float, of: Agreement = HAND) -> str:
    return standing(of, words, round(day * DAY)).state


def test_a_handshake_holds_without_somebody_or_longer_than_its_days() -> None:
    words = everyone(1)
    assert [state(words[:n], 5) for n in range(4)] == ["waits", "waits", "waits", "in force"]
    assert (state(words, 2.9), state(words, 3)) == ("waits", "in force")
    assert (state(words, 3 + HANDSHAKE_DAYS - 0.1), state(words, 3 + HANDSHAKE_DAYS)) == (
        "in force",
        "expired",
    )
    for order in permutations(words):
        assert state(list(order), 5) == "in force"


def test_one_party_alone_prolongs_a_handshake() -> None:
    words = everyone(1)
    again = [word("three", 50), word("three", 60)]
    assert state([*words, *again], 3 + HANDSHAKE_DAYS) == "expired"
    assert missing(HAND, [*words, *again]) == ("one", "two")
    held = [*words, *again, word("two", 70), word("one", 80)]
    assert (state(held, 3 + HANDSHAKE_DAYS), state(held, 80 + HANDSHAKE_DAYS)) == (
        "in force",
        "expired",
    )
    assert standing(HAND, held, 100 * DAY).begins == 3 * DAY
    late = [*words, *everyone(200)]
    assert standing(HAND, late, 203 * DAY).begins == 202 * DAY  # what was said between isn't shared
    assert shared_since(HAND, standing(HAND, late, 203 * DAY)) == 202 * DAY


def test_what_counts_for_nothing_prolongs_a_handshake() -> None:
    words = everyone(1)
    assert missing(HAND, [word("four", 0.5), *words]) == HAND.parties
    changed = HAND.model_copy(update={"envelope": ("type", "place")})
    again = [word("one", 50, of=changed), word("two", 51), word("three", 52)]
    assert state([*words, *again], 3 + HANDSHAKE_DAYS) == "expired"


def test_changed_terms_flow_before_all_have_accepted_them() -> None:
    changed = HAND.model_copy(update={"envelope": ("type", "place")})
    words = everyone(1)
    stands = standing(changed, words, 5 * DAY)
    assert (stands.state, "changed" in stands.why) == ("waits", True)
    words += [word(party, 6, of=changed) for party in ("one", "three")]
    assert state(words, 7, changed) == "waits"
    assert missing(changed, words) == ("two",)
    assert state([*words, word("two", 8, of=changed)], 9, changed) == "in force"
    assert accepted_before(changed, words) == HAND


def test_a_revocation_can_be_undone_or_waits_for_a_clock() -> None:
    words = [*everyone(1), word("two", 5, "revoked")]
    assert (state(words, 5), state([*words, *everyone(6)], 10)) == ("revoked", "revoked")
    assert state([*everyone(1), word("two", 500, "revoked")], 5) == "revoked"
    changed = HAND.model_copy(update={"purpose": "Something else altogether."})
    assert state([*words, *everyone(6, changed)], 10, changed) == "revoked"


def test_somebody_elses_word_counts() -> None:
    words = everyone(1)
    assert state([*words, word("four", 2, "revoked")], 5) == "in force"
    assert state([*words[:2], word("four", 3)], 5) == "waits"
    assert state([*words, word("four", 50)], 3 + HANDSHAKE_DAYS) == "expired"
    other = HAND.model_copy(update={"id": "another"})
    assert state([*words[:2], word("three", 3, of=other)], 5) == "waits"


def test_a_declined_agreement_still_waits_or_can_never_be_accepted() -> None:
    words = [*everyone(1)[:2], word("three", 4, "declined", because="no")]
    assert state(words, 5) == "declined"
    assert state([*words, word("three", 6)], 7) == "in force"
    changed = HAND.model_copy(update={"purpose": "Something else altogether."})
    assert state(words, 5, changed) == "waits"


def test_a_formal_agreement_holds_before_or_after_its_days() -> None:
    words = everyone(1, FORMAL)
    assert [state(words, day, FORMAL) for day in (2, 9, 10, 39.9, 40)] == [
        "waits", "not begun", "in force", "in force", "expired",
    ]  # fmt: skip
    late = everyone(20, FORMAL)
    assert state(late, 22, FORMAL) == "in force"
    assert shared_since(FORMAL, standing(FORMAL, late, 22 * DAY)) == 10 * DAY
    assert missing(FORMAL, words) == ()


def test_a_receiver_is_told_the_wrong_day_by_which_it_deletes() -> None:
    words = everyone(1, FORMAL)
    assert delete_by(FORMAL, standing(FORMAL, words, 20 * DAY)) == 0
    assert delete_by(FORMAL, standing(FORMAL, words, 50 * DAY)) == 47 * DAY
    ended = [*words, word("one", 15, "revoked", of=FORMAL)]
    assert delete_by(FORMAL, standing(FORMAL, ended, 20 * DAY)) == 22 * DAY
    keeps = FORMAL.model_copy(update={"delete_within_days": None})
    assert delete_by(keeps, standing(keeps, ended, 20 * DAY)) == 0


def test_what_is_not_said_changes_the_terms() -> None:
    said = HAND.model_dump(mode="json", exclude_defaults=True)
    assert Agreement.model_validate(said).terms == HAND.terms
    assert Agreement.model_validate(HAND.model_dump(mode="json")).terms == HAND.terms
    assert HAND.terms == "f792d5158ee37892b4422c43ea730ae994c6e5b96cc6d74e2b0526b0650b12a4"
    seen = {HAND.terms}
    for name, value in {
        "purpose": "So that they know all.", "gives": "timelines", "envelope": ("type", "step"),
        "identifiers": "records", "filter": 'step == "NOTE"', "jurisdictions": ("there",),
        "since": dt.date(2026, 1, 1), "fresh_minutes": 4.0, "delete_within_days": 8,
        "stewards": {"one": "Ann", "two": "Bo", "three": "Di"},
    }.items():  # fmt: skip
        seen.add(HAND.model_copy(update={name: value}).terms)
    assert len(seen) == 11


def test_a_request_is_answered_by_the_wrong_party_or_too_late() -> None:
    asked = Word(agreement="leaks", word="requested", party="three", by="x", said_at=DAY, of="one")

    def answer(*words: Word, day: float = 5) -> tuple[str, int]:
        (one,) = requests([*words, asked], round(day * DAY))
        return one.answer, one.answered_at

    def said(party: str, day: float, what: str = "declined", agreement: str = "leaks") -> Word:
        return Word(agreement=agreement, word=what, party=party, by="y", said_at=round(day * DAY))  # type: ignore[arg-type]

    lapses = 1 + LAPSES_DAYS
    assert requests([asked], 0) == []
    assert answer() == ("open", 0)
    assert answer(said("two", 2), said("three", 2), said("one", 0.5)) == ("open", 0)
    assert answer(said("one", 2, agreement="others")) == ("open", 0)
    assert answer(said("one", 2)) == ("declined", 2 * DAY)
    assert answer(said("one", 3), said("one", 2, "accepted")) == ("accepted", 2 * DAY)
    assert answer(said("one", 9)) == ("open", 0)  # not said yet
    assert answer(day=lapses - 0.1) == ("open", 0)
    assert answer(said("one", lapses), day=40) == ("lapsed", lapses * DAY)


def test_a_difference_is_not_told_or_told_of_the_wrong_one() -> None:
    after = FORMAL.model_copy(update={
        "envelope": ("step",), "jurisdictions": ("here", "there"), "filter": "true",
        "contracts": (FORMAL.contracts[0].model_copy(update={"payload": ("who",)}),),
        "stewards": {"one": "Ann", "two": "Bo", "three": "Di"},
    })  # fmt: skip
    told = [(one.who, one.verb, one.what) for one in differences(FORMAL, after)]
    assert told == [
        ("three", "gains", "step of the envelope"), ("three", "loses", "type of the envelope"),
        ("three", "gains", "who of one/things"), ("three", "loses", "what of one/things"),
        ("three", "gains", "what is of there"), ("three", "changes", "filter"),
        ("three", "changes", "steward"),
    ]  # fmt: skip
    assert differences(FORMAL, FORMAL) == []
    other = HAND.model_copy(
        update={"receiver": "four", "stewards": {"one": "Ann", "two": "Bo", "four": "Cy"}}
    )
    assert [(one.who, one.verb) for one in differences(HAND, other)][:2] == [
        ("three", "loses"),
        ("four", "gains"),
    ]


@pytest.mark.parametrize("name", [
    name for name in Agreement.model_fields if name not in ("id", "providers", "receiver", "quiet_days")
])  # fmt: skip
def test_a_difference_in_a_part_is_passed_over(name: str) -> None:
    others: dict[str, Any] = {
        "kind": "agreement", "stewards": {"one": "Ann", "two": "Bo", "three": "Di"},
        "purpose": "So that they know all.", "gives": "timelines", "envelope": ("step",),
        "contracts": (), "identifiers": "records", "filter": "true", "jurisdictions": ("there",),
        "coarser": HAND.coarser.model_copy(update={"times": "day"}), "since": dt.date(2026, 1, 1),
        "start": dt.date(2026, 1, 1), "end": dt.date(2026, 1, 1), "fresh_minutes": 4.0,
        "delivery": HAND.delivery.model_copy(update={"ways": ("kafka",)}), "basis": FORMAL.basis,
        "delete_within_days": 8,
    }  # fmt: skip
    assert differences(HAND, HAND.model_copy(update={name: others[name]}))


def test_a_revocation_goes_with_the_party_that_is_left_out_afterwards() -> None:
    """`two` revokes, then the file names `one` alone and the parties that are left accept."""
    alone = Agreement.model_validate({
        **HAND.model_dump(mode="json"), "providers": ["one"], "stewards": {"one": "Ann", "three": "Cy"},
    })  # fmt: skip
    words = [*everyone(1), word("two", 5, "revoked"), *everyone(6, alone)]
    for order in (words, words[::-1]):
        assert state(order, 9, alone) == "revoked"
    assert state([*everyone(1), word("nobody", 5, "revoked"), *everyone(6, alone)], 9, alone) == "in force"  # fmt: skip
    claims = word("nobody", 2, of=HAND)
    assert state([*everyone(1), claims, word("nobody", 5, "revoked")], 9) == "in force"
    foreign = [
        word("two", 2, text=text) for text in ("[", "[]", "{}", '{"providers": 7}', "[" * 9_000)
    ]
    assert state([*everyone(1), *foreign], 9) == "in force"


def test_another_receiver_gets_what_was_said_for_the_first() -> None:
    other = Agreement.model_validate({
        **HAND.model_dump(mode="json"), "receiver": "four",
        "stewards": {"one": "Ann", "two": "Bo", "four": "Di"},
    })  # fmt: skip
    found = standing(other, [*everyone(1), *everyone(6, other)], 20 * DAY)
    assert (found.state, "was three" in found.why) == ("waits", True)
    assert state([word("one", 1), *everyone(6, other)], 20, other) == "in force", "it never held"
