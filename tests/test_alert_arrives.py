"""An alert that fires and reaches nobody: the shipped rules, a real Prometheus, a real Alertmanager."""

from __future__ import annotations

import subprocess
from pathlib import Path
from urllib.request import urlopen

from installation import Installation
from watched import tools, until, watched

AGENCY = "fairhaven-311"


def test_an_alert_reaches_nobody(installation: Installation, tmp_path: Path) -> None:
    tools()
    installation("key", "add", AGENCY).ok()
    installation("key", "rotate", AGENCY, "--grace", "1").ok()
    with watched(tmp_path, installation.home) as (ask, arrived):
        found = until("the alert arrives", lambda: [
            one for one in arrived if one["labels"]["alertname"] == "OldKeyEnds"
        ])[0]  # fmt: skip
        assert found["status"] == "firing"
        assert found["labels"]["agency"] == AGENCY
        assert found["annotations"]["summary"] == f"The old key of {AGENCY} ends soon"
        assert found["annotations"]["runbook"] == "docs/runbooks/old-key-ends.md"
        names = {
            one["name"] for one in installation("status", "-o", "json").ok().json()["processes"]
        }
        wanted = {"supervisor", *names}
        targets = until("every program is asked", lambda: [
            one for one in ask("targets")["activeTargets"]
            if {t["labels"]["instance"] for t in ask("targets")["activeTargets"]} == wanted
        ])  # fmt: skip
        until("every program answers",
              lambda: all(t["health"] == "up" for t in ask("targets")["activeTargets"]))  # fmt: skip
        (group,) = ask("rules")["groups"]
        assert {(rule["name"], rule.get("lastError", "")) for rule in
                group["rules"] if rule["health"] != "ok"} == set()  # fmt: skip
        looked = ask("query?query=crosstown_looked_timestamp_seconds")["result"]
        assert {one["metric"]["at"] for one in looked} == {"home", "contracts", "cluster"}
        still = ask("query?query=max(crosstown_standing_still_seconds)by(program)")["result"]
        assert {one["metric"]["program"] for one in still} >= {"cases", "eraser"}
        assert "the lookout" not in (installation.home / "logs/up.log").read_text("utf-8")
        for one in targets:
            with urlopen(one["scrapeUrl"], timeout=10) as answer:  # noqa: S310 - as we wrote it
                done = subprocess.run(["promtool", "check", "metrics"], input=answer.read(),
                                      capture_output=True, check=False, timeout=60)  # fmt: skip
            assert (done.returncode, done.stderr) == (0, b""), (one["labels"], done.stderr)
        installation("key", "revoke", AGENCY).ok()
        until("it's said that it's over", lambda: [
            one for one in arrived
            if one["labels"]["alertname"] == "OldKeyEnds" and one["status"] == "resolved"
        ])  # fmt: skip
