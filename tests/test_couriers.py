"""Whether webhooks may go out while nobody can hear that an agreement was revoked."""

from __future__ import annotations

import shutil
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from feeding import handshake, until

from crosstown.agreements import word_log
from crosstown.agreements.now import AgreementsNow
from crosstown.agreements.words import Word
from crosstown.backbone import kafka
from crosstown.contracts.repository import Repository
from crosstown.embedded.broker import Broker
from crosstown.home import Endpoints
from crosstown.outward.couriers import FRESH, Couriers
from crosstown.settings import Settings


def test_what_was_read_already_goes_out_though_nobody_hears_a_revocation(tmp_path: Path) -> None:
    contracts = tmp_path / "contracts"
    shutil.copytree(Repository.load().path, contracts)
    shutil.rmtree(contracts / "agreements")
    (contracts / "agreements").mkdir()
    (contracts / "agreements/hooked.yaml").write_text(handshake("hooked"), "utf-8")
    broker = Broker(Settings(home=tmp_path / "home")).start()
    try:
        where = Endpoints(broker.bootstrap, "")
        settings = Settings(
            home=tmp_path / "home", bootstrap=broker.bootstrap, kafka=broker.login, schemas=contracts
        )  # fmt: skip
        admin = kafka.wait_for_broker(settings, where, 30)
        kafka.ensure_topics(admin, [kafka.Topic("agreements", 1, kafka.COMPACT)])
        one = Repository.of(settings).agreements["hooked"]
        for party in one.parties:
            word_log.say(settings, where, Word(
                agreement="hooked", word="accepted", party=party, by="somebody",
                said_at=time.time_ns() // 1000, terms=one.terms, text=one.text,
            ))  # fmt: skip
        nobody: Any = SimpleNamespace(places=SimpleNamespace(since=tuple))
        with closing(AgreementsNow(settings, where)) as now:
            couriers = Couriers(nobody, now, {})

            def may_go_out() -> bool:
                couriers.tend()
                return couriers._holds(now.agreements["hooked"])

            until(may_go_out)
            broker.stop()
            last = time.monotonic()
            until(lambda: not may_go_out(), 20)
            assert time.monotonic() - last < FRESH + 3
            assert not may_go_out()
    finally:
        broker.stop()
