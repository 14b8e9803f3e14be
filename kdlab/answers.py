"""A model's answers to held-out questions: are they right, how long are they, do they end?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn as nn

from kdlab.arguments import check_whole, checked
from kdlab.batches import collate
from kdlab.devices import device_of
from kdlab.examples import Conversation, read_conversations
from kdlab.generation import continued, end_of_text_of
from kdlab.models import longest_text
from kdlab.templates import ChatTemplate

__all__ = ["Answer", "AnswerEvaluation", "evaluate_answers", "exact_match", "write_answers"]


@dataclass(frozen=True)
class Answer:
    """What a model said.

    >>> Answer("Tuesday", tokens=4, ended=True).text
    'Tuesday'
    """

    text: str  # without the token that ends it and without other special tokens
    tokens: int  # how many tokens were written, with the one that ends the answer
    ended: bool  # whether the model ended it; False if it was cut off at the limit


@dataclass(frozen=True)
class AnswerEvaluation:
    """A model's answers to a set of questions, each judged right or wrong.

    >>> asked = Conversation.of({"prompt": "2 + 2 =", "completion": " 4"})
    >>> said = Answer("4", tokens=2, ended=True), Answer("5 6 7", tokens=5, ended=False)
    >>> result = AnswerEvaluation((asked, asked), said, right=(True, False))
    >>> result.accuracy, result.ended, result.tokens
    (0.5, 0.5, 3.5)
    """

    conversations: tuple[Conversation, ...] = field(repr=False)  # the questions
    answers: tuple[Answer, ...] = field(repr=False)  # one to each question, in order
    right: tuple[bool, ...] = field(repr=False)  # whether each answer is right

    @property
    def accuracy(self) -> float:
        """Share of answers that are right, 0 to 1."""
        return sum(self.right) / len(self.right)

    @property
    def ended(self) -> float:
        """Share of answers that the model ended, 0 to 1."""
        return sum(answer.ended for answer in self.answers) / len(self.answers)

    @property
    def tokens(self) -> float:
        """Mean length of an answer in tokens, its end included."""
        return sum(answer.tokens for answer in self.answers) / len(self.answers)

    @property
    def by_kind(self) -> dict[str, float]:
        """The accuracy on each kind of question; questions that name no kind are under ``''``."""
        found: dict[str, list[bool]] = {}
        for conversation, right in zip(self.conversations, self.right, strict=True):
            found.setdefault(conversation.kind, []).append(right)
        return {kind: sum(each) / len(each) for kind, each in sorted(found.items())}

    def as_record(self) -> dict[str, float]:
        """The measurements, under the names that they have in ``summary.json``."""
        return {
            "accuracy": self.accuracy,
            "answers_ended": self.ended,
            "answer_tokens": self.tokens,
        }


@checked
def exact_match(conversation: Conversation, said: str) -> bool:
    """Whether an answer is the expected one, up to case, the width of spaces and final full stops.

    Raises:
        ValueError: the expected answer calls a tool; text alone does not say whether one was right.

    >>> exact_match(Conversation.of({"prompt": "2 + 2 =", "completion": " 4"}), "4.")
    True
    """
    if calls_tool(conversation):
        raise ValueError(
            f"the expected answer to {conversation.where or 'a question'} calls a tool, and "
            "exact_match compares text alone; give right=, a function that judges calls too, or "
            "leave such questions out"
        )
    return _plainly(said) == _plainly(conversation.answer)


def calls_tool(conversation: Conversation) -> bool:
    """Whether the expected answer calls a tool, with or without a text."""
    return bool(conversation.messages[len(conversation.prompt)].get("tool_calls"))


def _plainly(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().rstrip(".").rstrip().casefold()


@torch.no_grad()
@checked
def write_answers(
    model: nn.Module,
    conversations: Iterable[Conversation | Mapping[str, Any]],
    tokenizer: Any,
    *,
    new_tokens: int = 64,
    temperature: float = 0.0,
    batch_size: int = 32,
    generator: torch.Generator | None = None,
) -> list[Answer]:
    """Let a model write its own answer to each conversation, in place of the conversation's last.

    Args:
        model: any causal language model, on any device.
        conversations: conversations, or rows of a data set; in each, the messages before the last
            answer are read.
        tokenizer: a tokenizer of transformers, with a chat template.
        new_tokens: most tokens of an answer, its end included; fewer where the model cannot read a
            text that long.
        temperature: of the softmax that tokens are drawn from; at 0 the likeliest token is taken.
        batch_size: answers that are written at a time; prompts of similar length go together.
        generator: of the draws, on the model's device; None: torch's own.

    Returns:
        One answer for each conversation, in their order.

    Raises:
        ValueError: there are no conversations; the template refuses one; or a question is so long
            that the model can read no answer after it.

    >>> from kdlab import TinyGPT, reckoning, train_chat_tokenizer
    >>> examples = reckoning(200)
    >>> tokenizer = train_chat_tokenizer(examples, 400)
    >>> model = TinyGPT("tiny-student", vocab_size=len(tokenizer))
    >>> answers = write_answers(model, examples.validation[:3], tokenizer, new_tokens=5)
    >>> [answer.tokens <= 5 for answer in answers]
    [True, True, True]
    """
    asked = list(read_conversations(conversations))
    if not asked:
        raise ValueError("there are no conversations to answer")
    batch_size = check_whole("batch_size", batch_size, least=1)
    new_tokens = check_whole("new_tokens", new_tokens, least=1)
    template = ChatTemplate(tokenizer)
    ends = list(dict.fromkeys([*template.end_ids, *end_of_text_of(model)]))
    device = device_of(model)
    prompts = [template.encode_prompt(each) for each in asked]
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    width = len(prompts[order[-1]])
    if (longest := longest_text(model, width + new_tokens)) <= width:
        raise ValueError(
            f"a question of {width} tokens leaves no room for an answer in a model that reads "
            f"{longest} tokens at once"
        )
    found: dict[int, Answer] = {}
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        batch = collate([{"input_ids": prompts[i]} for i in rows], labels=False)
        mask = batch.get("attention_mask")
        width = batch["input_ids"].shape[1]
        longest = longest_text(model, width + new_tokens)
        written = continued(
            model,
            batch["input_ids"].to(device),
            longest,
            new_tokens=new_tokens,
            attention_mask=None if mask is None else mask.to(device),
            end_of_text=ends or None,
            temperature=temperature,
            generator=generator,
        )
        for i, labels in zip(rows, written["labels"].tolist(), strict=True):
            ids = [token for token in labels if token != -100]
            ended = bool(ids) and ids[-1] in ends
            words = ids[: len(ids) - ended]
            options = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
            text = tokenizer.decode(words, **options)
            found[i] = Answer(text, len(ids), ended)
    return [found[i] for i in range(len(prompts))]


@checked
def evaluate_answers(
    model: nn.Module,
    conversations: Iterable[Conversation | Mapping[str, Any]],
    tokenizer: Any,
    *,
    right: Callable[[Conversation, str], bool] = exact_match,
    new_tokens: int = 64,
    batch_size: int = 32,
) -> AnswerEvaluation:
    """Let a model answer held-out questions by its likeliest tokens, and judge the answers.

    Args:
        model: any causal language model.
        conversations: conversations, or rows of a data set; the last answer in each is the
            expected one.
        tokenizer: a tokenizer of transformers, with a chat template.
        right: called with a conversation and an answer's text, it says whether this is right.
        new_tokens: most tokens of an answer, its end included; an answer that is cut off there
            counts as not ended.
        batch_size: answers that are written at a time.

    Raises:
        ValueError: there are no conversations; the template refuses one; a question is so long that
            the model can read no answer after it; or an expected answer calls a tool, and ``right``
            is :func:`kdlab.exact_match`.

    >>> from kdlab import TinyGPT, reckoning, train_chat_tokenizer
    >>> examples = reckoning(200)
    >>> tokenizer = train_chat_tokenizer(examples, 400)
    >>> model = TinyGPT("tiny-student", vocab_size=len(tokenizer))
    >>> evaluate_answers(model, examples.validation, tokenizer, new_tokens=8).accuracy
    0.0
    """
    asked = tuple(read_conversations(conversations))
    if right is exact_match:
        for conversation in asked:  # before anything is written, which takes long
            exact_match(conversation, "")
    answers = write_answers(model, asked, tokenizer, new_tokens=new_tokens, batch_size=batch_size)
    pairs = zip(asked, answers, strict=True)
    judged = tuple(right(conversation, answer.text) for conversation, answer in pairs)
    return AnswerEvaluation(asked, tuple(answers), judged)
