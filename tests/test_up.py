"""`crosstown up`, `down` and `status` as people meet them: deaths, kills, two at once.

The supervisor is the real one with small programs of its own (in the real frame), on real Kafka.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]
import pytest

from crosstown.embedded.broker import Broker
from crosstown.errors import Unavailable
from crosstown.home import Endpoints, Home
from crosstown.processes import living
from crosstown.settings import Settings
from crosstown.supervision import detached
from crosstown.supervision.prepare import own_topics
from crosstown.supervision.running import running
from crosstown.supervision.running_program import RunningProgram
from crosstown.supervision.supervise import NAMES

IDLE = """\
import sys
from crosstown.program import main
def body(program):
    program.ready(url="http://example.org")
    program.stopping.wait()
sys.exit(main({name!r}, body))
"""
BROKEN = """\
import sys
from crosstown.errors import Stop
from crosstown.program import main
def body(program):
    raise Stop("the paint is wet", mend="wait until it has dried")
sys.exit(main({name!r}, body))
"""
DEAF = """\
import sys, time
from crosstown.program import main
def body(program):
    program.ready()
    time.sleep(60)
sys.exit(main({name!r}, body))
"""
SUPERVISOR = """\
import signal, sys
from crosstown.errors import CrosstownError
from crosstown.settings import Settings
from crosstown.supervision.supervise import Supervisor
one = Supervisor(Settings(), lambda text: print(text, flush=True),
                 programs={programs!r})
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: one.stopping.set())
try:
    one.run()
except CrosstownError as error:
    print("crosstown:", error, flush=True)
    sys.exit(7 if error.exit_code == 0 else error.exit_code)
"""


@dataclass
class City:
    """A home with a supervisor over small programs."""

    settings: Settings
    script: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def up(self) -> subprocess.Popen[bytes]:
        """Start the supervisor in the foreground."""
        one = subprocess.Popen([sys.executable, str(self.script)], stdout=subprocess.PIPE)
        self.started.append(one)
        return one

    def status(self) -> dict[str, Any]:
        return cast_dict(json.loads(self.cli("status", "-o", "json").stdout))

    def cli(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "crosstown.cli", *words],
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def processes(self) -> dict[str, Any]:
        up = Home(self.settings.home).up() or {"processes": []}
        return {one["name"]: one for one in up["processes"]}

    def states(self) -> dict[str, str]:
        return {name: one["state"] for name, one in self.processes().items()}

    def runs(self) -> bool:
        """Whether the supervisor that was started last has all running."""
        up = Home(self.settings.home).up()
        mine = up and up["supervisor"]["pid"] == self.started[-1].pid
        return bool(mine) and set(self.states().values()) == {"running"}

    def left(self) -> list[psutil.Process]:
        return list(living.marked(self.settings.home))


def cast_dict(value: Any) -> dict[str, Any]:
    assert isinstance(value, dict)
    return value


def wait_for(true: Callable[[], bool], seconds: float) -> float:
    """How many seconds it took until it was true."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, "it never came"
        time.sleep(0.02)
    return time.monotonic() - began


Make = Callable[..., City]


@pytest.fixture
def city(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Make a city: `city(intake=IDLE)`, with a broker on a cluster of its own."""
    made: list[City] = []

    def make(cluster: Broker | str = "", **sources: str) -> City:
        sources = sources or {"intake": IDLE, "cases": IDLE}
        for name, source in sources.items():
            (tmp_path / f"small_{name}.py").write_text(source.format(name=name))
        programs = {name: f"small_{name}" for name in sources if name != "registry"}
        script = tmp_path / "supervisor.py"
        script.write_text(SUPERVISOR.format(programs=programs))
        here = str(Path(__file__).parents[1])
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([here, str(tmp_path)]))
        monkeypatch.setenv("CROSSTOWN_HOME", str(home))
        monkeypatch.setenv(
            "CROSSTOWN_BOOTSTRAP", cluster if isinstance(cluster, str) else cluster.bootstrap
        )
        monkeypatch.setenv(
            "CROSSTOWN_KAFKA", json.dumps({} if isinstance(cluster, str) else cluster.login)
        )
        made.append(City(Settings(), script))
        return made[-1]

    yield make
    for one in made:
        for process in one.started:
            process.kill()
            process.wait()
            assert process.stdout
            process.stdout.close()
        living.end_orphans(one.settings.home)


def test_dead_program_or_broker_stays_dead(city: Make) -> None:
    small = city()
    assert small.cli("down").returncode == 0, "there is nothing to end, which is fine"
    stopped = small.status()["processes"]
    assert {one["state"] for one in stopped} == {"stopped"}
    names = [one["name"] for one in stopped]
    assert names[:6] == ["broker", "registry", "intake", "cases", "casebook", "watch"]
    assert "crosstown up" in small.cli("status").stderr

    one = small.up()
    wait_for(lambda: set(small.states().values()) == {"running"}, 90)
    first = small.status()
    for name, url in first["metrics"].items():
        assert ("kafka_controls" if name == "kafka" else "python_info") in httpx.get(url).text, name
    assert set(first["metrics"]) == {"broker", "kafka", "registry", "intake", "cases"}

    before = small.processes()["intake"]["pid"]
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: small.processes()["intake"]["pid"] not in (before, None), 2)
    wait_for(lambda: small.states()["intake"] == "running", 20)

    os.kill(small.processes()["broker"]["pid"], signal.SIGKILL)
    wait_for(lambda: small.states()["broker"] == "restarting", 2)
    wait_for(lambda: small.states()["broker"] == "running", 60)
    then = small.status()
    assert then["bootstrap"] == first["bootstrap"]
    said = small.cli("status").stdout
    assert "intake runs again, after 1 starts; " in said
    assert " s ago it was ended by SIGKILL" in said
    restarts = {one["name"]: one["restarts"] for one in then["processes"]}
    assert restarts == {"broker": 1, "registry": 0, "intake": 1, "cases": 0}
    text = httpx.get(then["metrics"]["broker"]).text
    assert 'crosstown_process_restarts{process="intake"} 1.0' in text

    one.send_signal(signal.SIGINT)
    output, _ = one.communicate(timeout=10)
    assert one.returncode == 0
    assert "intake was ended by SIGKILL" in output.decode()
    assert small.left() == []
    assert {one["state"] for one in small.status()["processes"]} == {"stopped"}


def test_killed_supervisor_leaves_something_behind(city: Make) -> None:
    small = city(intake=DEAF, cases=IDLE)
    small.up()
    wait_for(small.runs, 90)
    small.started[0].kill()
    small.started[0].wait()
    left = [one["name"] for one in small.status()["processes"] if one["state"] == "running"]
    assert "broker" in left, "Kafka doesn't see that its supervisor is gone"
    wait_for(lambda: len(small.left()) == 2, 5)  # Kafka, and the one that doesn't listen
    orphans = small.left()

    small.up()
    wait_for(small.runs, 90)
    assert not any(one.is_running() for one in orphans), "they'd write beside the new ones"
    assert len(small.left()) == 4
    small.started[1].kill()
    small.started[1].wait()
    assert small.cli("down").returncode == 0
    assert small.left() == []
    assert Home(small.settings.home).up() is None


def test_hopeless_program_is_started_forever_or_unnoticed(city: Make, broker: Broker) -> None:
    small = city(broker, intake=BROKEN, cases=IDLE)
    with pytest.raises(Unavailable, match=r"intake has ended with exit code 2.*the paint is wet"):
        detached.start(small.settings, command=[sys.executable, str(small.script)], timeout=90)
    assert small.states()["intake"] == "failed"
    assert small.states()["cases"] == "running", "the others go on"
    assert small.processes()["intake"]["restarts"] == 4
    assert "failed" in small.cli("status").stdout
    assert detached.end(small.settings)
    assert small.left() == []


def test_cluster_of_ones_own_is_started_or_ended_by_us(city: Make, broker: Broker) -> None:
    small = city(broker, intake=IDLE)
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken = stranger.getsockname()[1]
        (Home(small.settings.home).make().run / "registry-port").write_text(str(taken))
        command = [sys.executable, str(small.script)]
        now = detached.start(small.settings, command=command, timeout=60)
    assert now.ready
    assert str(taken) not in now.registry, "a stranger listens on the registry's port"
    process = small.processes()["broker"]
    assert (process["state"], process["pid"]) == ("running", None)
    assert len(small.left()) == 2, "registry and intake"
    assert detached.end(small.settings)
    assert small.left() == []
    assert broker.answers(timeout=5)
    assert {one["name"]: one["state"] for one in small.status()["processes"]}["broker"] == "running"


def test_other_partitions_than_there_are_go_unsaid(
    city: Make, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = city(broker, intake=IDLE)
    there = own_topics(small.settings, Endpoints(broker.bootstrap, ""))
    monkeypatch.setenv("CROSSTOWN_PARTITIONS", str(there + 1))
    with pytest.raises(detached.NotUp, match=f"has {there} partitions, not {there + 1}") as caught:
        detached.start(Settings(), command=[sys.executable, str(small.script)], timeout=60)
    assert caught.value.exit_code == 2
    assert small.left() == []


def test_two_at_once_run_two_of_everything(city: Make, broker: Broker) -> None:
    small = city(broker, intake=IDLE)
    both = [small.up() for _ in range(2)]
    wait_for(lambda: any(one.poll() is not None for one in both), 30)
    wait_for(lambda: set(small.states().values()) == {"running"}, 60)
    loser = next(one for one in both if one.poll() is not None)
    assert loser.returncode == 7
    assert "runs already" in loser.communicate()[0].decode()
    assert len(small.left()) == 2
    third = detached.start(small.settings, command=[sys.executable, str(small.script)], timeout=60)
    assert third.ready, "a second up is content with what runs"

    def interrupted(_now: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        detached.start(
            small.settings, command=[sys.executable, str(small.script)], seen=interrupted
        )
    assert set(small.states().values()) == {"running"}, "Ctrl-C ends the waiting, not the city"
    assert len(small.left()) == 2
    assert small.cli("up").returncode == 0
    said = small.cli("up", "--partitions", "5")
    assert said.returncode == 2
    assert "not 5" in said.stderr


def test_program_that_does_not_listen_holds_up_the_end(city: Make, broker: Broker) -> None:
    small = city(broker, intake=DEAF, cases=IDLE)
    one = small.up()
    wait_for(lambda: set(small.states().values()) == {"running"}, 60)
    began = time.monotonic()
    one.send_signal(signal.SIGTERM)
    one.communicate(timeout=15)
    assert time.monotonic() - began < 10
    assert small.left() == []


def test_unreachable_cluster_is_waited_for_forever(
    city: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from crosstown.supervision import supervise

    monkeypatch.setattr(supervise, "OUTSIDE_PATIENCE", 1.0)
    small = city("127.0.0.1:9", intake=IDLE)
    said: list[str] = []
    one = supervise.Supervisor(small.settings, said.append, programs={})
    with pytest.raises(Unavailable, match="broker doesn't answer"):
        one.run()


def test_a_new_start_takes_itself_for_the_one_before_it() -> None:
    """In a container each has the same pid and command line."""
    me = living.myself()
    assert living.found(me) is not None
    assert living.found({**me, "started": me["started"] - 3_600}) is None


def test_a_program_behind_a_launcher_never_answers(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it is in a virtual environment on Windows: the process that is started starts the interpreter."""
    (tmp_path / "small_late.py").write_text(IDLE.format(name="late"))
    launcher = tmp_path / "launcher"
    launcher.write_text(f'#!/bin/sh\n"{sys.executable}" "$@"\nexit $?\n')
    launcher.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(launcher))
    here = os.pathsep.join([str(Path(__file__).parents[1]), str(tmp_path)])
    env = {"PYTHONPATH": here, "CROSSTOWN_HOME": str(home), "CROSSTOWN_BOOTSTRAP": "127.0.0.1:9",
           "CROSSTOWN_REGISTRY": "http://127.0.0.1:9", "CROSSTOWN_SUPERVISED": "1"}  # fmt: skip
    monkeypatch.setenv("PYTHONPATH", here)
    one = RunningProgram("late", "small_late", Home(home).make(), lambda: env)
    one.launch()
    try:
        wait_for(one.answers, 30)
    finally:
        one.stop(10)


def test_pid_of_a_stranger_is_killed(home: Path) -> None:
    run = Home(home).make().run
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as stranger:
        mine = {"pid": stranger.pid, "started": 1.0, "command": ["crosstown", "up"]}
        (run / "up.json").write_text(
            json.dumps({
                "bootstrap": "", "registry": "", "metrics": {}, "partitions": 1,
                "supervisor": mine,
                "processes": [{"name": "intake", "pid": stranger.pid, "state": "running",
                               "restarts": 0, "why": ""}],
            })
        )  # fmt: skip
        settings = Settings(home=home)
        assert not running(settings, NAMES).supervised
        detached.end(settings)
        with contextlib.suppress(subprocess.TimeoutExpired):
            stranger.wait(0.3)
        assert stranger.returncode is None
        stranger.kill()
