"""Measure, and put the tables into docs/bench.md and the picture into docs/bench.svg.

python -m bench                 all of it: about an hour on two cores
python -m bench engines|path    one half
python -m bench --quick         one small run of each, to see that it works; writes no docs
python -m bench report          tables and picture anew from the last results
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil

from bench import engines, path, report
from crosstown import sample
from crosstown.errors import CrosstownError
from crosstown.settings import Settings

RESULTS = Path(__file__).parent / "results"
SIZES = (100_000, 1_000_000, 5_000_000)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "what", nargs="?", default="all", choices=("all", "engines", "path", "report")
    )
    parser.add_argument("--quick", action="store_true", help="one small run of each")
    parser.add_argument("--runs", type=int, default=5, help="medians of so many")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to stop"))  # in order: nothing is left
    RESULTS.mkdir(exist_ok=True)
    runs = 1 if given.quick else max(1, given.runs)
    folder = Path(tempfile.mkdtemp(prefix="crosstown-bench-"))
    try:
        for half, measure in (("engines", _engines), ("path", _path)):
            if given.what in ("all", half):
                print(f"{half}: medians of {runs}", flush=True)
                found = {"machine": _machine(), **measure(folder / half, runs, given.quick)}
                name = f"{half}-quick.json" if given.quick else f"{half}.json"
                (RESULTS / name).write_text(json.dumps(found, indent=1), "utf-8")
    except CrosstownError as error:
        print(f"{error} -> {error.mend}" if error.mend else error, file=sys.stderr)
        return error.exit_code
    except subprocess.CalledProcessError as error:  # a peer's environment, mostly: no network
        print(f"{error} -> are the package registries in reach?", file=sys.stderr)
        return 5
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    report.write(RESULTS, quick=given.quick)
    return 0


def _engines(folder: Path, runs: int, quick: bool) -> dict[str, Any]:
    folder.mkdir()
    return engines.run(folder, Settings().cache / "bench", runs, quick)


def _path(folder: Path, runs: int, quick: bool) -> dict[str, Any]:
    cities = []
    for events in (60_000,) if quick else SIZES:
        files = sample.write(folder / f"sample-{events}", events=events)
        rows = []
        for number in range(runs if events <= 1_000_000 else 1):
            where = folder / f"run-{events}-{number}"
            rows.append(path.run(files, where))
            shutil.rmtree(where, ignore_errors=True)
            print(
                f"  {events:,} events, run {number + 1}: "
                + "; ".join(
                    f"{name} {rows[-1][name]['events_per_second']:,}/s, "
                    f"{rows[-1][name]['cpu_seconds_per_million']} CPU s a million"
                    for name in ("publish", "intake", "cases")
                )
                + f"; {rows[-1]['rss'] / 1e6:,.0f} MB; {rows[-1]['state']}",
                flush=True,
            )
        cities.append(_medians(rows))
    late, hot = [], []
    for number in range(runs):
        late.append(path.latency(folder / f"latency-{number}", 1_000, 5 if quick else 30))
        hot.append(path.hot_case(folder / f"hot-{number}", 50_000 if quick else 200_000))
        print(
            f"  run {number + 1}: p50 {late[-1]['p50_ms']} ms, p99 {late[-1]['p99_ms']} ms; "
            f"hot case {hot[-1]['events_per_second']:,}/s",
            flush=True,
        )
    latency = _medians(late)
    for city in cities:
        city["bytes_per_record"] = round((city["rss"] - latency["empty_rss"]) / city["records"])
    return {"runs": runs, "cities": cities, "latency": latency, "hot_case": _medians(hot)}


def _medians(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of each number, also of those in a dictionary."""
    return {
        name: _medians([row[name] for row in rows])
        if isinstance(value, dict)
        else statistics.median(row[name] for row in rows)
        for name, value in rows[0].items()
    }


def _machine() -> dict[str, Any]:
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        model = next(
            (l.partition(":")[2].strip() for l in lines if l.startswith("model name")), model
        )
    except OSError:
        pass
    return {
        "cpu": model,
        "cores": psutil.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "system": platform.system(),
        "python": platform.python_version(),
        "day": dt.datetime.now(dt.UTC).date().isoformat(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
    }


if __name__ == "__main__":
    sys.exit(main())
