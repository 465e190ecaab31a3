"""Where Faust's commits stand when offsets without a message lie between messages."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

from faust.types import TP
from intervaltree import IntervalTree  # type: ignore[import-untyped]

from crosstown.processing.faust_driver import Consumer


def test_commits_fall_behind_where_each_message_is_a_transaction_of_its_own() -> None:
    place = TP("timelines", 0)
    consumer: Any = object.__new__(Consumer)
    consumer._committed_offset = {place: 10}
    consumer._gap = defaultdict(IntervalTree)
    consumer._acked = {place: [10, 12, 14, 16]}
    consumer._acked_index = {place: {10, 12, 14, 16}}

    async def read() -> None:
        for marker in (11, 13, 15):
            await consumer._add_gap(place, marker, marker + 1)

    asyncio.run(read())
    assert consumer._new_offset(place) == 17
    assert consumer._acked[place] == []
