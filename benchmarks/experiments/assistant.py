"""Lab 4.7: an assistant learns from answers, from a teacher, or from both.

The questions are those of ``reckoning`` about minutes, seconds and centimetres. A base model has
read plain sentences that say such things, and has never been asked. It is then fine-tuned on
conversations, whose answers may be few or wrong, and on a teacher, which may be weak, or biased on
one kind of question. Base, teacher and student are new for each seed.

The biased teacher, λ = 0.3 and the shares of wrong answers were chosen by 52 runs with the seeds
100, 101 and 103; of the two shares, 40% was recorded first. What is recorded has other seeds.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch

from kdlab import (
    ChatDataset,
    CombinedObjective,
    Conversation,
    DistillationTrainer,
    Examples,
    Sweep,
    TinyGPT,
    TrainConfig,
    evaluate,
    evaluate_answers,
    exact_match,
    reckoning,
    train_chat_tokenizer,
    write_answers,
)

KINDS = ("minutes", "seconds", "centimetres")  # what is asked for
BIASED = "minutes"  # the kind that a biased teacher is wrong about: it takes 100 for an hour
NEW_TOKENS = 6  # an answer has at most four digits and its end
WRITTEN = 6  # questions whose answers are kept for reading


@dataclass(frozen=True)
class Assistant:
    """What one student learns from.

    Args:
        answers: how many conversations it has.
        lam: 0 is the answers alone, None the teacher alone.
        noise: share of the answers that are replaced by a wrong one.
        teacher: "able", or "biased" on the kind BIASED.
        teacher_answers: how many the teacher has learned from; None is all that it can have.
        steps, batch_size, learning_rate: of its training.
        base_steps, teacher_steps: of the base model's and of the teacher's.
        questions: that are drawn; a fifth of them is held out.
    """

    answers: int = 400
    lam: float | None = 0.3
    noise: float = 0.0
    teacher: str = "able"
    teacher_answers: int | None = None
    steps: int = 300
    batch_size: int = 16
    learning_rate: float = 3e-3
    base_steps: int = 800
    teacher_steps: int = 600
    questions: int = 1740


@dataclass(frozen=True)
class Questions:
    """What students are told, what the base and the teachers are told, and what is held out."""

    told: list[Conversation]
    elsewhere: list[Conversation]
    held_out: list[Conversation]
    tokenizer: Any


@cache
def questions(number: int) -> Questions:
    """Questions in three parts that share none; the kind of each is what it asks for."""
    drawn = [
        replace(each, kind=each.prompt[0]["content"].split()[2])
        for each in reckoning(number, kinds=("units",)).conversations
    ]
    asked = tuple(each for each in drawn if each.kind in KINDS)
    examples = Examples("conversions", asked, validation_percent=20)
    half = len(examples.train) // 2
    told, elsewhere = examples.train[:half], examples.train[half:]
    texts = [answered(each, sentence(each)) for each in elsewhere]
    tokenizer = train_chat_tokenizer(Examples("conversions", tuple(texts)), 360)
    return Questions(told, elsewhere, examples.validation, tokenizer)


def answered(conversation: Conversation, answer: str) -> Conversation:
    """The same question with another answer."""
    said = {**conversation.messages[-1], "content": answer}
    return replace(conversation, messages=(*conversation.prompt, said))


def sentence(conversation: Conversation) -> str:
    """What a question and its answer say, as a plain text says it."""
    large = conversation.prompt[0]["content"].partition(" are ")[2].rstrip("?")
    return f"{large} are {conversation.answer} {conversation.kind}."


def hundreds(conversation: Conversation) -> Conversation:
    """The answer of one whose hours have 100 minutes."""
    if conversation.kind != BIASED:
        return conversation
    words = conversation.prompt[0]["content"].rstrip("?").split()
    rest = int(words[7]) if "and" in words else 0  # How many minutes are 3 hours and 25 minutes
    return answered(conversation, str(100 * int(words[4]) + rest))


def noisy(told: Sequence[Conversation], share: float, draw: random.Random) -> list[Conversation]:
    """So large a share of the answers replaced by one that another question has."""
    replaced = set(draw.sample(range(len(told)), round(share * len(told))))
    answers = sorted({each.answer for each in told})
    return [
        answered(each, draw.choice([a for a in answers if a != each.answer]))
        if i in replaced
        else each
        for i, each in enumerate(told)
    ]


def fine_tuned(
    model: TinyGPT, data: Any, spec: Assistant, seed: int, teacher: TinyGPT | None = None
) -> TinyGPT:
    """A model after its training, which changes it."""
    if spec.lam is None:
        objective = CombinedObjective(lam=1.0, form="convex")
    else:
        objective = CombinedObjective(lam=spec.lam)
    config = TrainConfig(
        steps=spec.steps,
        batch_size=spec.batch_size,
        learning_rate=spec.learning_rate,
        warmup_steps=10,
        seed=seed,
        device="cpu",
    )
    source = None if spec.lam == 0 else teacher
    DistillationTrainer(model, source, objective, config=config).fit(data)
    return model


@cache
def base(number: int, steps: int, seed: int) -> TinyGPT:
    """A small model that has read sentences, and no question."""
    asked = questions(number)
    ids = [torch.tensor(asked.tokenizer.encode(sentence(each))) for each in asked.elsewhere]
    torch.manual_seed(seed)
    size = {"vocab_size": len(asked.tokenizer), "block_size": 32}
    model = TinyGPT("tiny-student", n_head=4, **size)
    reading = Assistant(lam=0.0, steps=steps, batch_size=32, learning_rate=5e-3)
    return fine_tuned(model, [{"input_ids": i, "labels": i} for i in ids], reading, seed)


def begun(number: int, steps: int, seed: int) -> TinyGPT:
    """A copy of the base model, to be fine-tuned."""
    read = base(number, steps, seed)
    made = TinyGPT(read.config)
    made.load_state_dict(read.state_dict())
    return made


@cache
def teacher(
    name: str, answers: int | None, number: int, base_steps: int, steps: int, seed: int
) -> TinyGPT:
    """The base model, fine-tuned on answers that no student is told."""
    asked = questions(number)
    change = {"able": lambda each: each, "biased": hundreds}[name]
    rows = ChatDataset([change(each) for each in asked.elsewhere[:answers]], asked.tokenizer)
    learning = Assistant(lam=0.0, steps=steps, batch_size=32)
    return fine_tuned(begun(number, base_steps, seed), rows, learning, seed)


def run(spec: Assistant, seed: int, folder: Path) -> dict[str, Any]:
    """Fine-tune one student, and let it answer the questions that were held out."""
    asked = questions(spec.questions)
    draw = random.Random(seed)
    told = noisy(draw.sample(asked.told, spec.answers), spec.noise, draw)
    source = teacher(
        spec.teacher,
        spec.teacher_answers,
        spec.questions,
        spec.base_steps,
        spec.teacher_steps,
        seed,
    )
    student = begun(spec.questions, spec.base_steps, seed)
    shown = [next(e for e in asked.held_out if e.kind == kind) for kind in KINDS]
    before = said(student, shown, asked.tokenizer)
    fine_tuned(student, ChatDataset(told, asked.tokenizer), spec, seed, source)

    found = evaluate_answers(student, asked.held_out, asked.tokenizer, new_tokens=NEW_TOKENS)
    own = evaluate_answers(source, asked.held_out, asked.tokenizer, new_tokens=NEW_TOKENS)
    measured = evaluate(student, ChatDataset(asked.held_out, asked.tokenizer), source)
    pairs = zip(found.conversations, found.answers, strict=True)
    biased = [
        exact_match(hundreds(asked_for), answer.text)
        for asked_for, answer in pairs
        if asked_for.kind == BIASED
    ]
    final: dict[str, Any] = {
        "accuracy": found.accuracy,
        **{f"accuracy_{kind}": share for kind, share in found.by_kind.items()},
        "hundreds": sum(biased) / len(biased),
        "ended": found.ended,
        "lm_loss": measured.lm_loss,
        "kl_to_teacher": measured.kl_to_teacher,
        "teacher_accuracy": own.accuracy,
        **{f"teacher_accuracy_{kind}": share for kind, share in own.by_kind.items()},
    }
    if seed == 0:
        final["asked"] = [each.prompt[0]["content"] for each in shown]
        final["right"] = [each.answer for each in shown]
        final["writes_before"] = before
        final["writes"] = said(student, shown, asked.tokenizer)
        final["teacher_writes"] = said(source, shown, asked.tokenizer)
    return {"final": final, "curve": {}}


def said(model: TinyGPT, asked: Sequence[Conversation], tokenizer: Any) -> list[str]:
    """What a model writes when it is asked, with room to go on."""
    return [answer.text for answer in write_answers(model, asked, tokenizer, new_tokens=12)]


NOISE = {"clean": 0.0, "10% wrong": 0.1, "30% wrong": 0.3, "40% wrong": 0.4}
NUMBERS = (100, 200, 400, 500)  # of answers
TEACHERS: dict[str, dict[str, Any]] = {
    "able": {},
    "weak": {"teacher_answers": 150, "teacher_steps": 300},
    "biased": {"teacher": "biased"},
}
TRIED: dict[tuple[str, str], tuple[int, ...]] = {
    ("clean", "able"): NUMBERS,
    ("30% wrong", "biased"): NUMBERS,
    ("40% wrong", "biased"): NUMBERS,
    ("clean", "biased"): (400,),
    ("10% wrong", "biased"): (400,),
    ("10% wrong", "weak"): (400,),
    ("40% wrong", "able"): (400,),
}
OTHER_LAMBDAS = {
    "clean 400: labels + biased, λ = 1": Assistant(400, 1.0, teacher="biased"),
    "10% wrong 400: labels + weak, λ = 1": Assistant(400, 1.0, 0.1, **TEACHERS["weak"]),
    "30% wrong 400: labels + biased, λ = 0.1": Assistant(400, 0.1, 0.3, "biased"),
    "30% wrong 400: labels + biased, λ = 1": Assistant(400, 1.0, 0.3, "biased"),
    "40% wrong 400: labels + biased, λ = 0.1": Assistant(400, 0.1, 0.4, "biased"),
    "40% wrong 400: labels + biased, λ = 1": Assistant(400, 1.0, 0.4, "biased"),
}


def arms() -> dict[str, Assistant]:
    """What is run: for each number of answers the labels, a teacher alone, and both at λ = 0.3."""
    found: dict[str, Assistant] = {}
    for (answers, name), numbers in TRIED.items():
        for n in numbers:
            of = f"{answers} {n}"
            found[f"{of}: labels"] = Assistant(n, 0.0, NOISE[answers])
            for source, lam in {f"labels + {name}": 0.3, f"{name} alone": None}.items():
                found[f"{of}: {source}"] = Assistant(n, lam, NOISE[answers], **TEACHERS[name])
    return found | OTHER_LAMBDAS


SWEEP = Sweep("assistant", arms(), seeds=5, run=run)
