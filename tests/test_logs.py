"""Logs: one line an event, whatever is written in it and whoever writes it."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosstown.log_lines import MAX_MESSAGE, JsonLines, TextLines
from crosstown.processes.last_words import last_words

NASTY = "a\n2026-01-01 00:00:00.000Z ERROR forged\r\x1b[2J\x9b31m\x85\u2028\u2029\u202e\x00\x07b"
PROGRAM = """
import sys, threading, warnings
from confluent_kafka import Producer
from crosstown.backbone import kafka
from crosstown.home import Endpoints
from crosstown.program import main

def body(program):
    import logging
    logging.getLogger("a\\nb").info("%s", NASTY)
    logging.getLogger("x").info("%d", "no number\\n")
    warnings.warn("a\\nwarning")
    thread = threading.Thread(target=lambda: [][1], name="the\\nthread")
    thread.start()
    thread.join()
    producer = Producer(kafka.client(program.settings, Endpoints("127.0.0.1:1", "")))
    producer.poll(1)
    try:
        raise KeyError("first\\nline")
    except KeyError:
        raise ValueError(NASTY)

sys.exit(main("intake", body))
"""


def record(message: str, *args: object, fault: BaseException | None = None) -> logging.LogRecord:
    info = (type(fault), fault, None) if fault else None
    return logging.LogRecord("name", logging.WARNING, "f", 1, message, args, info)


def is_one_line(line: str) -> bool:
    """No reader of lines, nor a terminal, sees anything in it but text."""
    unseen = {"Cc", "Zl", "Zp", "Cs"}
    steering = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    bad = [c for c in line if unicodedata.category(c) in unseen or c in steering]
    return len(line.splitlines()) == 1 and not bad


@given(st.text(), st.text())
def test_text_forges_a_line(text: str, more: str) -> None:
    fault = ValueError(more)
    for form in (TextLines(), JsonLines("intake")):
        assert is_one_line(form.format(record("%s", text, fault=fault)))
        assert is_one_line(form.format(record(text)))
    said = json.loads(JsonLines("intake").format(record("%s", text, fault=fault)))
    assert set(said) == {"at", "level", "program", "logger", "message", "error"}


def test_lone_surrogate_ends_the_program() -> None:
    for form in (TextLines(), JsonLines("intake")):
        form.format(record("%s", "\ud800 \udfff")).encode()


def test_log_is_filled_by_one_message() -> None:
    line = TextLines().format(record("%s", "x" * 1_000_000))
    assert len(line) < MAX_MESSAGE + 200
    assert "1,000,000 characters" in line


@pytest.mark.parametrize("form", ["text", "json"])
def test_program_writes_what_is_no_line(tmp_path: Path, form: str) -> None:
    env = {k: v for k, v in os.environ.items() if not k.startswith("CROSSTOWN_")}
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", PROGRAM.replace("NASTY", ascii(NASTY))],
        capture_output=True, check=False, timeout=60,
        env={**env, "CROSSTOWN_HOME": str(tmp_path), "CROSSTOWN_LOG": form,
             "CROSSTOWN_BOOTSTRAP": "127.0.0.1:1", "CROSSTOWN_REGISTRY": "http://127.0.0.1:1"},
    )  # fmt: skip
    assert done.returncode == 1
    lines = done.stderr.decode().split("\n")[:-1]
    assert all(map(is_one_line, lines)), lines
    whole = "\n".join(lines)
    assert "Traceback" not in whole
    for told in ("2026-01-01", "no number", "warning", "IndexError", "rdkafka", "after KeyError"):
        assert told in whole, told
    log = tmp_path / "intake.log"
    log.write_bytes(done.stderr)
    assert "a fault of ours: ValueError: a\\n2026-01-01" in last_words(log)
    if form == "json":
        for said in map(json.loads, lines):
            assert {"at", "level", "program", "logger", "message"} <= set(said)
            assert said["program"] == "intake"
    else:
        assert all(line[:2] == "20" and line[23] == "Z" for line in lines), lines
    assert not done.stdout


def test_misspelt_form_is_taken_for_another(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "streams.intake"], capture_output=True, check=False, timeout=60,
        env={**os.environ, "CROSSTOWN_HOME": str(tmp_path), "CROSSTOWN_LOG": "yaml"},
    )  # fmt: skip
    assert done.returncode == 2
    assert b"a setting can't be read" in done.stderr
    assert b"log" in done.stderr
