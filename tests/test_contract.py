"""Contracts: what a file of the contract repository says is what happens to an event."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from crosstown.avro.codec import Decoder, Encoder
from crosstown.avro.guards import guard
from crosstown.contracts.contract import Contract
from crosstown.contracts.repository import Repository
from crosstown.errors import Refused, Stop
from crosstown.event.envelope import Envelope, check
from crosstown.event.identity import event_id

SHIPPED = Path(__file__).parents[1] / "schemas"
GOLDEN = Path(__file__).parent / "golden" / "events.json"
EXAMPLES = sorted((SHIPPED / "examples").rglob("*.json"))
AT = 1_767_614_400_000_000


@pytest.fixture(scope="module")
def repository() -> Repository:
    return Repository.load(None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A contract repository of one's own with one agency and one contract."""
    path = tmp_path / "schemas"
    (path / "waterworks").mkdir(parents=True)
    (path / "agencies.yaml").write_text(
        "jurisdictions:\n"
        "  - {id: us-zz-mill, name: Mill, timezone: America/Chicago}\n"
        "agencies:\n"
        "  - {id: waterworks, name: Waterworks, jurisdiction: us-zz-mill, kind: authority}\n"
    )
    (path / "concerns.yaml").write_text(
        "concerns:\n  - {id: leaks, window_days: 2}\n  - {id: noise}\n"
    )
    _write(path)
    return path


FIELDS: list[dict[str, Any]] = [
    {"name": "no", "type": "long"}, {"name": "what", "type": "string"},
    {"name": "state", "type": ["null", "string"], "default": None},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "street", "type": "string", "default": ""},
    {"name": "others", "type": {"type": "array", "items": "string"}, "default": []},
    {"name": "other", "type": "string", "default": ""},
    {"name": "attempt", "type": "int", "default": 0},
]  # fmt: skip
ENVELOPE: dict[str, Any] = {
    "agency": {"constant": "waterworks"}, "record": {"template": "waterworks/order/{no}"},
    "type": {"field": "what"}, "step": {"field": "state", "crosswalk": {"NO": "REPORTED", "010": "CLOSED"}},
    "occurred_at": {"field": "at"}, "jurisdiction": {"constant": "us-zz-mill"},
    "place": {"template": "street:{street}"}, "refs": [{"field": "others"}, {"field": "other"}],
    "headline": {"template": "{what} at {street}"},
}  # fmt: skip


def _write(
    folder: Path, envelope: dict[str, Any] | None = None, version: int = 1, **ours: Any
) -> Path:
    file = folder / "waterworks" / f"orders.v{version}.yaml"
    schema = {"type": "record", "name": "Order", "fields": FIELDS}
    file.with_suffix(".avsc").write_text(json.dumps(schema))
    said = {"identity": ["attempt"], "envelope": envelope or ENVELOPE, **ours}
    file.write_text(yaml.safe_dump({
        "apiVersion": "v3.1.0", "kind": "DataContract", "id": "waterworks/orders",
        "version": f"{version}.0.0", "status": "active",
        "customProperties": [{"property": "crosstown", "value": said}],
    }, sort_keys=False))  # fmt: skip
    return file


def orders(folder: Path) -> Contract:
    return Repository.load(folder).contracts["waterworks/orders"]


def said(contract: Contract, **more: Any) -> Envelope:
    body = {"no": 7, "what": "leak", "state": "NO", "at": AT // 1000, "street": "elm-st"}
    return contract.envelope({**body, **more}, "waterworks", AT, "batch")


def test_event_ids_differ_from_those_given_out_before(repository: Repository) -> None:
    found = {}
    for file in EXAMPLES:
        contract = repository.contracts[f"{file.parent.name}/{file.name.partition('.')[0]}"]
        body = json.loads(file.read_text("utf-8"))
        agency = body["agency"] if contract.owner == "any" else contract.owner
        e = contract.envelope(body, agency, AT, "batch")
        found[str(file.relative_to(SHIPPED / "examples"))] = {
            "topic": contract.topic(agency), "event_id": e.event_id, "record": e.record,
            "type": e.type, "step": e.step, "place": e.place, "headline": e.headline,
        }  # fmt: skip
    golden = json.loads(GOLDEN.read_text("utf-8"))
    assert {name: found.get(name) for name in golden} == golden


def test_a_contract_ships_without_an_example_or_an_example_without_a_contract(
    repository: Repository,
) -> None:
    shown = {f"{file.parent.name}/{file.name.partition('.')[0]}" for file in EXAMPLES}
    assert shown == set(repository.contracts)


def test_a_shipped_schema_is_one_that_our_own_registry_refuses(repository: Repository) -> None:
    for contract in repository.contracts.values():
        assert guard(contract.schema_text) == contract.schema


def test_free_text_of_a_shipped_contract_gets_into_the_envelope(repository: Repository) -> None:
    for contract in repository.contracts.values():
        ours = contract.file.crosstown
        hidden = {p.name for s in contract.file.schema_ for p in s.properties
                  if p.classification != "public"}  # fmt: skip
        described = {p.name for s in contract.file.schema_ for p in s.properties}
        assert described == {field["name"] for field in contract.schema["fields"]}, contract.id
        shown = [ours.envelope.headline, ours.envelope.area, ours.envelope.channel]
        read = {name for one in shown if one is not None for name in one.fields}
        assert not read & hidden, contract.id


def test_bytes_that_went_through_kafka_say_something_else(repository: Repository) -> None:
    contract = repository.contracts["boston-311/requests"]
    body = json.loads((SHIPPED / "examples/boston-311/requests.v1.opened.json").read_text("utf-8"))
    read = Decoder(guard(contract.schema_text), contract.schema).decode(
        Encoder(contract.schema).encode(body)
    )
    first, second = (contract.envelope(one, "boston-311", AT, "batch") for one in (body, read))
    assert first == second


def test_codes_are_taken_for_yaml_numbers_and_booleans(folder: Path) -> None:
    contract = orders(folder)
    assert (said(contract).step, said(contract, state="010").step) == ("REPORTED", "CLOSED")
    assert said(contract, state=None).step == "OTHER"
    with pytest.raises(Refused, match="unknown-code"):
        said(contract, state="10")
    _write(folder, {**ENVELOPE, "step": {**ENVELOPE["step"], "otherwise": "NOTE"}})
    assert said(orders(folder), state="10").step == "NOTE"


def test_a_template_with_a_hole_joins_strangers(folder: Path) -> None:
    e = said(orders(folder), street="", others=["waterworks/order/1", ""], other="x/y/z")
    assert (e.place, e.headline) == ("", "")
    assert e.refs == ("waterworks/order/1", "x/y/z")
    assert e.occurred_at == AT, "milliseconds become microseconds"


def test_two_attempts_of_one_order_are_one_event(folder: Path) -> None:
    contract = orders(folder)
    assert said(contract, attempt=1).event_id == event_id("waterworks/order/7", "leak", ("1",))
    assert said(contract, attempt=1).event_id != said(contract, attempt=2).event_id
    assert said(contract, street="oak-st").event_id == said(contract).event_id


def test_a_header_is_overruled_by_the_body(folder: Path) -> None:
    _write(folder, {**ENVELOPE, "known_at": {"field": "at"}, "via": {"constant": "poll"}})
    contract = orders(folder)
    body = {"no": 7, "what": "leak", "at": AT // 1000}
    assert (contract.envelope(body, "waterworks", 5, "hand").known_at) == 5
    mapped = contract.envelope(body, "waterworks", None, "", 9)
    assert (mapped.known_at, mapped.via) == (AT, "poll")
    _write(folder)
    plain = orders(folder).envelope(body, "waterworks", None, "", 9)
    assert (plain.known_at, plain.via) == (9, "event")


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"what": ""}, "missing-field"), ({"at": None}, "missing-field"),
        ({"at": -3_000_000_000_000}, "time-out-of-range"),
        ({"at": 7_258_118_400_000}, "time-out-of-range"),
        ({"what": "a\0b"}, "bad-text"), ({"street": "\ud800"}, "bad-text"),
        ({"what": "x" * 5_000}, "envelope-too-large"), ({"what": "ü" * 2_100}, "envelope-too-large"),
        ({"street": "s" * 130}, "place-too-long"), ({"street": "ü" * 61}, "place-too-long"),
        ({"others": ["a/b"]}, "bad-record"), ({"others": ["a/b/c\n"]}, "bad-record"),
        ({"others": [f"a/b/{i}" for i in range(17)]}, "too-many-refs"),
        ({"others": ["a/b/" + "c" * 125]}, "ref-too-long"),
    ],
)  # fmt: skip
def test_what_no_case_should_hold_is_let_in(
    folder: Path, more: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Refused) as refused:
        said(orders(folder), **more)
    assert refused.value.reason == reason
    assert str(refused.value).isprintable() or "\n" in str(refused.value)


def test_long_but_allowed_texts_are_refused(folder: Path) -> None:
    contract = orders(folder)
    check(said(contract, what="x" * 3_600))
    check(said(contract, street="ü" * 60))
    assert len(said(contract, what="x" * 3_000).headline) == 280


def test_one_agency_speaks_for_another(repository: Repository, folder: Path) -> None:
    envelope = {name: value for name, value in ENVELOPE.items() if name != "refs"}
    envelope["agency"] = {"field": "other"}
    _write(folder, envelope)
    with pytest.raises(Refused, match="unknown-agency"):
        said(orders(folder), other="stranger")
    envelope["record"] = {"template": "{other}/order/{no}"}
    _write(folder, envelope, publishes_for="others")
    e = said(orders(folder), other="stranger")
    assert (e.agency, e.flags) == ("stranger", ("undeclared_agency",))
    with pytest.raises(Refused, match="unknown-agency"):
        said(orders(folder), other="Str/anger")
    found = repository.for_topic("events.animal-control.events")
    assert found is not None
    contract, agency = found
    body = {"agency": "youthline", "record": "youthline/x/1", "type": "a", "occurred_at": AT,
            "jurisdiction": "us-ma-boston"}  # fmt: skip
    with pytest.raises(Refused, match="agency-of-another"):
        contract.envelope(body, agency, AT, "event")
    with pytest.raises(Refused, match="unknown-jurisdiction"):
        contract.envelope({**body, "jurisdiction": "mars"}, "youthline", AT, "event")
    with pytest.raises(Refused, match="contract-of-another"):
        repository.contracts["boston-311/requests"].topic("youthline")


def test_a_type_that_nobody_may_use_writes_bytes_that_no_text_holds(repository: Repository) -> None:
    body = json.loads((SHIPPED / "examples" / "any" / "events.v1.visit.json").read_text("utf-8"))
    with pytest.raises(Refused, match="reserved-type") as caught:
        repository.contracts["any/events"].envelope(
            {**body, "type": "link.\0x"}, body["agency"], AT, "event"
        )
    assert str(caught.value).isprintable()


def test_a_topic_finds_the_wrong_contract(folder: Path) -> None:
    shutil.copytree(folder / "waterworks", folder / "any")
    repository = Repository.load(folder)

    def owner(topic: str) -> str | None:
        found = repository.for_topic(topic)
        return found and found[0].owner

    assert owner("events.waterworks.orders") == "waterworks"
    assert owner("events.somebody.orders") == "any"
    for topic in ("events.any.orders", "events.waterworks", "accepted", "events.a.b.orders"):
        assert owner(topic) is None


def test_an_old_version_counts_or_is_lost(folder: Path) -> None:
    _write(folder, version=2)
    _write(folder, version=10)
    repository = Repository.load(folder)
    assert repository.contracts["waterworks/orders"].version == 10
    ours = [number for name, number in sorted(repository.versions) if name == "waterworks/orders"]
    assert ours == [1, 2, 10]


def test_windows_and_zones_are_guessed(folder: Path) -> None:
    repository = Repository.load(folder)
    days = [repository.window(one) // 86_400_000_000 for one in ("leaks", "noise", "unheard-of")]
    assert days == [2, 30, 30]
    assert repository.agencies.timezone("us-zz-mill") == "America/Chicago"
    assert repository.agencies.timezone("us-nowhere") == "UTC"


def _replaced(old: str, new: str) -> Callable[[Path], Path]:
    def change(folder: Path) -> Path:
        file = folder / "waterworks" / "orders.v1.yaml"
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))
        return file

    return change


def _agencies(text: str) -> Callable[[Path], Path]:
    def change(folder: Path) -> Path:
        file = folder / "agencies.yaml"
        file.write_text(file.read_text() + text)
        return file

    return change


@pytest.mark.parametrize(
    ("change", "line", "why"),
    [
        (_replaced("occurred_at:", "occured_at:"), 0, "occur"),
        (_replaced("what}", "whatever}"), 32, "no field whatever"),
        (_replaced("crosswalk:", "crosswalks:"), 20, "crosswalks"),
        (_replaced("REPORTED", "REPORTET"), 0, "REPORTET"),
        (_replaced("us-zz-mill", "us-zz-mull"), 25, "us-zz-mull"),
        (_replaced("version: 1.0.0", "version: 2.0.0"), 4, "version 2.0.0"),
        (_replaced("kind: DataContract", "kind: Contract"), 2, "kind"),
        (_replaced("status: active", "status: [active"), 6, ""),
        (_replaced("status: active", "status: a\nstatus: b"), 6, "twice"),
        (_replaced("property: crosstown", "property: crosstwon"), 0, "crosstown"),
        (_agencies("  - {id: A b, name: X, jurisdiction: us-zz-mill, kind: county}\n"), 5, "id"),
        (_agencies("  - {id: waterworks, name: X, jurisdiction: us-zz-mill, kind: county}\n"), 0, "twice"),
        (_agencies("  - {id: x, name: X, jurisdiction: us, kind: county}\n"), 0, "us isn't declared"),
        (_agencies("  - {id: x, name: X, jurisdiction: us-zz-mill, kind: shop}\n"), 5, "kind"),
    ],
)  # fmt: skip
def test_a_slip_in_a_contract_file_goes_unnoticed(
    folder: Path, change: Callable[[Path], Path], line: int, why: str
) -> None:
    file = change(folder)
    with pytest.raises(Stop) as stopped:
        Repository.load(folder)
    assert str(stopped.value).startswith(f"{file}:{line}" if line else str(file))
    assert why in str(stopped.value)
    assert stopped.value.mend


def test_a_schema_that_is_no_schema_stops_later(folder: Path) -> None:
    schema = folder / "waterworks" / "orders.v1.avsc"
    for text in ("{", '{"type": "record"}', '"string"', '{"type": "nonsense"}'):
        schema.write_text(text)
        with pytest.raises(Stop, match=r"orders\.v1\.avsc"):
            Repository.load(folder)
    schema.unlink()
    with pytest.raises(Stop, match="belong together"):
        Repository.load(folder)
    with pytest.raises(Stop, match="no folder"):
        Repository.load(folder / "gone")


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ('{"type": "record", "name": "A", "fields": [{"name": "a", "type": {"type": "array", "items": "null"}}]}',
         "schema-empty-items"),
        ('{"type": "record", "name": "A", "fields": [{"name": "a", "type": ["null", "A"]}]}',
         "schema-recursive"),
        ("[" * 100_000, "schema-too-deep"),
    ],
    ids=["two billion nulls", "recursion", "brackets"],
)  # fmt: skip
def test_bomb_among_the_contracts_reaches_the_avro_library(
    tmp_path: Path, schema: str, reason: str
) -> None:
    city = tmp_path / "city"
    shutil.copytree(SHIPPED, city)
    (city / "any/notes.v1.avsc").write_text(schema, "utf-8")
    with pytest.raises(Stop, match=rf"notes\.v1\.avsc.*{reason}"):
        Repository.load(city)
