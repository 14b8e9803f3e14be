"""Checks that a chat template shows what is to be learned, without a tool's answers in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

THOUGHT = {"reasoning_content", "reasoning", "thinking"}
"""Fields of a message for the thought before an answer; a template shows one of them, or none."""

AFTER_THOUGHT = {"</think>": "<think>", "[/THINK]": "[THINK]"}
"""For thoughts within ``content``: the mark that ends a thought, and the mark that begins it."""


class NotShown(ValueError):
    """A template does not show which words are whose, or leaves something out."""


def check_shown(message: Mapping[str, Any], i: int, said: str, text: str, last: bool) -> None:
    """Raise NotShown if a template leaves out something of what is to be learned.

    Only the last word of a content or thought is looked for, and the names of called functions.

    Args:
        message: a message of the assistant.
        i: the index of the message, for the error.
        said: the rendered text of this message; or, where the template marks turns in parts, of
            all messages of the assistant.
        text: the whole conversation as rendered.
        last: whether it is the assistant's last message. Only its thought is checked, because
            templates drop the earlier ones.
    """
    calls = [call.get("function", call) for call in message.get("tool_calls", [])]
    content = message.get("content", "")
    named = all(str(call.get("name", "")) in said for call in calls)
    if not (_ends(content, said) and named):
        raise NotShown(f"the tokenizer's chat template leaves out what message {i} says")
    if not last:
        return
    for name in THOUGHT & message.keys():
        if not _ends(message[name], text):
            raise NotShown(
                f"the tokenizer's chat template leaves out the {name} of message {i}, its last "
                "one; remove that field"
            )
    for ends, begins in AFTER_THOUGHT.items():
        thought, found, _ = str(content).partition(ends)
        if found and not _ends(thought.replace(begins, ""), said):
            raise NotShown(
                f"the tokenizer's chat template leaves out what stands before {ends} in message "
                f"{i}, its last one; remove that, or take a template that keeps it"
            )


def with_other_results(
    messages: Sequence[Mapping[str, Any]], i: int, content: str
) -> list[Mapping[str, Any]]:
    """The messages, with ``content`` in place of the tool results right after message i."""
    found = list(messages)
    for j in range(i + 1, len(found)):
        if found[j]["role"] != "tool":
            break
        found[j] = {**found[j], "content": content}
    return found


def _ends(said: Any, text: str) -> bool:
    """Whether a text contains the last word of ``said``; of a long word, its last 20 characters."""
    return "".join(str(said).split()[-1:])[-20:] in text
