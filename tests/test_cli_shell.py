"""What the command line says where names, texts or places are not what they should be."""

from __future__ import annotations

from pathlib import Path

import pytest
from installation import call, line

WORDS = ("publish", "events", "-", "--dry-run")


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_json_ends_where_windows_has_no_letter_for_it(home: Path, encoding: str) -> None:
    lines = [line(f"WIN-{n}", type=what) for n, what in enumerate(("gesehen", "видел 👁", "vu"))]
    said = call(home, *WORDS, "-o", "json", stdin="".join(lines), PYTHONIOENCODING=encoding).ok()
    assert [one["type"] for one in said.lines()] == ["gesehen", "видел 👁", "vu"]
    people = call(home, *WORDS, stdin="".join(lines), PYTHONIOENCODING=encoding).ok()
    assert "видел 👁" in people.out
