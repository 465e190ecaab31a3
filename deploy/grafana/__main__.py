"""Writes the dashboards: `python -m deploy.grafana [FOLDER]`, from the repository's folder."""

from __future__ import annotations

import sys
from pathlib import Path

from deploy.grafana.agency import agency
from deploy.grafana.leadership import leadership
from deploy.grafana.ops import ops


def main() -> None:
    """A JSON file a dashboard, into the folder (by default the committed one)."""
    here = Path(__file__).parent / "dashboards"
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else here
    for name, made in (("ops", ops()), ("agency", agency()), ("leadership", leadership())):
        (folder / f"crosstown-{name}.json").write_text(made, "utf-8")


if __name__ == "__main__":
    main()
