"""What contracts and agreements promise, and whom to ask about them, as metrics that rules join with.

So an alert names the owner as the contract has it now; no list of people is kept a second time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from crosstown import metrics
from crosstown.agreements.agreement import Agreement
from crosstown.contracts.agencies import Agency
from crosstown.contracts.contract import Contract
from crosstown.contracts.contract_files import ContractFiles
from crosstown.contracts.promises import promised
from crosstown.contracts.repository import Repository
from crosstown.lookout.shown import Shown
from crosstown.settings import Settings

PROMISES: Final = ("frequency", "latency")
LONGEST: Final = 200
"""Characters of a contact, at most."""
Series = dict[tuple[str, ...], float]


class Terms:
    """The contract repository as it is now; `repository` is what was last read of it."""

    def __init__(self, settings: Settings) -> None:
        self._files = ContractFiles(settings)
        self.repository: Repository | None = None
        self._contracts = Shown(metrics.contract_info)
        self._agencies = Shown(metrics.agency_info)
        self._agreements = Shown(metrics.agreement_info)
        self._promises = Shown(metrics.promised)

    def look(self) -> None:
        """Tell what changed in the files; `Stop` where they can't be read the first time."""
        found = self._files.read() if self.repository is None else self._files.again()
        if found is None:
            return
        self.repository = found
        self._contracts.show(owners(found.contracts))
        self._agencies.show(reachable(found.agencies))
        self._agreements.show(stewards(found.agreements))
        self._promises.show(promises(found.contracts))


def owners(contracts: Mapping[str, Contract]) -> Series:
    """1 for each contract with its owner and contact."""
    return {(one.id, one.owner, contact(one)): 1.0 for one in contracts.values()}


def contact(contract: Contract) -> str:
    """Where to ask about a contract: its support's address, else its channel, else its team."""
    file = contract.file
    for one in file.support:
        found = one.url.removeprefix("mailto:") or str((one.model_extra or {}).get("channel", ""))
        if found:
            return found[:LONGEST]
    return (file.team.name if file.team and file.team.name else contract.owner)[:LONGEST]


def reachable(agencies: Iterable[Agency]) -> Series:
    """1 for each agency that says whom to ask about it."""
    return {(one.id, one.contact): 1.0 for one in agencies if one.contact}


def whom(repository: Repository) -> dict[str, str]:
    """By agency, whom to ask: as its own contracts say, else as `agencies.yaml` does."""
    own = {one.owner: contact(one) for one in repository.contracts.values()}
    return {one.id: one.contact for one in repository.agencies if one.contact} | own


def stewards(agreements: Mapping[str, Agreement]) -> Series:
    """1 for each agreement with its receiver and all its stewards in one text."""
    return {
        (one.id, one.receiver, ", ".join(f"{who} ({of})" for of, who in one.stewards.items())): 1.0
        for one in agreements.values()
    }


def promises(contracts: Mapping[str, Contract]) -> Series:
    """Seconds by contract and promise, where something is promised."""
    found = {(one.id, name): promised(one.file, name)
             for one in contracts.values() for name in PROMISES}  # fmt: skip
    return {labels: micros / 1e6 for labels, micros in found.items() if micros is not None}
