"""Conversations to learn from: what was asked, and what an assistant is to answer.

Each line of a file is a conversation, usually in one of these two forms::

    {"messages": [{"role": "user", "content": "..."}, ...]}
    {"prompt": "...", "completion": "..."}

The values of ``prompt`` and ``completion`` may also be lists of messages. If both are strings, they
are plain text: no chat template is put around them. ShareGPT's ``conversations``, with ``from`` and
``value``, are read as messages, and a text in the field ``system`` becomes the first message. An
assistant's message with ``"weight": 0`` or ``"train": false`` is read, but nothing learns from it.
A ``prompt`` beside ``messages``, without a ``completion``, repeats the first one and is left out,
as is a ``text`` beside either form.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from kdlab.arguments import checked
from kdlab.batches import part_of_row, rows_of_table
from kdlab.data import as_name, check_characters, check_percent, held_out, hugging_face
from kdlab.json_lines import json_rows
from kdlab.tables import without_filled

__all__ = ["Conversation", "Examples", "load_examples"]

ROLES = ("system", "developer", "user", "assistant", "tool")
CALLED = {"human": "user", "gpt": "assistant", "model": "assistant", "function": "tool"}
"""Other programs' names of roles, and kdlab's."""
TEXT = ("text", "input_text", "output_text")  # types of parts that a message's content may have
FORMS = (("messages",), ("conversations",), ("prompt", "completion"))
PICTURES = "kdlab trains on text; leave such rows out"
NOT_READ = dict.fromkeys(("image", "images", "video", "videos", "audio", "audios"), PICTURES) | {
    "chat_template_kwargs": "kdlab renders all rows alike; remove it, and set what it says as "
    "defaults in the tokenizer's chat template"
}
"""Columns that an answer may depend on; they are refused, each with what to do about it."""
LOOKED_AT = {"messages", "conversations", "prompt", "completion", "system", "tools", "functions"}
LOOKED_AT |= {"kind", "label", *NOT_READ}
"""Columns that are looked at; others, such as long lists of tokens, are left unconverted."""
WEIGHT = ("weight", "train")  # fields of a message that say whether to learn from it


@dataclass(frozen=True)
class Conversation:
    """Messages in their order, some of them the assistant's.

    >>> asked = Conversation.of({"prompt": "2 + 2 =", "completion": " 4"})
    >>> asked.answer, asked.plain
    (' 4', True)
    """

    messages: tuple[Mapping[str, Any], ...]  # each with a role and, as a rule, a content
    first: int = 0  # index of the first message that may be learned from
    plain: bool = False  # prompt and completion are plain text, without a template
    tools: tuple[Mapping[str, Any], ...] = ()  # JSON schemas; the assistant may call them
    kind: str = ""  # of question, if the examples are of several kinds
    where: str = field(default="", compare=False)  # the row's origin, for error messages

    @classmethod
    def of(cls, row: Mapping[str, Any], where: str = "the row") -> Conversation:
        """A conversation from a row of a file or of a data set.

        Args:
            row: ``{"messages": [...]}`` or ``{"prompt": ..., "completion": ...}``. The fields
                ``system`` (the text of a first message), ``tools``, ``functions`` and ``kind`` are
                read too.
            where: the origin of the row, for error messages.

        Raises:
            ValueError: the row is in neither form, or in two that say different things; it has a
                field that kdlab cannot use, such as ``images``; no message is to be learned from;
                or its ``label`` is false, TRL's mark of an unwanted answer. The message names the
                field.
        """
        if not isinstance(row, Mapping):
            raise ValueError(
                f"{where}: it is {_kind(row)}, not an object with fields"
                + ("; a data set gives them with_format(None)" * hasattr(row, "columns"))
            )
        given = _as_read(row)
        row = {name: value for name, value in given.items() if not _missing(value)}
        for name, why in NOT_READ.items():
            value = row.get(name)
            if value is not None and not (isinstance(value, Sized) and len(value) == 0):
                raise ValueError(f"{where}: it has {name!r}, and {why}")
        tools = _tools(row.get("tools"), where)
        for each in _tools(row.get("functions"), where):  # the older form of tools
            tools = (*tools, {"type": "function", "function": each})
        kind = str(row.get("kind") or "")
        if row.get("label") is False:
            raise ValueError(f"{where}: its 'label' is false, so its answer is not to be learned")
        row = _of_one_form(row, where)
        for name in ("messages", "conversations"):
            if name in row:
                messages = _behind_system(row, _messages(row[name], name, where), where)
                return cls(*_checked(messages, 0, name, where), False, tools, kind, where)
        missing = [name for name in ("prompt", "completion") if name not in row]
        if missing:
            has = (f"{'' if name in row else 'an empty '}{name!r}" for name in given)
            raise ValueError(
                f"{where}: it has neither 'messages' nor both of 'prompt' and 'completion', only "
                f"{', '.join(has) or 'nothing'}; rename its columns, or fill them"
            )
        prompt, completion = row["prompt"], row["completion"]
        plain = isinstance(prompt, str) and isinstance(completion, str)
        before = _messages(_as_list(prompt, "user"), "prompt", where)
        if plain and row.get("system"):
            raise ValueError(
                f"{where}: 'system' has no place beside a prompt and a completion that are text; "
                "put all three under 'messages'"
            )
        before = _behind_system(row, before, where)
        after = _messages(_as_list(completion, "assistant"), "completion", where)
        found = _checked((*before, *after), len(before), "completion", where)
        return cls(*found, plain, tools, kind, where)

    @property
    def prompt(self) -> tuple[Mapping[str, Any], ...]:
        """All messages before the assistant's last one."""
        return self.messages[: self._last]

    @property
    def answer(self) -> str:
        """The text of the assistant's last message; empty if it has none."""
        return self.messages[self._last].get("content") or ""

    def learned(self, i: int) -> bool:
        """Whether to learn from message i: the assistant's, from ``first`` on, not of weight 0."""
        message = self.messages[i]
        counts = message["role"] == "assistant" and message.get("weight") != 0
        return counts and i >= self.first

    @property
    def _last(self) -> int:
        roles = [message["role"] for message in self.messages]
        return len(roles) - 1 - roles[::-1].index("assistant")

    @property
    def opening(self) -> str:
        """The messages before the assistant's first, or else message 0, as JSON, to split by."""
        asked = []
        for message in self.messages[: self.first or None]:
            if message["role"] == "assistant":
                break
            asked.append(message)
        return json.dumps(asked or [self.messages[0]], sort_keys=True, default=str)


def _as_list(value: Any, role: str) -> Any:
    return [{"role": role, "content": value}] if isinstance(value, str) else value


def _of_one_form(row: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A row without the forms that are empty, if one is not.

    Raises:
        ValueError: conversations in two forms differ, but for the system's words.
    """
    forms = [names for names in FORMS if all(row.get(name) for name in names)]
    said = []
    for names in forms if len(forms) > 1 else ():
        own = {name: row[name] for name in (*names, "tools", "functions") if name in row}
        messages = Conversation.of(own, where).messages
        said.append([each for each in messages if each["role"] != "system"])
    if any(each != said[0] for each in said):
        told = " and ".join(" with ".join(map(repr, names)) for names in forms)
        raise ValueError(f"{where}: {told} say different things; keep one of them")
    empty = {name for names in FORMS if forms and names not in forms for name in names}
    return {name: value for name, value in row.items() if name not in empty}


def _behind_system(
    row: Mapping[str, Any], messages: tuple[Mapping[str, Any], ...], where: str
) -> tuple[Mapping[str, Any], ...]:
    """The messages, with the row's ``system``, if any, as a first message, as ShareGPT means it."""
    said = row.get("system", "")
    if said == "":
        return messages
    if not isinstance(said, str):
        raise ValueError(f"{where}: 'system' is {_kind(said)}, not text")
    if messages and messages[0]["role"] in ("system", "developer"):
        if messages[0].get("content") == said:
            return messages
        raise ValueError(f"{where}: 'system' and the first message both speak for the system")
    return ({"role": "system", "content": said}, *messages)


def _messages(value: Any, name: str, where: str) -> tuple[Mapping[str, Any], ...]:
    """The messages in a field, with other programs' names in them replaced by kdlab's."""
    value = _parsed(value)
    if not isinstance(value, Sequence) or isinstance(value, str):
        what = "neither text nor" if name in ("prompt", "completion") else "not"
        raise ValueError(f"{where}: {name!r} is {_kind(value)}, {what} a list of messages")
    return tuple(_message(item, f"{where}: {name}[{i}]") for i, item in enumerate(value))


def _message(item: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(item, Mapping):
        raise ValueError(f"{where} is {_kind(item)}, not an object with a role")
    if "role" not in item and "from" in item:
        others = {name: value for name, value in item.items() if name not in ("from", "value")}
        item = {"role": item["from"], "content": item.get("value"), **others}
    role = item.get("role")
    role = CALLED.get(role, role) if isinstance(role, str) else role
    if role not in ROLES:
        raise ValueError(f"{where}.role is {role!r}; known are {', '.join(ROLES)}")
    message = {name: value for name, value in item.items() if not _missing(value)}
    message["role"] = role
    for name in WEIGHT:
        weight = message.pop(name, 1)
        if weight not in (0, 1):
            raise ValueError(f"{where}.{name} is {weight!r}; known are 0 and 1")
        if weight == 0:
            message["weight"] = 0
    calls = message.pop("tool_calls", ())
    if not isinstance(calls, Sequence) or isinstance(calls, str):
        raise ValueError(f"{where}.tool_calls is {_kind(calls)}, not a list of calls")
    if "function_call" in message:  # the older form of a call
        calls = [*calls, {"type": "function", "function": message.pop("function_call")}]
    if calls:
        message["tool_calls"] = [_called(call, where) for call in calls]
    content = message.get("content")
    if isinstance(content, Sequence) and not isinstance(content, str):
        parts = [{"text": part} if isinstance(part, str) else part for part in content]
        kinds = {_part(part) for part in parts} - {*TEXT}
        if kinds:
            raise ValueError(
                f"{where}.content has parts of the kind {', '.join(sorted(kinds))}; "
                "kdlab trains on text"
            )
        texts = [part.get("text") or "" for part in parts]
        odd = next((text for text in texts if not isinstance(text, str)), "")
        if odd != "":
            raise ValueError(f"{where}.content has a part whose text is {_kind(odd)}")
        content = message["content"] = "".join(texts)
    if content is None and "tool_calls" in message:
        return message
    if not isinstance(content, str):
        raise ValueError(f"{where}.content is {_kind(content)}, not text")
    check_characters(content, f"{where}.content")
    return message


def _part(part: Any) -> str:
    return str(part.get("type", "text")) if isinstance(part, Mapping) else type(part).__name__


def _missing(value: Any) -> bool:
    """Whether a value is None or NaN; pandas puts NaN where only other rows have the column."""
    return value is None or (isinstance(value, float) and value != value)


def _as_read(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with the fields in ``LOOKED_AT`` as JSON would have them, the others unchanged."""
    return {name: _of_python(value) if name in LOOKED_AT else value for name, value in row.items()}


def _of_python(value: Any) -> Any:
    """A value of a row with arrays and tensors, which data sets may give, as numbers and lists."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, Mapping):
        return {name: _of_python(part) for name, part in value.items()}
    return [_of_python(part) for part in value] if isinstance(value, list | tuple) else value


def _kind(value: Any) -> str:
    return "missing" if value is None else f"of type {type(value).__name__}"


def _called(call: Any, where: str) -> Mapping[str, Any]:
    """A tool call whose arguments are an object, as templates want; servers give them as text."""
    if not isinstance(call, Mapping):
        raise ValueError(f"{where} has a call of a tool that is {_kind(call)}, not an object")
    if "function" in call:
        return {**call, "function": _called(call["function"], where)}
    return {**call, "arguments": _parsed(call.get("arguments", {}))}


def _parsed(value: Any) -> Any:
    """The list or object that a string holds as JSON; any other value unchanged.

    Data sets keep in such strings what has no fixed columns.
    """
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return value


def _tools(value: Any, where: str) -> tuple[Mapping[str, Any], ...]:
    value = _parsed(value) or ()
    several = isinstance(value, Sequence) and not isinstance(value, str)
    if not several or not all(isinstance(tool, Mapping) for tool in value):
        raise ValueError(f"{where}: 'tools' is no list of JSON schemas")
    return tuple(value)


def _checked(
    messages: tuple[Mapping[str, Any], ...], first: int, name: str, where: str
) -> tuple[tuple[Mapping[str, Any], ...], int]:
    if not any(message["role"] == "assistant" for message in messages[first:]):
        raise ValueError(f"{where}: no message under {name!r} is the assistant's: nothing to learn")
    if all(m.get("weight") == 0 for m in messages[first:] if m["role"] == "assistant"):
        raise ValueError(f"{where}: all of the assistant's have weight 0: nothing to learn")
    return messages, first


def read_conversations(data: Any, name: str = "") -> Iterator[Conversation]:
    """Conversations one by one; rows of a data set are turned into conversations.

    Nulls that a table of Hugging Face filled in are left out: see :mod:`kdlab.tables`.

    Args:
        data: conversations, or rows.
        name: name of the data set, for error messages.

    Raises:
        ValueError: ``data`` is something else; or a row is no conversation, and the message gives
            its number, from 0.
    """
    check_conversations(data)
    rows = data if isinstance(data, Iterable) else (data[i] for i in range(len(data)))
    for i, each in enumerate(rows):
        if isinstance(each, Conversation):
            yield each
        else:
            features = getattr(part_of_row(data, i), "features", None)
            of_table = isinstance(features, Mapping) and isinstance(each, Mapping)
            row = without_filled(_as_read(each), cast(Any, features)) if of_table else each
            yield Conversation.of(row, f"{name}, row {i}" if name else f"row {i}")


def check_conversations(data: Any) -> None:
    """Raise ValueError unless ``data`` can give rows or conversations, one by one."""
    what = type(data).__name__
    told = f"{'an' if what[0] in 'aeiouAEIOU' else 'a'} {what}"
    if isinstance(data, Mapping):
        told += f" with {', '.join(map(str, list(data)[:4]))}"
        remedy = "one of its splits"
        if {"messages", "conversations", "prompt"} & data.keys():
            remedy = "for one row, a list of it"
    elif of_table := rows_of_table(data):
        remedy = of_table
    elif isinstance(data, Examples):
        remedy = "its .train or .validation"
    elif isinstance(data, str | Path):
        told, remedy = f"{told} {str(data)!r}", "load_examples(path) reads a file"
    elif isinstance(data, Iterable) or (hasattr(data, "__len__") and hasattr(data, "__getitem__")):
        return
    else:
        told, remedy = f"{told} {data!r:.40}", "a list of them"
    raise ValueError(f"conversations are {told}: rows of conversations are needed; {remedy}")


@checked
@dataclass(frozen=True)
class Examples:
    """Conversations, split once and for all into those to train on and those to validate on.

    The hash of the messages before the assistant's first one decides which split a conversation is
    in. So the split depends neither on the order nor on the other conversations, and those with the
    same opening messages are in the same split. With few conversations, one split may be empty.

    >>> rows = [{"prompt": f"{i} + 1 =", "completion": f" {i + 1}"} for i in range(1000)]
    >>> examples = Examples.of(rows, "sums")
    >>> len(examples.train) + len(examples.validation)
    1000
    """

    name: str  # stands in the names of cache files and of a teacher's folder
    conversations: tuple[Conversation, ...] = field(repr=False)  # those of both splits
    validation_percent: int = 10  # percent of the openings in validation, on average

    def __post_init__(self) -> None:
        check_percent(self.validation_percent)
        read = read_conversations(self.conversations, self.name)  # of rows, or of a stream, too
        object.__setattr__(self, "conversations", tuple(read))

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]], name: str = "examples") -> Examples:
        """Examples from the rows of any data set, such as one of Hugging Face.

        Raises:
            ValueError: a row is no conversation; the message gives its number, from 0.
        """
        return cls(name, tuple(read_conversations(rows, name)))

    @cached_property
    def sha256(self) -> str:
        """A fingerprint of the conversations, in their order, and of ``validation_percent``."""
        digest = hashlib.sha256(f"{self.validation_percent}".encode())
        for each in self.conversations:
            shown = [each.messages, each.first, each.plain, each.tools]
            digest.update(
                hashlib.sha256(json.dumps(shown, sort_keys=True, default=str).encode()).digest()
            )
        return digest.hexdigest()

    @property
    def train(self) -> list[Conversation]:
        """The conversations to train on."""
        return [each for each in self.conversations if not self._held_out(each)]

    @property
    def validation(self) -> list[Conversation]:
        """The conversations to measure on."""
        return [each for each in self.conversations if self._held_out(each)]

    def _held_out(self, conversation: Conversation) -> bool:
        return held_out(conversation.opening, self.validation_percent)


@checked
def load_examples(name: str | os.PathLike[str]) -> Examples:
    r"""Conversations by name.

    Args:
        name: ``"pydocs-qa"`` or ``"reckoning"``, which come with kdlab; or the path of a file of
            JSON lines; or ``hf:`` and the name of a Hugging Face data set. After an ``@``, the name
            may give a split or a part of one, instead of ``train``. ``hf:`` also reads files of
            Parquet, CSV or compressed JSON.

    Raises:
        ValueError: the name is none of these; or a row is no conversation, and the message gives
            its line and the field.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "chat.jsonl"
    >>> _ = path.write_text('{"prompt": "2 + 2 =", "completion": " 4"}\n')
    >>> load_examples(path).conversations[0].answer
    ' 4'
    """
    name = as_name(name)
    if name in ("pydocs-qa", "reckoning"):
        from kdlab import questions

        return {"pydocs-qa": questions.pydocs_qa, "reckoning": questions.reckoning}[name]()
    if name.startswith("hf:"):
        title, data = hugging_face(name.removeprefix("hf:"))
        return Examples.of(data, title)
    if not Path(name).is_file():
        raise ValueError(
            f"unknown examples {name!r}: it is not 'pydocs-qa' or 'reckoning', not a file of JSON "
            "lines, and does not begin with 'hf:'"
        )
    read = json_rows(Path(name))
    return Examples(Path(name).stem, tuple(Conversation.of(row, where) for where, row in read))
