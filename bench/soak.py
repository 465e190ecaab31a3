"""Everything on, for a long time: memory, file handles and lag of each process; a table and a picture.

    python -m bench.soak [SECONDS] [EVENTS_A_SECOND] [FOLDER]

`crosstown up` with all its programs, one agreement in force over all events, one reader of its feed
over HTTP. A record is said three times (reported, in progress, closed) and a place has three records.
Every ten seconds each process is looked at. FOLDER gets `soak.json`, `soak.md` and `soak.svg`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

import psutil  # type: ignore[import-untyped]
from bench.feeds import NAME, RECEIVER, city
from bench.measure import ROOT, own_cpu
from bench.path import AGENCY, EVENTS, _event
from bench.soak_picture import picture, table
from confluent_kafka import Producer

from crosstown.backbone import kafka
from crosstown.avro.codec import Encoder, frame
from crosstown.home import Endpoints, Home, endpoints
from crosstown.gateway.keys import KeyFile
from crosstown.supervision.lag import lags
from crosstown.registry.client import Registry
from crosstown.settings import Settings

EVERY = 10.0
STEPS = (("reported", "REPORTED"), ("started", "IN_PROGRESS"), ("closed", "CLOSED"))
LAGGED = ("intake", "cases", "casebook", "watch", "feeds")


class Look(NamedTuple):
    """One process at one moment: seconds since the start, bytes, handles, CPU seconds, messages."""

    at: float
    name: str
    rss: int
    handles: int
    cpu: float
    lag: int | None


def call(home: Path, schemas: Path, *words: str) -> None:
    """The command line, in a process of its own; ends the bench where it fails."""
    env = {**os.environ, "CROSSTOWN_HOME": str(home), "CROSSTOWN_SCHEMAS": str(schemas),
           "CROSSTOWN_GATEWAY_RATE": "100000"}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "crosstown.cli", *words], env=env, cwd=ROOT, check=False
    )
    if done.returncode:
        sys.exit(f"crosstown {' '.join(words)}: {done.returncode}")


def send(settings: Settings, where: Endpoints, rate: int, seconds: float, sent: list[int]) -> None:
    """Publish at a steady rate; `sent` is the count so far, and the count of acknowledged ones."""
    kafka.ensure_topics(kafka.wait_for_broker(settings, where, 10),
                        [kafka.Topic(EVENTS.topic(AGENCY), 1, kafka.EVENTS)])  # fmt: skip
    producer = Producer(kafka.producer(settings, where, linger_ms=20))
    head = frame(
        Registry.at(settings, where).register(EVENTS.subject(AGENCY), EVENTS.schema_text), b""
    )
    encoder, topic, began = Encoder(EVENTS.schema), EVENTS.topic(AGENCY), time.monotonic()

    def heard(error: Any, _message: Any) -> None:
        sent[1] += error is None

    while (now := time.monotonic() - began) < seconds:
        for _ in range(int(now * rate) - sent[0]):
            record, step = sent[0] // 3, STEPS[sent[0] % 3]
            event = _event(
                record, time.time_ns() // 1000, f"address:{record // 3}-soak-st", step[0]
            )
            producer.produce(topic, head + encoder.encode({**event, "step": step[1]}),
                             event["record"].encode(), on_delivery=heard)  # fmt: skip
            sent[0] += 1
        producer.poll(0.01)
    producer.flush(120)


def read_feed(url: str, key: str, heard: list[int], stop: threading.Event) -> None:
    """The receiver: asks for what is new, by number, for as long as it runs; `heard` is the last one."""
    while not stop.is_set():
        asked = f"{url}/feeds/{NAME}/events?since={heard[0]}&limit=1000&wait=5"
        try:
            with urlopen(
                Request(asked, headers={"Authorization": f"Bearer {key}"}), timeout=30
            ) as got:  # noqa: S310
                lines = got.read().splitlines()
        except OSError as error:
            heard[1] += 1
            print(f"reader: {error}", flush=True)
            stop.wait(2)
            continue
        for line in lines:
            number = json.loads(line)["number"]
            if number != heard[0] + 1:
                heard[2] += 1
            heard[0] = number


def look(home: Home, began: float) -> list[Look]:
    """Every process of the installation now, the supervisor too."""
    up = home.up() or {}
    behind = lags(up["metrics"], LAGGED)
    pids = {one["name"]: one["pid"] for one in up["processes"]} | {
        "supervisor": up["supervisor"]["pid"]
    }
    found = []
    for name, pid in pids.items():
        if pid:
            process = psutil.Process(pid)
            found.append(Look(time.monotonic() - began, name, process.memory_info().rss,
                              process.num_fds(), own_cpu(process), behind.get(name)))  # fmt: skip
    return found


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 1800.0
    rate = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    to = Path(sys.argv[3]) if len(sys.argv) > 3 else ROOT / "docs"
    with tempfile.TemporaryDirectory() as folder:
        home, schemas = Path(folder) / "home", Path(folder) / "schemas"
        city(schemas)
        call(home, schemas, "up", "--detach")
        try:
            run(Settings(home=home, schemas=schemas), seconds, rate, to)
        finally:
            call(home, schemas, "down")
    return 0


def run(settings: Settings, seconds: float, rate: int, to: Path) -> None:
    home, where = Home(settings.home), endpoints(settings)
    assert settings.schemas is not None
    for party, steward in ((AGENCY, "Sam Abara"), (RECEIVER, "Lena Whitfield")):
        call(settings.home, settings.schemas, "agreements", "accept", NAME, "--agency", party,
             "--by", steward)  # fmt: skip
    url = json.loads((home.run / "gateway.json").read_text("utf-8"))["url"]
    key = KeyFile(home.keys).add(RECEIVER, time.time_ns() // 1000)
    sent, heard, stop = [0, 0], [0, 0, 0], threading.Event()
    threads = [threading.Thread(target=send, args=(settings, where, rate, seconds, sent)),
               threading.Thread(target=read_feed, args=(url, key, heard, stop))]  # fmt: skip
    began, seen = time.monotonic(), list[Look]()
    for one in threads:
        one.start()
    caught_up = 0
    while caught_up < 3 and time.monotonic() - began < seconds + 900:
        time.sleep(EVERY - (time.monotonic() - began) % EVERY)
        now = look(home, began)
        seen += now
        waiting = sum(one.lag or 0 for one in now)
        caught_up = caught_up + 1 if not threads[0].is_alive() and waiting == 0 else 0
        print(f"{time.monotonic() - began:6.0f} s  sent {sent[0]:>9,}  heard {heard[0]:>9,}  "
              + "  ".join(f"{one.name} {one.lag:,}" for one in now if one.lag is not None), flush=True)  # fmt: skip
    stop.set()
    for one in threads:
        one.join()
    restarts = {
        one["name"]: one["restarts"] for one in (home.up() or {})["processes"] if one["restarts"]
    }
    about = {"seconds": seconds, "rate": rate, "took": time.monotonic() - began, "sent": sent[0],
             "acknowledged": sent[1], "heard": heard[0], "heard_out_of_order": heard[2],
             "reader_errors": heard[1], "restarts": restarts, "cores": os.cpu_count(),
             "behind": {one.name: one.lag for one in now if one.lag}}  # fmt: skip
    (to / "soak.json").write_text(
        json.dumps({"about": about, "looks": [list(one) for one in seen]}), "utf-8"
    )
    (to / "soak.svg").write_text(picture(about, seen), "utf-8")
    (to / "soak.md").write_text(table(about, seen), "utf-8")
    print(json.dumps(about))
    if sent[1] != sent[0] or heard[0] < sent[0] or heard[2]:
        sys.exit("not all that was sent was acknowledged, or heard in order")


if __name__ == "__main__":
    sys.exit(main())
