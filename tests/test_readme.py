"""The README's commands, as somebody would paste them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from installation import Installation

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
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


def test_linked_file_is_not_there() -> None:
    root = Path(__file__).parents[1]
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", README)
    assert links
    assert [one for one in links if not (root / one).exists()] == []
