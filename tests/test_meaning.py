"""What a case of several agencies means: the labels, the concern map, the figures of docs/meaning.md."""

from __future__ import annotations

import dataclasses
import shutil
from importlib.resources import files
from pathlib import Path

import pytest
from boston_files import are_real, boston_files

from bench.meaning import CONTRACT, LABELS, LATER, Label, Score, cases, labels, score, table, wilson
from crosstown.contracts.repository import Repository
from crosstown.errors import Stop

DOC = (Path(__file__).parents[1] / "docs" / "meaning.md").read_text("utf-8")


def test_figures_of_the_page_do_not_come_out(tmp_path: Path) -> None:
    exports = boston_files(tmp_path)
    if not are_real(exports):  # other exports give other figures; the way there is the same
        assert len(cases(exports)) != len(cases(exports, (CONTRACT,)))
        return
    for row in table(exports):
        assert row in DOC


def test_labels_are_of_another_sample() -> None:
    first, later = labels(LABELS), labels(LATER)
    assert (len(first), len(later)) == (200, 40)
    assert not {one.case for one in first} & {one.case for one in later}
    for one in (*first, *later):
        for groups in (one.same, one.unsure):
            assert all(len(group) > 1 for group in groups)


def test_score_counts_other_than_it_says() -> None:
    case = ("a/311/1", "a/311/2", "b/311/3"), ("a/311/4", "b/311/5"), ("a/311/6", "b/311/7")
    said = [
        Label("1", (frozenset("13"),), ()), Label("4", (), ()), Label("6", (), (frozenset("67"),)),
    ]  # fmt: skip
    one = score(case, case, said)
    assert one == Score(cases=3, right=1, unsure=1, pairs=3, right_pairs=1, known_pairs=1)
    assert (one.precision, one.pair_precision, one.recall) == (1 / 2, 1 / 3, 1)
    split = score((("a/311/1",), ("a/311/2", "b/311/3"), *case[1:]), case, said)
    assert (split.right, split.recall) == (0, 0)
    low, high = wilson(0.5, 10)
    assert (round(low, 3), round(high, 3)) == (0.237, 0.763)  # Wilson's interval of 5 in 10


def test_concern_map_is_on_without_being_asked_for() -> None:
    plain, mapped = Repository.load(None), Repository.load(None, (CONTRACT,))
    body = {
        "agency": "public-works-department", "case_enquiry_id": "1", "event": "request.opened",
        "occurred_at": 1, "request_type": "Misc. Snow Complaint", "subject": "x", "flags": [],
    }  # fmt: skip
    for repository, concern in ((plain, "any"), (mapped, "snow")):
        contract = repository.contracts[CONTRACT]
        assert contract.envelope(body, "boston-311", 2, "batch").concern == concern
    unlisted = mapped.contracts[CONTRACT].envelope(
        {**body, "request_type": "x"}, "boston-311", 2, "batch"
    )
    assert unlisted.concern == ""
    assert dataclasses.replace(unlisted, concern="any") == plain.contracts[CONTRACT].envelope(
        {**body, "request_type": "x"}, "boston-311", 2, "batch"
    )


def test_concern_of_a_map_has_no_window_of_its_own() -> None:
    repository = Repository.load(None, (CONTRACT,))
    found = (Path(str(files("schemas"))) / "codelists" / "boston-311.yaml").read_text("utf-8")
    for line in found.splitlines():
        if line.startswith("  ") and line.endswith(":"):
            assert line.strip(" :") in repository.concerns


@pytest.mark.parametrize(
    ("maps", "broken", "words"),
    [
        (("boston-311/request",), "", "no contract boston-311/request"),
        (("any/events",), "", "any/events has no concern map"),
        (
            (CONTRACT,),
            "version: 1\nfield: request_type\nconcerns: {a: [x], b: [x]}\n",
            "x is under a and b",
        ),
        ((CONTRACT,), "version: 1\nfield: nonsense\nconcerns: {a: [x]}\n", "nonsense"),
        ((CONTRACT,), "felder: x\n", "boston-311.yaml"),
    ],
)
def test_broken_map_is_a_riddle(
    maps: tuple[str, ...], broken: str, words: str, tmp_path: Path
) -> None:
    folder = tmp_path / "schemas"
    shutil.copytree(str(files("schemas")), folder)
    if broken:
        (folder / "codelists" / "boston-311.yaml").write_text(broken, "utf-8")
    with pytest.raises(Stop, match=words) as caught:
        Repository.load(folder, maps)
    assert caught.value.mend
