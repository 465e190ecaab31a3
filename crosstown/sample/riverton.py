"""Riverton and its neighbours: a made-up half year of seven agencies' exports, the same for a seed.

About one event in ten lies in a neighbouring town. Records meet at addresses, name each other's
numbers before and after the other was seen, and say some things late, twice or otherwise.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from crosstown.sample.city import City
from crosstown.sample.clock import CLOCKS_BACK, CLOCKS_ON, END, MINUTE, START
from crosstown.sample.columns import FILES
from crosstown.sample.exports import Row, rows
from crosstown.sample.record import Act, Record
from crosstown.sample.shown import shown_story
from crosstown.sample.stories import STORIES
from crosstown.sample.troubles import EVERYDAY, noise

SEED: Final = 1889
EVENTS: Final = 10_000
_STORY: Final = 0.045
_TWICE: Final = 0.008


def generate(seed: int = SEED, events: int = EVENTS) -> Iterator[Row]:
    """The rows of all files, each with its file's name, of about `events` different events.

    The same arguments give the same rows. Memory doesn't grow with `events`.
    """
    city = City(seed, events)
    dice = city.dice
    for records, mistyped in _troubles(city, events):
        for record in records:
            if not record.acts:
                continue
            for file, row in rows(record):
                if mistyped:
                    row[2] = row[2].replace(" 3:", " 2:")
                yield file, row
                if dice.chance(_TWICE):
                    yield file, row


def _troubles(city: City, events: int) -> Iterator[tuple[list[Record], bool]]:
    """All that happens, with whether somebody typed the time by a clock not yet put on."""
    dice, made = city.dice, 0
    shown = shown_story(city)
    yield shown, False
    made += _events(shown)
    night = [noise(city, CLOCKS_BACK - minutes * MINUTE)[:1] for minutes in (130, 80, 55, 20)]
    night += [noise(city, CLOCKS_BACK + minutes * MINUTE)[:1] for minutes in (5, 25, 45)]
    for records in night:
        yield records, False
        made += _events(records)
    sleepless = Act("Call", CLOCKS_ON + 30 * MINUTE, note=city.note())
    yield [city.file("riverton-tenants", city.number("riverton-tenants"), city.address(), "leak",
                     sleepless)], True  # fmt: skip
    while made < events:
        at = START + (END - START) * made // events
        scene = dice.pick(STORIES) if dice.chance(_STORY) else dice.pick(EVERYDAY)
        local = at % 86_400
        if scene is noise:
            at += (3 * 3_600 + dice.below(5 * 3_600) - local) % 86_400
        else:
            at += (13 * 3_600 + dice.below(12 * 3_600) - local) % 86_400
        records = scene(city, at)
        made += _events(records)
        yield records, False


def _events(records: list[Record]) -> int:
    return sum(len(record.acts) for record in records)


def write(folder: Path, seed: int = SEED, events: int = EVENTS) -> list[Path]:
    """Write the exports as CSV files into `folder`, which is made; the paths, in a fixed order."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in FILES]
    with ExitStack() as stack:
        writers = {}
        for path, columns in zip(paths, FILES.values(), strict=True):
            file = stack.enter_context(path.open("w", encoding="utf-8", newline=""))
            writers[path.name] = csv.writer(file).writerow
            writers[path.name](columns)
        for name, row in generate(seed, events):
            writers[name](row)
    return paths


def showcase() -> str:
    """The record that the demo asks for: the 311 request with which the shown story begins."""
    story = shown_story(City(SEED, EVENTS))
    return f"riverton-311/request/{story[0].number}"
