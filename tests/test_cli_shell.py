"""What the command line says where names, texts or places are not what they should be."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from installation import call, line

from crosstown.cli.shell import guarded
from crosstown.errors import CrosstownError, NotFound, Stop

WORDS = ("publish", "events", "-", "--dry-run")


class Failing:
    """A command that fails so."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def main(self, **_how: Any) -> int:
        """Fail."""
        raise self.error


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_json_ends_where_windows_has_no_letter_for_it(home: Path, encoding: str) -> None:
    lines = [line(f"WIN-{n}", type=what) for n, what in enumerate(("gesehen", "видел 👁", "vu"))]
    said = call(home, *WORDS, "-o", "json", stdin="".join(lines), PYTHONIOENCODING=encoding).ok()
    assert [one["type"] for one in said.lines()] == ["gesehen", "видел 👁", "vu"]
    people = call(home, *WORDS, stdin="".join(lines), PYTHONIOENCODING=encoding).ok()
    assert "видел 👁" in people.out


@pytest.mark.parametrize(
    ("error", "code"),
    [(Stop(r"no case a\[/b]", mend=r"look into C:\exports\[old]\a.csv"), 2),
     (NotFound("[/] what?", candidates=(r"a\[/b]", "[red]")), 2),
     (ValueError(r"[no] C:\[/x]"), 1)],
    ids=["stop", "not found", "fault"],
)  # fmt: skip
def test_what_is_in_brackets_is_left_out_of_an_error_or_breaks_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    error: Exception, code: int,
) -> None:  # fmt: skip
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert guarded(Failing(error), []) == code
    said = capsys.readouterr().err
    assert f": {error}" in said
    if isinstance(error, CrosstownError):
        assert error.mend in said
    if isinstance(error, NotFound):
        assert all(one in said for one in error.candidates)


def test_fault_goes_unsaid_where_tmp_is_full(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    assert guarded(Failing(ValueError("the first one")), []) == 1
    assert "ValueError: the first one" in capsys.readouterr().err
