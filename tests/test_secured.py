"""What deploy/compose.yaml says, carried out without containers: its brokers, its programs, TLS throughout."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import KafkaException, Producer
from installation import Said, call, line
from pushing import Agency, data, event
from secured import COMPOSE, Secured, secured

from crosstown.processes.ports import choose

PROGRAMS = [name for name, one in COMPOSE["services"].items()
            if one.get("command", [""])[0] == "python" and name != "registry"]  # fmt: skip


class City:
    """The programs of compose.yaml as processes of this machine, on three secured brokers."""

    def __init__(self, brokers: Secured, folder: Path) -> None:
        self.brokers, self.home = brokers, folder / "home"
        self.registry, self.gateway = choose(), choose()
        self._logs = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def told(self, name: str) -> dict[str, str]:
        """A service's environment, with this machine's paths and ports."""
        said = self.brokers.environment | COMPOSE["services"][name].get("environment", {})
        del said["CROSSTOWN_CASEBOOK"]  # a file's, here: the database has tests of its own
        here = {
            "kafka-1:9092,kafka-2:9092,kafka-3:9092": self.brokers.bootstrap,
            "https://registry:8081": f"https://localhost:{self.registry}",
            "0.0.0.0:8081": f"127.0.0.1:{self.registry}",
            "0.0.0.0:8443": f"127.0.0.1:{self.gateway}",
            "0.0.0.0:9400": f"127.0.0.1:{choose()}",
        }
        return {
            key: here.get(str(value), str(value).replace("/run/crosstown", str(self.brokers.secrets)))
            for key, value in said.items()
        }  # fmt: skip

    def __call__(self, *words: str, **more: str) -> Said:
        """The command line as `docker compose run crosstown` has it."""
        stdin = more.pop("stdin", "")
        return call(self.home, *words, stdin=stdin, **(self.told("crosstown") | more))

    def start(self, name: str) -> None:
        """Start a service's command."""
        python, *words = COMPOSE["services"][name]["command"]
        assert python == "python"
        env = {key: value for key, value in os.environ.items() if not key.startswith("CROSSTOWN_")}
        env |= self.told(name) | {"CROSSTOWN_HOME": str(self.home)}
        with (self._logs / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, *words], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def begun(self, name: str) -> dict[str, Any]:
        """What a program says once its work has begun."""
        file = self.home / "run" / f"{name}.json"
        until(name, lambda: file.exists() or self._ended(name))
        found: dict[str, Any] = json.loads(file.read_text("utf-8"))
        return found

    def _ended(self, name: str) -> bool:
        code = self._running[name].poll()
        assert code is None, (name, code, self.log(name))
        return False

    def log(self, name: str) -> str:
        """What a program said."""
        return (self._logs / f"{name}.log").read_text("utf-8")

    def stop(self) -> None:
        """End all in order."""
        for one in reversed(self._running.values()):
            one.terminate()
        for one in self._running.values():
            try:
                one.wait(15)
            except subprocess.TimeoutExpired:
                one.kill()
                one.wait(15)


def until(what: str, holds: Callable[[], Any], seconds: float = 120) -> Any:
    """What `holds` gives once it gives something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := holds():
            return found
        time.sleep(0.3)
    raise AssertionError(f"{what}: not within {seconds:.0f} s")


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with secured(tmp_path_factory.mktemp("secured")) as one:
        yield one


@pytest.fixture(scope="module")
def city(brokers: Secured, tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    one = City(brokers, tmp_path_factory.mktemp("city"))
    try:
        one.start("registry")
        one.begun("registry")
        one("apply", "--yes").ok()
        for name in PROGRAMS:
            one.start(name)
        yield one
    finally:
        one.stop()


def case(city: City, record: str) -> dict[str, Any]:
    """A record's case, once it is in the casebook."""

    def found() -> dict[str, Any] | None:
        said = city("case", record, "-o", "json")
        return said.json() if said.code == 0 else None

    found_once: dict[str, Any] = until(record, found)
    return found_once


def test_composed_programs_say_no_word_to_each_other(city: City) -> None:
    for name in PROGRAMS:
        city.begun(name)
    city("publish", "events", "-", stdin=line("secured-1")).ok()
    key = city("key", "add", "riverton-tenants").ok().out.strip()
    trusted = ssl.create_default_context(cafile=str(city.brokers.secrets / "ca.pem"))
    refs = ["riverton-311/request/secured-1"]
    tenants = Agency(f"https://localhost:{city.gateway}", key, trusted)
    answer = tenants.post(event("secured-2", data=data("secured-2", refs=refs)))
    assert answer.status_code < 300, answer.text
    found = until("both agencies in one case", lambda: (
        one := case(city, refs[0])) and len(one["agencies"]) == 2 and one)  # fmt: skip
    assert set(found["agencies"]) == {"riverton-311", "riverton-tenants"}
    differs = city("plan", "-o", "json").json()
    assert differs["changes"] == []
    topics = city.brokers.admin().list_topics(timeout=10).topics
    copies = {
        name: {len(p.replicas) for p in one.partitions.values()} for name, one in topics.items()
    }
    assert {name for name, found in copies.items() if found != {3}} <= watched(copies)


def watched(names: Any) -> set[str]:
    """Topics of Faust's."""
    return {name for name in names if name.endswith(("-changelog", "__assignor-__leader"))}


def test_somebody_comes_in_without_password_or_tls(city: City) -> None:
    opened = json.loads(city.told("crosstown")["CROSSTOWN_KAFKA"])
    wrong = city("plan", CROSSTOWN_KAFKA=json.dumps(opened | {"sasl.password": "wrong"}))
    assert wrong.code == 2, wrong
    assert "refuses the user name or password" in wrong.err
    no_tls = city.brokers.admin(**{"security.protocol": "SASL_PLAINTEXT"})
    with pytest.raises(KafkaException):
        no_tls.list_topics(timeout=3)
    unknown = city.brokers.admin(**{"ssl.ca.location": ""})
    with pytest.raises(KafkaException):
        unknown.list_topics(timeout=3)
    at = f"https://localhost:{city.registry}/subjects"
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(at)
    trusted = ssl.create_default_context(cafile=str(city.brokers.secrets / "ca.pem"))
    schema = {"schema": '"string"'}
    refused = httpx.post(f"{at}/stranger-value/versions", json=schema, verify=trusted)
    assert refused.status_code == 401
    right = ("crosstown", city.brokers.said("registry"))
    taken = httpx.post(f"{at}/stranger-value/versions", json=schema, verify=trusted, auth=right)
    assert taken.status_code == 200


def test_who_says_nothing_keeps_the_registry_from_others(city: City) -> None:
    with socket.create_connection(("127.0.0.1", city.registry)):
        trusted = ssl.create_default_context(cafile=str(city.brokers.secrets / "ca.pem"))
        at = f"https://localhost:{city.registry}/subjects"
        assert httpx.get(at, verify=trusted, timeout=10).status_code == 200


def test_prometheus_hears_nothing_of_brokers_in_containers(brokers: Secured) -> None:
    for number, port in brokers.figures.items():
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=20).text
        led = [line for line in text.splitlines() if line.startswith("kafka_partitions_led ")]
        assert len(led) == 1, (number, text[:400])


def test_an_agency_s_own_account_opens_nothing(city: City, tmp_path: Path) -> None:
    file = tmp_path / "housing.properties"
    city("agency", "add", "riverton-housing", "--to", str(file)).ok()
    how = dict(one.split("=", 1) for one in file.read_text("utf-8").splitlines() if "=" in one)
    assert how["security.protocol"] == "SASL_SSL"
    how["ssl.ca.location"] = str(city.brokers.secrets / "ca.pem")
    told: list[Any] = []
    producer = Producer({**how, "log_level": 0, "message.timeout.ms": 20_000})
    for topic in ("events.riverton-housing.inspections", "accepted"):
        producer.produce(topic, b"x", on_delivery=lambda error, _: told.append(error))
    assert producer.flush(30) == 0
    assert [None if one is None else one.name() for one in told].count(None) == 1
    assert "TOPIC_AUTHORIZATION_FAILED" in {one.name() for one in told if one is not None}


def test_the_registry_is_open_to_others_without_tls(city: City) -> None:
    env = city.told("registry") | {"CROSSTOWN_REGISTRY_LISTEN": "0.0.0.0:8081"}
    del env["CROSSTOWN_REGISTRY_CERT"], env["CROSSTOWN_REGISTRY_KEY"]
    done = subprocess.run([sys.executable, "-m", "crosstown.registry.server"], env={
        **env, "CROSSTOWN_HOME": str(city.home.with_name("other"))}, capture_output=True, text=True,
        check=False, timeout=60)  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "open to other machines, without TLS -> give CROSSTOWN_REGISTRY_CERT" in done.stderr
