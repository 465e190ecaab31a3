"""The embedded Kafka: one real Apache Kafka 4.4 node (KRaft, broker and controller) under a home.

Its ports are chosen once and kept as long as no stranger takes them; its data survives restarts and
SIGKILL.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import IO, Any, Final

from crosstown.backbone.login import OPERATOR, account, made
from crosstown.embedded import node
from crosstown.embedded.jars import classpath
from crosstown.errors import Unavailable
from crosstown.home import Home
from crosstown.processes.last_words import last_words
from crosstown.processes.living import end, marked, spawn
from crosstown.processes.lock import Lock
from crosstown.processes.ports import choose, free
from crosstown.settings import Settings

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
        self._known: dict[str, Any] = {}
        self._told = False

    @property
    def bootstrap(self) -> str:
        """Where clients reach it; the same over restarts unless a stranger took the port."""
        known = self._remembered() or self._choose_ports()
        return f"127.0.0.1:{known['port']}"

    @property
    def metrics(self) -> str:
        """Where its process tells its figures, while it runs; that it's up is the supervisor's to say."""
        if not self._told or not self.alive():
            return ""
        return f"http://127.0.0.1:{self._known['metrics']}/metrics"

    @property
    def login(self) -> dict[str, str]:
        """What the operator's clients say to be let in, in librdkafka's words."""
        return account("PLAIN", OPERATOR, made(self.home))

    @property
    def how(self) -> dict[str, Any]:
        """Where it is and how to be let in as its operator, in librdkafka's words."""
        return {"bootstrap.servers": self.bootstrap, **self.login}

    @property
    def code(self) -> int | None:
        """Its exit code, once it has ended; a negative one is a signal's."""
        return self._process.poll() if self._process else None

    @property
    def pid(self) -> int | None:
        """Its process, while it runs."""
        return self._process.pid if self._process and self.alive() else None

    def alive(self) -> bool:
        """Whether its process runs (it may not answer yet)."""
        return self._process is not None and self._process.poll() is None

    def start(self, timeout: float = 120) -> Broker:
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
        known = self._choose_ports()
        secret = made(self.home)
        properties = node.configure(self.home.broker, known["port"], known["controller"], secret)
        java, told = node.java(self.home, jars), node.told(jars, known["metrics"])
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
            self.log.replace(self.log.with_name("broker.log.1"))
        with self.log.open("ab") as log:
            if not node.cluster_of(self.home.broker):
                self._format(java, properties, log)
            self._log_starts_at = log.tell()
            command = [java[0], *told, *java[1:], "kafka.Kafka", str(properties)]
            self._told = bool(told)
            self._process = spawn(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=node.environment()
            )

    def answers(self, timeout: float = 0.5) -> bool:
        """Whether this very broker, no stranger on its port, answers within `timeout` seconds."""
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        how: dict[str, Any] = {
            **self.how,
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

    def _remembered(self) -> dict[str, Any]:
        """Its ports and cluster id, from the first start on."""
        if not self._known:
            with contextlib.suppress(FileNotFoundError, ValueError):
                self._known = json.loads(self._file.read_text("utf-8"))
        return self._known

    def _choose_ports(self) -> dict[str, Any]:
        known = self._remembered()
        if not known or not free(known["port"]) or not free(known["controller"]):
            cluster = known.get("cluster") or node.cluster_of(self.home.broker) or _new_cluster()
            self._remember({"cluster": cluster, "port": choose(), "controller": choose()})
        if "metrics" not in self._known or not free(self._known["metrics"]):
            self._remember({**self._known, "metrics": choose()})
        return self._known

    def _remember(self, known: dict[str, Any]) -> None:
        self._known = known
        self.home.broker.mkdir(parents=True, exist_ok=True)
        part = self._file.with_name("broker.json.part")
        part.write_text(json.dumps(known), "utf-8")
        part.replace(self._file)

    def _format(self, java: list[str], properties: Path, log: IO[bytes]) -> None:
        """Give the data folder its cluster id, once in its life."""
        result = subprocess.run(
            [*java, "kafka.tools.StorageTool", "format", "--ignore-formatted",
             f"--cluster-id={self._remembered()['cluster']}", "-c", str(properties)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False, timeout=60,
            env=node.environment(),
        )  # fmt: skip
        if result.returncode:
            raise Unavailable(f"Kafka's data folder can't be prepared: {self.last_words()}")


def _new_cluster() -> str:
    return urlsafe_b64encode(uuid.uuid4().bytes).decode()[:22]
