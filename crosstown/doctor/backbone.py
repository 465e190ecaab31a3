"""Whether Kafka and the registry answer, and let us in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import httpx

from crosstown.backbone import kafka
from crosstown.backbone.login import at_registry
from crosstown.doctor.finding import KAFKA, OPERATIONS, Finding, Severity
from crosstown.errors import Stop, Unavailable
from crosstown.home import Endpoints, endpoints, shown
from crosstown.settings import Settings
from crosstown.tls import trusting

PATIENCE: Final = 5.0
"""Seconds in which Kafka must answer."""
_TLS: Final = re.compile("ssl|certificate|tls", re.IGNORECASE)
_NAME: Final = re.compile("resolve|name or service not known", re.IGNORECASE)


class NothingToAsk(Unavailable):
    """Nobody has said where Kafka is, since nothing runs here."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of asking `at`; `own`: it is this home's. `refused`: it answered, and said no."""

    at: str
    own: bool
    problem: str = ""
    refused: bool = False


def look_at_kafka(settings: Settings) -> Answer:
    """Ask the cluster who it is, as our programs do."""
    where = where_kafka_is(settings)
    own = settings.embedded
    try:
        kafka.wait_for_broker(settings, where, PATIENCE)
    except Stop as error:
        return Answer(where.bootstrap, own, str(error), refused=True)
    except Unavailable as error:
        return Answer(where.bootstrap, own, str(error))
    except Exception as error:  # noqa: BLE001 - librdkafka refuses a setting that it can't read
        return Answer(where.bootstrap, own, f"{type(error).__name__}: {error}", refused=True)
    return Answer(where.bootstrap, own)


def look_at_registry(settings: Settings) -> Answer:
    """Ask the registry for its subjects, as a client does."""
    where = _known(settings, lambda where: where.registry)
    url, own = shown(where.registry), not settings.registry
    login = at_registry(settings, where.registry)
    try:
        answer = httpx.get(f"{where.registry.rstrip('/')}/subjects", timeout=PATIENCE, auth=login,
                           verify=trusting(settings.ca))  # fmt: skip
        if answer.status_code in (401, 403):
            return Answer(url, own, f"it answers {answer.status_code}", refused=True)
        if answer.status_code != 200:
            return Answer(url, own, f"it answers {answer.status_code}")
        if not isinstance(answer.json(), list):
            return Answer(url, own, "what answers there is no schema registry")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Answer(url, own, f"{type(error).__name__}: {shown(str(error))}")
    except ValueError:
        return Answer(url, own, "what answers there is no schema registry")
    return Answer(url, own)


def where_kafka_is(settings: Settings) -> Endpoints:
    """The endpoints, as far as Kafka's is known; `NothingToAsk` where it isn't."""
    return _known(settings, lambda where: where.bootstrap)


def _known(settings: Settings, which: Callable[[Endpoints], str]) -> Endpoints:
    """A setting is enough to ask one of the two, also where nothing runs here."""
    given = Endpoints(settings.bootstrap, settings.registry)
    if which(given):
        return given
    try:
        return endpoints(settings)
    except Unavailable as error:
        raise NothingToAsk(str(error)) from None


def judge_kafka(answer: Answer) -> Iterator[Finding]:
    """Kafka that isn't there, or won't have us."""
    if not answer.problem:
        return
    whose = OPERATIONS if answer.own else KAFKA
    if answer.refused:
        yield Finding(
            "kafka", Severity.CRITICAL, f"Kafka at {answer.at} doesn't let us in", whose,
            answer.problem,
            ("crosstown down", "crosstown up --detach") if answer.own
            else ("look at sasl.username, sasl.password, sasl.mechanism in CROSSTOWN_KAFKA",
                  "a new password for an agency's account: crosstown agency rotate AGENCY"),
        )  # fmt: skip
    elif answer.own:
        yield Finding(
            "kafka", Severity.CRITICAL, f"this home's Kafka doesn't answer at {answer.at}", whose,
            f"it doesn't run, still starts (a minute after a crash), or hangs: {answer.problem}",
            ("crosstown status", "crosstown down", "crosstown up --detach"),
        )  # fmt: skip
    else:
        yield _unreachable(answer, whose)


def _unreachable(answer: Answer, whose: str) -> Finding:
    cause: str
    look: tuple[str, ...]
    first = answer.at.split(",")[0]
    host, _, port = first.rpartition(":")
    if _TLS.search(answer.problem):
        cause, look = "the two don't agree on TLS", (f"openssl s_client -connect {first} </dev/null",
                       "look at security.protocol and ssl.ca.location in CROSSTOWN_KAFKA")  # fmt: skip
    elif _NAME.search(answer.problem):
        cause, look = "its name isn't known here", (f"getent hosts {host}",)
    else:
        cause, look = "it is down, the address is wrong, or something between refuses", (
            f"nc -vz {host} {port}", "look at CROSSTOWN_BOOTSTRAP")  # fmt: skip
    return Finding("kafka", Severity.CRITICAL, f"no Kafka answers at {answer.at}", whose,
                   f"{cause}: {answer.problem}", look)  # fmt: skip


def judge_registry(answer: Answer) -> Iterator[Finding]:
    """A registry that isn't there, or won't have us: intake waits for it, nothing is lost."""
    if not answer.problem:
        return
    whose = OPERATIONS if answer.own else "whoever runs the schema registry"
    look = (
        ("crosstown status", "crosstown down", "crosstown up --detach") if answer.own
        else (f"curl -sS {answer.at.rstrip('/')}/subjects", "look at CROSSTOWN_REGISTRY")
    )  # fmt: skip
    what = "doesn't let us in" if answer.refused else "doesn't answer as one"
    yield Finding("registry", Severity.CRITICAL, f"the registry at {answer.at} {what}", whose,
                  f"{answer.problem}; meanwhile intake waits and loses nothing", look)  # fmt: skip
