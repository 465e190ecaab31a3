"""What parties have asked of one another, and whether it was answered.

Pure. A request names the agreement that is asked for; it is answered by the first word of the party that
was asked on that agreement, and lapses without one. Source of the rules: docs/decisions/0023.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from crosstown.agreements.words import DAY, LAPSES_DAYS, Word

Answer = Literal["open", "accepted", "declined", "lapsed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request: `party` asks `of` for the agreement; times are microseconds UTC, 0: not yet."""

    agreement: str
    party: str
    of: str
    by: str
    because: str
    asked_at: int
    answer: Answer
    answered_at: int
    answer_because: str
    lapses_at: int


def requests(words: Iterable[Word], now: int) -> list[Request]:
    """All that was asked up to `now`, oldest first.

    A later request of the same party for the same agreement is one of its own.
    """
    said = sorted((w for w in words if w.said_at <= now), key=lambda w: (w.said_at, w.key))
    found = []
    for n, one in enumerate(said):
        if one.word == "requested":
            lapses = one.said_at + LAPSES_DAYS * DAY
            answer = next((w for w in said[n + 1 :] if _answers(w, one, lapses)), None)
            found.append(_request(one, answer, lapses, now))
    return found


def _answers(word: Word, asked: Word, lapses: int) -> bool:
    """Whether a word answers a request; what comes after it has lapsed is no answer any more."""
    return (
        word.agreement == asked.agreement and word.party == asked.of
        and word.word in ("accepted", "declined") and word.said_at < lapses
    )  # fmt: skip


def _request(asked: Word, answer: Word | None, lapses: int, now: int) -> Request:
    state: Answer = "lapsed" if now >= lapses else "open"
    if answer is not None:
        state = "accepted" if answer.word == "accepted" else "declined"
    return Request(
        agreement=asked.agreement, party=asked.party, of=asked.of, by=asked.by,
        because=asked.because, asked_at=asked.said_at, answer=state,
        answered_at=answer.said_at if answer else lapses if state == "lapsed" else 0,
        answer_because=answer.because if answer else "", lapses_at=lapses,
    )  # fmt: skip
