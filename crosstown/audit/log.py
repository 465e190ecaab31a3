"""Writes the access log: who is about to be given what, before the bytes go out.

One chain a writing process, gone on with after a restart. Each write is a Kafka transaction under the
chain's own name: an earlier owner of the chain is shut out before its last link is read, so no two
links follow one, whoever was killed when. Delivery: at least once, since whether a write went in isn't
known after a fault; the log says "at most these". Source: docs/audit.md.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Final

from confluent_kafka import KafkaException, Producer

from crosstown.audit.access import Delivery
from crosstown.audit.link import BEGINNING, Link, Said, checked, line
from crosstown.audit.signing import signer
from crosstown.audit.topic import TOPIC, last_of
from crosstown.backbone import kafka
from crosstown.errors import CrosstownError, Stop, Unavailable
from crosstown.home import Endpoints, Home
from crosstown.private import write_private
from crosstown.registry.own_values import OwnValues, own_values
from crosstown.settings import Settings

log = logging.getLogger(__name__)

SEAL_EVERY: Final = 1_000
"""How many links stand unsigned at most ..."""
SEAL_SECONDS: Final = 60.0
"""... and for how long."""
PATIENCE: Final = 10.0
"""Seconds that one write may take."""
AT_ONCE: Final = 1_000
_CHAIN: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,60}")


@dataclass(slots=True)
class _Waiting:
    """What one caller wants written; `why` is set where it wasn't.

    Its turn has come when it's written, or when it is the one that writes what waits.
    """

    said: list[Said]
    turn: threading.Event = field(default_factory=threading.Event)
    done: bool = False
    why: str = ""


class AccessLog:
    """One process's chain, for any number of threads; what comes at once is written as one.

    `chain` is the program and its slot (`gateway-0`), the same after each restart.
    """

    def __init__(
        self,
        settings: Settings,
        endpoints: Endpoints,
        chain: str,
        seal_every: int = SEAL_EVERY,
        seal_seconds: float = SEAL_SECONDS,
    ) -> None:
        if not _CHAIN.fullmatch(chain):
            raise Stop(f"{chain[:80]!r} can't be a chain of the access log",
                       mend="small letters, digits, dots and dashes")  # fmt: skip
        self._settings, self._endpoints, self._chain = settings, endpoints, chain
        self._signer = signer(settings)
        self._seal_every, self._seal_seconds = seal_every, seal_seconds
        self._waiting: list[_Waiting] = []
        self._somebody_writes = False
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._producer: Producer | None = None
        self._values: OwnValues | None = None
        self._prior, self._number, self._unsigned = BEGINNING, 0, 0
        self._closing = threading.Event()
        self._sealer: threading.Thread | None = None

    def append(
        self, *, agency: str, agreement: str, purpose: str, way: str, first: int, last: int,
        count: int,
    ) -> None:  # fmt: skip
        """Say that at most `count` messages, numbers `first` to `last`, are about to go to `agency`.

        Returns once Kafka has it for good. Raises `Unavailable` where it hasn't, or may not have, and
        `Refused` where it can't be said: then nothing may go out.
        """
        self.append_all([Delivery(agency, agreement, purpose, way, first, last, count)])

    def append_all(self, deliveries: Iterable[Delivery]) -> None:
        """The same of several at once, in the time of one: all are written, or none may go out."""
        mine = _Waiting([
            checked(Said(chain=self._chain, number=0, at=0, what="delivery", **asdict(one)))
            for one in deliveries
        ])  # fmt: skip
        if not mine.said:
            return
        with self._lock:
            self._waiting.append(mine)
            if not self._somebody_writes:
                self._somebody_writes = True
                mine.turn.set()
        mine.turn.wait()
        if not mine.done:
            self._write_waiting()
        if mine.why:
            raise Unavailable(mine.why, mend="see crosstown status")

    def close(self) -> None:
        """Sign what isn't signed yet, if Kafka answers, and give up the connections."""
        self._closing.set()
        if self._sealer is not None:
            self._sealer.join()
        self._seal()
        self._producer = None

    def _write_waiting(self) -> None:
        """Write what waits as one, and hand the pen on."""
        with self._lock:
            batch, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
        why = "a fault of ours"
        try:
            with self._writing:
                self._write([said for one in batch for said in one.said])
            why = ""
        except CrosstownError as error:
            why = str(error)
        finally:
            with self._lock:
                self._somebody_writes = bool(self._waiting)
                for next_one in self._waiting[:1]:
                    next_one.turn.set()
            for one in batch:
                one.why, one.done = why, True
                one.turn.set()
        self._seal_from_now_on()

    def _seal_from_now_on(self) -> None:
        if self._sealer is None:
            self._sealer = threading.Thread(target=self._seal_in_time, name="access", daemon=True)
            self._sealer.start()

    def _write(self, said: Sequence[Said], *, seal: bool = False) -> None:
        """Put these behind the chain, and a checkpoint where it is time for one."""
        producer, values = self._opened()
        links: list[Link] = []
        prior, number, now = self._prior, self._number, time.time_ns() // 1000
        for number, one in enumerate(said, number + 1):  # noqa: B020 - it goes on where it was
            links.append(
                Link.after(prior, replace(one, number=number, at=now, salt=secrets.token_hex(16)))
            )
            prior = links[-1].hash
        seal = seal or self._unsigned + len(said) >= self._seal_every
        if seal:
            number += 1
            place = Said(chain=self._chain, number=number, at=now, what="checkpoint")
            links.append(self._signer.checkpoint(prior, place))
        self._commit(producer, [values.encode(link.row) for link in links])
        self._prior, self._number = links[-1].hash, number
        self._unsigned = 0 if seal else self._unsigned + len(said)
        if seal:
            self._remember(links[-1])

    def _opened(self) -> tuple[Producer, OwnValues]:
        """The producer, once every earlier one of this chain is shut out and its last link is read."""
        if self._values is None:
            self._values = own_values(TOPIC, self._settings, self._endpoints)
        if self._producer is None:
            writer = Producer(kafka.producer(
                self._settings, self._endpoints, transactional_id=f"access-{self._chain}",
                transaction_timeout_ms=int(PATIENCE * 1000), linger_ms=0, retry_backoff_ms=10,
            ))  # fmt: skip
            try:
                writer.init_transactions(PATIENCE)
            except KafkaException as error:
                raise _unavailable(error) from None
            last = last_of(self._settings, self._endpoints, self._chain)
            self._prior, self._number = (last.hash, last.said.number) if last else (BEGINNING, 0)
            self._unsigned = int(last is not None and last.said.what != "checkpoint")
            self._producer = writer
        return self._producer, self._values

    def _commit(self, producer: Producer, values: Sequence[bytes]) -> None:
        self._producer = None  # whatever happens now, nobody guesses what went in
        try:
            producer.begin_transaction()
            for value in values:
                producer.produce(TOPIC, value, self._chain.encode(), 0)
            producer.commit_transaction(PATIENCE)
        except (KafkaException, BufferError) as error:
            raise _unavailable(error) from None
        self._producer = producer

    def _seal_in_time(self) -> None:
        while not self._closing.wait(self._seal_seconds):
            self._seal()

    def _seal(self) -> None:
        with self._writing:
            if not self._unsigned:
                return
            try:
                self._write((), seal=True)
            except CrosstownError as error:
                log.warning("the access log isn't signed yet: %s", error)

    def _remember(self, link: Link) -> None:
        """Keep the last checkpoint beside the log: a log that ends before it was cut."""
        folder = Home(self._settings.home).audit
        file = folder / f"{self._chain}.head"
        part = file.with_suffix(f".{os.getpid()}.part")
        head = {"chain": self._chain, "number": link.said.number, "hash": link.hash}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_private(part, line(head).decode() + "\n")
            part.replace(file)
        except OSError as error:
            log.warning("%s can't be written: %s", file, error)


def _unavailable(error: Exception) -> Unavailable:
    said = error.args[0].str() if isinstance(error, KafkaException) else str(error)
    return Unavailable(f"the access log can't be written: {said}")
