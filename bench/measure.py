"""What a process tree costs: wall and CPU seconds, memory; and how far a group has come."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from confluent_kafka import Consumer, TopicPartition

ROOT = Path(__file__).parents[1]
PATIENCE = 120
"""Seconds without a commit after which a program is given up."""


@dataclass
class Cost:
    """Of the work between the first commit and the last: events, seconds, CPU seconds, bytes."""

    events: int
    seconds: float
    cpu: float
    rss: int

    @property
    def rate(self) -> float:
        return self.events / self.seconds if self.seconds else 0.0

    @property
    def cpu_per_million(self) -> float:
        return self.cpu / self.events * 1e6 if self.events else 0.0


def own_cpu(process: psutil.Process) -> float:
    """CPU seconds of a process without its children, user and system."""
    times = process.cpu_times()
    return float(times.user + times.system)


def cpu_of(process: psutil.Process) -> float:
    """CPU seconds of a process and its children, user and system."""
    return sum(own_cpu(one) for one in (process, *process.children(recursive=True)))


class Group:
    """A consumer group's place in its topics."""

    def __init__(self, how: dict[str, Any], group: str, is_its: Callable[[str], bool]) -> None:
        self._consumer = Consumer({**how, "group.id": group})
        self._partitions = [
            TopicPartition(name, partition)
            for name, topic in self._consumer.list_topics(timeout=10).topics.items()
            if is_its(name)
            for partition in topic.partitions
        ]
        self.end = sum(
            self._consumer.get_watermark_offsets(TopicPartition(p.topic, p.partition), timeout=10)[
                1
            ]
            for p in self._partitions
        )

    def at(self) -> int:
        """The sum of the committed offsets."""
        found = self._consumer.committed(
            [TopicPartition(p.topic, p.partition) for p in self._partitions], timeout=10
        )
        return sum(max(tp.offset, 0) for tp in found)

    def close(self) -> None:
        self._consumer.close()


def run_until_done(
    command: Sequence[str], env: dict[str, str], group: Group, log: Path, slack: int = 0
) -> Cost:
    """Start a program, and measure from its first commit until it stands at the end of its topics.

    `slack` are offsets at the end that hold no data (markers of transactions).
    """
    with log.open("wb") as file:
        child = subprocess.Popen(
            command, env={**os.environ, **env}, stdout=file, stderr=file, cwd=ROOT
        )
    try:
        process = psutil.Process(child.pid)
        began_at = group.at()
        deadline = time.monotonic() + PATIENCE
        while (first := group.at()) == began_at:
            _alive(child, log, deadline)
            time.sleep(0.02)
        began, began_cpu = time.monotonic(), cpu_of(process)
        last = first
        while (now := group.at()) < group.end - slack:
            if now != last:
                last, deadline = now, time.monotonic() + PATIENCE
            _alive(child, log, deadline)
            time.sleep(0.02)
        return Cost(
            now - first,
            time.monotonic() - began,
            cpu_of(process) - began_cpu,
            process.memory_info().rss,
        )
    finally:
        end(child)


def end(child: subprocess.Popen[bytes]) -> None:
    """End a child in order; by force after half a minute, so that nothing is left behind."""
    child.terminate()
    try:
        child.wait(30)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _alive(child: subprocess.Popen[bytes], log: Path, deadline: float) -> None:
    if time.monotonic() > deadline:
        sys.exit(f"{log.name}: nothing committed for {PATIENCE} s:\n{log.read_text()[-3000:]}")
    if child.poll() is not None:
        sys.exit(f"{log.name} ended with {child.returncode}:\n{log.read_text()[-3000:]}")
