"""A receiver of webhooks: checks each call, keeps it in a file, and answers as it was told to.

`python hook_receiver.py PORT SECRET FILE`: calls go to FILE, a line each; FILE.status says how to answer, a
status or words of `Behaviour`, read at each call.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from pushing import until

from crosstown.errors import Refused
from crosstown.outward.signing import answer_to, verified

STRANGER = "stranger"
"""The secret of one who has none, and takes whatever comes."""


class Handler(BaseHTTPRequestHandler):
    """One call."""

    protocol_version = "HTTP/1.1"
    secret = ""
    file = Path()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        if self.secret == STRANGER:
            self._keep({"status": 200, **json.loads(body)})
            return self._say(200, {"answer": "welcome"})
        try:
            name = verified(self.secret, headers, body, int(time.time()))
        except Refused:
            return self._say(401)
        said = json.loads(body)
        assert name == said["id"], "the id of the call and of the event"
        if said["type"].endswith("challenge"):
            return self._say(200, {"answer": answer_to(self.secret, said["data"]["challenge"])})
        how = json.loads(self.file.with_suffix(".status").read_text() or "{}")
        status = int(
            how.get("refuse", {}).get(str(said["data"].get("number")), how.get("status", 200))
        )
        self._keep({"status": status, **said})
        time.sleep(how.get("sleep", 0))
        return self._say(status)

    def _keep(self, said: dict[str, Any]) -> None:
        with self.file.open("a") as out:
            out.write(json.dumps(said) + "\n")
            out.flush()
            os.fsync(out.fileno())

    def _say(self, status: int, said: Any = None) -> None:
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@dataclass
class Receiver:
    """One that can be told how to answer, killed and started again at the same port."""

    file: Path
    port: int
    secret: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def answer(self, **how: Any) -> None:
        """From now on."""
        part = self.file.with_suffix(".part")
        part.write_text(json.dumps(how))
        part.replace(self.file.with_suffix(".status"))

    def start(self) -> None:
        command = [sys.executable, __file__, str(self.port), self.secret, str(self.file)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"

    def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None and self.process.stdout is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def calls(self, kind: str = "crosstown.feed.message") -> list[dict[str, Any]]:
        """All calls of a kind so far; a line that was being written isn't one."""
        lines = self.file.read_text().split("\n")[:-1] if self.file.exists() else []
        return [one for one in map(json.loads, lines) if one["type"] == kind]

    def taken(self) -> list[int]:
        """The numbers that it has taken, each as often as it came."""
        return [one["data"]["number"] for one in self.calls() if one["status"] < 300]

    def until_taken(self, last: int) -> list[int]:
        """Wait until it has taken this number."""
        until(lambda: last in self.taken())
        return self.taken()


@contextmanager
def receiving(folder: Path, port: int, secret: str) -> Iterator[Receiver]:
    """A receiver that runs."""
    one = Receiver(folder / "calls.ndjson", port, secret)
    one.answer()
    one.start()
    try:
        yield one
    finally:
        one.kill()


if __name__ == "__main__":
    Handler.secret, Handler.file = sys.argv[2], Path(sys.argv[3])
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    print("ready", flush=True)
    server.serve_forever()
