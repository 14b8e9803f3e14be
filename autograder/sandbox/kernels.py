"""Kernels in bubblewrap: without network, with their own and Python's files, and with limits.

`SandboxKernelManager` starts kernels through `SandboxProvisioner`, which takes each from a
`WarmPool`: the one that this process or the one that started it has open, or else one of its own
for this kernel alone. Options are traits of `Sandbox`.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import socket
import time
from pathlib import Path
from queue import Empty
from typing import Any

from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.connect import write_connection_file
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import KernelProvisionerBase
from traitlets import Callable, Integer, List, Unicode, default

from autograder.sandbox.options import MiB, Sandbox, SandboxLimits, bubblewrap
from autograder.sandbox.pool import WarmPool, open_pool
from autograder.sandbox.walls import NOBODY
from autograder.sandbox.wire import Channel
from autograder.sandbox.world import KERNEL


def copy_work(source: str | None, target: Path, most: int) -> None:
    """Copies the files beside a notebook; links and other special files stay behind.

    Raises:
        ValueError: When they have more than `most` bytes in total.
    """
    target.mkdir()
    if source is None:
        return
    total = 0
    for folder, _, files in os.walk(source):
        place = target / os.path.relpath(folder, source)
        place.mkdir(exist_ok=True)
        for name in files:
            path = Path(folder, name)
            if path.is_symlink() or not path.is_file():
                continue
            total += path.stat().st_size
            if total > most:
                raise ValueError(f"The files in {source} have more than {most // MiB} MiB.")
            shutil.copyfile(path, place / name)


class SandboxProvisioner(KernelProvisionerBase):
    """Takes a kernel from a warm pool, or starts a sandbox for it alone."""

    withheld = List(Unicode(), help="Modules that the notebook must not import.")
    startup_timeout = Integer(120, help="Seconds to wait for a kernel.").tag(config=True)

    _connection: socket.socket | None = None
    _own: WarmPool | None = None
    _folder: Path | None = None
    _ended: dict[str, Any] | None = None
    _waited: float | None = None

    @property
    def cause(self) -> str | None:
        """Why the kernel was killed: "memory", "time" or "killed" (by the grader); else None."""
        return (self._ended or {}).get("cause")

    @property
    def memory(self) -> int | None:
        """Peak memory of the largest process of an ended kernel, in bytes; None if unknown.

        It includes modules that were loaded before the kernel began, though kernels share them.
        """
        return (self._ended or {}).get("memory")

    @property
    def has_process(self) -> bool:
        return self._connection is not None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        return {"cmd": [], "cwd": kwargs.get("cwd")}

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> dict[str, Any]:
        sandbox = Sandbox(parent=self)
        limits = sandbox.limits()
        pool = open_pool(limits, self.withheld, sandbox.packages)
        if pool is None:
            self._own = WarmPool(
                limits, withheld=self.withheld, packages=sandbox.packages, preload=()
            )
            self._own.start()
            pool = self._own.directory
        try:
            return self._start(pool, limits, kwargs.get("cwd"))
        except BaseException:
            await self.cleanup()
            raise

    def _start(self, pool: Path, limits: SandboxLimits, cwd: str | None) -> dict[str, Any]:
        manager, name = self.parent, secrets.token_hex(8)
        self._folder = folder = pool / "kernels" / name
        folder.mkdir(mode=0o700)
        copy_work(cwd, folder / "work", limits.scratch)
        for number, port in enumerate(PORTS, start=1):
            setattr(manager, port, number)
        manager.ip = str(folder / "k")
        write_connection_file(
            str(folder / "connection.json"),
            ip=f"{KERNEL}/k",
            key=manager.session.key,
            transport="ipc",
            **{port: number for number, port in enumerate(PORTS, start=1)},
        )
        if os.getuid() == 0:
            for place, folders, files in os.walk(folder):
                for path in (place, *(os.path.join(place, each) for each in folders + files)):
                    os.chown(path, NOBODY, NOBODY)
        self._ended = None
        self._connection = connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.settimeout(self.startup_timeout)
        try:
            connection.connect(str(pool / "listener"))
            connection.send(name.encode())
            answer = json.loads(connection.recv(8192) or b'{"error": "the sandbox ended"}')
        except OSError as error:
            answer = {"error": str(error)}
        if "ready" not in answer:
            log = (pool / "log").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"No sandboxed kernel: {answer['error']}. {log}".strip())
        connection.setblocking(False)
        return manager.get_connection_info()

    async def poll(self) -> int | None:
        if self._connection is None:
            return 0 if self._ended is None else self._ended["exit"]
        try:
            text = self._connection.recv(8192)
        except BlockingIOError:
            return None
        except OSError:
            text = b""
        message = json.loads(text) if text else {"exit": -9, "cause": None}
        if "waited" in message:
            self._waited = message["waited"]
            return None
        self._ended = message
        self._connection.close()
        self._connection = None
        return self._ended["exit"]

    async def wait(self) -> int | None:
        while (status := await self.poll()) is None:
            await asyncio.sleep(0.005)
        return status

    async def waited(self) -> float:
        """Seconds that the kernel was ready to run but had no processor; 0 when it has ended."""
        self._waited = None
        await self._say(b"waited")
        while self._waited is None and await self.poll() is None:
            await asyncio.sleep(0.002)
        return self._waited or 0.0

    async def send_signal(self, signum: int) -> None:
        words = {2: b"interrupt", 9: b"kill", 15: b"kill"}
        if signum in words:
            await self._say(words[signum])

    async def _say(self, word: bytes) -> None:
        if self._connection is not None:
            try:
                self._connection.send(word)
            except OSError:  # the kernel is dead already
                await self.poll()

    async def kill(self, restart: bool = False) -> None:
        await self.send_signal(9)
        await self.wait()

    async def terminate(self, restart: bool = False) -> None:
        await self.kill()

    async def cleanup(self, restart: bool = False) -> None:
        if self._connection is not None:
            self._connection.close()  # the guard then kills what is left
            self._connection = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
        if self._own is not None:
            self._own.close()
            self._own = None


PORTS = ("shell_port", "iopub_port", "stdin_port", "hb_port", "control_port")


class SandboxClient(AsyncKernelClient):
    """Communicates with a kernel over channels that bound the size of a message.

    Args:
        most: Most bytes of one message.
        waited: Gives the seconds that the kernel has waited for a processor; see `Channel`.
    """

    most = Integer(16 * MiB)
    waited = Callable(None, allow_none=True)
    _channels: dict[str, Channel] | None = None

    @property
    def shell_channel(self) -> Channel:
        return self._channels["shell"]

    @property
    def iopub_channel(self) -> Channel:
        return self._channels["iopub"]

    def start_channels(self, *args: Any, **kwargs: Any) -> None:
        """Makes shell and iopub, the channels that grading uses; `wait_for_ready` opens them."""
        self._channels = {
            name: Channel(self._address(port), kind, self.session, self.most, self.waited)
            for name, port, kind in (
                ("shell", self.shell_port, "DEALER"),
                ("iopub", self.iopub_port, "SUB"),
            )
        }

    def _address(self, port: int) -> str | tuple[str, int]:
        return f"{self.ip}-{port}" if self.transport == "ipc" else (self.ip, port)

    def stop_channels(self) -> None:
        """Closes the channels."""
        for channel in (self._channels or {}).values():
            channel.close()

    @property
    def channels_running(self) -> bool:
        return any(channel.is_alive() for channel in (self._channels or {}).values())

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Returns when the kernel answers and its outputs arrive.

        Raises:
            RuntimeError: When that takes longer than `timeout` seconds (60 for None), or the kernel
                dies.
        """
        deadline = time.monotonic() + (timeout or 60)
        while time.monotonic() < deadline and await self.is_alive():
            try:
                for channel in self._channels.values():
                    if not channel.is_alive():
                        await channel.open()
                self.kernel_info()
                reply = await self.shell_channel.get_msg(timeout=1)
                while True:
                    message = await self.iopub_channel.get_msg(timeout=0.05)
                    if (
                        message["parent_header"]["msg_id"] == reply["parent_header"]["msg_id"]
                        and message["content"].get("execution_state") == "idle"
                    ):
                        return
            except Empty:
                continue
            except OSError:  # the kernel does not listen yet
                await asyncio.sleep(0.02)
        raise RuntimeError("The kernel does not answer.")


class SandboxKernelManager(AsyncKernelManager):
    """Starts kernels in the sandbox, and bounds the messages that they can send.

    Args:
        withheld: Modules that the notebook must not import.
    """

    withheld = List(Unicode())

    async def _async_pre_start_kernel(self, **kwargs: Any) -> tuple[list[str], dict[str, Any]]:
        sandbox = Sandbox(parent=self)
        if not (sandbox.allow_unsandboxed and shutil.which("bwrap") is None):
            bubblewrap()
            self.transport = "ipc"
            self.provisioner = SandboxProvisioner(parent=self, withheld=self.withheld)
        return await super()._async_pre_start_kernel(**kwargs)

    @default("client_factory")
    def _sandbox_client(self) -> type:
        return SandboxClient

    def client(self, **kwargs: Any) -> Any:
        """A client that closes a connection on which too large a message comes."""
        most = Sandbox(parent=self).message_mb * MiB
        waited = getattr(self.provisioner, "waited", None)
        return super().client(most=most, waited=waited, **kwargs)
