"""The disk under a home, and the certificates and keys that end one day; nothing of it needs Kafka."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from cryptography import x509

from crosstown import metrics
from crosstown.gateway.keys import Key, KeyFile
from crosstown.home import Home
from crosstown.lookout.shown import Shown
from crosstown.settings import Settings


class Place:
    """What the machine and its files say about one home."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keys = KeyFile(Home(settings.home).keys)
        self._certificates = Shown(metrics.certificate_ends)
        self._old_keys = Shown(metrics.key_ends)

    def look(self) -> None:
        """Tell all of it; `OSError` where the home is gone, `Stop` where its keys can't be read."""
        disk = shutil.disk_usage(self._settings.home)
        metrics.disk_size.set(disk.total)
        metrics.disk_free.set(disk.free)
        file = self._settings.gateway_cert
        self._certificates.show({("gateway",): ends(file)} if file else {})
        self._old_keys.show(old_keys(self._keys.read(), time.time_ns() // 1000))


def ends(chain: Path) -> float:
    """When the first certificate of a chain to end does, seconds since 1970; 0: it can't be read."""
    try:
        found = x509.load_pem_x509_certificates(chain.read_bytes())
    except (OSError, ValueError):
        return 0.0
    return min(one.not_valid_after_utc.timestamp() for one in found)


def old_keys(keys: Mapping[str, Key], now: int) -> dict[tuple[str, ...], float]:
    """When the keys end that are being replaced and still hold at `now`, by agency, in seconds."""
    last = {
        agency: [one.ends for one in key.still(now).secrets if one.ends is not None]
        for agency, key in keys.items()
    }
    return {(agency,): max(found) / 1e6 for agency, found in last.items() if found}
