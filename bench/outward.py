"""What batches and webhooks carry: `python bench/outward.py [MESSAGES] [WEBHOOKS]`.

Starts a Kafka, a registry, receivers on this machine and the program of its own. A receiver syncs each
message to its disk before it answers, as the docs ask for.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))


from agreed_feed import feed_of
from hook_receiver import receiving

from crosstown.embedded.broker import Broker
from crosstown.home import Endpoints, Home
from crosstown.audit.access import Remembered
from crosstown.outward.batching import batch
from crosstown.outward.shelf import Folder
from crosstown.outward.signing_secrets import SigningSecrets
from crosstown.registry.server import Server
from crosstown.settings import Settings

MESSAGES = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
WEBHOOKS = int(sys.argv[2]) if len(sys.argv) > 2 else 20


def batches(feed, folder):
    for _ in range(MESSAGES // 2_000):
        feed.report(2_000)
    for kind in ("ndjson", "csv", "parquet"):
        began = time.monotonic()
        made = batch(
            feed.settings, feed.where, Remembered(), feed.agreement.id, Folder(folder), kind, 0
        )
        took = time.monotonic() - began
        print(
            f"batch {kind}: {made.count:,} in {took:.1f} s, {made.count / took:,.0f}/s, {made.bytes:,} bytes"
        )


def webhooks(folder, home, settings, where, count, each):
    with ExitStack() as stack:
        feeds, receivers = [], []
        for n in range(count):
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            name = f"bench-{count}-{n}"
            at = home / name
            delivery = {"ways": ["webhook"], "webhook": f"http://127.0.0.1:{port}/"}
            feed = feed_of(name, at, settings, where, delivery=delivery)
            feed.accept()
            feed.report(each)
            secret = SigningSecrets(Home(home).webhooks).add(name)
            (folder / name).mkdir()
            receivers.append(stack.enter_context(receiving(folder / name, port, secret)))
            feeds.append(feed)
        schemas = feeds[0].settings.schemas
        for feed in feeds[1:]:
            file = f"{feed.agreement.id}.yaml"
            (schemas / "agreements" / file).write_text(
                (feed.settings.schemas / "agreements" / file).read_text()
            )
        env = {**os.environ, **feeds[0].env, "CROSSTOWN_HOME": str(home),
               "CROSSTOWN_WEBHOOK_ALLOW": '["127.0.0.1"]'}  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-m", "streams.webhooks"], env=env, stderr=subprocess.DEVNULL
        )
        first = time.monotonic()
        while not any(one.calls() for one in receivers):
            time.sleep(0.01)
        began = time.monotonic()
        while not all(one.file.exists() and f'"number":{each},' in one.file.read_text().replace(" ", "")
                      for one in receivers):  # fmt: skip
            time.sleep(0.2)
        took = time.monotonic() - began
        about = psutil.Process(process.pid)
        print(
            f"{count} webhooks: {count * each:,} messages in {took:.1f} s, {count * each / took:,.0f}/s;"
            f" {about.memory_info().rss / 1e6:.0f} MB, {about.num_threads()} threads,"
            f" {sum(about.cpu_times()[:2]):.1f} s of CPU; first call after {began - first:.1f} s"
        )
        time.sleep(3)  # nothing more to do
        before = sum(about.cpu_times()[:2])
        time.sleep(10)
        print(f"  at rest: {(sum(about.cpu_times()[:2]) - before) / 10:.1%} of a core")
        process.terminate()
        process.wait()


with tempfile.TemporaryDirectory() as folder:
    folder = Path(folder)
    home = folder / "home"
    Home(home).make()
    broker = Broker(Settings(home=folder / "broker")).start()
    try:
        settings = Settings(home=home, bootstrap=broker.bootstrap, kafka=broker.login)
        server = Server(settings, Endpoints(broker.bootstrap, "")).start()
        url = server.url.replace("//", f"//{':'.join(server.login)}@")
        where = Endpoints(broker.bootstrap, url)
        feed = feed_of("bench-batch", home / "batch", settings, where)
        feed.accept()
        batches(feed, folder / "out")
        webhooks(folder, home, settings, where, 1, 2_000)
        webhooks(folder, home, settings, where, WEBHOOKS, 200)
        server.close()
    finally:
        broker.stop()
