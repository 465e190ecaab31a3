"""Where batches are put, here and over SFTP: the same for both, and nobody is believed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from sftp_server import serving

from crosstown.errors import Stop, Unavailable
from crosstown.outward.sftp import Sftp
from crosstown.outward.shelf import Folder, Shelf


@pytest.fixture(params=["here", "sftp"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Shelf, Path]]:
    folder = tmp_path / "there"
    if request.param == "here":
        yield Folder(folder), folder
        return
    with serving(folder, tmp_path / "config") as url:
        yield Sftp.at(url, tmp_path / "config"), folder


def test_half_a_file_is_there_under_its_name(shelf: tuple[Shelf, Path]) -> None:
    one, folder = shelf
    assert [name for name in one.names() if not name.startswith(".")] == []
    with one.appearing("a", "a file.txt") as stream:
        stream.write(b"first")
        stream.flush()
        assert [at.name for at in folder.iterdir() if not at.name.startswith(".a.")] == []
        stream.write(b" and last")
    assert one.read("a file.txt") == b"first and last"
    assert [name for name in one.names() if name not in (".", "..")] == ["a file.txt"]
    with contextlib.suppress(RuntimeError), one.appearing("a", "b") as stream:
        stream.write(b"x")
        raise RuntimeError
    assert "b" not in one.names()
    assert not list(folder.glob("*.part")) + list(folder.glob(".*.part"))


def test_file_cant_be_written_again_or_removed(shelf: tuple[Shelf, Path]) -> None:
    one, folder = shelf
    one.names()
    for content in (b"old", b"new"):
        with one.appearing("a", "x") as stream:
            stream.write(content)
    assert one.read("x") == b"new"
    (folder / ".a.123.part").write_bytes(b"left by a run that was killed")
    assert ".a.123.part" in one.names()
    one.remove(".a.123.part")
    one.remove("never there")
    assert ".a.123.part" not in one.names()
    with pytest.raises(Stop):
        one.read("never there")


def test_receiver_takes_away_what_is_still_being_sent(tmp_path: Path) -> None:
    opened: list[str] = []
    config = tmp_path / "config"
    with (
        serving(tmp_path / "there", config, opened) as url,
        Sftp.at(url, config).appearing("a", "x") as stream,
    ):
        stream.write(b"x")
    assert opened
    assert all(name.rpartition("/")[2].startswith(".a.") for name in opened), opened


def test_link_leads_the_file_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    (tmp_path / "precious").write_text("precious")
    (folder / "x").symlink_to(tmp_path / "precious")
    with Folder(folder).appearing("a", "x") as stream:
        stream.write(b"new")
    assert (tmp_path / "precious").read_text() == "precious"
    assert (folder / "x").read_bytes() == b"new"


def test_folder_that_cant_be_used_ends_in_a_stack_trace(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="isn't there"):
        Folder(tmp_path / "a" / "b").names()
    (tmp_path / "file").write_text("")
    with pytest.raises(Stop, match="can't be used"):
        Folder(tmp_path / "file").names()
    with serving(tmp_path / "there", tmp_path / "config") as url:
        with pytest.raises(Stop):
            Sftp.at(f"{url}nowhere", tmp_path / "config").names()
        (tmp_path / "known").write_text("")
        with pytest.raises(Unavailable, match="let us in"):
            Sftp.at(url, tmp_path / "config").names()
    with pytest.raises(Unavailable):
        Sftp.at(url, tmp_path / "config").names()


@pytest.mark.parametrize("url", [
    "sftp:", "sftp://", "sftp:///x", "sftp://host", "sftp://u:secret@host/", "sftp://-oProxyCommand=x/",
    "sftp://u@-oProxyCommand=x/", "sftp://-u@host/", 'sftp://host/a"b', "sftp://host/a\nrm x", "sftp://host/*",
    "sftp://host/a\\b", "sftp://host:x/", "sftp://ho st/", "sftp://host:22:23/", "sftp://$(x)/",
])  # fmt: skip
def test_address_is_carried_out_by_ssh(url: str) -> None:
    with pytest.raises(Stop, match="no address of a folder"):
        Sftp.at(url, None)


def test_address_isnt_read_as_it_is_said() -> None:
    assert Sftp.at("sftp://files.example/in box/a", None) == Sftp(
        "files.example", "22", "/in box/a"
    )
    assert Sftp.at("sftp://me@files.example:2222/~/in", None) == Sftp(
        "me@files.example", "2222", "in"
    )
    assert Sftp.at("sftp://files.example/~/", None).folder == "."
