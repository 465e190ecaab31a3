"""A man in the middle who speaks Kafka's framing, and cuts the line when a transaction is ended."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import Final

PRODUCE: Final = 0
END_TXN: Final = 26
HOST: Final = b"127.0.0.1"


class Cutter:
    """Stands before a broker; clients that come through it are told that it is the broker.

    `cut` says what happens to the next EndTxn, once: "before" it is forwarded the line is cut;
    "after" it is forwarded and answered, but the answer is swallowed and the line cut. To each, until
    `cut("")`: "hold" keeps it, with the transaction open; "mute" forwards it and swallows the answer.
    `happened` is set then. After a cut the client asks again by itself; after "hold" and "mute" it
    can't know what came of its transaction. `request` is another kind of request to do so with; None:
    every one.
    """

    def __init__(self, bootstrap: str, request: int | None = END_TXN) -> None:
        self.request = request
        host, port = bootstrap.split(":")
        self._broker = (host, int(port))
        self._server = socket.create_server(("127.0.0.1", 0))
        self._mine = HOST + struct.pack(">i", self._server.getsockname()[1])
        self._its = HOST + struct.pack(">i", int(port))
        self.bootstrap = f"127.0.0.1:{self._server.getsockname()[1]}"
        self.happened = threading.Event()
        self._cut = ""
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, how: str) -> threading.Event:
        """Cut at the next EndTxn; gives what is set once that has happened."""
        self.happened.clear()
        self._cut = how
        return self.happened

    def close(self) -> None:
        """No more of this."""
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            try:
                broker = socket.create_connection(self._broker)
            except OSError:
                client.close()
                continue
            waited: dict[bytes, str] = {}
            for one, two, asks in ((client, broker, True), (broker, client, False)):
                threading.Thread(
                    target=self._forward, args=(one, two, waited, asks), daemon=True
                ).start()

    def _forward(
        self, one: socket.socket, two: socket.socket, waited: dict[bytes, str], asks: bool
    ) -> None:
        with contextlib.suppress(OSError, struct.error):
            while True:
                size = _exactly(one, 4)
                frame = _exactly(one, *struct.unpack(">i", size))
                if asks and self._ends(frame):
                    how = self._cut
                    if how in ("before", "after"):
                        self._cut = ""
                    if how in ("after", "mute"):
                        waited[frame[4:8]] = how
                    else:
                        self.happened.set()
                        if how == "hold":
                            continue
                        break
                if not asks:
                    swallowed = waited.pop(frame[:4], "")
                    if swallowed:
                        self.happened.set()
                    if swallowed == "after":
                        break
                    if swallowed:
                        continue
                    frame = frame.replace(self._its, self._mine)
                two.sendall(size + frame)
        for end in (one, two):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _ends(self, frame: bytes) -> bool:
        return bool(self._cut) and self.request in (None, struct.unpack(">h", frame[:2])[0])


def _exactly(end: socket.socket, size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        more = end.recv(min(size - len(found), 1 << 16))
        if not more:
            raise OSError("gone")
        found += more
    return bytes(found)
