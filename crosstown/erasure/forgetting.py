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
from crosstown.event.envelope import zigzag
from crosstown.home import Endpoints
from crosstown.registry.client import Registry
from crosstown.registry.read_back import Reading, read_letter
from crosstown.settings import Settings


def words(record: str) -> re.Pattern[bytes]:
    """What tells that bytes are of a record: its full name, or its number as a word of its own.

    A number under four characters is not looked for alone: it would match strangers.

    >>> bool(words("a/r/SR-17").search(b'"SR-17","x"')), bool(words("a/r/SR-17").search(b"SR-177"))
    (True, False)
    """
    either = "|".join(re.escape(one) for one in _names(record))
    return re.compile(rf"(?<![0-9A-Za-z])(?:{either})(?![0-9A-Za-z])".encode())


def _names(record: str) -> Iterator[str]:
    yield record
    number = record.split("/", 2)[2]
    if len(number) >= 4:
        yield number


def is_of(letter: bytes, record: str, reading: Reading) -> bool:
    """Whether a record is in a dead letter's bytes, or in what they are opened to.

    In Avro the length of a text stands before it, and the next one's behind it, as bytes that may be
    letters or digits. So each part is looked at alone, and of a message that no schema opens a text
    counts that is the record's name or its number and nothing else.
    """
    wanted = words(record)
    if wanted.search(letter):
        return True
    try:
        said = read_letter(letter)
    except Exception:  # noqa: BLE001 - what others wrote there
        return False
    value = said["value"] or b""
    opened = reading.payload(value)
    parts = [said["detail"].encode(), said["key"] or b"", value, (opened or "").encode(),
             *(one["value"] or b"" for one in said["headers"])]  # fmt: skip
    if any(map(wanted.search, parts)):
        return True
    texts = (zigzag(len(name)) + name for name in map(str.encode, _names(record)))
    return opened is None and value[:1] == b"\0" and any(one in value for one in texts)


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
    reading = Reading(Registry.at(settings, endpoints).schema)
    admin = kafka.wait_for_broker(settings, endpoints, 10)
    producer = Producer(kafka.producer(settings, endpoints))
    found = 0
    for partition in (
        admin.list_topics("dead-letters", timeout=10).topics["dead-letters"].partitions
    ):
        for message in messages(settings, endpoints, "dead-letters", partition):
            value, key = message.value(), message.key()
            if value is not None and key is not None and is_of(value, record, reading):
                producer.produce("dead-letters", None, key, partition)
                found += 1
    if producer.flush(30):
        raise Unavailable("Kafka didn't acknowledge", mend="say it again; it's safe")
    return found
