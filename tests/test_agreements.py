"""Agreements by the command line, on real Kafka: who says what, and where an agreement then stands."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from confluent_kafka import Producer
from installation import Said, call

from crosstown.agreements import word_log
from crosstown.agreements.quiet import quiet
from crosstown.agreements.words import DAY, Standing, State, Word
from crosstown.backbone import kafka as kafkas
from crosstown.contracts.repository import Repository, shipped
from crosstown.embedded.broker import Broker
from crosstown.feeds.preview import example
from crosstown.home import Endpoints
from crosstown.provisioning.access import feed_grants
from crosstown.provisioning.cluster import Cluster
from crosstown.registry.server import Server
from crosstown.settings import Settings

Say = Callable[..., Said]
BROWN = "water-hears-of-brown-water"
HEALTH = "health-sees-inspections"
TENANTS = "tenants-own-cases"
FORMS = json.loads((Path(__file__).parent / "golden/cli/agreements.schema.json").read_text("utf-8"))


def fits(row: dict[str, Any], form: str) -> dict[str, Any]:
    """A row, as the form that programs rely on says."""
    jsonschema.validate(row, {**FORMS, "$ref": f"#/definitions/{form}"})
    return row


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
        return str(fits(say("show", BROWN, "-o", "json").ok().json(), "show")["state"])

    def word(action: str, *more: str, form: str = "word") -> dict[str, Any]:
        return fits(say(action, BROWN, *more, "-o", "json").ok().json(), form)

    assert stands() == "waits"
    dana = ("--agency", "riverton-311", "--by", "dana  ruiz")
    jo = ("--agency", "riverton-water", "--by", "Jo Petersen")
    assert word("accept", *dana)["state"] == "waits"
    assert word("accept", *dana)["said_at"] is None
    assert word("accept", *jo)["state"] == "in force"
    assert stands() == "in force"
    reason = ("--because", "the pilot is over")
    assert say("revoke", BROWN, *jo, *reason).code == 2  # nobody was asked
    assert word("revoke", *jo, *reason, "--dry-run", form="revoke")["said_at"] is None
    assert "Nothing was changed" in say("revoke", BROWN, *jo, *reason, "--dry-run").ok().out
    assert stands() == "in force"
    assert word("revoke", *jo, *reason, "--yes", form="revoke")["state"] == "revoked"
    assert word("revoke", *jo, *reason, "--yes", form="revoke")["said_at"] is None
    assert stands() == "revoked"
    again = say("accept", BROWN, *jo)
    assert (again.code, "final" in again.err) == (2, True)
    assert [w["word"] for w in say("show", BROWN, "-o", "json").json()["words"]] == [
        "accepted", "accepted", "revoked",
    ]  # fmt: skip
    listed = {row["agreement"]: fits(row, "list") for row in say("list", "-o", "json").ok().lines()}
    assert listed[BROWN]["state"] == "revoked"
    assert f"{BROWN} (handshake): revoked: riverton-water has revoked it" in say().ok().out


def test_a_receiver_can_still_read_after_a_revocation(
    say: Say, kafka: tuple[Settings, Endpoints], tmp_path: Path
) -> None:
    settings, where = kafka
    city = Path(shutil.copytree(shipped(), tmp_path / "schemas"))
    text = (city / "agreements" / f"{BROWN}.yaml").read_text("utf-8")
    (city / "agreements" / "cut-at-once.yaml").write_text(
        text.replace(BROWN, "cut-at-once"), "utf-8"
    )
    agreement = Repository.load(city).agreements["cut-at-once"]
    with closing(Cluster(settings, where)) as cluster:
        cluster.allow(frozenset(feed_grants([agreement], agreement.receiver)))
        words = ("cut-at-once", "--agency", "riverton-311", "--by", "x", "--because", "x", "--yes")
        said = say("revoke", *words, "-o", "json", CROSSTOWN_SCHEMAS=str(city)).ok().json()
        assert (said["cut"], said["state"]) == (True, "revoked")
        assert not [one for one in cluster.grants() if one.name == agreement.topic]


def test_a_feed_that_says_nothing_is_not_seen(kafka: tuple[Settings, Endpoints]) -> None:
    settings, where = kafka
    admin = kafkas.wait_for_broker(settings, where, 10)
    brown = Repository.load().agreements[BROWN]
    three = {
        name: brown.model_copy(update={"id": name}) for name in ("q-silent", "q-talks", "q-none")
    }
    kafkas.ensure_topics(
        admin, [kafkas.Topic(f"feed.{name}", 1, kafkas.TIMED) for name in ("q-silent", "q-talks")]
    )
    now = time.time_ns() // 1000
    producer = Producer(kafkas.producer(settings, where))
    for name, days in (("q-silent", 31), ("q-talks", 29)):
        producer.produce(f"feed.{name}", b"x", timestamp=now // 1000 - days * DAY // 1000)
    assert producer.flush(10) == 0

    def silent(days: int, state: State = "in force") -> set[str]:
        stands = Standing(state, "", now - days * DAY, now + DAY)
        return quiet(settings, where, three.values(), dict.fromkeys(three, stands), now)

    assert silent(40) == {"q-silent", "q-none"}
    assert silent(29) == silent(40, "revoked") == set()


def test_a_word_is_taken_of_anybody(say: Say) -> None:
    lena = ("--agency", "xx-county-health", "--by", "Dr. Lena Whitfield")
    wrong: list[tuple[tuple[str, ...], str]] = [
        (("accept",), "which one"), (("accept", HEALTH), "which party"),
        (("accept", HEALTH, "--agency", "nobody"), "declared"),
        (("accept", HEALTH, "--agency", "xx-county-health"), "attributed"),
        (("accept", HEALTH, "--agency", "riverton-police", "--by", "x"), "no party"),
        (("accept", HEALTH, "--agency", "xx-county-health", "--by", "Sam Abara"), "Lena Whitfield"),
        (("accept", "health-sees-inspection", *lena), HEALTH), (("show", "..", *lena), "no agreement"),
        (("decline", HEALTH, *lena), "because"), (("revoke", HEALTH, *lena), "because"),
        (("revoke", "nothing", *lena, "--because", "x", "--yes"), "no agreement"),
        (("decline", HEALTH, *lena, "--because", "x" * 501), "over 500"),
        (("decline", HEALTH, *lena, "--because", "a\x1b[2Jb"), "can't be read"),
        (("decline", HEALTH, *lena, "--because", "\udcff"), "can't be read"),
        (("request", "leaks", *lena, "--because", "x"), "whose events"),
        (("request", "leaks", *lena, "--because", "x", "--of", "nobody"), "declared"),
        (("request", "leaks", *lena, "--because", "x", "--of", "xx-county-health"), "itself"),
        (("request", "Leaks!", *lena, "--because", "x", "--of", "riverton-housing"), "can't be an id"),
        (("request", HEALTH, *lena, "--because", "x", "--of", "riverton-housing"), "a file"),
        (("diff", HEALTH, "--with", "nowhere.yaml"), "isn't there"), (("accept", "[bold]x", *lena), "[bold]x"),
    ]  # fmt: skip
    for words, why in wrong:
        said = say(*words)
        assert (said.code, said.out, why in said.err) == (2, "", True), said
    assert say("show", HEALTH, "-o", "json").ok().json()["words"] == []


def test_who_was_asked_does_not_see_it_or_its_answer_is_lost(say: Say) -> None:
    asks = ("--agency", "riverton-water", "--by", "Jo Petersen", "--of", "riverton-housing")
    reason = ("--because", "burst pipes are found sooner")

    def seen() -> dict[str, Any]:
        (row,) = [one for one in say("-o", "json").ok().lines() if one["agreement"] == "leaks-seen"]
        return fits(row, "list")

    fits(say("request", "leaks-seen", *asks, *reason, "-o", "json").ok().json(), "word")
    assert say("request", "leaks-seen", *asks, *reason, "-o", "json").ok().json()["said_at"] is None
    assert (seen()["state"], seen()["requests"][0]["answer"]) == ("no file", "open")
    assert "leaks-seen: no file: asked for by riverton-water, open" in say().ok().out
    mo = ("--agency", "riverton-housing", "--by", "Mo", "--because", "they know already")
    assert (
        say(
            "decline", "leaks-seen", "--agency", "riverton-311", "--by", "Mo", "--because", "x"
        ).code
        == 2
    )
    fits(say("decline", "leaks-seen", *mo, "-o", "json").ok().json(), "word")
    (asked,) = seen()["requests"]
    assert (asked["answer"], asked["answer_because"]) == ("declined", "they know already")
    assert say("decline", "leaks-seen", *mo).code == 2  # nothing is open any more


def test_who_gains_what_by_a_changed_file_is_not_said(say: Say, tmp_path: Path) -> None:
    city = Path(shutil.copytree(shipped(), tmp_path / "schemas"))
    file = city / "agreements" / f"{TENANTS}.yaml"
    paul = ("--agency", "riverton-buildings", "--by", "Paul Lindqvist")
    here = {"CROSSTOWN_SCHEMAS": str(city)}

    def differs() -> dict[str, Any]:
        return fits(say("diff", TENANTS, "-o", "json", **here).ok().json(), "diff")

    assert differs()["before"] is None
    say("accept", TENANTS, *paul, **here).ok()
    assert differs()["changes"] == []
    file.write_text(
        file.read_text("utf-8").replace("[topic_text]", "[topic_text, status_text]"), "utf-8"
    )
    (change,) = differs()["changes"]
    assert (change["who"], change["verb"]) == ("riverton-tenants", "gains")
    assert (
        "riverton-tenants gains status_text of riverton-311/requests"
        in say("diff", TENANTS, **here).ok().out
    )
    other = shipped() / "agreements" / f"{TENANTS}.yaml"
    assert (
        len(say("diff", TENANTS, "--with", str(other), "-o", "json", **here).ok().json()["changes"])
        == 1
    )
    shown = fits(say("show", TENANTS, "-o", "json", **here).ok().json(), "show")
    assert [one["accepted_at"] for one in shown["parties"]] == [None] * 4
    assert "of earlier terms" in say("show", TENANTS, **here).ok().out


def test_where_nothing_runs_nobody_can_read_what_an_agreement_says(home: Path) -> None:
    rows = call(home, "agreements", "-o", "json").ok().lines()
    assert [fits(row, "list")["state"] for row in rows] == [None] * 3
    said = call(home, "agreements", "show", HEALTH).ok()
    for word in (
        "inspector_notes (restricted)",
        "not known now",
        "Miriam Okoye",
        "inspection.requested",
    ):
        assert word in said.out
    assert call(home, "agreements", "accept", HEALTH).code == 5


def test_an_example_shows_what_is_not_agreed_or_hides_what_is() -> None:
    repository = Repository.load()
    health = example(repository.agreements[HEALTH], repository)
    assert health is not None
    assert set(health) == {"number", "change", "event", "record", "said"}
    assert set(health["said"]) == {*repository.agreements[HEALTH].envelope, "payload"}
    assert health["record"] == "riverton-housing/inspection/HI-20001"
    tenants = example(repository.agreements[TENANTS], repository)
    assert tenants is not None
    assert tenants["said"]["record_count"] == 3
    assert "HI-20001" not in json.dumps(tenants)
    assert example(repository.agreements[BROWN], repository) is None


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
