"""The gateway: agencies publish over HTTP, an answer says that Kafka has it; and read their feeds.

POST /events ──> key ──> contract ──> events.<agency>.<contract> ──> the receipt
GET /feeds/... <── noted <── key and agreement <── feed.<agreement>, agreements
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from crosstown.agreements.following import Following
from crosstown.audit.log import AccessLog
from crosstown.contracts.contract_files import ContractFiles
from crosstown.erasure.erasures import Key
from crosstown.errors import Stop, Unavailable
from crosstown.gateway.app import application
from crosstown.gateway.delivery import Delivery
from crosstown.gateway.entry import Entry
from crosstown.gateway.feeds.noting import Noting
from crosstown.gateway.feeds.past import Past
from crosstown.gateway.feeds.routes import Feeds
from crosstown.gateway.feeds.serving import Serving
from crosstown.gateway.feeds.tails import Tails
from crosstown.gateway.judge import Judge
from crosstown.gateway.keys import KeyFile, KeysNow
from crosstown.gateway.listening import Address, address, listening, load
from crosstown.gateway.publishing import Contracts, Publishing
from crosstown.processing.traces import traces_of
from crosstown.program import Program, main

log = logging.getLogger(__name__)

LOOK_EVERY = 2.0
"""Seconds between two looks at Kafka, the registry and the certificate."""


def run(program: Program) -> None:
    """Serve until it's time to stop."""
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells of every look at the registry
    at = address(program.settings, program.home.run / "gateway-port")
    delivery = Delivery(program.settings, program.endpoints)
    try:
        asyncio.run(_serve(program, at, delivery))
    finally:
        delivery.close()
    if delivery.fatal:
        raise Unavailable(f"Kafka's producer can't go on: {delivery.fatal}")


async def _serve(program: Program, at: Address, delivery: Delivery) -> None:
    keys = KeysNow(KeyFile(program.home.keys))
    contracts = _contracts(program)
    entry = Entry(keys, contracts.declared)
    traces = traces_of(program.settings, program.name)
    publishing = Publishing(contracts, entry, delivery, program.settings.gateway_rate, traces)

    def not_ready() -> str:
        try:
            keys()
        except Stop:
            return "the keys can't be read"
        return delivery.away or delivery.unregistered

    try:
        async with _feeds(program, entry, delivery) as (serving, fatal):
            app = application(publishing, Feeds(entry, serving), not_ready)
            async with listening(app, at):
                program.ready(url=at.url)
                log.info("listens at %s", at.url)
                await _look_after(program, at, delivery, fatal)
                serving.close()
    finally:
        publishing.close()


@asynccontextmanager
async def _feeds(
    program: Program, entry: Entry, delivery: Delivery
) -> AsyncIterator[tuple[Serving, Callable[[], str]]]:
    """All that reads for feeds, and why it can't go on, if it can't."""
    where = program.settings, program.endpoints
    following, tails = Following(*where).start(), Tails(*where).start()
    past, access = Past(*where), AccessLog(*where, f"gateway-{program.settings.slot}")
    noting = Noting(access)
    serving = Serving(entry, following, tails, past, noting, delivery.registry.schema)
    watching = asyncio.create_task(serving.watch())
    try:
        yield (
            serving,
            lambda: (
                following.fatal
                or tails.fatal
                or ("feeds are watched no more" if watching.done() else "")
            ),
        )
    finally:
        watching.cancel()
        closed = (asyncio.to_thread(one.close) for one in (following, tails, past, access))
        await asyncio.gather(*closed)
        noting.close()


async def _look_after(
    program: Program, at: Address, delivery: Delivery, fatal: Callable[[], str]
) -> None:
    """Look now and then whether events could be sent, and for a renewed certificate, until the end."""
    certified = _certified(program)
    program.health.must("publishing", lambda: delivery.away or delivery.unregistered)
    while not program.stopping.is_set() and not delivery.fatal and not fatal():
        program.health.turn()
        await asyncio.to_thread(delivery.look)
        if at.tls and certified != (certified := _certified(program)):
            try:
                load(at.tls, program.settings)
                log.info("the certificate was read again")
            except Stop as error:
                log.error("going on with the certificate as it was: %s", error)  # noqa: TRY400
        await asyncio.to_thread(program.stopping.wait, LOOK_EVERY)
    if fatal():
        raise Unavailable(fatal())


def _certified(program: Program) -> tuple[int, ...]:
    """What tells a certificate and key from renewed ones."""
    files = (program.settings.gateway_cert, program.settings.gateway_key)
    return tuple(file.stat().st_mtime_ns for file in files if file is not None and file.exists())


def _contracts(program: Program) -> Contracts:
    """The judge by the contracts' files; broken ones don't replace good ones."""
    files = ContractFiles(program.settings)
    fingerprint = Key(program.home.erasure_key(program.settings)).fingerprint

    def again() -> Judge | None:
        contracts = files.again()
        return None if contracts is None else Judge(contracts, fingerprint)

    return Contracts(Judge(files.read(), fingerprint), again)


if __name__ == "__main__":
    sys.exit(main("gateway", run))
