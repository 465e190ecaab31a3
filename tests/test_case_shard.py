"""A shard of `cases` with its local store: what is killed between two times that it's kept."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from feed_sayings import REQUESTS, erase, say
from feeds_oracle import DAY, Saying
from sharing_said import KEY, message

from crosstown.backbone.generation import Generation
from crosstown.cases.state_store import StateStore
from crosstown.home import Endpoints, Home
from crosstown.processing.faust_message import Message
from crosstown.program import Program
from crosstown.registry.server import Server
from crosstown.settings import Settings
from streams.cases import CaseShard

SECRET = "she sleeps on the stairs"


def of(one: Saying, offset: int, *, gone: bool = False) -> Any:
    """A message of `accepted`, as the program reads it."""
    _, key, body = message(one.contract, one.envelope, one.payload)
    value = None if gone else b"\0" * 5 + (body or b"")
    raw = SimpleNamespace(topic="accepted", partition=0, offset=offset, key=key, value=value,
                          timestamp=0, timestamp_type=0, headers=())  # fmt: skip
    return Message(raw)


def test_a_kill_keeps_what_was_erased(
    kafka: tuple[Settings, Endpoints], server: Server, tmp_path: Path
) -> None:
    name, password = server.login
    named = server.url.replace("//", f"//{name}:{password}@")
    settings = kafka[0].model_copy(update={"registry": named})
    program = Program("cases", settings, Home(settings.home).make(),
                      Endpoints(kafka[1].bootstrap, named), "")  # fmt: skip
    file = tmp_path / "state.sqlite"

    def shard() -> CaseShard:
        return CaseShard(0, Generation(windows={"heat": 2 * DAY}), program, KEY, StateStore(file, "accepted"),
                         events=0, every=3_600)  # fmt: skip

    def take(one: CaseShard, *messages: Any) -> None:
        for each in messages:
            assert list(one.fold(each)) == []
        list(one.outputs(messages[-1].offset() + 1))
        one.keep(messages[-1].offset() + 1)

    private = say("riverton-311/r/1", 0, REQUESTS, headline=SECRET)
    order = of(erase("riverton-311/r/1", 1, "OTHER"), 1)
    other = of(say("riverton-311/r/2", 0, REQUESTS), 2)

    first = shard()
    take(first, of(private, 0))
    first.keep(1, last=True)
    assert SECRET.encode() in file.read_bytes() + Path(f"{file}-wal").read_bytes()
    take(first, order)
    take(first, other)  # it is put away, and the word with it
    first.close()  # killed: nothing was kept since

    second = shard()
    assert second.start == 1
    take(second, order, other)
    take(second, of(private, 3, gone=True))
    second.keep(4, last=True)
    second.close()
    assert SECRET.encode() not in file.read_bytes()
