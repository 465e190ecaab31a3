"""Writes the sample city's exports: `python -m crosstown.sample --out DIR [--events N]`."""

from __future__ import annotations

import argparse
from pathlib import Path

from crosstown.sample import EVENTS, SEED, write


def main() -> None:
    """Write the files and print their paths, one a line."""
    parser = argparse.ArgumentParser(prog="python -m crosstown.sample", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to")
    parser.add_argument("--events", type=int, default=EVENTS, help="about how many events")
    parser.add_argument("--seed", type=int, default=SEED, help="another seed, another city")
    given = parser.parse_args()
    try:
        paths = write(given.out, given.seed, given.events)
    except OSError as error:
        parser.error(f"{given.out} can't be written to: {error.strerror}; give another --out")
    for path in paths:
        print(path)


if __name__ == "__main__":
    main()
