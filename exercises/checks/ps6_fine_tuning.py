"""Checks of ps6_fine_tuning: labels, padding, a loss, an accuracy, a step, two questions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from autograder import spec
from autograder.spec import (
    AnswerCheck,
    Case,
    FunctionCheck,
    Misconception,
    Mistake,
    Observer,
    Option,
    choice,
    load_sections,
)

SECTIONS = load_sections(Path(__file__).with_name("sections.json"))
OBSERVERS = Path(__file__).with_name("observers") / "ps6_fine_tuning.py"
WITHHELD = ("kdlab",)  # it has templates, a collator, an objective and an evaluation
FINE_TUNING = SECTIONS["2.4"]
FORMULA, DIRECTION, OWN_WORDS = SECTIONS["2.2"], SECTIONS["1.3"], SECTIONS["4.4"]
IGNORED = -100


class Wrong(NamedTuple):
    """A mistake in words, and the option that makes it."""

    name: str
    hint: str
    option: Any
    section: Any = FINE_TUNING


def ways(of: Callable, option: str, *wrong: Wrong) -> Iterator[Misconception]:
    """Each mistake as the function with that option."""
    for each in wrong:
        way = partial(of, **{option: each.option})
        yield Misconception(each.name, each.hint, each.section, way)


def pairs(
    of: Callable, first: str, ones: tuple[Wrong, ...], second: str, others: tuple[Wrong, ...]
) -> Iterator[Misconception]:
    """Two mistakes at once: an option of one kind, and one of another."""
    for one, other in product(ones, others):
        yield Misconception(
            f"{one.name}+{other.name}",
            f"At least two things are off. {one.hint} {other.hint}",
            one.section,
            partial(of, **{first: one.option, second: other.option}),
        )


# --- Labels by role -----------------------------------------------------------------------------

WORDS = (
    " noon",
    "<|start|>",
    "<|end|>",
    "\n",
    "system",
    "user",
    "assistant",
    " high",
    " low",
    " water",
    " at",
    " six",
    " when",
    " rises",
    " falls",
    " Noon",
    "noon",
    " high water",
)
START, END, LINE = 1, 2, 3
ROLES = {"system": 4, "user": 5, "assistant": 6}
SAID = (0, *range(7, len(WORDS)))  # what messages are made of


class Piece(NamedTuple):
    """A token of a conversation: whose turn it is in, and what it is there."""

    token: int
    turn: int
    role: str
    part: str  # "start", "role", "line", "word", "end" or "after"


def pieces(messages: list[dict[str, Any]]) -> list[Piece]:
    """A conversation under the template."""
    found = []
    for turn, message in enumerate(messages):
        role = message["role"]
        header = ((START, "start"), (ROLES[role], "role"), (LINE, "line"))
        words = ((int(word), "word") for word in message["content"])
        for token, part in (*header, *words, (END, "end"), (LINE, "after")):
            found.append(Piece(token, turn, role, part))
    return found


Counts = Callable[[Piece, list[Piece]], bool]


def by_parts(*parts: str) -> Counts:
    """Those parts of the assistant's turns count."""
    return lambda piece, _: piece.role == "assistant" and piece.part in parts


WRITTEN = by_parts("word", "end")


def turns_of_assistant(every: list[Piece]) -> list[int]:
    """The assistant's turns by their numbers."""
    return sorted({piece.turn for piece in every if piece.role == "assistant"})


def only_turn(which: int) -> Counts:
    """Of the assistant's turns one counts, as it should."""
    return lambda piece, every: (
        WRITTEN(piece, every) and piece.turn == turns_of_assistant(every)[which]
    )


def from_turn(which: int) -> Counts:
    """All counts from where one of the assistant's answers begins."""

    def counts(piece: Piece, every: list[Piece]) -> bool:
        turns = turns_of_assistant(every)
        turn = turns[which] if turns else len(every)
        return piece.turn > turn or (piece.turn == turn and piece.part in ("word", "end", "after"))

    return counts


def as_words(ends: bool) -> Counts:
    """Whatever the assistant says somewhere counts wherever it stands."""

    def counts(piece: Piece, every: list[Piece]) -> bool:
        said = {each.token for each in every if by_parts("word")(each, every)}
        return piece.token in (said | {END} if ends else said)

    return counts


def not_as_a_word(piece: Piece, every: list[Piece]) -> bool:
    """As it should be, without the token 0."""
    return WRITTEN(piece, every) and piece.token != 0


def encode(
    messages: list[dict[str, Any]],
    *,
    counts: Counts = WRITTEN,
    ignored: int = IGNORED,
    ahead: int = 0,
    without: tuple[str, ...] = (),
    last: tuple[int, ...] = (),
    cut: int = 0,
) -> list[Tensor]:
    """A conversation's tokens, and its labels.

    Args:
        messages: The conversation.
        counts: Which tokens do.
        ignored: The label of those that do not.
        ahead: By how many places labels are moved forward.
        without: Parts of the template that are left out.
        last: Tokens at the end that belong to no message.
        cut: How many tokens are missing at the end.
    """
    every = pieces(messages)
    ids = [piece.token for piece in every if piece.part not in without]
    labels = [
        piece.token if counts(piece, every) else ignored
        for piece in every
        if piece.part not in without
    ]
    ids, labels = ids + list(last), labels + [ignored] * len(last)
    size = len(ids) - cut
    labels = labels[ahead:] + [ignored] * ahead
    return [torch.tensor(ids[:size]), torch.tensor(labels[:size])]


PROMPT_COUNTED = Wrong(
    "prompt_counted",
    "What others wrote has labels too, the questions for example: your student would learn to ask"
    " as users ask. Which tokens did the assistant write?",
    lambda piece, _: True,
)
HEADER = (
    "header_counted",
    "The header before an answer has labels, all of it or a part. The template writes this header:"
    " <|start|>, the role and the line break. The assistant goes on after it and never has to write"
    " it.",
)
AFTER = (
    "line_after_the_end_counted",
    "The line break after <|end|> counts. The assistant has ended its turn by then: the template"
    " writes what follows.",
)
END_MASKED = (
    "end_masked",
    "The <|end|> of the assistant's turns has no label, although the assistant writes it. A student"
    " that never learns to write <|end|> never stops. Which token says that a turn is over?",
)
ONLY_LAST = (
    "only_one_turn",
    "Not every answer of the assistant counts. The assistant wrote each of its turns, so the"
    " student should learn from each of them.",
)
EMPTY = (
    "empty_message_left_out",
    "A message with an empty content is missing in your result, or it is an answer whose <|end|>"
    " has no label. The template writes its tokens around an empty content too, and the assistant"
    " ends an empty answer as it ends any other.",
)
LABELS_SHIFTED = (
    "labels_shifted",
    "Your labels are one place too early: at each place stands the label of the next token. Here"
    " `labels[i]` belongs to `ids[i]`, and the loss of task 3 makes the shift. With your labels the"
    " shift would be made twice.",
)
ALL_FROM_AN_ANSWER_ON = (
    "all_from_an_answer_on",
    "From the beginning of an answer on, all that follows counts. After an answer others may speak"
    " again, and the template writes. Where does an answer end?",
)
HEADER_AT_THE_END = (
    "header_at_the_end",
    "`ids` ends with the header of an answer that is not among the messages. A prompt ends with"
    " such a header when the assistant is about to write. Here the conversation is over.",
)
TURNS = (
    "turns_taken_for_granted",
    "Your result is what you get by telling from a message's place in the list whether it is the"
    " assistant's. But user and assistant need not take turns, and a user need not begin. Each"
    " message says who wrote it.",
)


TEMPLATE_BY_NUMBERS = (
    "template_by_numbers",
    "Words of an answer do not count where the answer has tokens that the template has too: a line"
    " break, or the name of a role. Whether the template wrote a token depends on its place, not on"
    " its number.",
)
HEADER_IN_THE_TEXT = (
    "header_looked_for_in_the_text",
    "Your labels are what you get by searching the finished text for headers: one is found in what"
    ' somebody said. A message may have the word "assistant" in it. Look in the messages for who'
    " wrote which tokens.",
)


def only_if_last(piece: Piece, every: list[Piece]) -> bool:
    """The assistant's words count in the last message alone."""
    return WRITTEN(piece, every) and piece.turn == every[-1].turn


def without_empty(messages: list[dict[str, Any]], *, whose: tuple[str, ...]) -> list[Tensor]:
    """Messages of these roles are left out where they have no words."""
    return encode([m for m in messages if m["content"] or m["role"] not in whose])


def empty_end_masked(piece: Piece, every: list[Piece]) -> bool:
    """The end of an answer without a word does not count."""
    words = {each.turn for each in every if each.part == "word"}
    return WRITTEN(piece, every) and piece.turn in words


def by_place(piece: Piece, every: list[Piece]) -> bool:
    """Every second message is taken for the assistant's."""
    return piece.turn % 2 == 1 and piece.part in ("word", "end")


def by_place_after_the_system(piece: Piece, every: list[Piece]) -> bool:
    """The same, counted from behind a system message at the beginning."""
    first = int(every[0].role == "system")
    return piece.turn >= first and by_place(piece._replace(turn=piece.turn - first), every)


def taking_turns(messages: list[dict[str, Any]]) -> list[Tensor]:
    """The same, and the roles in the text too."""
    named = ("user", "assistant")
    return encode([{**each, "role": named[n % 2]} for n, each in enumerate(messages)])


def up_to_the_last_line(piece: Piece, every: list[Piece]) -> bool:
    """From where an answer begins all but the very last token."""
    return from_turn(0)(piece, every) and piece is not every[-1]


def read_for_headers(messages: list[dict[str, Any]], *, line: bool) -> list[Tensor]:
    """The assistant's name, or it and a line break, is a header wherever it stands."""
    ids, _ = encode(messages)
    tokens, labels = ids.tolist(), []
    speaking = 0  # 2 in a header, 1 in what is written after it
    for at, token in enumerate(tokens):
        labels.append(token if speaking == 1 else IGNORED)
        if speaking:
            speaking = 0 if token == END and speaking == 1 else 1
        elif token == ROLES["assistant"] and (not line or tokens[at + 1] == LINE):
            speaking = 2
    return [ids, torch.tensor(labels)]


def read_for_roles(messages: list[dict[str, Any]]) -> list[Tensor]:
    """Each name of a role says who speaks from there on, wherever it stands."""
    ids, _ = encode(messages)
    tokens, labels, speaking = ids.tolist(), [], False
    for before, token in pairwise([END, *tokens]):
        speaking = speaking and token not in (ROLES["user"], ROLES["system"])
        after = token == LINE and before in (END, ROLES["assistant"])
        labels.append(token if speaking and not after and token != START else IGNORED)
        speaking = speaking or token == ROLES["assistant"]
    return [ids, torch.tensor(labels)]


def refused_without_answers(
    messages: list[dict[str, Any]], *, counts: Callable, error: type[Exception]
) -> list[Tensor]:
    """Some of the answers, looked for as if there were one always."""
    if all(each["role"] != "assistant" for each in messages):
        raise error
    return encode(messages, counts=counts)


def turned_round(messages: list[dict[str, Any]]) -> list[Tensor]:
    """Labels first."""
    return encode(messages)[::-1]


def from_a_header_on(messages: list[dict[str, Any]], *, last: bool, but: int) -> list[Tensor]:
    """All counts after the first or the last of the assistant's names, but for some at the end."""
    ids, _ = encode(messages)
    places = (ids == ROLES["assistant"]).nonzero()[:, 0].tolist()
    begin = places[-1 if last else 0] + 2 if places else len(ids)
    labels = torch.full_like(ids, IGNORED)
    labels[begin : len(ids) - but] = ids[begin : len(ids) - but]
    return [ids, labels]


def without_numbers(*numbers: int) -> Counts:
    """As it should be, without some tokens that the template has too."""
    return lambda piece, every: (
        WRITTEN(piece, every) and (piece.part == "end" or piece.token not in numbers)
    )


def up_to_a_line(ends: bool) -> Counts:
    """An answer counts up to its first line break, and its end, or it does not."""

    def counts(piece: Piece, every: list[Piece]) -> bool:
        turn = [each for each in every if each.turn == piece.turn and WRITTEN(each, every)]
        at = next((at for at, each in enumerate(turn) if each.token == LINE), len(turn))
        before = any(each is piece for each in turn[:at])
        return before or (ends and WRITTEN(piece, every) and piece.part == "end")

    return counts


def asked_to_go_on(messages: list[dict[str, Any]]) -> list[Tensor]:
    """A header at the end where the user has the last word."""
    open_end = messages[-1]["role"] == "user"
    return encode(messages, last=(START, ROLES["assistant"], LINE) if open_end else ())


ENCODE_MISCONCEPTIONS = (
    *ways(
        encode,
        "counts",
        PROMPT_COUNTED,
        Wrong(
            "prompt_counted",
            PROMPT_COUNTED.hint,
            lambda piece, _: piece.part in ("word", "end"),
        ),
        Wrong(
            "roles_turned_round",
            "What the assistant wrote is masked, and what others wrote counts. −100 marks what is"
            " *not* to be learned.",
            lambda piece, every: not WRITTEN(piece, every),
        ),
        Wrong(
            "roles_turned_round",
            "What the assistant wrote is masked, and what others wrote counts. −100 marks what is"
            " *not* to be learned.",
            lambda piece, _: piece.role != "assistant" and piece.part in ("word", "end"),
        ),
        Wrong(
            "roles_turned_round",
            "What the assistant wrote is masked, and what others wrote counts. −100 marks what is"
            " *not* to be learned.",
            lambda piece, _: piece.role != "assistant",
        ),
        Wrong(
            "system_counted",
            "The system's messages count too, as if each message that is not the user's were the"
            " assistant's. There are more than two roles; one of them is the student's.",
            lambda piece, _: piece.role != "user" and piece.part in ("word", "end"),
        ),
        Wrong(
            "system_counted",
            "The system's messages count too, as if each message that is not the user's were the"
            " assistant's. There are more than two roles; one of them is the student's.",
            lambda piece, _: piece.role != "user",
        ),
        Wrong(*HEADER, by_parts("start", "role", "line", "word", "end")),
        Wrong(*HEADER, by_parts("role", "line", "word", "end")),
        Wrong(*HEADER, by_parts("line", "word", "end")),
        Wrong(*AFTER, by_parts("word", "end", "after")),
        Wrong(
            f"{HEADER[0]}+{AFTER[0]}",
            f"At least two things are off. {HEADER[1]} {AFTER[1]}",
            by_parts("start", "role", "line", "word", "end", "after"),
        ),
        Wrong(*END_MASKED, by_parts("word")),
        *(
            Wrong(
                f"{HEADER[0]}+{AFTER[0]}",
                f"At least two things are off. {HEADER[1]} {AFTER[1]}",
                by_parts(*parts, "word", "end", "after"),
            )
            for parts in (("line",), ("role", "line"))
        ),
        Wrong(
            f"system_counted+{END_MASKED[0]}",
            "At least two things are off. The system's messages count too, as if each message that"
            f" is not the user's were the assistant's. {END_MASKED[1]}",
            lambda piece, _: piece.role != "user" and piece.part == "word",
        ),
        Wrong(
            f"{END_MASKED[0]}+{HEADER[0]}",
            f"At least two things are off. {END_MASKED[1]} {HEADER[1]}",
            by_parts("start", "role", "line", "word"),
        ),
        Wrong(
            "everyones_end_counted",
            "The <|end|> of every message counts, the user's too. The assistant does not write the"
            " <|end|> of a question.",
            lambda piece, every: WRITTEN(piece, every) or piece.part == "end",
        ),
        Wrong(*ONLY_LAST, only_turn(-1)),
        Wrong(*ONLY_LAST, only_turn(0)),
        Wrong(*ONLY_LAST, only_if_last),
        Wrong(*EMPTY, empty_end_masked),
        Wrong(
            f"{ONLY_LAST[0]}+{END_MASKED[0]}",
            f"At least two things are off. {ONLY_LAST[1]} {END_MASKED[1]}",
            lambda piece, every: piece.part == "word" and only_turn(-1)(piece, every),
        ),
        Wrong(*ALL_FROM_AN_ANSWER_ON, from_turn(0)),
        Wrong(*ALL_FROM_AN_ANSWER_ON, up_to_the_last_line),
        Wrong(*ALL_FROM_AN_ANSWER_ON, from_turn(-1)),
        Wrong(
            "found_by_their_numbers",
            "Your labels are what you get by looking everywhere for the numbers of the assistant's"
            " tokens. Users write the same words. Who wrote a token depends on its place, not on"
            " its number.",
            as_words(True),
        ),
        Wrong(
            "found_by_their_numbers",
            "Your labels are what you get by looking everywhere for the numbers of the assistant's"
            " tokens. Users write the same words. Who wrote a token depends on its place, not on"
            " its number.",
            as_words(False),
        ),
        Wrong(
            "token_zero_masked",
            "Token 0 is a word like any other, but where the assistant writes it, it does not count"
            ' in your labels. Is there a 0 in your code that stands for "nothing", or for what does'
            " not count?",
            not_as_a_word,
        ),
    ),
    *ways(
        encode,
        "ahead",
        Wrong(*LABELS_SHIFTED, 1),
    ),
    Misconception(*LABELS_SHIFTED, FINE_TUNING, partial(encode, ahead=1, cut=1)),
    *ways(
        encode,
        "ignored",
        *(
            Wrong(
                "masked_with_another_number",
                "The right tokens count, but the others have a label that is not −100. A loss takes"
                " every other number for the token that should be predicted.",
                number,
            )
            for number in (0, -1, 100, START, END, LINE)
        ),
    ),
    *ways(
        encode,
        "without",
        Wrong(
            "line_after_the_end_missing",
            "A token of the template is missing in `ids`: after each <|end|> comes a line break. In"
            " training, a student should read conversations in the form that it will meet later.",
            ("after",),
        ),
        Wrong(
            "template_missing",
            "`ids` has the words without the template's headers and line breaks. A model that reads"
            " this cannot tell questions from answers.",
            ("start", "role", "line", "end", "after"),
        ),
        Wrong(
            "template_missing",
            "`ids` has the words without the template's headers and line breaks. A model that reads"
            " this cannot tell questions from answers.",
            ("start", "role", "line", "after"),
        ),
    ),
    Misconception(
        "pair_turned_round",
        "Both are right, but in the wrong order: the ids come first.",
        FINE_TUNING,
        turned_round,
    ),
    *(
        Misconception(
            "part_of_the_template_missing",
            "Tokens of the template are missing in `ids`: three stand before each content, and two"
            " after it. In training, a student should read conversations in the form that it will"
            " meet later.",
            FINE_TUNING,
            partial(encode, without=parts),
        )
        for parts in (
            ("start",),
            ("role",),
            ("line",),
            ("end",),
            ("line", "after"),
            ("role", "line"),
        )
    ),
    Misconception(
        f"{END_MASKED[0]}+{TEMPLATE_BY_NUMBERS[0]}",
        f"At least two things are off. {END_MASKED[1]} {TEMPLATE_BY_NUMBERS[1]}",
        FINE_TUNING,
        partial(
            encode,
            counts=lambda piece, every: (
                by_parts("word")(piece, every) and piece.token not in (LINE, *ROLES.values())
            ),
        ),
    ),
    *ways(
        encode,
        "cut",
        Wrong(
            "line_after_the_end_missing",
            "A token of the template is missing in `ids`: after each <|end|> comes a line break. In"
            " training, a student should read conversations in the form that it will meet later.",
            1,
        ),
    ),
    *ways(
        encode,
        "last",
        Wrong(*HEADER_AT_THE_END, (START, ROLES["assistant"], LINE)),
    ),
    Misconception(*HEADER_AT_THE_END, FINE_TUNING, asked_to_go_on),
    *(
        Misconception(*EMPTY, FINE_TUNING, partial(without_empty, whose=whose))
        for whose in (tuple(ROLES), ("assistant",), ("system", "user"))
    ),
    *ways(
        encode,
        "counts",
        *(
            Wrong(*TEMPLATE_BY_NUMBERS, counts)
            for counts in (
                without_numbers(LINE),
                without_numbers(*ROLES.values()),
                without_numbers(LINE, *ROLES.values()),
                without_numbers(LINE, ROLES["assistant"]),
                without_numbers(ROLES["assistant"]),
                up_to_a_line(True),
                up_to_a_line(False),
            )
        ),
    ),
    *(
        Misconception(*HEADER_IN_THE_TEXT, FINE_TUNING, partial(read_for_headers, line=line))
        for line in (False, True)
    ),
    Misconception(*HEADER_IN_THE_TEXT, FINE_TUNING, read_for_roles),
    *(
        Misconception(
            f"{ALL_FROM_AN_ANSWER_ON[0]}+{HEADER_IN_THE_TEXT[0]}",
            f"At least two things are off. {ALL_FROM_AN_ANSWER_ON[1]} {HEADER_IN_THE_TEXT[1]}",
            FINE_TUNING,
            partial(from_a_header_on, last=last, but=but),
        )
        for last, but in product((False, True), (0, 1))
    ),
    *(
        Misconception(
            *what,
            FINE_TUNING,
            partial(refused_without_answers, counts=of(turn), error=error),
        )
        for what, of in ((ONLY_LAST, only_turn), (ALL_FROM_AN_ANSWER_ON, from_turn))
        for turn in (0, -1)
        for error in (ValueError, TypeError, IndexError, UnboundLocalError)
    ),
    Misconception(
        "ids_are_the_labels",
        "Your ids have a −100 wherever your labels have one, as if both were one list. `labels ="
        " ids` gives a list a second name; it does not make a second list.",
        FINE_TUNING,
        lambda messages: [encode(messages)[1]] * 2,
    ),
    Misconception(*TURNS, FINE_TUNING, partial(encode, counts=by_place)),
    Misconception(*TURNS, FINE_TUNING, partial(encode, counts=by_place_after_the_system)),
    Misconception(*TURNS, FINE_TUNING, taking_turns),
)


def message(role: str, *words: int) -> dict[str, Any]:
    """A message as cases have it."""
    return {"role": role, "content": list(words)}


def encode_cases() -> tuple[Case, ...]:
    """As (messages,). Users and assistants share words, and the word 0 is among them."""
    ask, reply = partial(message, "user"), partial(message, "assistant")
    told = partial(message, "system")
    high, low, water, at, six, when, rises, falls = range(7, 15)
    conversations = (
        ("a question and its answer", True, [ask(when, high, water), reply(high, at, 0)]),
        (
            "a system message, and two questions",
            True,
            [
                told(water, rises, falls),
                ask(when, low, water),
                reply(low, water, at, six),
                ask(0, high),
                reply(0),
            ],
        ),
        (
            "the assistant begins, and the user has the last word",
            True,
            [reply(when, water), ask(high, at), reply(at, 0), ask(high, at)],
        ),
        ("messages without a word", True, [told(), ask(rises, 0), reply(), ask()]),
        ("nobody answers", True, [told(low), ask(at, low)]),
        ("all is said twice", False, [told(low), told(high, 0), ask(when), ask(at, low)]),
        ("twelve answers", False, 4 * three()),
        (
            "two answers in a row, and a system message after them",
            True,
            [ask(when), reply(at, six), reply(0, at, 0), told(low, 0), ask(falls)],
        ),
        (
            "words that the template has too",
            True,
            [
                told(ROLES["user"], LINE, at),
                ask(ROLES["assistant"], LINE, rises, 0),
                reply(high, LINE, ROLES["user"], 0),
                ask(when, ROLES["assistant"], at),
                reply(ROLES["assistant"], LINE, six, ROLES["system"]),
            ],
        ),
        ("nothing is asked", False, [told(high, 0), reply(high, 0)]),
        ("one message", False, [reply(at, six)]),
    )
    return tuple(Case(name, (found,), public=public) for name, public, found in conversations)


def three() -> list[dict[str, Any]]:
    """A conversation of three questions and answers."""
    asked = ((7, 9), (8, 0, 12), (13,))
    answered = ((7, 0), (11, 10), (0, 13))
    both = zip(asked, answered, strict=True)
    return [m for a, b in both for m in (message("user", *a), message("assistant", *b))]


def encode_facts(case: Case) -> dict[str, Any]:
    """What is so of a conversation."""
    (messages,) = case.args
    roles = [each["role"] for each in messages]
    return {
        "nobody answers": "assistant" not in roles,
        "a system message comes first": roles[0] == "system",
        "a system message comes later": "system" in roles[1:],
        "there are several answers": roles.count("assistant") > 1,
        "the user has the last word": roles[-1] == "user",
        "two answers follow each other": ("assistant",) * 2 in pairwise(roles),
        "two messages of the same role follow each other": any(a == b for a, b in pairwise(roles)),
        "a message has no words": not all(each["content"] for each in messages),
        "a message has words that the template has too": any(
            set(each["content"]) & {LINE, *ROLES.values()} for each in messages
        ),
    }


def random_encode_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Conversations of a submission's own."""
    for turns in (1, 2, 3):
        found = [message("system", *words_of(rng))] if rng.random() < 0.5 else []
        for _ in range(turns):
            found += [message("user", *words_of(rng)), message("assistant", *words_of(rng))]
        yield Case("random", (found,))


def words_of(rng: np.random.Generator) -> list[int]:
    """One to four words."""
    return [int(word) for word in rng.choice(SAID, size=int(rng.integers(1, 5)))]


# --- Padding ------------------------------------------------------------------------------------

Rows = list[list[Tensor]]  # of ids and labels [L], which differ in length
PARTS = ("input_ids", "labels", "attention_mask")


def stacked(rows: list[Tensor], filler: int, side: str) -> Tensor:
    """Rows of one length, filled up on a side."""
    size = max(map(len, rows))
    gaps = [(size - len(row), 0) if side == "left" else (0, size - len(row)) for row in rows]
    return torch.stack([F.pad(row, gap, value=filler) for row, gap in zip(rows, gaps, strict=True)])


def other(side: str) -> str:
    """The other side."""
    return "left" if side == "right" else "right"


def as_given(side: str) -> str:
    """The side that is asked for."""
    return side


def always(side: str) -> Callable[[str], str]:
    """One side, whatever is asked for."""
    return lambda _: side


def shortest(rows: Rows) -> Rows:
    """Rows cut to the length of the shortest."""
    size = min(len(ids) for ids, _ in rows)
    return [[each[:size] for each in row] for row in rows]


def collate(
    rows: Rows,
    pad_id: int,
    side: str = "right",
    *,
    sides: tuple[Callable[[str], str], ...] = (as_given,) * 3,
    first: Callable[[Rows], Rows] = lambda rows: rows,
    filler: Callable[[int], int] = lambda pad_id: pad_id,
    label: Callable[[int], int] = lambda pad_id: IGNORED,
    finish: Callable[[dict[str, Tensor], int], dict[str, Tensor]] = lambda batch, pad_id: batch,
) -> dict[str, Tensor]:
    """Rows as one batch.

    Args:
        rows: Ids and labels of each.
        pad_id: The token that fills up.
        side: Where.
        sides: Of ids, labels and mask, from the side that is asked for.
        first: What is done to the rows before.
        filler: Of the ids, from pad_id.
        label: Of the labels, from pad_id.
        finish: What is done to the batch at the end, from it and pad_id.
    """
    ids, labels = zip(*first(rows), strict=True)
    there = [torch.ones_like(row) for row in ids]
    values = zip((ids, labels, there), (filler(pad_id), label(pad_id), 0), sides, strict=True)
    batch = [stacked(list(each), with_, place(side)) for each, with_, place in values]
    return finish(dict(zip(PARTS, batch, strict=True)), pad_id)


def finish(part: str, change: Callable[[dict[str, Tensor], int], Tensor]) -> Callable:
    """A batch of which a part is made another way."""
    return lambda batch, pad_id: batch | {part: change(batch, pad_id)}


def masked_by_number(batch: dict[str, Tensor], pad_id: int) -> Tensor:
    """No label is the padding's number."""
    return batch["labels"].where(batch["labels"] != pad_id, IGNORED)


LABELS_BY_NUMBER = (
    "end_masked_with_the_padding",
    "In your batch every label that is pad_id is −100. Where the end of text is the padding too,"
    " the answers' own ends lose their labels, and the student never learns to stop. The lengths of"
    " the rows tell you what was added.",
)
MASK_BY_NUMBER = (
    "mask_made_of_numbers",
    "attention_mask is 0 wherever the token is pad_id. Where the end of text is the padding too,"
    " ends that belong to the conversation become invisible. The lengths of the rows tell you what"
    " was added.",
)
SIDE_IGNORED = (
    "side_ignored",
    "Every batch of yours is padded on the same side, whatever is asked for. How does your function"
    " use `side`? To go on with a text, a model needs its last token at the end of the row.",
)
MASK_FROM_LABELS = (
    "mask_made_of_labels",
    "attention_mask is 0 wherever the label is −100, so no prompt can be read. The labels say what"
    " is learned; attention_mask says what is there to be read.",
)


def turned_over(rows: Rows, pad_id: int, side: str = "right") -> dict[str, Tensor]:
    """Padded on the right, and turned over for the left."""
    batch = collate(rows, pad_id)
    return {part: each.flip(1) for part, each in batch.items()} if side == "left" else batch


def not_turned_back(rows: Rows, pad_id: int, side: str = "right") -> dict[str, Tensor]:
    """Rows turned round for the left and padded on the right, where they are left so."""
    batch = collate(rows, pad_id, side)
    return {part: each.flip(1) for part, each in batch.items()} if side == "left" else batch


def mask_turned_back(rows: Rows, pad_id: int, side: str = "right") -> dict[str, Tensor]:
    """The same, where the mask alone is turned back."""
    batch = not_turned_back(rows, pad_id, side)
    return batch | {"attention_mask": collate(rows, pad_id, side)["attention_mask"]}


def run_for_padding(rows: Rows, pad_id: int, side: str = "right") -> dict[str, Tensor]:
    """The mask leaves out the run of pad_id at the padded side of each row."""
    batch = collate(rows, pad_id, side)
    fits = (batch["input_ids"] == pad_id).long()
    run = fits.cumprod(1) if side == "left" else fits.flip(1).cumprod(1).flip(1)
    return batch | {"attention_mask": 1 - run}


def own_end_left_out(rows: Rows, pad_id: int, side: str = "right") -> dict[str, Tensor]:
    """The mask leaves out the run of pad_id at the end of each row's own tokens."""
    batch = collate(rows, pad_id, side)
    size = batch["input_ids"].shape[1]
    for mask, (ids, _) in zip(batch["attention_mask"], rows, strict=True):
        run = int((ids == pad_id).long().flip(0).cumprod(0).sum())
        end = size if side == "left" else len(ids)
        mask[end - run : end] = 0
    return batch


def one_list(
    rows: Rows, pad_id: int, side: str = "right", *, parts: tuple[str, ...]
) -> dict[str, Tensor]:
    """All rows of these parts are one list, into which each row is written over those before."""
    batch = collate(rows, pad_id, side)
    there = batch["attention_mask"].bool()
    for part, filler in zip(PARTS, (pad_id, IGNORED, 0), strict=True):
        if part in parts:
            one = torch.full_like(batch[part][0], filler)
            for values, own in zip(batch[part], there, strict=True):
                one = values.where(own, one)
            batch[part] = one.repeat(len(rows), 1)
    return batch


def mask_off_by_one(
    rows: Rows, pad_id: int, side: str = "right", *, by: int, sides: tuple[str, ...]
) -> dict[str, Tensor]:
    """On some sides the mask takes a row for longer or shorter by a token."""
    batch = collate(rows, pad_id, side)
    if side in sides:
        size = batch["input_ids"].shape[1]
        there = torch.arange(size) if side == "right" else torch.arange(size).flip(0)
        lengths = torch.tensor([len(ids) + by for ids, _ in rows])
        batch["attention_mask"] = (there < lengths[:, None]).long()
    return batch


def longest_first(rows: Rows) -> Rows:
    """The rows by their length."""
    return sorted(rows, key=lambda row: -len(row[0]))


def not_filled_up(rows: Rows, *others: Any, error: Exception) -> dict[str, Tensor]:
    """Rows that are put together as they are, which raises unless all are of one length."""
    if len({len(ids) for ids, _ in rows}) > 1:
        raise error
    return collate(rows, *others)


def longest_lost(
    rows: Rows, pad_id: int, side: str = "right", *, sides: tuple[str, ...], parts: tuple[str, ...]
) -> dict[str, Tensor]:
    """On some sides, rows without a gap are filled up from their beginning."""
    batch = collate(rows, pad_id, side)
    if side in sides:
        full = batch["attention_mask"].bool().all(1)
        for part, filler in zip(PARTS, (pad_id, IGNORED, 0), strict=True):
            if part in parts:
                batch[part][full] = filler
    return batch


PADDING_LABELS = (
    Wrong(
        "padding_counted",
        "The padding's labels are pad_id, so the student learns to write padding, from short rows"
        " most of all. Nobody wrote this padding, so it should not count.",
        lambda pad_id: pad_id,
    ),
    Wrong(
        "padding_labelled_with_another_number",
        "The padding's labels are not −100 but another number. A loss takes this number for the"
        " token that should be predicted.",
        lambda pad_id: 0,
    ),
    Wrong(
        "padding_labelled_with_another_number",
        "The padding's labels are not −100 but another number. A loss takes this number for the"
        " token that should be predicted.",
        lambda pad_id: -1,
    ),
)
WRONG_MASKS = (
    Wrong(
        *MASK_BY_NUMBER,
        finish("attention_mask", lambda batch, pad_id: (batch["input_ids"] != pad_id).long()),
    ),
    Wrong(
        *MASK_FROM_LABELS,
        finish("attention_mask", lambda batch, _: (batch["labels"] != IGNORED).long()),
    ),
    Wrong(
        "everything_is_there",
        "attention_mask is 1 everywhere: the model would read the padding as text.",
        finish("attention_mask", lambda batch, _: torch.ones_like(batch["labels"])),
    ),
    Wrong(
        "mask_turned_round",
        "attention_mask is 1 where padding is and 0 where text is. 1 means: this is there to be"
        " read.",
        finish("attention_mask", lambda batch, _: 1 - batch["attention_mask"]),
    ),
)
COLLATE_MISCONCEPTIONS = (
    *ways(collate, "label", *PADDING_LABELS),
    *ways(
        collate,
        "filler",
        Wrong(
            "zero_for_pad_id",
            "Your rows are filled up with token 0, which is a word here. Your function is given the"
            " number that should fill them up.",
            lambda pad_id: 0,
        ),
        Wrong(
            "ids_padded_with_ignored",
            "Your `input_ids` hold −100, which is no token: a model cannot look it up. −100 is a"
            " label.",
            lambda pad_id: IGNORED,
        ),
    ),
    *ways(
        collate,
        "sides",
        Wrong(*SIDE_IGNORED, (always("right"),) * 3),
        Wrong(*SIDE_IGNORED, (always("left"),) * 3),
        Wrong(
            "sides_turned_round",
            "Your padding stands on the left where the right is asked for, and on the right where"
            " the left is.",
            (other,) * 3,
        ),
        *(
            Wrong(
                "parts_on_different_sides",
                "Ids, labels and mask of your batch are not all filled up on the same side, so they"
                " no longer fit together token by token.",
                sides,
            )
            for sides in (
                (as_given, always("right"), always("right")),
                (as_given, always("right"), as_given),
                (as_given, as_given, always("right")),
                (always("right"), as_given, as_given),
            )
        ),
    ),
    *ways(
        collate,
        "first",
        Wrong(
            "cut_to_the_shortest",
            "All rows of your batch are as long as the shortest row. The longer rows lose their"
            " ends, and with them their answers.",
            shortest,
        ),
        *(
            Wrong(
                "rows_in_another_order",
                "The rows of your batch come in another order than they were given. Whoever keeps"
                " something else in the given order, such as the teacher's answers, would pair it"
                " with the wrong rows.",
                order,
            )
            for order in (longest_first, lambda rows: longest_first(rows[::-1])[::-1])
        ),
    ),
    *ways(
        collate,
        "finish",
        Wrong(*LABELS_BY_NUMBER, finish("labels", masked_by_number)),
        *WRONG_MASKS,
    ),
    *ways(
        collate,
        "finish",
        Wrong(
            "ids_as_labels",
            "Your labels are the ids of the row, also where nothing should count. Each row came"
            " with labels of its own, in which the questions are masked.",
            finish(
                "labels",
                lambda batch, _: batch["input_ids"].where(batch["attention_mask"] > 0, IGNORED),
            ),
        ),
        Wrong(
            "labels_shifted",
            "Your labels are one place too early: at each place stands the label of the next token."
            " In this set `labels[i]` belongs to `ids[i]`; the loss of task 3 makes the shift.",
            finish("labels", lambda batch, _: F.pad(batch["labels"][:, 1:], (0, 1), value=IGNORED)),
        ),
    ),
    *(
        Misconception(
            "rows_not_filled_up",
            "Rows of different lengths do not make a tensor, and PyTorch refuses. Is one of the"
            " three parts not filled up yet?",
            FINE_TUNING,
            partial(not_filled_up, error=error),
        )
        for error in (
            RuntimeError(
                "stack expects each tensor to be equal size, but got [6] at entry 0 and [4] at"
                " entry 1"
            ),
            ValueError("expected sequence of length 6 at dim 1 (got 4)"),
        )
    ),
    *(
        Misconception(
            "rows_read_backwards",
            "Where the left is asked for, your rows run backwards: a flip turns the order of their"
            " tokens round too. Each row should keep its order, and stand after its padding.",
            FINE_TUNING,
            wrong,
        )
        for wrong in (turned_over, not_turned_back, mask_turned_back)
    ),
    *(
        Misconception(
            "own_end_taken_for_padding",
            "A row may begin or end with tokens of its own that equal pad_id. In your"
            " attention_mask such a token has a 0. The lengths of the rows tell you what was"
            " added.",
            FINE_TUNING,
            wrong,
        )
        for wrong in (run_for_padding, own_end_left_out)
    ),
    *(
        Misconception(
            "longest_row_lost",
            "The longest row is overwritten with padding, in all three tensors or in some. It needs"
            " no padding: how many tokens does your code add to it? And `x[-n:]` with n = 0 is the"
            " whole of x.",
            FINE_TUNING,
            partial(longest_lost, sides=sides, parts=parts),
        )
        for sides in (("right",), ("left",), ("right", "left"))
        for parts in (PARTS, PARTS[:2], PARTS[2:], PARTS[1:2])
    ),
    *(
        Misconception(
            "rows_are_one_list",
            "All rows of your batch are the same, as if each row were written over the one before:"
            " `[row] * n` is one list n times, and what is written into one is in all.",
            FINE_TUNING,
            partial(one_list, parts=parts),
        )
        for parts in (PARTS, PARTS[:2])
    ),
    *(
        Misconception(
            "mask_off_by_one",
            "The `attention_mask` of a row has one 1 too many or one too few, at the border between"
            " its tokens and the padding. How many tokens does the row have? If you use a slice:"
            " does it include its last number?",
            FINE_TUNING,
            partial(mask_off_by_one, by=by, sides=sides),
        )
        for by in (1, -1)
        for sides in (("right",), ("left",), ("right", "left"))
    ),
    *pairs(collate, "label", PADDING_LABELS, "finish", WRONG_MASKS),
    Misconception(
        f"{LABELS_BY_NUMBER[0]}+{MASK_BY_NUMBER[0]}",
        f"At least two things are off. {LABELS_BY_NUMBER[1]} {MASK_BY_NUMBER[1]}",
        FINE_TUNING,
        lambda rows, pad_id, side="right": collate(
            rows,
            pad_id,
            side,
            finish=lambda batch, pad_id: {
                "input_ids": batch["input_ids"],
                "labels": masked_by_number(batch, pad_id),
                "attention_mask": (batch["input_ids"] != pad_id).long(),
            },
        ),
    ),
)


def row(prompt: int, answer: int, rng: np.random.Generator) -> list[Tensor]:
    """Ids and labels of a question and its answer, of so many words each."""
    asked, said = (rng.choice(SAID, size=size).tolist() for size in (prompt, answer))
    return encode([message("user", *asked), message("assistant", *said)])


LEFT = "padded on the left"


def collate_cases() -> tuple[Case, ...]:
    """As (rows, pad_id, side); pad_id is the end of text in some, and a token 0 is in all."""
    rng = np.random.default_rng(61)
    two, three_rows = ([row(n, 4 - n, rng) for n in sizes] for sizes in ((1, 3), (3, 1, 2)))
    two.append([torch.tensor([0, 9]), torch.tensor([IGNORED, 9])])
    three_rows[1] = [each[:-3] for each in three_rows[1]]
    three_rows[2] = [torch.cat([each, each[5:]]) for each in three_rows[2]]
    short = [[torch.tensor([0, 7, 0, END]), torch.tensor([IGNORED, 7, 0, END])], row(2, 1, rng)]
    alike = [row(2, 1, rng), row(1, 2, rng)]
    begun = [[torch.tensor([END, 7]), torch.tensor([IGNORED, 7])], row(1, 1, rng)]
    few = [[torch.tensor([0])] * 2, [torch.tensor([9, 7]), torch.full((2,), IGNORED)]]
    pad = len(WORDS)
    return (
        Case("three rows, and padding of its own", (two, pad, "right"), public=True),
        Case("the end of text is the padding", (three_rows, END, "right"), public=True),
        Case("right, when no side is given, padded with token 0", (short, 0), public=True),
        Case("a row that ends with the padding", (short, END, "right"), public=True),
        Case("on the left", (two, pad, "left"), {}, LEFT, True),
        Case("on the left, padded with the end of text", (three_rows, END, "left"), {}, LEFT, True),
        Case("rows of one length", (alike, END, "right")),
        Case("one row", ([row(300, 300, rng)], pad, "right")),
        Case("a row of one token, and one without labels", ([*short, *few], END, "right")),
        Case("rows of one length, left", (alike, END, "left"), {}, LEFT),
        Case("a row that begins with the padding", (begun, END, "left"), {}, LEFT),
        Case("forty rows, left", (short * 20, LINE, "left"), {}, LEFT),
    )


def collate_facts(case: Case) -> dict[str, Any]:
    """What is so of a batch to be."""
    _, pad_id, *side = case.args
    return {
        "the padding is the end of text": pad_id == END,
        "the padding is token 0": pad_id == 0,
        "the padding stands on the left": side == ["left"],
        "no side is given": not side,
    }


def random_collate_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Batches of a submission's own."""
    for side, part in (("right", None), ("right", None), ("left", LEFT)):
        sizes = rng.permutation(6)[:3] + 1
        rows = [row(int(rng.integers(1, 3)), int(size), rng) for size in sizes]
        pad = END if rng.random() < 0.5 else len(WORDS)
        yield Case("random", (rows, pad, side), {}, part)


# --- The loss over answers ----------------------------------------------------------------------
# Each term is a value per position, then a mean over the positions whose next token counts.

Aligned = tuple[Tensor, Tensor, Tensor]  # student's and teacher's logits [B, L, V], labels [B, L]


def token_mean_or_nan(losses: Tensor, labels: Tensor) -> Tensor:
    """The mean over what counts, NaN where nothing does."""
    return losses[labels != IGNORED].mean()


def next_ones(student: Tensor, teacher: Tensor, labels: Tensor) -> Aligned:
    """Each position with the label of the next."""
    return student[:, :-1], teacher[:, :-1], labels[:, 1:]


def own_ones(student: Tensor, teacher: Tensor, labels: Tensor) -> Aligned:
    """Each position with its own label."""
    return student, teacher, labels


def own_ones_but_last(student: Tensor, teacher: Tensor, labels: Tensor) -> Aligned:
    """Each position but the last with its own label."""
    return student[:, :-1], teacher[:, :-1], labels[:, :-1]


def both_counted(student: Tensor, teacher: Tensor, labels: Tensor) -> Aligned:
    """Each position with the label of the next, where its own one counts too."""
    following = labels[:, 1:].where(labels[:, :-1] != IGNORED, IGNORED)
    return student[:, :-1], teacher[:, :-1], following


def first_of_rows_lost(student: Tensor, teacher: Tensor, labels: Tensor) -> Aligned:
    """Each position with the label of the next, but for the first of each row that counts."""
    student, teacher, following = next_ones(student, teacher, labels)
    counts = following != IGNORED
    first = counts & (counts.long().cumsum(-1) == 1)
    return student, teacher, following.masked_fill(first, IGNORED)


def kept_ones(student: Tensor, teacher: Tensor, labels: Tensor) -> Aligned:
    """Those that count alone, one after the other."""
    found = next_ones(student, teacher, labels)
    return tuple(each[found[2] != IGNORED][None] for each in found)


def flat(student: Tensor, teacher: Tensor, labels: Tensor) -> Aligned:
    """Each position with the next label, in all rows as one."""
    return next_ones(*(each.flatten(0, 1)[None] for each in (student, teacher, labels)))


def flat_and_round(student: Tensor, teacher: Tensor, labels: Tensor) -> Aligned:
    """The same, and the very last position with the very first label."""
    return student, teacher, labels.flatten().roll(-1).view_as(labels)


def one_row(at: int) -> Callable[[Tensor, Tensor, Tensor], Aligned]:
    """The positions of one row."""
    return lambda *batch: tuple(each[at][None] for each in next_ones(*batch))


def ones_after_next(student: Tensor, teacher: Tensor, labels: Tensor) -> Aligned:
    """Each position with the label two places on."""
    return student[:, :-2], teacher[:, :-2], labels[:, 2:]


def ones_before(student: Tensor, teacher: Tensor, labels: Tensor) -> Aligned:
    """Each position with the label before it."""
    return student[:, 1:], teacher[:, 1:], labels[:, :-1]


def rolled(student: Tensor, teacher: Tensor, labels: Tensor) -> Aligned:
    """Each position with the label of the next, the last one with that of the first."""
    return student, teacher, labels.roll(-1, 1)


def other_student(student: Tensor, teacher: Tensor, labels: Tensor) -> Aligned:
    """The student's logits of the position before, the teacher's of the token itself."""
    return student[:, :-1], teacher[:, 1:], labels[:, 1:]


def label_losses(student: Tensor, labels: Tensor) -> Tensor:
    """−log q(y) at each position; of ignored labels, what token 0 would give."""
    return -student.log_softmax(-1).gather(-1, labels.clamp_min(0)[..., None])[..., 0]


def label_losses_across(student: Tensor, labels: Tensor) -> Tensor:
    """The same with the positions for classes and the classes for positions."""
    return F.cross_entropy(student, labels, reduction="none")


def forward_kl(student: Tensor, teacher: Tensor) -> Tensor:
    """KL(p‖q) at each position."""
    log_q, log_p = student.log_softmax(-1), teacher.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def reverse_kl(student: Tensor, teacher: Tensor) -> Tensor:
    """KL(q‖p) at each position."""
    return forward_kl(teacher, student)


def soft_cross_entropy(student: Tensor, teacher: Tensor) -> Tensor:
    """Cross-entropy: the teacher's entropy is left in."""
    return -(teacher.softmax(-1) * student.log_softmax(-1)).sum(-1)


def class_mean(student: Tensor, teacher: Tensor) -> Tensor:
    """The mean over the vocabulary."""
    return forward_kl(student, teacher) / student.shape[-1]


def of_argmax(student: Tensor, teacher: Tensor) -> Tensor:
    """−log q of the teacher's likeliest token."""
    return label_losses(student, teacher.argmax(-1))


def symmetric_kl(student: Tensor, teacher: Tensor) -> Tensor:
    """The mean of both divergences."""
    return (forward_kl(student, teacher) + reverse_kl(student, teacher)) / 2


def both_kls(student: Tensor, teacher: Tensor) -> Tensor:
    """Their sum."""
    return forward_kl(student, teacher) + reverse_kl(student, teacher)


def in_bits(student: Tensor, teacher: Tensor) -> Tensor:
    """KL(p‖q) by logarithms to the base 2."""
    return forward_kl(student, teacher) / math.log(2)


def jensen_shannon(student: Tensor, teacher: Tensor) -> Tensor:
    """The mean divergence from the mean of both."""
    middle = ((student.softmax(-1) + teacher.softmax(-1)) / 2).log()
    return (forward_kl(middle, student) + forward_kl(middle, teacher)) / 2


def along(axis: int, both: bool) -> Callable[[Tensor, Tensor], Tensor]:
    """KL(p‖q) with the teacher's softmax over another axis, or with both."""

    def kd(student: Tensor, teacher: Tensor) -> Tensor:
        log_q, log_p = student.log_softmax(axis if both else -1), teacher.log_softmax(axis)
        return (log_p.exp() * (log_p - log_q)).sum(-1)

    return kd


def label_losses_along(axis: int) -> Callable[[Tensor, Tensor], Tensor]:
    """−log q(y) with a softmax over another axis."""
    return lambda student, labels: (
        -student.log_softmax(axis).gather(-1, labels.clamp_min(0)[..., None])[..., 0]
    )


Logarithm = Callable[[Tensor], Tensor]


def logarithms() -> list[Logarithm]:
    """Logarithms that something small keeps from being large."""

    def plus(tiny: float) -> Logarithm:
        return lambda x: (x + tiny).log()

    def at_least(tiny: float) -> Logarithm:
        return lambda x: x.clamp_min(tiny).log()

    return [plus(10.0**-n) for n in (3, 4, 5, 6, 7, 8, 9, 10, 12)] + [
        at_least(10.0**-n) for n in (3, 4, 5, 6, 7, 8)
    ]


def label_losses_by(log: Logarithm) -> Callable[[Tensor, Tensor], Tensor]:
    """−log q(y) by a logarithm of one's own."""
    return lambda student, labels: (
        -log(student.softmax(-1)).gather(-1, labels.clamp_min(0)[..., None])[..., 0]
    )


def forward_kl_by(log: Logarithm) -> Callable[[Tensor, Tensor], Tensor]:
    """KL(p‖q) by a logarithm of one's own."""

    def kd(student: Tensor, teacher: Tensor) -> Tensor:
        q, p = student.softmax(-1), teacher.softmax(-1)
        return (p * (log(p) - log(q))).sum(-1)

    return kd


def mean_square(student: Tensor, teacher: Tensor) -> Tensor:
    """The mean squared difference of the logits."""
    return ((student - teacher) ** 2).mean(-1)


def mean_square_of_probabilities(student: Tensor, teacher: Tensor) -> Tensor:
    """The mean squared difference of the probabilities."""
    return ((student.softmax(-1) - teacher.softmax(-1)) ** 2).mean(-1)


ANOTHER_DIVERGENCE = (
    "another_divergence",
    "The two models are compared by another measure of how far they are apart: both divergences"
    " together, or squared differences, for example. The task asks for one divergence alone. What"
    " does it weigh, and with which weights?",
)
ANOTHER_TEMPERATURE = (
    "another_temperature",
    "The two models are compared as if both were softened, at a temperature of 2 or more. Here"
    " nothing is to be softened: the temperature is 1.",
)


def softened(kl: Callable[[Tensor, Tensor], Tensor]) -> list[Callable[[Tensor, Tensor], Tensor]]:
    """A divergence at higher temperatures, multiplied by their square or not."""

    def at(temperature: float, scale: float) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda student, teacher: scale * kl(student / temperature, teacher / temperature)

    return [at(t, scale) for t in (2.0, 3.0, 4.0, 5.0) for scale in (1.0, t * t)]


OTHER_DIVERGENCES = (
    symmetric_kl,
    both_kls,
    jensen_shannon,
    mean_square,
    mean_square_of_probabilities,
)


def negative_kl(student: Tensor, teacher: Tensor) -> Tensor:
    """−KL(p‖q)."""
    return -forward_kl(student, teacher)


def taken_for_probabilities(of: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """kl_div that takes something else of the teacher for its probabilities."""
    return lambda student, teacher: F.kl_div(
        student.log_softmax(-1), of(teacher), reduction="none"
    ).sum(-1)


def mistaken(
    front: Callable[[Tensor], Tensor], behind: Callable[[Tensor], Tensor]
) -> Callable[[Tensor, Tensor], Tensor]:
    """kl_div(front, behind, log_target=True) of both models' logits."""
    return lambda student, teacher: (
        behind(teacher).exp() * (behind(teacher) - front(student))
    ).sum(-1)


def softmaxed(logits: Tensor) -> Tensor:
    """Probabilities in the place of logits."""
    return logits.softmax(-1)


def log_softmaxed(logits: Tensor) -> Tensor:
    """Logarithms of probabilities."""
    return logits.log_softmax(-1)


def smoothed_losses(student: Tensor, labels: Tensor) -> Tensor:
    """−log q(y) of labels of which a tenth lies on all tokens alike."""
    return 0.9 * label_losses(student, labels) - 0.1 * student.log_softmax(-1).mean(-1)


Mean = Callable[[Tensor, Tensor], Tensor]


def kept(losses: Tensor, labels: Tensor) -> Tensor:
    """The sum over the positions that count."""
    return losses[labels != IGNORED].sum()


def number(labels: Tensor) -> Tensor:
    """How many positions count."""
    return (labels != IGNORED).sum()


def token_mean(losses: Tensor, labels: Tensor) -> Tensor:
    """Mean over the positions that count."""
    return kept(losses, labels) / number(labels)


def token_mean_or_zero(losses: Tensor, labels: Tensor) -> Tensor:
    """The same, and 0 where nothing counts."""
    return kept(losses, labels) / number(labels).clamp_min(1)


def diluted_mean(losses: Tensor, labels: Tensor) -> Tensor:
    """The sum of those that count over the number of all."""
    return kept(losses, labels) / losses.numel()


def row_mean(losses: Tensor, labels: Tensor) -> Tensor:
    """The sum over the number of rows."""
    return kept(losses, labels) / len(losses)


def mean_of_means(losses: Tensor, labels: Tensor) -> Tensor:
    """The mean over rows of each row's own mean."""
    counts = labels != IGNORED
    return ((losses * counts).sum(-1) / counts.sum(-1).clamp_min(1)).mean()


def mean_of_means_of_some(losses: Tensor, labels: Tensor) -> Tensor:
    """The same over the rows of which something counts."""
    some = (labels != IGNORED).any(-1)
    return mean_of_means(losses[some], labels[some])


def mean_of_means_or_nan(losses: Tensor, labels: Tensor) -> Tensor:
    """The same over all rows, NaN where nothing of a row counts."""
    counts = labels != IGNORED
    return ((losses * counts).sum(-1) / counts.sum(-1)).mean()


def mean_of_all(losses: Tensor, labels: Tensor) -> Tensor:
    """Mean over all positions."""
    return losses.mean()


def all_over_some(losses: Tensor, labels: Tensor) -> Tensor:
    """The sum over all positions over the number of those that count."""
    return losses.sum() / number(labels)


def all_over_rows(losses: Tensor, labels: Tensor) -> Tensor:
    """The sum over all positions over the number of rows."""
    return losses.sum() / len(losses)


def between(labels: Tensor) -> Tensor:
    """Where a row is, from its first position that counts to its last."""
    counts = (labels != IGNORED).long()
    return (counts.cumsum(-1) > 0) & (counts.flip(-1).cumsum(-1).flip(-1) > 0)


def mean_between(losses: Tensor, labels: Tensor) -> Tensor:
    """Mean over each row from its first position that counts to its last."""
    return losses[between(labels)].mean()


def between_over_some(losses: Tensor, labels: Tensor) -> Tensor:
    """The sum of these over the number of those that count."""
    return losses[between(labels)].sum() / number(labels)


def sum_of_all(losses: Tensor, labels: Tensor) -> Tensor:
    """The sum over all positions."""
    return losses.sum()


def divided_twice(losses: Tensor, labels: Tensor) -> Tensor:
    """The mean over the number of those that count."""
    return token_mean(losses, labels) / number(labels)


def without_zero(labels: Tensor) -> Tensor:
    """Labels of which 0 does not count."""
    return labels.where(labels > 0, IGNORED)


def answer_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    lam: float,
    watch: str,
    *,
    aligned: Callable[[Tensor, Tensor, Tensor], Aligned] = next_ones,
    kd_aligned: Callable[[Tensor, Tensor, Tensor], Aligned] | None = None,
    mean: Mean = token_mean,
    lm_mean: Mean | None = None,
    kd_mean: Mean | None = None,
    lm_losses: Callable[[Tensor, Tensor], Tensor] = label_losses,
    kd: Callable[[Tensor, Tensor], Tensor] = forward_kl,
    weights: Callable[[float], tuple[float, float]] = lambda lam: (1.0, lam),
    leak: bool = False,
    cut: bool = False,
    held: tuple[bool, bool] = (False, False),
) -> Tensor:
    """LM + λ·KD over answers, or its gradients for both models' logits.

    Args:
        student_logits: [B, L, V].
        teacher_logits: [B, L, V].
        labels: [B, L], not shifted.
        lam: The teacher's weight.
        watch: "loss" or "gradients".
        aligned: How logits and labels are put side by side.
        kd_aligned: The same for the teacher's term, where it differs.
        mean: Over positions.
        lm_mean: The labels' own one, where it differs.
        kd_mean: The teacher's own one, where it differs.
        lm_losses: The labels' term at each position.
        kd: The teacher's term at each position.
        weights: Of the two terms, from λ.
        leak: Whether a gradient reaches the teacher.
        cut: Whether none reaches the student.
        held: Whether none reaches it from the labels' term, and from the teacher's.
    """
    student = student_logits.double().requires_grad_()
    teacher = teacher_logits.double().requires_grad_()
    guide = teacher if leak else teacher.detach()
    q, _, y = aligned(student.detach() if held[0] else student, guide, labels)
    lm = (lm_mean or mean)(lm_losses(q, y), y)
    q, p, y = (kd_aligned or aligned)(student.detach() if held[1] else student, guide, labels)
    own, foreign = weights(lam)
    loss = own * lm + foreign * (kd_mean or mean)(kd(q, p), y)
    if watch == "loss":
        return loss.detach()
    if cut:
        return torch.zeros(2, *student.shape)
    return torch.stack(torch.autograd.grad(loss, [student, teacher], materialize_grads=True))


def first_counted(losses: Tensor, labels: Tensor, *, every: Tensor) -> Tensor:
    """The sum over the number of labels, the first of each row among them."""
    return kept(losses, labels) / number(every)


def with_first_counted(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    lam: float,
    watch: str,
    *,
    of: str = "mean",
) -> Tensor:
    """A divisor, of both terms or of one, that counts labels which nothing predicts."""
    mean = {of: partial(first_counted, every=labels)}
    return answer_loss(student_logits, teacher_logits, labels, lam, watch, **mean)


def zero_left_out(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    lam: float,
    watch: str,
    **options: Any,
) -> Tensor:
    """Token 0 does not count."""
    own = without_zero(labels)
    return answer_loss(student_logits, teacher_logits, own, lam, watch, **options)


def refused(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    lam: float,
    watch: str,
    *,
    error: Exception,
) -> Tensor:
    """Nothing but an exception."""
    raise error


LOOKED_UP = (  # by gather, in square brackets and by one_hot; there is a -100 in all batches
    RuntimeError("index -100 is out of bounds for dimension 2 with size 5"),
    IndexError("index -100 is out of bounds for dimension 2 with size 5"),
    RuntimeError("Class values must be non-negative."),
)
LENGTHS = (  # by cross_entropy of tables and of rows, and by a mask
    RuntimeError("Expected target size [2, 6], got [2, 5]"),
    ValueError("Expected input batch_size (12) to match target batch_size (10)."),
    IndexError(
        "The shape of the mask [2, 5] at index 1 does not match the shape of the indexed tensor"
        " [2, 6, 5] at index 1"
    ),
)


def classes_in_the_middle(
    student_logits: Tensor, teacher_logits: Tensor, labels: Tensor, lam: float, watch: str
) -> Tensor:
    """cross_entropy takes axis 1 for the classes, which may be as many as there are."""
    F.cross_entropy(student_logits[:, :-1], labels[:, 1:])
    options = {"aligned": next_ones, "lm_losses": label_losses_across}
    return answer_loss(student_logits, teacher_logits, labels, lam, watch, **options)


def viewed(
    student_logits: Tensor, teacher_logits: Tensor, labels: Tensor, lam: float, watch: str
) -> Tensor:
    """view() of a slice, whose rows lie apart where there are several of more than one token."""
    if len(labels) > 1 and labels.shape[1] > 2:
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one"
            " dimension spans across two contiguous subspaces). Use .reshape(...) instead."
        )
    return answer_loss(student_logits, teacher_logits, labels, lam, watch)


ALL_POSITIONS = (
    "divided_by_all_positions",
    "Your loss, or a term of it, is a sum divided by the number of all positions, so an answer"
    " counts less if its question is longer. How many tokens are in the sum?",
)
ROW_MEANS = (
    "mean_of_row_means",
    "A word of a short answer weighs more in your loss, or in a term of it, than one of a long"
    " answer, as if each row were averaged by itself. All tokens of all answers should weigh the"
    " same.",
)
PER_ROW = (
    "divided_by_rows",
    "Your loss, or a term of it, is a sum divided by the number of rows, which makes it, and the"
    " step with it, larger for long answers. The task asks for a mean over tokens.",
)
SUMMED = (
    "summed",
    "Your loss, or a term of it, is a sum where the task asks for a mean: it grows with every"
    " answer in the batch.",
)
MEANS = (
    Wrong(*ALL_POSITIONS, diluted_mean, FORMULA),
    Wrong(*ROW_MEANS, mean_of_means, FORMULA),
    Wrong(*ROW_MEANS, mean_of_means_of_some, FORMULA),
    Wrong(*PER_ROW, row_mean, FORMULA),
    Wrong(*SUMMED, kept, FORMULA),
)
KD_OVER_ALL = (
    "kd_over_the_prompt",
    "The teacher's term counts tokens that belong to no answer, those of the prompt and the padding"
    " too. Then λ no longer balances two terms over the same tokens. The mask belongs to both"
    " terms.",
)
KD_OVER_THE_PROMPT = tuple(
    Wrong(*KD_OVER_ALL, mean) for mean in (mean_of_all, all_over_some, all_over_rows, sum_of_all)
)
KD_BETWEEN = tuple(
    Wrong(
        "everything_between",
        "The teacher's term counts all tokens of a row, from the first that has a label to the"
        " last. Between two answers there may be a question, which does not count.",
        mean,
    )
    for mean in (mean_between, between_over_some)
)
LM_OVER_ALL = Wrong(
    "ignored_label_as_token_zero",
    "Where a label is −100, your loss is computed as if the label were token 0. Select the"
    " positions that count before you look anything up.",
    mean_of_all,
    FORMULA,
)
FIRST_LOST = (
    "both_must_count",
    "The first token of each answer is missing in your loss, or in a term of it. The token before"
    " it does not count, and it need not: only the token that is predicted has to count.",
)
SHIFTS = (
    Wrong(
        "not_shifted",
        "Your loss compares the logits at each token with that token itself, which the model has"
        " just read. The labels are not shifted yet: what do the logits at i predict?",
        own_ones,
        FORMULA,
    ),
    Wrong(
        "shifted_twice",
        "Your loss compares the logits at each token with the label two places on. One shift is"
        " one place: was it made twice?",
        ones_after_next,
        FORMULA,
    ),
    Wrong(
        "shifted_the_wrong_way",
        "Your loss compares the logits at each token with the label before it, whose token the"
        " model has already read. What do the logits at i predict?",
        ones_before,
        FORMULA,
    ),
)
KD_SHIFTS = (
    Wrong(
        "kd_not_shifted",
        "The labels' term is right. The teacher's term leaves out the prediction of an answer's"
        " first token and counts the prediction of what follows its end. Where is each token of an"
        " answer predicted?",
        own_ones,
        FORMULA,
    ),
    Wrong(
        "models_at_different_places",
        "Your teacher's term compares student and teacher at different places, as if one of them"
        " were shifted and the other not. Both must predict the same token.",
        other_student,
        FORMULA,
    ),
)
KINDS = (
    Wrong(
        "direction_swapped",
        "Your teacher's term is the divergence the other way round: the student's probabilities"
        " are the weights. The task asks for KL(p‖q), and p is the teacher's.",
        reverse_kl,
        DIRECTION,
    ),
    Wrong(
        "cross_entropy",
        "When student and teacher agree, the teacher's term should be 0, and yours is not: the"
        " teacher's entropy is still in it.",
        soft_cross_entropy,
        SECTIONS["1.2"],
    ),
    Wrong(
        "vocabulary_mean",
        "The teacher's term is too small: it is divided by the size of the vocabulary. Is there a"
        " mean over the classes, where a divergence is a sum over them?",
        class_mean,
        SECTIONS["1.2"],
    ),
    Wrong(
        "likeliest_token_alone",
        "Your teacher's term uses the teacher's likeliest token alone. What does the teacher say"
        " about all the other tokens?",
        of_argmax,
        SECTIONS["1.1"],
    ),
    Wrong(
        "log_target_missing",
        "The result is NaN. This happens when kl_div gets logarithms, or logits, as its target: it"
        " takes them for probabilities unless it is told otherwise, and the logarithm of a negative"
        " number is NaN. Do you call it in this way?",
        taken_for_probabilities(log_softmaxed),
        FORMULA,
    ),
)
TARGET_FORM = (
    "target_not_in_the_form",
    "In your teacher's term probabilities stand where their logarithms belong, or logits stand"
    " where one of these belongs. What are the two arguments of your kl_div, and what does it take"
    " each of them for?",
)
SOFTMAXED_TWICE = (
    "softmaxed_twice",
    "In your loss a model looks unsure, however sure it is, as if its probabilities were taken for"
    " logits and went through one more softmax. Does each of your functions expect logits or"
    " probabilities?",
)
OTHER_WEIGHTS = (
    "other_weights",
    "Both terms are right, but their weights in your loss are not: the labels' term should have a"
    " weight of 1, and the teacher's term a weight of λ. Write your loss out for λ = 0, and then"
    " for λ = 1.",
)
WEIGHTS = (
    Wrong(
        "lambda_forgotten",
        "λ has no effect: your result is the plain sum of the two terms.",
        lambda lam: (1.0, 1.0),
        FORMULA,
    ),
    Wrong(
        "lambda_on_the_wrong_term",
        "At λ = 0 your loss ignores the labels. λ is the weight of the teacher's term.",
        lambda lam: (lam, 1.0),
        FORMULA,
    ),
    Wrong(
        "lambda_as_alpha",
        "Your loss weighs one term by 1 − λ and the other by λ. In the formula of the task the"
        " labels' term keeps its whole weight.",
        lambda lam: (1 - lam, lam),
        FORMULA,
    ),
    Wrong(
        "teacher_forgotten",
        "Your loss is the labels' term alone. Where does the teacher come in?",
        lambda lam: (1.0, 0.0),
    ),
    Wrong(
        "lambda_on_both_terms",
        "λ weighs both terms: at λ = 0 your loss is 0, whatever the labels are. Which of the two"
        " terms is it to weigh?",
        lambda lam: (lam, lam),
        FORMULA,
    ),
    Wrong(
        "labels_forgotten",
        "Your loss is the teacher's term alone. Where do the labels come in?",
        lambda lam: (0.0, lam),
    ),
    Wrong(
        "penalty_subtracted",
        "The teacher's term is subtracted in your loss, so your student is rewarded for moving"
        " away from its teacher.",
        lambda lam: (1.0, -lam),
        FORMULA,
    ),
)
ZERO_LEFT_OUT = (
    "token_zero_not_counted",
    "Token 0 is a word like any other, but where it is the label, the position does not count in"
    " your loss. Only −100 marks what does not count.",
)
FEW = (MEANS[0], MEANS[1], MEANS[3], MEANS[4])
LOSS_MISCONCEPTIONS = (
    *ways(answer_loss, "mean", *MEANS),
    *ways(answer_loss, "mean", Wrong(*ROW_MEANS, mean_of_means_or_nan, FORMULA)),
    *ways(answer_loss, "lm_mean", *MEANS, LM_OVER_ALL),
    *ways(answer_loss, "kd_mean", *MEANS, *KD_OVER_THE_PROMPT, *KD_BETWEEN),
    *ways(answer_loss, "aligned", *SHIFTS),
    *ways(
        answer_loss,
        "aligned",
        SHIFTS[0]._replace(option=own_ones_but_last),
        Wrong(*FIRST_LOST, both_counted, FORMULA),
    ),
    *(
        Misconception(
            "first_of_each_row_lost",
            "In each row your loss leaves out the first token that has a label and is predicted;"
            " later answers are complete. Nothing predicts the row's token at place 0, whether it"
            " has a label or not. All later tokens are predicted.",
            FORMULA,
            partial(answer_loss, aligned=first_of_rows_lost, mean=mean),
        )
        for mean in (token_mean, token_mean_or_zero)
    ),
    *ways(
        answer_loss,
        "kd_aligned",
        *KD_SHIFTS,
        KD_SHIFTS[0]._replace(option=own_ones_but_last),
        Wrong(*FIRST_LOST, both_counted, FORMULA),
    ),
    Misconception(
        *FIRST_LOST,
        FORMULA,
        partial(
            answer_loss, aligned=both_counted, kd_aligned=own_ones_but_last, mean=token_mean_or_nan
        ),
    ),
    *ways(
        answer_loss,
        "aligned",
        Wrong(
            "rolled_round",
            "The label of a row's first token counts in your loss, with the logits at the row's"
            " end. Nothing predicts a row's first token; and roll() moves it to the end instead of"
            " dropping it.",
            rolled,
            FORMULA,
        ),
        *(
            Wrong(
                "shifted_while_flat",
                "Your loss is what you get by joining all rows into one before the shift: the"
                " logits at a row's end are compared with the first token of the next row. Which"
                " axis is to be shifted, and when?",
                way,
                FORMULA,
            )
            for way in (flat, flat_and_round)
        ),
    ),
    *ways(
        answer_loss,
        "kd",
        *KINDS,
        KINDS[4]._replace(option=taken_for_probabilities(lambda teacher: teacher)),
        *(
            Wrong(*TARGET_FORM, mistaken(front, behind), FORMULA)
            for front, behind in (
                (softmaxed, log_softmaxed),
                (lambda student: student, log_softmaxed),
                (log_softmaxed, softmaxed),
            )
        ),
        Wrong(*SOFTMAXED_TWICE, lambda q, p: forward_kl(q, p.softmax(-1)), SECTIONS["1.1"]),
        Wrong(*SOFTMAXED_TWICE, lambda q, p: forward_kl(q.softmax(-1), p), SECTIONS["1.1"]),
    ),
    *ways(
        answer_loss,
        "lm_losses",
        Wrong(*SOFTMAXED_TWICE, lambda q, y: label_losses(q.softmax(-1), y), SECTIONS["1.1"]),
        Wrong(
            "labels_smoothed",
            "Your labels' term uses smoothed labels: a part of each label is spread evenly over all"
            " tokens. That is useful elsewhere, but the task asks for −log q(y) alone.",
            smoothed_losses,
            SECTIONS["1.1"],
        ),
    ),
    *ways(
        answer_loss,
        "kd",
        *(Wrong(*ANOTHER_DIVERGENCE, kd, SECTIONS["1.2"]) for kd in OTHER_DIVERGENCES),
        *(Wrong(*ANOTHER_TEMPERATURE, kd, FORMULA) for kd in softened(forward_kl)),
    ),
    *pairs(
        answer_loss,
        "kd",
        tuple(Wrong(*ANOTHER_TEMPERATURE, kd, FORMULA) for kd in softened(forward_kl)),
        "weights",
        WEIGHTS[2:3],
    ),
    *(
        Misconception(
            "softmax_on_another_axis",
            "Your loss is what you get with a softmax over another axis than the vocabulary. Which"
            " axis of [B, L, V] is the vocabulary? And which axis is it after the positions that"
            " count are taken out?",
            FORMULA,
            partial(answer_loss, kd=along(axis, both), aligned=aligned, **options),
        )
        for axis, aligned in ((0, next_ones), (1, next_ones), (1, kept_ones))
        for both, options in (
            (False, {}),
            (True, {}),
            (True, {"lm_losses": label_losses_along(axis)}),
        )
    ),
    *(
        Misconception(
            "epsilon_in_the_logarithm",
            "Your loss is what you get if something small is added to the probabilities, or is"
            " their lower limit, before their logarithm is taken. Where the student is surely"
            " wrong, this hides how wrong it is. log_softmax() needs no such help.",
            FORMULA,
            partial(answer_loss, **changed),
        )
        for log in logarithms()
        for changed in (
            {"lm_losses": label_losses_by(log)},
            {"kd": forward_kl_by(log)},
            {"lm_losses": label_losses_by(log), "kd": forward_kl_by(log)},
        )
    ),
    *(
        Misconception(
            "one_row_alone",
            "Your loss is that of one row of the batch. What becomes of the others?",
            FORMULA,
            partial(answer_loss, aligned=one_row(at)),
        )
        for at in (0, -1)
    ),
    *ways(
        answer_loss,
        "kd",
        Wrong(
            "in_bits",
            "Your teacher's term is in bits, and the labels' term is in nats. The formula has one"
            " kind of logarithm.",
            in_bits,
            SECTIONS["1.2"],
        ),
    ),
    *(
        Misconception(
            "divided_twice",
            "Your loss, or a term of it, is a mean that is divided by the number of tokens a second"
            " time.",
            FORMULA,
            partial(answer_loss, **{of: divided_twice}),
        )
        for of in ("mean", "lm_mean", "kd_mean")
    ),
    Misconception(
        "student_detached_from_the_teacher+gradient_into_the_teacher",
        "At least two things are off. The loss is right, but no gradient reaches the student from"
        " the teacher's term. It flows into the teacher instead. Which of the two models is to be"
        " cut off there?",
        FORMULA,
        partial(answer_loss, held=(False, True), leak=True),
    ),
    *ways(
        answer_loss,
        "weights",
        *WEIGHTS,
        WEIGHTS[2]._replace(option=lambda lam: (lam, 1 - lam)),
        *(
            Wrong(*OTHER_WEIGHTS, weights, FORMULA)
            for weights in (
                lambda lam: (1.0, lam**2),
                lambda lam: (1 / (1 + lam), lam / (1 + lam)),
                lambda lam: (0.5, lam / 2),
                lambda lam: (-1.0, -lam),
            )
        ),
    ),
    *(
        Misconception(
            "first_label_in_the_divisor",
            "Your loss, or a term of it, is too small, as if its divisor counted labels that its"
            " sum does not have: nothing predicts the first token of a row. Are labels counted"
            " before the shift or after it?",
            FORMULA,
            partial(with_first_counted, of=mean),
        )
        for mean in ("mean", "lm_mean", "kd_mean")
    ),
    Misconception(*ZERO_LEFT_OUT, FORMULA, zero_left_out),
    *(
        Misconception(
            f"{each.name}+{ZERO_LEFT_OUT[0]}",
            f"At least two things are off. {each.hint} {ZERO_LEFT_OUT[1]}",
            each.section,
            partial(zero_left_out, kd=each.option),
        )
        for each in KINDS[:3]
    ),
    *(
        Misconception(
            "ignored_label_as_an_index",
            "A label of −100 was used as the number of a token, and there is no such token. Select"
            " the positions that count before you look anything up.",
            FORMULA,
            partial(refused, error=error),
        )
        for error in LOOKED_UP
    ),
    Misconception(
        "classes_on_another_axis",
        "cross_entropy looks for the classes on axis 1, and yours seem to be on the last axis."
        " Flatten rows and positions into one axis, or transpose the logits.",
        FORMULA,
        classes_in_the_middle,
    ),
    Misconception(
        "view_of_a_slice",
        "A slice of several rows does not lie in one piece in memory, and view() needs that. The"
        " exception names a function that works without it.",
        FORMULA,
        viewed,
    ),
    *(
        Misconception(
            "lengths_do_not_fit",
            "Logits and labels, or a mask made of labels, have different lengths in your function,"
            " and PyTorch refuses. What does the shift take from each of the two?",
            FORMULA,
            partial(refused, error=error),
        )
        for error in LENGTHS
    ),
    Misconception(
        "gradient_into_the_teacher",
        "The loss is right, but its gradient flows into the teacher too, so the teacher would learn"
        " to agree with its student. What cuts a tensor off from the graph?",
        FORMULA,
        partial(answer_loss, leak=True),
    ),
    Misconception(
        "no_gradient_at_all",
        "The loss is right, but no gradient flows from it: backward() has nothing to follow. Is"
        " your loss a plain number, or was the student cut off?",
        FORMULA,
        partial(answer_loss, cut=True),
    ),
    *ways(
        answer_loss,
        "held",
        Wrong(
            "student_detached_from_the_teacher",
            "The loss is right, but the student follows the labels' term alone: no gradient reaches"
            " it from the teacher's term. Which of the two models is to be cut off there?",
            (False, True),
            FORMULA,
        ),
        Wrong(
            "student_detached_from_the_labels",
            "The loss is right, but the student follows the teacher's term alone: no gradient"
            " reaches it from the labels' term. Whose logits does that term use?",
            (True, False),
            FORMULA,
        ),
    ),
    *pairs(answer_loss, "mean", FEW[:2], "aligned", SHIFTS),
    *pairs(answer_loss, "mean", FEW[:2], "weights", WEIGHTS[:1]),
    *pairs(answer_loss, "aligned", SHIFTS[:1], "kd", KINDS[:1]),
    *pairs(answer_loss, "aligned", SHIFTS[:1], "kd_mean", FEW),
    *pairs(answer_loss, "kd_aligned", KD_SHIFTS[:1], "kd", KINDS[:1]),
    *pairs(answer_loss, "kd", KINDS[:1], "mean", FEW),
    *pairs(answer_loss, "kd", KINDS[:1], "kd_mean", (*FEW, *KD_OVER_THE_PROMPT)),
    *pairs(answer_loss, "lm_mean", MEANS[:1], "kd_mean", KD_OVER_THE_PROMPT),
    *pairs(answer_loss, "kd_mean", KD_OVER_THE_PROMPT[:1], "aligned", SHIFTS),
    *(
        Misconception(
            f"{each.name}+gradient_into_the_teacher",
            f"At least two things are off. {each.hint} A gradient flows into the teacher too. What"
            " cuts a tensor off from the graph?",
            each.section,
            partial(answer_loss, leak=True, **{option: each.option}),
        )
        for option, found in (
            ("mean", FEW),
            ("aligned", SHIFTS[:1]),
            ("kd", KINDS[:1]),
            ("kd_mean", KD_OVER_THE_PROMPT[:2]),
        )
        for each in found
    ),
)
GRADIENTS = "the gradients"


def answers(
    rng: np.random.Generator, length: int, vocabulary: int, *rows: tuple[tuple[int, int], ...]
) -> tuple[Tensor, Tensor, Tensor]:
    """Logits of student and teacher, and labels that count from one place to before another."""
    student, teacher = (
        torch.tensor(rng.normal(scale=1.5, size=(len(rows), length, vocabulary))).float()
        for _ in range(2)
    )
    labels = torch.full((len(rows), length), IGNORED)
    for line, spans in zip(labels, rows, strict=True):
        for begin, end in spans:
            line[begin:end] = torch.tensor(rng.integers(0, vocabulary, size=end - begin))
    return student, teacher, labels


def loss_cases() -> tuple[Case, ...]:
    """As (student_logits, teacher_logits, labels, λ, what is looked at)."""
    rng = np.random.default_rng(62)
    short_and_long = answers(rng, 6, 5, ((2, 4),), ((1, 6),))
    turns = answers(rng, 8, 4, ((1, 2), (4, 6)), (), ((5, 8),))
    begins = answers(rng, 5, 6, ((2, 4),), ((0, 3),))
    short_and_long[2][0, 2] = turns[2][0, 4] = begins[2][1, 2] = 0  # token 0 counts
    left = answers(rng, 6, 5, ((4, 6),), ((1, 6),))
    alike = answers(rng, 600, 5, ((1, 600),), *[((3, 5),)] * 40)
    alike = (alike[0], alike[0].clone(), alike[2])
    one = answers(rng, 4, 5, ((3, 4),))
    one[2][0, 3] = 3
    sure = tuple(each.clamp(-1, 1) * 10 for each in left[:2]) + left[2:]
    few = answers(np.random.default_rng(66), 2, 3, (), ((1, 2),), ((0, 2),), ((0, 1),))
    all_begin = answers(np.random.default_rng(67), 4, 5, ((0, 2),), ((0, 1), (2, 4)))
    sure[0][0, 3, int(sure[2][0, 4])], sure[0][1, 2, 0], sure[1][1, 2, 0] = -10.0, -10.0, 10.0
    first, second = (*short_and_long, 2.0), (*turns, 0.6)
    return (
        Case("a short answer and a long one", (*first, "loss"), public=True),
        Case("two turns, and a row without an answer", (*second, "loss"), public=True),
        Case("a row that begins with an answer", (*begins, 0.5, "loss"), public=True),
        Case("a student that is surely wrong", (*sure, 0.7, "loss"), public=True),
        Case("the gradients of the first case", (*first, "gradients"), {}, GRADIENTS, True),
        Case("a batch padded on the left, λ = 20", (*left, 20.0, "loss")),
        Case("λ is 0, which leaves the labels alone", (*left, 0.0, "loss"), public=True),
        Case("alike", (*alike, 3.0, "loss")),
        Case("rows that all begin with an answer", (*all_begin, 0.5, "loss")),
        Case("rows of two tokens, the first without an answer", (*few, 100.0, "loss")),
        Case(
            "one row, of which one token counts",
            (*one, 0.8, "loss"),
            public=True,
        ),
        Case("the gradients of turns", (*second, "gradients"), {}, GRADIENTS),
        Case("the gradients of a beginning", (*begins, 0.5, "gradients"), {}, GRADIENTS),
        Case("the gradients where λ is 0", (*begins, 0.0, "gradients"), {}, GRADIENTS),
    )


def loss_facts(case: Case) -> dict[str, Any]:
    """What is so of a batch."""
    counts = case.args[2] != IGNORED
    begun = (counts[:, 1:] & ~counts[:, :-1]).sum(-1) + counts[:, 0]
    return {
        "a row begins with an answer": bool(counts[:, 0].any()),
        "a row has several answers": bool((begun > 1).any()),
        "a row has no answer": not bool(counts.any(-1).all()),
        "the number of tokens that count": int(counts[:, 1:].sum()),
        "one more than the number of tokens that count": int(counts[:, 1:].sum()) + 1,
        "λ is 0": case.args[3] == 0,
        "one token counts": int(counts[:, 1:].sum()) == 1,
    }


def random_loss_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Batches of a submission's own: answers of unequal length, of which one begins its row."""
    for watch, part in (("loss", None), ("loss", None), ("gradients", GRADIENTS)):
        begin = int(rng.integers(1, 4))
        rows = ((begin, begin + 2),), ((int(rng.integers(1, 3)), 7),), ((0, 2), (4, 5))
        tensors = answers(rng, 7, int(rng.integers(4, 8)), *rows)
        yield Case("random", (*tensors, float(rng.uniform(0.2, 0.9)), watch), {}, part)


def loss_tolerance(case: Case) -> float:
    """What float32 explains of a loss, times 1 + λ."""
    return (1.0 + float(case.args[3])) * spec.tolerance(case)


# --- An accuracy --------------------------------------------------------------------------------
# The observer's model goes on with each prompt as it is written in the case, and with UNKNOWN
# wherever it reads something else.

UNKNOWN = LINE
VOCABULARY = len(WORDS)


NOT_FOUND = (  # what is raised where an end is looked for and there is none
    ValueError("list.index(x): x not in list"),
    ValueError(f"{END} is not in list"),
    IndexError("index 0 is out of bounds for dimension 0 with size 0"),
    StopIteration(),
)


def cut_at_end(ids: list[int]) -> list[int]:
    """What stands before the first end of text, or all."""
    return ids[: ids.index(END)] if END in ids else ids


def cut_at_line(ids: list[int]) -> list[int]:
    """What stands before the first end of text or line break."""
    return next((ids[:at] for at, token in enumerate(ids) if token in (END, LINE)), ids)


def cut_at_start(ids: list[int]) -> list[int]:
    """What stands before the first end of text or header."""
    return next((ids[:at] for at, token in enumerate(ids) if token in (END, START)), ids)


def cut_at_repetition(ids: list[int]) -> list[int]:
    """What stands before the first end of text or second token of two that are the same."""
    ids = cut_at_end(ids)
    return next((ids[: at + 1] for at, pair in enumerate(pairwise(ids)) if len({*pair}) < 2), ids)


def whole(ids: list[int]) -> list[int]:
    """All that the model wrote."""
    return ids


def with_end(ids: list[int]) -> list[int]:
    """The same with the end."""
    return ids[: ids.index(END) + 1] if END in ids else ids


def cut_at_last_end(ids: list[int]) -> list[int]:
    """What stands before the last end of text."""
    return ids[: len(ids) - 1 - ids[::-1].index(END)] if END in ids else ids


def end_looked_for(ids: list[int], error: Exception) -> list[int]:
    """What stands before the first end of text, which is not there always."""
    if END not in ids:
        raise error
    return cut_at_end(ids)


def without(*numbers: int) -> Callable[[list[int]], list[int]]:
    """All but some tokens: what a tokenizer shows that skips special ones."""
    return lambda ids: [token for token in ids if token not in numbers]


def decode(ids: list[int]) -> str:
    """Tokens as text."""
    return "".join(WORDS[token] for token in ids)


Judge = Callable[[list[int], list[int]], float]


def exactly(written: list[int], answer: list[int]) -> float:
    """Whether the texts are the same, but for spaces around them."""
    return float(decode(written).strip() == decode(answer).strip())


def spaces_matter(written: list[int], answer: list[int]) -> float:
    """Whether the texts are the same to the last space."""
    return float(decode(written) == decode(answer))


def one_stripped(written: list[int], answer: list[int]) -> float:
    """Whether the texts are the same when what was written loses its spaces."""
    return float(decode(written).strip() == decode(answer))


def stripped_of(characters: str) -> Judge:
    """Whether the texts are the same without some characters around them."""
    return lambda written, answer: float(
        decode(written).strip(characters) == decode(answer).strip(characters)
    )


def stripped_before(written: list[int], answer: list[int]) -> float:
    """Whether the texts are the same without spaces before them."""
    return float(decode(written).lstrip() == decode(answer).lstrip())


def stripped_behind(written: list[int], answer: list[int]) -> float:
    """Whether the texts are the same without spaces behind them."""
    return float(decode(written).rstrip() == decode(answer).rstrip())


def the_same(change: Callable[[str], Any]) -> Judge:
    """Whether the texts are the same when both are changed."""
    return lambda written, answer: float(change(decode(written)) == change(decode(answer)))


def first_line(written: list[int], answer: list[int]) -> float:
    """Whether the first line of what was written is the answer."""
    lines = decode(written).strip().split(WORDS[LINE])
    return float(lines[0].strip() == decode(answer).strip())


def tokens_the_same(written: list[int], answer: list[int]) -> float:
    """Whether the tokens are."""
    return float(written == answer)


def contained(written: list[int], answer: list[int]) -> float:
    """Whether the answer is in what was written."""
    return float(decode(answer).strip() in decode(written).strip())


def begun(written: list[int], answer: list[int]) -> float:
    """Whether what was written begins with the answer."""
    return float(decode(written).strip().startswith(decode(answer).strip()))


def contained_the_other_way(written: list[int], answer: list[int]) -> float:
    """Whether what was written is in the answer."""
    return float(decode(written).strip() in decode(answer).strip())


def case_forgiven(written: list[int], answer: list[int]) -> float:
    """Whether the texts are the same in small letters."""
    return float(decode(written).strip().lower() == decode(answer).strip().lower())


def first_token(written: list[int], answer: list[int]) -> float:
    """Whether the first tokens are the same."""
    return float(written[:1] == answer[:1])


def share(written: list[int], answer: list[int]) -> float:
    """The share of the answer's tokens that stand where they should."""
    return matching(written, answer) / len(answer)


def share_of_longer(written: list[int], answer: list[int]) -> float:
    """The same of the longer of the two."""
    return matching(written, answer) / max(len(answer), len(written))


def matching(written: list[int], answer: list[int]) -> int:
    """How many tokens stand where they should."""
    return sum(a == b for a, b in zip(written, answer, strict=False))


def average(values: list[float], answers: list[list[int]]) -> float:
    """The mean."""
    return sum(values) / len(values)


def total(values: list[float], answers: list[list[int]]) -> float:
    """The sum."""
    return sum(values)


def hundredfold(values: list[float], answers: list[list[int]]) -> float:
    """In per cent."""
    return 100 * average(values, answers)


def of_first(values: list[float], answers: list[list[int]]) -> float:
    """Of the first question alone."""
    return values[0]


def of_last(values: list[float], answers: list[list[int]]) -> float:
    """Of the last question alone."""
    return values[-1]


def over_count(values: list[float], answers: list[list[int]]) -> float:
    """The last value over the number of questions."""
    return values[-1] / len(values)


def up_to_a_wrong_one(values: list[float], answers: list[list[int]]) -> float:
    """The share of those before the first that is wrong."""
    return (values.index(0.0) if 0.0 in values else len(values)) / len(values)


def weighted(values: list[float], answers: list[list[int]]) -> float:
    """The mean over tokens."""
    sizes = list(map(len, answers))
    return sum(v * n for v, n in zip(values, sizes, strict=True)) / sum(sizes)


def all_or_nothing(values: list[float], answers: list[list[int]]) -> float:
    """Whether all are right."""
    return float(all(values))


def errors(values: list[float], answers: list[list[int]]) -> float:
    """The share that is wrong."""
    return 1 - average(values, answers)


def go_on(prompt: list[int], text: list[int], most: int) -> list[int]:
    """What the model writes."""
    return text[:most]


def one_fewer(prompt: list[int], text: list[int], most: int) -> list[int]:
    """One token fewer."""
    return text[: most - 1]


def one_more(prompt: list[int], text: list[int], most: int) -> list[int]:
    """One token more."""
    return text[: most + 1]


def first_again(prompt: list[int], text: list[int], most: int) -> list[int]:
    """The first token, each time anew: what was written is not read."""
    return text[:1] * most


def prompt_within(prompt: list[int], text: list[int], most: int) -> list[int]:
    """The prompt too, and what is written up to its end."""
    return prompt + with_end(text[:most])


def prompt_and_all(prompt: list[int], text: list[int], most: int) -> list[int]:
    """The prompt too, and all that is written."""
    return prompt + text[:most]


def after_header(number: int) -> Judge:
    """Whether the text is the same that stands after one of the assistant's headers."""
    header = WORDS[ROLES["assistant"]] + WORDS[LINE]

    def judge(written: list[int], answer: list[int]) -> float:
        found = decode(written).split(header)[number].split(WORDS[END])[0]
        return float(found.strip() == decode(answer).strip())

    return judge


def accuracy(
    prompts: list[Tensor],
    written: list[Tensor],
    answers: list[Tensor],
    most: int,
    vocabulary: int,
    *,
    write: Callable[[list[int], list[int], int], list[int]] = go_on,
    cut: Callable[[list[int]], list[int]] = cut_at_end,
    judge: Judge = exactly,
    reduce: Callable[[list[float], list[list[int]]], float] = average,
) -> float:
    """The share of questions that a model answers rightly.

    Args:
        prompts: The questions.
        written: How the model goes on, ended or not.
        answers: What should be written.
        most: How many tokens it writes at most.
        vocabulary: The number of tokens.
        write: What is taken of prompt and text.
        cut: What of that is compared.
        judge: How.
        reduce: From one value a question to the number.
    """
    texts = [
        cut(write(prompt.tolist(), text.tolist(), most))
        for prompt, text in zip(prompts, written, strict=True)
    ]
    wanted = [answer.tolist() for answer in answers]
    values = [judge(text, answer) for text, answer in zip(texts, wanted, strict=True)]
    return reduce(values, wanted)


def told_the_answer(
    prompts: list[Tensor],
    written: list[Tensor],
    answers: list[Tensor],
    most: int,
    vocabulary: int,
    *,
    end: bool = False,
    judge: Judge = share,
    reduce: Callable[[list[float], list[list[int]]], float] = weighted,
) -> float:
    """The model reads the right answer and is asked for each next token of it."""
    texts, wanted = [], []
    for text, answer in zip(written, answers, strict=True):
        target = [*answer.tolist(), END] if end else answer.tolist()
        own = text.tolist()
        said = [
            own[i] if i < len(own) and own[:i] == target[:i] else UNKNOWN
            for i in range(len(target))
        ]
        texts.append(said)
        wanted.append(target)
    values = [judge(text, answer) for text, answer in zip(texts, wanted, strict=True)]
    return reduce(values, wanted)


def as_long_as_the_answer(
    prompts: list[Tensor], written: list[Tensor], answers: list[Tensor], *others: int, more: int = 0
) -> float:
    """The model writes as many tokens as the answer has, or some more."""
    texts = [text[: len(answer) + more] for text, answer in zip(written, answers, strict=True)]
    return accuracy(prompts, texts, answers, *others)


def each_prompt_once(
    prompts: list[Tensor], written: list[Tensor], answers: list[Tensor], *others: int, last: bool
) -> float:
    """Of a question that is asked again the last time counts, or the first."""
    order = list(range(len(prompts)))
    places = {tuple(prompts[at].tolist()): at for at in (order if last else order[::-1])}
    kept = sorted(places.values())
    return accuracy(*([each[at] for at in kept] for each in (prompts, written, answers)), *others)


def each_pair_once(
    prompts: list[Tensor], written: list[Tensor], answers: list[Tensor], *others: int
) -> float:
    """A question that is asked again with the same answer counts once."""
    asked_for = zip(prompts, answers, strict=True)
    places = {tuple(tuple(e.tolist()) for e in pair): at for at, pair in enumerate(asked_for)}
    kept = places.values()
    return accuracy(*([each[at] for at in kept] for each in (prompts, written, answers)), *others)


def each_right_text_once(
    prompts: list[Tensor], written: list[Tensor], answers: list[Tensor], *others: int
) -> float:
    """Right questions that are the same count once, over the number of all."""
    right = {
        tuple(prompt.tolist())
        for prompt, *asked_for in zip(prompts, written, answers, strict=True)
        if accuracy([prompt], *([each] for each in asked_for), *others)
    }
    return len(right) / len(prompts)


def longest_alone(
    prompts: list[Tensor], written: list[Tensor], *others: Any, **options: Any
) -> float:
    """Prompts that are shorter than the longest are filled up, and read as the model does not."""
    size = max(map(len, prompts))
    unknown = torch.full((1,), UNKNOWN)
    texts = [
        text if len(prompt) == size else unknown
        for prompt, text in zip(prompts, written, strict=True)
    ]
    return accuracy(prompts, texts, *others, **options)


def letters_stripped(
    strip: Callable[[str, str], str], written: list[int], answer: list[int]
) -> float:
    """Whether the texts are the same when what was written loses the letters of the mark."""
    return float(strip(decode(written), WORDS[END]).strip() == decode(answer).strip())


def stripped_of_marks(written: list[int], answer: list[int]) -> float:
    """Whether the texts are the same, but for the mark's characters around what was written."""
    return float(decode(written).strip(WORDS[END]).strip() == decode(answer).strip())


AFTER_END = (
    "text_goes_on_at_the_end",
    "The text that you compare includes the end of text, or what the model wrote after it. The"
    " model goes on because nothing stops it, but its answer was over, and the end does not belong"
    " to it.",
)
NOTHING_RIGHT = (
    "nothing_is_right",
    "Your function takes no answer for right, not even where the model writes just what is asked"
    " for. Print the two texts that you compare. Is the prompt in one of them? Does an end of text"
    " that stands in the prompt cut it off? And what has the model read when it writes?",
)
PER_TOKEN = (
    "per_token",
    "An answer that is nearly right earns nearly all in your number, as if tokens were counted."
    " When somebody asks for the water at six, half an answer is of no use: the task asks for the"
    " share of *answers*.",
)
TOLD = (
    "read_the_right_answer",
    "Your number is what you get if the model reads the right answer while it is tested: each token"
    " is predicted after the right tokens before it. When a user asks, the model has only its own"
    " words to go on from.",
)
SPACES = (
    "spaces_compared",
    "Some answers differ from the right ones only in the spaces or line breaks around them, and"
    " your function takes them for wrong. Remove both kinds, before the text and after it, from"
    " both texts.",
)
CONTAINED = (
    "part_of_it_is_enough",
    "Your function takes an answer for right if the two texts agree only in part. The task asks for"
    " the same text, and no other.",
)
ONE_QUESTION = (
    "one_question_alone",
    "Your number depends on one question alone. What happens to the others? Look at where your"
    " return stands, and at what is added up.",
)
AT_A_LINE = (
    "over_at_a_line_break",
    "Your number is what you get if an answer ends at a line break too. But a line break may stand"
    " at its beginning or within it. Only <|end|> ends an answer.",
)
LOOKED_FOR = (
    "answer_looked_for_in_the_text",
    "Your number is what you get by looking for the answer in the whole text, after a header of the"
    " assistant. A prompt may have earlier turns, and a model that nothing stops may write such a"
    " header itself. Where does the prompt end?",
)
PADDED = (
    "longest_prompts_alone",
    "If prompts differ in length, only the longest are answered in your number, as if the others"
    " were filled up before the model reads them. This model is given no mask, so it reads padding"
    " as text.",
)
TOO_FEW = Wrong(
    "one_token_too_few",
    "Your function takes an answer of exactly `most` tokens for wrong. Is it cut short, or does"
    " your code ask for an end that it has no room for?",
    one_fewer,
)
SHARES = (
    Wrong(
        "in_per_cent",
        "Your number is a hundred times too large: a share lies between 0 and 1.",
        hundredfold,
    ),
    Wrong(
        "not_divided",
        "Your number is the number of right answers. A share is that number divided by another"
        " one: by which?",
        total,
    ),
    Wrong(*ONE_QUESTION, of_first),
    Wrong(*ONE_QUESTION, of_last),
    Wrong(*ONE_QUESTION, over_count),
)
STRICT = (
    Wrong(*SPACES, spaces_matter),
    Wrong(
        "tokens_compared",
        "Your function takes texts for different where their tokens differ. But there are several"
        ' ways to write one text: " high" and " water" together are the same text as " high water".'
        " Compare the texts.",
        tokens_the_same,
    ),
    Wrong(*CONTAINED, contained),
    Wrong(*CONTAINED, begun),
)
ENDS = (Wrong(*AFTER_END, whole), Wrong(*AFTER_END, without(END)), Wrong(*AFTER_END, with_end))
ACCURACY_MISCONCEPTIONS = (
    *ways(
        accuracy,
        "cut",
        Wrong(*AFTER_END, whole),
        *(
            Wrong(*AFTER_END, without(END, *others))
            for others in ((), (START,), (START, LINE), (START, *ROLES.values()))
        ),
        Wrong(*AFTER_END, without(START, END, LINE, *ROLES.values())),
        Wrong(*AFTER_END, cut_at_last_end),
        Wrong(*AFTER_END, with_end),
        Wrong(*AT_A_LINE, cut_at_line),
        Wrong(
            "over_at_a_header",
            "Your number is what you get if an answer ends at a <|start|> too, or if that token is"
            " removed. A model may write <|start|> where it should not, and then its text is"
            " another. Only <|end|> ends an answer.",
            cut_at_start,
        ),
        Wrong(
            "over_at_a_repeated_token",
            "Your number is what you get if an answer ends where a token comes twice in a row. A"
            " word or a line break may come twice. Only <|end|> ends an answer.",
            cut_at_repetition,
        ),
        *(
            Wrong(
                "text_without_an_end",
                "Your code looks for the end of text where there is none: a model may write `most`"
                " tokens without one, and all of them are its answer then.",
                partial(end_looked_for, error=error),
            )
            for error in NOT_FOUND
        ),
    ),
    *ways(accuracy, "judge", Wrong(*AT_A_LINE, first_line)),
    *ways(
        accuracy,
        "write",
        TOO_FEW,
        Wrong(
            "prompt_does_not_grow",
            "Your function takes an answer for right only where one token may be written. What has"
            " the model read when it is asked for the second one?",
            first_again,
        ),
        Wrong(
            "one_token_too_many",
            "Your number is what you get if the model may write more than `most` tokens: one more,"
            " or several.",
            one_more,
        ),
    ),
    Misconception(*NOTHING_RIGHT, FINE_TUNING, partial(accuracy, write=prompt_within)),
    *ways(
        accuracy,
        "judge",
        *STRICT,
        Wrong(*SPACES, one_stripped),
        *(
            Wrong(*SPACES, judge)
            for judge in (stripped_of(" "), stripped_of("\n"), stripped_before, stripped_behind)
        ),
        *(
            Wrong(
                "all_spaces_dropped",
                "Spaces or line breaks within a text are forgiven too. The task forgives only those"
                " around it.",
                the_same(change),
            )
            for change in (
                lambda text: "".join(text.split()),
                lambda text: text.replace(" ", "").strip(),
                lambda text: text.replace("\n", " ").strip(),
                str.split,
            )
        ),
        Wrong(*CONTAINED, contained_the_other_way),
        Wrong(
            "capitals_forgiven",
            "Your function takes capital and small letters for the same. The task forgives spaces"
            " and line breaks around a text, and nothing in it.",
            case_forgiven,
        ),
        Wrong(
            "first_token_alone",
            "Your function takes an answer for right if it begins well, as if the first token alone"
            " were compared.",
            first_token,
        ),
        Wrong(*PER_TOKEN, share),
        Wrong(*PER_TOKEN, share_of_longer),
    ),
    Misconception(*PER_TOKEN, FINE_TUNING, partial(accuracy, judge=share, reduce=weighted)),
    Misconception(*PER_TOKEN, FINE_TUNING, partial(accuracy, judge=share_of_longer, cut=whole)),
    *(
        Misconception(*TOLD, FINE_TUNING, partial(told_the_answer, end=end, reduce=reduce))
        for end in (False, True)
        for reduce in (weighted, average)
    ),
    *(
        Misconception(
            "answer_at_hand",
            "Your number is what you get if the right answer is used while the model writes: the"
            " model writes about as many tokens as that answer has, or reads it. Even a model that"
            " would have gone on talking counts as right. Whoever asks does not know the answer"
            " yet.",
            FINE_TUNING,
            wrong,
        )
        for wrong in (
            as_long_as_the_answer,
            *(partial(as_long_as_the_answer, more=more) for more in (1, 2)),
            partial(told_the_answer, judge=exactly, reduce=average),
            # All right after right ones is also what begins with the answer.
            *(
                partial(told_the_answer, end=end, judge=tokens_the_same, reduce=average)
                for end in (False, True)
            ),
        )
    ),
    Misconception(*AFTER_END, FINE_TUNING, partial(accuracy, cut=whole, judge=stripped_of_marks)),
    *(
        Misconception(
            "letters_of_the_mark_stripped",
            "Your number is what you get if texts lose letters at their beginning or end. strip()"
            " and rstrip() take their argument for a set of characters and not for a word, and"
            " <|end|> has letters that a text may end with too.",
            FINE_TUNING,
            partial(accuracy, cut=cut, judge=partial(letters_stripped, strip)),
        )
        for cut in (with_end, cut_at_end)
        for strip in (str.strip, str.rstrip)
    ),
    *(
        Misconception(
            *LOOKED_FOR,
            FINE_TUNING,
            partial(accuracy, write=prompt_and_all, cut=whole, judge=after_header(number)),
        )
        for number in (1, -1)
    ),
    Misconception(*PADDED, FINE_TUNING, longest_alone),
    *(
        Misconception(
            "asked_twice_counted_once",
            "A question that is asked twice counts once in your number, as if results were stored"
            " by question. The share is one of all questions in the list.",
            FINE_TUNING,
            wrong,
        )
        for wrong in (
            *(partial(each_prompt_once, last=last) for last in (True, False)),
            each_pair_once,
            each_right_text_once,
        )
    ),
    *pairs(accuracy, "write", (TOO_FEW,), "reduce", SHARES),
    *pairs(accuracy, "write", (TOO_FEW,), "judge", STRICT),
    *pairs(accuracy, "cut", ENDS, "reduce", SHARES[:2]),
    *pairs(accuracy, "judge", STRICT, "reduce", SHARES[:2]),
    *ways(
        accuracy,
        "reduce",
        *SHARES,
        Wrong(
            "all_or_nothing",
            "Your number is 1 when no answer is wrong, and 0 otherwise. The task asks for the"
            " share that is right.",
            all_or_nothing,
        ),
        Wrong(
            "over_at_a_wrong_answer",
            "What comes after the first wrong answer is never right in your number. Look at where"
            " your loop ends.",
            up_to_a_wrong_one,
        ),
        Wrong(
            "wrong_ones_counted",
            "Your number is the share of answers that are wrong.",
            errors,
        ),
        Wrong(
            "weighted_by_length",
            "A long answer weighs more than a short one in your mean. Each question counts once.",
            weighted,
        ),
    ),
)

PLAIN = (0, *range(7, 15))  # words that are written in one way
TAIL = (LINE, START, ROLES["user"], LINE, 9, END, LINE)  # how a model goes on that nothing stops


def asked(rng: np.random.Generator, kind: str, most: int) -> tuple[list[int], list[int]]:
    """What a model writes and what it should, of a kind."""
    size = most if kind in ("unended", "fits") else int(rng.integers(2, most - 2))
    if kind in ("twice", "line more") or "then as the assistant" in kind:
        size = 2
    size = max(size, 3 if "within" in kind else 0)
    answer = [int(word) for word in rng.permutation(PLAIN)[: min(size, 8)]]
    answer = (answer * size)[:size]  # a long one repeats itself
    if kind == "word twice":
        answer = answer[:1] * 2
    more = next(word for word in PLAIN if word not in answer)
    if kind == "spelled":
        return [LINE, 0, END, *TAIL], [16]
    if kind.startswith("joined"):
        return [17, *([LINE, 11] if "more" in kind else []), END, *TAIL], [7, 9]
    if kind == "capital":
        return [0, END, *TAIL], [15]
    if kind in ("glued", "line for a space"):
        return [7, *([LINE] if "line" in kind else []), 16, END, *TAIL], [7, 0]
    again = [END, LINE, START, ROLES["assistant"], LINE]
    written = {
        "right": answer,
        "right, then as the assistant": [*answer, *again, more],
        "wrong, then as the assistant": [more, *again, *answer],
        "fits": answer,
        "twice": [*answer, END, more],
        "wrong": [*answer[:-1], more],
        "wrong within": [answer[0], more, *answer[2:]],
        "spaced": [LINE, *answer],
        "spaced twice": [LINE, LINE, *answer],
        "word twice": answer,
        "line after": [*answer, LINE],
        "line more": [*answer, LINE, LINE, more],
        "header after": [*answer, START],
        "line within": [answer[0], LINE, *answer[1:]],
        "more": [*answer, more],
        "more before": [more, *answer],
        "less": answer[:-1],
        "nothing": [],
        "again": [],
        "once more": [],
        "unended": [*answer, more],
    }[kind]
    return [*written, END, *TAIL], answer


def examination(
    seed: int | np.random.Generator, most: int, *kinds: str, turns: bool = False
) -> tuple[Any, ...]:
    """Prompts, with earlier turns or without, what is written, what should be, and how much may."""
    rng = np.random.default_rng(seed)
    prompts, written, answers = [], [], []
    for number, kind in enumerate(kinds):
        again, place = divmod(number, len(SAID))  # so that all prompts differ
        words = [
            SAID[place],
            *SAID[:again],
            *rng.choice(SAID, size=int(rng.integers(1, 4))).tolist(),
        ]
        before = [message("user", *words), message("assistant", 9)] if turns else []
        ids, _ = encode([*before, message("user", *words)], last=(START, ROLES["assistant"], LINE))
        text, answer = asked(rng, kind, most)
        if kind in ("again", "once more"):  # the question before, with another answer or its own
            ids, text = prompts[-1], written[-1].tolist()
            answer = answers[-1].tolist() if kind == "once more" else answer
        prompts.append(ids)
        written.append(torch.tensor(text))
        answers.append(torch.tensor(answer))
    return prompts, written, answers, most, VOCABULARY


def accuracy_cases() -> tuple[Case, ...]:
    """As (prompts, what is written, answers, most, vocabulary)."""
    found = (
        (
            "right and wrong answers",
            True,
            6,
            ("right", "wrong", "twice", "right", "right", "wrong within"),
        ),
        (
            "spaces and line breaks",
            True,
            6,
            # so often that no way to compare is right as often as another
            (
                *("spaced twice", "spelled", "line within", "joined", "line after", "glued"),
                *("line more", "joined, line more", "spelled", "line more", "line for a space"),
                *("line more", "line more", "line more", "joined", "spaced"),
            ),
        ),
        (
            "more or less than the answer, and one asked twice",
            True,
            6,
            (
                *("more", "more before", "right", "again", "word twice", "once more", "less"),
                "header after",
            ),
        ),
        (
            "answers as long as they may be",
            True,
            5,
            (
                *("unended", "wrong", "fits", "unended", "unended", "capital", "nothing"),
                "capital",
            ),
        ),
        (
            "a model that goes on as the assistant",
            True,
            9,
            (
                "right, then as the assistant",
                "wrong, then as the assistant",
                "wrong",
                "right, then as the assistant",
                "right",
                "right, then as the assistant",
                "wrong, then as the assistant",
                "wrong",
            ),
        ),
        ("one question", True, 6, ("right",)),
        ("one token may be written", True, 1, ("fits", "fits")),
        ("all right", True, 6, ("right", "spaced", "right")),
        ("a long answer, and none", True, 70, ("fits", "nothing")),
        ("all wrong", False, 7, ("wrong", "nothing", "wrong")),
        ("a vocabulary of 15", False, 7, ("wrong", "right", "more")),
    )
    asked_for = [
        examination(seed, most, *kinds, turns="as the" in name)
        for seed, (name, _, most, kinds) in enumerate(found)
    ]
    fewer = 15  # words that the model has
    prompts, *others, _ = asked_for[-1]
    asked_for[-1] = ([torch.where(each < fewer, each, 9) for each in prompts], *others, fewer)
    place = [name for name, *_ in found].index("all right")
    asked_for[place][0][:] = asked_for[0][0][:3]  # prompts that come again, and another model
    return tuple(
        Case(name, args, public=public)
        for (name, public, *_), args in zip(found, asked_for, strict=True)
    )


def accuracy_facts(case: Case) -> dict[str, Any]:
    """What is so of an examination."""
    prompts, _, answers, most, _ = case.args
    return {
        "the number of questions": len(prompts),
        "one more than the number of questions": len(prompts) + 1,
        "there are several questions": len(prompts) > 1,
        "an answer is long": any(len(each) > 10 for each in answers),
        "an answer has as many tokens as it may have": any(len(each) == most for each in answers),
    }


def random_accuracy_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Questions of a submission's own."""
    others = ("spaced", "more", "less", "unended", "line after", "twice", "fits", "joined")
    for _ in range(2):
        kinds = ("right", "wrong", "right", *rng.choice(others, size=3).tolist())
        order = rng.permutation(kinds).tolist()
        yield Case("random", examination(rng, int(rng.integers(5, 8)), *order))


# --- A step on the student's own words ----------------------------------------------------------


def go_on_from(table: Tensor, prompt: list[int], draws: list[float]) -> list[int]:
    """What a table writes: a token for each draw, the first whose cumulated share reaches it."""
    begin = sum(prompt) % len(draws)  # so that prompts do not share their draws
    reached = table.detach().float().softmax(-1).cumsum(-1).tolist()
    found = [prompt[-1]]
    for draw in draws[begin:] + draws[:begin]:
        if draw > 1 and len(found) > 1:  # the text ends here
            break
        below = sum(share < draw for share in reached[found[-1]])
        found.append(min(below, len(reached) - 1))
    return found[1:]


def up_to_end(prompt: list[int], text: list[int]) -> list[bool]:
    """Of prompt and text, what counts: the text up to its first end, which does."""
    size = text.index(END) + 1 if END in text else len(text)
    return [False] * len(prompt) + [i < size for i in range(len(text))]


def all_of_it(prompt: list[int], text: list[int]) -> list[bool]:
    """The whole text."""
    return [False] * len(prompt) + [True] * len(text)


def before_end(prompt: list[int], text: list[int]) -> list[bool]:
    """The text before its first end."""
    size = text.index(END) if END in text else len(text)
    return [False] * len(prompt) + [i < size for i in range(len(text))]


def up_to_last_end(prompt: list[int], text: list[int]) -> list[bool]:
    """The text up to its last end."""
    size = len(text) - text[::-1].index(END) if END in text else len(text)
    return [False] * len(prompt) + [i < size for i in range(len(text))]


def up_to_second_end(prompt: list[int], text: list[int]) -> list[bool]:
    """The text before its second end."""
    found = [text[: i + 1].count(END) <= 1 for i in range(len(text))]
    return [False] * len(prompt) + found


def prompts_end_alone(prompt: list[int], text: list[int]) -> list[bool]:
    """The first end in prompt and text together, and nothing else of the prompt."""
    tokens = prompt + text
    stop = tokens.index(END) if END in tokens else len(tokens) - 1
    return [min(len(prompt), stop) <= i <= stop for i in range(len(tokens))]


def ends_left_out(prompt: list[int], text: list[int]) -> list[bool]:
    """All of the text but its ends."""
    return [False] * len(prompt) + [token != END for token in text]


def with_prompt(prompt: list[int], text: list[int]) -> list[bool]:
    """The prompt too."""
    return [True] * len(prompt) + up_to_end(prompt, text)[len(prompt) :]


def everything(prompt: list[int], text: list[int]) -> list[bool]:
    """Prompt and text to the last token."""
    return [True] * (len(prompt) + len(text))


def zero_left_out_of(prompt: list[int], text: list[int]) -> list[bool]:
    """As it should be, without the token 0."""
    tokens = prompt + text
    return [c and t != 0 for c, t in zip(up_to_end(prompt, text), tokens, strict=True)]


def first_left_out(prompt: list[int], text: list[int]) -> list[bool]:
    """As it should be, without the first token of the text."""
    return [False] * (len(prompt) + 1) + up_to_end(prompt, text)[len(prompt) + 1 :]


def first_if_endless(prompt: list[int], text: list[int]) -> list[bool]:
    """Of a text without an end the first token alone."""
    alone = [False] * len(prompt) + [i == 0 for i in range(len(text))]
    return up_to_end(prompt, text) if END in text else alone


def none_if_endless(prompt: list[int], text: list[int]) -> list[bool]:
    """Of a text without an end nothing."""
    return up_to_end(prompt, text) if END in text else [False] * (len(prompt) + len(text))


def but_last_if_endless(prompt: list[int], text: list[int]) -> list[bool]:
    """Of a text without an end all but the last token."""
    found = up_to_end(prompt, text)
    return found if END in text else [*found[:-1], False]


def all_if_end_first(prompt: list[int], text: list[int]) -> list[bool]:
    """All of a text that begins with its end."""
    return (all_of_it if text[0] == END else up_to_end)(prompt, text)


def none_if_end_first(prompt: list[int], text: list[int]) -> list[bool]:
    """Nothing of a text that begins with its end."""
    found = up_to_end(prompt, text)
    return [False] * len(found) if text[0] == END else found


def first_if_ended(prompt: list[int], text: list[int]) -> list[bool]:
    """The first token of the text, if an end has come in the prompt before."""
    alone = [False] * len(prompt) + [i == 0 for i in range(len(text))]
    return alone if END in prompt else up_to_end(prompt, text)


def up_to_any_end(prompt: list[int], text: list[int]) -> list[bool]:
    """The text, if no end has come in the prompt before."""
    return up_to_end(prompt, text) if END not in prompt else [False] * (len(prompt) + len(text))


def prompt_up_to_end(prompt: list[int], text: list[int]) -> list[bool]:
    """What stands before the first end, which the prompt has, and that."""
    tokens = prompt + text
    return [i <= tokens.index(END) for i in range(len(tokens))]


def one_behind_the_end(prompt: list[int], text: list[int]) -> list[bool]:
    """The positions from the prompt's last to the text's last, all of which predict something."""
    size = text.index(END) + 1 if END in text else len(text)
    begin, end = len(prompt) - 1, len(prompt) + size
    return [begin <= i < end for i in range(len(prompt) + len(text))]


def own_cross_entropy(student: Tensor, teacher: Tensor, tokens: Tensor) -> Tensor:
    """−log q of the tokens that the student wrote."""
    return -student.log_softmax(-1).gather(-1, tokens[:, None])[:, 0]


def sampled_ratio(student: Tensor, teacher: Tensor, tokens: Tensor) -> Tensor:
    """log(q/p) of the tokens that the student wrote."""
    return own_cross_entropy(teacher, student, tokens) - own_cross_entropy(student, teacher, tokens)


def of_reverse(student: Tensor, teacher: Tensor, tokens: Tensor) -> Tensor:
    """KL(q‖p)."""
    return reverse_kl(student, teacher)


def of_forward(student: Tensor, teacher: Tensor, tokens: Tensor) -> Tensor:
    """KL(p‖q)."""
    return forward_kl(student, teacher)


def without_entropy(student: Tensor, teacher: Tensor, tokens: Tensor) -> Tensor:
    """−Σ q log p: the student's entropy is missing."""
    return soft_cross_entropy(teacher, student)


def with_itself(student: Tensor, teacher: Tensor, tokens: Tensor) -> Tensor:
    """KL(q‖q)."""
    return 0 * reverse_kl(student, teacher)


def negative(student: Tensor, teacher: Tensor, tokens: Tensor) -> Tensor:
    """−KL(q‖p)."""
    return -reverse_kl(student, teacher)


def over_classes(student: Tensor, teacher: Tensor, tokens: Tensor) -> Tensor:
    """The mean over the vocabulary."""
    return reverse_kl(student, teacher) / student.shape[-1]


def over_counted(losses: list[Tensor], sizes: list[int]) -> Tensor:
    """The mean over all that counts in the batch."""
    return torch.cat(losses).mean()


def over_counted_or_one(losses: list[Tensor], sizes: list[int]) -> Tensor:
    """The same, and 0 where nothing counts."""
    every = torch.cat(losses)
    return every.sum() / max(len(every), 1)


def over_counted_and_one(losses: list[Tensor], sizes: list[int]) -> Tensor:
    """The sum over one more than what counts."""
    every = torch.cat(losses)
    return every.sum() / (len(every) + 1)


def over_prompts(losses: list[Tensor], sizes: list[int]) -> Tensor:
    """The mean over prompts of each one's mean."""
    return torch.stack([each.mean() for each in losses]).mean()


def per_prompt(losses: list[Tensor], sizes: list[int]) -> Tensor:
    """The sum over the number of prompts."""
    return torch.cat(losses).sum() / len(losses)


def over_written(losses: list[Tensor], sizes: list[int]) -> Tensor:
    """The sum over the number of all that was written."""
    return torch.cat(losses).sum() / sum(sizes)


def undivided(losses: list[Tensor], sizes: list[int]) -> Tensor:
    """The sum."""
    return torch.cat(losses).sum()


def of_last_prompt(losses: list[Tensor], sizes: list[int]) -> Tensor:
    """The mean over the last text."""
    return losses[-1].mean()


def of_first_prompt(losses: list[Tensor], sizes: list[int]) -> Tensor:
    """The mean over the first text."""
    return losses[0].mean()


def last_over_all(losses: list[Tensor], sizes: list[int]) -> Tensor:
    """The last text's part of the mean over all that counts."""
    return losses[-1].sum() / sum(map(len, losses))


def last_over_prompts(losses: list[Tensor], sizes: list[int]) -> Tensor:
    """The last text's part of the mean over prompts."""
    return losses[-1].mean() / len(losses)


def summed_means(losses: list[Tensor], sizes: list[int]) -> Tensor:
    """The sum over prompts of each one's mean."""
    return torch.stack([each.mean() for each in losses]).sum()


def on_policy_step(
    student: Tensor,
    teacher: Tensor,
    batches: list[list[Tensor]],
    draws: list[float],
    rate: float,
    watch: str,
    *,
    counts: Callable[[list[int], list[int]], list[bool]] = up_to_end,
    ahead: int = 1,
    loss: Callable[[Tensor, Tensor, Tensor], Tensor] = of_reverse,
    reduce: Callable[[list[Tensor], list[int]], Tensor] = over_counted,
    writes: str = "student",
    leak: bool = False,
    kept: bool = False,
    longest: float = math.inf,
    largest: float = math.inf,
    own_rate: float | None = None,
    signs: bool = False,
    moves: bool = True,
    told: str = "before",
    each_prompt: bool = False,
    refused: str = "",
    endless: Exception | None = None,
    unequal: Exception | None = None,
    told_reduce: Callable[[list[Tensor], list[int]], Tensor] | None = None,
    once: bool = False,
    kept_texts: bool = False,
    late: bool = False,
) -> Tensor | list[str] | None:
    """One step a batch on what the student writes itself.

    Args:
        student: Its table [V, V].
        teacher: Its table [V, V].
        batches: Prompts of each step.
        draws: By which tokens are drawn.
        rate: Of the descent.
        watch: "student", "loss" or "teacher".
        counts: Which tokens of prompt and text do.
        ahead: How far before a token the logits stand that predict it.
        loss: At each token, from both models' logits and the tokens.
        reduce: From the losses of each text to the step's loss.
        writes: Which model does.
        leak: Whether gradients reach the teacher.
        kept: Whether gradients are kept from one step to the next.
        longest: The norm to which a gradient is cut.
        largest: The size to which each of its numbers is.
        own_rate: A learning rate in place of the one that is given.
        signs: Whether each number moves by the rate, as in a first step of Adam.
        moves: Whether the student moves at all.
        told: Which loss is returned: "before" the step, or "after" it, or "anew" after it, of what
            the student then writes; or "nothing", or what is no number, "words".
        each_prompt: Whether a step is made for each prompt.
        refused: What PyTorch says where it refuses.
        endless: What is raised where a text has no end.
        unequal: What is raised where texts of a step are not of one length.
        told_reduce: How the loss that is returned is made, where it differs.
        once: Whether a prompt that comes twice in a list counts once.
        kept_texts: Whether a prompt that comes in a later step has its text of before.
        late: Whether each step is that of the gradient before, and the first one of none.
    """
    if refused:
        raise RuntimeError(refused)
    own, foreign = student.double(), teacher.double()
    received, held = torch.zeros_like(foreign), torch.zeros_like(own)
    path, losses, known = [], [], {}

    def loss_of(
        table: Tensor,
        guide: Tensor,
        texts: list[tuple[list[int], list[int]]],
        reduce: Callable = reduce,
    ) -> Tensor:
        found = []
        for prompt, text in texts:
            row = torch.tensor(prompt + text)
            mask = torch.tensor(counts(prompt, text))
            first = max(ahead, 0)
            q, p = table[row], guide[row]
            if ahead:
                q, p, row, mask = q[:-ahead], p[:-ahead], row[first:], mask[first:]
            found.append(loss(q, p if leak else p.detach(), row)[mask])
        return reduce(found, [len(text) for _, text in texts])

    for batch in batches:
        groups = [[prompt] for prompt in batch] if each_prompt else [batch]
        for prompts in groups:
            model = own if writes == "student" else foreign
            texts = [(each.tolist(), go_on_from(model, each.tolist(), draws)) for each in prompts]
            if kept_texts:
                texts = [(prompt, known.setdefault(tuple(prompt), text)) for prompt, text in texts]
            if once:
                texts = list({tuple(prompt): (prompt, text) for prompt, text in texts}.values())
            if endless and not all(END in text for _, text in texts):
                raise endless
            if unequal and len({len(text) for _, text in texts}) > 1:
                raise unequal
            table, guide = own.clone().requires_grad_(), foreign.clone().requires_grad_()
            value = loss_of(table, guide, texts)
            shown = loss_of(own, foreign, texts, told_reduce) if told_reduce else value
            gradient, other = torch.autograd.grad(value, [table, guide], materialize_grads=True)
            before, held = held, held + gradient if kept else gradient
            held = held * min(1.0, longest / float(held.norm() + 1e-6))
            held = held.clamp(-largest, largest)
            received = received + other
            move = held / (held.abs() + 1e-8) if signs else before if late else held
            own = own - (own_rate or rate) * move if moves else own
        if told == "anew":
            texts = [(each.tolist(), go_on_from(own, each.tolist(), draws)) for each in batch]
        losses.append(loss_of(own, foreign, texts) if told in ("after", "anew") else shown)
        path.append(own)
    if watch == "student":
        return torch.stack(path).float()
    if watch == "teacher":
        return torch.stack([foreign, received])
    if told == "words":  # the observer's, for what is no number
        return ["no number"] * len(losses)
    return None if told == "nothing" else torch.stack(losses).detach()


STEP_COUNTS = (
    Wrong(
        "text_after_the_end_counted",
        "What stands after the first `END` of a text counts. The student was never to write it:"
        " `write` goes on because nothing stops it. Where does a text end, and which of its tokens"
        " is the last to count?",
        all_of_it,
    ),
    Wrong(
        "text_after_the_end_counted",
        "What stands after the first `END` of a text counts. The student was never to write it:"
        " `write` goes on because nothing stops it. Where does a text end, and which of its tokens"
        " is the last to count?",
        up_to_last_end,
    ),
    Wrong(
        "end_not_counted",
        "The text counts up to its end, but the end itself does not. The teacher also has a view on"
        " whether the student should stop there.",
        before_end,
    ),
    Wrong(
        "ends_left_out",
        "No `END` counts in your step, and what comes after the first one does. The first `END` is"
        " part of what was written; what comes after it is not.",
        ends_left_out,
    ),
    Wrong(
        "prompt_counted",
        "The prompt's tokens count in your step. The student did not write them, so there is"
        " nothing to correct.",
        with_prompt,
    ),
    Wrong(
        "prompt_counted",
        "The prompt's tokens count in your step. The student did not write them, so there is"
        " nothing to correct.",
        everything,
    ),
    Wrong(
        "prompts_own_end",
        "Nothing, or almost nothing, of what the student wrote counts in your step. Does your code"
        " take the `END` in the prompt for that of the answer? Look only in what the student"
        " wrote.",
        up_to_any_end,
    ),
    Wrong(
        "prompts_own_end",
        "Nothing, or almost nothing, of what the student wrote counts in your step. Does your code"
        " take the `END` in the prompt for that of the answer? Look only in what the student"
        " wrote.",
        prompt_up_to_end,
    ),
)
NO_END = (
    "text_without_an_end",
    "A text without an END is not treated as it should be: `write` stops after some tokens even if"
    " the student has written no END, and then all of them count. What does your code find where"
    " there is no END?",
)
END_FIRST = (
    "end_that_comes_first",
    "A text may begin with its END. Then this END is the whole text, and it counts; your step"
    " treats such a text in another way. The place of this END is 0, which an `if` takes for"
    " False.",
)
MORE_COUNTS = (
    *(Wrong(*NO_END, way) for way in (first_if_endless, none_if_endless, but_last_if_endless)),
    *(Wrong(*STEP_COUNTS[-1][:2], way) for way in (first_if_ended, prompts_end_alone)),
    Wrong(*STEP_COUNTS[0][:2], up_to_second_end),
    *(Wrong(*END_FIRST, way) for way in (all_if_end_first, none_if_end_first)),
    Wrong(
        "token_zero_not_counted",
        "Token 0 is a token like any other, but where the student wrote it, it does not count in"
        " your step. Is there a 0 in your code that stands for padding?",
        zero_left_out_of,
    ),
    Wrong(
        "first_token_not_counted",
        "The first token of each text does not count in your step. The student wrote it as it wrote"
        " the others. Which logits predict it?",
        first_left_out,
    ),
)
STEP_SHIFTS = (
    Wrong(
        "not_shifted",
        "Your step compares the models where they have read a token already, and not where they"
        " predict it. Which logits predict the first token that was written?",
        0,
        OWN_WORDS,
    ),
)
STEP_LOSSES = (
    Wrong(
        "direction_swapped",
        "Your step uses the divergence the other way round: the teacher's probabilities are the"
        " weights. The text is the student's, and so are the weights of KL(q‖p).",
        of_forward,
        DIRECTION,
    ),
    Wrong(
        "own_words_as_labels",
        "Your step takes the student's own words as labels, but it writes these words already."
        " Where does the teacher come in?",
        own_cross_entropy,
        OWN_WORDS,
    ),
    Wrong(
        "sampled_token_alone",
        "Your step compares the two models only at the token that was drawn. The mean of this over"
        " many draws is KL(q‖p), but its gradient is not that of KL(q‖p), because the draw depends"
        " on the student too. You have both distributions; use them.",
        sampled_ratio,
        OWN_WORDS,
    ),
    Wrong(
        "entropy_missing",
        "Your step uses a cross-entropy, without the student's entropy: it pulls the student"
        " towards the teacher's likeliest token alone. A divergence has two logarithms.",
        without_entropy,
        SECTIONS["1.2"],
    ),
    Wrong(
        "penalty_turned_round",
        "Your student moves away from its teacher: the sign is turned round.",
        negative,
        SECTIONS["1.2"],
    ),
    Wrong(
        "vocabulary_mean",
        "Your step is too small: it is divided by the size of the vocabulary. Is there a mean over"
        " the classes, where a divergence is a sum over them?",
        over_classes,
        SECTIONS["1.2"],
    ),
)
STEP_MEANS = (
    Wrong(
        "mean_of_means",
        "A token of a short text weighs more in your step than one of a long text, as if each"
        " text were averaged by itself. All tokens that count should weigh the same.",
        over_prompts,
        FORMULA,
    ),
    Wrong(
        "mean_of_means",
        "A token of a short text weighs more in your step than one of a long text, as if each"
        " text were averaged by itself. All tokens that count should weigh the same.",
        summed_means,
        FORMULA,
    ),
    Wrong(
        "divided_by_prompts",
        "Your step uses a sum divided by the number of prompts, so a student that writes much takes"
        " larger steps. The task asks for a mean over tokens.",
        per_prompt,
        FORMULA,
    ),
    Wrong(
        "divided_by_all_that_was_written",
        "Your step uses a sum divided by the number of all tokens that were written, also of those"
        " after the end. How many tokens are in the sum?",
        over_written,
        FORMULA,
    ),
    Wrong(
        "summed",
        "Your step uses a sum where the task asks for a mean: it grows with every prompt.",
        undivided,
        FORMULA,
    ),
    Wrong(
        "one_added_to_the_count",
        "Your step uses a sum divided by one more than the number of tokens that count. Each text"
        " has at least one token, so why is 1 added?",
        over_counted_and_one,
        FORMULA,
    ),
)
ONE_PROMPT = Wrong(
    "one_prompt_alone",
    "Your step uses the text of one prompt alone. What becomes of the others? Look at where your"
    " list or your sum is made, at where the loop ends, and at when gradients are cleared.",
    of_last_prompt,
)
STEP_MISCONCEPTIONS = (
    *ways(on_policy_step, "counts", *STEP_COUNTS, *MORE_COUNTS),
    *(
        Misconception(*NO_END, FINE_TUNING, partial(on_policy_step, endless=error))
        for error in NOT_FOUND
    ),
    *(
        Misconception(
            "loss_is_zero",
            "Your loss is 0 and your student stays where it is, as if no token counted, or as if a"
            " model were compared with itself. Does your code take the `END` in the prompt for that"
            " of the answer? And whose are the two distributions?",
            OWN_WORDS,
            partial(on_policy_step, **changed),
        )
        for changed in (
            {"counts": up_to_any_end, "reduce": over_counted_or_one},
            {"loss": with_itself},
        )
    ),
    *ways(on_policy_step, "ahead", *STEP_SHIFTS),
    *ways(on_policy_step, "loss", *STEP_LOSSES),
    *ways(
        on_policy_step,
        "loss",
        *(
            Wrong(
                *ANOTHER_DIVERGENCE,
                lambda student, teacher, tokens, kd=kd: kd(student, teacher),
                SECTIONS["1.2"],
            )
            for kd in OTHER_DIVERGENCES
        ),
        *(
            Wrong(
                *ANOTHER_TEMPERATURE,
                lambda student, teacher, tokens, kd=kd: kd(student, teacher),
                OWN_WORDS,
            )
            for kd in softened(reverse_kl)
        ),
    ),
    *ways(on_policy_step, "reduce", *STEP_MEANS),
    *ways(on_policy_step, "reduce", ONE_PROMPT, ONE_PROMPT._replace(option=of_first_prompt)),
    *(
        Misconception(
            *ONE_PROMPT[:2],
            FINE_TUNING,
            partial(on_policy_step, reduce=reduce, told_reduce=shown),
        )
        for reduce, shown in (  # what is left where gradients are cleared before each part's
            (last_over_all, over_counted),
            (of_last_prompt, over_prompts),
            (last_over_prompts, over_prompts),
        )
    ),
    *ways(
        on_policy_step,
        "writes",
        Wrong(
            "teacher_writes",
            "Your loss is computed on texts that the teacher writes. On-policy means that the"
            " student is corrected where its own words lead it.",
            "teacher",
            OWN_WORDS,
        ),
    ),
    *ways(
        on_policy_step,
        "kept",
        Wrong(
            "gradients_kept",
            "From the second step on, your gradient has those of all earlier steps in it."
            " backward() adds to the gradients that are there. When are they cleared?",
            True,
            SECTIONS["3.2"],
        ),
    ),
    *(
        Misconception(
            "optimiser_ignored",
            "Your student does not move as the optimiser that you are given would move it, but as"
            " if you used another one, or a learning rate of your own.",
            SECTIONS["3.2"],
            partial(on_policy_step, own_rate=own_rate, signs=signs),
        )
        for own_rate in (1.0, 0.5, 0.1, 0.05, 0.01, 1e-3, 1e-4)
        for signs in (False, True)
    ),
    Misconception(
        "one_position_too_many",
        "In each text one prediction too many counts in your step: that of what would come after"
        " its last token. Which logits predict the first token that was written, and which the"
        " last?",
        OWN_WORDS,
        partial(on_policy_step, ahead=0, counts=one_behind_the_end),
    ),
    *(
        Misconception(
            "gradient_clipped",
            "Your steps are made with a smaller gradient, as if it were clipped. That is a useful"
            " habit elsewhere, but the task does not ask for it.",
            SECTIONS["3.2"],
            partial(on_policy_step, **{how: limit}),
        )
        for how, limits in (
            ("longest", (5.0, 2.0, 1.0, 0.5, 0.3, 0.25, 0.1, 0.05, 0.01, 0.001)),
            ("largest", (1.0, 0.5, 0.1, 0.05, 0.01)),
        )
        for limit in limits
    ),
    *ways(
        on_policy_step,
        "moves",
        Wrong(
            "student_never_moves",
            "Your student does not change. Does the optimiser step, and is there a gradient when it"
            " does? The student's probabilities are part of the loss too: if they are cut off from"
            " the graph, no gradient is left.",
            False,
            SECTIONS["3.2"],
        ),
    ),
    *ways(
        on_policy_step,
        "late",
        Wrong(
            "step_before_backward",
            "Your student moves one call too late: each step uses the gradient of the call before,"
            " and in the first call nothing moves. Which comes first, the step or the gradient?",
            True,
            SECTIONS["3.2"],
        ),
    ),
    *ways(
        on_policy_step,
        "leak",
        Wrong(
            "gradient_into_the_teacher",
            "The step is right, but a gradient reaches the teacher's parameters. What keeps"
            " autograd from recording a forward pass?",
            True,
            SECTIONS["3.2"],
        ),
    ),
    *ways(
        on_policy_step,
        "told",
        *(
            Wrong(
                "loss_after_the_step",
                "The step is right, but you return the loss after it. The task asks for the loss"
                " that the step was made of.",
                told,
                SECTIONS["3.2"],
            )
            for told in ("after", "anew")
        ),
        Wrong(
            "loss_not_returned",
            "The step is right, but your function returns nothing. The task asks for the loss.",
            "nothing",
            SECTIONS["3.2"],
        ),
        Wrong(
            "loss_is_no_number",
            "The step is right, but what you return is not one number: a pair, a text, or several"
            " values. Return the loss, and nothing else.",
            "words",
            SECTIONS["3.2"],
        ),
    ),
    *ways(
        on_policy_step,
        "told_reduce",
        *(
            Wrong(
                "another_loss_returned",
                "The step is right, but you return another loss than the one it was made of: a sum,"
                " the loss of one prompt, or a mean of the prompts' own means, for example.",
                reduce,
                FORMULA,
            )
            for reduce in (
                *(undivided, per_prompt, over_prompts, of_last_prompt, summed_means, over_written),
            )
        ),
    ),
    *ways(
        on_policy_step,
        "each_prompt",
        Wrong(
            "a_step_for_each_prompt",
            "Your student moves with each prompt, as if the optimiser stepped once for each. All"
            " prompts together make one update.",
            True,
            SECTIONS["3.2"],
        ),
    ),
    *ways(
        on_policy_step,
        "once",
        Wrong(
            "prompt_twice_counted_once",
            "Where a prompt comes twice in a list, what is written after it counts once in your"
            " step, as if texts were stored by prompt. Each prompt of the list counts.",
            True,
        ),
    ),
    *ways(
        on_policy_step,
        "kept_texts",
        Wrong(
            "text_of_an_earlier_step",
            "Where a prompt comes again in a later step, your step uses the text that was written"
            " after it before. The student has changed since, and may write something else.",
            True,
            OWN_WORDS,
        ),
    ),
    *ways(
        on_policy_step,
        "refused",
        Wrong(
            "student_cut_off",
            "backward() cannot do anything: nothing leads from your loss back to the student's"
            " parameters. Writing needs no gradient; learning from what was written does.",
            "element 0 of tensors does not require grad and does not have a grad_fn",
            OWN_WORDS,
        ),
    ),
    *ways(
        on_policy_step,
        "unequal",
        *(
            Wrong(
                "texts_do_not_fit",
                "Your function needs all texts of a step to have the same length. Texts of"
                " different lengths cannot be put together as they are, and `write` may return"
                " any number of tokens.",
                error,
            )
            for error in (
                RuntimeError(
                    "stack expects each tensor to be equal size, but got [7] at entry 0 and [4] at"
                    " entry 1"
                ),
                ValueError("expected sequence of length 7 at dim 1 (got 4)"),
            )
        ),
    ),
    *pairs(on_policy_step, "counts", STEP_COUNTS[:6], "loss", STEP_LOSSES[:1]),
    *pairs(on_policy_step, "counts", STEP_COUNTS[:3], "ahead", STEP_SHIFTS),
    *pairs(on_policy_step, "counts", STEP_COUNTS[:1], "reduce", STEP_MEANS[2:3]),
    *pairs(on_policy_step, "counts", STEP_COUNTS[:6], "reduce", STEP_MEANS[:1]),
    *pairs(on_policy_step, "loss", (STEP_LOSSES[0], STEP_LOSSES[5]), "reduce", STEP_MEANS),
)
LOSS, TEACHER = "the loss", "the teacher"
STEP_VOCABULARY = 6


def own_words(
    rng: np.random.Generator, *sizes: tuple[int, ...], scale: float = 1.0, at_once: bool = False
) -> tuple[Tensor, Tensor, list[list[Tensor]], list[float]]:
    """Tables of student and teacher, prompts of those lengths for each step, and draws.

    The logits are about as large as `scale`. In the first step texts end after different numbers
    of tokens, one of them twice; the first to end does so `at_once`, or later.
    """
    while True:
        student, teacher = (
            torch.tensor(rng.normal(scale=scale, size=(STEP_VOCABULARY, STEP_VOCABULARY))).float()
            for _ in range(2)
        )
        student[:, END] += 0.7
        draws = [float(draw) for draw in rng.uniform(0.02, 0.98, size=7)]
        batches = [[question(rng, length) for length in lengths] for lengths in sizes]
        texts = [go_on_from(student, prompt.tolist(), draws) for prompt in batches[0]]
        begun = [text.index(END) for text in texts if END in text]
        twice = any(text.count(END) > 1 and text[-1] != END for text in texts)
        if len(set(begun)) > 1 and (min(begun) == 0) == at_once and twice:
            return student, teacher, batches, draws


def unequal(rng: np.random.Generator, *sizes: tuple[int, ...]) -> tuple[Any, ...]:
    """The same, where what is written has one to seven tokens; one text of the first step has one.

    A number above 1 among the draws ends a text that has begun.
    """
    while True:
        student, teacher, batches, draws = own_words(rng, *sizes)
        draws[3] = 2.0
        texts = [
            [go_on_from(student, prompt.tolist(), draws) for prompt in prompts]
            for prompts in batches
        ]
        lengths = [[len(text) for text in of] for of in texts]
        begun = [text.index(END) for text in texts[0] if END in text]
        if 1 in lengths[0] and all(len(set(of)) > 2 for of in lengths) and len(set(begun)) > 1:
            return student, teacher, batches, draws


def question(rng: np.random.Generator, length: int) -> Tensor:
    """A prompt with an end of text within it."""
    words = rng.choice([i for i in range(STEP_VOCABULARY) if i != END], size=length)
    words[length // 2 - 1] = END
    return torch.tensor(words)


def own_cases() -> tuple[Case, ...]:
    """As (student, teacher, batches, draws, rate, what is looked at)."""
    rng = np.random.default_rng(63)
    two, three_steps = (
        own_words(rng, (3, 5, 4), (4, 2)),
        own_words(rng, (2, 4), (5, 3), (3, 3, 6) * 4),
    )
    # A prompt that comes again, when the student writes something else after it, and one twice.
    two[2][1].append(two[2][0][1].clone())
    one = own_words(rng, (4, 3, 6, 5), at_once=True)
    one[2][0].append(one[2][0][0].clone())
    uneven = unequal(np.random.default_rng(64), (1, 8, 7, 9), (7, 8, 9))
    same = own_words(rng, (3, 5))
    same = (same[0], same[0].clone(), *same[2:])
    apart = own_words(np.random.default_rng(123), (4, 3), (2,), scale=5.0)
    apart = (apart[0], 3 * apart[1], *apart[2:])  # the gradient's norm is above 5
    return (
        Case("the student after two steps", (*two, 2.0, "student"), public=True, unit="step"),
        Case("the student after one step", (*one, 1.0, "student"), public=True, unit="step"),
        Case("large gradients", (*apart, 0.5, "student"), public=True, unit="step"),
        Case("texts of different lengths", (*uneven, 1.0, "student"), public=True, unit="step"),
        Case("the losses of two steps", (*two, 2.0, "loss"), {}, LOSS, True, unit="step"),
        Case("the teacher after two steps", (*two, 2.0, "teacher"), {}, TEACHER, True),
        Case("the student after three steps", (*three_steps, 0.5, "student")),
        Case("student and teacher alike", (*same, 1.0, "student")),
        Case("one prompt", (*own_words(rng, (3, 4), (6,)), 1.0, "student")),
        Case("the losses of three steps", (*three_steps, 0.5, "loss"), {}, LOSS),
        Case("the teacher after three steps", (*three_steps, 0.5, "teacher"), {}, TEACHER),
    )


def own_facts(case: Case) -> dict[str, Any]:
    """What is so of some steps."""
    return {
        "there is more than one step": len(case.args[2]) > 1,
        "what is written is not always of one length": any(draw > 1 for draw in case.args[3]),
    }


def random_own_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Steps of a submission's own."""
    for watch, part in (("student", None), ("student", None), ("loss", LOSS), ("teacher", TEACHER)):
        found = own_words(rng, (3, int(rng.integers(4, 7)), 2), (4, 3))
        yield Case("random", (*found, float(rng.uniform(0.5, 1.0)), watch), {}, part)


# --- Two questions ------------------------------------------------------------------------------

TEACHER_OPTIONS = (
    Option(
        "a",
        "The teacher has a distribution over the next token after every token, whoever wrote it."
        " The term could be computed on a question; that is not what is wrong with it.",
        FINE_TUNING,
    ),
    Option(
        "b",
        "A gradient flows from every position that the loss counts, into the same weights that"
        " write the answer. Nobody asks the student to write questions, but it would be trained to"
        " write them.",
        FINE_TUNING,
    ),
    Option("c", None, FINE_TUNING),
    Option(
        "d",
        "Both models read from left to right: at a place in the question neither has read a word of"
        " the answer.",
        FINE_TUNING,
    ),
)

SIGNS = {"prompt": "d", "end": "a", "padding": "e", "side": "b"}
WHY_NOT = {
    (
        "prompt",
        "a",
    ): "With the prompt counted, ends count as before, and the student learns to stop.",
    ("prompt", "b"): "A student that has learned questions too answers the same, whatever questions"
    " stand beside its own.",
    ("prompt", "c"): "Counting more tokens does not stop the loss from moving.",
    ("prompt", "e"): "A question belongs to its own row, whatever is beside it in the batch.",
    ("end", "b"): "A student that has not learned to stop does not stop when it is asked alone"
    " either.",
    ("end", "c"): "All words but the end are learned, and their loss falls.",
    ("end", "d"): "With the end masked fewer tokens count, and none of them is a question's.",
    ("end", "e"): "An end belongs to its own row, whatever is beside it in the batch.",
    (
        "padding",
        "a",
    ): "The answers' own ends count as before, so the student learns to stop. In a padded row the"
    " padding comes only after the answer's end.",
    (
        "padding",
        "b",
    ): "Padding that counts is a mistake of the labels in training. How are prompts put side by"
    " side when the student writes?",
    ("padding", "c"): "Padding is easily predicted, so the loss falls, and fast.",
    ("padding", "d"): "Padding that counts gives no labels to a question.",
    ("side", "a"): "Asked alone, with no padding, this student answers and stops.",
    (
        "side",
        "c",
    ): "The wrong side is a mistake when the student writes. Training knows nothing of it.",
    (
        "side",
        "d",
    ): "The wrong side is a mistake when the student writes. Training knows nothing of it.",
    (
        "side",
        "e",
    ): "The wrong side is a mistake when the student writes. Training knows nothing of it.",
}


def matching_mistakes() -> tuple[Mistake, ...]:
    """One for every wrong matching, with what speaks against each wrong pair."""
    found = []
    for letters in product("abcde", repeat=len(SIGNS)):
        answer = dict(zip(SIGNS, letters, strict=True))
        wrong = [pair for pair in answer.items() if pair in WHY_NOT]
        if wrong:
            name = "_".join(("wrong", *(f"{part}_{letter}" for part, letter in wrong)))
            hint = " ".join(WHY_NOT[pair] for pair in wrong)
            found.append(Mistake(name, answer, hint, FINE_TUNING))
    return tuple(found)


# --- The tasks ----------------------------------------------------------------------------------

CHECKS = (
    FunctionCheck(
        name="encode",
        parts={"ids and labels": 4},
        expected="The conversation's tokens under the template, and labels of the same length: the"
        " token itself where the assistant wrote it, the <|end|> of its turns included, and −100"
        " everywhere else.",
        section=FINE_TUNING,
        reference=encode,
        fixed=encode_cases(),
        facts=encode_facts,
        random=random_encode_cases,
        misconceptions=ENCODE_MISCONCEPTIONS,
        names=("ids", "labels"),
    ),
    FunctionCheck(
        name="collate",
        parts={"padded on the right": 3, LEFT: 1},
        expected="A dict of three tensors [B, L]: ids filled up with pad_id, labels with −100, and"
        " an attention_mask that is 1 where a row has a token of its own, all on the side that is"
        " asked for.",
        section=FINE_TUNING,
        reference=collate,
        fixed=collate_cases(),
        facts=collate_facts,
        random=random_collate_cases,
        misconceptions=COLLATE_MISCONCEPTIONS,
    ),
    FunctionCheck(
        name="answer_loss",
        parts={"the loss": 4, GRADIENTS: 1},
        expected="LM + λ·KL(p‖q), each a mean over the answers' tokens in the batch, from the"
        " logits that predict them; its gradient flows to the student alone.",
        section=FINE_TUNING,
        reference=answer_loss,
        fixed=loss_cases(),
        facts=loss_facts,
        random=random_loss_cases,
        misconceptions=LOSS_MISCONCEPTIONS,
        observer=Observer.read(OBSERVERS, "look_at_loss"),
        tolerance=loss_tolerance,
    ),
    FunctionCheck(
        name="accuracy",
        parts={"the share": 3},
        expected="The share of questions to which the model's text, up to its first <|end|> and"
        " without spaces and line breaks around it, is that of the answer.",
        section=FINE_TUNING,
        reference=accuracy,
        fixed=accuracy_cases(),
        facts=accuracy_facts,
        random=random_accuracy_cases,
        misconceptions=ACCURACY_MISCONCEPTIONS,
        observer=Observer.read(OBSERVERS, "look_at_accuracy"),
    ),
    FunctionCheck(
        name="on_policy_step",
        parts={"the student": 3, LOSS: 1, TEACHER: 1},
        expected="One update of the student along the gradient of KL(q‖p), a mean over all tokens"
        " that it wrote, up to and including the first END of each text. No gradient reaches the"
        " teacher. The loss before the update is returned.",
        section=OWN_WORDS,
        reference=on_policy_step,
        fixed=own_cases(),
        facts=own_facts,
        random=random_own_cases,
        misconceptions=STEP_MISCONCEPTIONS,
        observer=Observer.read(OBSERVERS, "look_at_own_words"),
    ),
    choice(
        name="where_the_teacher_counts",
        parts={"answer": 2},
        expected="What speaks against a teacher's term that counts on questions as well.",
        section=FINE_TUNING,
        options=TEACHER_OPTIONS,
    ),
    AnswerCheck(
        name="signs",
        parts={"answer": 3},
        expected="For each mistake, the sign by which it is known.",
        section=FINE_TUNING,
        answer=SIGNS,
        mistakes=matching_mistakes(),
    ),
)
