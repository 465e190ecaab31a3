"""An older Crosstown makes room for this one, worker by worker, under load; and back, and forth again.

The older one is the tree that `CROSSTOWN_OLDER` names (`git worktree add ../older COMMIT`), else this repository's of
fifty commits ago. How it's done: docs/upgrade.md.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from chaos import until
from test_workers import Ear, Load, Workers, all_is_there_once, goes_on, working

THIS = Path(__file__).parents[1]


class Code:
    """Which tree what is started next is of."""

    def __init__(self, environment: pytest.MonkeyPatch) -> None:
        self._environment = environment
        environment.setenv("PYTHONSAFEPATH", "1")  # else the folder that pytest runs in comes first

    def __call__(self, tree: Path, workers: Workers | None = None) -> None:
        self._environment.setenv("PYTHONPATH", str(tree))
        if workers:
            workers.env["PYTHONPATH"] = str(tree)


@pytest.mark.long
def test_something_is_lost_or_doubled_while_versions_work_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older, code = older_tree(tmp_path), Code(monkeypatch)
    code(older)
    with working(tmp_path) as workers:
        load, ear = Load(workers.home, tmp_path / "lines.jsonl"), Ear(workers.home)
        try:
            until(lambda: ear.all_speak(0), 60)
            code(THIS)
            workers.home.run(
                "apply", "--yes"
            )  # topics that this one needs and the older one hasn't
            for what, tree in (("newer", THIS), ("back to the older", older), ("newer", THIS)):
                begun = time.monotonic()
                code(tree, workers)
                for name in ("intake", "cases"):
                    workers.end(name, signal.SIGTERM, 0)
                    workers.start(name)
                    goes_on(workers, ear, f"{name}, {what}")
                print(f"one worker each {what}: silent for {ear.silence(begun):.1f} s at most")
            begun = time.monotonic()
            workers.home.run("down")
            workers.home.run("up", "--detach")  # the newer one, with the broker
            goes_on(workers, ear, "the home")
            print(f"the home newer, with its one broker: {ear.silence(begun):.1f} s")
        finally:
            load.end()
        all_is_there_once(workers, load, ear)


def older_tree(folder: Path) -> Path:
    """Where the older one is; made of this repository's history unless it's named."""
    named = os.environ.get("CROSSTOWN_OLDER", "")
    tree = Path(named).resolve() if named else folder / "older"
    if not named:
        tree.mkdir()
        packed = subprocess.run(["git", "-C", THIS, "archive", "HEAD~50"], capture_output=True, check=False)  # fmt: skip
        assert packed.returncode == 0, (
            f"CROSSTOWN_OLDER names no tree, and: {packed.stderr.decode()}"
        )
        subprocess.run(["tar", "-x", "-C", tree], input=packed.stdout, check=True)
    assert (tree / "streams").is_dir(), f"{tree} is no tree of Crosstown"
    return tree
