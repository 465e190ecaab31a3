"""What of all that counts one agreement covers. Pure. Source of the rules: docs/decisions/0023."""

from __future__ import annotations

from crosstown.agreements.agreement import Agreement
from crosstown.agreements.row_filter import RowFilter
from crosstown.agreements.words import Standing, shared_since
from crosstown.completeness.counted import ASIDE
from crosstown.contracts.agencies import Agencies
from crosstown.event.sayings import APART, SEPARATED
from crosstown.feeds.lanes import Lane
from crosstown.feeds.look import Look
from crosstown.feeds.narrowing import narrowing


class Cover:
    """One agreement's cover; nothing is covered before `stand` has said from when to when.

    `needs`: a field of the envelope and the texts of which an event must have one to be covered.
    """

    def __init__(self, agreement: Agreement, agencies: Agencies, wanted: RowFilter) -> None:
        self._agreement = agreement
        self._agencies = agencies
        self._wanted = wanted
        self._asks_payload = wanted.opens_payload
        self.needs = narrowing(wanted.tree)
        self._contracts = {one.contract for one in agreement.contracts}
        self._since = self._ends = 0
        self._lanes: dict[Lane, bool] = {}

    def stand(self, standing: Standing) -> bool:
        """Take the time in which it holds from where it stands; whether that is another than before."""
        before = self._since, self._ends
        self._since, self._ends = shared_since(self._agreement, standing), standing.ends
        return (self._since, self._ends) != before

    def wants(self, lane: Lane) -> bool:
        """Whether anything on this lane could ever be covered, or keep covered records apart."""
        found = self._lanes.get(lane)
        if found is None:
            found = self._lanes[lane] = self._may_want(lane)
        return found

    def covers(self, look: Look) -> bool:
        """Whether a version that counts is covered.

        What keeps records apart always holds, since it only takes away; the filter is for events.
        """
        lane = look.version.lane
        if not self.wants(lane):
            return False
        link = lane.link
        if link in (SEPARATED, APART):
            return True
        if self._agreement.gives == "timelines" and look.fields["type"].startswith(ASIDE):
            return False
        if not self._since <= look.version.last < self._ends:
            return False
        return bool(link) or self._wanted(look.row(with_payload=self._asks_payload))

    def _may_want(self, lane: Lane) -> bool:
        if not set(self._agencies.chain(lane.jurisdiction)) & set(self._agreement.jurisdictions):
            return False
        if lane.link and self._agreement.gives == "events":
            return False
        if lane.link in (SEPARATED, APART):
            return True
        return lane.contract in self._contracts and lane.publisher in self._agreement.providers
