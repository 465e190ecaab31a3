"""A second Kafka node beside a broker of ours, so that copies are a thing that can be missing."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from crosstown.backbone import kafka
from crosstown.embedded import node
from crosstown.embedded.broker import Broker
from crosstown.embedded.jars import classpath
from crosstown.home import Endpoints, Home
from crosstown.processes.ports import choose
from crosstown.settings import Settings


@contextmanager
def beside(first: Broker) -> Iterator[subprocess.Popen[bytes]]:
    """Node 2 of the same cluster, with data of its own; killed at the end."""
    home = Home(first.home.path / "second").make()
    home.broker.mkdir(parents=True, exist_ok=True)
    port = choose()
    text = (first.home.broker / "server.properties").read_text("utf-8")
    lines = [line for line in text.splitlines()
             if not line.startswith(("listeners=", "advertised.", "process.roles", "node.id", "log.dirs"))]  # fmt: skip
    lines += [
        "process.roles=broker", "node.id=2", f"log.dirs={home.broker / 'data'}",
        f"listeners=CLIENTS://127.0.0.1:{port}", f"advertised.listeners=CLIENTS://127.0.0.1:{port}",
    ]  # fmt: skip
    properties = home.broker / "server.properties"
    properties.write_text("\n".join(lines) + "\n", "utf-8")
    (home.broker / "log4j2.properties").write_text(node.LOGGING, "utf-8")
    java = node.java(home, classpath(Settings()))
    cluster = node.cluster_of(first.home.broker)
    with (home.logs / "broker.log").open("ab") as log:
        subprocess.run(
            [*java, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", properties],
            stdout=log, stderr=log, check=True, env=node.environment(),
        )  # fmt: skip
        process = subprocess.Popen([*java, "kafka.Kafka", str(properties)], stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=log, env=node.environment())  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def brokers(first: Broker) -> int:
    """How many brokers the cluster has now."""
    settings = Settings(home=first.home.path, bootstrap=first.bootstrap, kafka=first.login)
    admin = kafka.wait_for_broker(settings, Endpoints(first.bootstrap, ""), 30)
    return len(admin.list_topics(timeout=10).brokers)
