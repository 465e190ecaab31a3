"""Webhooks over real Kafka to a real receiver: nothing missing, nothing after the end, nothing unsigned."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from agreed_feed import Feed, event, feed_of
from hook_receiver import STRANGER, Receiver, receiving
from installation import Said, call
from pushing import until
from test_cli_commands import check

from crosstown.agreements.agreement import Agreement
from crosstown.audit.topic import everything
from crosstown.embedded.broker import Broker
from crosstown.home import Endpoints, Home
from crosstown.outward.signing_secrets import SigningSecrets
from crosstown.registry.server import Server
from crosstown.settings import Settings

ROOT = Path(__file__).parents[1]
DOC = (ROOT / "docs" / "webhooks.md").read_text("utf-8")
Make = Callable[..., AbstractContextManager["Hooked"]]


@dataclass
class Hooked:
    """A feed with a webhook, its receiver, and the program that calls it."""

    feed: Feed
    receiver: Receiver
    home: Path
    env: dict[str, str]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the program, or start it again."""
        (self.home / "run" / "webhooks.json").unlink(missing_ok=True)
        with (self.home / "webhooks.log").open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-m", "streams.webhooks"], stdout=log,
                                            stderr=log, env={**os.environ, **self.env})  # fmt: skip
        until(lambda: (self.home / "run" / "webhooks.json").exists() or self.ended)
        assert not self.ended, self.log

    @property
    def ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    @property
    def log(self) -> str:
        return (self.home / "webhooks.log").read_text()

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)

    def access(self) -> list[tuple[int, int]]:
        """From which number to which this feed went out, as the access log says; joined where it can be."""
        found: list[tuple[int, int]] = []
        links = everything(self.feed.settings, self.feed.where)
        for said in (one.link.said for one in links if one.link is not None):
            if said.agreement != self.feed.agreement.id:
                continue
            assert (said.way, said.agency) == ("webhook", "riverton-water")
            if found and found[-1][1] >= said.first - 1:
                found[-1] = found[-1][0], max(said.last, found[-1][1])
            else:
                found.append((said.first, said.last))
        return found

    def __call__(self, *words: str) -> Said:
        return call(self.home, "webhook", *words, **self.env)

    def row(self) -> dict[str, Any]:
        """What `crosstown webhook list` says of it."""
        rows = self("list", "-o", "json").ok().lines()
        check("webhook", *rows)
        return next(one for one in rows if one["agreement"] == self.feed.agreement.id)


@pytest.fixture
def make(broker: Broker, server: Server, home: Path, tmp_path: Path) -> Iterator[Make]:
    """Makes one that runs, by its agreement's id; `env` are settings of the program."""
    made: list[Hooked] = []
    registry = server.url.replace("//", f"//{':'.join(server.login)}@")
    settings = Settings(home=home, bootstrap=broker.bootstrap, kafka=broker.login)

    @contextmanager
    def running(
        agreement: str, *, start: bool = True, env: Any = None, **more: Any
    ) -> Iterator[Hooked]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        delivery = {
            "ways": ["webhook"],
            "webhook": more.pop("webhook", f"http://127.0.0.1:{port}/hook"),
        }
        feed = feed_of(agreement, home, settings, Endpoints(broker.bootstrap, registry),
                       delivery=delivery, **more)  # fmt: skip
        secret = SigningSecrets(Home(home).make().webhooks).add(agreement)
        with receiving(tmp_path, port, secret) as receiver:
            own = {
                **feed.env,
                "CROSSTOWN_HOME": str(home),
                "CROSSTOWN_WEBHOOK_ALLOW": '["127.0.0.1"]',
            }
            one = Hooked(feed, receiver, home, {**own, **(env or {})})
            made.append(one)
            feed.accept()
            if start:
                one.start()
            yield one
            one.stop()

    yield running
    for one in made:
        one.stop()


def test_message_never_comes_or_says_something_else(make: Make) -> None:
    with make("hook-plain") as hook:
        hook.feed.report(30)
        assert hook.receiver.until_taken(30) == list(range(1, 31))
        first = hook.receiver.calls()[0]
        assert first["id"] == "hook-plain-1"
        assert (first["specversion"], first["source"]) == ("1.0", "/feeds/hook-plain")
        assert first["data"] == {
            "number": 1, "change": "SAID", "event": "e1", "record": "r1", "said": {
                "type": "opened", "step": "REPORTED", "occurred_at": "2023-11-14T22:13:20.000001Z",
                "flags": ["a"], "payload": {"topic_text": "text 1"}}}  # fmt: skip
        until(lambda: hook.row()["number"] == 30)
        assert (hook.row()["state"], hook.row()["failures"]) == ("works", 0)
        assert hook.access() == [(1, 30)], "what went out is not what the access log says"


def test_receiver_of_the_docs_takes_nothing(make: Make) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", DOC, re.MULTILINE | re.DOTALL)
    with make("hook-docs", start=False) as hook:
        hook.receiver.kill()
        secret = SigningSecrets(Home(hook.home).webhooks).of("hook-docs", 0)[0]
        env = {**os.environ, "SECRET": secret, "PORT": str(hook.receiver.port)}
        with (hook.home / "printed").open("wb") as out:
            theirs = subprocess.Popen([sys.executable, "-c", code], stdout=out, stderr=out, env=env)
        try:
            hook.feed.report(3)
            hook.start()
            until(lambda: hook.row()["number"] == 3)
            printed = (hook.home / "printed").read_text("utf-8")
            numbers = [
                json.loads(line)["number"] for line in printed.splitlines() if line[0] == "{"
            ]
            assert numbers == [1, 2, 3]
            forged = httpx.post(hook.receiver.url, content=b"{}", headers={
                "webhook-id": "a", "webhook-timestamp": str(int(time.time())),
                "webhook-signature": "v1,AAAA"})  # fmt: skip
            assert forged.status_code == 401
        finally:
            theirs.kill()
            theirs.wait()


def test_kill_loses_a_message(make: Make) -> None:
    with make("hook-killed") as hook:
        hook.feed.report(200)
        until(lambda: len(hook.receiver.taken()) > 40)
        hook.kill()
        hook.receiver.kill()
        time.sleep(0.5)
        hook.receiver.start()
        hook.start()
        until(lambda: len(hook.receiver.taken()) > 90)
        hook.receiver.kill()
        hook.feed.report(50)
        time.sleep(1.5)
        hook.receiver.start()
        taken = hook.receiver.until_taken(250)
        assert sorted(set(taken)) == list(range(1, 251)), "something is missing"
        fresh = list(dict.fromkeys(taken))
        assert fresh == sorted(fresh), "out of order"
        names = {one["data"]["number"]: one["id"] for one in hook.receiver.calls()}
        assert all(one["id"] == names[one["data"]["number"]] for one in hook.receiver.calls())


def test_receiver_that_was_away_for_long_misses_what_was_said(make: Make) -> None:
    with make("hook-away", env={"CROSSTOWN_WEBHOOK_DAYS": "0.00003"}) as hook:
        hook.feed.report(1)
        hook.receiver.until_taken(1)
        hook.receiver.answer(status=503)
        hook.feed.report(20)
        until(lambda: hook.row()["state"] == "given up")
        row = hook.row()
        assert row["number"] == 1
        assert "it answered 503" in row["why"]
        assert row["failing_since"]
        hook.receiver.answer()
        hook.feed.report(5)
        time.sleep(1.5)
        assert hook.receiver.taken() == [1], "it was given up"
        hook("again", "hook-away").ok()
        assert hook.receiver.until_taken(26) == list(range(1, 27))
        assert hook.row()["state"] == "works"
        check("webhook", hook("again", "hook-away", "--since", "20", "-o", "json").ok().json())
        until(lambda: len(hook.receiver.taken()) == 32)
        assert hook.receiver.taken()[26:] == list(range(21, 27))


def test_revoked_agreement_goes_on(make: Make) -> None:
    with make("hook-revoked", delete_within_days=14) as hook:
        hook.feed.report(3)
        hook.receiver.until_taken(3)
        hook.receiver.answer(sleep=0.1)
        hook.feed.report(200)
        until(lambda: len(hook.receiver.taken()) > 5)
        hook.feed.word("revoked", "riverton-311", "the trial is over")
        time.sleep(1.0)
        then = len(hook.receiver.taken())
        until(lambda: bool(hook.receiver.calls("crosstown.agreement.ended")))
        (end,) = hook.receiver.calls("crosstown.agreement.ended")
        assert (end["data"]["state"], end["data"]["delete_within_days"]) == ("revoked", 14)
        assert "the trial is over" in end["data"]["why"]
        hook.feed.report(5)
        time.sleep(2)
        assert len(hook.receiver.taken()) == then < 100
        assert hook.row()["state"] == "ended"
        hook.stop()
        hook.start()
        time.sleep(2)
        assert len(hook.receiver.calls("crosstown.agreement.ended")) == 1
        assert len(hook.receiver.taken()) == then


def test_message_that_one_receiver_cant_take_holds_all_others(make: Make) -> None:
    with make("hook-refused") as hook:
        hook.receiver.answer(refuse={"3": 422})
        hook.feed.report(5)
        hook.receiver.until_taken(5)
        assert hook.receiver.taken() == [1, 2, 4, 5]
        assert [one["data"]["number"] for one in hook.receiver.calls()].count(3) == 5
        until(lambda: hook.row()["set_aside"] == 1)
        letters = call(hook.home, "dead-letters", "-o", "json", "--topic", hook.feed.agreement.topic,
                       **hook.env).ok().lines()  # fmt: skip
        (letter,) = letters
        assert letter["reason"] == "webhook-refused"
        assert "number 3: it answered 422" in letter["detail"]


def test_address_that_doesnt_know_the_secret_gets_data(make: Make) -> None:
    with make("hook-stranger", start=False) as hook:
        hook.feed.report(5)
        hook.receiver.kill()
        hook.receiver.secret = STRANGER
        hook.receiver.start()
        hook.start()
        until(lambda: hook.row()["state"] == "fails")
        assert "hasn't answered the challenge" in hook.row()["why"]
        assert hook.receiver.calls("crosstown.webhook.challenge")
        assert hook.receiver.calls() == []
        hook.receiver.kill()
        hook.receiver.secret = SigningSecrets(Home(hook.home).webhooks).of("hook-stranger", 0)[0]
        hook.receiver.start()
        assert hook.receiver.until_taken(5) == [1, 2, 3, 4, 5]


def test_private_address_is_called_unless_the_operator_allows_it(make: Make) -> None:
    with make("hook-inside", env={"CROSSTOWN_WEBHOOK_ALLOW": '["10.0.0.0/8"]'}) as hook:
        hook.feed.report(2)
        until(lambda: hook.row()["state"] == "fails")
        assert "127.0.0.1 may not be called: this machine" in hook.row()["why"]
        assert hook.receiver.calls() == []
        assert "Traceback" not in hook.log


def test_rotated_secret_misses_a_call(make: Make) -> None:
    with make("hook-rotated") as hook:
        hook.feed.report(1)
        hook.receiver.until_taken(1)
        said = hook("rotate", "hook-rotated", "--grace", "1", "-o", "json").ok().json()
        check("webhook", said)
        new = said["secret"]
        hook.feed.report(1)
        assert hook.receiver.until_taken(2) == [1, 2], "the old one still signs"
        hook.receiver.kill()
        hook.receiver.secret = new
        hook.receiver.start()
        hook.feed.report(1)
        assert hook.receiver.until_taken(3) == [1, 2, 3]
        hook("rotate", "hook-rotated", "--grace", "0").ok()
        hook.feed.report(1)
        until(lambda: hook.row()["state"] == "fails")
        assert hook.receiver.taken() == [1, 2, 3]
        assert new not in hook.log
        assert oct((hook.home / "webhooks.json").stat().st_mode)[-3:] == "600"


def test_silence_and_a_broken_line_look_the_same(make: Make) -> None:
    with make("hook-quiet", env={"CROSSTOWN_WEBHOOK_HEARTBEAT": "0.5"}) as hook:
        hook.feed.report(1)
        hook.receiver.until_taken(1)
        until(lambda: len(hook.receiver.calls("crosstown.webhook.heartbeat")) >= 2)
        beats = hook.receiver.calls("crosstown.webhook.heartbeat")
        assert beats[-1]["data"] == {"number": 1}
        assert beats[0]["id"] != beats[1]["id"]


def test_changed_terms_are_taken_for_the_old_ones(make: Make) -> None:
    with make("hook-changed") as hook:
        hook.feed.report(1)
        hook.receiver.until_taken(1)
        file = Path(str(hook.feed.settings.schemas)) / "agreements" / "hook-changed.yaml"
        said = yaml.safe_load(file.read_text("utf-8"))
        file.write_text(yaml.safe_dump({**said, "filter": 'step == "REPORTED"'}), "utf-8")
        time.sleep(2.5)
        hook.feed.report(3)
        time.sleep(2)
        assert hook.receiver.taken() == [1], "nobody has accepted the new terms"
        hook.feed.agreement = Agreement.model_validate(yaml.safe_load(file.read_text("utf-8")))
        hook.feed.accept()
        assert hook.receiver.until_taken(4) == [1, 2, 3, 4]


def test_call_that_cant_be_carried_out_ends_in_a_stack_trace(make: Make) -> None:
    with make("hook-words", start=False) as hook:
        for words, said in (
            (("add", "hook-words"), "has a secret"), (("add", "nobody"), "no agreement nobody"),
            (("add",), "no agreement is named"), (("rotate", "water-hears-of-brown-water"), "no webhook"),
            (("again", "hook-words", "--since", "-1"), "since"),
            (("again", "hook-words", "--since", "1"), "goes up to 0"),
        ):  # fmt: skip
            answer = hook(*words)
            assert answer.code == 2, answer
            assert said in answer.err, answer
        assert "hook-words: new, number 0" in hook("list").ok().out
        hook.feed.say(event(1))
        broken = hook.home / "webhooks.json"
        broken.write_text("{")
        answer = hook("rotate", "hook-words")
        assert (answer.code, "can't be read" in answer.err) == (2, True)
        hook.start()
        until(lambda: hook.row()["state"] == "fails")
        assert "can't be read" in hook.row()["why"]
        assert json.loads((hook.home / "run" / "webhooks.json").read_text())["pid"]
