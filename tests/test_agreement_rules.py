"""Each rule of `crosstown check` on agreements, broken: found with file, line and what to do."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from crosstown.agreements.agreement import Agreement, Basis, Coarser, Delivery
from crosstown.agreements.checking import RULES
from crosstown.contracts.checking import Finding, check
from crosstown.contracts.repository import Repository, shipped
from crosstown.errors import Stop

Edit = Callable[[Path], object]
HEALTH: Final = "agreements/health-sees-inspections.yaml"
TENANTS: Final = "agreements/tenants-own-cases.yaml"
BROWN: Final = "agreements/water-hears-of-brown-water.yaml"
BROWN_FILTER: Final = 'filter: concern == "water-quality"'
TODAY: Final = dt.date(2026, 11, 29)
PAGE: Final = (Path(__file__).parents[1] / "docs" / "agreements.md").read_text("utf-8")


def edited(file: str, *changes: tuple[str, str]) -> Edit:
    """Put something else in the place of each first word; it must be there."""

    def edit(folder: Path) -> None:
        text = (folder / file).read_text("utf-8")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        (folder / file).write_text(text, "utf-8")

    return edit


def asks(text: str) -> Edit:
    """Another filter on what the water authority hears."""
    return edited(BROWN, (BROWN_FILTER, f"filter: >-\n  {text}"))


def classified(field: str, sensitivity: str) -> Edit:
    """Another sensitivity of a field of the 311 requests."""

    def edit(folder: Path) -> None:
        file = folder / "riverton-311/requests.v1.yaml"
        pattern = rf"(- name: {field}\n(?:        .*\n)*?        classification: )public"
        text, count = re.subn(pattern, rf"\g<1>{sensitivity}", file.read_text("utf-8"))
        assert count == 1
        file.write_text(text, "utf-8")

    return edit


def both(*edits: Edit) -> Edit:
    """One edit after the other."""

    def edit(folder: Path) -> None:
        for one in edits:
            one(folder)

    return edit


BROKEN: Final[dict[str, tuple[str, str, str, Edit]]] = {
    "an id that is not the file's name": ("agreement", BROWN, "id:", edited(BROWN, ("id: water-hears", "id: hears"))),
    "a word that nobody knows": ("agreement", BROWN, "gives:", edited(BROWN, ("gives: events", "gives: all"))),
    "a field of the envelope that isn't one": ("agreement", BROWN, "envelope:", edited(BROWN, ("[type, step", "[type, steps"))),
    "a handshake with an end": ("agreement", BROWN, "id:", edited(BROWN, ("since: 2025-01-01", "end: 2030-01-01"))),
    "an agreement that holds on no day": ("agreement", HEALTH, "id:", edited(HEALTH, ("end: 2035", "end: 2024"))),
    "an agreement without a basis": ("agreement", HEALTH, "id:", edited(HEALTH, ("kind: agreement", "kind: handshake"))),
    "no YAML": ("agreement", BROWN, "stewards:", edited(BROWN, ("receiver:", "receiver: ["))),
    "a receiver that is not declared": ("party", BROWN, "receiver:", edited(BROWN, ("receiver: riverton-water", "receiver: riverton-waters"), (", riverton-water:", ", riverton-waters:"))),
    "a provider that is not declared": ("party", BROWN, "providers:", edited(BROWN, ("[riverton-311]", "[riverton-312]"), ("{riverton-311:", "{riverton-312:"))),
    "a contract that isn't there": ("covers", BROWN, "contract:", edited(BROWN, ("riverton-311/requests", "riverton-311/request"))),
    "a contract of somebody else": ("covers", BROWN, "contract:", edited(BROWN, ("riverton-311/requests", "riverton-housing/inspections"))),
    "a provider that gives nothing": ("covers", TENANTS, "providers:", edited(TENANTS, ("  - {contract: riverton-buildings/permits}\n", ""))),
    "what is erased as a feed": ("covers", BROWN, "contract:", edited(BROWN, ("riverton-311/requests", "any/erasures"))),
    "a field of the body that isn't there": ("field", HEALTH, "contract:", edited(HEALTH, ("[outcome_text, ", "[outcome_words, "))),
    "a field twice": ("field", HEALTH, "contract:", edited(HEALTH, ("[outcome_text, ", "[complaint_text, "))),
    "a jurisdiction that is not declared": ("territory", BROWN, "jurisdictions:", edited(BROWN, ("us-xx-riverton", "us-xx-river"))),
    "another city's events": ("territory", BROWN, "contract:", edited(BROWN, ("us-xx-riverton", "us-xx-eastvale"))),
    "a sensitive field by a handshake": ("basis", BROWN, "contract:", edited(BROWN, ("[topic_text]", "[topic_text, caller_notes]"))),
    "a sensitive field by way of the envelope": ("basis", BROWN, "envelope:", edited(BROWN, ("[type, step", "[type, refs, step"))),
    "sensitive numbers of records by a handshake": ("basis", BROWN, "identifiers:", both(
        edited(BROWN, ("coarser:", "identifiers: records\ncoarser:")), classified("number", "internal"))),
    "a sensitive field asked by a handshake's filter": ("basis", BROWN, "filter:", asks('payload.caller_notes.contains("Smith")')),
    "a field of the envelope that is made of a sensitive one asked by a filter": ("basis", BROWN, "filter:", asks('"riverton-housing/inspection/7" in refs')),
    "a coarser place where none goes out": ("coarser", BROWN, "coarser:", edited(BROWN, ("occurred_at, place, ", "occurred_at, "))),
    "a coarser time where none goes out": ("coarser", BROWN, "coarser:", edited(BROWN, ("step, occurred_at,", "step,"))),
    "a coarser place beside the address": ("coarser", BROWN, "contract:", edited(BROWN, ("[topic_text]", "[topic_text, address]"))),
    "a filter that can't be read": ("filter", BROWN, "filter:", asks('concern == "water-quality" &&')),
    "a filter on a field that isn't there": ("filter", BROWN, "filter:", asks('concerns == "water-quality"')),
    "a filter on a body's field that isn't there": ("filter", BROWN, "filter:", asks('payload.topics == "BRNWTR"')),
    "a text compared with a number": ("filter", BROWN, "filter:", asks("concern == 7")),
    "a filter of too many alternatives": ("filter", BROWN, "filter:", asks(" && ".join(['(area == "a" || area == "b")'] * 12))),
    "a concern that isn't listed": ("code", BROWN, "filter:", asks('concern == "water"')),
    "a concern that is listed, and none of the contract's": ("code", BROWN, "filter:", asks('concern in ["water-quality", "graffiti"]')),
    "a step that there isn't": ("code", BROWN, "filter:", asks('step != "DONE"')),
    "an agency that can't be meant": ("code", BROWN, "filter:", asks('!(to_agency in ["riverton-waters"])')),
    "a code of the body that intake refuses": ("code", BROWN, "filter:", asks('payload.sent_to == "WATER"')),
    "two values at once": ("never", BROWN, "filter:", asks('step == "REPORTED" && step == "CLOSED"')),
    "two values at once in one alternative": ("never", BROWN, "filter:", asks('step == "NOTE" || (step == "REPORTED" && (area == "1" && !(step in ["REPORTED", "NOTE"])))')),
    "before the beginning and after the end": ("never", BROWN, "filter:", asks('occurred_at > timestamp("2026-01-01T00:00:00Z") && occurred_at < timestamp("2025-01-01T00:00:00Z")')),
    "neither a value nor another": ("never", BROWN, "filter:", asks('!(step == "NOTE" || step != "NOTE")')),
    "two ends, the nearer one before the beginning": ("never", BROWN, "filter:", asks(
        'occurred_at < timestamp("2025-01-01T00:00:00Z") && occurred_at < timestamp("2027-01-01T00:00:00Z")'
        ' && occurred_at > timestamp("2026-01-01T00:00:00Z")')),
    "two beginnings, the later one after the end": ("never", BROWN, "filter:", asks(
        'occurred_at > timestamp("2026-01-01T00:00:00Z") && occurred_at > timestamp("2024-01-01T00:00:00Z")'
        ' && occurred_at < timestamp("2025-01-01T00:00:00Z")')),
    "given and not given": ("never", BROWN, "filter:", asks("has(area) && !has(area)")),
    "nothing listed": ("never", BROWN, "filter:", asks("step in []")),
    "false": ("never", BROWN, "filter:", asks("false")),
    "an end that is past": ("ended", HEALTH, "end:", edited(HEALTH, ("end: 2035-01-01", "end: 2026-11-29"))),
    "a document that was changed": ("document", HEALTH, "sha256:", edited("agreements/2024-117.md", ("30 days", "300 days"))),
    "a document outside": ("document", HEALTH, "document:", edited(HEALTH, ("agreements/2024-117.md", "../../secret"))),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(shipped(), tmp_path / "schemas"))


def found_in(folder: Path) -> list[Finding]:
    return list(check(folder, TODAY).findings)


@pytest.mark.parametrize(("rule", "file", "at", "edit"), BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_on_agreements_is_not_found(
    folder: Path, rule: str, file: str, at: str, edit: Edit
) -> None:
    edit(folder)
    found = found_in(folder)
    one = next((one for one in found if one.rule == rule), None)
    assert one is not None, found
    assert one.file == folder / file
    assert at in one.file.read_text("utf-8").splitlines()[one.line - 1], one
    assert one.mend
    if rule not in ("ended", "document"):  # what time and other files do to it stops nobody
        with pytest.raises(Stop, match=rf"{file}:{one.line}:"):
            Repository.load(folder)
    else:
        assert len(Repository.load(folder).agreements) == 3


def test_a_rule_on_agreements_is_never_broken_here() -> None:
    assert {rule for rule, _, _, _ in BROKEN.values()} == set(RULES)


def test_what_ships_breaks_a_rule_on_agreements() -> None:
    assert found_in(shipped()) == []


@pytest.mark.parametrize("text", [
    'step == "REPORTED" || step == "CLOSED"',
    '!(step == "REPORTED" && step == "CLOSED")',
    'step in ["REPORTED", "CLOSED"] && step != "CLOSED"',
    'occurred_at >= timestamp("2026-01-01T00:00:00Z") && occurred_at <= timestamp("2026-01-01T00:00:00Z")',
    'area == "" && !has(area)',
])  # fmt: skip
def test_a_filter_that_can_be_true_is_refused(folder: Path, text: str) -> None:
    asks(text)(folder)
    assert found_in(folder) == []


def test_a_formal_agreement_may_not_have_what_it_has_a_basis_for(folder: Path) -> None:
    edited(
        HEALTH,
        ("[outcome_text, ", "[tenant_name, outcome_text, "),
        ("[agency, type", "[refs, agency, type"),
    )(folder)
    assert found_in(folder) == []


def test_a_coarser_place_is_as_sensitive_as_the_place(folder: Path) -> None:
    classified("address", "restricted")(folder)
    assert {one.file for one in found_in(folder) if one.rule == "basis"} == {folder / TENANTS}


def test_a_broken_contract_is_said_again_of_each_agreement(folder: Path) -> None:
    contract = folder / "riverton-311/requests.v1.yaml"
    contract.write_text(
        contract.read_text("utf-8").replace("{field: occurred_at}", "{field: at}"), "utf-8"
    )
    assert {one.file for one in found_in(folder)} == {contract}


def test_the_agreement_that_the_page_shows_does_not_hold(folder: Path) -> None:
    (shown,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (name,) = re.findall(r"^id: (.+)$", shown, re.MULTILINE)
    (folder / f"agreements/{name}.yaml").write_text(shown, "utf-8")
    assert found_in(folder) == []
    assert name in Repository.load(folder).agreements


def test_the_page_leaves_out_what_may_stand_in_an_agreement() -> None:
    for form in (Agreement, Basis, Coarser, Delivery):
        assert [name for name in form.model_fields if f"`{name}" not in PAGE] == [], form


def test_a_city_without_agreements_has_those_of_the_sample(folder: Path) -> None:
    shutil.rmtree(folder / "agreements")
    assert Repository.load(folder).agreements == {}
    assert check(folder).agreements == 0


@pytest.mark.parametrize(("file", "old", "new"), [
    (HEALTH, "end: 2035-01-01", "end: 9999-12-31"), (HEALTH, "start: 2025-01-01", "start: 0001-01-01"),
    (BROWN, "since: 2025-01-01", "since: 2200-01-01"), (BROWN, "since: 2025-01-01", "since: yesterday"),
    (HEALTH, "delete_within_days: 30", "delete_within_days: 99999999999999999999"),
    (HEALTH, "delete_within_days: 30", f"quiet_days: {'9' * 400}.0"),
    (HEALTH, "fresh_minutes: 15", "fresh_minutes: -1"), (HEALTH, "agreements/2024-117.md", '"a\\0b"'),
    (HEALTH, "agreements/2024-117.md", "x" * 5_000), (BROWN, "id: ", "id: &a [*a, *a]\nid: "),
    (BROWN, "filter: ", f"filter: {'[' * 5_000}"), (BROWN, "filter: ", f"filter: {'(' * 1_999} # "),
    (BROWN, "filter: ", f"filter: {'x' * 300_000} # "), (BROWN, "[us-xx-riverton]", "[]"),
    (BROWN, "[topic_text]", "[topic_text, 7, null]"), (BROWN, "purpose: ", "purpose: \x00"),
    (BROWN, "riverton-water: Jo Petersen", "riverton-water: ''"), (BROWN, "[http, kafka]", "[fax]"),
])  # fmt: skip
def test_a_hostile_file_ends_in_a_fault(folder: Path, file: str, old: str, new: str) -> None:
    edited(file, (old, new))(folder)
    found = [one for one in found_in(folder) if one.file == folder / file]
    assert found
    assert all(one.line >= 1 and len(one.what) < 2_000 for one in found)


def test_a_file_that_is_no_text_ends_in_a_fault(folder: Path) -> None:
    (folder / BROWN).write_bytes(bytes(range(256)))
    assert [one.rule for one in found_in(folder)] == ["agreement"]
