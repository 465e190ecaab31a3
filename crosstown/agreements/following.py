"""The agreements as they stand now: their files and what parties say, followed by a thread.

For programs that serve what flows and must stop within a second of a revocation.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Self

import fastavro
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from crosstown import kafka
from crosstown.agreements.agreement import FOLDER, Agreement
from crosstown.agreements.words import Standing, Word, standing
from crosstown.errors import Refused, Stop
from crosstown.formats import AGREEMENT_WORD, plain
from crosstown.home import Endpoints
from crosstown.own_values import body_of
from crosstown.repository import shipped
from crosstown.settings import Settings
from crosstown.yaml_file import read_yaml

log = logging.getLogger(__name__)

TOPIC: Final = "agreements"
LOOK_EVERY: Final = 0.5
"""Seconds between two looks at the files, at most."""
_SCHEMA: Final = fastavro.parse_schema(plain(AGREEMENT_WORD))


class Following:
    """All agreements and all words up to now; may be asked from any thread.

    `changed` is called, on the following thread, after something new was read.
    """

    def __init__(
        self, settings: Settings, endpoints: Endpoints, changed: Callable[[], None] = lambda: None
    ) -> None:
        self._settings, self._endpoints, self._changed = settings, endpoints, changed
        self._files = _Files((settings.schemas or shipped()) / FOLDER)
        self._words: dict[str, dict[bytes, Word]] = defaultdict(dict)
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self.ready = threading.Event()
        """Set once files and words have been read to their ends; before, nothing may flow."""
        self.fatal = ""
        """Why it can't go on, if it can't."""
        self._thread = threading.Thread(target=self._run, name="agreements", daemon=True)

    def start(self) -> Self:
        """Begin to read."""
        self._files.look()
        self._thread.start()
        return self

    @property
    def agreements(self) -> Mapping[str, Agreement]:
        """By id, as their files say now; a file that is broken now counts as it was."""
        return self._files.found

    def standing(self, agreement: Agreement, now: int) -> Standing:
        """Where it stands at `now`, microseconds UTC, by all words read so far."""
        with self._lock:
            words = list(self._words[agreement.id].values())
        return standing(agreement, words, now)

    def close(self) -> None:
        """Read no more."""
        self._closing.set()
        self._thread.join(3)

    def _run(self) -> None:
        try:
            reader = Consumer(kafka.consumer(
                self._settings, self._endpoints, enable_partition_eof=True, fetch_wait_max_ms=100,
            ))  # fmt: skip
            try:
                reader.assign([TopicPartition(TOPIC, 0, OFFSET_BEGINNING)])
                while not self._closing.is_set():
                    self._hear(reader.poll(LOOK_EVERY / 2))
                    if self._files.look():
                        self._changed()
            finally:
                reader.close()
        except Exception as error:
            log.exception("agreements can't be followed")
            self.fatal = f"agreements can't be followed: {error}"

    def _hear(self, message: Any) -> None:
        if message is None:
            return
        error = message.error()
        if error is None:
            word = word_of(message.value())
            if word is not None:
                with self._lock:
                    self._words[word.agreement][word.key] = word
                self._changed()
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
            self.ready.set()
            self._changed()
        else:
            log.warning("agreements: %s", error.str())
            self._closing.wait(0.2)


def word_of(value: bytes | None) -> Word | None:
    """A word as it lies in the topic; None where the message is none."""
    try:
        fields: Any = fastavro.schemaless_reader(BytesIO(body_of(value)), _SCHEMA, None)
        return Word(**fields)
    except (Refused, ValueError, TypeError, EOFError, IndexError, KeyError) as error:
        log.warning("a foreign message among the agreements: %s", error)
        return None


class _Files:
    """The agreements' files, looked at now and then."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._at = 0.0
        self._seen: dict[Path, tuple[int, int]] = {}
        self.found: dict[str, Agreement] = {}

    def look(self) -> bool:
        """Whether something has changed since the last look."""
        now = time.monotonic()
        if self._at and now < self._at + LOOK_EVERY:
            return False
        self._at = now
        there: dict[Path, tuple[int, int]] = {}
        for file in sorted(self._folder.glob("*.yaml")):
            try:
                about = file.stat()
            except FileNotFoundError:  # it was just replaced
                continue
            there[file] = about.st_mtime_ns, about.st_size
        if there == self._seen:
            return False
        before, self._seen = self._seen, there
        found = {file.stem: self.found[file.stem] for file in there if file.stem in self.found}
        for file, about in there.items():
            if about != before.get(file):
                self._read(file, found)
        self.found = found
        return True

    def _read(self, file: Path, found: dict[str, Agreement]) -> None:
        try:
            one = read_yaml(file, Agreement)
        except Stop as error:
            log.error("going on with %s as it was: %s", file.stem, error)  # noqa: TRY400
            return
        if one.id != file.stem:
            log.error("%s isn't read: its id is %s", file, one.id)
            return
        found[one.id] = one
