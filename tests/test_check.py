"""Each rule of `crosstown check`, broken: found with file, line and what to do."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
from installation import call

from crosstown.contracts.checking import RULES, Finding, check
from crosstown.errors import Stop

SHIPPED: Final = Path(str(files("schemas")))
GOLDEN: Final = Path(__file__).parent / "golden" / "cli" / "check.schema.json"
YAML: Final = "riverton-housing/inspections.v1.yaml"
AVSC: Final = "riverton-housing/inspections.v1.avsc"
EXAMPLES: Final = "examples/riverton-housing"


def edited(file: str, old: str, new: str) -> Callable[[Path], None]:
    """Put something else in the place of the first `old`; it must be there."""

    def edit(folder: Path) -> None:
        text = (folder / file).read_text("utf-8")
        assert old in text
        (folder / file).write_text(text.replace(old, new, 1), "utf-8")

    return edit


def without(file: str, pattern: str) -> Callable[[Path], None]:
    """Take out what a pattern finds first."""

    def edit(folder: Path) -> None:
        text = (folder / file).read_text("utf-8")
        made = re.sub(pattern, "", text, count=1, flags=re.MULTILINE | re.DOTALL)
        assert made != text
        (folder / file).write_text(made, "utf-8")

    return edit


def second(change: Callable[[dict[str, Any]], None], *, number: int = 2) -> Callable[[Path], None]:
    """Another version of the contract, with a change to its schema."""

    def edit(folder: Path) -> None:
        schema = json.loads((folder / AVSC).read_text("utf-8"))
        change(schema)
        stem = f"inspections.v{number}"
        (folder / "riverton-housing" / f"{stem}.avsc").write_text(json.dumps(schema), "utf-8")
        text = (
            (folder / YAML).read_text("utf-8").replace("version: 1.0.0", f"version: {number}.0.0")
        ).replace("address_text: mask, ", "")
        (folder / "riverton-housing" / f"{stem}.yaml").write_text(text, "utf-8")
        for example in (folder / EXAMPLES).glob("inspections.v1.*.json"):
            shutil.copy(example, example.with_name(example.name.replace(".v1.", f".v{number}.")))

    return edit


def retyped(schema: dict[str, Any]) -> None:
    """A field that was text is a number now."""
    one = next(f for f in schema["fields"] if f["name"] == "address_text")
    one |= {"type": ["null", "long"], "default": None}


def enum_outcome(folder: Path) -> None:
    """An enum whose crosswalk lacks a symbol, and says nothing otherwise."""
    schema = json.loads((folder / AVSC).read_text("utf-8"))
    one = next(f for f in schema["fields"] if f["name"] == "event")
    one["type"] = {"type": "enum", "name": "Event", "symbols": ["requested", "inspected", "lost"]}
    (folder / AVSC).write_text(json.dumps(schema), "utf-8")
    text = (folder / YAML).read_text("utf-8")
    (folder / YAML).write_text(
        re.sub(r"^( +)type: .*$", r"\1type: {field: event, crosswalk: {requested: a.b, inspected: c.d}}",
               text, count=1, flags=re.MULTILINE), "utf-8",
    )  # fmt: skip


BROKEN: Final[dict[str, tuple[str, str, Callable[[Path], object]]]] = {
    "a question that nobody answered": ("question", YAML, edited(YAML, "team:", "# QUESTION: Who? -> a team\nteam:")),
    "a value that nobody knew": ("question", YAML, edited(YAML, "mailto:office@housing.riverton.example", '"mailto:???"')),
    "the file of agencies is no YAML": ("file", "agencies.yaml", edited("agencies.yaml", "jurisdictions:", "jurisdictions: [")),
    "a window is no number": ("file", "concerns.yaml", edited("concerns.yaml", "default_window_days: 30", "default_window_days: soon")),
    "a schema stands alone": ("alone", AVSC, lambda folder: (folder / YAML).unlink()),
    "a contract stands alone": ("alone", YAML, lambda folder: (folder / AVSC).unlink()),
    "a contract without a number": ("alone", "riverton-housing/visits.yaml", lambda folder: shutil.copy(folder / YAML, folder / "riverton-housing/visits.yaml")),
    "a schema that eats memory": ("guard", AVSC, edited(AVSC, '"fields": [', '"fields": [{"name": "bomb", "type": {"type": "array", "items": "null"}},')),
    "a schema that is none": ("guard", AVSC, edited(AVSC, "{", "")),
    "a mapping of a field that isn't there": ("contract", YAML, edited(YAML, "{field: occurred_at}", "{field: occured_at}")),
    "a word of ours misspelt": ("contract", YAML, edited(YAML, "        headline:", "        headlin:")),
    "an agency that isn't declared": ("contract", "waterworks/inspections.v1.yaml", lambda folder: shutil.copytree(folder / "riverton-housing", folder / "waterworks")),
    "a way to ask without its name": ("standard", YAML, edited(YAML, "  - channel: ", "  - chanel: ")),
    "a status that is a number": ("standard", YAML, edited(YAML, "status: active", "status: active\ntags: 7")),
    "nobody to ask": ("owner", YAML, without(YAML, r"^support:.*?(?=^slaProperties)")),
    "no purpose": ("purpose", YAML, without(YAML, r"^  purpose: >-\n.*?(?=^  usage)")),
    "no word on how often": ("service-level", YAML, without(YAML, r"^  - property: frequency\n    value: 1\n    unit: d\n")),
    "no word on how late": ("service-level", YAML, without(YAML, r"^  - property: latency\n    value: 2\n    unit: d\n")),
    "a promise that is no time": ("service-level", YAML, without(YAML, r"^    unit: y\n")),
    "no word on how long": ("service-level", YAML, without(YAML, r"^  - property: retention\n    value: 10\n    unit: y\n")),
    "a field that nobody describes": ("fields", YAML, edited(YAML, "- name: complaint_text", "- name: complaint_words")),
    "a field of unknown sensitivity": ("sensitivity", YAML, without(YAML, r"^        classification: restricted\n")),
    "a sensitivity nobody knows": ("sensitivity", YAML, edited(YAML, "classification: restricted", "classification: secret")),
    "a concern misspelt": ("concern", YAML, edited(YAML, "H: housing-condition", "H: housing-conditon")),
    "a name in the headline": ("headline", YAML, lambda folder: (folder / YAML).write_text(
        re.sub(r"headline: .*", 'headline: {template: "{address_text}"}', (folder / YAML).read_text("utf-8")), "utf-8")),
    "a text of which nobody says what is done with a telephone number in it": ("screening", YAML, edited(YAML, ", inspector_notes: mask", "")),
    "a list of texts of which nobody says it": ("screening", YAML, edited(YAML, "name: see_also\n        logicalType: array\n        required: false\n        classification: internal", "name: see_also\n        logicalType: array\n        required: false\n        classification: confidential")),
    "screening of a field that isn't there": ("contract", YAML, edited(YAML, "inspector_notes: mask", "inspector_note: mask")),
    "names in a field that isn't there": ("contract", YAML, edited(YAML, "names: [tenant_name]", "names: [tenant]")),
    "a word for screening that nobody knows": ("contract", YAML, edited(YAML, "inspector_notes: mask", "inspector_notes: hide")),
    "a mask over what records are joined by": ("contract", YAML, edited(YAML, "inspector_notes: mask", "inspector_notes: mask, address: mask")),
    "a mask over the record's number": ("contract", YAML, edited(YAML, "inspector_notes: mask", "inspector_notes: mask, number: mask")),
    "an enum's symbol without a word": ("total", YAML, enum_outcome),
    "no example": ("example", YAML, lambda folder: shutil.rmtree(folder / EXAMPLES)),
    "an example that intake refuses": ("example", EXAMPLES, lambda folder: [
        p.write_text(json.dumps({**json.loads(p.read_text("utf-8")), "number": ""}), "utf-8")
        for p in (folder / EXAMPLES).glob("*.json")]),
    "an example of another schema": ("example", EXAMPLES, lambda folder: [
        p.write_text('["a list"]', "utf-8") for p in (folder / EXAMPLES).glob("*.json")]),
    "a version is left out": ("gap", "riverton-housing/inspections.v3.yaml", second(lambda _: None, number=3)),
    "a change that old readers can't read": ("compatible", "riverton-housing/inspections.v2.avsc", second(retyped)),
}  # fmt: skip


def found_in(folder: Path) -> list[Finding]:
    return list(check(folder).findings)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "schemas"))


def test_what_ships_breaks_a_rule() -> None:
    assert found_in(SHIPPED) == []


@pytest.mark.parametrize(("rule", "file", "edit"), BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_is_not_found(
    folder: Path, rule: str, file: str, edit: Callable[[Path], object]
) -> None:
    edit(folder)
    found = [one for one in found_in(folder) if one.rule == rule]
    assert found, found_in(folder)
    one = found[0]
    assert str(one.file).startswith(str(folder / file)), one
    assert one.line >= 1
    assert one.mend
    assert rule in RULES


def test_a_rule_is_never_broken_here() -> None:
    assert {rule for rule, _, _ in BROKEN.values()} == set(RULES)


def test_a_finding_points_at_another_line(folder: Path) -> None:
    edited(YAML, "classification: restricted", "classification: secret")(folder)
    (one,) = found_in(folder)
    lines = (folder / YAML).read_text("utf-8").splitlines()
    assert lines[one.line - 1].strip() == f"- name: {one.what.partition(':')[0]}"


def dropped(schema: dict[str, Any]) -> None:
    """A field goes, which a reader of old bodies doesn't mind."""
    schema["fields"] = [f for f in schema["fields"] if f["name"] != "address_text"]


@pytest.mark.parametrize(("mode", "breaks"), [("BACKWARD", 0), ("BACKWARD_TRANSITIVE", 1)])
def test_only_the_version_before_counts(folder: Path, mode: str, breaks: int) -> None:
    edited(YAML, "      envelope:", f"      compatibility: {mode}\n      envelope:")(folder)
    second(dropped)(folder)
    second(retyped, number=3)(folder)
    assert sum(one.rule == "compatible" for one in found_in(folder)) == breaks


def test_one_contract_hides_what_is_wrong_with_another(folder: Path) -> None:
    edited(AVSC, "{", "")(folder)
    edited("boston-311/requests.v1.yaml", "status: active", "status: active\ntags: 7")(folder)
    assert {one.file.parent.name for one in found_in(folder)} == {"riverton-housing", "boston-311"}


def test_a_folder_of_something_else_is_checked(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(Stop):
            check(path)


def test_the_command_says_something_else(folder: Path, tmp_path: Path) -> None:
    assert "all hold" in call(tmp_path, "check").ok().out
    call(tmp_path, "check", CROSSTOWN_SCHEMAS=str(folder)).ok()
    edited(YAML, "classification: restricted", "classification: 100%, really")(folder)
    said = call(tmp_path, "check", str(folder))
    assert (said.code, "1 finding" in said.err) == (3, True)
    assert re.search(
        r"inspections\.v1\.yaml:\d+: sensitivity: .*100%, really\n  -> one of", said.out
    )
    made = call(tmp_path, "check", str(folder), "-o", "json")
    assert made.code == 3
    jsonschema.validate(made.json(), json.loads(GOLDEN.read_text("utf-8")))
    ci = call(tmp_path, "check", str(folder), "-o", "github")
    assert re.match(
        r"::error file=\S+inspections\.v1\.yaml,line=\d+,title=sensitivity::.*100%25, really",
        ci.out,
    )
    assert call(tmp_path, "check", str(tmp_path)).code == 2
