"""Three real Kafka nodes that hold each other's copies, for tests in which one of them dies.

The same jars and settings as the embedded one (crosstown/embedded/node.py), with what makes a cluster of
them: each is broker and controller, Kafka's own topics have three copies, two must be in step.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from watched import until

from crosstown.backbone.login import OPERATOR, account
from crosstown.embedded import node
from crosstown.embedded.broker import _new_cluster
from crosstown.embedded.jars import classpath
from crosstown.home import Home
from crosstown.processes.living import spawn
from crosstown.processes.ports import choose
from crosstown.settings import Settings

NODES: Final = (1, 2, 3)
SECRET: Final = "only in this test"
TOGETHER: Final = {
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
    "min.insync.replicas": "2",
}


class Node:
    """One of the nodes; `data` may lie elsewhere than under its folder."""

    def __init__(self, number: int, folder: Path, data: Path | None = None) -> None:
        self.number = number
        self.home = Home(folder)
        self.data = data
        self.port, self.controller = choose(), choose()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where clients reach it."""
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """What it says."""
        return self.home.logs / "broker.log"

    def prepare(self, cluster: str, voters: str) -> None:
        """Write its settings and give its folder the cluster's id."""
        self.home.make().broker.mkdir(parents=True, exist_ok=True)
        self._jars = classpath(Settings())
        self._properties = node.configure(self.home.broker, self.port, self.controller, SECRET)
        text = self._properties.read_text("utf-8")
        changed = {**TOGETHER, "node.id": str(self.number), "controller.quorum.voters": voters}
        if self.data is not None:
            changed["log.dirs"] = self.data.as_posix()
        lines = [one for one in text.splitlines() if one.partition("=")[0] not in changed]
        lines += [f"{key}={value}" for key, value in changed.items()]
        self._properties.write_text("\n".join(lines) + "\n", "utf-8")
        with self.log.open("ab") as log:
            subprocess.run(
                [*self._java(), "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}",
                 "-c", str(self._properties)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True, timeout=120,
            )  # fmt: skip

    def start(self) -> None:
        """Start its process; doesn't wait for its answer."""
        with self.log.open("ab") as log:
            self._process = spawn(
                [*self._java(), "kafka.Kafka", str(self._properties)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=node.environment(),
            )  # fmt: skip

    def kill(self) -> None:
        """SIGKILL, and its death confirmed."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            self._process = None

    def stop(self) -> None:
        """End it in order, by force after a while."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self.kill()

    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    def _java(self) -> list[str]:
        java = node.java(self.home, self._jars)
        return ["-Xmx320m" if word.startswith("-Xmx") else word for word in java]


class ThreeBrokers:
    """The cluster of them."""

    def __init__(self, folder: Path) -> None:
        self.nodes = {number: Node(number, folder / f"node-{number}") for number in NODES}
        voters = ",".join(f"{n}@127.0.0.1:{one.controller}" for n, one in self.nodes.items())
        cluster = _new_cluster()
        for one in self.nodes.values():
            one.prepare(cluster, voters)

    @property
    def bootstrap(self) -> str:
        """All three, as a client is told them."""
        return ",".join(one.address for one in self.nodes.values())

    @property
    def login(self) -> dict[str, str]:
        """The operator's account, in librdkafka's words."""
        return account("PLAIN", OPERATOR, SECRET)

    @property
    def settings(self) -> dict[str, str]:
        """What a program or a call of the command line is told in its environment."""
        return {"CROSSTOWN_BOOTSTRAP": self.bootstrap, "CROSSTOWN_KAFKA": json.dumps(self.login)}

    def admin(self) -> AdminClient:
        """A client that looks at it."""
        return AdminClient({
            "bootstrap.servers": self.bootstrap, **self.login, "log_level": 0,
            "reconnect.backoff.max.ms": 500, "error_cb": lambda _error: None,
        })  # fmt: skip

    def start(self) -> None:
        """Start all and wait until each knows the others."""
        for one in self.nodes.values():
            one.start()
        admin = self.admin()
        until("three brokers know each other", lambda: len(brokers(admin)) == len(NODES))

    def leads(self, topic: str, partition: int = 0) -> Node:
        """The node that takes what is published there."""
        found = self.admin().list_topics(topic, timeout=20).topics[topic].partitions[partition]
        return self.nodes[found.leader]

    def in_step(self) -> dict[str, list[int]]:
        """By partition, how many copies it has and how many are in step; Kafka's own topics too."""
        topics = self.admin().list_topics(timeout=20).topics.values()
        return {f"{about.topic}/{number}": [len(part.replicas), len(part.isrs)]
                for about in topics for number, part in about.partitions.items()}  # fmt: skip

    def close(self) -> None:
        """End all; the controllers would wait for each other, so by force."""
        for one in self.nodes.values():
            one.kill()


def brokers(admin: AdminClient) -> set[int]:
    """Who is seen; nobody where nobody answers."""
    try:
        return set(admin.list_topics(timeout=3).brokers)
    except KafkaException:
        return set()


@contextmanager
def three_brokers(folder: Path) -> Iterator[ThreeBrokers]:
    """A cluster that runs meanwhile."""
    one = ThreeBrokers(folder)
    try:
        one.start()
        yield one
    finally:
        one.close()
