"""Whatever a kernel sends, what comes in is plain, small and of the grader's own making."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat import validate
from nbformat.v4 import output_from_msg

from autograder.judging import messages
from autograder.judging.evidence import MAX_CHARACTERS
from autograder.judging.messages import DELIMITER, READERS, read_message
from autograder.kernel.evidence import MIME

HALF = "\ud800"
PARENT = {"msg_id": "asked"}


def frames(kind: object, content: object, parent: object = PARENT) -> list[bytes]:
    parts = ({"msg_type": kind, "msg_id": "m"}, parent, {}, content)
    return [b"topic", DELIMITER, b"signature", *(json.dumps(part).encode() for part in parts)]


WORDS = """data metadata transient display_id execution_count name text ename evalue traceback
status execution_state payload text/plain image/png text/html"""
KEYS = st.sampled_from([*WORDS.split(), MIME, HALF])
ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=5)
    | st.sampled_from([HALF, "stdout", "idle", "error", MIME, "text/plain", "application/json"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)


@given(st.sampled_from(list(READERS)), st.dictionaries(KEYS, ODD, max_size=8), ODD)
def test_whatever_comes_can_be_written_to_a_notebook(kind: str, content: dict, parent) -> None:
    message = read_message(frames(kind, content, parent))
    if message is None:
        return
    json.dumps(message, ensure_ascii=False, allow_nan=False).encode()
    assert isinstance(message["parent_header"]["msg_id"], str)
    assert message["content"].get("execution_count") is None
    if kind in ("stream", "error", "display_data", "execute_result"):
        validate(output_from_msg(message), ref="output", version=4)


@given(st.lists(st.binary(max_size=30) | st.just(DELIMITER), max_size=9))
def test_bytes_that_are_no_message_are_none(raw: list[bytes]) -> None:
    message = read_message(raw)
    assert message is None


@pytest.mark.parametrize(
    "kind", ["clear_output", "update_display_data", "comm_open", "execute_input", HALF, 7, None, []]
)
def test_what_would_undo_or_prompt_is_dropped(kind: object) -> None:
    assert read_message(frames(kind, {"execution_count": HALF, "wait": False})) is None


def test_prompt_numbers_and_states_are_the_graders_own() -> None:
    for count in (HALF, -1, 10**400, [1], {"a": 1}, "3"):
        content = {"data": {"text/plain": "x"}, "metadata": {HALF: 1}, "execution_count": count}
        message = read_message(frames("execute_result", content))
        assert message["content"]["execution_count"] is None
        assert message["content"]["metadata"] == {}
    assert read_message(frames("status", {"execution_state": HALF})) is None


def test_verdicts_and_what_a_browser_runs_do_not_come_in() -> None:
    kind = "application/vnd.autograder.verdict+json"
    data = {kind: {"verdict": {"points": 2000}}, "text/html": "<script>", "text/plain": "4"}
    message = read_message(frames("display_data", {"data": data}))
    assert message["content"]["data"] == {"text/plain": "4"}
    del data["text/plain"]
    message = read_message(frames("display_data", {"data": data}))
    assert kind in message["content"]["data"]["text/plain"]


def test_evidence_comes_in_as_text_or_as_an_empty_one() -> None:
    for value, kept in (
        ("{}", "{}"),
        ({"a": 1}, ""),
        (["x"], ""),
        ("x" * (MAX_CHARACTERS + 1), ""),
        (HALF, "?"),
    ):
        message = read_message(frames("display_data", {"data": {MIME: value}}))
        assert message["content"]["data"][MIME] == kept


def test_a_traceback_comes_once_and_is_cut() -> None:
    content = {"status": "error", "ename": "E" * 999, "evalue": "v" * 10**6, "traceback": ["t"] * 9}
    reply = read_message(frames("execute_reply", content))["content"]
    assert reply["traceback"] == []
    error = read_message(frames("error", content | {"traceback": ["l" * 10**5] * 1000}))["content"]
    for found in (reply, error):
        assert len(found["ename"]) < 300
        assert len(json.dumps(found)) < 2 * messages.MAX_TEXT


@pytest.mark.parametrize(
    "content",
    [b"[" * 10**6, b"{" * 10**6, b"[[],[]," * 10**6 + b"[]]", b"\xff\xfe{}", b"", b"1" * 10**5],
)
def test_content_that_would_grow_or_cannot_be_read_is_an_empty_one(content: bytes) -> None:
    raw = frames("stream", {})
    raw[-1] = content
    assert read_message(raw)["content"] == {"name": "stdout", "text": ""}


def test_pictures_are_kept_whole_or_not_at_all() -> None:
    picture = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
    for text, kept in ((picture, True), ("x" * (messages.MAX_PICTURE + 1), False)):
        message = read_message(frames("display_data", {"data": {"image/png": text}}))
        assert ("image/png" in message["content"]["data"]) == kept
