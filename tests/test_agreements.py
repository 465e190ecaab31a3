"""Agreements by the command line, on real Kafka: who says what, and where an agreement then stands."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from installation import Said, call

from crosstown import kafka as kafkas
from crosstown.agreements import word_log
from crosstown.agreements.words import Word
from crosstown.broker import Broker
from crosstown.home import Endpoints
from crosstown.registry_server import Server
from crosstown.settings import Settings

Say = Callable[..., Said]
BROWN = "water-hears-of-brown-water"


@pytest.fixture
def say(home: Path, broker: Broker, server: Server) -> Say:
    """`crosstown agreements` at the session's broker; the words of every test are there."""
    settings = Settings(home=home, bootstrap=broker.bootstrap, kafka=broker.login)
    admin = kafkas.wait_for_broker(settings, Endpoints(broker.bootstrap, ""), 10)
    topics = [kafkas.Topic(name, 1, kafkas.COMPACT) for name in ("agreements", "delivered")]
    kafkas.ensure_topics(admin, topics)
    login = server.login
    env = {
        "CROSSTOWN_BOOTSTRAP": broker.bootstrap, "CROSSTOWN_KAFKA": json.dumps(broker.login),
        "CROSSTOWN_REGISTRY": server.url.replace("//", f"//{login[0]}:{login[1]}@"),
    }  # fmt: skip

    def said(*words: str, **more: str) -> Said:
        return call(home, "agreements", *words, **{**env, **more})

    return said


def test_a_handshake_holds_before_both_have_accepted_or_after_one_has_revoked(say: Say) -> None:
    def stands() -> str:
        return str(say("show", BROWN, "-o", "json").ok().json()["state"])

    assert stands() == "waits"
    dana = ("--agency", "riverton-311", "--by", "dana  ruiz")
    jo = ("--agency", "riverton-water", "--by", "Jo Petersen")
    assert say("accept", BROWN, *dana, "-o", "json").ok().json()["state"] == "waits"
    assert say("accept", BROWN, *dana, "-o", "json").ok().json()["said_at"] is None
    assert say("accept", BROWN, *jo, "-o", "json").ok().json()["state"] == "in force"
    assert stands() == "in force"
    reason = ("--because", "the pilot is over")
    assert say("revoke", BROWN, *jo, *reason).code == 2  # nobody was asked
    assert say("revoke", BROWN, *jo, *reason, "--dry-run").ok().out
    assert stands() == "in force"
    assert (
        say("revoke", BROWN, *jo, *reason, "--yes", "-o", "json").ok().json()["state"] == "revoked"
    )
    assert stands() == "revoked"
    again = say("accept", BROWN, *jo)
    assert (again.code, "final" in again.err) == (2, True)
    assert [w["word"] for w in say("show", BROWN, "-o", "json").json()["words"]] == [
        "accepted", "accepted", "revoked",
    ]  # fmt: skip


def test_a_word_comes_back_as_another(kafka: tuple[Settings, Endpoints]) -> None:
    settings, where = kafka
    admin = kafkas.wait_for_broker(settings, where, 10)
    kafkas.ensure_topics(admin, [kafkas.Topic("agreements", 1, kafkas.COMPACT)])
    said = [
        Word(agreement="words-come-back", word="requested", party="a", by="Žofie", said_at=at, of="b",
             because="x", terms="t")
        for at in (3, 1, 2)
    ]  # fmt: skip
    for one in said:
        word_log.say(settings, where, one)
    assert [w for w in word_log.read(settings, where) if w.agreement == "words-come-back"] == said
