"""Draws docs/timeline.svg, the picture in the README: `python docs/picture.py HOME` after a demo."""

from __future__ import annotations

import re
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console

from crosstown import sample
from crosstown.casebook.lookup import Lookup
from crosstown.cli import timeline
from crosstown.home import Home
from crosstown.settings import Settings


def main() -> None:
    """Print the sample city's story to a picture instead of a terminal."""
    home = Path(sys.argv[1])
    console = Console(record=True, width=104, file=StringIO(), highlight=False)
    timeline.out = console  # type: ignore[assignment] - the same, but recording
    lookup = Lookup(Home(home).casebook)
    timeline.show(lookup.case(sample.showcase()), Settings(home=home))
    lookup.close()
    picture = console.export_svg(title=f"crosstown case {sample.showcase()}")
    picture = re.sub(
        r"@font-face \{.*?\}\n", "", picture, flags=re.DOTALL
    )  # no fonts from elsewhere
    picture = re.sub(r"<!--.*?-->", "", picture)
    Path(__file__).with_name("timeline.svg").write_text(picture, "utf-8")


if __name__ == "__main__":
    main()
