"""Agencies' ids from the names that an export gives them.

A declared name has its declared id. Any other becomes its slug, or, where that could be taken for
another agency, the slug and 8 hex digits of the name's SHA-256. A name under which this home has
published keeps its id, whatever is met later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from crosstown.contracts.agencies import Agencies
from crosstown.event.identity import slug, slug_suffix

Scope = str
"""Within which one name means one agency: the contract's id."""


class Naming:
    """The ids of one call; `given` are those that it made for names not met before."""

    def __init__(
        self, agencies: Agencies, remembered: Mapping[tuple[Scope, str], str] | None = None
    ) -> None:
        self.agencies = agencies
        self.given: dict[tuple[Scope, str], str] = {}
        self._ids: dict[tuple[Scope, str], str] = dict(remembered or {})
        self._met: dict[str, set[str]] = {}
        for (_, name), agency in self._ids.items():
            self._met.setdefault(agency, set()).add(name)

    def meet(self, jurisdiction: str, names: Iterable[str]) -> None:
        """Take note of names before the first id is given, so that none depends on their order."""
        for name in names:
            if self.agencies.by_name(name, jurisdiction) is None:
                self._met.setdefault(slug(name), set()).add(name)

    def id_of(self, scope: Scope, jurisdiction: str, name: str) -> str:
        """The id of the agency that `scope` calls `name`."""
        known = self._ids.get((scope, name))
        if known is None:
            declared = self.agencies.by_name(name, jurisdiction)
            known = declared.id if declared else self._made(scope, jurisdiction, name)
            self._ids[scope, name] = known
        return known

    def _made(self, scope: Scope, jurisdiction: str, name: str) -> str:
        self.meet(jurisdiction, (name,))
        short = slug(name)
        alone = self._met[short] == {name} and not self.agencies.declared(short)
        made = short if short and alone else f"{short or 'agency'}-{slug_suffix(name)}"
        self.given[scope, name] = made
        return made
