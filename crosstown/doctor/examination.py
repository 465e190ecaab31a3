"""All checks, at the same time, each with a limit: the doctor answers though nothing else does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from crosstown.doctor import (
    backbone,
    certificates,
    clock,
    contracts,
    copies,
    database,
    disk,
    drift,
    flow,
    java,
    kept,
    listening,
    processes,
)
from crosstown.doctor.finding import OPERATIONS, Finding, Severity, worst
from crosstown.errors import CrosstownError
from crosstown.settings import Settings

State = Literal["ok", "found", "skipped", "late"]


@dataclass(frozen=True, slots=True)
class Check:
    """One check: `look` touches the world, `judge` is pure. `needs` are checks that must be well."""

    name: str
    about: str
    look: Callable[[Settings], Any]
    judge: Callable[[Any], Iterable[Finding]]
    seconds: float = 10.0
    needs: tuple[str, ...] = ()


CHECKS: Final = (
    Check("processes", "what runs", processes.look, processes.judge),
    Check("disk", "room and the right to write", disk.look, disk.judge),
    Check("java", "Java and Kafka's jars", java.look, java.judge, 20.0),
    Check("ports", "who listens where", listening.look, listening.judge),
    Check("secrets", "key files", kept.look, kept.judge),
    Check("contracts", "the contract repository", contracts.look, contracts.judge, 20.0),
    Check("certificates", "certificates", certificates.look, certificates.judge),
    Check("casebook", "the casebook's database", database.look, database.judge),
    Check("kafka", "Kafka", backbone.look_at_kafka, backbone.judge_kafka),
    Check("registry", "the schema registry", backbone.look_at_registry, backbone.judge_registry),
    Check("clock", "the time of day", clock.look, clock.judge),
    Check("copies", "leaders and copies", copies.look, copies.judge, needs=("kafka",)),
    Check("flow", "what can be read, and is accepted", flow.look, flow.judge, 15.0,
          ("kafka", "contracts")),
    Check("drift", "what contracts say against what is there", drift.look, drift.judge, 20.0,
          ("kafka", "registry", "contracts")),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one check; `why` where it wasn't made."""

    check: str
    state: State
    findings: Sequence[Finding] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What came of all, the gravest finding first."""

    results: Sequence[Result]
    seconds: float

    @property
    def findings(self) -> list[Finding]:
        """All findings; those of one severity in the order of the checks."""
        found = [finding for one in self.results for finding in one.findings]
        return sorted(found, key=lambda one: -one.severity)

    @property
    def severity(self) -> Severity:
        """The greatest."""
        return worst(self.findings)


@dataclass
class _Running:
    check: Check
    thread: threading.Thread
    deadline: float
    answers: list[Result] = field(default_factory=list)


def examine(
    settings: Settings,
    told: Callable[[Sequence[str]], None] = lambda _left: None,
    checks: Sequence[Check] = CHECKS,
) -> Report:
    """Make all checks; never raises for what they find, and never waits beyond their limits.

    `told` hears, as it changes, what is still being looked at.
    """
    began = time.monotonic()
    done: dict[str, Result] = {}
    for wave in ([one for one in checks if not one.needs], [one for one in checks if one.needs]):
        running = []
        for check in wave:
            ill = [name for name in check.needs if _is_ill(done.get(name))]
            if ill:
                done[check.name] = Result(check.name, "skipped", why=f"needs {' and '.join(ill)}")
            else:
                running.append(_start(check, settings))
        done |= _ended(running, told)
    return Report([done[check.name] for check in checks], time.monotonic() - began)


def _is_ill(result: Result | None) -> bool:
    if result is None:
        return False
    return result.state in ("skipped", "late") or worst(result.findings) is Severity.CRITICAL


def _start(check: Check, settings: Settings) -> _Running:
    answers: list[Result] = []
    thread = threading.Thread(
        target=lambda: answers.append(_made(check, settings)), name=check.name, daemon=True
    )
    thread.start()
    return _Running(check, thread, time.monotonic() + check.seconds, answers)


def _ended(running: Sequence[_Running], told: Callable[[Sequence[str]], None]) -> dict[str, Result]:
    """Wait for all, each as long as it may take."""
    left = list(running)
    done: dict[str, Result] = {}
    while left:
        told([one.check.about for one in left])
        left[0].thread.join(0.05)
        for one in list(left):
            if one.answers:
                done[one.check.name] = one.answers[0]
                left.remove(one)
            elif time.monotonic() > one.deadline:
                done[one.check.name] = _late(one.check)
                left.remove(one)
    return done


def _made(check: Check, settings: Settings) -> Result:
    try:
        findings = tuple(check.judge(check.look(settings)))
    except backbone.NothingToAsk as error:
        return Result(check.name, "skipped", why=str(error))
    except CrosstownError as error:
        return _unmade(check, str(error), error.mend)
    except Exception as error:  # noqa: BLE001 - one check that fails mustn't silence the others
        return _unmade(check, f"{type(error).__name__}: {error}", "")
    return Result(check.name, "found" if findings else "ok", findings)


def _unmade(check: Check, why: str, mend: str) -> Result:
    finding = Finding(
        check.name, Severity.WARNING, f"{check.about} couldn't be looked at", OPERATIONS,
        " ".join(why.split())[:500], (mend or "crosstown status",),
    )  # fmt: skip
    return Result(check.name, "found", (finding,))


def _late(check: Check) -> Result:
    finding = Finding(
        check.name, Severity.WARNING,
        f"{check.about}: no answer within {check.seconds:.0f} s", OPERATIONS,
        "what was asked hangs (a disk, a name server, a broker), or the machine has no time",
        ("uptime", "crosstown doctor"),
    )  # fmt: skip
    return Result(check.name, "late", (finding,), "no answer in time")
