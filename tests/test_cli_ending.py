"""What a command has started, and who tells the command to end before it's done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

STANDS_IN = """
import sys, time
from crosstown.cli import main
from crosstown.supervision import detached

def start(*_all, **_more):
    print("started", file=sys.stderr, flush=True)
    time.sleep(60)

def end(_settings):
    print("ending", file=sys.stderr, flush=True)
    time.sleep(1)
    print("ended", file=sys.stderr, flush=True)

detached.start, detached.end = start, end
main()
"""
"""The command line, with nothing behind it that would have to run."""
SCHEMAS = Path(__file__).parent.parent / "schemas"


@pytest.mark.parametrize("ignored", [False, True], ids=["", "under nohup"])
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
@pytest.mark.parametrize(
    "words", [("demo",), ("certify", "riverton-311", "--contracts", str(SCHEMAS))],
    ids=["demo", "certify"],
)  # fmt: skip
def test_closed_terminal_leaves_kafka_and_ten_programs_behind(
    home: Path, tmp_path: Path, words: tuple[str, ...], name: str, *, ignored: bool
) -> None:
    number = getattr(signal, name)
    told = signal.SIGTERM if ignored else number
    place = tmp_path / "temporary"
    place.mkdir()
    calling = subprocess.Popen(
        [sys.executable, "-c", STANDS_IN, *words], stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True,
        env={**os.environ, "CROSSTOWN_HOME": str(home), "TMPDIR": str(place)},
        preexec_fn=lambda: signal.signal(  # noqa: PLW1509 - nothing else runs yet
            signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL),
    )  # fmt: skip
    assert calling.stderr
    said = iter(calling.stderr.readline, "")
    assert "started\n" in said
    if ignored:
        calling.send_signal(signal.SIGHUP)
    calling.send_signal(told)
    assert "ending\n" in said
    calling.send_signal(told)  # a terminal says it twice
    assert "ended\n" in said
    calling.communicate(timeout=20)
    assert calling.returncode == 128 + told
    assert list(place.iterdir()) == []
