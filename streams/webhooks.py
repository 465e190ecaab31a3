"""Webhooks: what agreements in force say goes to receivers that would rather be called.

feed.<agreement> ──> signed, one message a call ──> the receiver; its place ──> webhooks
"""

from __future__ import annotations

import logging
import sys
from contextlib import closing
from typing import Final

from crosstown.agreements.now import AgreementsNow
from crosstown.audit.log import AccessLog
from crosstown.errors import Unavailable
from crosstown.outward.address import Guard, networks
from crosstown.outward.courier import Means
from crosstown.outward.couriers import Couriers
from crosstown.outward.guarded import own_addresses
from crosstown.outward.places import Places
from crosstown.outward.signing_secrets import SigningSecrets
from crosstown.program import Program, main

log = logging.getLogger(__name__)

LOOK_EVERY: Final = 0.3
"""Seconds between two looks at the agreements: within a second after a revocation nothing goes out."""
PATIENCE: Final = 2.0
"""Seconds that calls under way have for their answer when the program stops."""


def run(program: Program) -> None:
    """Feeds of agreements in force -> their receivers, until it's time to stop."""
    settings, endpoints = program.settings, program.endpoints
    logging.getLogger("httpx").setLevel(logging.WARNING)
    guard = Guard(networks(settings.webhook_allow), own_addresses())
    with (
        closing(AgreementsNow(settings, endpoints)) as now,
        closing(Places(settings, endpoints)) as places,
        closing(AccessLog(settings, endpoints, f"webhooks-{settings.slot}")) as access,
    ):
        secrets = SigningSecrets(program.home.webhooks)
        means = Means(settings, endpoints, access, places, secrets, guard,
                      lambda: now.repository.contracts)  # fmt: skip
        couriers = Couriers(means, now, places.so_far())
        program.ready()
        try:
            while not program.stopping.is_set():
                try:
                    couriers.tend()
                except Unavailable as error:
                    log.warning("waiting: %s", error)
                    program.health.waits("agreements", str(error))
                else:
                    program.health.waits("agreements", "")
                program.rest(LOOK_EVERY)
        finally:
            couriers.stop(PATIENCE)


if __name__ == "__main__":
    sys.exit(main("webhooks", run))
