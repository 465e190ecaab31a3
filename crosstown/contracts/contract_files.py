"""Whether the files of the contract repository are still those that were read."""

from __future__ import annotations

import contextlib
import logging
import time

from crosstown.contracts.repository import Repository, shipped
from crosstown.errors import Stop
from crosstown.settings import Settings

log = logging.getLogger(__name__)


class ContractFiles:
    """The files of one repository, looked at once a second at most."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._looked_at = 0.0
        self._read: frozenset[tuple[str, int, int]] = frozenset()

    def changed(self) -> bool:
        """Whether a file came, went or changed since `read`; False within a second of asking."""
        now = time.monotonic()
        if now < self._looked_at + 1:
            return False
        self._looked_at = now
        return self._files() != self._read

    def read(self) -> Repository:
        """The contracts as they are now; `Stop` where they are broken, said until they change."""
        self._read = self._files()
        return Repository.of(self._settings)

    def again(self) -> Repository | None:
        """The contracts where they have changed; None where not, or where they are broken now."""
        if not self.changed():
            return None
        try:
            return self.read()
        except Stop as error:
            log.error("going on with the contracts as they were: %s", error)  # noqa: TRY400
            return None

    def _files(self) -> frozenset[tuple[str, int, int]]:
        """What tells contracts from changed ones: each file's path, time and size."""
        folder = self._settings.schemas or shipped()
        found = set()
        for file in folder.rglob("*.*"):
            with contextlib.suppress(FileNotFoundError):  # it was just replaced
                one = file.stat()
                found.add((str(file), one.st_mtime_ns, one.st_size))
        return frozenset(found)
