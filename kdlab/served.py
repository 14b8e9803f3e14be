"""A teacher on a server: the top log-probabilities that the server returns, in a top-k store.

A file has one response a line, in any of these formats of OpenAI, vLLM and llama.cpp:

- a chat completion's ``logprobs.content[].top_logprobs``, with ``token`` and ``bytes``; the same in
  OpenAI's newer ``output[].content[].logprobs``, and in llama.cpp's ``completion_probabilities``;
- a completion's ``logprobs.top_logprobs``, a dictionary for each token of the text;
- vLLM's ``prompt_logprobs``, keyed by token id, which score a text that the server was given.

In the first two, the teacher wrote the answer itself, and the student learns from that answer. The
third scores a text of yours, and it alone says how likely the end of an answer is.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from tokenizers import pre_tokenizers
from torch import Tensor

from kdlab.arguments import check_temperature, check_whole, checked
from kdlab.batches import collate
from kdlab.chats import ChatDataset
from kdlab.files import whole_or_not_at_all
from kdlab.topk_file import (
    beginning,
    header_of,
    is_written,
    record_type,
    records_of,
    table_of,
)

__all__ = ["ServedReport", "write_served_store"]


class Position(NamedTuple):
    """What a teacher says at one position."""

    chosen: int  # the token at this position
    listed: dict[int, float]  # token id -> log-probability, for each token that is listed


@dataclass
class ServedReport:
    """What :func:`kdlab.write_served_store` made of a server's responses.

    >>> print(ServedReport(rows=[{}], positions=9, k=5, unknown={"�": 2}))
    1 row, 9 positions, 5 tokens each. 2 of those listed have no id in the tokenizer, '�' for \
one, and are part of the tail.
    """

    rows: list[dict[str, Tensor]] = field(repr=False)  # to train on, in the store's order
    positions: int = 0  # for which the teacher gave log-probabilities
    k: int = 0  # tokens that are stored at each of these positions
    unknown: dict[str, int] = field(default_factory=dict)  # listed token without an id -> count

    def __str__(self) -> str:
        rows = "1 row" if len(self.rows) == 1 else f"{len(self.rows):,} rows"
        said = f"{rows}, {self.positions:,} positions, {self.k} tokens each."
        if self.unknown:
            said += (
                f" {sum(self.unknown.values()):,} of those listed have no id in the tokenizer, "
                f"{next(iter(self.unknown))!r} for one, and are part of the tail."
            )
        return said


@checked
def write_served_store(
    responses: str | Path,
    data: ChatDataset,
    path: str | Path,
    *,
    k: int | None = None,
    temperature: float = 1.0,
    vocabulary: int | None = None,
) -> ServedReport:
    """Read a server's responses, one a line, and write their log-probabilities as a top-k store.

    Args:
        responses: JSON lines; line i is the response for row i of the data. For
            ``prompt_logprobs``, the prompt must have been the row's own token ids; in the other
            formats, the server answered the conversation. A batch API returns lines in any order
            and leaves out failed requests: sort the lines by the number in ``custom_id``, and leave
            the failed rows out of the data, too.
        data: the conversations that were answered, in that order, with the teacher's tokenizer.
        path: the store, for :class:`kdlab.TopKTeacher`.
        k: tokens to keep at each position; None for the smallest number that a position lists.
        temperature: at which the log-probabilities were taken; servers give them at 1.
        vocabulary: entries of the student's vocabulary, if it has more than the tokenizer.

    Returns:
        The rows to train on, and the listed tokens that have no id in the tokenizer.

    Raises:
        ValueError: a response lists no log-probabilities, is about another text, is out of order,
            or has a token in its text without an id; the message names the line. Or there are no
            responses, more responses than rows, or fewer than ``k`` tokens at a position. Or ``k``,
            the temperature or the vocabulary is outside its range. Or the path holds another store
            or something else, which is not replaced.

    >>> from kdlab import Examples, TopKTeacher, train_chat_tokenizer
    >>> import tempfile
    >>> row = {"messages": [{"role": "user", "content": "Hi?"},
    ...                     {"role": "assistant", "content": "Yes."}]}
    >>> data = ChatDataset([row], train_chat_tokenizer(Examples.of([row] * 30), 300))
    >>> scores = [None] + [{str(i): {"logprob": -0.5}} for i in data[0]["input_ids"][1:].tolist()]
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "served.jsonl").write_text(json.dumps({"prompt_logprobs": scores}))
    >>> report = write_served_store(folder / "served.jsonl", data, folder / "teacher.topk")
    >>> TopKTeacher(folder / "teacher.topk", report.rows).read(torch.tensor([0])).ids.shape
    torch.Size([1, 7, 1])
    """
    k = None if k is None else check_whole("k", k, least=1)
    temperature = check_temperature(temperature)
    tokens, report = TokenIds(data.tokenizer), ServedReport([])
    spoken: list[list[Position | None]] = []
    for i, (where, response) in enumerate(_lines(Path(responses), len(data))):
        if i >= len(data):
            raise ValueError(f"{where}: there are more responses than the {len(data)} rows")
        row, positions = _row(response, data, i, tokens, report, where)
        report.rows.append(row)
        spoken.append(positions)
    if not spoken:
        raise ValueError(f"{responses} has no responses: it is empty")
    listed = [len(each.listed) for row in spoken for each in row if each is not None]
    if not listed:
        raise ValueError(
            f"{responses} has no token of an answer to learn: each prompt is empty, and each "
            "answer is one token, which no token before it predicts"
        )
    report.positions, report.k = len(listed), min(listed) if k is None else k
    if min(listed) < report.k:
        raise ValueError(f"a position lists {min(listed)} tokens, fewer than k={report.k}")
    highest = max(max(each.listed) for row in spoken for each in row if each is not None)
    entries = check_whole("vocabulary", len(tokens) if vocabulary is None else vocabulary)
    if entries <= highest:
        raise ValueError(f"vocabulary is {entries}, but a response lists the token {highest}")
    _write(Path(path), report, spoken, entries, temperature, data.tokenizer_sha256)
    return report


def _lines(path: Path, rows: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Where each response stands, and the response; ``rows`` is how many there should be."""
    before = None
    lines = path.read_text(encoding="utf-8-sig").split("\n")
    whole = sum(bool(line.strip()) for line in lines) >= rows
    for number, line in enumerate(lines, 1):
        where = f"{path}, line {number}"
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{where}: it is no JSON: {error.msg}") from None
        if isinstance(found, Mapping):
            before = _in_its_place(found.get("custom_id"), before, where, whole)
        for wrapper in ("response", "body"):  # of OpenAI's batches
            if isinstance(found, Mapping) and isinstance(found.get(wrapper), Mapping):
                found = found[wrapper]
        if not isinstance(found, Mapping):
            raise ValueError(
                f"{where}: it is of type {type(found).__name__}, not a response; a file of JSON "
                "lines has one response a line"
            )
        yield where, found


def _in_its_place(name: Any, before: Any, where: str, whole: bool) -> Any:
    """Return a request's ``custom_id``; ValueError if its number does not follow the one before.

    If the file is ``whole``, with a response for each row, the number need only be larger: those
    in between failed, and are not among the rows either.
    """
    this, last = (re.fullmatch(r"(.*?)(\d+)(\D*)", str(each)) for each in (name, before))
    if not (this and last and this.group(1, 3) == last.group(1, 3)):
        return name
    step = int(this[2]) - int(last[2])
    if step < 1 or (step > 1 and not whole):
        raise ValueError(
            f"{where}: custom_id {name!r} follows {before!r}: a batch's lines are in any order, "
            "and what failed is not among them, but line i is taken for row i; sort the lines, and "
            "make the data of the conversations that were answered"
        )
    return name


def _row(
    response: Mapping[str, Any],
    data: ChatDataset,
    i: int,
    tokens: TokenIds,
    report: ServedReport,
    where: str,
) -> tuple[dict[str, Tensor], list[Position | None]]:
    """The row that a response is about, and a Position, or None, for each token after the first."""
    if response.get("error"):
        raise ValueError(f"{where}: the server answered with an error: {response['error']}")
    choices = response.get("choices") or [{}]
    choice = choices[0]
    scores = response.get("prompt_logprobs") or choice.get("prompt_logprobs")
    if scores:
        row = data[i]
        known = row["input_ids"].tolist()
        if len(scores) != len(known):
            raise ValueError(
                f"{where}: it scores {len(scores)} tokens, the row has {len(known)}; give the "
                "server data[i]['input_ids'].tolist() as its prompt"
            )
        pairs = zip(known[1:], scores[1:], strict=True)
        return row, [_scored(token, each, f"{where}: token {n}") for n, (token, each) in
                     enumerate(pairs, 1)]  # fmt: skip
    if len(choices) > 1:
        raise ValueError(f"{where}: it has {len(choices)} choices; ask for n=1")
    said = [
        _said(each, tokens, report, f"{where}: token {n} of the answer")
        for n, each in enumerate(_listed(response, choice.get("logprobs"), where))
    ]
    prompt = data.template.encode_prompt(data.conversations[i])
    whole = torch.tensor([*prompt, *(each.chosen for each in said)], device="cpu")
    labels = whole.clone()
    labels[: max(1, len(prompt))] = -100  # no token before the first predicts it
    return {"input_ids": whole, "labels": labels}, [*[None] * len(prompt), *said][1:]


def _scored(token: int, score: Mapping[str, Any] | None, where: str) -> Position:
    """A position of vLLM's ``prompt_logprobs``; ``score`` must list the ``token`` itself, too."""
    found = {
        int(i): _log_prob(each["logprob"] if isinstance(each, Mapping) else each, where)
        for i, each in (score or {}).items()
    }
    if token not in found:
        raise ValueError(f"{where}: the server scored another text: token {token} is not listed")
    return _position(token, found, where)


def _log_prob(value: Any, where: str) -> float:
    if isinstance(value, int | float) and value <= 0.01:  # servers round, so just above 0
        return float(value)
    raise ValueError(f"{where}: {value!r} is no natural log-probability")


def _position(token: int, listed: dict[int, float], where: str) -> Position:
    mass = sum(map(math.exp, listed.values()))
    if mass > 1.01:
        raise ValueError(
            f"{where}: the tokens that the server lists have a mass of {mass:.4g}: these are no "
            "natural log-probabilities of one position"
        )
    return Position(token, listed)


def _listed(
    response: Mapping[str, Any], logprobs: Any, where: str
) -> list[tuple[Any, dict[Any, Any]]]:
    """Each token of an answer, and the log-probabilities listed there, its own included."""
    content = response.get("completion_probabilities")  # llama.cpp
    for part in response.get("output") or ():  # OpenAI's Responses
        for text in part.get("content") or ():
            content = [*(content or ()), *(text.get("logprobs") or ())]
    if isinstance(logprobs, Mapping):
        content = content or logprobs.get("content")
    if content and all("logprob" in each for each in content):
        return [
            (
                _token(each),
                {
                    _token(one): one.get("logprob")
                    for one in (*(each.get("top_logprobs") or ()), each)
                },
            )
            for each in content
        ]
    if isinstance(logprobs, Mapping) and logprobs.get("tokens") and logprobs.get("top_logprobs"):
        chosen = logprobs["tokens"], logprobs["token_logprobs"], logprobs["top_logprobs"]
        return [
            (token, {**(top or {}), token: log_prob})
            for token, log_prob, top in zip(*chosen, strict=True)
        ]
    raise ValueError(
        f"{where}: it lists no log-probabilities; ask the server for logprobs and top_logprobs, or "
        "vLLM for prompt_logprobs"
    )


def _token(listed: Mapping[str, Any]) -> Any:
    """A token by its id or bytes where given: a text cannot show a part of a character."""
    if isinstance(listed.get("id"), int):
        return f"token_id:{listed['id']}"
    return bytes(listed["bytes"]) if listed.get("bytes") else listed["token"]


def _said(
    listed: tuple[Any, dict[Any, Any]], tokens: TokenIds, report: ServedReport, where: str
) -> Position:
    chosen, beside = listed
    token = tokens.find(chosen)
    if token is None:
        raise ValueError(
            f"{where}: {chosen!r} has no id in the tokenizer, or several; take the teacher's own "
            "tokenizer, or let the server give bytes or token ids"
        )
    found: dict[int, float] = {}
    for name, value in beside.items():
        log_prob, i = _log_prob(value, where), tokens.find(name)
        if i is None:
            shown = name.decode(errors="replace") if isinstance(name, bytes) else str(name)
            report.unknown[shown] = report.unknown.get(shown, 0) + 1
        else:
            found[i] = max(log_prob, found.get(i, -math.inf))
    return _position(token, found, where)


class TokenIds:
    """Finds the id of a token, given its text or bytes.

    >>> from kdlab import reckoning, train_chat_tokenizer
    >>> tokenizer = train_chat_tokenizer(reckoning(200), 400)
    >>> ids = TokenIds(tokenizer)
    >>> ids.find(" days") == ids.find(b" days") == tokenizer.encode(" days")[0]
    True
    """

    def __init__(self, tokenizer: Any):
        vocabulary = tokenizer.get_vocab()
        special = {str(token) for token in tokenizer.added_tokens_decoder.values()}
        bytes_of = _byte_alphabet(vocabulary)
        self.entries: int = 1 + max(vocabulary.values())
        self.known: dict[bytes, int | None] = {}  # None: several tokens have these bytes
        self.single: dict[bytes, int] = {}  # byte tokens such as <0x0A>, a fallback
        for token, i in vocabulary.items():
            if token in special:
                key = token.encode()
            elif bytes_of is not None:
                key = bytes(bytes_of[character] for character in token)
            elif re.fullmatch(r"<0x[0-9A-F]{2}>", token):
                self.single[bytes([int(token[3:5], 16)])] = i
                continue
            else:
                key = token.replace("▁", " ").encode()
            self.known[key] = None if key in self.known else i

    def __len__(self) -> int:
        return int(self.entries)

    def find(self, token: str | bytes) -> int | None:
        """The id of a token as a server names it; None if no token, or more than one, fits."""
        if isinstance(token, str):
            numbered = re.fullmatch(r"token_id:(\d+)", token)  # vLLM's return_tokens_as_token_ids
            if numbered:
                return int(numbered[1]) if int(numbered[1]) < self.entries else None
            if "\ufffd" in token:  # stands for any part of a character, so it is ambiguous
                return None
            if token.startswith("bytes:"):  # a part of a character, in completions
                raw = token.removeprefix("bytes:").encode().decode("unicode_escape")
                token = raw.encode("latin-1")
            else:
                token = token.encode(errors="surrogatepass")
        return self.known[token] if token in self.known else self.single.get(token)


def _byte_alphabet(vocabulary: Mapping[str, int]) -> dict[str, int] | None:
    """The byte that each character of a byte-level tokenizer stands for; None if it is another."""
    printed = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printed]
    letters = {chr(byte): byte for byte in printed}
    letters |= {chr(256 + n): byte for n, byte in enumerate(others)}
    alphabet = set(pre_tokenizers.ByteLevel.alphabet())
    assert alphabet == set(letters)
    return letters if alphabet <= vocabulary.keys() else None


def _write(
    path: Path,
    report: ServedReport,
    spoken: Sequence[Sequence[Position | None]],
    vocabulary: int,
    temperature: float,
    tokenizer: str,
) -> None:
    table = table_of(collate([row]) for row in report.rows)
    header = header_of(table, report.k, vocabulary, temperature, None, tokenizer)
    parts = [beginning(header, table)]
    for positions in spoken:
        records = np.zeros(len(positions), record_type(header))
        records["log_tail"] = np.nan  # stays where the teacher said nothing: it must not count
        for n, position in enumerate(positions):
            if position is not None:
                records[n] = _record(position, header)
        parts.append(records.tobytes())
    content = b"".join(parts)
    if not is_written(path, header, table):
        with whole_or_not_at_all(path) as partial:
            partial.write_bytes(content)
    elif path.read_bytes() != content:  # another teacher's, of the same rows
        raise ValueError(
            f"{path} holds another store, which this one would replace; give this one a path of "
            "its own"
        )


def _record(position: Position, header: Mapping[str, Any]) -> np.void:
    likeliest = sorted(position.listed.items(), key=lambda each: -each[1])[: header["k"]]
    mass = sum(math.exp(log_prob) for _, log_prob in likeliest)
    log_tail = math.log(1 - mass) if mass < 1 else -math.inf
    ids, log_probs = (np.array(each) for each in zip(*likeliest, strict=True))
    record: np.void = records_of(
        ids[None], np.maximum(log_probs[None], -65504.0), np.array([log_tail]), header
    )[0]
    return record
