"""An agency that is paused goes on, one that isn't waits, or nobody learns who paused it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from installation import Installation, call, line
from jsonschema import Draft202012Validator

from crosstown.health.asking import probe
from crosstown.pausing.pause_log import pause_of
from crosstown.pausing.pauses import agency_of

GOLDEN = Path(__file__).parent / "golden" / "cli"
WHO = ("--by", "Ana of operations", "--because", "the same day again and again")


def held(name: str, said: dict[str, Any]) -> dict[str, Any]:
    """What a command printed, in the form that programs rely on."""
    schema = json.loads((GOLDEN / f"{name}.schema.json").read_text("utf-8"))
    Draft202012Validator(schema).validate(said)
    return said


def until(so: Callable[[], bool]) -> None:
    """Wait until it is so."""
    for _ in range(300):
        if so():
            return
        time.sleep(0.2)
    pytest.fail("it never was so")


def told(installation: Installation, agency: str) -> float:
    """`crosstown_paused` as intake tells it; -1 where it doesn't."""
    status = installation("status", "-o", "json").ok().json()
    with urlopen(status["metrics"]["intake"]) as answer:  # noqa: S310
        lines = answer.read().decode().splitlines()
    found = [one for one in lines if one.startswith(f'crosstown_paused{{agency="{agency}"}}')]
    return float(found[0].split()[-1]) if found else -1


def known(installation: Installation, record: str) -> bool:
    """Whether a record is in a case."""
    return installation("case", record, "-o", "json").code == 0


def publish(installation: Installation, number: str, agency: str) -> str:
    """Say something of an agency; the record."""
    installation("publish", "events", "-", stdin=line(number, agency)).ok()
    return f"{agency}/request/{number}"


def test_a_paused_agency_is_taken_in_or_holds_up_the_others(installation: Installation) -> None:
    paused, other = "eastvale-311", "riverton-311"
    said = installation("pause", paused, *WHO, "-o", "json").ok().json()
    assert held("pause", said) | {"at": ""} == {
        "agency": paused, "paused": True, "changed": True, "by": "Ana of operations",
        "because": "the same day again and again", "at": "",
    }  # fmt: skip
    again = installation("pause", paused, "--by", "Bo", "--because", "me too", "-o", "json").ok()
    assert (again.json()["changed"], again.json()["by"]) == (False, "Ana of operations")
    until(lambda: told(installation, paused) == 1)
    waits = publish(installation, "PAUSE-1", paused)
    goes = publish(installation, "PAUSE-2", other)
    until(lambda: known(installation, goes))
    assert not known(installation, waits)

    status = held("status", installation("status", "-o", "json").ok().json())
    assert status["paused"] == [{"agency": paused, "by": "Ana of operations",
                                 "because": "the same day again and again",
                                 "since": said["at"]}]  # fmt: skip
    assert "eastvale-311 is paused since" in installation("status").ok().out

    intake = next(one for one in status["processes"] if one["name"] == "intake")
    end(intake["pid"])
    until(lambda: state(installation, "intake") == ("running", intake["restarts"] + 1))
    after = publish(installation, "PAUSE-3", other)
    until(lambda: known(installation, after))
    assert not known(installation, waits), "the pause outlives a restart"
    assert told(installation, paused) == 1

    said = installation("resume", paused, *WHO, "-o", "json").ok().json()
    assert held("resume", said)["changed"]
    until(lambda: known(installation, waits))
    assert told(installation, paused) == 0
    assert installation("status", "-o", "json").ok().json()["paused"] == []
    assert not installation("resume", paused, *WHO, "-o", "json").ok().json()["changed"]


def end(pid: int) -> None:
    """Kill a process."""
    import psutil  # type: ignore[import-untyped]

    psutil.Process(pid).kill()


def state(installation: Installation, name: str) -> tuple[str, int]:
    """State and restarts of a process."""
    status = installation("status", "-o", "json").ok().json()
    one = next(one for one in status["processes"] if one["name"] == name)
    return one["state"], one["restarts"]


def test_every_process_says_that_it_is_ready(installation: Installation) -> None:
    def all_ready() -> bool:
        status = held("status", installation("status", "-o", "json").ok().json())
        return all(one["ready"] for one in status["processes"])

    until(all_ready)
    urls = installation("status", "-o", "json").ok().json()["metrics"]
    for path in ("/livez", "/readyz", "/startupz"):
        assert {name: probe(urls[name], path, 10) for name in urls if name != "kafka"} == {
            name: [] for name in urls if name != "kafka"
        }


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("pause", "nobody", *WHO), "no agency nobody is declared"),
        (("pause", "riverton-311", "--because", "x"), "who says so"),
        (("pause", "riverton-311", "--by", "Ana", "--because", " "), "because of what"),
        (("resume", "riverton-311", "--by", "A\x1b[2J", "--because", "x"), "--by holds"),
        (("pause", "riverton-311", "--by", "Ana"), "because"),
    ],
)
def test_a_pause_is_said_by_nobody_or_of_nobody(
    home: Path, words: tuple[str, ...], why: str
) -> None:
    said = call(home, *words)
    assert (said.code, why in said.err) == (2, True), said
    assert call(home, "pause", "riverton-311", *WHO).code == 5, "nothing runs"


def test_a_foreign_message_or_topic_pauses_somebody() -> None:
    assert pause_of(b"\0\0\0\0\1\xff\xff") is None
    assert pause_of(b"x") is None
    assert pause_of(None) is None
    assert agency_of("events.riverton-311.requests") == "riverton-311"
    for topic in ("accepted", "events.", "events.riverton-311", "feed.riverton-311.x", ""):
        assert agency_of(topic) == ""
