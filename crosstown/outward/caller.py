"""Makes one agreement's calls: signed, to an address that may be called, and what came of each."""

from __future__ import annotations

import time
from typing import Final

from crosstown import metrics
from crosstown.agreements.agreement import Agreement
from crosstown.errors import Refused, Stop, Unavailable
from crosstown.outward import calls
from crosstown.outward.address import Guard, target
from crosstown.outward.calls import Call
from crosstown.outward.guarded import Answer, Poster
from crosstown.outward.patience import verdict
from crosstown.outward.signing import signed
from crosstown.outward.signing_secrets import SigningSecrets

NOBODY: Final = Answer(0, "", b"")
"""The answer where nobody was reached."""


class Caller:
    """For one thread."""

    def __init__(self, agreement: Agreement, secrets: SigningSecrets, guard: Guard) -> None:
        self._agreement = agreement.id
        self._url = agreement.delivery.webhook
        self._kept, self._guard = secrets, guard
        self._poster: Poster | None = None

    def secrets(self) -> list[str]:
        """Those that hold now."""
        return self._kept.of(self._agreement, time.time_ns() // 1000)

    def call(self, call: Call) -> tuple[Answer, str]:
        """Call, and what came of it in words; a status of 0: nobody was reached."""
        try:
            answer = self._post(call)
        except (Refused, Unavailable, Stop) as error:
            metrics.webhook_calls.labels(self._agreement, "not called").inc()
            return NOBODY, str(error)[:200]
        metrics.webhook_calls.labels(self._agreement, verdict(answer.status)).inc()
        return answer, f"it answered {answer.status}"

    def close(self) -> None:
        """Give up the connection."""
        if self._poster is not None:
            self._poster.close()

    def _post(self, call: Call) -> Answer:
        secrets = self.secrets()
        if not secrets:
            raise Stop(f"it has no secret yet: crosstown webhook add {self._agreement}")
        if self._poster is None:
            self._poster = Poster(target(self._url), self._guard)
        headers = signed(secrets, call.name, int(time.time()), call.body)
        headers |= {"Content-Type": calls.MEDIA, "User-Agent": "crosstown"}
        return self._poster.post(headers, call.body)
