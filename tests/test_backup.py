"""A home that was lost comes back from its backup, and a damaged backup is never taken for a good one."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from installation import call
from jsonschema import Draft202012Validator

from crosstown.avro.json_body import JsonBody
from crosstown.contracts.repository import Repository
from crosstown.errors import Refused, Stop
from crosstown.gateway.keys import KeyFile
from crosstown.keeping.backup import MANIFEST, back_up, restore, verify
from crosstown.keeping.kept_words import _is_ours
from crosstown.processes.living import mark
from crosstown.processes.lock import Lock


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with something of each kind in it."""
    found = tmp_path / "home"
    (found / "kafka" / "accepted-0").mkdir(parents=True)
    (found / "kafka" / "accepted-0" / "00.log").write_bytes(bytes(range(256)) * 4000)
    (found / "erasure.key").write_text("secret")
    (found / "erasure.key").chmod(0o600)
    (found / "logs").mkdir()
    (found / "logs" / "intake.log").write_text("said")
    return found


def test_a_restored_home_lacks_something(home: Path, tmp_path: Path) -> None:
    taken = back_up(home, tmp_path / "b.tgz")
    assert restore(tmp_path / "b.tgz", tmp_path / "new") == taken
    for name in ("kafka/accepted-0/00.log", "erasure.key"):
        assert (tmp_path / "new" / name).read_bytes() == (home / name).read_bytes()
    assert not (tmp_path / "new" / "logs").exists()


def test_others_can_read_the_secrets_in_a_backup(home: Path, tmp_path: Path) -> None:
    back_up(home, tmp_path / "b.tgz")
    restore(tmp_path / "b.tgz", tmp_path / "new")
    for file in (tmp_path / "b.tgz", tmp_path / "new" / "erasure.key"):
        assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("part", [0.0, 0.2, 0.5, 0.9])
def test_a_backup_with_a_broken_byte_is_restored(home: Path, tmp_path: Path, part: float) -> None:
    file = tmp_path / "b.tgz"
    back_up(home, file)
    body = bytearray(file.read_bytes())
    body[int(len(body) * part)] ^= 0xFF
    file.write_bytes(body)
    with pytest.raises(Refused):
        restore(file, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_backup_cut_short_is_restored(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "b.tgz"
    back_up(home, file)
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(Refused):
        verify(file)


def test_a_changed_file_in_a_sound_archive_passes(tmp_path: Path) -> None:
    file = tmp_path / "b.tgz"
    said = {"form": 1, "taken_at": "", "files": {"a": {"size": 1, "sha256": "0"}}}
    _archive(file, {"a": b"x", MANIFEST: json.dumps(said).encode()})
    with pytest.raises(Refused, match="isn't what was written"):
        verify(file)


def test_a_forged_backup_writes_outside_the_home(tmp_path: Path) -> None:
    _archive(tmp_path / "b.tgz", {"../out": b"x"})
    with pytest.raises(Refused, match="leads out"):
        restore(tmp_path / "b.tgz", tmp_path / "deep" / "new")
    assert not (tmp_path / "deep" / "out").exists()


def test_a_running_home_is_copied_in_pieces(home: Path, tmp_path: Path) -> None:
    lock = Lock(home / "run" / "up.lock")
    assert lock.acquire()
    with pytest.raises(Stop, match="runs"):
        back_up(home, tmp_path / "b.tgz")
    lock.release()
    assert not list(tmp_path.glob("b.tgz*"))


def test_what_a_killed_supervisor_left_writes_into_the_backup(home: Path, tmp_path: Path) -> None:
    wait = "import sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", wait, mark(home)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as left:  # fmt: skip
        assert left.stdout is not None
        left.stdout.readline()
        with pytest.raises(Stop, match="left processes"):
            back_up(home, tmp_path / "b.tgz")
        left.kill()
    back_up(home, tmp_path / "b.tgz")


def kept(**more: Any) -> str:
    """What people said, as a file has it."""
    return json.dumps({
        "form": 1, "taken_at": "2026-01-01T00:00:00Z", "erasure_key": "", "events": [], "words": [],
        "keys": {}, **more,
    })  # fmt: skip


def test_words_that_nobody_wrote_are_put_into_a_home(home: Path, tmp_path: Path) -> None:
    file, words, new = tmp_path / "b.tgz", tmp_path / "words.json", tmp_path / "new"
    back_up(home, file)
    for wrong in ("", "{", kept(form=2), kept(events=[{"contract": "any/events"}]), kept(more=1)):
        words.write_text(wrong, "utf-8")
        said = call(new, "restore", str(file), "--words", str(words))
        assert said.code == 3, said
        assert "words_damaged" in said.err
        assert not new.exists()


def test_orders_under_another_home_s_key_are_taken_for_ours(home: Path, tmp_path: Path) -> None:
    file, words, new = tmp_path / "b.tgz", tmp_path / "words.json", tmp_path / "new"
    back_up(home, file)
    one = {"contract": "any/erasures", "body": {}, "known_at": 1, "via": "hand"}
    words.write_text(kept(events=[one], erasure_key="00000000"), "utf-8")
    said = call(new, "restore", str(file), "--words", str(words))
    assert said.code == 3, said
    assert "CROSSTOWN_ERASURE_KEY" in said.err
    assert not new.exists()


def test_a_key_that_was_taken_away_works_again(home: Path, tmp_path: Path) -> None:
    file, words, new = tmp_path / "b.tgz", tmp_path / "words.json", tmp_path / "new"
    keys = KeyFile(home / "keys.json")
    for agency in ("a", "b"):
        keys.add(agency, 1)
    back_up(home, file)
    left = {"a": [keys.read()["a"].secrets[0].sha256]}
    words.write_text(kept(keys=left), "utf-8")
    call(new, "restore", str(file), "--words", str(words)).ok()
    assert set(KeyFile(new / "keys.json").read()) == {"a"}


def test_a_restore_overwrites_a_home_in_use(home: Path, tmp_path: Path) -> None:
    back_up(home, tmp_path / "b.tgz")
    with pytest.raises(Stop, match="isn't empty"):
        restore(tmp_path / "b.tgz", home)


def test_a_program_can_not_tell_what_was_kept(home: Path, tmp_path: Path) -> None:
    file, new = str(tmp_path / "b.tgz"), tmp_path / "new"
    for where, command in ((home, "backup"), (new, "restore")):
        said = call(where, command, file, "-o", "json").ok().json()
        golden = Path(__file__).parent / "golden" / "cli" / f"{command}.schema.json"
        Draft202012Validator(json.loads(golden.read_text("utf-8"))).validate(said)
        assert said["files"] == 2
    (tmp_path / "b.tgz").write_bytes(b"no backup")
    damaged = call(home, "backup", "--verify", file)
    assert damaged.code == 3, damaged
    assert "backup_damaged" in damaged.err


def _archive(file: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(file, "w:gz") as tar:
        for name, body in members.items():
            one = tarfile.TarInfo(name)
            one.size = len(body)
            tar.addfile(one, io.BytesIO(body))


def test_an_event_of_an_agencys_own_is_taken_for_a_note_of_its_staff() -> None:
    """`note` isn't reserved: what isn't a note of ours would keep a restored home from starting."""
    notes = JsonBody(Repository.load().contracts["any/notes"].schema)
    ours = {"agency": "riverton-311", "record": "riverton-311/note/1", "about": "riverton-311/request/1",
            "occurred_at": "2025-01-14T18:30:00Z", "jurisdiction": "us-xx-riverton", "text": "on Monday", "by": "desk 4"}  # fmt: skip
    theirs = {"agency": "riverton-tenants", "record": "riverton-tenants/contact/1", "type": "note"}
    assert [_is_ours("note", one, notes) for one in (ours, theirs)] == [True, False]
    assert _is_ours("link.apart", theirs, notes)
