"""The README's commands, as somebody would paste them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from installation import Installation

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("deploy/*.md"), *ROOT.glob("docs/**/*.md")])
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```\w*\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
PASTED = [one for one in BLOCKS if "crosstown publish events -" in one or "crosstown bridge" in one]
OPTION = re.compile(r"crosstown (?P<command>[a-z-]+)\b[^\n#`]*?(?P<option>--[a-z-]+)")


@pytest.mark.parametrize("block", PASTED, ids=["a line of JSON", "a hand carry"])
def test_pasted_command_fails(installation: Installation, tmp_path: Path, block: str) -> None:
    command = tmp_path / "crosstown"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m crosstown.cli "$@"\n')
    command.chmod(0o755)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}",
             "CROSSTOWN_HOME": str(installation.home)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_readme_names_an_option_that_is_not_there(installation: Installation) -> None:
    assert len(PASTED) == 2
    named = {found.group("command", "option") for found in OPTION.finditer(README)}
    assert len(named) >= 4
    for command in {name for name, _ in named}:
        said = installation(command, "--help", COLUMNS="200", TERMINAL_WIDTH="200").ok().out
        for option in {option for name, option in named if name == command}:
            assert option in said, f"crosstown {command} {option}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_linked_file_is_not_there(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for file, part in re.findall(r"\]\((?!https?:|mailto:)([^)#]*)#?([^)]*)\)", text):
        target = page.parent / file if file else page
        assert target.exists(), file
        assert not part or part in anchors(target), f"{file}#{part}"


def anchors(page: Path) -> set[str]:
    """The parts of a page that can be linked, as GitHub names them."""
    heads = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads}


def test_decision_is_not_in_the_list() -> None:
    folder = ROOT / "docs/decisions"
    there = {page.name for page in folder.glob("0*.md")}
    assert set(re.findall(r"\]\((0[^)]+)\)", (folder / "README.md").read_text("utf-8"))) == there
