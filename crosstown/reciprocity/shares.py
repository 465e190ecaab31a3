"""Which events go out under which agreement now, and whether their receiver has been told: a `Share` each.

It is the fold of the program that writes feeds, made once more and held against `delivered`: what
should have been told by the rule, beside what was told by the log.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final, NamedTuple

from crosstown.agreements import word_log
from crosstown.agreements.agreement import Agreement
from crosstown.agreements.words import Standing, Word, standing
from crosstown.backbone import generation, kafka
from crosstown.backbone.sweep import messages
from crosstown.contracts.repository import Repository
from crosstown.erasure.erasures import Erasures, Key
from crosstown.errors import Unavailable
from crosstown.feeds.contract_of import ContractOf
from crosstown.feeds.sharing import Sharing
from crosstown.feeds.told_before import TOPIC, ToldBefore, told_before
from crosstown.home import Endpoints, Home
from crosstown.registry.client import Registry
from crosstown.settings import Settings

log = logging.getLogger(__name__)

TIMEOUT: Final = 10.0
PAUSE: Final = 0.3
_FRAME: Final = 5


class Share(NamedTuple):
    """One event that goes out under one agreement; times are microseconds UTC.

    `provider` is whose topic it came on, `said_at` when what counts was first said; `told_at` is None
    where the feed hasn't told of it, or told something else last.
    """

    agreement: str
    receiver: str
    gives: str
    provider: str
    contract: str
    jurisdiction: str
    record: str
    event_id: str
    occurred_at: int
    said_at: int
    last_said_at: int
    thing: str
    told_at: int | None


@dataclass(frozen=True, slots=True)
class Shared:
    """All shares at `now`, where each agreement stands, and what parties have said."""

    now: int
    shares: Sequence[Share]
    agreements: dict[str, tuple[Agreement, Standing]]
    words: Sequence[Word]
    left: Sequence[ToldBefore]
    """What a feed still shows and must not any more."""


def shared(
    settings: Settings, where: Endpoints, repository: Repository, now: int, patience: float = TIMEOUT
) -> Shared:  # fmt: skip
    """Everything that agreements in force share at `now`, microseconds UTC.

    What hasn't been told yet is waited for, `patience` seconds at most. Raises `Unavailable`.
    """
    words = word_log.read(settings, where)
    stands = {one.id: (one, standing(one, words, now)) for one in repository.agreements.values()}
    told: dict[tuple[str, str], ToldBefore] = {}
    start = _read_told(settings, where, told, 0)
    if not any(stand.holds for _, stand in stands.values()):
        return Shared(now, (), stands, words, ())
    with closing(Registry.at(settings, where)) as registry:
        sharing = _folded(settings, where, repository, registry, words)
        for key, one in told.items():
            sharing.delivered(*key, one.number, one.digest)
        wanting = {(one.agreement, one.thing): one.digest for one in sharing.outputs(now)}
        covered = list(sharing.covered())
    deadline = time.monotonic() + patience
    while _untold(wanting, told) and time.monotonic() < deadline:
        time.sleep(PAUSE)
        start = _read_told(settings, where, told, start)
    missing = _untold(wanting, told)
    shares = [
        Share(
            one.agreement.id, one.agreement.receiver, one.agreement.gives,
            one.look.version.lane.publisher, one.look.version.lane.contract,
            one.look.version.lane.jurisdiction, one.look.fields["record"],
            one.look.fields["event_id"], one.look.fields["occurred_at"], one.look.version.first,
            one.look.version.last, one.thing,
            None if (at := (one.agreement.id, one.thing)) in missing or at not in told
            else told[at].at,
        )
        for one in covered
    ]  # fmt: skip
    left = [told[key] for key in sorted(missing) if not wanting[key]]
    return Shared(now, shares, stands, words, left)


def _untold(
    wanting: dict[tuple[str, str], bytes], told: dict[tuple[str, str], ToldBefore]
) -> set[tuple[str, str]]:
    """Of what is wanted, what `delivered` doesn't say; an empty digest: gone."""
    return {
        key for key, digest in wanting.items()
        if (told[key].digest if key in told else b"") != digest
    }  # fmt: skip


def _read_told(
    settings: Settings, where: Endpoints, told: dict[tuple[str, str], ToldBefore], start: int
) -> int:
    """Take in what was told since; where to go on."""
    admin = kafka.wait_for_broker(settings, where, TIMEOUT)
    if TOPIC not in admin.list_topics(timeout=TIMEOUT).topics:
        return 0
    for one in told_before(settings, where, start):
        told[one.agreement, one.thing] = one
        start = one.offset + 1
    return start


def _folded(
    settings: Settings, where: Endpoints, repository: Repository, registry: Registry,
    words: Iterable[Word],
) -> Sharing:  # fmt: skip
    """All that was accepted and said, as the program that writes feeds folds it."""
    home, live = Home(settings.home), generation.live(settings, where).with_windows(repository)
    sharing = Sharing(
        repository, home.pseudonym_key(settings), Erasures(Key(home.erasure_key(settings))),
        live.window, registry.schema,
    )  # fmt: skip
    sharing.terms(list(repository.agreements.values()))
    for word in words:
        sharing.word(word)
    contract_of = ContractOf(repository, registry)
    for contract, key, value in _accepted(settings, where, live.accepted, contract_of):
        try:
            sharing.say(contract, key, value)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it came out of these bytes
            log.warning("a message of %s isn't intake's: %s", live.accepted, error)
    return sharing


def _accepted(
    settings: Settings, where: Endpoints, topic: str, contract_of: ContractOf
) -> Iterator[tuple[str, bytes, bytes | None]]:
    admin = kafka.wait_for_broker(settings, where, TIMEOUT)
    for partition in sorted(admin.list_topics(timeout=TIMEOUT).topics[topic].partitions):
        for message in messages(settings, where, topic, partition):
            value = message.value()
            try:
                contract = contract_of(message)
            except Unavailable:
                raise
            except Exception:  # noqa: BLE001 - not written by intake: saying it says so
                contract = ""
            yield contract, message.key() or b"", None if value is None else value[_FRAME:]
