"""Bugs that were sown into the linking rule's code: each must be found by the histories."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
import test_linking

from crosstown.cases import cases, timeline
from crosstown.event import sayings

HISTORIES = 500
Sown = tuple[ModuleType, str, str]
BUGS: dict[str, Sown] = {
    "the window's end is left out": (
        cases, "if at and entry.occurred - rows[at - 1].occurred <=",
        "if at and entry.occurred - rows[at - 1].occurred <",
    ),
    "a record isn't told of its case's new head": (
        cases, "record.told is not head:", "record.told is None:",
    ),
    "a record that is gone isn't told so": (cases, "if record.case is None:\n                record.told", "if False:\n                record.told"),
    "the content that was said first counts": (
        cases, "key=lambda one: (one.last,", "key=lambda one: (-one.first,",
    ),
    "a ref to a record not yet seen is lost": (
        cases, "for namer in self._namers.get(record.name, ()):\n                self._join_by_rule(record, namer)\n            if", "if",
    ),
    "a ref joins what people separated": (
        cases, "if target is not None and target.case is not None:\n            self._join_by_rule(", "if target is not None and target.case is not None:\n            self._join(",
    ),
    "a neighbour hides one who isn't separated": (cases, "if spot.careful:\n            for", "if False:\n            for"),
    "a case that lost an event isn't looked at again": (
        cases, "if case is not None:\n            case.suspect = True", "if case is not None:\n            case.suspect = False",
    ),
    "a merge forgets that a case is in doubt": (cases, "a.suspect |= b.suspect", "pass"),
    "an assertion before its records is lost": (cases, "if record.about is not None:\n                self._join_asserted(record)", ""),
    "who comes back from apart stays alone": (
        cases, "for name in freed:\n            if name in self.records:", "for name in freed:\n            if False:",
    ),
    "a separation that was taken back still holds": (cases, "elif _direct(*there):", "elif False:"),
    "an erased record comes back with its next event": (
        cases, "record.erased = self._is_erased(name)", "record.erased = False",
    ),
    "the way of arrival is that of the last saying": (
        cases, "if (known_at, via) < (entry.first, entry.via):", "if known_at < entry.first:",
    ),
    "who stands apart is shown as linked": (
        timeline, "spot is None or (b.record.about is not None and b.record.about.apart)", "spot is None",
    ),
    "a separated record's links don't span its case": (
        timeline, "j == i - 1 or _is_separated(a.record) or _is_separated(b.record)", "j == i - 1",
    ),
    "a separation is shown twice": (
        sayings, "if entry.refs[0] == member.name or entry.refs[0] not in present", "if True",
    ),
}  # fmt: skip


def place(name: str, module: ModuleType) -> None:
    """Where `from PACKAGE import NAME` finds it."""
    package, _, own = name.rpartition(".")
    setattr(sys.modules[package], own, module)


@pytest.fixture
def sown(request: pytest.FixtureRequest) -> Iterator[None]:
    """The rule's modules with one bug in one of them, for as long as the test runs."""
    broken, right, wrong = request.param
    names = {module.__name__: module for module in (sayings, timeline, cases)}
    try:
        for name, module in names.items():
            assert module.__file__ is not None
            source = Path(module.__file__).read_text("utf-8")
            if module is broken:
                assert source.count(right) == 1, "the line that was broken isn't there any more"
                source = source.replace(right, wrong)
            spec = spec_from_file_location(name, module.__file__)
            assert spec is not None
            sys.modules[name] = copy = module_from_spec(spec)
            exec(compile(source, module.__file__, "exec"), copy.__dict__)  # noqa: S102 - our own
            place(name, copy)
        setattr(test_linking, "City", sys.modules["crosstown.cases.cases"].City)  # noqa: B010
        yield
    finally:
        sys.modules.update(names)
        for name, module in names.items():
            place(name, module)
        setattr(test_linking, "City", cases.City)  # noqa: B010


@pytest.mark.parametrize("sown", BUGS.values(), ids=BUGS, indirect=True)
@pytest.mark.usefixtures("sown")
def test_a_bug_in_the_rule_is_not_found() -> None:
    def histories_hold() -> None:
        share = test_linking.Share()
        for seed in range(HISTORIES):
            share.hold(test_linking.thrown(seed))

    with pytest.raises(Exception):  # noqa: B017, PT011 - however it shows
        histories_hold()
