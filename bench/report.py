"""The tables, and whether the aims are met; into docs/bench.md between its markers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench import picture

DOCS = Path(__file__).parents[1] / "docs"
ENOUGH_RATE, ENOUGH_P99, ENOUGH_BYTES = 30_000, 500, 2_000
RESTART_WITH_STORE, RESTART_FROM_LOG = 5, 60
"""Seconds to the first output after a restart; asked for a million records."""


def write(results: Path, *, quick: bool) -> None:
    """Print the tables of the last results; in full runs, put them into the docs too."""
    page, tail = DOCS / "bench.md", "-quick.json" if quick else ".json"
    for half, table in (("engines", engines), ("path", whole_path)):
        file = results / f"{half}{tail}"
        if not file.exists():
            continue
        found = json.loads(file.read_text("utf-8"))
        text = table(found)
        print(f"\n{text}")
        if not quick:
            _put(page, half, text)
            if half == "engines":
                (DOCS / "bench.svg").write_text(picture.bars(found["engines"]), "utf-8")
                _put(DOCS / "decisions/0001-engines.md", half, text)


def engines(found: dict[str, Any]) -> str:
    rows = found["engines"]
    lines = [
        _conditions(found) + f"; events of {found['bytes_per_event']} bytes",
        "",
        "| engine | events/s | slowest – fastest | CPU s a million | least – most | with start and warming up | seconds counted | memory |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for one in rows:
        lines.append(
            f"| **{one['name']}**: {one['how']} | {one['events_per_second']:,} | "
            f"{one['slowest']:,} – {one['fastest']:,} | {one['cpu_seconds_per_million']} | "
            f"{one['least_cpu']} – {one['most_cpu']} | {one['whole_cpu_per_million']} | "
            f"{one['seconds']} | {one['rss_mb']} MB |"
        )
    ours = _named(rows, "Crosstown")["cpu_seconds_per_million"]
    lines.append("")
    for name, store in (
        ("Kafka Streams, RocksDB", "its default store, RocksDB"),
        ("Kafka Streams", "its in-memory store"),
    ):
        theirs = _named(rows, name)["cpu_seconds_per_million"]
        aim = f"no more CPU a million events than Kafka Streams with {store}"
        lines.append(_aim(aim, ours <= theirs, f"{ours} s against {theirs} s"))
    return "\n".join(lines)


def _named(rows: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(row for row in rows if row["name"] == name)


def whole_path(found: dict[str, Any]) -> str:
    lines = [
        _conditions(found),
        "",
        "| generated city | program | events/s | CPU s a million |",
        "|---|---|--:|--:|",
    ]
    for city in found["cities"]:
        for name in ("publish", "intake", "cases"):
            one = city[name]
            lines.append(
                f"| {city['events']:,.0f} events, {city['records']:,.0f} records | {name} | "
                f"{one['events_per_second']:,.0f} | {one['cpu_seconds_per_million']:.1f} |"
            )
    late, hot, large = found["latency"], found["hot_case"], found["cities"][-1]
    lines += ["", *_state(found["cities"])]
    lines += [
        "",
        "| | |",
        "|---|--:|",
        f"| from sending to timeline at {late['rate']:,.0f} events/s: p50 | {late['p50_ms']:,.0f} ms |",
        f"| p99 | {late['p99_ms']:,.0f} ms |",
        f"| the longest of {late['events']:,.0f} | {late['longest_ms']:,.0f} ms |",
        f"| one hot case of {hot['entries']:,.0f} entries, each event changes it | "
        f"{hot['events_per_second']:,.0f} events/s, {hot['cpu_seconds_per_million']:.1f} CPU s a million |",
        "",
    ]
    for name in ("intake", "cases"):
        rate, cpu = large[name]["events_per_second"], large[name]["cpu_seconds_per_million"]
        lines.append(
            _aim(
                f"{name}: at least {ENOUGH_RATE:,} events/s on a core",
                rate >= ENOUGH_RATE,
                f"{rate:,.0f}/s; its CPU time alone would give {1e6 / (cpu or 1):,.0f}/s",
            )
        )
    lines += [
        _aim(
            f"p99 under {ENOUGH_P99} ms at 1,000 events/s",
            late["p99_ms"] < ENOUGH_P99,
            f"{late['p99_ms']:,.0f} ms",
        ),
        _aim(
            f"at most {RESTART_WITH_STORE} s from a restart to the first output, with the file",
            large["state"]["restart_with_store"] <= RESTART_WITH_STORE,
            f"{large['state']['restart_with_store']:.1f} s at {large['records']:,.0f} records",
        ),
        _aim(
            f"at most {RESTART_FROM_LOG} s from the log alone",
            large["state"]["restart_from_log"] <= RESTART_FROM_LOG,
            f"{large['state']['restart_from_log']:.0f} s at {large['records']:,.0f} records",
        ),
        _aim(
            "a rebuild at least as fast as the join",
            large["state"]["rebuild_per_second"] >= large["cases"]["events_per_second"],
            f"{large['state']['rebuild_per_second']:,.0f}/s against"
            f" {large['cases']['events_per_second']:,.0f}/s",
        ),
        _aim(
            f"at most {ENOUGH_BYTES:,} bytes a record",
            large["bytes_per_record"] <= ENOUGH_BYTES,
            f"{large['bytes_per_record']:,.0f} bytes",
        ),
    ]
    return "\n".join(lines)


def _state(cities: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| generated city | memory of `cases` | of it a record | its file | restart with the file | "
        "from the log alone | rebuild |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for city in cities:
        one = city["state"]
        lines.append(
            f"| {city['events']:,.0f} events, {city['records']:,.0f} records | "
            f"{city['rss'] / 1e6:,.0f} MB | {city['bytes_per_record']:,.0f} bytes | "
            f"{one['store_mb']:,.0f} MB | {one['restart_with_store']:.1f} s | "
            f"{one['restart_from_log']:.0f} s | {one['rebuild']:.0f} s, "
            f"{one['rebuild_per_second']:,.0f} messages/s |"
        )
    return lines


def _aim(aim: str, met: bool, how: str) -> str:
    return f"- {'Met' if met else '**Missed**'}: {aim}: {how}."


def _conditions(found: dict[str, Any]) -> str:
    one, runs = found["machine"], found["runs"]
    many = f"medians of {runs}" if runs > 1 else "one run"
    return (
        f"{one['day']}, {one['cores']} cores ({one['cpu']}), {one['memory_gb']} GB, "
        f"{one['system']}, Python {one['python']}, broker on the same machine; {many}"
    )


def _put(page: Path, name: str, text: str) -> None:
    """Between `<!-- name -->` and `<!-- /name -->`; a page without them stays as it is."""
    if not page.exists():
        return
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    old = page.read_text("utf-8")
    if start in old and end in old:
        head, _, rest = old.partition(start)
        page.write_text(f"{head}{start}\n{text}\n{end}{rest.partition(end)[2]}", "utf-8")
