"""The form of a feed's messages: an Avro schema made for the agreement, which names what may go out.

A field that isn't named has no place in it. Whatever is read in the form of today, though it was
written under earlier terms, has a value: so all fields have a default. Pure. Source: docs/decisions/0023.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from crosstown.agreements.agreement import Agreement
from crosstown.contracts.contract import Contract
from crosstown.event.envelope import FIELDS
from crosstown.feeds.body_form import Schema, payload_form, space
from crosstown.formats import ACCEPTED

SHOWN: Final = 200
"""Entries, and links, of a timeline that one message carries; the counts are of all."""
REACH: Final = "crosstown.reach"
"""An attribute of the schema: under which reach of the agreement its messages are said."""
RULES: Final = ("ref", "place", "asserted")
TIMES: Final = ("occurred_at", "due_at", "known_at")
_ACCEPTED: Final[dict[str, Any]] = {one["name"]: one for one in ACCEPTED["fields"]}
_TIME: Final = {"type": "long", "logicalType": "timestamp-micros"}
_GONE: Final = (
    "GONE: it no longer counts, or no longer is what the agreement covers; which of them isn't told"
)
_CHANGE: Final = {"type": "enum", "name": "Change", "symbols": ["SAID", "GONE"]}


def envelope_fields(agreement: Agreement) -> tuple[str, ...]:
    """The envelope's fields that go out, in the envelope's order."""
    return tuple(name for name in FIELDS if name in agreement.envelope)


def form(agreement: Agreement, contracts: Mapping[str, Contract]) -> Schema:
    """The schema of the values of an agreement's feed."""
    return _timelines(agreement, contracts) if agreement.gives == "timelines" else _events(agreement, contracts)  # fmt: skip


def _of_envelope(agreement: Agreement) -> list[Schema]:
    """The envelope's fields, each with a default."""
    fields = []
    for name in envelope_fields(agreement):
        own = _ACCEPTED[name]
        declared: Any = own["type"]
        default: Any = ""
        if name in TIMES:
            declared, default = ["null", _TIME], None
        elif isinstance(declared, dict) and declared["type"] == "array":
            default = []
        elif isinstance(declared, dict):
            default = declared.get("default", declared["symbols"][0])
        fields.append(
            {"name": name, "type": declared, "doc": _doc(agreement, name), "default": default}
        )
    return fields


def _doc(agreement: Agreement, name: str) -> str:
    doc = str(_ACCEPTED[name]["doc"])
    if name == "place" and agreement.coarser.place:
        return "area:<area>, in the place's stead; empty = absent"
    if name in TIMES and agreement.coarser.times:
        return f"{doc}: the beginning of its {agreement.coarser.times}"
    if name == "refs":
        return f"records that it names and that this feed shows, {_named_as(agreement)}"
    return doc


def _named_as(agreement: Agreement) -> str:
    return (
        "in full form"
        if agreement.identifiers == "records"
        else "by their names under the agreement"
    )


def _payload(agreement: Agreement, contracts: Mapping[str, Contract]) -> list[Schema]:
    """The field with what goes out of the body; none where no contract gives any of it."""
    forms = [
        one for said in agreement.contracts if said.contract in contracts
        if (one := payload_form(agreement, contracts[said.contract])) is not None
    ]  # fmt: skip
    if not forms:
        return []
    doc = "what the agreement names of the contract's own fields; null where it names none"
    return [{"name": "payload", "type": ["null", *forms], "doc": doc, "default": None}]


def _events(agreement: Agreement, contracts: Mapping[str, Contract]) -> Schema:
    said = _of_envelope(agreement) + _payload(agreement, contracts)
    return _record("FeedEvent", agreement, f"One event under the agreement {agreement.id}.", [
        *_head("event", "the event's name under the agreement"),
        {"name": "record", "type": "string", "default": "",
         "doc": f"its record, {_named_as(agreement)}; empty where GONE"},
        _said(said),
    ])  # fmt: skip


def _timelines(agreement: Agreement, contracts: Mapping[str, Contract]) -> Schema:
    shown = f"the newest {SHOWN}, or as many as one message holds"
    said: list[Schema] = [
        {"name": "status", "doc": "open while any of its records is open", "default": "open",
         "type": {"type": "enum", "name": "Status", "symbols": ["open", "closed"]}},
        *_span(agreement), *_publishers(agreement),
        *({"name": f"{what}_count", "type": "int", "default": 0, "doc": "all that are covered"}
          for what in ("record", "entry", "link")),
        {"name": "digest", "type": "string", "default": "",
         "doc": "the same as long as nothing changes that goes out; 64 hex digits"},
        {"name": "entries", "default": [], "doc": f"{shown}; in order of what they show",
         "type": {"type": "array", "items": {"type": "record", "name": "Entry", "fields": [
             {"name": "event", "type": "string", "doc": "the event's name under the agreement"},
             {"name": "record", "type": "string", "doc": f"its record, {_named_as(agreement)}"},
             *_of_envelope(agreement), *_payload(agreement, contracts)]}}},
        {"name": "links", "default": [], "doc": f"why these records are one case; {shown}",
         "type": {"type": "array", "items": {"type": "record", "name": "Link", "fields": [
             {"name": "rule", "doc": "ref: `source` names `target`; the others have no direction",
              "type": {"type": "enum", "name": "Rule", "symbols": list(RULES)}},
             {"name": "source", "type": "string", "doc": "a record"},
             {"name": "target", "type": "string", "doc": "a record"}]}}},
    ]  # fmt: skip
    return _record("FeedTimeline", agreement, f"One timeline under the agreement {agreement.id}.", [
        *_head("case", "the timeline's name under the agreement"), _said(said),
    ])  # fmt: skip


def _span(agreement: Agreement) -> list[Schema]:
    """When the first and the last of it happened, where times of happening go out."""
    if "occurred_at" not in agreement.envelope:
        return []
    return [{"name": name, "type": ["null", _TIME], "default": None, "doc": f"the {name} of its entries"}
            for name in ("first", "last")]  # fmt: skip


def _publishers(agreement: Agreement) -> list[Schema]:
    if "agency" not in agreement.envelope:
        return []
    return [{"name": "agencies", "type": {"type": "array", "items": "string"}, "default": [],
             "doc": "whose records these are, sorted"}]  # fmt: skip


def _head(thing: str, doc: str) -> list[Schema]:
    return [
        {"name": "number", "type": "long", "doc": "1, 2, 3, ... in this feed, without a gap"},
        {"name": "change", "type": _CHANGE, "doc": _GONE},
        {"name": thing, "type": "string", "doc": doc},
    ]  # fmt: skip


def _said(fields: list[Schema]) -> Schema:
    return {"name": "said", "default": None, "doc": "what it says now; null where GONE",
            "type": ["null", {"type": "record", "name": "Said", "fields": fields}]}  # fmt: skip


def _record(name: str, agreement: Agreement, doc: str, fields: list[Schema]) -> Schema:
    return {"type": "record", "name": name, "namespace": space(agreement.id), "doc": doc,
            REACH: agreement.reach, "fields": fields}  # fmt: skip


def text(schema: Schema) -> str:
    """A schema as it is registered: compact JSON."""
    return json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
