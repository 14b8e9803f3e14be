"""Channels to a kernel that bound each message: a frame is read only while its message has room.

ZeroMQ's own client bounds a frame but not a message of many frames, which is then in memory
already. This module has the part of ZMTP 3.0 that a client without encryption needs
(https://rfc.zeromq.org/spec/23). Every message passes `autograder.judging.messages.read_message`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from queue import Empty
from typing import Any

from jupyter_client.session import Session

from autograder.judging.messages import read_message

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
MORE, LONG, COMMAND = 1, 2, 4  # bits of a frame's first byte
MAX_FRAMES = 64  # most frames of a message
SUBSCRIBE = b"\x01"  # to all messages
PATIENCE = 4  # a kernel that waits for a processor has at most so many times its timeout


class TooMuch(RuntimeError):
    """A kernel sent too large a message, or something that is no message at all."""


class Channel:
    """One of a kernel's channels.

    Args:
        address: A path of a Unix socket, or a host and a port.
        kind: The type of ZeroMQ socket that this side is: "DEALER" or "SUB".
        session: Writes and signs what is sent.
        most: Most bytes of one message; a larger one closes the channel.
        waited: Gives the seconds that the kernel has waited for a processor so far, which timeouts
            do not count; None if they are not known, and then timeouts count them.
    """

    def __init__(
        self,
        address: str | tuple[str, int],
        kind: str,
        session: Session,
        most: int,
        waited: Callable[[], Awaitable[float]] | None = None,
    ) -> None:
        self.address, self.kind, self.session, self.most = address, kind, session, most
        self.waited = waited
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Future | None = None  # the read that is under way
        self._cut: str | None = None

    async def open(self) -> None:
        """Connects, and agrees with the kernel on the protocol.

        Raises:
            OSError: When nobody listens there.
            TooMuch: When the kernel answers in another protocol.
        """
        if isinstance(self.address, str):
            self._reader, self._writer = await asyncio.open_unix_connection(self.address)
        else:
            self._reader, self._writer = await asyncio.open_connection(*self.address)
        kind = self.kind.encode()
        ready = b"\x05READY\x0bSocket-Type" + len(kind).to_bytes(4, "big") + kind
        ready += b"\x08Identity" + bytes(4)
        self._writer.write(GREETING + bytes([COMMAND, len(ready)]) + ready)
        greeting = await self._reader.readexactly(len(GREETING))
        if greeting[0] != 0xFF or greeting[9] != 0x7F or greeting[10] < 3:
            raise TooMuch("The kernel speaks another protocol.")
        if self.kind == "SUB":
            self._write([SUBSCRIBE])

    def send(self, message: dict[str, Any]) -> None:
        """Sends a message in jupyter_client's format."""
        self._write(self.session.serialize(message))

    def _write(self, frames: list[bytes]) -> None:
        for place, frame in enumerate(frames, start=1):
            more = MORE if place < len(frames) else 0
            self._writer.write(bytes([LONG | more]) + len(frame).to_bytes(8, "big") + frame)

    async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:
        """The next message that grading can use.

        Args:
            timeout: Seconds that the kernel has. Seconds in which it waits for a processor do not
                count, up to `PATIENCE` times the timeout in all; None waits without end.

        Raises:
            Empty: When none comes in time.
            TooMuch: When the kernel sends too much at once.
        """
        if timeout is None or self.waited is None:
            return await self._within(timeout)
        before, granted, left = await self.waited(), 0.0, timeout
        while True:
            try:
                return await self._within(left)
            except Empty:
                lost = min(await self.waited() - before, (PATIENCE - 1) * timeout)
                granted, left = lost, lost - granted
                if left < 0.01 * timeout:  # the kernel has used up its time
                    raise

    async def _within(self, timeout: float | None) -> dict[str, Any]:
        try:
            return await asyncio.wait_for(self._next(), timeout)
        except TimeoutError:
            raise Empty from None

    async def _next(self) -> dict[str, Any]:
        while True:
            message = read_message(await self._frames())
            if message is not None:
                return message

    async def _frames(self) -> list[bytes]:
        if self._cut:
            raise TooMuch(self._cut)
        # A read that outlasts a timeout is not lost; the next call goes on with it.
        self._reading = self._reading or asyncio.ensure_future(self._read())
        frames = await asyncio.shield(self._reading)
        self._reading = None
        return frames

    async def _read(self) -> list[bytes]:
        frames: list[bytes] = []
        room = self.most
        try:
            while True:
                flags = (await self._reader.readexactly(1))[0]
                size = int.from_bytes(await self._reader.readexactly(8 if flags & LONG else 1))
                room -= size
                if room < 0 or len(frames) >= MAX_FRAMES:
                    raise TooMuch("The kernel sent too much at once.")
                frame = await self._reader.readexactly(size)
                if flags & COMMAND:
                    continue
                frames.append(frame)
                if not flags & MORE:
                    return frames
        except TooMuch as error:
            self._cut = str(error)
            self._writer.close()
            raise
        except (asyncio.IncompleteReadError, OSError):
            # The kernel is gone, which the provisioner's `poll` reports; this waits for ever.
            await asyncio.Event().wait()
            raise

    def close(self) -> None:
        """Ends the connection."""
        if self._reading is not None:
            self._reading.cancel()
        if self._writer is not None:
            self._writer.close()

    def is_alive(self) -> bool:
        """Whether it is connected."""
        return self._writer is not None and not self._writer.is_closing()
