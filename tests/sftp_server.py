"""A real SFTP server on this machine, for one folder and one key."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncssh


@contextmanager
def serving(folder: Path, config: Path, opened: list[str] | None = None) -> Iterator[str]:
    """Serve a folder; `config` becomes an ssh_config that is let in. Gives the folder's address.

    `opened` gets the names of files that are opened there.
    """

    class Server(asyncssh.SFTPServer):
        def open(self, path: bytes, *more: Any) -> object:
            (opened if opened is not None else []).append(path.decode())
            return super().open(path, *more)

    folder.mkdir(exist_ok=True)
    host, user = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    near = config.parent
    user.write_private_key(str(near / "id"))
    (near / "id").chmod(0o600)
    (near / "allowed").write_bytes(user.export_public_key())
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    found: list[Any] = []

    async def serve() -> None:
        found.append(await asyncssh.listen(
            "127.0.0.1", 0, server_host_keys=[host], authorized_client_keys=str(near / "allowed"),
            sftp_factory=lambda channel: Server(channel, chroot=bytes(folder)),
        ))  # fmt: skip
        ready.set()

    async def end() -> None:
        found[0].close()
        await found[0].wait_closed()

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(serve(), loop).result(10)
    ready.wait(10)
    port = found[0].get_port()
    key = host.export_public_key().decode().strip()
    (near / "known").write_text(f"[127.0.0.1]:{port} {key}\n")
    config.write_text(f"IdentityFile {near / 'id'}\nIdentitiesOnly yes\n"
                      f"UserKnownHostsFile {near / 'known'}\n")  # fmt: skip
    try:
        yield f"sftp://somebody@127.0.0.1:{port}/"
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
