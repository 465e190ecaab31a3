"""The access log as the gateway uses it: what goes out is noted before it goes."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Final, Protocol

WRITERS: Final = 16
"""Notes that are under way at one time."""


class AccessLog(Protocol):
    """Where it is noted who was given what."""

    def append(
        self, *, agency: str, agreement: str, purpose: str, way: str, first: int, last: int, count: int
    ) -> None:  # fmt: skip
        """Return once it is written for good; `Unavailable` or `Refused` where not: then nothing goes out."""


@dataclass(frozen=True, slots=True)
class Access:
    """Messages `first` to `last` of an agreement are about to go to an agency."""

    agency: str
    agreement: str
    purpose: str
    way: str
    first: int
    last: int
    count: int


class InMemory:
    """An access log that is gone with the process."""

    def __init__(self) -> None:
        self.entries: list[Access] = []

    def append(
        self, *, agency: str, agreement: str, purpose: str, way: str, first: int, last: int, count: int
    ) -> None:  # fmt: skip
        """Keep it."""
        self.entries.append(Access(agency, agreement, purpose, way, first, last, count))


class Noting:
    """Notes for a log that blocks; the same noted at the same time for several readers is one entry."""

    def __init__(self, log: AccessLog) -> None:
        self._log = log
        self._under_way: dict[Access, asyncio.Future[None]] = {}
        self._workers = ThreadPoolExecutor(WRITERS, "access")

    async def note(self, access: Access) -> None:
        """Return once it's written; `Unavailable` where it can't be."""
        going = self._under_way.get(access)
        if going is None:
            loop = asyncio.get_running_loop()
            going = loop.run_in_executor(self._workers, lambda: self._log.append(**asdict(access)))
            self._under_way[access] = going
            going.add_done_callback(lambda _: self._under_way.pop(access, None))
        await asyncio.shield(going)

    def close(self) -> None:
        """Note no more."""
        self._workers.shutdown(wait=False, cancel_futures=True)
