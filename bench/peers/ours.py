"""The fold on our loop: exactly-once, the state in memory, restored by folding the log again.

It reads as `streams/intake` does and writes as `streams/cases` does.

    python -m bench.peers.ours GROUP INPUT OUTPUT
"""

import json
import sys
from pathlib import Path

from confluent_kafka import Message

from crosstown.avro.codec import Decoder, frame, unframe
from crosstown.event.envelope import text_bytes, zigzag
from crosstown.program import Program, main
from crosstown.processing.transact import Output, Shard, run_sharded

GROUP, INPUT, OUTPUT = sys.argv[1:]
FOLDER = Path(__file__).parent
EVENT = json.loads((FOLDER / "event.avsc").read_text())
FRAME = frame(1, b"")


class State:
    __slots__ = ("at", "count", "headline", "step", "type")

    def __init__(self) -> None:
        self.count, self.at = 0, -1


class Fold(Shard):
    def __init__(self, _partition: int) -> None:
        self.decode = Decoder(EVENT, EVENT).decode
        self.states: dict[str, State] = {}

    def fold(self, message: Message) -> tuple[Output]:
        event = self.decode(unframe(message.value())[1])
        key = event["record"]
        state = self.states.get(key)
        if state is None:
            state = self.states[key] = State()
        state.count += 1
        if event["occurred_at"] >= state.at:
            state.type = event["type"]
            state.step = event["step"]
            state.at = event["occurred_at"]
            state.headline = event["headline"]
        body = b"".join(
            (
                FRAME,
                text_bytes(key),
                zigzag(state.count),
                text_bytes(state.type),
                text_bytes(state.step),
                zigzag(state.at),
                text_bytes(state.headline),
            )
        )
        return (Output(OUTPUT, message.key(), body),)

    def settle(self) -> None:
        pass

    def outputs(self, version: int) -> tuple[()]:
        return ()


def run(program: Program) -> None:
    run_sharded(program, INPUT, Fold, slot=0)


if __name__ == "__main__":
    sys.exit(main(GROUP, run))
