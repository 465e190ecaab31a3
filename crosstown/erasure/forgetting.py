"""What an erasure finds by the record's name: dead letters, and what lies on this machine.

Only the person who orders it knows the name; the programs know its keyed hash. Every place, one by
one: docs/erasure.md.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from io import StringIO
from pathlib import Path

from confluent_kafka import Producer

from crosstown.backbone import kafka
from crosstown.backbone.sweep import messages
from crosstown.errors import Unavailable
from crosstown.home import Endpoints
from crosstown.settings import Settings


def words(record: str) -> re.Pattern[bytes]:
    """What tells that bytes are of a record: its full name, or its number as a word of its own.

    A number under four characters is not looked for alone: it would match strangers.

    >>> bool(words("a/r/SR-17").search(b'"SR-17","x"')), bool(words("a/r/SR-17").search(b"SR-177"))
    (True, False)
    """
    number = record.split("/", 2)[2]
    found = [record, *([number] if len(number) >= 4 else [])]
    either = "|".join(re.escape(one) for one in found)
    return re.compile(rf"(?<![0-9A-Za-z])(?:{either})(?![0-9A-Za-z])".encode())


def from_rejects(files: Iterable[Path], record: str) -> Iterator[tuple[Path, int]]:
    """Take a record's rows out of reject files; each file with how many went."""
    wanted = words(record)
    for file in files:
        try:
            with file.open(newline="", encoding="utf-8") as stream:
                rows = list(csv.reader(stream))
        except (OSError, ValueError, csv.Error):
            continue
        kept = [row for row in rows if not wanted.search("\0".join(row).encode())]
        if len(kept) < len(rows):
            text = StringIO()
            csv.writer(text).writerows(kept)
            part = file.with_name(file.name + ".part")
            part.write_text(text.getvalue(), "utf-8", newline="")
            part.replace(file)
            yield file, len(rows) - len(kept)


def from_dead_letters(settings: Settings, endpoints: Endpoints, record: str) -> int:
    """Tombstones for the dead letters in whose bytes the record is; how many there were."""
    wanted = words(record)
    admin = kafka.wait_for_broker(settings, endpoints, 10)
    producer = Producer(kafka.producer(settings, endpoints))
    found = 0
    for partition in (
        admin.list_topics("dead-letters", timeout=10).topics["dead-letters"].partitions
    ):
        for message in messages(settings, endpoints, "dead-letters", partition):
            value, key = message.value(), message.key()
            if value is not None and key is not None and wanted.search(value):
                producer.produce("dead-letters", None, key, partition)
                found += 1
    if producer.flush(30):
        raise Unavailable("Kafka didn't acknowledge", mend="say it again; it's safe")
    return found
