"""What parties say of agreements (asked, accepted, declined, revoked), and where one stands by it.

Pure. The words lie in the topic `agreements`, each under a key of its own, kept for ever; the order in
which they are read changes nothing. Source of the rules: docs/decisions/0023.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

from crosstown.agreements.agreement import HANDSHAKE_DAYS, Agreement

DAY: Final = 86_400_000_000
LAPSES_DAYS: Final = 30
"""After so many days a request that nobody has answered has lapsed."""
State = Literal["waits", "not begun", "in force", "expired", "revoked", "declined"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word of one party; `said_at` is microseconds UTC, `terms` the terms that are accepted."""

    agreement: str
    word: Literal["requested", "accepted", "declined", "revoked"]
    party: str
    by: str
    said_at: int
    terms: str = ""
    because: str = ""
    of: str = ""
    """Of whom something is requested."""
    text: str = ""
    """The terms that are accepted, themselves, as JSON: what was accepted can be read when the file is gone."""

    @property
    def key(self) -> bytes:
        """Its key in the topic: no two words share one."""
        return f"{self.agreement}:{self.said_at}:{self.word}:{self.party}".encode()


class Standing(NamedTuple):
    """Where an agreement stands now; `begins` and `ends` are microseconds UTC, 0 where not known yet."""

    state: State
    why: str
    begins: int
    ends: int

    @property
    def holds(self) -> bool:
        """Whether anything may flow."""
        return self.state == "in force"


def standing(agreement: Agreement, words: Iterable[Word], now: int) -> Standing:
    """Where an agreement stands at `now`, by all that was said of it up to then.

    It holds once every party has accepted its present terms, from `start` to `end` (a handshake: 90
    days from the last acceptance, and 90 more once all have accepted again), unless a party, or one that was a
    party when it was accepted, has revoked it. That is final for its id, and holds whatever the clock
    was by which it was said: who asks of an earlier time gives the words of that time. The receiver is
    the same for ever: what lies in the feed was said for it.
    """
    all_said = sorted(
        (w for w in words if w.agreement == agreement.id), key=lambda w: (w.said_at, w.key)
    )
    ever, receivers = _earlier(all_said)
    of_it = [w for w in all_said if w.party in agreement.parties
             or (w.word == "revoked" and w.party in ever)]  # fmt: skip
    said = [w for w in of_it if w.said_at <= now]
    accepted = accepted_by(agreement, said)
    waiting = [party for party in agreement.parties if party not in accepted]
    begins, ends, _ = _term(agreement, said)
    for word in of_it:
        if word.word == "revoked":
            return Standing(
                "revoked", f"{word.party} has revoked it: {word.because}", begins, word.said_at
            )
    for word in reversed(said):
        if word.word == "declined" and word.party in waiting and word.terms == agreement.terms:
            return Standing("declined", f"{word.party} has declined it: {word.because}", 0, 0)
    other = "".join(sorted(receivers - {agreement.receiver})[:1])
    if other:
        waits = (
            f"its receiver was {other}: another receiver needs an agreement with an id of its own"
        )
    elif waiting:
        before = any(w.word == "accepted" for w in said)
        changed = "its terms have changed; it " if before and not accepted else "it "
        waits = f"{changed}waits for {', '.join(waiting)} to accept"
    if other or waiting:
        return Standing("waits", waits, begins, ends)
    if now < begins:
        return Standing("not begun", f"it begins {_day(begins)}", begins, ends)
    if now >= ends:
        return Standing("expired", f"it ended {_day(ends)}", begins, ends)
    return Standing("in force", f"until {_day(ends)}", begins, ends)


def _earlier(said: Iterable[Word]) -> tuple[set[str], set[str]]:
    """Who has accepted it as one of its parties, under whatever terms; the receivers of what held."""
    consents: defaultdict[str, set[str]] = defaultdict(set)
    for word in said:
        if word.word == "accepted" and word.text and word.party in _terms(word.text)[0]:
            consents[word.text].add(word.party)
    ever = {party for who in consents.values() for party in who}
    return ever, {_terms(text)[1] for text, who in consents.items()
                  if who.issuperset(_terms(text)[0])}  # fmt: skip


@lru_cache(maxsize=4_096)
def _terms(text: str) -> tuple[tuple[str, ...], str]:
    """Who the parties were by the terms that were accepted, and who the receiver; of others' text nobody."""
    try:
        said: Any = json.loads(text)
        return (*map(str, said["providers"]), str(said["receiver"])), str(said["receiver"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return (), ""


def accepted_by(agreement: Agreement, words: Iterable[Word]) -> dict[str, int]:
    """Which parties have accepted the present terms, and when they did so last."""
    return {
        w.party: w.said_at
        for w in sorted(words, key=lambda w: w.said_at)
        if w.word == "accepted" and w.terms == agreement.terms and w.party in agreement.parties
        and w.agreement == agreement.id
    }  # fmt: skip


def missing(agreement: Agreement, words: Iterable[Word]) -> tuple[str, ...]:
    """Whose acceptance is missing for it to hold; of a handshake that held already, to hold longer."""
    said = sorted(
        (w for w in words if w.agreement == agreement.id), key=lambda w: (w.said_at, w.key)
    )
    accepted = (
        _term(agreement, said)[2] if agreement.kind == "handshake" else accepted_by(agreement, said)
    )
    return tuple(party for party in agreement.parties if party not in accepted)


def _term(agreement: Agreement, said: list[Word]) -> tuple[int, int, set[str]]:
    """When it begins and ends, and who has accepted since; a handshake from round to round.

    In a round all parties accept; one alone can't make it hold for longer.
    """
    if agreement.start and agreement.end:
        return _midnight(agreement.start), _midnight(agreement.end), set()
    begins = ends = 0
    round_: set[str] = set()
    for word in said:
        ours = word.party in agreement.parties and word.terms == agreement.terms
        if word.word != "accepted" or not ours:
            continue
        round_.add(word.party)
        if round_ == set(agreement.parties):
            begins = begins if begins and word.said_at < ends else word.said_at
            ends = word.said_at + HANDSHAKE_DAYS * DAY
            round_ = set()
    return begins, ends, round_


def delete_by(agreement: Agreement, standing: Standing) -> int:
    """By when the receiver must have deleted what it got, microseconds UTC; 0: it needn't, or not yet."""
    over = standing.state in ("revoked", "expired")
    if not over or agreement.delete_within_days is None:
        return 0
    return standing.ends + agreement.delete_within_days * DAY


def shared_since(agreement: Agreement, standing: Standing) -> int:
    """From which `known_at` on sayings go out, microseconds UTC."""
    return _midnight(agreement.since) if agreement.since else standing.begins


def _midnight(day: dt.date) -> int:
    return (day - dt.date(1970, 1, 1)).days * DAY


def _day(at: int) -> str:
    return (dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=at)).date().isoformat()  # noqa: DTZ001 - UTC
