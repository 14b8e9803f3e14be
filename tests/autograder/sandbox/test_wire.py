"""The channels, against ZeroMQ's own sockets."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from queue import Empty

import pytest
import zmq
from jupyter_client.session import Session

from autograder.sandbox.wire import PATIENCE, Channel, TooMuch
from tests.waiting import HOPELESS

MOST = 2**20


@pytest.fixture
def sockets(tmp_path: Path):
    """A kernel's two sockets, and a way to await something of the channels on them."""
    context = zmq.Context()
    router, pub = context.socket(zmq.ROUTER), context.socket(zmq.XPUB)
    router.bind(f"ipc://{tmp_path}/shell")
    pub.bind(f"ipc://{tmp_path}/iopub")
    yield router, pub
    context.destroy(linger=0)


def parts(kind: str, content: dict, *, more: tuple = ()) -> list[bytes]:
    header, parent = {"msg_type": kind, "msg_id": "m"}, {"msg_id": "asked"}
    frames = [json.dumps(part).encode() for part in (header, parent, {}, content)]
    return [b"topic", b"<IDS|MSG>", b"", *frames, *more]


def listening(tmp_path: Path, pub: zmq.Socket, do: Callable) -> object:
    async def main() -> object:
        channel = Channel(f"{tmp_path}/iopub", "SUB", Session(), MOST)
        await channel.open()
        assert await asyncio.to_thread(pub.recv) == b"\x01"  # the subscription
        try:
            return await do(channel)
        finally:
            channel.close()

    return asyncio.run(main())


def test_a_request_arrives_and_its_reply_comes_back(sockets, tmp_path: Path) -> None:
    router, _ = sockets

    async def main() -> dict:
        session = Session()
        channel = Channel(f"{tmp_path}/shell", "DEALER", session, MOST)
        await channel.open()
        channel.send(session.msg("kernel_info_request", {"long": "x" * 10**5}))
        identity, *request = await asyncio.to_thread(router.recv_multipart)
        assert json.loads(request[2])["msg_type"] == "kernel_info_request"
        router.send_multipart([identity, *parts("kernel_info_reply", {})[1:]])
        return await channel.get_msg(timeout=HOPELESS)

    assert asyncio.run(main())["content"]["language_info"]["name"] == "python"


def test_messages_come_in_order_and_waiting_loses_none(sockets, tmp_path: Path) -> None:
    _, pub = sockets

    async def do(channel: Channel) -> list[str]:
        with pytest.raises(Empty):
            await channel.get_msg(timeout=0.01)
        for number in range(3):
            pub.send_multipart(parts("stream", {"text": str(number) * 10**5}))
            pub.send_multipart(parts("clear_output", {}))
        return [(await channel.get_msg(timeout=HOPELESS))["content"]["text"][0] for _ in range(3)]

    assert listening(tmp_path, pub, do) == ["0", "1", "2"]


def test_what_a_kernel_waits_for_a_processor_is_not_counted(sockets, tmp_path: Path) -> None:
    _, pub = sockets
    asked = 0

    async def waited() -> float:
        """Twice it waits as long as it has; then it comes to answer."""
        nonlocal asked
        asked += 1
        if asked == 3:
            pub.send_multipart(parts("stream", {"text": "at last"}))
        return min(asked - 1, 2) * 1000.0

    async def do(channel: Channel) -> str:
        channel.waited = waited
        task = asyncio.ensure_future(channel.get_msg(timeout=1000))
        within, granted = channel._within, []

        async def clocked(timeout: float) -> dict:
            granted.append(timeout)
            return await within(None if asked == 3 else 0)

        channel._within = clocked
        text = (await task)["content"]["text"]
        assert granted == [1000, 1000, 1000]
        return text

    assert listening(tmp_path, pub, do) == "at last"


def test_nobody_waits_for_a_kernel_without_end(sockets, tmp_path: Path) -> None:
    _, pub = sockets
    granted = []

    async def do(channel: Channel) -> None:
        async def waited() -> float:
            return float(10**9 * len(granted))

        async def clocked(timeout: float) -> dict:
            granted.append(timeout)
            raise Empty

        channel.waited, channel._within = waited, clocked
        with pytest.raises(Empty):
            await channel.get_msg(timeout=60)

    listening(tmp_path, pub, do)
    assert sum(granted) == PATIENCE * 60


@pytest.mark.parametrize(
    "more",
    [(bytes(MOST + 1),), (bytes(MOST // 8),) * 9, (b"",) * 100],
    ids=["one large frame", "many frames", "frames without end"],
)
def test_a_message_that_is_too_large_ends_the_channel(sockets, tmp_path: Path, more) -> None:
    _, pub = sockets

    async def do(channel: Channel) -> None:
        pub.send_multipart(parts("stream", {"text": "x"}, more=more))
        for _ in range(2):
            with pytest.raises(TooMuch):
                await channel.get_msg(timeout=HOPELESS)
        assert not channel.is_alive()

    listening(tmp_path, pub, do)


def test_a_kernel_that_is_gone_sends_nothing_more(sockets, tmp_path: Path) -> None:
    _, pub = sockets

    async def do(channel: Channel) -> None:
        pub.close(linger=0)
        with pytest.raises(Empty):
            await channel.get_msg(timeout=0.2)

    listening(tmp_path, pub, do)


def test_another_protocol_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK".ljust(64))
            await writer.drain()

        server = await asyncio.start_unix_server(answer, f"{tmp_path}/other")
        channel = Channel(f"{tmp_path}/other", "SUB", Session(), MOST)
        with pytest.raises(TooMuch, match="protocol"):
            await channel.open()
        channel.close()
        server.close()

    asyncio.run(main())
