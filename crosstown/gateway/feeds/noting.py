"""The access log as the gateway uses it: what goes out is noted before it goes."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Final

from crosstown.audit.access import Access, Delivery

WRITERS: Final = 16
"""Notes that are under way at one time."""


class Noting:
    """Notes for a log that blocks; the same noted at the same time for several readers is one entry."""

    def __init__(self, log: Access) -> None:
        self._log = log
        self._under_way: dict[Delivery, asyncio.Future[None]] = {}
        self._workers = ThreadPoolExecutor(WRITERS, "access")

    async def note(self, delivery: Delivery) -> None:
        """Return once it's written; `Unavailable` where it can't be."""
        going = self._under_way.get(delivery)
        if going is None:
            loop = asyncio.get_running_loop()
            going = loop.run_in_executor(
                self._workers, lambda: self._log.append(**asdict(delivery))
            )
            self._under_way[delivery] = going
            going.add_done_callback(lambda _: self._under_way.pop(delivery, None))
        await asyncio.shield(going)

    def close(self) -> None:
        """Note no more."""
        self._workers.shutdown(wait=False, cancel_futures=True)
