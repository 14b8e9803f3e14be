"""Whether a chat template shows what is to be learned, and nothing of a tool's in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

THOUGHT = {"reasoning_content", "reasoning", "thinking"}
"""Fields of what was thought before an answer; templates show one of them, or none."""

AFTER_THOUGHT = {"</think>": "<think>", "[/THINK]": "[THINK]"}
"""What ends a thought inside of a content, and what begins it."""


class NotShown(ValueError):
    """A template does not let see whose words are whose, or hides some."""


def check_shown(message: Mapping[str, Any], i: int, said: str, text: str, last: bool) -> None:
    """Raise NotShown if a template leaves out something of what is to be learned.

    Args:
        message: the assistant's.
        i: its number.
        said: what the template shows of it.
        text: the whole conversation.
        last: whether it is the assistant's last one. What was thought before that, templates drop.
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
    """Messages with another content in those of tools that follow message i."""
    found = list(messages)
    for j in range(i + 1, len(found)):
        if found[j]["role"] != "tool":
            break
        found[j] = {**found[j], "content": content}
    return found


def _ends(said: Any, text: str) -> bool:
    """Whether the last word of what is said stands in a text."""
    return "".join(str(said).split()[-1:])[-20:] in text
