"""What flows as an agreement comes, changes and ends, and the form that its terms give the messages."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import fastavro
import pytest
from feed_sayings import INSPECTIONS, LINKS, REQUESTS, agreement, erase, link, say, window
from feeds_oracle import DAY, Saying
from riverton_said import REPOSITORY
from sharing_said import NOW, Installation, consent, message

from crosstown.agreements.agreement import Agreement
from crosstown.agreements.words import Word
from crosstown.avro.codec import frame
from crosstown.avro.guards import guard
from crosstown.contracts.contract import Contract
from crosstown.errors import Refused, Unavailable
from crosstown.feeds.body_form import inlined, payload_form
from crosstown.feeds.coarse import coarser
from crosstown.feeds.composing import MOST_BYTES
from crosstown.feeds.form import form, text
from crosstown.feeds.projection import _Body
from crosstown.feeds.todays_form import TodaysForm
from crosstown.formats import plain

A, B = "riverton-311/r/1", "riverton-311/r/2"


def tell(one: Installation, *said: Saying) -> None:
    for each in said:
        one.say(message(each.contract, each.envelope, each.payload))


def numbers(one: Installation) -> dict[str, int]:
    return {name: receiver.number for name, receiver in one.receivers.items()}


def test_something_flows_before_all_have_accepted() -> None:
    terms = agreement("waits", envelope=["step"])
    one = Installation([terms], window)
    tell(one, say(A, 0, REQUESTS))
    for word in consent(terms)[:-1]:
        one.sharing.word(word)
    one.hand_out()
    assert not one.told
    one.sharing.word(consent(terms)[-1])
    one.hand_out()
    assert numbers(one) == {"waits": 1}


def test_something_flows_after_a_party_has_revoked_it() -> None:
    terms = [agreement("revoked", envelope=["step"]),
             agreement("revoked-lines", gives="timelines", envelope=["step"])]  # fmt: skip
    one = Installation(terms, window)
    for each in terms:
        one.accept(each)
    tell(one, say(A, 0, REQUESTS))
    one.hand_out()
    for each in terms:
        one.sharing.word(Word(agreement=each.id, word="revoked", party="riverton-311", by="Somebody",
                              said_at=NOW - 5, because="enough"))  # fmt: skip
    tell(
        one,
        say(B, 0, REQUESTS),
        say(A, 0, REQUESTS, step="WITHDRAWN", known_at=1),
        erase(A, 2, "OTHER"),
    )
    one.hand_out()
    assert numbers(one) == {"revoked": 1, "revoked-lines": 1}


def test_something_flows_after_the_end_or_before_the_beginning() -> None:
    terms = agreement("ends", envelope=["step"])
    one = Installation([terms], window)
    one.accept(terms)
    tell(one, say(A, 0, REQUESTS))
    begins, ends = 20_089 * DAY, 23_741 * DAY  # 2025-01-01, 2035-01-01
    one.hand_out(now=ends)
    one.hand_out(now=begins - 1)
    assert not one.told
    one.hand_out(now=ends - 1)
    assert numbers(one) == {"ends": 1}


def test_a_revocation_amid_a_backfill_is_not_heard() -> None:
    terms = agreement("many", envelope=["step"])
    one = Installation([terms], window)
    one.accept(terms)
    tell(one, *(say(f"riverton-311/r/{n}", 0, REQUESTS) for n in range(20)))
    one.hand_out(5)
    one.sharing.word(
        Word(agreement="many", word="revoked", party="riverton-311", by="S", said_at=NOW)
    )
    one.hand_out()
    assert numbers(one) == {"many": 5}


def changed(first: Agreement, second: Agreement, *said: Saying) -> tuple[Installation, int]:
    """The terms change, and are accepted again; how many messages that takes."""
    one = Installation([first], window)
    one.accept(first)
    tell(one, *said)
    one.hand_out()
    before = one.receivers[first.id].number
    one.terms = [second]
    one.restart()
    one.hand_out()
    assert one.receivers[first.id].number == before, "told under terms that nobody has accepted"
    one.receivers[first.id].parsed = fastavro.parse_schema(plain(one.sharing.schema(first.id)))
    one.receivers[first.id].anew = first.reach != second.reach
    one.accept(second)
    one.hand_out()
    return one, one.receivers[first.id].number - before


def test_terms_of_another_reach_leave_something_as_it_was_said() -> None:
    """One more contract: what was said before can't be read by who is behind, so all is said anew."""
    housing = {"contract": INSPECTIONS, "payload": ["outcome_text"]}
    first = agreement(
        "grows", contracts=[{"contract": REQUESTS, "payload": ["topic_text"]}], envelope=["step"]
    )
    second = agreement(
        "grows", contracts=[housing, *first.model_dump()["contracts"]], envelope=["step"]
    )
    said = [say(A, 0, REQUESTS), say("riverton-housing/r/1", 0, INSPECTIONS), say(B, 0, REQUESTS)]
    one, more = changed(first, second, *said)
    assert (len(one.receivers["grows"].known), more) == (3, 3)


def test_changed_terms_repeat_what_they_do_not_change() -> None:
    """Another purpose, and a field of the body that is empty here: no message is another."""
    covered = [{"contract": REQUESTS, "payload": ["topic_text"]}]
    first = agreement("words", contracts=covered, envelope=["step"])
    second = agreement("words", contracts=covered, envelope=["step"], purpose="To see a little less.",
                       quiet_days=3, end="2036-01-01")  # fmt: skip
    assert first.reach == second.reach
    assert second.terms != first.terms
    _, more = changed(first, second, say(A, 0, REQUESTS), say(B, 0, REQUESTS))
    assert more == 0


@pytest.mark.parametrize("gives", ["events", "timelines"])
def test_what_was_said_in_full_goes_out_again_under_coarser_terms(gives: str) -> None:
    fine = agreement(
        "coarser", gives=gives, identifiers="records", envelope=["occurred_at", "step"]
    )
    coarse = agreement("coarser", gives=gives, envelope=["occurred_at", "step"],
                       coarser={"times": "day"})  # fmt: skip
    first = Installation([fine], window)
    first.accept(fine)
    tell(first, say(A, 5, REQUESTS), say(B, 900, REQUESTS))
    first.hand_out()
    schemas = [first.sharing.schema("coarser")]
    old = [frame(0, one.value) for one in first.told.values()]
    second, more = changed(fine, coarse, say(A, 5, REQUESTS), say(B, 900, REQUESTS))
    assert more == 2, "all is said anew"
    schemas.append(second.sharing.schema("coarser"))
    new = [frame(1, one.value) for one in second.told.values()]
    today = TodaysForm(coarse, REPOSITORY.contracts, lambda number: text(schemas[number]))
    gone = [today.opened(value) for value in old]
    assert [one["change"] for one in gone] == ["GONE", "GONE"]
    assert A not in str(gone)
    assert {len(str(one.get("record", ""))) for one in gone} == {0}
    assert [one["said"] for one in gone] == [None, None]
    assert [today.opened(value)["change"] for value in new] == ["SAID", "SAID"]
    back = TodaysForm(fine, REPOSITORY.contracts, lambda number: text(schemas[number]))
    assert [back.opened(value)["change"] for value in old] == ["SAID", "SAID"]


@pytest.mark.parametrize("gives", ["events", "timelines"])
def test_a_field_more_or_less_is_not_told(gives: str) -> None:
    """Also where one empty field takes the place of another."""
    for before, after in (
        (["step"], ["step", "area"]),
        (["step"], ["area"]),
        (["area"], ["channel"]),
    ):
        _, more = changed(agreement("field", gives=gives, envelope=before),
                          agreement("field", gives=gives, envelope=after),
                          say(A, 0, REQUESTS), say(B, 900, REQUESTS))  # fmt: skip
        assert more == 2


def test_what_new_terms_no_longer_cover_stays() -> None:
    one, more = changed(agreement("narrow"), agreement("narrow", filter='step == "CLOSED"'),
                        say(A, 0, REQUESTS, step="CLOSED"), say(B, 0, REQUESTS))  # fmt: skip
    assert (len(one.receivers["narrow"].known), more) == (1, 2)


def test_earlier_messages_can_not_be_read_in_the_form_of_today() -> None:
    """However much is added: what was said earlier has a value for it, or its default."""
    first = agreement("wider", envelope=["step"])
    one = Installation([first], window)
    one.accept(first)
    tell(one, say(A, 0, REQUESTS))
    one.hand_out()
    value = next(iter(one.told.values())).value
    for gives in ("events", "timelines"):
        for contract in REPOSITORY.contracts.values():
            fields = [field["name"] for field in contract.schema["fields"]]
            terms = agreement("wider", gives=gives, envelope=list(form_fields()),
                              contracts=[{"contract": contract.id, "payload": fields}])  # fmt: skip
            schema = form(terms, REPOSITORY.contracts)
            assert guard(text(schema))
            if gives == "events":
                writer = fastavro.parse_schema(plain(one.sharing.schema("wider")))
                reader = fastavro.parse_schema(plain(json.loads(text(schema))))
                said = fastavro.schemaless_reader(io.BytesIO(value), writer, reader)
                assert isinstance(said, dict)
                assert said["said"]["step"] == "NOTE"
                assert said["said"]["payload"] is None


def form_fields() -> list[str]:
    return ["agency", "type", "step", "occurred_at", "due_at", "jurisdiction", "place", "area", "concern",
            "to_agency", "channel", "refs", "headline", "flags", "known_at", "via"]  # fmt: skip


NAMED: Mapping[str, Any] = {
    "type": "record", "name": "Body", "namespace": "their.own", "fields": [
        {"name": "hidden", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}},
        {"name": "kind", "type": "Kind"},
        {"name": "kinds", "type": {"type": "array", "items": ["null", "their.own.Kind"]}, "default": []},
        {"name": "visit", "type": {"type": "record", "name": "Visit", "fields": [
            {"name": "day", "type": {"type": "int", "logicalType": "date"}},
            {"name": "at", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}]},
            {"name": "clock", "type": {"type": "int", "logicalType": "time-millis"}},
            {"name": "kind", "type": "Kind"}]}},
        {"name": "times", "type": {"type": "map", "values": {"type": "long", "logicalType": "timestamp-micros"}}},
        {"name": "either", "type": ["string", {"type": "long", "logicalType": "timestamp-micros"}, "Visit"]},
    ],
}  # fmt: skip
BODY: dict[str, Any] = {
    "hidden": "B", "kind": "A", "kinds": ["A", None], "either": "text",
    "visit": {"day": 20_250, "at": 1_750_000_000_123, "clock": 5, "kind": "B"},
    "times": {"x": 20_250 * DAY + 17},
}  # fmt: skip
ALL_BUT_ONE = ["kind", "kinds", "visit", "times", "either"]


def odd(contract: str = REQUESTS) -> Contract:
    """A contract with types of every kind, named in one field and used in another."""
    return replace(REPOSITORY.contracts[contract], schema=NAMED)


def test_a_type_that_is_named_in_a_hidden_field_is_lost() -> None:
    """And two contracts whose types have the same names, in an agreement whose id begins with a digit."""
    two = [{"contract": name, "payload": ALL_BUT_ONE} for name in (REQUESTS, INSPECTIONS)]
    terms = agreement("311-odd", contracts=two)
    contracts = {name: odd(name) for name in (REQUESTS, INSPECTIONS)}
    schema = form(terms, contracts)
    assert guard(text(schema))
    assert "hidden" not in text(schema)
    declared = payload_form(terms, contracts[INSPECTIONS])
    assert declared is not None
    parsed = fastavro.parse_schema(plain(declared))
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, parsed, {name: BODY[name] for name in ALL_BUT_ONE})
    stream.seek(0)
    assert fastavro.schemaless_reader(stream, parsed, None) == {n: BODY[n] for n in ALL_BUT_ONE}


def test_a_time_inside_a_body_stays_exact() -> None:
    change = coarser(inlined(dict(NAMED)), "month")
    assert change is not None
    coarse = change(BODY)
    assert coarse["visit"] == {"day": 20_240, "at": 1_748_736_000_000, "clock": 0, "kind": "B"}
    assert coarse["times"] == {"x": 20_240 * DAY}
    assert coarse["either"] == "text"
    assert change(BODY | {"either": 20_250 * DAY + 17})["either"] == 20_240 * DAY
    assert change(BODY | {"either": BODY["visit"]})["either"] == coarse["visit"]
    assert coarser(inlined(dict(NAMED)), "day")(BODY)["visit"]["at"] == 1_749_945_600_000  # type: ignore[misc]


AT = {"type": "long", "logicalType": "timestamp-micros"}
TIME = 20_250 * DAY + 17


def _with_at(name: str, at: Any, word: str = "record", **more: Any) -> dict[str, Any]:
    fields = [{"name": "at", "type": at}, *({"name": n, "type": t} for n, t in more.items())]
    return {"type": word, "name": name, "fields": fields}


@pytest.mark.parametrize(("declared", "value", "coarse"), [
    (_with_at("E", AT, "error"), {"at": TIME}, {"at": 20_250 * DAY}),
    (["null", _with_at("E", AT, "error")], {"at": TIME}, {"at": 20_250 * DAY}),
    ([_with_at("A", AT), _with_at("C", "string")], {"at": "noon"}, {"at": "noon"}),
    ([_with_at("A", AT), _with_at("C", "string")], {"at": TIME}, {"at": 20_250 * DAY}),
    ([_with_at("A", AT), _with_at("C", "long", n="int")], {"at": TIME, "n": 1}, {"at": TIME, "n": 1}),
    ([_with_at("C", "long"), _with_at("A", AT)], {"at": TIME}, {"at": 20_250 * DAY}),
    ([_with_at("A", ["null", AT], k={"type": "enum", "name": "K", "symbols": ["X"]}, f="double")],
     {"at": TIME, "k": "X", "f": 1}, {"at": 20_250 * DAY, "k": "X", "f": 1}),
    ([{"type": "map", "values": AT}, _with_at("C", "string")], {"at": "noon"}, {"at": "noon"}),
    ([{"type": "map", "values": AT}, _with_at("C", "string")], {"x": TIME}, {"x": 20_250 * DAY}),
    ([{"type": "array", "items": [_with_at("A", AT), "string"]}, "null"], ["x", {"at": TIME}], ["x", {"at": 20_250 * DAY}]),
    (["boolean", AT], True, True),
])  # fmt: skip
def test_a_time_of_one_of_several_types_stays_exact_or_ends_the_feeds(
    declared: Any, value: Any, coarse: Any
) -> None:
    change = coarser(declared, "day")
    assert change is not None
    assert change(value) == coarse
    assert type(change(value)) is type(coarse)


def test_a_body_that_cant_be_made_coarser_ends_the_feeds() -> None:
    terms = agreement("day", contracts=[{"contract": REQUESTS, "payload": ["visit"]}],
                      coarser={"times": "day"})  # fmt: skip
    one = _Body(payload_form(terms, odd()), 1, "day", "")
    assert one.encode(BODY)
    assert one.encode({"visit": {**BODY["visit"], "day": "noon"}}) == b""


def test_a_time_that_no_calendar_has_stops_the_feed() -> None:
    assert coarser({"type": "long", "logicalType": "timestamp-micros"}, "month")(1 << 62) == 0  # type: ignore[misc]
    assert coarser({"type": "int", "logicalType": "date"}, "month")(-(1 << 31)) == 0  # type: ignore[misc]


def test_a_body_that_nobody_can_open_stops_the_feed() -> None:
    """Its envelope goes out, its fields don't; a filter that asks for them finds none."""
    terms = [agreement("opened", contracts=[{"contract": REQUESTS, "payload": ["topic_text"]}]),
             agreement("asked", filter='payload.topic_text != "Mold"')]  # fmt: skip
    one = Installation(terms, window)
    for each in terms:
        one.accept(each)
    said = say(A, 0, REQUESTS)
    for payload in (b"\0\0\0\0\x63what?", said.payload[:-3], b""):
        tell(
            one,
            replace(
                said,
                payload=payload,
                envelope=replace(
                    said.envelope, event_id=said.envelope.event_id[:-2] + f"{len(payload):02x}"
                ),
            ),
        )
    one.hand_out()
    assert numbers(one) == {"opened": 3}
    assert all(known["said"]["payload"] is None for known in one.receivers["opened"].known.values())
    assert one.sharing.unreadable


@pytest.mark.parametrize("gives", ["events", "timelines"])
def test_an_event_is_lost_while_the_registry_is_away(
    gives: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked again, it says the same as if the registry had been there."""
    terms = agreement("away", gives=gives, contracts=[{"contract": REQUESTS, "payload": ["topic_text"]}],
                      filter='payload.topic_text == "Heat"')  # fmt: skip
    one = Installation([terms], window)
    one.accept(terms)
    tell(
        one,
        say(A, 0, REQUESTS),
        say(B, 900, REQUESTS),
        say(B, 0, REQUESTS, kind="other", text="Mold"),
    )

    def away(_schema_id: int) -> str:
        raise Unavailable("the registry is away")

    with monkeypatch.context() as patch:
        patch.setattr(one.sharing._bodies, "schema_text", away)
        for _ in range(2):
            with pytest.raises(Unavailable):
                one.hand_out()
    one.hand_out()
    assert numbers(one) == {"away": 2}


def test_bytes_that_intake_did_not_write_are_taken_in_by_half() -> None:
    terms = agreement("broken")
    one = Installation([terms], window)
    one.accept(terms)
    contract, key, body = message(REQUESTS, (s := say(A, 0, REQUESTS)).envelope, s.payload)
    assert body is not None
    for bad_key, bad in ((key, body[:60]), (b"no key", body), (key[:36], body), (key, b"\xff" * 9)):
        with pytest.raises((Refused, ValueError, IndexError, EOFError)):
            one.sharing.say(contract, bad_key, bad)
    one.hand_out()
    assert not one.told
    one.say((contract, key, body))
    one.hand_out()
    assert numbers(one) == {"broken": 1}


def test_a_timeline_is_too_large_for_kafka() -> None:
    """As many of the newest entries as fit; the counts are of all."""
    terms = agreement(
        "large", gives="timelines", contracts=[{"contract": REQUESTS, "payload": ["topic_text"]}]
    )
    one = Installation([terms], window)
    one.accept(terms)
    tell(one, *(say(A, n, REQUESTS, kind=f"k{n}", text="x" * 40_000) for n in range(30)),
         *(say(B, n, REQUESTS, kind=f"k{n}") for n in range(250)))  # fmt: skip
    one.hand_out()
    large, long = sorted(
        one.receivers["large"].known.values(), key=lambda k: k["said"]["entry_count"]
    )
    assert large["said"]["entry_count"] == 30
    assert 15 < len(large["said"]["entries"]) < 21
    assert all(len(told.value) < MOST_BYTES + 100_000 for told in one.told.values())
    assert (long["said"]["entry_count"], len(long["said"]["entries"])) == (250, 200)


def test_a_record_that_left_a_timeline_and_came_back_is_told_as_gone() -> None:
    terms = [
        agreement(
            "lines", gives="timelines", contracts=[{"contract": REQUESTS}, {"contract": LINKS}]
        )
    ]
    one = Installation(terms, window)
    one.accept(terms[0])
    tell(one, say(A, 0, REQUESTS, known_at=0), say(B, 900, REQUESTS, known_at=0))
    one.hand_out()
    tell(
        one,
        say(A, 0, REQUESTS, step="WITHDRAWN", known_at=1),
        say(B, 900, REQUESTS, step="WITHDRAWN", known_at=1),
    )
    one.hand_out(1)
    tell(one, say(A, 0, REQUESTS, known_at=2), say(B, 900, REQUESTS, known_at=2))
    one.hand_out()
    assert len(one.receivers["lines"].known) == 2
    assert one.receivers["lines"].number == 4, "one was told gone and again, the other never"
    tell(one, link("riverton-311", "asserted", [A, B], 3, "OTHER"))
    one.hand_out()
    assert len(one.receivers["lines"].known) == 1


def test_what_is_said_again_after_its_tombstone_is_lost() -> None:
    """Erased, swept, held after all and published again: it's there."""
    terms = agreement("held")
    one = Installation([terms], window)
    one.accept(terms)
    said = say(A, 0, REQUESTS)
    first = message(said.contract, said.envelope, said.payload)
    one.say(first)
    tell(one, erase(A, 1, "OTHER"))
    one.say(("", first[1], None))
    one.say(first)
    tell(one, erase(A, 2, "WITHDRAWN"))
    one.hand_out()
    assert len(one.receivers["held"].known) == 1


def test_files_that_are_read_again_repeat_everything() -> None:
    terms = [agreement("again", envelope=["step"]), agreement("again-lines", gives="timelines")]
    one = Installation(terms, window)
    for each in terms:
        one.accept(each)
    tell(one, say(A, 0, REQUESTS), say(B, 0, REQUESTS))
    one.hand_out()
    one.sharing.terms(terms)
    one.hand_out()
    assert numbers(one) == {"again": 2, "again-lines": 2}
    one.sharing.terms([])
    one.sharing.delivered("again", "0" * 32, 9, b"x")
    one.hand_out()
    assert numbers(one) == {"again": 2, "again-lines": 2}
