"""Row filters: what they let through, held against a published CEL; what they refuse; what they cost."""

from __future__ import annotations

import datetime as dt
import json
from contextlib import suppress
from typing import Any, Final

import cel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosstown.agreements.parsing import DEEPEST, LONGEST, MOST
from crosstown.agreements.row_filter import RowFilter, compiled
from crosstown.agreements.vocabulary import Kind, kinds_of
from crosstown.contracts.repository import Repository
from crosstown.errors import Refused
from crosstown.moments import moment

KINDS: Final = {
    "area": Kind("text"), "concern": Kind("text"), "occurred_at": Kind("time"), "due_at": Kind("time"),
    "refs": Kind("texts"), "payload.n": Kind("whole"), "payload.x": Kind("number"),
    "payload.t": Kind("text"), "payload.b": Kind("truth"), "payload.at": Kind("time", None, 1000),
    "payload.o": Kind("other"),
}  # fmt: skip
TEXTS: Final = ("a", "ab", "b", "Ž", 'q"\\')
WHOLES: Final = (-1, 0, 3, 10)
NUMBERS: Final = (-0.5, 0.0, 3.0, 3.5)
TIMES: Final = (0, 1_700_000_000_000_000, 1_800_000_000_000_000)


def made(text: str) -> RowFilter:
    return compiled(text, KINDS)


def quoted(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return repr(value)


def time(micros: int) -> str:
    return f'timestamp("{moment(micros):%Y-%m-%dT%H:%M:%SZ}")'


def _conditions() -> st.SearchStrategy[str]:
    orders = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
    equal = st.sampled_from(["==", "!="])
    texts, wholes = st.sampled_from(TEXTS).map(quoted), st.sampled_from(WHOLES).map(quoted)
    numbers = st.one_of(st.sampled_from(NUMBERS).map(quoted), wholes)
    text_fields = st.sampled_from(["area", "payload.t"])
    number_fields = st.sampled_from(["payload.n", "payload.x"])
    listed = st.lists(texts, min_size=1, max_size=3).map(", ".join)
    return st.one_of(
        st.builds("{} {} {}".format, text_fields, orders, texts),
        st.builds("{} {} {}".format, texts, orders, text_fields),
        st.builds("{} {} {}".format, text_fields, orders, text_fields),
        st.builds("{} {} {}".format, number_fields, orders, numbers),
        st.builds("{} {} {}".format, number_fields, orders, number_fields),
        st.builds("occurred_at {} {}".format, orders, st.sampled_from(TIMES).map(time)),
        st.builds("payload.at {} {}".format, orders, st.sampled_from(TIMES).map(time)),
        st.builds("payload.b {} {}".format, equal, st.sampled_from(["true", "false"])),
        st.builds("{} in [{}]".format, text_fields, listed),
        st.builds("payload.n in [{}]".format, st.lists(wholes, max_size=3).map(", ".join)),
        st.builds("{} in refs".format, texts),
        st.builds("{}.{}({})".format, text_fields,
                  st.sampled_from(["startsWith", "endsWith", "contains"]), texts),
        st.sampled_from(["payload.b", "has(payload.n)", "has(payload.t)", "true", "false"]),
    )  # fmt: skip


FILTERS: Final = st.recursive(
    _conditions(),
    lambda inner: st.one_of(
        st.builds("!({})".format, inner), st.builds("({} && {})".format, inner, inner),
        st.builds("{} || {} && {}".format, inner, inner, inner),
        st.builds("({} || {})".format, inner, inner),
    ),
    max_leaves=8,
)  # fmt: skip
ROWS: Final = st.fixed_dictionaries(
    {"area": st.sampled_from(TEXTS), "occurred_at": st.sampled_from(TIMES),
     "refs": st.lists(st.sampled_from(TEXTS), max_size=2),
     "payload": st.fixed_dictionaries({}, optional={
         "n": st.sampled_from(WHOLES), "x": st.sampled_from(NUMBERS), "t": st.sampled_from(TEXTS),
         "b": st.booleans(), "at": st.sampled_from(TIMES).map(lambda at: at // 1000)})},
)  # fmt: skip


def by_cel(text: str, row: dict[str, Any]) -> bool:
    """What the published CEL says; an error is no."""
    body = dict(row["payload"])
    if "at" in body:
        body["at"] = moment(body["at"] * 1000)
    try:
        return bool(
            cel.evaluate(text, {**row, "occurred_at": moment(row["occurred_at"]), "payload": body})
        )
    except (KeyError, ValueError, TypeError, RuntimeError):
        return False


@settings(max_examples=1500, deadline=None)
@given(FILTERS, ROWS)
def test_a_filter_says_otherwise_than_a_published_cel(text: str, row: dict[str, Any]) -> None:
    assert made(text)(row) is by_cel(text, row)
    nulls = dict.fromkeys(("n", "x", "t", "b", "at"))
    assert made(text)({**row, "payload": {**nulls, **row["payload"]}}) is by_cel(text, row)


def test_what_is_not_known_is_let_through() -> None:
    late = f"due_at < {time(1_800_000_000_000_000)}"
    for text in (late, f"!({late})", 'payload.t != "secret"', '!(payload.t == "secret")', "!payload.b",
                 '!(payload.t in ["secret"])', 'concern == "x" || payload.n > 3'):  # fmt: skip
        assert not made(text)({"concern": "", "due_at": None, "payload": {}}), text
        assert not made(text)({"concern": "", "due_at": None, "payload": None}), text
    assert made("!has(due_at) || payload.n > 3")({"due_at": None, "payload": {}})
    assert made("!has(area) && !has(refs)")({"area": "", "refs": [], "payload": {}})
    assert made('area == ""')({"area": ""})


@pytest.mark.parametrize(("text", "at", "mend"), [
    ("area", 1, "compare"), ("area == 3", 6, "like"), ('area == "a" area', 13, "&&"),
    ('concernn == "a"', 1, "did you mean concern?"), ("n == 3", 1, "did you mean payload.n?"),
    ('payload.concern == "a"', 1, "did you mean concern?"), ("due_at == null", 11, "has"),
    ('area == "a" == "b"', 13, "&&"), ('(area == "a"', 13, ")"), ('area.b == "a"', 6, "payload"),
    ('!area == "a"', 7, "&&"), ('area in ["a", 3]', 15, "kind"), ('"x" == "x"', 5, "field"),
    ('refs == "x"', 6, "like"), ('"x" in area', 8, "compare"), ('area.matches("x")', 6, "startsWith"),
    ('area == "a', 9, "made of"), ("area == 'a\nb'", 9, "made of"), ('area @ "a"', 6, "made of"),
    (r'area == "\x41"', 10, "one of"), (r'area == "\ud800"', 10, "one of"), ("payload.o == 3", 1, "has"),
    ("payload.n == 9223372036854775808", 14, "no field"), ("payload.x == 1e999", 14, "no field"),
    ('occurred_at > timestamp("yesterday")', 25, "timestamp"), ("size(refs) > 0", 1, "has"),
    ('occurred_at > "2026-01-01"', 13, "like"), ("payload == 3", 1, "did you mean payload."), ("area in refs in refs", 14, "&&"),
    ("[1] == [1]", 1, "in ["), ("payload.b < true", 11, "=="), ("area.startsWith(3)", 6, "texts"),
    ('refs in ["a"]', 6, "in field"), ("", 0, ""), ("__import__('os').system('x')", 1, "has"),
    ("occurred_at.__class__ == 1", 13, "payload"), ("payload.__class__ == 1", 1, "did you mean"),
    ("{", 1, "made of"), ("&&", 1, "belongs"), ("has(3)", 1, "has"), ("has(payload.z)", 5, "did you mean"),
])  # fmt: skip
def test_a_filter_that_means_nothing_is_taken(text: str, at: int, mend: str) -> None:
    if not text:
        assert made(text)({})
        return
    with pytest.raises(Refused) as refused:
        made(text)
    assert refused.value.reason == "bad-filter"
    assert refused.value.detail.startswith(f"at character {at}: "), refused.value.detail
    assert mend in refused.value.mend


@pytest.mark.parametrize("text", [
    "(" * 50_000, "!" * 50_000 + "true", "(" * (DEEPEST + 1) + "true" + ")" * (DEEPEST + 1),
    "!" * (DEEPEST + 1) + "true", "has(" * (DEEPEST + 1), f"payload.n in [{', '.join(['3'] * (MOST + 1))}]",
    f'area == "{"a" * LONGEST}"', "[" * 1_000, "area." * 300,
    "area.contains(" * 140,
])  # fmt: skip
def test_a_filter_without_end_is_parsed(text: str) -> None:
    with pytest.raises(Refused, match="bad-filter"):
        made(text)


def test_a_filter_that_is_not_bounded_ends_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crosstown.agreements.parsing.DEEPEST", LONGEST)
    with pytest.raises(Refused, match="nests too deep"):
        made("(" * 900)


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet="abpayload.inhastrue\"'\\ ()[]!=<>&|,0-9", max_size=80))
def test_a_filter_of_anything_ends_in_a_fault(text: str) -> None:
    with suppress(Refused):
        made(text)({"area": "a", "payload": {}})


def test_a_field_of_two_contracts_is_read_as_one_of_them() -> None:
    contracts = Repository.load().contracts
    two = [contracts["riverton-311/requests"], contracts["riverton-housing/inspections"]]
    kinds = kinds_of(two)
    assert kinds["payload.occurred_at"].type == "time"
    assert kinds["payload.state"].values is not None
    assert set(kinds["concern"].values or ()) == {
        "", "housing-condition", "water-quality", "building-safety", "noise", "streets", "sanitation",
    }  # fmt: skip
    assert compiled('payload.complaint == "H"', kinds)({"payload": {"complaint": "H"}})
    assert not compiled('payload.complaint != "H"', kinds)({"payload": {"state": "NEW"}})


def test_times_of_milliseconds_are_taken_for_microseconds() -> None:
    day = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    row = {"payload": {"at": int(day.timestamp() * 1000)}}
    assert made('payload.at == timestamp("2026-01-02T00:00:00Z")')(row)
    assert made('payload.at == timestamp("2026-01-01T19:00:00-05:00")')(row)
