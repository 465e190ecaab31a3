"""Feeds against what the plan says of the whole set: any order, said twice, any batches, any restarts."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Sequence
from itertools import islice
from typing import Any

import pytest
from feeds_oracle import DAY, Saying, Under, expected
from riverton_said import REPOSITORY
from sharing_said import IDS, NOW, SECRET, Message, Receiver, consent, message, schema_text

from crosstown.agreements.agreement import Agreement
from crosstown.agreements.words import standing
from crosstown.codec import Encoder, frame
from crosstown.envelope import VIAS, Envelope
from crosstown.erasures import Erasures, Key
from crosstown.feeds.feed import Told
from crosstown.feeds.sharing import Sharing
from crosstown.identity import event_id

KEY = Key(b"key")
HOUR = DAY // 24
JUNE = (dt.date(2025, 6, 1) - dt.date(1970, 1, 1)).days * DAY
REQUESTS, INSPECTIONS, NOTES, LINKS = (
    "riverton-311/requests", "riverton-housing/inspections", "any/notes", "any/links"
)  # fmt: skip
BODIES: dict[str, dict[str, Any]] = {
    REQUESTS: {
        "number": "1", "line": "1", "status": "NEW", "state": "NEW", "status_text": "new",
        "occurred_at": JUNE + HOUR, "due_at": None, "topic": "HEAT", "topic_text": "Heat", "source": "",
        "address": "", "address_text": "", "district": "", "sent_to": "", "xref": [],
        "caller_notes": "", "flags": [],
    },
    INSPECTIONS: {
        "number": "1", "event": "requested", "outcome": "RECEIVED", "outcome_text": "requested",
        "occurred_at": JUNE, "due_at": None, "complaint": "H", "complaint_text": "Heat",
        "address": "", "address_text": "", "ward": "", "request": "", "see_also": [],
        "referred_to": "", "tenant_name": "", "inspector_notes": "", "flags": [],
    },
}  # fmt: skip
_ENCODERS = {name: Encoder(REPOSITORY.contracts[name].schema) for name in BODIES}
RECORDS = [f"{agency}/r/{n}" for agency in ("riverton-311", "riverton-housing") for n in (1, 2, 3)]


def window(concern: str) -> int:
    return 10 * HOUR if concern == "noise" else 50 * HOUR


def agreement(name: str, **more: Any) -> Agreement:
    said: dict[str, Any] = {
        "id": name, "kind": "agreement", "providers": ["riverton-311", "riverton-housing"],
        "receiver": "xx-county-health", "purpose": "To see that nothing else is seen.",
        "stewards": {p: "Somebody" for p in ("riverton-311", "riverton-housing", "xx-county-health")},
        "gives": "events", "contracts": [{"contract": REQUESTS}], "jurisdictions": ["us-xx-riverton"],
        "since": "2025-06-01", "start": "2025-01-01", "end": "2035-01-01",
        "basis": {"law": "A law that is long enough.", "document": "a.pdf", "sha256": "0" * 64,
                  "redisclosure": "To nobody, not at all."},
    }  # fmt: skip
    return Agreement.model_validate(said | more)


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


def say(
    record: str, at: int, contract: str, *, kind: str = "seen", step: str = "NOTE", place: str = "",
    concern: str = "heat", refs: Sequence[str] = (), known_at: int = 0, via: str = "batch",
    jurisdiction: str = "us-xx-riverton", text: str = "Heat", area: str = "", headline: str = "",
) -> Saying:  # fmt: skip
    body = dict(BODIES.get(contract, BODIES[REQUESTS]))
    body["topic_text" if "topic_text" in body else "outcome_text"] = text
    envelope = Envelope(
        event_id=event_id(record, kind), agency=record.partition("/")[0], record=record, type=kind,
        step=step, occurred_at=JUNE + at * HOUR, jurisdiction=jurisdiction, place=place, area=area,
        concern=concern, refs=tuple(refs), known_at=JUNE + known_at * DAY, via=via, headline=headline,
        due_at=JUNE + at * HOUR + 7 if step == "REPORTED" else None,
    )  # fmt: skip
    schema = IDS[contract if contract in BODIES else REQUESTS]
    encoder = _ENCODERS[contract if contract in BODIES else REQUESTS]
    return Saying(contract, envelope, body, frame(schema, encoder.encode(body)))


def link(agency: str, kind: str, records: Sequence[str], known_at: int, step: str) -> Saying:
    return say(f"{agency}/link/{'-'.join(records)}", 0, LINKS, kind=f"link.{kind}", step=step,
               refs=records, known_at=known_at, place="", concern="", headline="because")  # fmt: skip


def erase(record: str, known_at: int, step: str, kind: str = "record.erased") -> Saying:
    said = say(f"{record.partition('/')[0]}/erasure/{KEY.name(record)}", 0, "any/erasures", kind=kind,
               step=step, known_at=known_at)  # fmt: skip
    return said


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
            stands[kind] = bool(words) and max(words, key=lambda w: w[0])[1].envelope.step != "WITHDRAWN"
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
    kind, step = dice.choice(("asserted", "separated", "apart")), dice.choice(("OTHER", "OTHER", "WITHDRAWN"))
    agency = dice.choice(("riverton-311", "xx-county-health"))
    records = dice.sample(RECORDS, 1 if kind == "apart" else 2)
    return link(agency, kind, records, dice.randrange(-1, 4), step)


def erasure(dice: random.Random) -> Saying:
    kind, step = dice.choice(("erased", "erased", "held")), dice.choice(("OTHER", "OTHER", "WITHDRAWN"))
    return erase(dice.choice(RECORDS[:2]), dice.randrange(4), step, f"record.{kind}")


def history_of(seed: int) -> list[Saying]:
    """Some sayings, of few records at few times, so that they meet."""
    dice = random.Random(seed)
    kinds = [saying] * 12 + [people] * 2 + [erasure] * dice.choice((0, 1, 2))
    return [dice.choice(kinds)(dice) for _ in range(dice.choice((3, 10, 25, 60)))]


class Installation:
    """A process that hands out feeds, which may end at any moment, and what outlives it."""

    def __init__(self, terms: Sequence[Agreement] = TERMS) -> None:
        self.terms = terms
        self.log: list[Message] = []
        self.told: list[Told] = []
        self.receivers: dict[str, Receiver] = {}
        self.restart()

    def restart(self) -> None:
        """A new process: what was delivered and all that was said, in any order, then on."""
        self.sharing = Sharing(REPOSITORY, SECRET, Erasures(KEY), window, schema_text)
        self.sharing.terms(self.terms)
        for word in [word for one in self.terms for word in consent(one)]:
            self.sharing.word(word)
        for told in self.told:
            self.sharing.delivered(told.agreement, told.thing, told.number, told.digest)
        for said in self.log:
            self.sharing.say(*said)

    def say(self, said: Message) -> None:
        self.log.append(said)
        self.sharing.say(*said)

    def hand_out(self, most: int | None = None) -> None:
        for told in islice(self.sharing.outputs(NOW), most):
            self.told.append(told)
            if told.agreement not in self.receivers:
                schema = json.loads(json.dumps(self.sharing.schema(told.agreement)))
                self.receivers[told.agreement] = Receiver(schema)
            self.receivers[told.agreement].hear(told)

    def known(self, name: str) -> dict[str, dict[str, Any]]:
        """What a receiver knows, without digests."""
        found = {}
        for thing, said in (self.receivers[name].known if name in self.receivers else {}).items():
            found[thing] = {k: v for k, v in said.items() if k not in ("change", "event", "case")}
            found[thing]["said"] = {k: v for k, v in said["said"].items() if k != "digest"}
        return found


def check(installation: Installation, history: Sequence[Saying]) -> None:
    erased = erased_by(history)
    for one in UNDER:
        must = expected(history, one, SECRET, REPOSITORY.agencies.chain, window, erased)
        assert installation.known(one.agreement.id) == must, one.agreement.id


def run(history: Sequence[Saying], rng: random.Random) -> Installation:
    """Say a history in any order, parts of it twice, in batches of any size, with restarts and halts."""
    one = Installation()
    order = [message(s.contract, s.envelope, s.payload) for s in history]
    order += rng.sample(order, rng.randrange(len(order) + 1)) if order else []
    rng.shuffle(order)
    while order:
        size = rng.choice((1, 2, 5, 50))
        for said in order[:size]:
            one.say(said)
        del order[:size]
        match rng.randrange(5):
            case 0:
                one.hand_out(rng.randrange(4))
            case 1:
                one.hand_out(rng.randrange(4))
                one.restart()
            case 2:
                pass
            case _:
                one.hand_out()
    one.hand_out()
    return one


@pytest.mark.parametrize("part", range(8))
def test_a_receiver_knows_something_else_than_was_agreed(part: int) -> None:
    for seed in range(part * 25, part * 25 + 25):
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
