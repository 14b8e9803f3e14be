"""Conversations to learn from: what was asked, and what an assistant is to answer.

A file has a conversation a line, in one of the two forms that the ecosystem has::

    {"messages": [{"role": "user", "content": "..."}, ...]}
    {"prompt": "...", "completion": "..."}

The values of ``prompt`` and ``completion`` may also be lists of messages. Two strings are text as
it is: no template is put around them. ShareGPT's ``conversations``, with ``from`` and ``value``,
are read as messages; a text in the field ``system`` becomes the first message. An answer whose
message has ``"weight": 0``, or ``"train": false``, is read and not learned.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from kdlab.arguments import checked
from kdlab.batches import parts_of, rows_of_table
from kdlab.data import check_characters, held_out, hugging_face
from kdlab.json_lines import json_rows
from kdlab.tables import without_filled

__all__ = ["Conversation", "Examples", "load_examples"]

ROLES = ("system", "developer", "user", "assistant", "tool")
CALLED = {"human": "user", "gpt": "assistant", "model": "assistant", "function": "tool"}
"""Names of roles elsewhere."""
TEXT = ("text", "input_text", "output_text")  # kinds of parts that a content may have
PICTURES = "kdlab trains on text; leave such rows out"
NOT_READ = dict.fromkeys(("image", "images", "video", "videos", "audio", "audios"), PICTURES) | {
    "chat_template_kwargs": "kdlab renders all rows alike; remove it, and set what it says as "
    "defaults in the tokenizer's chat template"
}
"""Columns that change what an answer answers, and why they are refused."""
LOOKED_AT = {"messages", "conversations", "prompt", "completion", "system", "tools", "functions"}
LOOKED_AT |= {"kind", "label", *NOT_READ}
"""Columns that are looked at; others, such as tokens by the thousand, are left as they are."""
WEIGHT = ("weight", "train")  # fields by which an answer says whether it is to be learned


@dataclass(frozen=True)
class Conversation:
    """Messages in their order, some of them an assistant's.

    >>> asked = Conversation.of({"prompt": "2 + 2 =", "completion": " 4"})
    >>> asked.answer, asked.plain
    (' 4', True)
    """

    messages: tuple[Mapping[str, Any], ...]  # each with a role and, as a rule, a content
    first: int = 0  # the assistant's messages count from this one on
    plain: bool = False  # a text and how it goes on, without a template
    tools: tuple[Mapping[str, Any], ...] = ()  # that the assistant may call, as JSON schemas
    kind: str = ""  # of question, where examples are of several
    where: str = field(default="", compare=False)  # it was read from, for error messages

    @classmethod
    def of(cls, row: Mapping[str, Any], where: str = "the row") -> Conversation:
        """A conversation from a row of a file or of a data set.

        Args:
            row: ``{"messages": [...]}`` or ``{"prompt": ..., "completion": ...}``; of other
                fields ``system`` (text of a message that comes first), ``tools``, ``functions``
                and ``kind`` are read.
            where: it was read from, for error messages.

        Raises:
            ValueError: the row is in neither form, or its ``label`` is false, by which TRL marks an
                answer that is not wanted; the field is named.
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
        for each in _tools(row.get("functions"), where):  # their form before there were tools
            tools = (*tools, {"type": "function", "function": each})
        kind = str(row.get("kind") or "")
        if row.get("label") is False:
            raise ValueError(f"{where}: its 'label' is false, so its answer is not to be learned")
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
        """All messages before the last one of the assistant."""
        return self.messages[: self._last]

    @property
    def answer(self) -> str:
        """What the assistant says last."""
        return self.messages[self._last].get("content") or ""

    def learned(self, i: int) -> bool:
        """Whether a message is one to learn from: the assistant's, and not one of weight 0."""
        message = self.messages[i]
        counts = message["role"] == "assistant" and message.get("weight") != 0
        return counts and i >= self.first

    @property
    def _last(self) -> int:
        roles = [message["role"] for message in self.messages]
        return len(roles) - 1 - roles[::-1].index("assistant")

    @property
    def opening(self) -> str:
        """What is asked before the assistant first speaks, as one text: by it data are split."""
        asked = []
        for message in self.messages[: self.first or None]:
            if message["role"] == "assistant":
                break
            asked.append(message)
        return json.dumps(asked or [self.messages[0]], sort_keys=True, default=str)


def _as_list(value: Any, role: str) -> Any:
    return [{"role": role, "content": value}] if isinstance(value, str) else value


def _behind_system(
    row: Mapping[str, Any], messages: tuple[Mapping[str, Any], ...], where: str
) -> tuple[Mapping[str, Any], ...]:
    """Messages after what a column beside them says for the system, as ShareGPT's files do."""
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
    """Messages as they are, but for what other programs call by other names."""
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
    if "function_call" in message:  # its form before there were tools
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
    """As JSON says it, or as pandas does where other rows have the column."""
    return value is None or (isinstance(value, float) and value != value)


def _as_read(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row whose fields that are looked at are as JSON has them; others are as they were."""
    return {name: _of_python(value) if name in LOOKED_AT else value for name, value in row.items()}


def _of_python(value: Any) -> Any:
    """A value of a row as JSON has it; data sets may give arrays and tensors for its parts."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, Mapping):
        return {name: _of_python(part) for name, part in value.items()}
    return [_of_python(part) for part in value] if isinstance(value, list | tuple) else value


def _kind(value: Any) -> str:
    return "missing" if value is None else f"of type {type(value).__name__}"


def _called(call: Any, where: str) -> Mapping[str, Any]:
    """A call of a tool; templates want its arguments as an object, servers give them as text."""
    if not isinstance(call, Mapping):
        raise ValueError(f"{where} has a call of a tool that is {_kind(call)}, not an object")
    if "function" in call:
        return {**call, "function": _called(call["function"], where)}
    return {**call, "arguments": _parsed(call.get("arguments", {}))}


def _parsed(value: Any) -> Any:
    """What a string holds if it is JSON, as data sets keep what has no fixed columns."""
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
    """Conversations one after the other, and rows of a data set as conversations.

    A table of Hugging Face fills in nulls: see :mod:`kdlab.tables`.

    Args:
        data: the rows.
        name: of the data set, for error messages.

    Raises:
        ValueError: something else was given, or a row is no conversation; it is told by its number.
    """
    check_conversations(data)
    parts = parts_of(data)
    features = getattr(parts[0], "features", None) if len(parts) == 1 else None
    rows = data if isinstance(data, Iterable) else (data[i] for i in range(len(data)))
    for i, each in enumerate(rows):
        if isinstance(each, Conversation):
            yield each
        else:
            of_table = isinstance(features, Mapping) and isinstance(each, Mapping)
            row = without_filled(_as_read(each), cast(Any, features)) if of_table else each
            yield Conversation.of(row, f"{name}, row {i}" if name else f"row {i}")


def check_conversations(data: Any) -> None:
    """Raise ValueError if something does not give conversations, one after the other."""
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

    The hash of its first question decides where a conversation belongs. So the split depends
    neither on the order nor on the other conversations, and no question is in both parts. Of few
    conversations, one part may be empty.

    >>> rows = [{"prompt": f"{i} + 1 =", "completion": f" {i + 1}"} for i in range(1000)]
    >>> examples = Examples.of(rows, "sums")
    >>> len(examples.train) + len(examples.validation)
    1000
    """

    name: str  # by which the cache and a teacher's folder call it
    conversations: tuple[Conversation, ...] = field(repr=False)  # of both parts
    validation_percent: int = 10  # of the questions, on average

    def __post_init__(self) -> None:
        if not isinstance(self.conversations, tuple):  # it may be read once
            read = read_conversations(self.conversations, self.name)
            object.__setattr__(self, "conversations", tuple(read))

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]], name: str = "examples") -> Examples:
        """From rows of any data set; those of a Hugging Face dataset for one.

        Raises:
            ValueError: a row is no conversation; it is told by its number, from 0.
        """
        return cls(name, tuple(read_conversations(rows, name)))

    @cached_property
    def sha256(self) -> str:
        """A fingerprint of the conversations and the split."""
        digest = hashlib.sha256(f"{self.validation_percent}".encode())
        for each in self.conversations:
            shown = [each.messages, each.first, each.plain, each.tools]
            digest.update(
                hashlib.sha256(json.dumps(shown, sort_keys=True, default=str).encode()).digest()
            )
        return digest.hexdigest()

    @property
    def train(self) -> list[Conversation]:
        """The conversations to learn from."""
        return [each for each in self.conversations if not self._held_out(each)]

    @property
    def validation(self) -> list[Conversation]:
        """The conversations to measure on."""
        return [each for each in self.conversations if self._held_out(each)]

    def _held_out(self, conversation: Conversation) -> bool:
        return held_out(conversation.opening, self.validation_percent)


@checked
def load_examples(name: str | Path) -> Examples:
    r"""Conversations by name.

    Args:
        name: ``"pydocs-qa"`` or ``"reckoning"``, which come with kdlab; or the path of a file of
            JSON lines; or ``hf:`` and the name of a Hugging Face data set, and after an ``@`` the
            split or the part of it. Files of Parquet, CSV or compressed JSON are such data sets.

    Raises:
        ValueError: the name is none of these; or a row is no conversation: its line is told, and
            the field.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "chat.jsonl"
    >>> _ = path.write_text('{"prompt": "2 + 2 =", "completion": " 4"}\n')
    >>> load_examples(path).conversations[0].answer
    ' 4'
    """
    name = str(name)
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
