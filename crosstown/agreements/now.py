"""Which agreements there are and where each stands at this moment, for programs that go on for long.

The files are read again when they change, and the words as they come: a revocation is known within
half a second of its being said, if `look` is called that often.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from confluent_kafka import Message

from crosstown.agreements.agreement import Agreement
from crosstown.agreements.word_log import TOPIC, word_of
from crosstown.agreements.words import Standing, Word, standing
from crosstown.backbone.topic_tail import TopicTail
from crosstown.contracts.contract_files import ContractFiles
from crosstown.errors import NotFound
from crosstown.home import Endpoints
from crosstown.settings import Settings


class AgreementsNow:
    """The agreements of a home, and what their parties have said up to the last `look`.

    Raises `Unavailable` where Kafka doesn't show the words, `Stop` where a file is broken at the
    beginning; one that breaks later leaves the agreements as they were.
    """

    def __init__(self, settings: Settings, endpoints: Endpoints) -> None:
        self._files = ContractFiles(settings)
        self._words: defaultdict[str, dict[bytes, Word]] = defaultdict(dict)
        self.repository = self._files.read()
        """The contract repository as its files are now."""
        self._tail = TopicTail(
            settings, endpoints, TOPIC, "agreements-now", "the words of agreements"
        )
        self._hear(self._tail.to_end())

    @property
    def agreements(self) -> Mapping[str, Agreement]:
        """Every agreement that has a file, by id."""
        return self.repository.agreements

    def agreement(self, agreement: str) -> Agreement:
        """One of them; `NotFound` where there is no such file."""
        if agreement not in self.agreements:
            raise NotFound(f"there is no agreement {agreement[:80]}",
                           candidates=tuple(sorted(self.agreements)),
                           mend="see crosstown agreements list")  # fmt: skip
        return self.agreements[agreement]

    def standing(self, agreement: str, now: int) -> Standing:
        """Where it stands at `now` (microseconds UTC); one whose file is gone waits for it."""
        found = self.agreements.get(agreement)
        if found is None:
            return Standing("waits", "its file is gone", 0, 0)
        words = tuple(self._words[agreement].values())  # in one piece: another thread may ask
        return standing(found, words, now)

    def look(self) -> None:
        """Take in what was said since, and files that have changed; doesn't wait."""
        again = self._files.again()
        if again is not None:
            self.repository = again
        self._hear(self._tail.news())

    def is_up_to_date(self, patience: float) -> bool:
        """Whether all was heard that was said up to now; False, too, where Kafka can't be asked."""
        return self._tail.has_all(patience)

    def close(self) -> None:
        """Give up the connection."""
        self._tail.close()

    def _hear(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self._note(message.key(), message.value())

    def _note(self, key: bytes | None, value: bytes | None) -> None:
        word = word_of(value)
        if word is not None:
            self._words[word.agreement][key or word.key] = word
