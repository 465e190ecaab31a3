"""Pushed events held against their contracts, as intake will hold them. Pure; times are arguments."""

from __future__ import annotations

from typing import Any, Final

from crosstown.accepting.intake import check_erasure_key
from crosstown.avro.json_body import JsonBody
from crosstown.contracts.checked import Checked, Checker
from crosstown.contracts.contract import ANY, Contract
from crosstown.contracts.repository import Repository
from crosstown.errors import Refused
from crosstown.event.cloudevents import CloudEvent
from crosstown.event.own_words import own_words
from crosstown.source import Said

OWN_WORDS: Final = f"{ANY}/events"


class Judge:
    """Judges by one repository's contracts; `erasure_key` is the installation's fingerprint."""

    def __init__(self, contracts: Repository, erasure_key: str) -> None:
        self.contracts = contracts
        self._erasure_key = erasure_key
        self._checker = Checker(contracts, 0, 0)
        self._bodies: dict[str, JsonBody] = {}

    def judge(self, agency: str, event: CloudEvent, known_at: int) -> Checked:
        """The event as it may be sent for `agency`; raises `Refused`."""
        contract = self._contract(agency, event.type)
        body = self._body(contract, event.data)
        self._checker.known_at = self._checker.now = known_at
        try:
            checked = self._checker.check(Said(contract.id, agency, body, 0, None, "push"))
        except Refused as error:
            if error.reason in ("agency-of-another", "unknown-agency") and not contract.for_others:
                raise Refused("agency-of-another", f"this key publishes for {agency} only",
                              field="agency", mend=f"say {agency}, or use that agency's own key"
                             ) from None  # fmt: skip
            raise
        check_erasure_key(checked.envelope, self._erasure_key)
        return checked

    def _contract(self, agency: str, type_: str) -> Contract:
        found = self.contracts.for_topic(f"events.{agency}.{type_}")
        if found is None:
            ours = {c.name for c in self.contracts.contracts.values() if c.owner in (agency, ANY)}
            raise Refused("no-contract", f"{type_[:80]!r} is no contract of {agency}", field="type",
                          mend=f"type is one of {', '.join(sorted(ours))}")  # fmt: skip
        return found[0]

    def _body(self, contract: Contract, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            raise Refused("wrong-type", "data must be one JSON object", field="data",
                          mend="not a list, and not JSON within a text")  # fmt: skip
        if contract.id == OWN_WORDS:
            said = own_words(data)
            for name, value in (("known_at", said.known_at), ("via", said.via)):
                if value:
                    raise Refused("not-said-here", f"{name} is noted when the event is received",
                                  field=name, mend=f"leave {name} out")  # fmt: skip
            return said.body
        reader = self._bodies.get(contract.id)
        if reader is None:
            reader = self._bodies[contract.id] = JsonBody(contract.schema)
        return reader.read(data)
