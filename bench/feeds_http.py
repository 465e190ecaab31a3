"""How late a stream's message is, and what many open streams cost: `python bench/feeds_http.py [CLIENTS]`.

Starts a Kafka, a registry and a gateway of its own. Each client is a server-sent event stream of one of
four agencies' feeds; a message's lateness is from its being handed to Kafka's producer to its last byte
at the client, so with the feed's own transaction and the note in the access log.
"""

import asyncio
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from receiving import city, receiver

from crosstown.embedded.broker import Broker
from crosstown.registry.server import Server
from crosstown.settings import Settings

CLIENTS = int(sys.argv[1]) if len(sys.argv) > 1 else 200
AGENCIES = ("riverton-tenants", "riverton-water", "riverton-police", "riverton-housing")
SECONDS, PER_SECOND, OLD = 20, 10, 20_000


async def client(url, key, feed, seen, ready):
    host, port = url.rpartition("/")[2].split(":")
    reading, writing = await asyncio.open_connection(host, int(port))
    writing.write(
        f"GET /feeds/{feed}/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
        "Accept: text/event-stream\r\n\r\n".encode()
    )
    assert b" 200 " in await reading.readline()
    ready.append(feed)
    while line := await reading.readline():
        if line.startswith(b"data: "):
            now = time.time()
            at = line[line.index(b'"occurred_at":"') + 15 :].partition(b'"')[0].decode()
            seen.append(now - datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp())


async def streams(own, agreements, riverton):
    process, seen, ready = psutil.Process(own.process.pid), [], []
    before = process.memory_info().rss
    keys = {a.id: receiver(own, a.receiver).key for a in agreements}
    tasks = [
        asyncio.create_task(client(own.url, keys[a.id], a.id, seen, ready))
        for n in range(CLIENTS)
        for a in [agreements[n % len(agreements)]]
    ]
    while len(ready) < CLIENTS:
        await asyncio.sleep(0.1)
    opened, cpu = process.memory_info().rss, sum(process.cpu_times()[:2])
    began = time.monotonic()
    for turn in range(SECONDS * PER_SECOND):
        await asyncio.sleep(max(0, began + turn / PER_SECOND - time.monotonic()))
        agreement = agreements[turn % len(agreements)]
        await asyncio.to_thread(riverton.write, agreement, 1, occurred_at=datetime.now(UTC))
    await asyncio.sleep(1)
    took, spent = time.monotonic() - began, sum(process.cpu_times()[:2]) - cpu
    expected = SECONDS * PER_SECOND * CLIENTS // len(agreements)
    for task in tasks:
        task.cancel()
    seen.sort()
    at = lambda part: seen[min(len(seen) - 1, int(len(seen) * part))] * 1000
    print(
        f"{CLIENTS} streams of {len(agreements)} feeds, {PER_SECOND} messages/s:"
        f" {len(seen):,} of {expected:,} arrived, {len(seen) / took:,.0f}/s"
    )
    print(
        f"  late: median {at(0.5):.0f} ms, 99 of 100 within {at(0.99):.0f} ms, all {at(1):.0f} ms"
    )
    print(
        f"  gateway: {before / 1e6:.0f} MB before, {opened / 1e6:.0f} MB with all open,"
        f" {process.memory_info().rss / 1e6:.0f} MB at the end; {spent / took:.0%} of a core"
    )


def catching_up(own, agreement, riverton):
    riverton.write(agreement, OLD, each=200)
    reader, since, began = receiver(own), 0, time.monotonic()
    while found := reader.lines(agreement.id, f"?since={since}&limit=10000"):
        since = found[-1]["number"]
    took = time.monotonic() - began
    print(f"catching up: {since:,} messages as lines in {took:.1f} s, {since / took:,.0f}/s")


with tempfile.TemporaryDirectory() as folder:
    broker = Broker(Settings(home=Path(folder) / "broker")).start()
    where = Path(folder) / "registry"
    where.mkdir()
    how = Settings(home=where, bootstrap=broker.bootstrap, kafka=broker.login)
    from crosstown.home import Endpoints

    server = Server(how, Endpoints(broker.bootstrap, "")).start()
    try:
        riverton = city(Path(folder), broker, server)
        agreements = [riverton.agree(f"bench-{n}", one) for n, one in enumerate(AGENCIES)]
        old = riverton.agree("bench-old")
        for one in agreements:
            riverton.write(one, 0)
        with riverton.gateway("bench") as own:
            time.sleep(2)
            asyncio.run(streams(own, agreements, riverton))
            catching_up(own, old, riverton)
    finally:
        server.close()
        broker.stop()
