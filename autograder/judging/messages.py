"""Reads messages of a kernel: whatever is not plain and small is replaced or dropped.

A notebook can send any bytes over its kernel's sockets, in the kernel's name. `read_message` is the
only way in. It keeps the few fields of a message that grading uses, each of a fixed type and a
bounded size, and puts values of its own in place of all others. So no later code checks again.

Messages that would change what was shown before (`clear_output`, updates of a display) are dropped:
what has arrived stays. https://jupyter-client.readthedocs.io/en/stable/messaging.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from autograder.judging.evidence import MAX_CHARACTERS
from autograder.kernel.evidence import MIME

DELIMITER = b"<IDS|MSG>"
MAX_MARKS = 500_000  # commas, colons and opening brackets in JSON, which bound what it is read into
MAX_TEXT = 2**20  # characters of one output's text
MAX_LINES = 100  # of a traceback
MAX_NAME = 200  # characters of an exception's name or of an id
SHOWN = ("text/plain", "image/png", "image/jpeg")  # other kinds are named if none of these came
MAX_PICTURE = 4 * 2**20  # characters of a picture's base64 text

Content = dict[str, Any]


def read_message(frames: Sequence[bytes]) -> dict[str, Any] | None:
    """Reads a message of a kernel.

    Args:
        frames: The message's frames as they came; their sizes were bounded by whoever read them.

    Returns:
        The message in jupyter_client's form with "msg_type", "header", "parent_header", "metadata",
        "content" and "buffers"; None for frames that are no message, or one that grading ignores.
    """
    try:
        start = list(frames[:8]).index(DELIMITER) + 2
    except ValueError:
        return None
    parts = frames[start : start + 4]
    if len(parts) != 4:
        return None
    given, parent = _object(parts[0]), _object(parts[1])
    header = {name: text(given.get(name), MAX_NAME) for name in ("msg_type", "msg_id")}
    reader = READERS.get(header["msg_type"])
    content = reader(_object(parts[3])) if reader else None
    if content is None:
        return None
    return {
        **header,
        "header": header,
        "parent_header": {"msg_id": text(parent.get("msg_id"), MAX_NAME)},
        "metadata": {},
        "content": content,
        "buffers": [],
    }


def _object(raw: bytes) -> dict[str, Any]:
    """Reads a JSON object; an empty one if the bytes are no object or too complex."""
    if sum(raw.count(mark) for mark in (b",", b":", b"[", b"{")) > MAX_MARKS:
        return {}
    try:
        data = json.loads(raw.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def text(value: Any, most: int) -> str:
    """Text that any file can hold, cut after `most` characters with a note; empty if it is none."""
    if not isinstance(value, str):
        return ""
    cut = value[:most].encode("utf-8", "replace").decode("utf-8")
    return cut if len(value) <= most else f"{cut}\n[{len(value) - most} more characters]"


# --- What is kept of each kind of message -------------------------------------------------------


def _status(content: Content) -> Content | None:
    state = content.get("execution_state")
    return {"execution_state": state} if state in ("busy", "idle", "starting") else None


def _stream(content: Content) -> Content:
    name = "stderr" if content.get("name") == "stderr" else "stdout"
    return {"name": name, "text": text(content.get("text"), MAX_TEXT)}


def _error(content: Content) -> Content:
    lines = content.get("traceback")
    lines = lines[:MAX_LINES] if isinstance(lines, list) else []
    return {
        "ename": text(content.get("ename"), MAX_NAME),
        "evalue": text(content.get("evalue"), MAX_TEXT // MAX_LINES),
        "traceback": [text(line, MAX_TEXT // MAX_LINES) for line in lines],
    }


def _display(content: Content) -> Content:
    given = content.get("data")
    given = given if isinstance(given, dict) else {}
    data = {}
    for kind in SHOWN:
        most = MAX_TEXT if kind == "text/plain" else MAX_PICTURE
        value = given.get(kind)
        # A picture that is too long is left out, as a cut one cannot be shown; a text is cut.
        if isinstance(value, str) and (kind == "text/plain" or len(value) <= most):
            data[kind] = text(value, most)
    if MIME in given:
        evidence = given[MIME]
        sound = isinstance(evidence, str) and len(evidence) <= MAX_CHARACTERS
        data[MIME] = text(evidence, MAX_CHARACTERS) if sound else ""
    elif not any(data.values()):
        kinds = ", ".join(sorted(text(kind, 60) for kind in list(given)[:5])) or "nothing"
        data = {"text/plain": f"[an output that is not kept: {kinds}]"}
    return {"data": data, "metadata": {}}


def _result(content: Content) -> Content:
    return {**_display(content), "execution_count": None}


def _reply(content: Content) -> Content:
    """An error's traceback is left out: it came before, as an output."""
    if content.get("status") != "error":
        return {"status": "ok"}
    return {"status": "error", **_error(content), "traceback": []}


def _information(content: Content) -> Content:
    return {"language_info": {"name": "python"}}


READERS: dict[str, Callable[[Content], Content | None]] = {
    "status": _status,
    "stream": _stream,
    "error": _error,
    "display_data": _display,
    "execute_result": _result,
    "execute_reply": _reply,
    "kernel_info_reply": _information,
}
