"""Rows to learn from, made of conversations: what the assistant wrote counts, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from kdlab.arguments import checked
from kdlab.data import END_OF_TEXT, Corpus, trained_tokenizer
from kdlab.examples import Conversation, Examples, check_conversations, read_conversations
from kdlab.packing import PackedRows
from kdlab.templates import ChatTemplate
from kdlab.tokens import Unknown, tokenizer_sha256

__all__ = ["ChatDataset", "ChatReport", "train_chat_tokenizer"]


@dataclass(frozen=True)
class ChatReport:
    """What happened to conversations when they were made into rows.

    >>> print(ChatReport(conversations=3, rows=2, tokens=90, answer_tokens=9, longest=70,
    ...                  truncated=1, tokens_cut=6, left_out=1))
    3 conversations, 2 rows, 90 tokens, 9 of them the assistant's. 1 was longer than its row and \
lost 6 tokens at the end. 1 was left out: nothing of an answer fits.
    """

    conversations: int  # conversations that were given
    rows: int  # rows that were made
    tokens: int  # tokens in those rows
    answer_tokens: int  # tokens that count: the assistant's, and the ends of its turns
    longest: int  # tokens in the longest conversation, before any was cut
    truncated: int = 0  # rows that were cut at the end
    tokens_cut: int = 0  # tokens that those rows lost
    left_out: int = 0  # conversations without a token of an answer, once cut
    odd: int = 0  # conversations with special tokens of the tokenizer in the text of a message
    odd_token: str = ""  # the first of those tokens
    unknown: str = ""  # a clause about tokens for text unknown to the tokenizer, if any

    def __str__(self) -> str:
        said = [
            f"{self.conversations:,} conversations, {self.rows:,} rows, {self.tokens:,} tokens, "
            f"{self.answer_tokens:,} of them the assistant's."
        ]
        if self.truncated:
            were, their = ("was", "its row") if self.truncated == 1 else ("were", "their rows")
            said.append(
                f"{self.truncated:,} {were} longer than {their} and lost {self.tokens_cut:,} "
                "tokens at the end."
            )
        if self.left_out:
            were = "was" if self.left_out == 1 else "were"
            said.append(f"{self.left_out:,} {were} left out: nothing of an answer fits.")
        if self.odd:
            hold = "holds" if self.odd == 1 else "hold"
            said.append(
                f"{self.odd:,} {hold} special tokens in what is said, {self.odd_token!r} for one, "
                "which the tokenizer does not tell from its own."
            )
        if self.unknown:
            said.append(f"Of their tokens, {self.unknown}.")
        return " ".join(said)


@checked
class ChatDataset(Dataset[dict[str, Tensor]]):
    """Conversations as rows ``{"input_ids": [T], "labels": [T]}`` of their own lengths.

    The label of a token that the assistant wrote, or that ends the assistant's turn, is the token's
    id; all other labels are −100. Every turn counts, except those of weight 0 and those in a
    ``prompt``. :func:`kdlab.collate` pads the rows.

    Args:
        conversations: those of :class:`kdlab.Examples`, or rows of a data set.
        tokenizer: a tokenizer of transformers, whose chat template is used.
        max_length: most tokens of a row. Longer conversations are cut at the end, and left out if
            nothing of an answer remains; ``report``, a :class:`ChatReport`, says how many.

    Raises:
        ValueError: a conversation cannot be read or rendered, and the message says which; or none
            is left.

    >>> from kdlab import Examples, train_chat_tokenizer
    >>> row = {"messages": [{"role": "user", "content": "Hi?"},
    ...                     {"role": "assistant", "content": "Yes."}]}
    >>> examples = Examples.of([row] * 30)
    >>> tokenizer = train_chat_tokenizer(examples, 300)
    >>> data = ChatDataset(examples.conversations, tokenizer)
    >>> labels = data[0]["labels"]
    >>> tokenizer.decode(labels[labels != -100])
    'Yes.<|end|>'
    """

    def __init__(
        self,
        conversations: Iterable[Conversation | Mapping[str, Any]],
        tokenizer: Any,
        *,
        max_length: int | None = None,
    ):
        if max_length is not None and max_length < 2:
            raise ValueError(f"max_length must be at least 2, got {max_length}")
        check_conversations(conversations)
        self.template = ChatTemplate(tokenizer)
        self.tokenizer = tokenizer
        self.conversations: list[Conversation] = []  # one for each row
        self.rows: list[dict[str, Tensor]] = []
        longest = truncated = cut = given = odd = lost = 0
        odd_token, unknown = "", Unknown.of(tokenizer)
        for each in read_conversations(conversations):
            given += 1
            found = self.template.special_in(each)
            odd, odd_token = odd + bool(found), odd_token or found
            ids, written = self.template.encode(each)
            if unknown is not None:
                said = (str(message.get("content", "")) for message in each.messages)
                lost += unknown.count(ids, " ".join(said))
            longest = max(longest, len(ids))
            over = max(0, len(ids) - max_length) if max_length is not None else 0
            ids, written = ids[: len(ids) - over], written[: len(ids) - over]
            if not any(written):
                continue
            truncated, cut = truncated + (over > 0), cut + over
            input_ids, own = (torch.tensor(each, device="cpu") for each in (ids, written))
            labels = input_ids.masked_fill(~own, -100)
            self.rows.append({"input_ids": input_ids, "labels": labels})
            self.conversations.append(each)
        if not self.rows:
            raise ValueError(
                (
                    "there is no token of an answer to learn"
                    if max_length is None
                    else f"nothing of an answer fits into max_length {max_length} tokens"
                )
                + f"; the longest of {given} conversations has {longest}"
                if given
                else "there are no conversations"
            )
        tokens = sum(len(row["input_ids"]) for row in self.rows)
        answer_tokens = sum(int((row["labels"] != -100).sum()) for row in self.rows)
        left_out = given - len(self.rows)
        counts = tokens, answer_tokens, longest, truncated, cut, left_out, odd
        told = "" if unknown is None or not lost else unknown.told(lost)
        self.report = ChatReport(given, len(self.rows), *counts, odd_token, told)
        self.tokenizer_sha256 = tokenizer_sha256(tokenizer)

    @property
    def end_ids(self) -> list[int]:
        """The ids of the tokens that end the assistant's turn."""
        return self.template.end_ids

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return self.rows[index]

    @checked
    def packed(self, block_size: int) -> PackedRows:
        """The conversations packed several to a row, to save padding; none sees another.

        Args:
            block_size: number of tokens in each row.

        Raises:
            ValueError: a conversation is longer than ``block_size``.
        """
        return PackedRows(self, block_size)


# --- a tokenizer that is trained here ---

END = "<|end|>"
TEMPLATE = """\
{%- for message in messages -%}
{%- if message.role == 'assistant' -%}
<|assistant|>{% generation %}{{ message.content }}<|end|>{% endgeneration %}
{%- else -%}
{%- set role = 'system' if message.role == 'developer' else message.role -%}
{{ '<|' + role + '|>' + message.content + '<|end|>' }}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}<|assistant|>{%- endif -%}"""


@checked
def train_chat_tokenizer(source: Examples | Corpus, vocab_size: int = 1024) -> Any:
    """A byte-level BPE tokenizer with a chat template, trained on the training split; cached.

    Each digit is a token of its own. A turn begins with one token for its role, such as
    ``<|user|>``, and ends with ``<|end|>``, the ``eos_token``. A developer's turn is written as the
    system's. Padding has a token of its own.

    Args:
        source: conversations, or a corpus that a student is pre-trained on.
        vocab_size: number of entries, including the 256 bytes and 7 special tokens.

    Returns:
        A ``PreTrainedTokenizerFast`` of transformers, which ``save_pretrained`` saves.

    Raises:
        ValueError: transformers is not installed, or ``vocab_size`` is below 263 or larger than the
            text allows.

    >>> from kdlab import reckoning
    >>> tokenizer = train_chat_tokenizer(reckoning(), 400)
    >>> tokenizer.apply_chat_template([{"role": "user", "content": "Hi?"}], tokenize=False,
    ...                               add_generation_prompt=True)
    '<|user|>Hi?<|end|><|assistant|>'
    """
    try:
        from transformers import PreTrainedTokenizerFast
    except ImportError:
        raise ValueError("chat templates need transformers: pip install 'kdlab[hf]'") from None
    roles = [f"<|{role}|>" for role in ("system", "user", "assistant", "tool")]
    special = [END_OF_TEXT, END, "<|pad|>", *roles]
    backend = trained_tokenizer(lambda: _texts(source), source, vocab_size, special, digits=True)
    make: Any = PreTrainedTokenizerFast
    tokenizer = make(
        tokenizer_object=backend,
        eos_token=END,
        pad_token="<|pad|>",
        extra_special_tokens=[END_OF_TEXT, *roles],
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def _texts(source: Examples | Corpus) -> list[str]:
    if isinstance(source, Corpus):
        return source.train
    return [str(m.get("content", "")) for each in source.train for m in each.messages]
