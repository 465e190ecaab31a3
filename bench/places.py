"""How often address text finds the right place: a city's rows with their id hidden.

`python -m bench.places FOLDER` prints the table of docs/places.md. Half of the rows, by a seed, are
the list; the addresses of the others are asked for, as written and as an old system might have them.
"""

from __future__ import annotations

import csv
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.meaning import wilson
from connectors.places import Doubt, Gazetteer, Match, address


def rows(files: Sequence[Path]) -> list[tuple[str, str]]:
    """Address text and place of each row that has both; an intersection's ids are not a house's."""
    found = []
    for file in files:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            found += [
                (row["Location"], f"{row['Property_Type'].lower()}:{row['Property_ID']}")
                for row in csv.DictReader(stream)
                if row["Location"].strip() and row["Property_ID"]
            ]
    return found


def aged(text: str, dice: random.Random) -> str:
    """The same address as an old system has it: capitals, long kinds, an apartment, one slip."""
    words = text.split("  ")[0].upper()
    for short, long in ((" ST", " STREET"), (" AVE", " AVENUE"), (" RD", " ROAD")):
        if words.endswith(short) and dice.random() < 0.5:
            words = words.removesuffix(short) + long
    if dice.random() < 0.3 and " & " not in words:
        words += f" APT {dice.randint(1, 40)}"
    if dice.random() < 0.1:
        at = dice.randrange(len(words))
        words = words[:at] + dice.choice("AEIORST") + words[at + 1 :]
    return words


def scores(
    asked: Sequence[tuple[str, str, str]], listed: Gazetteer, known: dict[str, set[str]]
) -> Counter[str]:
    """Right and wrong matches, doubts and no matches; `in list` where the truth is in it.

    `asked` are text as asked, text as written and the truth; `known` are the list's texts by place.
    A wrong match is the city's own ambiguity where the list has the very text under another number.
    """
    counts: Counter[str] = Counter()
    for text, written, truth in asked:
        counts["asked"] += 1
        counts["in list"] += truth in known
        match listed.find(text):
            case Match(place):
                same_text = written in known[place]
                counts["right" if place == truth else "two numbers" if same_text else "wrong"] += 1
            case Doubt(candidates=candidates):
                counts["doubt"] += 1
                counts["truth among the candidates"] += truth in candidates
            case _:
                counts["no match"] += 1
    return counts


def table(files: Sequence[Path]) -> list[str]:
    """The rows of docs/places.md."""
    every = rows(files)
    random.Random(7).shuffle(every)
    half = len(every) // 2
    listed, known = Gazetteer(), defaultdict[str, set[str]](set)
    texts = {text for text, _ in every[:half]}
    for text, place in every[:half]:
        listed.add(text, place)
        known[place].add(text)
    dice = random.Random(8)
    ways: tuple[tuple[str, Callable[[str], str]], ...] = (
        ("as written", lambda text: text), ("as an old system has it", lambda text: aged(text, dice)),
    )  # fmt: skip
    lines = []
    for name, way in ways:
        lines.append(_line(name, scores([(way(t), t, p) for t, p in every[half:]], listed, known)))
        fresh = [(way(t), t, p) for t, p in every[half:] if t not in texts]
        lines.append(_line(f"{name}, text not in the list", scores(fresh, listed, known)))
    return lines


def _line(name: str, c: Counter[str]) -> str:
    said = c["right"] + c["wrong"] + c["two numbers"]
    fair = c["right"] + c["wrong"]
    low, high = wilson(c["right"] / max(fair, 1), max(fair, 1))
    precision = f"{c['right'] / fair:.1%} ({low:.1%} to {high:.1%})" if fair else "-"
    return (
        f"| {name} | {c['asked']:,} | {c['in list']:,} | {said:,} | {c['two numbers']} | {c['wrong']}"
        f" | {precision} | {c['doubt']:,}"
        f" | {c['truth among the candidates']:,} | {c['no match']:,} |"
    )


if __name__ == "__main__":
    folder = sorted(Path(sys.argv[1]).glob("*.csv"))
    sys.stdout.write("\n".join(table(folder)) + "\n")
    found = rows(folder)
    listed = Gazetteer()
    for text, place in found:
        listed.add(text, place)
    address.cache_clear()
    start = time.perf_counter()
    for text, _ in found:
        listed.find(text)
    sys.stdout.write(f"{len(found) / (time.perf_counter() - start):,.0f} addresses/s\n")
