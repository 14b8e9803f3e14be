"""Checks of ps4_training: a step, a loop that accumulates, an evaluation, three questions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

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
OBSERVERS = Path(__file__).with_name("observers") / "ps4_training.py"
WITHHELD = ("kdlab",)  # it has a trainer
IGNORED = -100
EPSILON = float(np.finfo(np.float32).eps)
MOMENTUM = 0.9  # of the optimiser, as in the observers

Batch = list[Tensor]  # tokens [B, L] and labels [B, L]
Weights = list[Tensor]  # embedding [V, d], head [V, d], kept [d], mean [d], count []

# --- A model, and training it, in float64 -------------------------------------------------------
# The observers make a model of weights, train it with a student's function, and hand out numbers.
# Here the same numbers come from plain tensors and autograd.


def logits(
    embedding: Tensor, head: Tensor, kept: Tensor, mean: Tensor, tokens: Tensor, mode: bool
) -> Tensor:
    """What TinyModel says: with its dropout in training mode (True), else less its running mean."""
    hidden = embedding[tokens].tanh()
    return (hidden * kept if mode else hidden - mean) @ head.T


def moved(weights: Weights, batches: list[Batch]) -> Tensor:
    """The running mean after a model has seen these batches in training mode."""
    embedding, _, _, mean, count = weights
    seen = torch.cat([tokens.flatten() for tokens, _ in batches])
    return (count * mean + embedding[seen].tanh().sum(0)) / (count + len(seen))


def answers(weights: Weights, mode: bool) -> Tensor:
    """The logits of each token of the vocabulary."""
    embedding, head, kept, mean, _ = weights
    return logits(embedding, head, kept, mean, torch.arange(len(embedding)), mode)


def label_losses(q: Tensor, labels: Tensor) -> Tensor:
    """The sum of −log q(y)."""
    return -q.log_softmax(-1).gather(-1, labels[:, None]).sum()


def divergence(q: Tensor, p: Tensor) -> Tensor:
    """The sum of KL(p‖q) over all positions."""
    log_q, log_p = q.log_softmax(-1), p.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum()


def summed_losses(student: Tensor, teacher: Tensor, labels: Tensor, lam: float) -> Tensor:
    """LM + λ·KD, added up over the positions that count."""
    return weighted_losses(student, teacher, labels, 1.0, lam)


def weighted_losses(
    student: Tensor, teacher: Tensor, labels: Tensor, lm: float, kd: float
) -> Tensor:
    """The same with a weight for each of the two."""
    counts = labels != IGNORED
    q, p = student[counts], teacher[counts]
    return lm * label_losses(q, labels[counts]) + kd * divergence(q, p)


def counted(*batches: Batch) -> int:
    """How many positions count."""
    return sum(int((labels != IGNORED).sum()) for _, labels in batches)


def doubled(weights: Weights) -> Weights:
    """The same in float64."""
    return [each.double() for each in weights]


class Part(NamedTuple):
    """A batch's share of an update: its summed loss at λ, times a weight."""

    batch: Batch
    lam: float
    weight: float


Update = list[Part]  # all that one optimiser step follows


Loss = Callable[[Tensor, Tensor, Tensor, float], Tensor]


class Way(NamedTuple):
    """How updates are made. The defaults are the right way.

    Args:
        student_mode: Whether the student is in training mode; None from the second forward pass on.
        teacher_mode: Whether the teacher is; None for the first forward pass alone.
        leak: Whether gradients reach the teacher; None in a last group that is not full alone.
        loss: What is followed, added up over the positions that count.
        kept: What of the gradients is kept from one update to the next, which has this number.
        moves: Whether the optimiser sees a gradient at all.
        late: Whether the optimiser steps before the gradient is computed.
        momentum: What the optimiser remembers.
        many: Whether a loss is a value for each position, of which only one alone has a gradient.
        refused: What is raised where nothing can be computed.
        looked_up: What is raised where a label of -100 is taken for a token's number.
        rate: The optimiser's rate, where it is not the one given.
        signed: Whether only the signs of a gradient are followed, as in Adam's first step.
        clip: The largest norm that a gradient may have.
        stretched: Whether each gradient is given that norm, a smaller one too.
        bound: The largest size that a number of a gradient may have.
        repeats: How often the optimiser steps in each update.
        turns: What is followed in each step of an update of several; none of one.
        adam: The weight decay of an AdamW that takes the place of the optimiser, if one does.
        decay: A factor before the squared norm of the parameters, which is added to the loss.
    """

    student_mode: bool | None = True
    teacher_mode: bool | None = False
    leak: bool | None = False
    loss: Loss = summed_losses
    kept: Callable[[int], float] = lambda number: 0.0
    decay: float = 0.0
    moves: bool = True
    late: bool = False
    momentum: float = MOMENTUM
    many: bool = False
    refused: Exception | None = None
    looked_up: Exception | None = None
    rate: float | None = None
    signed: bool = False
    adam: float | None = None
    clip: float = float("inf")
    stretched: bool = False
    bound: float = float("inf")
    repeats: int = 1
    turns: tuple[Loss, ...] = ()


RIGHT = Way()
ALONE: dict[str, Loss] = {
    "lm": lambda q, p, labels, lam: weighted_losses(q, p, labels, 1.0, 0.0),
    "kd": lambda q, p, labels, lam: weighted_losses(q, p, labels, 0.0, 1.0),
}


def descend(
    student: Weights,
    teacher: Weights,
    updates: list[Update],
    rate: float,
    way: Way = RIGHT,
    told: bool = False,
) -> dict[str, Tensor]:
    """Gradient descent with momentum.

    Returns:
        The student's parameters after each update; the teacher's answers in evaluation, followed by
        the gradient that reached it; each update's loss, of it LM alone and KD alone, what it is
        before the update in evaluation, and what after it, in training and in evaluation; of the
        loss only the first, unless more is to be `told`.
    """
    if way.late and len(updates) > 1:
        raise RuntimeError(
            "one of the variables needed for gradient computation has been modified by an inplace"
            " operation"
        )
    if way.many and any(counted(part.batch) > 1 for update in updates for part in update):
        raise RuntimeError("grad can be implicitly created only for scalar outputs")
    if way.refused:
        raise way.refused
    batches = [part.batch for update in updates for part in update]
    if way.looked_up and counted(*batches) < sum(labels.numel() for _, labels in batches):
        raise way.looked_up
    rate = way.rate or rate
    *parameters, student_kept, student_mean, _ = doubled(student)
    *foreign, teacher_kept, teacher_mean, _ = guide = doubled(teacher)
    held = [torch.zeros_like(each) for each in parameters]
    speed, first, second = ([torch.zeros_like(each) for each in parameters] for _ in range(3))
    received = [torch.zeros_like(each) for each in foreign]
    path, losses, quiet, after, evaluated, alone = [], [], [], [], [], {"lm": [], "kd": []}
    if way.teacher_mode is not False:
        parts = [part.batch for update in updates for part in update]
        guide[3] = moved(guide, parts if way.teacher_mode else parts[:1])
    later_mean = guide[3]
    running = doubled(student)  # in training mode its mean moves

    def loss_of(
        update: Update,
        own: list[Tensor],
        other: list[Tensor],
        number: int,
        way: Way = way,
        own_mean: Tensor | None = None,
    ) -> Tensor:
        loss = torch.zeros((), dtype=torch.float64)
        for place, part in enumerate(update):
            tokens, labels = part.batch
            mode = number + place == 0 if way.teacher_mode is None else way.teacher_mode
            mean = teacher_mean if number + place == 0 else later_mean
            own_mode = number + place > 0 if way.student_mode is None else way.student_mode
            taken_off = student_mean if own_mean is None else own_mean
            q = logits(*own, student_kept, taken_off, tokens, own_mode)
            p = logits(*other, teacher_kept, mean, tokens, mode)
            leak = number == len(updates) - 1 if way.leak is None else way.leak
            loss = loss + part.weight * way.loss(q, p if leak else p.detach(), labels, part.lam)
        return loss + way.decay * sum((each**2).sum() for each in own)

    for number, update, turn in (
        (number, update, way._replace(loss=loss))
        for number, update in enumerate(updates)
        for loss in way.turns or (way.loss,)
    ):
        own = [each.clone().requires_grad_() for each in parameters]
        other = [each.clone().requires_grad_() for each in foreign]
        loss = loss_of(update, own, other, number, turn)
        gradients = torch.autograd.grad(
            loss + 0 * own[0].sum(), own + other, allow_unused=True, materialize_grads=True
        )
        losses.append(float(loss.detach()))
        if told:
            measured = way._replace(student_mode=False)
            quiet.append(float(loss_of(update, parameters, foreign, number, measured, running[3])))
        for name, which in ALONE.items() if told else ():
            of = way._replace(loss=which)
            alone[name].append(float(loss_of(update, parameters, foreign, number, of)))
        received = [sum(pair) for pair in zip(received, gradients[2:], strict=True)]
        held = [
            way.kept(number) * before + now for before, now in zip(held, gradients[:2], strict=True)
        ]
        if way.moves and not way.late:
            norm = float(torch.cat([each.flatten() for each in held]).norm())
            share = way.clip / norm if norm > way.clip or (way.stretched and norm) else 1.0
            found = [each / (each.abs() + 1e-8) for each in held] if way.signed else held
            found = [each.clamp(-way.bound, way.bound) for each in found]
            if way.adam is not None and way.signed:  # made anew for each step
                found = [way.adam * a + b for a, b in zip(parameters, found, strict=True)]
            elif way.adam is not None:
                first = [0.9 * a + 0.1 * b for a, b in zip(first, held, strict=True)]
                second = [0.999 * a + 0.001 * b**2 for a, b in zip(second, held, strict=True)]
                scale = [1 - decayed ** (len(path) + 1) for decayed in (0.9, 0.999)]
                found = [
                    way.adam * each + a / scale[0] / ((b / scale[1]).sqrt() + 1e-8)
                    for each, a, b in zip(parameters, first, second, strict=True)
                ]
            for _ in range(way.repeats):
                speed = [way.momentum * a + share * b for a, b in zip(speed, found, strict=True)]
                parameters = [a - rate * b for a, b in zip(parameters, speed, strict=True)]
        path.append(torch.cat([each.flatten() for each in parameters]))
        if told:
            after.append(float(loss_of(update, parameters, foreign, number)))
            batches = [part.batch for part in update]
            count = running[4] + sum(labels.numel() for _, labels in batches)
            running = [*running[:3], moved([*own, *running[2:]], batches).detach(), count]
            loss = loss_of(update, parameters, foreign, number, measured, running[3])
            evaluated.append(float(loss))
    return {
        "student": torch.stack(path).float() if path else torch.empty(0),
        "teacher": torch.cat([each.flatten() for each in (answers(guide, False), *received)]),
        "loss": torch.tensor(losses, dtype=torch.float64),
        "quiet": torch.tensor(quiet, dtype=torch.float64),
        "after": torch.tensor(after, dtype=torch.float64),
        "evaluated": torch.tensor(evaluated, dtype=torch.float64),
        **{name: torch.tensor(values, dtype=torch.float64) for name, values in alone.items()},
    }


# --- One step -----------------------------------------------------------------------------------


def per_counted(batch: Batch) -> float:
    """One over the positions that count."""
    return 1 / counted(batch)


def per_counted_and_one(batch: Batch) -> float:
    """One over one more than the positions that count."""
    return 1 / (counted(batch) + 1)


def per_position(batch: Batch) -> float:
    """One over all positions, ignored ones included."""
    return 1 / batch[1].numel()


def per_text(batch: Batch) -> float:
    """One over the number of texts."""
    return 1 / len(batch[1])


def per_counted_twice(batch: Batch) -> float:
    """One over the square of the positions that count."""
    return per_counted(batch) ** 2


def per_length(batch: Batch) -> float:
    """One over the positions in a text."""
    return 1 / batch[1].shape[1]


def in_texts(batch: Batch) -> list[Batch]:
    """Each text as a batch of its own."""
    return [[tokens[None], labels[None]] for tokens, labels in zip(*batch, strict=True)]


def undivided(batch: Batch) -> float:
    """The sum as it is."""
    return 1.0


def training_step(
    student: Weights,
    teacher: Weights,
    batches: list[Batch],
    lam: float,
    rate: float,
    watch: str,
    *,
    way: Way = RIGHT,
    weight: Callable[[Batch], float] = per_counted,
    told: Callable[[Batch], float] | None = None,
    digits: int | None = None,
    by_text: bool = False,
    watched: Mapping[str, str] = MappingProxyType({}),
) -> Tensor | None:
    """One step a batch: what became of the student or of the teacher, or each step's loss.

    `watched` says what is returned in the place of what was to be looked at; "nothing" is None, and
    "words" are the observer's for what is no number.
    """
    updates = [[Part(batch, lam, weight(batch))] for batch in batches]
    if by_text:
        texts = [[one for one in in_texts(batch) if counted(one)] for batch in batches]
        updates = [[Part(one, lam, weight(one))] for batch in texts for one in batch]
    seen: dict[str, Any] = {"nothing": None, "words": ["no number"] * len(batches)}
    seen |= descend(student, teacher, updates, rate, way, watch == "loss")
    if by_text:  # what came of each batch's last text, and the mean over what counts
        ends = np.cumsum([len(batch) for batch in texts])
        seen["student"] = seen["student"][ends - 1]
        counts = [torch.tensor([counted(one) for one in batch]) for batch in texts]
        losses = zip(seen["loss"].split([len(batch) for batch in texts]), counts, strict=True)
        seen["loss"] = torch.stack([(a * b).sum() / b.sum() for a, b in losses])
    if turns := len(way.turns):  # an update is over with the last of them
        seen["student"] = seen["student"][turns - 1 :: turns]
        seen["loss"] = seen["loss"].reshape(-1, turns).sum(1)
    if told:
        factors = [told(batch) / weight(batch) for batch in batches]
        seen["loss"] = seen["loss"] * torch.tensor(factors, dtype=torch.float64)
    if digits is not None:
        seen["loss"] = seen["loss"].round(decimals=digits)
    return seen[watched.get(watch, watch)]


def model(rng: np.random.Generator, vocabulary: int, units: int, dropped: int) -> Weights:
    """Normal weights, a dropout that drops `dropped` units, and the mean of ten earlier tokens."""
    embedding, head = rng.normal(size=(2, vocabulary, units))
    kept = np.full(units, units / (units - dropped))
    kept[rng.permutation(units)[:dropped]] = 0.0
    mean = rng.uniform(-0.5, 0.5, size=units)
    found = (embedding, head, kept, mean, 10.0)
    return [torch.tensor(each, dtype=torch.float32) for each in found]


def batch(
    rng: np.random.Generator, vocabulary: int, length: int, ignored: tuple[int, ...]
) -> Batch:
    """One text for each number in `ignored`, of whose labels so many at the end do not count."""
    tokens, labels = torch.tensor(rng.integers(0, vocabulary, size=(2, len(ignored), length)))
    for row, count in enumerate(ignored):
        labels[row, length - count :] = IGNORED
    return [tokens, labels]


def prompted(rng: np.random.Generator, batches: int) -> tuple[Weights, Weights, list]:
    """Models, and batches in which the ignored positions are the first of each text."""
    models = model(rng, 5, 4, 1), model(rng, 5, 6, 2)
    found = [batch(rng, 5, 4, (*rng.permutation([1, 2]), 3)[: 2 + at % 2]) for at in range(batches)]
    return (*models, [[tokens, labels.flip(1)] for tokens, labels in found])


def step_cases() -> tuple[Case, ...]:
    """As (student, teacher, batches, λ, rate, what is looked at)."""
    rng = np.random.default_rng(41)

    def run_of(*ignored: tuple[int, ...], vocabulary: int = 5, length: int = 4) -> tuple:
        models = model(rng, vocabulary, 4, 1), model(rng, vocabulary, 6, 2)
        return (*models, [batch(rng, vocabulary, length, each) for each in ignored])

    three = run_of((2, 0), (0, 1), (3, 1))
    two = run_of((0, 3, 1), (1, 0, 2), vocabulary=4)
    one = (*run_of((1, 2))[:2], three[2][:1])  # a batch that comes again, with other models
    alike = run_of((1, 0), (0, 2))
    alike = (alike[0], [each.clone() for each in alike[0]], alike[2])
    alike[2][0][1][1, 1] = IGNORED  # between labels that count
    apart = run_of((1, 0), (2, 0))
    apart[2][1] = [each[:1] for each in apart[2][1]]  # a batch of one text
    return (
        Case(
            "the student after three steps", (*three, 2.0, 0.3, "student"), public=True, unit="step"
        ),
        Case("the student after two steps", (*two, 1.0, 0.3, "student"), public=True, unit="step"),
        Case("the student after one step", (*one, 3.0, 0.3, "student"), public=True, unit="step"),
        Case("the losses of three steps", (*three, 2.0, 0.3, "loss"), {}, LOSS, True, unit="step"),
        Case("the teacher after three steps", (*three, 2.0, 0.3, "teacher"), {}, TEACHER, True),
        Case(
            "the student after two steps on texts that begin with ignored positions",
            (*prompted(np.random.default_rng(45), 2), 1.5, 0.2, "student"),
            public=True,
            unit="step",
        ),
        Case(
            "λ is 0, which leaves the labels alone",
            (*apart, 0.0, 0.4, "student"),
            public=True,
            unit="step",
        ),
        Case(
            "one position counts",
            (*run_of((3, 4)), 1.0, 0.2, "student"),
            public=True,
            unit="step",
        ),
        Case("nothing ignored", (*run_of((0, 0), (0,), length=600), 0.5, 0.3, "student")),
        Case("mostly the teacher", (*run_of((1, 0) * 20, (4, 0)), 30.0, 0.02, "student")),
        Case("teacher and student alike", (*alike, 1.0, 0.3, "student")),
        Case("the losses of two steps", (*two, 1.0, 0.3, "loss"), {}, LOSS),
        Case("the teacher after two steps", (*two, 1.0, 0.3, "teacher"), {}, TEACHER),
        Case("the teacher after one step", (*one, 3.0, 0.3, "teacher"), {}, TEACHER),
    )


LOSS, TEACHER = "the loss", "the teacher"


def step_facts(case: Case) -> dict[str, Any]:
    """What is so of a case of steps, and where in its results something lies."""
    _, teacher, batches, lam, _, watch = case.args
    return rows_of(teacher, len(batches), watch, "step") | {
        "λ is not 1": lam != 1,
        "λ is 0": lam == 0,
        "one position counts": counted(*batches) == 1,
        "a batch has one text": any(len(labels) == 1 for _, labels in batches),
        "a text begins with ignored positions": begins_ignored(batches),
        "there is more than one step": len(batches) > 1,
    }


def begins_ignored(batches: list[Batch]) -> bool:
    """Whether a text in which something counts has an ignored label first."""
    return any(
        bool(((labels[:, 0] == IGNORED) & (labels != IGNORED).any(1)).any())
        for _, labels in batches
    )


def rows_of(teacher: Weights, count: int, watch: str, unit: str) -> dict[str, Any]:
    """Where rows of results lie that count steps or updates, or what became of a teacher."""
    if watch == "teacher":
        said, received = len(teacher[0]) ** 2, sum(each.numel() for each in teacher[:2])
        return {
            "of the gradient that has reached the teacher": [False] * said + [True] * received,
            "that the teacher answers afterwards": [True] * said + [False] * received,
        }
    if count < 2:
        return {}
    return {f"of the first {unit}": [True] + [False] * (count - 1)} | {
        f"from the {word} {unit} on": [at >= first for at in range(count)]
        for first, word in enumerate(("second", "third"), 1)
        if count > first
    }


def train_facts(case: Case) -> dict[str, Any]:
    """What is so of a case of training, and where in its results something lies."""
    _, teacher, batches, _, factor, accumulate, _, watch = case.args
    groups = in_groups(batches, accumulate)
    return rows_of(teacher, len(groups), watch, "update") | {
        "a group holds several micro-batches": accumulate > 1,
        "the last group is not full": len(groups[-1]) < accumulate,
        "a micro-batch is padding alone": any(not counted(batch) for batch in batches),
        "all labels of a micro-batch that count are 0": any(map(zeros_alone, batches)),
        "a text begins with ignored positions": begins_ignored(batches),
        "micro-batches differ in length": len({labels.shape[1] for _, labels in batches}) > 1,
        "a micro-batch has one text": any(len(labels) == 1 for _, labels in batches),
        "λ moves": factor != 1,
    }


def random_run(rng: np.random.Generator, micro_batches: int) -> tuple[Weights, Weights, list]:
    """Models and batches of a submission's own; the first text of a batch counts, the last less."""
    # So many tokens that no batch of a submission comes twice.
    vocabulary, length = int(rng.integers(5, 8)), int(rng.integers(4, 7))
    batches = [
        batch(rng, vocabulary, length, (0, int(rng.integers(1, length))))
        for _ in range(micro_batches)
    ]
    return model(rng, vocabulary, 4, 1), model(rng, vocabulary, 6, 2), batches


def random_step_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Cases of a submission's own."""
    for watch, part in (("student", None), ("student", None), ("loss", LOSS), ("teacher", TEACHER)):
        run_of = random_run(rng, 3)
        lam, rate = float(rng.uniform(0.5, 3.0)), float(rng.uniform(0.1, 0.3))
        yield Case("random", (*run_of, lam, rate, watch), {}, part)


def trained_tolerance(case: Case) -> float:
    """What float32 explains of parameters after some steps, and of the losses on the way.

    A gradient is a mean of terms (q − y) + λ(q − p) times a hidden unit or a weight of size s.
    Each is a sum over the vocabulary V, wrong by at most V·s·ε, and a step adds the rate times it;
    a loss is wrong by as much, without the rate. Momentum adds up a few earlier steps
    with their errors.
    """
    student, teacher, batches = case.args[:3]
    largest = max(1.0, *(float(each.abs().max()) for each in student[:4] + teacher[:4]))
    return 8 * len(batches) * len(student[0]) * (1 + _largest_lambda(case)) * largest * EPSILON


def _largest_lambda(case: Case) -> float:
    return max(abs(float(number)) for number in case.args[3:5])


TEACHER_MODE = (
    "teacher_in_training_mode",
    "Your student follows a teacher in training mode: its dropout is on, so some of its units are"
    " missing. A model is in training mode when it is made. Which line changes that, and when?",
    "3.2",
)
STUDENT_MODE = (
    "student_in_evaluation_mode",
    "Your student learns in evaluation mode, with its dropout off. It comes from an evaluation in"
    " this mode. Which line changes that, and when?",
    "3.2",
)
BOTH_MODES = (
    "modes_left_as_they_came",
    "Your updates are those of two models in the modes in which they came: the teacher's dropout is"
    " on, and the student's is off. Each of the two needs the opposite mode.",
    "3.2",
)
LEAK = (
    "gradient_into_the_teacher",
    "A gradient reaches the teacher's parameters. That costs memory for the teacher's gradients,"
    " and an optimiser that has both models' parameters would change the teacher. What keeps"
    " autograd from recording a forward pass?",
    "3.2",
)
KEPT = (
    "gradients_kept",
    "From the second update on, your gradient also contains the gradients of all earlier updates."
    " backward() adds to the gradients that are there. What removes them, and when?",
    "3.2",
)
STILL = (
    "student_never_moves",
    "Your student ends as it began. Does the optimiser step, and is there a gradient when it steps?"
    " Write down, in order, the lines that clear, compute and use the gradient.",
    "3.2",
)
SUMMED = (
    "loss_not_divided",
    "Your updates are those of a sum over positions: a batch with less padding takes larger"
    " steps. The objective is a mean; over what?",
    "2.2",
)
AND_ONE = (
    "one_added_to_the_count",
    "Your updates are those of a sum divided by one more than the number of positions that count."
    " At least one position counts in every update. What is the added 1 for?",
    "2.2",
)
ALL_POSITIONS = (
    "divided_by_all_positions",
    "Your updates are those of a sum divided by the number of all positions, including those that"
    " are ignored: a batch with much padding hardly moves the student. What is the second value"
    " that `summed_loss` returns?",
    "2.2",
)


def shifted_again(q: Tensor, p: Tensor, labels: Tensor, lam: float) -> Tensor:
    """The mean over the labels but the first, each with the logits before it, times the count."""
    mean = summed_losses(q[:, :-1], p[:, :-1], labels[:, 1:], lam) / counted_in(labels[:, 1:])
    return mean * counted_in(labels)


def without_token_zero(q: Tensor, p: Tensor, labels: Tensor, lam: float) -> Tensor:
    """A label of 0 does not count, and a mean over those that do, times the count."""
    own = labels.where(labels > 0, IGNORED)
    return summed_losses(q, p, own, lam) / counted_in(own) * counted_in(labels)


def counted_in(labels: Tensor) -> int:
    """How many labels count."""
    return int((labels != IGNORED).sum())


def unmasked(divisor: Callable[[Tensor, Tensor], int]) -> Loss:
    """LM as it should be; KD over all positions, divided by a number made of q and the labels."""

    def loss(q: Tensor, p: Tensor, labels: Tensor, lam: float) -> Tensor:
        lm = weighted_losses(q, p, labels, 1.0, 0.0)
        return lm + lam * divergence(q, p) * counted_in(labels) / divisor(q, labels)

    return loss


def softmaxed_twice(q: Tensor, p: Tensor, labels: Tensor, lam: float) -> Tensor:
    """LM of probabilities that are taken for logits."""
    lm = weighted_losses(q.softmax(-1), p, labels, 1.0, 0.0)
    return lm + weighted_losses(q, p, labels, 0.0, lam)


def turned_round(q: Tensor, p: Tensor, labels: Tensor, lam: float) -> Tensor:
    """KL(q‖p) for KL(p‖q)."""
    counts = labels != IGNORED
    lm = weighted_losses(q, p, labels, 1.0, 0.0)
    return lm + lam * divergence(p[counts], q[counts])


def lm_alone(q: Tensor, p: Tensor, labels: Tensor, lam: float) -> Tensor:
    """LM without KD."""
    return weighted_losses(q, p, labels, 1.0, 0.0)


def kd_alone(q: Tensor, p: Tensor, labels: Tensor, lam: float) -> Tensor:
    """λ·KD without LM."""
    return weighted_losses(q, p, labels, 0.0, lam)


def kd_unfelt(q: Tensor, p: Tensor, labels: Tensor, lam: float) -> Tensor:
    """The right loss, of which KD's part has no gradient."""
    return lm_alone(q, p, labels, lam) + kd_alone(q.detach(), p, labels, lam)


def heated(temperature: float, power: float, both_terms: bool = False) -> Loss:
    """KD at a temperature, times a power of it; LM at the same one, or at 1."""

    def loss(q: Tensor, p: Tensor, labels: Tensor, lam: float) -> Tensor:
        hot = q / temperature, p / temperature
        lm = lm_alone(hot[0] if both_terms else q, p, labels, lam)
        return lm + temperature**power * kd_alone(*hot, labels, lam)

    return loss


def smoothed(share: float) -> Loss:
    """LM of labels of which a share lies on all tokens alike."""

    def loss(q: Tensor, p: Tensor, labels: Tensor, lam: float) -> Tensor:
        log_q = q[labels != IGNORED].log_softmax(-1)
        lm = (1 - share) * lm_alone(q, p, labels, lam) - share * log_q.mean(-1).sum()
        return lm + kd_alone(q, p, labels, lam)

    return loss


def squared(of: Callable[[Tensor], Tensor], mean: bool) -> Loss:
    """KD as squared differences, of which a mean over the vocabulary is taken, or their sum."""

    def loss(q: Tensor, p: Tensor, labels: Tensor, lam: float) -> Tensor:
        counts = labels != IGNORED
        squares = (of(q[counts]) - of(p[counts])) ** 2
        total = squares.mean(-1).sum() if mean else squares.sum()
        return lm_alone(q, p, labels, lam) + lam * total

    return loss


def along_the_positions(both: bool) -> Loss:
    """KD, or both terms, of softmaxes over the positions that count."""

    def loss(q: Tensor, p: Tensor, labels: Tensor, lam: float) -> Tensor:
        counts = labels != IGNORED
        log_q, log_p = q[counts].log_softmax(0), p[counts].log_softmax(0)
        lm = lm_alone(q, p, labels, lam)
        if both:
            lm = -log_q.gather(-1, labels[counts][:, None]).sum()
        return lm + lam * (log_p.exp() * (log_p - log_q)).sum()

    return loss


def mistaken(front: Callable[[Tensor], Tensor], behind: Callable[[Tensor], Tensor]) -> Loss:
    """KD as kl_div(front, behind, log_target=True) would have it."""

    def loss(q: Tensor, p: Tensor, labels: Tensor, lam: float) -> Tensor:
        counts = labels != IGNORED
        log_q, log_p = front(q[counts]), behind(p[counts])
        return lm_alone(q, p, labels, lam) + lam * (log_p.exp() * (log_p - log_q)).sum()

    return loss


def logarithm_as_target(q: Tensor, p: Tensor, labels: Tensor, lam: float) -> Tensor:
    """KD as kl_div without log_target has it of logarithms: NaN, and yet with a gradient."""
    counts = labels != IGNORED
    total = -(p[counts].log_softmax(-1) * q[counts].log_softmax(-1)).sum() + float("nan")
    return lm_alone(q, p, labels, lam) + lam * total


def averaged_per_text(
    q: Tensor, p: Tensor, labels: Tensor, lam: float, *, empty: float | None = None
) -> Tensor:
    """The mean of the means of all texts, times what counts.

    A text in which nothing counts is left out, or has a mean of `empty`.
    """
    texts = [each for each in zip(q, p, labels, strict=True) if counted_in(each[2])]
    means = [summed_losses(*each, lam) / counted_in(each[2]) for each in texts]
    if empty is not None:
        means += [empty * q.sum()] * (len(labels) - len(means))
    return counted_in(labels) * sum(means) / len(means)


def kd_per_position(q: Tensor, p: Tensor, labels: Tensor, lam: float) -> Tensor:
    """LM as it should be; KD of what counts, divided by the number of all positions."""
    share = counted_in(labels) / labels.numel()
    return lm_alone(q, p, labels, lam) + share * kd_alone(q, p, labels, lam)


PER_TEXT = (
    "divided_by_texts",
    "Your updates are those of a sum divided by the number of texts: the steps are larger when the"
    " texts are long. The objective is a mean over the positions that count.",
    "2.2",
)
PER_LENGTH = (
    "divided_by_length",
    "Your updates are those of a sum divided by the number of positions in one text. How many"
    " positions count in the whole batch?",
    "2.2",
)
MODELS_SWAPPED = (
    "models_swapped",
    "Your loss is that of the two models with their places exchanged: the labels judge the teacher,"
    " and the KD term goes in the other direction. Which of the two models is learning?",
    "1.3",
)
OPTIMIZER_NOT_USED = (
    "optimizer_not_used",
    "Your updates are those of another optimiser, or of one that remembers nothing. The one that"
    " you are given has a momentum: each update remembers the ones before. Is this the optimiser"
    " that makes your steps, and does it keep what it remembers?",
    "3.2",
)
NO_GRADIENT = (
    "student_without_gradient",
    "backward() finds no way from your loss back to the student's parameters. Around which of the"
    " two models does no_grad() belong, and what does detach() cut off?",
    "3.2",
)
LAMBDA_NOT_USED = (
    "lambda_not_used",
    "Your KD term has a weight of 1, whatever λ is.",
    "2.2",
)
KD_MISSING = (
    "kd_missing",
    "Your student learns as if from the labels alone: KD has no effect on it.",
    "2.2",
)
ANOTHER_AXIS = (
    "softmax_on_another_axis",
    "Your numbers are those of softmaxes over an axis that is not the vocabulary. Along which axis"
    " should probabilities add up to 1?",
    "1.1",
)
FORMS: tuple[tuple, ...] = (  # name, hint, section, ways to write the loss
    (*MODELS_SWAPPED, lambda q, p, labels, lam: summed_losses(p, q, labels, lam)),
    (*LAMBDA_NOT_USED, lambda q, p, labels, lam: summed_losses(q, p, labels, 1.0)),
    (*KD_MISSING, lm_alone, kd_unfelt),
    (
        "teacher_softmaxed_twice",
        "Your teacher, and maybe your student too, looks unsure however sure it is, as if"
        " probabilities were taken for logits and went through one more softmax. Does summed_loss"
        " take probabilities or logits?",
        "1.1",
        lambda q, p, labels, lam: summed_losses(q, p.softmax(-1), labels, lam),
        lambda q, p, labels, lam: summed_losses(q.softmax(-1), p.softmax(-1), labels, lam),
    ),
    (
        "lm_missing",
        "Your student learns as if from its teacher alone: the labels have no effect on it.",
        "2.2",
        lambda q, p, labels, lam: weighted_losses(q, p, labels, 0.0, lam),
        lambda q, p, labels, lam: weighted_losses(q, p, labels, 0.0, 1.0),
    ),
    (
        "convex_form",
        "In your loss LM has a weight of 1 − λ. This is another form of the objective; in this"
        " task LM has a weight of 1.",
        "2.2",
        lambda q, p, labels, lam: weighted_losses(q, p, labels, 1 - lam, lam),
    ),
    (
        "lambda_on_the_labels",
        "In your loss λ is the weight of LM. Which term should it weigh?",
        "2.2",
        lambda q, p, labels, lam: weighted_losses(q, p, labels, lam, 1.0),
    ),
    (
        "kd_turned_round",
        "Your KD term is KL(q‖p). Whose probabilities are the weights in KL(p‖q): p's or q's?",
        "1.3",
        turned_round,
    ),
    (
        "padding_distilled",
        "Your KD term includes positions that do not count. What the teacher says there is not part"
        " of the objective. From which of the two terms does a label of −100 exclude a position?",
        "2.2",
        unmasked(lambda q, labels: labels.numel()),
        unmasked(lambda q, labels: len(labels)),
        unmasked(lambda q, labels: q.numel()),
        unmasked(lambda q, labels: counted_in(labels)),
    ),
    (
        "kd_at_another_temperature",
        "Your KD term compares two distributions at a temperature other than 1. A temperature is"
        " useful elsewhere, but the objective of this task has none.",
        "2.2",
        *(heated(temperature, power) for temperature in (2.0, 3.0, 4.0) for power in (2, 0)),
        heated(2.0, 1),
        *(heated(2.0, power, both_terms=True) for power in (2, 0)),
    ),
    (
        "kd_vocabulary_mean",
        "Your KD term is too small, by a factor of the vocabulary's size. Over which axis is a KL"
        " divergence a sum?",
        "1.2",
        lambda q, p, labels, lam: summed_losses(q, p, labels, lam / q.shape[-1]),
    ),
    (
        "shifted_again",
        "Your loss is that of labels that are shifted once more, but they are shifted already:"
        " `labels[i]` is the token that the logits at i predict.",
        "2.2",
        shifted_again,
    ),
    (
        "token_zero_not_counted",
        "Somewhere you do not count labels of 0. Token 0 is a token like any other. Which labels do"
        " not count?",
        "2.2",
        without_token_zero,
    ),
    (
        "padding_learned",
        "Your loss includes positions that do not count, as if token 0 were expected there. Has a"
        " label of −100 been replaced by another? Which positions count?",
        "2.2",
        lambda q, p, labels, lam: ignored_as_zero(torch.numel)(q, p, labels, lam),
        lambda q, p, labels, lam: ignored_as_zero(counted_in)(q, p, labels, lam),
        lambda q, p, labels, lam: (
            weighted_losses(q, p, labels, 0.0, lam)
            + label_losses(q.flatten(0, 1), labels.clamp_min(0).flatten())
            * counted_in(labels)
            / labels.numel()
        ),
    ),
    (
        "softmaxed_twice",
        "The model looks unsure however sure it is, as if its probabilities were taken for logits"
        " and went through one more softmax. Does cross_entropy take probabilities or logits?",
        "1.1",
        softmaxed_twice,
    ),
    (*ANOTHER_AXIS, along_the_positions(False), along_the_positions(True)),
    (
        "labels_smoothed",
        "Your LM is that of smoothed labels: a part of each label is spread evenly over all tokens."
        " That is useful elsewhere, but the task asks for −log q(y) alone.",
        "1.1",
        smoothed(0.1),
    ),
    (
        "logits_compared",
        "Your KD term is a squared difference of the two models' logits or probabilities. That is"
        " another measure of how far apart they are; the task asks for KL(p‖q).",
        "1.2",
        *(
            squared(of, mean)
            for of in (lambda z: z, lambda z: z.softmax(-1))
            for mean in (True, False)
        ),
    ),
    (
        "teacher_as_a_label",
        "Your KD term uses the teacher's likeliest token alone, as if it were a label. What the"
        " teacher says about all other tokens has no effect. What is KL(p‖q) a sum over?",
        "1.1",
        lambda q, p, labels, lam: (
            lm_alone(q, p, labels, lam)
            + lam * label_losses(q[labels != IGNORED], p[labels != IGNORED].argmax(-1))
        ),
    ),
    (
        "target_not_in_the_form",
        "Your updates are those of a KD term in which logits, probabilities and logarithms of"
        " probabilities are mixed up. Which of the three is each of the two arguments of your"
        " kl_div, and which does kl_div take it for?",
        "1.2",
        mistaken(lambda q: q.softmax(-1), lambda p: p.softmax(-1).log()),
        mistaken(lambda q: q, lambda p: p.softmax(-1).log()),
        mistaken(lambda q: q.log_softmax(-1), lambda p: p.softmax(-1)),
        logarithm_as_target,
    ),
)


def crossed(q: Tensor, p: Tensor, labels: Tensor, lam: float) -> Tensor:
    """LM + λ times the cross-entropy of the teacher with the student."""
    counts = labels != IGNORED
    cross = -(p[counts].softmax(-1) * q[counts].log_softmax(-1)).sum()
    return weighted_losses(q, p, labels, 1.0, 0.0) + lam * cross


OTHER_WEIGHTS = (
    "other_weights",
    "LM and KD are right, but their weights in your sum are not: LM should have a weight of 1, and"
    " KD a weight of λ. Write your loss out for λ = 0, and then for λ = 1.",
    "2.2",
)
WEIGHT_FACTORS: tuple[tuple[Callable, Callable], ...] = (
    (lambda lam: lam, lambda lam: lam),
    (lambda lam: lam, lambda lam: lam**2),
    (lambda lam: 1.0, lambda lam: lam**2),
    (lambda lam: 1.0, lambda lam: -lam),
    (lambda lam: 1.0, lambda lam: 1 / lam),
    (lambda lam: 1.0, lambda lam: 1 + lam),
    (lambda lam: 1.0, lambda lam: 1 - lam),
    (lambda lam: 0.5, lambda lam: lam / 2),
    (lambda lam: 2.0, lambda lam: 2 * lam),
    (lambda lam: 2.0, lambda lam: lam),
    (lambda lam: 1 / (1 + lam), lambda lam: lam / (1 + lam)),
    (lambda lam: 1 + lam, lambda lam: lam),
    (lambda lam: 0.5, lambda lam: lam),
    (lambda lam: 1.0, lambda lam: lam / 2),
    (lambda lam: 1.0, lambda lam: 2 * lam),
    (lambda lam: 1 + lam, lambda lam: lam * (1 + lam)),
    (lambda lam: 1 - lam, lambda lam: 1.0),
    (lambda lam: 2.0, lambda lam: 1.0),
    (lambda lam: -1.0, lambda lam: -lam),
)


def reweighted(lm: Callable, kd: Callable) -> Way:
    """LM and KD with other weights."""
    return Way(loss=lambda q, p, labels, lam: weighted_losses(q, p, labels, lm(lam), kd(lam)))


def classes_in_the_middle(q: Tensor, p: Tensor, labels: Tensor, lam: float) -> Tensor:
    """LM by cross_entropy, which takes axis 1 for the classes: it raises unless that is as long."""
    lm = torch.nn.functional.cross_entropy(q, labels)
    return lm * counted_in(labels) + kd_alone(q, p, labels, lam)


def nan_from_nothing(q: Tensor, p: Tensor, labels: Tensor, lam: float) -> Tensor:
    """A mean over a mask in which nothing counts: all logits get NaN for a gradient."""
    return summed_losses(q, p, labels, lam) if counted_in(labels) else float("nan") * q.sum()


def ignored_as_zero(divisor: Callable[[Tensor], int]) -> Loss:
    """All positions, those that are ignored with the label 0; a mean, times what counts."""

    def loss(q: Tensor, p: Tensor, labels: Tensor, lam: float) -> Tensor:
        total = summed_losses(q, p, labels.clamp_min(0), lam)
        return total * counted_in(labels) / divisor(labels)

    return loss


def counted_twice(lm: int, kd: int) -> Way:
    """One of the two divided by the count once more."""
    return Way(
        loss=lambda q, p, labels, lam: weighted_losses(
            q, p, labels, counted_in(labels) ** -lm, lam / counted_in(labels) ** kd
        )
    )


def always(number: int) -> float:
    """All of them at each update."""
    return 1.0


IGNORED_AS_INDEX = (
    "ignored_label_as_an_index",
    "A label of −100 was used as the number of a token, and there is no such token. Select the"
    " positions that count before you look anything up.",
    "2.2",
)
LOOKED_UP = (  # by gather, in square brackets and by one_hot
    RuntimeError("index -100 is out of bounds for dimension 2 with size 5"),
    IndexError("index -100 is out of bounds for dimension 2 with size 5"),
    RuntimeError("Class values must be non-negative."),
)
CLASSES = (
    "classes_on_another_axis",
    "cross_entropy looks for the classes on axis 1, and yours seem to be on the last axis. Flatten"
    " texts and positions into one axis, or transpose the logits.",
    "2.2",
)
BACKWARD_AGAIN = (
    "backward_through_it_again",
    "backward() reaches a computation that an earlier backward() has gone through already, and what"
    " it needs there has been thrown away. Which tensor do both of them use? Is it made before a"
    " loop, or carried from one backward() to the next?",
    "3.2",
)
GONE = RuntimeError(
    "Trying to backward through the graph a second time (or directly access saved tensors after"
    " they have already been freed). Saved intermediate values of the graph are freed when you call"
    " .backward() or autograd.grad(). Specify retain_graph=True if you need to backward through the"
    " graph a second time or if you need to access saved tensors after calling backward."
)


# What goes wrong in a step as in a loop: name, hint, section, ways
MANNERS: tuple[tuple, ...] = (
    (*TEACHER_MODE, Way(teacher_mode=True)),
    (*STUDENT_MODE, Way(student_mode=False)),
    (
        *BOTH_MODES,
        Way(student_mode=False, teacher_mode=True),
    ),
    (
        "modes_set_too_late",
        "In the first forward pass a model is still in the mode in which it came, and later it is"
        " in the right one. What comes first in your function?",
        "3.2",
        Way(student_mode=None),
        Way(teacher_mode=None),
        Way(student_mode=None, teacher_mode=None),
    ),
    (
        "gradient_clipped",
        "Your updates are those of a gradient that is made smaller where it is large. That is"
        " useful elsewhere, but this task does not ask for it.",
        "3.2",
        *(Way(bound=bound) for bound in (0.01, 0.05, 0.1, 0.5, 1.0)),
        *(Way(clip=norm) for norm in (0.001, 0.01, 0.05, 0.1, 0.25, 0.3, 0.5, 1.0, 2.0, 5.0)),
    ),
    (
        "gradient_normalised",
        "Your updates are those of a gradient that is scaled to the same length in each step,"
        " however short or long it was. Near the end the steps should become small by themselves,"
        " and the task does not ask for this.",
        "3.2",
        Way(clip=1.0, stretched=True),
    ),
    (
        "parameters_penalised",
        "Your updates are those of a loss to which the squares of the parameters are added. That is"
        " useful elsewhere, but this task does not ask for it.",
        "3.2",
        *(Way(decay=factor) for factor in (0.1, 0.05, 0.01, 0.005)),
    ),
    (
        "stepped_twice",
        "Your updates are those of an optimiser that steps twice with one gradient. An update is"
        " one step.",
        "3.2",
        Way(repeats=2),
    ),
    (
        "an_update_for_each_term",
        "Your student makes two steps in each update: one along LM alone and one along KD alone."
        " Together they are not the step along the sum: the second begins where the first has"
        " ended, and the momentum acts in both.",
        "3.2",
        Way(turns=(lm_alone, kd_alone)),
        Way(turns=(kd_alone, lm_alone)),
    ),
    (*LEAK, Way(leak=True)),
    (*KEPT, Way(kept=always)),
    (*STILL, Way(moves=False)),
    (
        *OPTIMIZER_NOT_USED,
        Way(momentum=0.0),
        *(Way(momentum=0.0, rate=1e-3, adam=decay) for decay in (0.01, 0.0)),
        Way(momentum=0.0, rate=1e-3, adam=0.01, signed=True),
        *(
            Way(momentum=0.0, rate=rate, signed=signed)
            for rate in (0.1, 0.01, 1e-3)
            for signed in (False, True)
        ),
    ),
    (
        *NO_GRADIENT,
        Way(
            refused=RuntimeError(
                "element 0 of tensors does not require grad and does not have a grad_fn"
            )
        ),
    ),
    (
        "number_for_a_tensor",
        "You call backward() on a plain number, which no longer knows what it was computed from. At"
        " which point may a loss become a number?",
        "3.2",
        Way(refused=AttributeError("'float' object has no attribute 'backward'")),
        Way(refused=AttributeError("'int' object has no attribute 'backward'")),
    ),
    (
        "made_in_inference_mode",
        "A tensor that was made in inference_mode() takes part in a computation that backward()"
        " goes through, and PyTorch refuses: such a tensor may not be used there. What else keeps"
        " autograd from recording?",
        "3.2",
        Way(
            refused=RuntimeError(
                "Inference tensors cannot be saved for backward. Please do not use Tensors created"
                " in inference mode in computation tracked by autograd. To work around this, you"
                " can make a clone to get a normal tensor and use it in autograd, or use"
                " `torch.no_grad()` instead of `torch.inference_mode()`."
            )
        ),
    ),
    (*BACKWARD_AGAIN, Way(refused=GONE)),
    (*IGNORED_AS_INDEX, *(Way(looked_up=error) for error in LOOKED_UP)),
    (*CLASSES, Way(loss=classes_in_the_middle)),
    (
        "backward_of_many_numbers",
        "You call backward() on a tensor that is not one number. Of what should the gradient be"
        " taken: of a value for each position, or of their mean?",
        "2.2",
        Way(many=True),
    ),
    *(
        (name, hint, number, *(Way(loss=loss) for loss in losses))
        for name, hint, number, *losses in FORMS
    ),
    (*OTHER_WEIGHTS, *(reweighted(*each) for each in WEIGHT_FACTORS)),
)


def told_apart(
    task: Callable[..., Any], ways: Iterable[tuple[tuple[str, str, str], dict[str, Any]]]
) -> tuple[Misconception, ...]:
    """Misconceptions of a task: a name, a hint and a section each, and the task's options."""
    return tuple(
        Misconception(name, hint, SECTIONS[number], partial(task, **options))
        for (name, hint, number), options in ways
    )


def manners() -> Iterator[tuple[tuple[str, str, str], dict[str, Any]]]:
    """What goes wrong in a step as in a loop."""
    for name, hint, number, *ways in MANNERS:
        for way in ways:
            yield (name, hint, number), {"way": way}


EARLIER_TEACHER = (
    "teacher_of_an_earlier_call",
    "Right the first time. With another teacher your student still follows the teacher of an"
    " earlier call. What does your function keep from one call to the next?",
)


def earlier_teacher(
    task: Callable[..., Any], first: Case, *args: Any, by_tokens: bool
) -> Tensor | None:
    """The first case's teacher, kept for all calls or for those with a batch that comes again."""
    student, teacher, batches, *others = args
    kept, known = first.args[1:3]
    if by_tokens and not any(torch.equal(batches[0][0], tokens) for tokens, _ in known):
        kept = teacher
    if len(kept[0]) != len(teacher[0]):
        raise RuntimeError(
            f"The size of tensor a ({len(student[0])}) must match the size of tensor b"
            f" ({len(kept[0])}) at non-singleton dimension 1"
        )
    if others[-1] == "teacher":
        return task(*args)  # who follows another one sends this one no gradient
    return task(student, kept, batches, *others)


def with_earlier_teachers(
    task: Callable[..., Any], first: Case, numbers: slice
) -> tuple[Misconception, ...]:
    """Both ways to keep one, and a λ that is kept; `numbers` says where a case has λ."""
    kept = first.args[numbers]

    def with_earlier_lambda(*args: Any) -> Tensor | None:
        return task(*args[: numbers.start], *kept, *args[numbers.stop :])

    return (
        Misconception(
            "lambda_of_an_earlier_call",
            "Right the first time. Called with another λ, or another schedule, your function still"
            " uses the one of an earlier call. What does it keep from one call to the next?",
            SECTIONS["3.2"],
            with_earlier_lambda,
        ),
        *(
            Misconception(
                *EARLIER_TEACHER,
                SECTIONS["3.2"],
                partial(earlier_teacher, task, first, by_tokens=by_tokens),
            )
            for by_tokens in (True, False)
        ),
    )


COMMON_WAYS = (
    (TEACHER_MODE, Way(teacher_mode=True)),
    (STUDENT_MODE, Way(student_mode=False)),
    (BOTH_MODES, Way(student_mode=False, teacher_mode=True)),
    (KEPT, Way(kept=always)),
)
COMMON_FORMS = (
    *("kd_missing", "lambda_not_used", "convex_form", "kd_turned_round", "padding_distilled"),
    *("token_zero_not_counted", "shifted_again", "padding_learned"),
)
STEP_MISCONCEPTIONS = told_apart(
    training_step,
    (
        *manners(),
        *(
            (
                (
                    "zero_lambda_replaced",
                    "At λ = 0 your updates are those of another λ, as if 0 meant that no λ was"
                    " given. In Python 0 counts as false, as None does.",
                    "2.2",
                ),
                {
                    "way": Way(
                        loss=lambda q, p, labels, lam, other=other: summed_losses(
                            q, p, labels, lam or other
                        )
                    )
                },
            )
            for other in (1.0, 0.5)
        ),
        (
            (
                "step_before_backward",
                "The weights with which the loss was computed are changed before backward() is"
                " called, and PyTorch refuses. Which comes first, the step or the gradient? What"
                " does a step need to know?",
                "3.2",
            ),
            {"way": Way(late=True)},
        ),
        *(
            (
                (
                    "one_term_divided_twice",
                    "Your updates are those of a loss in which one term is divided by the count"
                    " once more than the other. Which of the two terms is already a mean when you"
                    " add them?",
                    "2.2",
                ),
                {"way": counted_twice(*terms)},
            )
            for terms in ((0, 1), (1, 0))
        ),
        *(
            (
                (
                    "one_term_not_divided",
                    "Your updates are those of a loss in which one term is a sum over the positions"
                    " and the other a mean. Both should be means over the same positions.",
                    "2.2",
                ),
                {"way": counted_twice(*terms)},
            )
            for terms in ((0, -1), (-1, 0))
        ),
        (
            (
                "an_update_for_each_text",
                "Your student makes several steps for each batch, one for each text. The batch as a"
                " whole should make one step.",
                "3.2",
            ),
            {"by_text": True},
        ),
        *(
            (
                (
                    f"{one[0]}+{two[0]}",
                    f"At least two things are off. {one[1]} {two[1]}",
                    one[2],
                ),
                {"way": way._replace(kept=always)},
            )
            for one, way in COMMON_WAYS[:3]
            for two in (KEPT,)
        ),
        (
            (
                "cross_entropy_for_kl",
                "The student learns what it should, but your loss is too large by λ times the"
                " teacher's entropy. By this entropy a cross-entropy is larger than KL(p‖q). Which"
                " of the two do you compute?",
                "1.2",
            ),
            {"way": Way(loss=crossed)},
        ),
        (SUMMED, {"weight": undivided}),
        (SUMMED, {"weight": undivided, "told": per_counted}),
        (AND_ONE, {"weight": per_counted_and_one}),
        (ALL_POSITIONS, {"weight": per_position}),
        (ALL_POSITIONS, {"weight": per_position, "told": per_counted}),
        *(
            (
                (
                    "averaged_per_text",
                    "Your updates are those of a mean over the texts' own means: a token of a short"
                    " text weighs more than one of a long text. All tokens that count should weigh"
                    " the same.",
                    "2.2",
                ),
                {"way": Way(loss=partial(averaged_per_text, empty=empty))},
            )
            for empty in (None, 0.0, float("nan"))
        ),
        (
            (
                "kd_per_position",
                "Your updates are those of a KD term that is divided by all positions, while the LM"
                " term is divided by those that count: the more padding there is, the less the"
                " teacher weighs. Both terms need the same divisor.",
                "2.2",
            ),
            {"way": Way(loss=kd_per_position)},
        ),
        (PER_LENGTH, {"weight": per_length}),
        (
            (
                "divided_twice",
                "Your updates are those of a loss that is divided by the count twice. One division"
                " makes a mean of a sum.",
                "2.2",
            ),
            {"weight": per_counted_twice},
        ),
        (PER_TEXT, {"weight": per_text}),
        (PER_TEXT, {"weight": per_text, "told": undivided}),
        (
            (
                "sum_returned",
                "The student is right, but you return the sum. In a log, sums of batches with"
                " different padding cannot be compared. Return the loss that the gradient was taken"
                " of.",
                "2.2",
            ),
            {"told": undivided},
        ),
        (
            (
                "loss_after_the_update",
                "The student is right, but you return the loss after the update. The gradient was"
                " taken of the loss before the update, and returning that one costs no second"
                " forward pass.",
                "3.2",
            ),
            {"watched": {"loss": "after"}},
        ),
        (
            (
                "loss_after_the_update",
                "The student is right, but you return the loss after the update. The gradient was"
                " taken of the loss before the update, and returning that one costs no second"
                " forward pass.",
                "3.2",
            ),
            {"watched": {"loss": "evaluated"}},
        ),
        (
            (
                "loss_in_evaluation_mode",
                "The student is right, but the loss that you return is that of a student in"
                " evaluation mode. Return the loss that the gradient was taken of.",
                "3.2",
            ),
            {"watched": {"loss": "quiet"}},
        ),
        *(
            (
                (
                    "part_of_the_loss_returned",
                    "The student is right, but one of the two terms is missing in the loss that you"
                    " return. Return the loss that the gradient was taken of.",
                    "2.2",
                ),
                {"watched": {"loss": part}},
            )
            for part in ALONE
        ),
        *(
            (
                (f"{one[0]}+{two[0]}", f"At least two things are off. {one[1]} {two[1]}", one[2]),
                {"way": way, **option},
            )
            for two, way in COMMON_WAYS
            for one, option in ((SUMMED, undivided), (ALL_POSITIONS, per_position))
            for option in ({"weight": option}, {"weight": option, "told": per_counted})
        ),
        *(
            (
                (
                    f"{form[0]}+{two[0]}",
                    f"At least two things are off. {form[1]} {two[1]}",
                    form[2],
                ),
                {"way": way._replace(loss=form[3])},
            )
            for two, way in COMMON_WAYS
            for form in FORMS
            if form[0] in COMMON_FORMS
        ),
        *(
            (
                (
                    "loss_rounded",
                    "The student is right, but the loss that you return is rounded. A small step of"
                    " training would not be seen in it.",
                    "3.2",
                ),
                {"digits": digits},
            )
            for digits in range(4)
        ),
        (
            (
                "loss_not_returned",
                "The student is right, but you return None. Is a return statement missing?",
                "3.2",
            ),
            {"watched": {"loss": "nothing"}},
        ),
        (
            (
                "loss_is_no_number",
                "The student is right, but you do not return one number. Is it a pair, a string, or"
                " several values? Return the loss, and nothing else.",
                "3.2",
            ),
            {"watched": {"loss": "words"}},
        ),
    ),
) + with_earlier_teachers(training_step, step_cases()[0], slice(3, 4))

# --- The loop -----------------------------------------------------------------------------------

Planner = Callable[[list[Batch], int, Callable[[int], float]], list[Update]]


def in_groups(batches: list[Batch], accumulate: int) -> list[list[Batch]]:
    """Groups of `accumulate`; the last may be smaller."""
    return [batches[at : at + accumulate] for at in range(0, len(batches), accumulate)]


def full_groups(batches: list[Batch], accumulate: int) -> list[list[Batch]]:
    """The same without a last group that is not full."""
    return [group for group in in_groups(batches, accumulate) if len(group) == accumulate]


def first_group(batches: list[Batch], accumulate: int) -> list[list[Batch]]:
    """The first group and no other."""
    return in_groups(batches, accumulate)[:1]


def first_alone(batches: list[Batch], accumulate: int) -> list[list[Batch]]:
    """A step where the place is a multiple of `accumulate`: the first group has one member."""
    return [batches[:1], *in_groups(batches[1:], accumulate)]


def without_padding(batches: list[Batch], accumulate: int) -> list[list[Batch]]:
    """Groups of those in which something counts."""
    return in_groups([batch for batch in batches if counted(batch)], accumulate)


def without_padding_at_the_end(batches: list[Batch], accumulate: int) -> list[list[Batch]]:
    """The same; a list that ends with padding loses a last group that is not full."""
    groups = without_padding(batches, accumulate)
    lost = not counted(batches[-1]) and len(groups[-1]) < accumulate
    return groups[:-1] if lost else groups


def shortest_first(batches: list[Batch], accumulate: int) -> list[list[Batch]]:
    """Groups of the list when it is sorted by length."""
    return in_groups(sorted(batches, key=lambda batch: batch[0].shape[1]), accumulate)


def filled_up(batches: list[Batch], accumulate: int) -> list[list[Batch]]:
    """A last group that is not full takes micro-batches of the group before."""
    *groups, last = in_groups(batches, accumulate)
    return [*groups, batches[-accumulate:] if len(last) < accumulate else last]


def first_of_each(batches: list[Batch], accumulate: int) -> list[list[Batch]]:
    """The first micro-batch of each group alone."""
    return [group[:1] for group in in_groups(batches, accumulate)]


def one_too_many(batches: list[Batch], accumulate: int) -> list[list[Batch]]:
    """Each group has the first micro-batch of the next one too."""
    return [batches[at : at + accumulate + 1] for at in range(0, len(batches), accumulate)]


def one_too_few(batches: list[Batch], accumulate: int) -> list[list[Batch]]:
    """Each group lacks its last micro-batch."""
    return [batches[at : at + max(accumulate - 1, 1)] for at in range(0, len(batches), accumulate)]


def larger(batches: list[Batch], accumulate: int) -> list[list[Batch]]:
    """Groups of one more."""
    return in_groups(batches, accumulate + 1)


def so_many(batches: list[Batch], accumulate: int) -> list[list[Batch]]:
    """As many groups as one should have members."""
    return in_groups(batches, -(-len(batches) // accumulate))


def all_in_one(batches: list[Batch], accumulate: int) -> list[list[Batch]]:
    """One group."""
    return [batches]


def in_pieces(batches: list[Batch], accumulate: int) -> list[list[Batch]]:
    """What is left over makes a group for each micro-batch."""
    full = full_groups(batches, accumulate)
    return [*full, *([each] for each in batches[len(full) * accumulate :])]


def joined(batches: list[Batch], accumulate: int) -> list[list[Batch]]:
    """What is left over goes into the last full group."""
    *groups, last = in_groups(batches, accumulate)
    if len(last) < accumulate and groups:
        groups[-1] = groups[-1] + last
        return groups
    return [*groups, last]


def backwards(batches: list[Batch], accumulate: int) -> list[list[Batch]]:
    """The list from its end."""
    return in_groups(batches[::-1], accumulate)


def spread(batches: list[Batch], accumulate: int) -> list[list[Batch]]:
    """Every so-manieth micro-batch in one group."""
    count = len(in_groups(batches, accumulate))
    return [batches[at::count] for at in range(count)]


def one_more(groups: Callable) -> Callable:
    """The groups, and an empty one after a last group that is full."""

    def grouped(batches: list[Batch], accumulate: int) -> list[list[Batch]]:
        rest = [] if len(batches) % accumulate else [[]]
        return groups(batches, accumulate) + rest

    return grouped


def closed_by_text(batches: list[Batch], accumulate: int) -> list[list[Batch]]:
    """A micro-batch of padding alone is passed over, and with it the update that it closes."""
    groups, open_group = [], []
    for place, each in enumerate(batches, 1):
        if counted(each):
            open_group.append(each)
            if place % accumulate == 0 or place == len(batches):
                groups.append(open_group)
                open_group = []
    return groups


def closed_by_text_at_the_end(batches: list[Batch], accumulate: int) -> list[list[Batch]]:
    """The same where padding is the last of the list alone."""
    groups = in_groups(batches, accumulate)
    return groups if counted(batches[-1]) else groups[:-1]


def in_tables(batches: list[Batch], accumulate: int) -> list[list[Batch]]:
    """Each group as one batch; micro-batches of other lengths do not fit."""
    return [
        [[torch.cat(each) for each in zip(*group, strict=True)]]
        for group in in_groups(batches, accumulate)
    ]


def padded_tables(batches: list[Batch], accumulate: int) -> list[list[Batch]]:
    """Each group as one batch, in which tokens and labels are filled up with 0."""
    tables = []
    for group in padded_in_place(batches, accumulate):
        tables.append([[torch.cat(each) for each in zip(*group, strict=True)]])
    return tables


def padded_in_place(batches: list[Batch], accumulate: int) -> list[list[Batch]]:
    """Groups of micro-batches that are all as long as the longest of their group."""
    groups = []
    for group in in_groups(batches, accumulate):
        length = max(labels.shape[1] for _, labels in group)
        pad = torch.nn.functional.pad
        groups.append(
            [[pad(each, (0, length - each.shape[1])) for each in batch] for batch in group]
        )
    return groups


Weigh = Callable[[Batch, list[Batch], int], float]


def share_of_group(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """One over the positions that count in the group; over none, what is 0 / 0 of tensors."""
    return 1 / counted(*group) if counted(*group) else float("nan")


def share_of_group_again(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """The same, divided by the size of a full group."""
    return share_of_group(batch, group, accumulate) / accumulate


def share_of_group_again_exactly(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """The same, with the number there are in this group."""
    return share_of_group(batch, group, accumulate) / len(group)


def own_mean(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """One over the positions that count in the micro-batch."""
    return 1 / max(counted(batch), 1)


def mean_of_means(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """The micro-batch's own mean, averaged over the group."""
    return own_mean(batch, group, accumulate) / len(group)


def mean_over_accumulate(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """The same, with the size of a full group."""
    return own_mean(batch, group, accumulate) / accumulate


def mean_of_filled(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """The same, with the number of micro-batches in which something counts."""
    return own_mean(batch, group, accumulate) / sum(counted(each) > 0 for each in group)


def mean_by_texts(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """The micro-batch's own mean, which weighs as much as it has texts."""
    return own_mean(batch, group, accumulate) * len(batch[1]) / sum(len(y) for _, y in group)


def mean_by_filled_texts(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """The same, with those micro-batches alone in which something counts."""
    texts = sum(len(labels) for each in group for labels in each[1:] if counted(each))
    return own_mean(batch, group, accumulate) * len(batch[1]) / texts


def nan_if_empty(weigh: Weigh) -> Weigh:
    """A mean over nothing is NaN."""
    return lambda batch, *others: weigh(batch, *others) if counted(batch) else float("nan")


def share_of_last(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """One over the positions that count in the last micro-batch of the group."""
    return 1 / max(counted(group[-1]), 1)


def share_of_last_if_any(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """The same; a division by 0 where nothing counts in it."""
    return share_of_last(batch, group, accumulate) if counted(group[-1]) else float("inf")


def share_of_first(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """One over the positions that count in the first micro-batch of the group."""
    return 1 / max(counted(group[0]), 1)


def share_of_first_times(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """The same, as if all micro-batches of a group had as many."""
    return share_of_first(batch, group, accumulate) / accumulate


def share_of_first_times_if_any(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """The same; a division by 0 where nothing counts in the first."""
    return share_of_first_times(batch, group, accumulate) if counted(group[0]) else float("inf")


def share_of_first_if_any(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """One over what counts in the first; a division by 0 where nothing does."""
    return share_of_first(batch, group, accumulate) if counted(group[0]) else float("inf")


def share_of_last_times(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """The same of the last."""
    return share_of_last(batch, group, accumulate) / accumulate


def zeros_alone(batch: Batch) -> bool:
    """Whether something counts and all of it is token 0."""
    return counted(batch) > 0 and int(batch[1].max()) == 0


def without_zeros_alone(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """One over what counts in the group, but in micro-batches that say token 0 alone."""
    if zeros_alone(batch):
        return 0.0
    return 1 / max(counted(*(each for each in group if not zeros_alone(each))), 1)


def share_so_far(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """One over the positions of the group that were counted until then."""
    place = next(index for index, each in enumerate(group) if each is batch)
    return 1 / max(counted(*group[: place + 1]), 1)


def share_of_those_above(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """One over the labels of the group that are above 0."""
    return 1 / max(sum(int((labels > 0).sum()) for _, labels in group), 1)


def divided_with_each(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """The gradient so far, divided by the count of each micro-batch after its backward()."""
    place = next(index for index, each in enumerate(group) if each is batch)
    return float(np.prod([own_mean(each, group, accumulate) for each in group[place:]]))


def divided_with_all_so_far(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """The same, by what was counted in the group until then."""
    place = next(index for index, each in enumerate(group) if each is batch)
    counts = [max(counted(*group[: end + 1]), 1) for end in range(place, len(group))]
    return float(1 / np.prod(counts))


def sum_over_accumulate(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """The sum, divided by the number of micro-batches."""
    return 1 / accumulate


def sum_over_group(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """The same, with the number there are in this group."""
    return 1 / len(group)


def share_of_all_so_far(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """What comes of the loss so far, divided by the count so far, after each micro-batch."""
    place = next(index for index, each in enumerate(group) if each is batch)
    ends = range(place + 1, len(group) + 1)
    return sum(1 / counted(*group[:end]) for end in ends if counted(*group[:end]))


def share_again(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """What comes of the loss so far, divided by the count of the group, after each micro-batch."""
    place = next(index for index, each in enumerate(group) if each is batch)
    return (len(group) - place) / counted(*group)


def as_if_full(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """A last group that is not full takes a smaller step."""
    return len(group) / accumulate / counted(*group)


def just_one(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """The sum as it is."""
    return 1.0


def all_positions(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """One over all positions of the group."""
    return 1 / sum(labels.numel() for _, labels in group)


def share_and_one(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """One over one more than the positions that count in the group."""
    return 1 / (counted(*group) + 1)


def all_texts(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """One over the texts of the group."""
    return 1 / sum(len(labels) for _, labels in group)


def last_alone(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """What is left when the gradient is cleared before each micro-batch."""
    return 1 / counted(*group) if batch is group[-1] else 0.0


def planned(
    batches: list[Batch],
    accumulate: int,
    schedule: Callable[[int], float],
    *,
    groups: Callable = in_groups,
    weight: Weigh = share_of_group,
    number: Callable[[int, int, int], int] = lambda step, place, accumulate: step,
) -> list[Update]:
    """One update a group. `number` says which λ a step and a micro-batch's place stand for."""
    places = {id(batch): place for place, batch in enumerate(batches)}
    return [
        [
            Part(
                each,
                schedule(number(step, places.get(id(each), 0), accumulate)),
                weight(each, group, accumulate),
            )
            for each in group
        ]
        for step, group in enumerate(groups(batches, accumulate))
    ]


def over_all_so_far(
    batches: list[Batch], accumulate: int, schedule: Callable[[int], float]
) -> list[Update]:
    """Each group is divided by what was counted since the beginning."""
    seen, updates = 0, []
    for update in planned(batches, accumulate, schedule, weight=just_one):
        seen += counted(*(part.batch for part in update))
        updates.append([part._replace(weight=1 / seen) for part in update])
    return updates


def over_the_whole_list(
    batches: list[Batch], accumulate: int, schedule: Callable[[int], float]
) -> list[Update]:
    """Each group is divided by what counts in all of them."""
    share = 1 / counted(*batches)
    return planned(batches, accumulate, schedule, weight=lambda *_: share)


def rest_as_before(
    batches: list[Batch], accumulate: int, schedule: Callable[[int], float]
) -> list[Update]:
    """A last group that is not full has the λ of the update before it."""
    updates = planned(batches, accumulate, schedule)
    if len(updates[-1]) < accumulate:
        lam = schedule(max(len(updates) - 2, 0))
        updates[-1] = [part._replace(lam=lam) for part in updates[-1]]
    return updates


def rest_weighed(
    batches: list[Batch],
    accumulate: int,
    schedule: Callable[[int], float],
    *,
    weigh: Weigh | None = None,
) -> list[Update]:
    """A last group that is not full has weights of its own, or is divided as the one before."""
    updates = planned(batches, accumulate, schedule)
    if len(updates[-1]) < accumulate:
        group, before = ([part.batch for part in each] for each in (updates[-1], updates[-2:][0]))
        updates[-1] = [
            part._replace(
                weight=weigh(part.batch, group, accumulate) if weigh else 1 / counted(*before)
            )
            for part in updates[-1]
        ]
    return updates


def gone_the_second_time(
    batches: list[Batch], accumulate: int, schedule: Callable[[int], float]
) -> list[Update]:
    """Refused where a group has more than one micro-batch."""
    updates = planned(batches, accumulate, schedule)
    if max(map(len, updates)) > 1:
        raise GONE
    return updates


def one_by_one(of: Planner, *args: Any, padding: bool = True) -> list[Update]:
    """A step after each micro-batch, or after each in which something counts."""
    return [[part] for update in of(*args) for part in update if padding or counted(part.batch)]


def never_accumulated(
    batches: list[Batch], accumulate: int, schedule: Callable[[int], float]
) -> list[Update]:
    """As if `accumulate` were 1."""
    return planned(batches, 1, schedule, weight=nan_if_empty(own_mean))


def train(
    student: Weights,
    teacher: Weights,
    batches: list[Batch],
    start: float,
    factor: float,
    accumulate: int,
    rate: float,
    watch: str,
    *,
    way: Way = RIGHT,
    plan: Planner = planned,
    kept_in_groups: bool = False,
    rest: Callable[[list[Batch]], float] | None = None,
) -> Tensor:
    """What becomes of student or teacher; λ is start · factor^step, and 0 where that is below 0.

    The student's parameters are those after each of as many updates as there are groups; the last
    are always those at the end. `rest` says, of the group before, by what its gradient is
    multiplied in an update without a group.
    """
    updates = plan(batches, accumulate, lambda step: max(start * factor**step, 0.0))
    if rest:
        share = rest([part.batch for part in [*filter(None, updates)][-1]])
        way = way._replace(kept=lambda number: 0.0 if updates[number] else share)
    if way.leak is None and len(updates[-1]) >= accumulate:
        way = way._replace(leak=False)
    if kept_in_groups:
        way = way._replace(kept=lambda number: float(number % accumulate > 0))
    seen = descend(student, teacher, updates, rate, way)
    if watch == "student":
        before = torch.cat([each.flatten() for each in student[:2]]).float()
        rows = []
        for row in seen["student"]:
            if not torch.equal(row, rows[-1] if rows else before):
                rows.append(row)
        end = rows[-1] if rows else before
        if way.momentum != MOMENTUM:  # it moves the student without the optimiser
            rows = []
        count = len(in_groups(batches, accumulate))
        rows += [end] * count
        return torch.stack([*rows[: count - 1], end])
    return seen[watch]


def flushed_without_asking(*args: Any, accumulate: int = 5, divisor: str, **options: Any) -> Tensor:
    """A last group that may be empty, whose gradients are None."""
    if len(args[2]) % args[accumulate] == 0:
        raise TypeError(f"unsupported operand type(s) for /=: 'NoneType' and '{divisor}'")
    return train(*args, **options)


def divided_by_nothing(*args: Any, accumulate: int = 5) -> Tensor:
    """The same, where the gradients are 0 and so is what they are divided by."""
    result = train(*args)
    if args[-1] == "student" and len(args[2]) % args[accumulate] == 0:
        result[-1] = float("nan")
    return result


LAST_GROUP = "a last group that is not full"


def train_cases() -> tuple[Case, ...]:
    """As (student, teacher, batches, λ's start and factor, accumulate, rate, what is looked at)."""
    rng = np.random.default_rng(42)

    def run_of(*ignored: tuple[int, ...], vocabulary: int = 5, length: int = 4) -> tuple:
        models = model(rng, vocabulary, 4, 1), model(rng, vocabulary, 6, 2)
        return (*models, [batch(rng, vocabulary, length, each) for each in ignored])

    def case(name: str, run: tuple, start: float, factor: float, accumulate: int, **options: Any):
        rate, watch = options.pop("rate", 0.3), options.pop("watch", "student")
        unit = "update" if watch == "student" else ""
        args = (*run, start, factor, accumulate, rate, watch)
        return Case(name, args, unit=unit, **options)

    four = run_of((3, 2), (0, 0), (1, 0), (3, 3))
    six = run_of((0, 1), (2, 3), (3, 0), (0, 0), (2, 2), (1, 3), vocabulary=4)
    five = run_of((0, 2), (3, 1), (2, 3), (0, 0), (1, 3))
    # Where padding ends a group, and where it begins one.
    padding = run_of((0, 1), (4, 4), (2, 0), (4, 3), (4, 4), (1, 0))
    lengths = run_of((3, 2), (0, 0), (1,), (2, 1))
    for each, length in zip(lengths[2], (4, 3, 2, 4), strict=True):
        each[:] = [tensor[:, :length].clone() for tensor in each]
    longer = (*lengths[:2], [lengths[2][i] for i in (2, 1, 0, 3)])
    front = prompted(np.random.default_rng(46), 4)
    zero = random_run(np.random.default_rng(47), 4)
    for labels in (zero[2][1][1], zero[2][2][1]):
        labels[labels != IGNORED] = 0
    last, public = {"part": LAST_GROUP}, {"public": True}
    alone = (*run_of((2, 0), (0, 1), (3, 2))[:2], four[2][:3])  # they come again
    ended = (*five[:2], [*five[2][:4], padding[2][1]])
    long = run_of((0, 3), (0, 0), (3, 2), (1, 0), length=600)
    long[2][1][1][0, 1] = IGNORED  # between labels that count
    return (
        case("four micro-batches, two an update", four, 3.0, 0.5, 2, **public),
        case("six micro-batches, three an update", six, 2.0, 0.25, 3, **public),
        case("one micro-batch an update", alone, 10.0, 0.5, 1, rate=0.1, **public),
        case("a micro-batch of padding alone", padding, 1.0, 0.5, 2, **public),
        case("micro-batches of different lengths", lengths, 2.0, 0.5, 2, **public),
        case("texts that begin with ignored positions", front, 1.5, 0.5, 2, rate=0.2, **public),
        case("micro-batches in which all labels are 0", zero, 1.5, 0.5, 2, rate=0.2, **public),
        case(
            "the teacher after training", five, 3.0, 0.5, 2, watch="teacher", part=TEACHER, **public
        ),
        case("five micro-batches, two an update", five, 3.0, 0.5, 2, **last, **public),
        case("five, three an update, the last all padding", ended, 2.0, 0.5, 3, **last, **public),
        case("all in one update", six, 1.0, 0.5, 6),
        case("micro-batches that grow longer", longer, 2.0, 0.5, 2),
        case("λ falls to 0", four, 3.0, 0.0, 2),
        case("constant λ", long, 1.5, 1.0, 2),
        case("labels alone", run_of(*[(0, 0), (0, 3), (3, 4), (1, 0) * 20] * 3), 0.0, 1.0, 2),
        case("λ is 0 in the first of three updates, and in the third", six, -2.0, -1.0, 2),
        case("the teacher of six", six, 2.0, 0.25, 3, watch="teacher", part=TEACHER),
        case("four micro-batches, three an update", four, 2.0, 0.5, 3, **last),
        case("fewer micro-batches than an update takes", five, 2.0, 0.5, 8, **last),
    )


def random_train_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Cases of a submission's own."""
    for micro_batches, accumulate, watch, part in (
        (4, 2, "student", None),
        (6, 3, "student", None),
        (4, 2, "teacher", TEACHER),
        (5, 3, "student", LAST_GROUP),
    ):
        start, factor = float(rng.uniform(1.0, 3.0)), float(rng.uniform(0.2, 0.7))
        run_of, rate = random_run(rng, micro_batches), float(rng.uniform(0.1, 0.3))
        yield Case("random", (*run_of, start, factor, accumulate, rate, watch), {}, part)


MEAN_OF_MEANS = (
    "averaged_per_micro_batch",
    "In your update a token in a micro-batch with much padding weighs more than a token in a full"
    " one, as if each micro-batch were averaged by itself. If the whole group were one batch, its"
    " sum would be divided once. By what?",
    "2.2",
)
MEANS_ADDED = (
    "means_added_up",
    "Your update grows with the number of micro-batches, as if their own means were added up. By"
    " what should the sum over the whole group be divided?",
    "2.2",
)
MICRO_BATCHES = (
    "divided_by_micro_batches",
    "Your updates are those of sums divided by the number of micro-batches. What is the loss a"
    " mean over?",
    "2.2",
)
EVERY_MICRO_BATCH = (
    "step_after_each_micro_batch",
    "Your student moves with each micro-batch, and not once for a group. Accumulating means to add"
    " up the gradients of the whole group, and then to step once.",
    "2.2",
)
LAMBDA_PER_MICRO_BATCH = (
    "lambda_moves_per_micro_batch",
    "Your λ follows the number of a micro-batch, in the list or in its group, and so it does not"
    " change as planned. What does the n in `schedule(n)` count?",
    "3.1",
)
LAST_COUNT = (
    "divided_by_the_last_count",
    "Your updates are those of a whole group, but only the positions of its last micro-batch were"
    " counted. The count of a group is known before its first backward(), from its labels.",
    "2.2",
)
DIVIDED_AGAIN = (
    "divided_once_more",
    "Your updates are right but for one extra divisor, the number of micro-batches in a group. What"
    " is left to divide after the division by the count of the group?",
    "2.2",
)
DIVIDED_IN_THE_LOOP = (
    "divided_in_the_loop",
    "In your update the first micro-batches of a group are divided again with every later one, as"
    " by a division inside the loop. How often should a group's gradient be divided?",
    "2.2",
)
FIRST_COUNT = (
    "divided_by_the_first_count",
    "Your updates are those of a whole group, but only the positions of its first micro-batch were"
    " counted. The count of a group is known before its first backward(), from its labels.",
    "2.2",
)
COUNT_SO_FAR = (
    "divided_by_the_count_so_far",
    "The first micro-batches of a group weigh too much in your update, as if each were divided by"
    " what was counted up to that point. The count of a group is known before its first backward(),"
    " from its labels.",
    "2.2",
)
FIRST_ALONE = (
    "first_group_of_one",
    "Your first update is that of the first micro-batch alone, and all later groups are shifted by"
    " one micro-batch. Count the micro-batches of the first group by hand.",
    "2.2",
)
LAST_DROPPED = (
    "last_group_dropped",
    "Right as long as the groups are full. The micro-batches left over at the end never reach the"
    " optimiser.",
    "2.2",
)
OTHER_SIZE = (
    "groups_of_another_size",
    "Your updates are those of groups that do not hold `accumulate` micro-batches each. Write down"
    " which micro-batches of the list belong to the first two groups.",
    "2.2",
)
UPDATE_SKIPPED = (
    "update_skipped_with_the_padding",
    "Where a micro-batch of padding alone ends its group, your update for this group does not come"
    " there. Such a micro-batch adds nothing to the gradient, but the group is full with it.",
    "2.2",
)
COUNTED_AGAIN = (
    "earlier_ones_counted_again",
    "The first micro-batches of a group weigh more in your update than the last: their part of the"
    " gradient is added more than once. What does each backward() go through?",
    "2.2",
)
WEIGHTS: tuple[tuple[tuple[str, str, str], tuple[Weigh, ...]], ...] = (
    (
        MEAN_OF_MEANS,
        (
            mean_of_means,
            mean_over_accumulate,
            mean_of_filled,
            mean_by_texts,
            mean_by_filled_texts,
            nan_if_empty(mean_of_means),
            nan_if_empty(mean_over_accumulate),
        ),
    ),
    (MEANS_ADDED, (own_mean, nan_if_empty(own_mean))),
    (LAST_COUNT, (share_of_last, share_of_last_if_any, share_of_last_times)),
    (
        FIRST_COUNT,
        (
            *(share_of_first, share_of_first_if_any),
            *(share_of_first_times, share_of_first_times_if_any),
        ),
    ),
    (COUNT_SO_FAR, (share_so_far,)),
    (COUNTED_AGAIN, (share_of_all_so_far, share_again)),
    (DIVIDED_IN_THE_LOOP, (divided_with_each, divided_with_all_so_far)),
    (DIVIDED_AGAIN, (share_of_group_again, share_of_group_again_exactly)),
    (SUMMED, (just_one,)),
    (MICRO_BATCHES, (sum_over_accumulate, sum_over_group)),
    (ALL_POSITIONS, (all_positions,)),
    (AND_ONE, (share_and_one,)),
    (PER_TEXT, (all_texts,)),
)
NUMBERS = (
    (LAMBDA_PER_MICRO_BATCH, lambda step, place, accumulate: place),
    (LAMBDA_PER_MICRO_BATCH, lambda step, place, accumulate: step * accumulate),
    (LAMBDA_PER_MICRO_BATCH, lambda step, place, accumulate: (step + 1) * accumulate - 1),
    (LAMBDA_PER_MICRO_BATCH, lambda step, place, accumulate: place % accumulate),
    (
        (
            "lambda_changes_within_a_group",
            "Your λ changes within a group: not all of its micro-batches get the λ of their update."
            " What is the number of an update whose first micro-batch is at place i of the list?",
            "3.1",
        ),
        lambda step, place, accumulate: (place + 1) // accumulate,
        lambda step, place, accumulate: place / accumulate,
        lambda step, place, accumulate: (place + 1) / accumulate,
    ),
    (
        (
            "lambda_one_step_ahead",
            "Each of your updates has the λ of the update after it. The schedule counts from 0.",
            "3.1",
        ),
        lambda step, place, accumulate: step + 1,
    ),
    (
        (
            "lambda_never_moves",
            "All your updates have the λ of the first update. When should you ask the schedule?",
            "3.1",
        ),
        lambda step, place, accumulate: 0,
    ),
)

TOKEN_ZERO = "token_zero_not_counted"
COMMON_PLANS = (
    (MEAN_OF_MEANS, {"weight": mean_over_accumulate}),
    (MEANS_ADDED, {"weight": own_mean}),
    (SUMMED, {"weight": just_one}),
    *((what, {"number": numbers[0]}) for what, *numbers in (NUMBERS[0], NUMBERS[-1])),
    (FIRST_ALONE, {"groups": first_alone}),
)
TRAIN_MISCONCEPTIONS = told_apart(
    train,
    (
        *(
            (what, {"plan": partial(planned, weight=weight, groups=groups)})
            for what, weights in WEIGHTS
            for weight in weights
            for groups in (in_groups, full_groups)
        ),
        *(
            (what, {"plan": partial(planned, number=number, groups=groups)})
            for what, *numbers in NUMBERS
            for number in numbers
            for groups in (in_groups, full_groups)
        ),
        (
            (
                "count_not_reset",
                "Your updates are those of groups divided by all that was counted since the"
                " beginning, and not by what counts in the group alone. When should the count start"
                " from 0 again?",
                "2.2",
            ),
            {"plan": over_all_so_far},
        ),
        (
            (
                "divided_by_the_whole_list",
                "Your updates are those of groups divided by what counts in the whole list, and not"
                " by what counts in the group alone. If a group were one batch, it would know"
                " nothing of the other groups.",
                "2.2",
            ),
            {"plan": over_the_whole_list},
        ),
        (
            (
                "cleared_within_a_group",
                "Only the last micro-batch of each group teaches your student. What happens to the"
                " others' gradients before the optimiser sees them? How often, and when, should a"
                " group's gradient be cleared?",
                "3.2",
            ),
            {"plan": partial(planned, weight=last_alone)},
        ),
        (BACKWARD_AGAIN, {"plan": gone_the_second_time}),
        *(
            (
                (
                    "schedule_not_called",
                    "`schedule` is a function. It returns the λ of an update when you call it with"
                    " the number of that update.",
                    "3.1",
                ),
                {"way": Way(refused=error)},
            )
            for error in (
                AttributeError("'function' object has no attribute 'value'"),
                TypeError("unsupported operand type(s) for *: 'function' and 'Tensor'"),
            )
        ),
        (EVERY_MICRO_BATCH, {"plan": never_accumulated}),
        *(
            (
                EVERY_MICRO_BATCH,
                {"plan": partial(one_by_one, partial(planned, weight=weight), padding=padding)},
            )
            for weight in (share_of_group, own_mean, mean_over_accumulate, mean_of_means, just_one)
            for padding in (True, False)
        ),
        (EVERY_MICRO_BATCH, {"plan": partial(one_by_one, planned), "kept_in_groups": True}),
        (
            LAST_DROPPED,
            {"plan": partial(planned, groups=full_groups)},
        ),
        (
            (
                "last_group_in_pieces",
                "Right as long as the groups are full. What is left over is one group too, but your"
                " student makes an update for each of its micro-batches.",
                "2.2",
            ),
            {"plan": partial(planned, groups=in_pieces)},
        ),
        (
            (
                "last_group_with_the_lambda_before",
                "Right as long as the groups are full. A last group that is not full has the λ of"
                " the update before it. What is the number of its own update?",
                "3.1",
            ),
            {"plan": rest_as_before},
        ),
        *(
            (
                (
                    "last_group_divided_otherwise",
                    "Right as long as the groups are full. What is left over is a group like any"
                    " other, but your divisor for it is not the number of positions that count in"
                    " it. What do you divide by there?",
                    "2.2",
                ),
                {"plan": partial(rest_weighed, weigh=weigh)},
            )
            for weigh in (
                *(None, mean_of_means, mean_of_filled, mean_over_accumulate, own_mean, just_one),
                *(share_of_last, share_of_last_if_any, all_positions),
                *(share_of_group_again, share_of_group_again_exactly),
            )
        ),
        *(
            (
                (
                    "last_group_filled_up",
                    "Right as long as the groups are full. What is left over should be a group by"
                    " itself, but your result is that of a group that also has micro-batches of the"
                    " group before.",
                    "2.2",
                ),
                {"plan": partial(planned, groups=groups)},
            )
            for groups in (filled_up, joined)
        ),
        *(
            (
                (
                    "batches_in_another_order",
                    "Your updates are those of other groups than the list gives, or of groups in"
                    " another order. Your loop should go through the list once, from its"
                    " beginning.",
                    "2.2",
                ),
                {"plan": partial(planned, groups=groups)},
            )
            for groups in (backwards, spread, shortest_first)
        ),
        *(
            (
                OTHER_SIZE,
                {"plan": partial(planned, groups=groups)},
            )
            for groups in (first_of_each, one_too_many, one_too_few, larger, so_many, all_in_one)
        ),
        (
            OTHER_SIZE,
            {
                "plan": partial(
                    planned,
                    groups=all_in_one,
                    number=lambda step, place, accumulate: place // accumulate,
                )
            },
        ),
        (
            FIRST_ALONE,
            {"plan": partial(planned, groups=first_alone)},
        ),
        (
            (
                "one_update_alone",
                "Your student gets the first update and no other. What ends your function there?"
                " Look at where it returns, and at where the loop ends.",
                "2.2",
            ),
            {"plan": partial(planned, groups=first_group)},
        ),
        *(
            (
                (
                    "padding_left_out_of_groups",
                    "A micro-batch of padding alone is a member of its group too. Your updates are"
                    " those of groups made without it, in which later micro-batches take its"
                    " place.",
                    "2.2",
                ),
                {"plan": partial(planned, groups=groups)},
            )
            for groups in (without_padding, without_padding_at_the_end)
        ),
        *(
            (UPDATE_SKIPPED, {"plan": partial(planned, groups=groups)})
            for groups in (closed_by_text, closed_by_text_at_the_end)
        ),
        (
            UPDATE_SKIPPED,
            {
                "plan": partial(
                    planned,
                    groups=closed_by_text,
                    number=lambda step, place, accumulate: place // accumulate,
                )
            },
        ),
        (
            (
                "nan_from_padding",
                "Right as long as something counts in each micro-batch. One of padding alone makes"
                " your student NaN. A mean over nothing is NaN, and NaN times 0 is still NaN. What"
                " should such a micro-batch add to a sum?",
                "2.2",
            ),
            {"way": Way(loss=nan_from_nothing)},
        ),
        (
            (
                "micro_batches_do_not_fit",
                "Right as long as all micro-batches have the same length. Micro-batches of"
                " different lengths cannot be joined into one tensor as they are. Do you have to"
                " join them before you add up gradients?",
                "2.2",
            ),
            {"plan": partial(planned, groups=in_tables)},
        ),
        *(
            (
                (
                    "padded_with_a_token",
                    "Right as long as all micro-batches have the same length. Where lengths differ,"
                    " your update includes positions that are in no text, as if labels had been"
                    " filled up with a token and not with the mark for ignored positions.",
                    "2.2",
                ),
                {"plan": partial(planned, groups=groups)},
            )
            for groups in (padded_tables,)
        ),
        (
            (
                "last_group_held_back",
                "Right as long as the groups are full. The step of a last group that is not full is"
                " too small, as if its mean were taken over micro-batches that are not there.",
                "2.2",
            ),
            {"plan": partial(planned, weight=as_if_full)},
        ),
        *(
            (
                next((name, hint, at) for name, hint, at, *_ in FORMS if name == TOKEN_ZERO),
                {"plan": partial(planned, weight=weight)},
            )
            for weight in (without_zeros_alone, share_of_those_above)
        ),
        *(way for way in manners()),
        (LEAK, {"way": Way(leak=None)}),
        *(
            (
                (
                    f"{one[0]}+{two[0]}",
                    f"At least two things are off. {one[1]} {two[1]}",
                    one[2],
                ),
                {"plan": partial(planned, **option), "way": way},
            )
            for one, option in COMMON_PLANS
            for two, way in COMMON_WAYS
        ),
        *(
            (
                (
                    f"{one[0]}+{two[0]}",
                    f"At least two things are off. {one[1]} {two[1]}",
                    one[2],
                ),
                {"plan": partial(planned, weight=weight, number=number, groups=groups)},
            )
            for one, weight in (
                (MEAN_OF_MEANS, mean_over_accumulate),
                (MEAN_OF_MEANS, nan_if_empty(mean_over_accumulate)),
                (MEANS_ADDED, own_mean),
            )
            for two, number in (NUMBERS[0], NUMBERS[-1])
            for groups in (in_groups, full_groups)
        ),
    ),
) + tuple(
    Misconception(
        "empty_group_stepped",
        "Right when micro-batches are left over. When the last group is full, your function acts as"
        " if there were one more update to make, but no micro-batch is left for it.",
        SECTIONS["2.2"],
        wrong,
    )
    for wrong in (
        *(partial(flushed_without_asking, divisor=d) for d in ("int", "Tensor", "float")),
        divided_by_nothing,
        # Where its gradients are 0, the optimiser still moves by what it remembers.
        partial(train, plan=partial(planned, groups=one_more(in_groups))),
        *(  # Where they are those of the update before, or these divided once more.
            partial(train, plan=partial(planned, groups=one_more(in_groups)), rest=rest)
            for rest in (lambda group: 1.0, lambda group: 1 / counted(*group))
        ),
    )
)
TRAIN_MISCONCEPTIONS += with_earlier_teachers(train, train_cases()[0], slice(3, 5))

# --- The evaluation -----------------------------------------------------------------------------

Data = dict[str, list[Batch]]


def nats(
    weights: Weights,
    batches: list[Batch],
    mode: bool,
    masked: bool = True,
    kernel: Callable[[Tensor], Tensor] = lambda q: q.log_softmax(-1),
) -> list[tuple[Tensor, int, int, int, int, int]]:
    """Of each batch: summed −log q(y), positions that count, all positions, texts, labels above 0.

    The last is how many −log q(y) are not 0 in float32. Without a mask an ignored label stands for
    token 0.
    """
    found = []
    *parameters, _ = doubled(weights)
    for tokens, labels in batches:
        labels = labels if masked else labels.clamp_min(0)
        counts = labels != IGNORED
        log_q = kernel(logits(*parameters, tokens, mode)[counts])
        losses = -log_q.gather(-1, labels[counts][:, None])
        above, lost = int((labels > 0).sum()), int((losses > 1e-7).sum())
        found.append((losses.sum(), int(counts.sum()), labels.numel(), len(labels), above, lost))
    return found


def over(place: int) -> Callable[[list], Tensor]:
    """exp of the sum, divided by the sum of one of the numbers of each batch."""
    return lambda sums: (sum(each[0] for each in sums) / sum(each[place] for each in sums)).exp()


of_all = over(1)


def of_means(weigh: Callable[[tuple], float]) -> Callable[[list], Tensor]:
    """exp of the mean of the batches' means, each with a weight; a mean over nothing is 0."""
    return lambda sums: (
        sum(weigh(each) * each[0] / max(each[1], 1) for each in sums) / sum(map(weigh, sums))
    ).exp()


def mean_of_perplexities(sums: list, weigh: Callable[[tuple], float] = lambda each: 1) -> Tensor:
    """The mean of the batches' perplexities, each with a weight."""
    weighed = [weigh(each) * (each[0] / each[1]).exp() for each in sums]
    return sum(weighed) / sum(map(weigh, sums))


def rounded(digits: int) -> Callable[[list], Tensor]:
    """The perplexity with so many decimals."""
    return lambda sums: of_all(sums).round(decimals=digits)


def total_of(sums: list) -> Tensor:
    """The sum over all batches."""
    return sum(each[0] for each in sums)


def cut_off(most: float) -> Callable[[list], Tensor]:
    """The perplexity of a mean that is not let above a number of nats."""
    return lambda sums: of_all(sums).log().clamp_max(most).exp()


def two_to_the(sums: list) -> Tensor:
    """2 to the power of nats."""
    return 2 ** of_all(sums).log()


def left_as(weights: Weights, mode: bool, wanted: Iterable[bool]) -> Tensor:
    """The gradient of the model's summed answers in a mode; 0 of what is not wanted."""
    embedding, head, *others = doubled(weights)
    own = [embedding.requires_grad_(), head.requires_grad_()]
    gradients = torch.autograd.grad(answers([*own, *others], mode).sum(), own)
    pairs = zip(wanted, gradients, strict=True)
    return torch.cat([int(want) * each.flatten() for want, each in pairs])


AFTERWARDS = "mode", "partly"  # where the model is looked at, not the number


def asked_last(weights: Weights, watch: str) -> Weights:
    """The model when it is evaluated for the last time."""
    return [each / 2 for each in weights[:2]] + weights[2:] if watch == "later" else weights


def of_an_earlier_call(weights: Weights, data: Data, training: bool, watch: str) -> Tensor:
    """A copy of the model, or its number, that is kept from one call to the next."""
    return evaluate(weights, data, training, "perplexity" if watch == "later" else watch)


def evaluate(
    weights: Weights,
    data: Data,
    training: bool,
    watch: str,
    *,
    splits: tuple[str, ...] = ("held_out",),
    mode: bool | None = False,
    reduce: Callable[[list], Tensor] = of_all,
    leaves: Callable[[bool], bool] = lambda training: training,
    wants: Callable[[bool], bool] = lambda training: training,
    switched_off: Callable[[bool], bool] = lambda training: False,
    moves: bool = True,
    epsilon: float = EPSILON,
    wiped: float = 1.0,
    apart: bool = False,
    first_alone: bool = False,
    **options: Any,
) -> Tensor:
    """The perplexity on held-out text; or the model's answers after it.

    These are what it answers in evaluation mode, and in the mode that it was left in, the gradient
    that reaches its parameters in that mode and the one of another tensor, which is nothing where
    gradients are `switched_off`, the bits of its precision, and the gradients that it came with,
    which are half its parameters, times `wiped`. A model that does not train comes with
    parameters that want no gradient, and one that is looked at "partly" with an embedding that
    wants none. A model that is looked at "later" is evaluated twice, and between the two its
    parameters are halved. Where the `first_alone` is evaluated in that mode, the other batches are
    run in the one in which the model came.
    """
    before, weights = doubled(weights), asked_last(weights, watch)
    mode = training if mode is None else mode
    batches = [batch for split in splits for batch in data[split]]
    if apart:
        batches = [text for batch in batches for text in in_texts(batch) if counted(text)]
    others = []
    if first_alone and training:
        batches, others = batches[:1], batches[1:]
        if watch == "later":  # the evaluation before has moved the mean
            weights = [*weights[:3], moved(before, others), *weights[4:]]
    if watch not in AFTERWARDS:
        sums = nats(weights, batches, mode, **options) + nats(weights, others, True, **options)
        return reduce(sums)
    after = doubled(weights)
    if mode and moves:
        after[3] = moved(after, batches)
    if others:
        after[3] = moved(after, others)
    left = leaves(training)
    bits = torch.tensor([epsilon], dtype=torch.float64).log2()
    off = switched_off(training)
    came_wanted = training and watch == "mode", training
    found = (
        answers(after, False),
        answers(after, left),
        left_as(after, left, (wants(each) and not off for each in came_wanted)),
        weights[0] * (0 if off else 2),
        bits,
    )
    came = [wiped * each / 2 for each in after[:2]]
    return torch.cat([each.detach().flatten() for each in (*found, *came)])


MODE = "the model after it"


def evaluation_facts(case: Case) -> dict[str, Any]:
    """What is so of a case of evaluations."""
    batches = case.args[1]["held_out"]
    labels = [each for _, each in batches]
    count = counted(*batches)
    return {
        "the number of batches": len(batches),
        "the number of texts": sum(map(len, labels)),
        "the number of all positions": sum(each.numel() for each in labels),
        "the number of positions that count": count,
        "one more than the number of positions that count": count + 1,
        "the number of positions that count, and one more for each batch": count + len(batches),
        "there are more than two batches": len(batches) > 2,
        "batches differ in length": len({each.shape[1] for each in labels}) > 1,
        "a text begins with ignored positions": begins_ignored(batches),
        "all labels of a batch that count are 0": any(map(zeros_alone, batches)),
        "the mean loss is above 10 nats": float(of_all(nats(case.args[0], batches, False))) > 22026,
        "the model comes in training mode": case.args[2],
        "the model does not come in training mode": not case.args[2],
    }


def evaluation_cases() -> tuple[Case, ...]:
    """As (model, data, whether the model comes in training mode, what is looked at)."""
    rng = np.random.default_rng(43)

    def material(*ignored: tuple[int, ...], vocabulary: int = 5, length: int = 4) -> tuple:
        data = {
            "train": [batch(rng, vocabulary, length, (0, 2)), batch(rng, vocabulary, length, (1,))],
            "held_out": [batch(rng, vocabulary, length, each) for each in ignored],
        }
        return model(rng, vocabulary, 4, 1), data

    def other(seed: int) -> tuple:
        own = np.random.default_rng(seed)
        data = {"train": [batch(own, 5, 4, (0, 2))], "held_out": [batch(own, 5, 4, (1, 0))]}
        return own, model(own, 5, 4, 1), data

    two, three = material((3, 2), (0, 0)), material((0, 1), (3,), (2, 0, 1), vocabulary=4)
    own, *front = other(48)
    front[1]["held_out"].append(batch(own, 5, 6, (3, 1, 2)))
    front[1]["held_out"] = [[tokens, labels.flip(1)] for tokens, labels in front[1]["held_out"]]
    own = np.random.default_rng(611)
    bad = model(own, 5, 4, 1)
    bad[1] *= 6  # sure and wrong: its mean loss is above 20 nats, the sum below float32's smallest
    # Eight positions: 1e-7 under each probability does not come out as a perplexity of 10^6.
    zero = {"held_out": [batch(own, 5, 4, (3, 2)), batch(own, 5, 4, (1, 3))]}
    zero["held_out"][0][1][1, 3] = 2  # sure and right: a loss of 0
    zero["held_out"][1][1].clamp_max_(0)
    zero = {"train": [batch(own, 5, 4, (0, 2))], **zero}  # in this order everywhere
    return (
        Case("two batches", (*two, True, "perplexity"), public=True),
        Case("three batches, after more training", (*three, True, "later"), public=True),
        Case("different lengths, padding in front", (*front, True, "perplexity"), public=True),
        Case(
            "a very bad model, and a batch in which all labels are 0",
            (bad, zero, True, "perplexity"),
            public=True,
        ),
        Case("the mode of a model that trains", (*two, True, "mode"), {}, MODE, True),
        Case("the mode of a model that does not", (*two, False, "mode"), {}, MODE, True),
        Case("22 batches, nothing ignored", (*material(*[(0, 0), (0,)] * 11), True, "perplexity")),
        Case("a model in evaluation mode", (*material((0, 4), (2,)), False, "perplexity")),
        Case("one batch", (*material((1, 2, 0), length=600), True, "perplexity")),
        Case("one position in a batch", (*material((0, 0), (4, 3)), True, "perplexity")),
        Case("another model that trains", (*three, True, "mode"), {}, MODE),
        Case("another that does not", (*three, False, "mode"), {}, MODE),
        Case("a model whose embedding is frozen", (*three, True, "partly"), {}, MODE),
    )


def random_evaluation_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Cases of a submission's own."""
    for training, watch, part in (
        (True, "perplexity", None),
        (True, "perplexity", None),
        (True, "mode", MODE),
        (False, "mode", MODE),
    ):
        weights, _, held_out = random_run(rng, 3)
        vocabulary = len(weights[0])
        data = {"train": [batch(rng, vocabulary, 5, (0, 1))], "held_out": held_out}
        yield Case("random", (weights, data, training, watch), {}, part)


def evaluation_tolerance(case: Case) -> float:
    """Rounding moves the mean loss by V·s·ε, and its exponential by that share of itself."""
    weights, data = case.args[:2]
    largest = max(1.0, *(float(each.abs().max()) for each in weights[:4]))
    asked = asked_last(weights, case.args[3])
    perplexity = float(of_all(nats(asked, data["held_out"], False)))
    return 4 * len(weights[0]) * largest**2 * EPSILON * perplexity


def token_zero_left_out(weights: Weights, data: Data, *others: Any, **options: Any) -> Tensor:
    """A label of 0 does not count."""
    own = [[tokens, labels.where(labels > 0, IGNORED)] for tokens, labels in data["held_out"]]
    return evaluate(weights, {"held_out": own}, *others, **options)


def batches_of_zeros_left_out(weights: Weights, data: Data, *others: Any) -> Tensor:
    """A batch in which all labels that count are 0 is passed over."""
    own = [each for each in data["held_out"] if not zeros_alone(each)]
    return evaluate(weights, {"held_out": own}, *others)


def logged(reduction: Callable[[list], Tensor]) -> Callable[[list], Tensor]:
    """The same without exp."""
    return lambda sums: reduction(sums).log()


def shifted_evaluation(weights: Weights, data: Data, *others: Any) -> Tensor:
    """Each label with the logits before it."""
    own = [[tokens[:, :-1], labels[:, 1:]] for tokens, labels in data["held_out"]]
    return evaluate(weights, {"held_out": own}, *others)


def entropy_measured(weights: Weights, data: Data, training: bool, watch: str) -> Tensor:
    """exp of the mean entropy of the model's distributions."""
    if watch in AFTERWARDS:
        return evaluate(weights, data, training, watch)
    weights, found = asked_last(weights, watch), []
    for tokens, labels in data["held_out"]:
        log_q = logits(*doubled(weights)[:4], tokens, False).log_softmax(-1)
        found.append(-(log_q.exp() * log_q).sum(-1)[labels != IGNORED])
    return torch.cat(found).mean().exp()


def looked_up(*args: Any, error: Exception) -> Tensor:
    """−100 looked up, which raises."""
    if any(bool((labels == IGNORED).any()) for _, labels in args[1]["held_out"]):
        raise error
    return evaluate(*args)


def evaluated_across(weights: Weights, data: Data, training: bool, watch: str) -> Tensor:
    """cross_entropy takes axis 1 for the classes, which raises unless it is as long."""
    total = torch.zeros((), dtype=torch.float64)
    weights = asked_last(weights, watch)
    for tokens, labels in data["held_out"]:
        q = logits(*doubled(weights)[:4], tokens, False)
        total = total + torch.nn.functional.cross_entropy(q, labels, reduction="sum")
    if watch in AFTERWARDS:
        return evaluate(weights, data, training, watch)
    return (total / counted(*data["held_out"])).exp()


EVALUATION_WAYS = (
    (
        "on_training_data",
        "Your number includes text that the model was trained on. A model that has learned this"
        " text by heart would look best. Which text has it not seen?",
        "3.2",
        {"splits": ("train",)},
        {"splits": ("train", "held_out")},
    ),
    (
        "in_training_mode",
        "Your number is that of a model with its dropout on. Nobody will use the model in this"
        " mode, and a real dropout would give another number each time. Which mode is for"
        " measuring?",
        "3.2",
        {"mode": None},
        {"mode": True, "leaves": lambda training: True},
        {"mode": None, "moves": False},
        {"mode": True, "moves": False},
        {"mode": True, "moves": False, "leaves": lambda training: True},
    ),
    (
        "mode_put_back_too_soon",
        "Right for a model that does not train. For one that does, only the first batch is run in"
        " evaluation mode. The others are run in training mode, as if the mode were put back inside"
        " the loop.",
        "3.2",
        {"first_alone": True},
    ),
    (
        "on_training_data_in_training_mode",
        "Two things at once: your number is that of the text that the model was trained on, and the"
        " model's dropout is on.",
        "3.2",
        {"splits": ("train",), "mode": None},
    ),
    (
        "mean_of_perplexities",
        "Your number is the mean of several perplexities, those of batches or of texts. exp is"
        " convex, so a bad perplexity weighs too much, and the result depends on how the text was"
        " cut. Average first; what comes last?",
        "1.1",
        {"reduce": mean_of_perplexities},
        {"reduce": mean_of_perplexities, "apart": True},
        *(
            {"reduce": partial(mean_of_perplexities, weigh=lambda each: each[1]), "apart": apart}
            for apart in (False, True)
        ),
    ),
    (
        "averaged_per_text",
        "Your number is that of a mean over the texts' own means: a token of a short text weighs"
        " more than one of a long text. All tokens that count should weigh the same.",
        "2.2",
        {"reduce": of_means(lambda each: 1), "apart": True},
    ),
    (
        "divided_after_exp",
        "Your number is exp of a sum, and you divide only after exp. Perplexity is exp of a mean:"
        " what comes last?",
        "1.1",
        *(
            {"reduce": lambda sums, of=of: of(total_of(sums)).exp() / sum(e[1] for e in sums)}
            for of in (Tensor.double, Tensor.float)
        ),
    ),
    (
        "mean_of_means",
        "In your number a token in a short batch weighs more than a token in a long batch, as if"
        " each batch were averaged by itself. If the text is cut in another way, the number"
        " changes. What has to be added up over all batches?",
        "2.2",
        {"reduce": of_means(lambda each: 1)},
    ),
    (
        "weighted_by_size",
        "In your number the weight of each batch is the number of its texts, or of all its"
        " positions, whether these count or not. What is the mean a mean of?",
        "2.2",
        {"reduce": of_means(lambda each: each[2])},
        {"reduce": of_means(lambda each: each[3])},
    ),
    (
        "divided_by_all_positions",
        "Padding makes your model look better, as if its positions were in the divisor. But they"
        " add nothing to the sum.",
        "2.2",
        {"reduce": over(2)},
    ),
    (
        "divided_by_batches",
        "Your number is that of a sum divided by the number of batches. Perplexity is exp of a mean"
        " over the positions that count.",
        "2.2",
        {"reduce": lambda sums: (sum(each[0] for each in sums) / len(sums)).exp()},
    ),
    (
        "not_divided",
        "Your number is that of a sum, so it grows with the length of the text. Perplexity is exp"
        " of a mean over the positions that count.",
        "1.1",
        {"reduce": lambda sums: total_of(sums).exp()},
        {"reduce": lambda sums: total_of(sums).float().exp()},
        {"reduce": lambda sums: total_of(sums)},
    ),
    (
        "divided_by_texts",
        "Your number is that of a sum divided by the number of texts. Perplexity is exp of a mean"
        " over the positions that count.",
        "2.2",
        {"reduce": over(3)},
    ),
    (
        "padding_measured",
        "Your mean includes positions that do not count, as if token 0 had been expected there."
        " Padding says nothing about a model. Select the positions that count before you add up.",
        "2.2",
        {"masked": False},
    ),
    (
        "loss_for_perplexity",
        "Your number is the mean loss in nats. Perplexity says among how many equally likely tokens"
        " the model is lost. How do you get from one to the other?",
        "1.1",
        {"reduce": lambda sums: of_all(sums).log()},
    ),
    (
        "sign_lost",
        "Your perplexity is below 1: it is exp of the mean of log q(y). Where has the minus sign"
        " gone?",
        "1.1",
        {"reduce": lambda sums: 1 / of_all(sums)},
    ),
    (
        "two_to_the_nats",
        "Your number is 2 to the power of a loss in nats. Powers of 2 go with bits.",
        "1.1",
        {"reduce": two_to_the},
    ),
    (
        "softmaxed_twice",
        "The model looks unsure however sure it is, as if its probabilities were taken for logits"
        " and went through one more softmax. Does cross_entropy take probabilities or logits?",
        "1.1",
        {"kernel": lambda q: q.softmax(-1).log_softmax(-1)},
    ),
    (*ANOTHER_AXIS, {"kernel": lambda q: q.log_softmax(0)}),
    (
        "labels_smoothed",
        "Your number is that of smoothed labels: a part of each label is spread evenly over all"
        " tokens. Perplexity is about the tokens of the text and nothing else.",
        "1.1",
        {
            "kernel": lambda q: (
                0.9 * q.log_softmax(-1) + 0.1 * q.log_softmax(-1).mean(-1, keepdim=True)
            )
        },
    ),
    (
        "bits_for_perplexity",
        "Your number is the mean loss in bits. Perplexity says among how many equally likely tokens"
        " the model is lost. How do you get from one to the other?",
        "1.1",
        {"reduce": lambda sums: of_all(sums).log2()},
    ),
    (
        "mean_of_probabilities",
        "Your number is one over the mean probability of the right tokens. Perplexity averages the"
        " logarithms of these probabilities, so that a token with almost no probability costs"
        " much.",
        "1.1",
        {
            "kernel": lambda q: -q.softmax(-1),
            "reduce": lambda sums: sum(each[1] for each in sums) / sum(each[0] for each in sums),
        },
    ),
    (
        "a_batch_is_missing",
        "At least one batch is missing in your sum, in your count or in both. Is something"
        " overwritten inside the loop, or is the first or last batch left out? Add up both before"
        " you divide.",
        "2.2",
        {"reduce": lambda sums: of_all(sums[:-1])},
        {"reduce": lambda sums: of_all(sums[1:])},
        {"reduce": lambda sums: of_all(sums[:-1] or sums)},
        {"reduce": lambda sums: of_all(sums[1:] or sums)},
        {"reduce": lambda sums: (sums[-1][0] / sum(each[1] for each in sums)).exp()},
        {"reduce": lambda sums: (sum(each[0] for each in sums) / sums[-1][1]).exp()},
        {"reduce": lambda sums: (sum(each[0] for each in sums) / sums[0][1]).exp()},
    ),
    (
        "sum_of_means",
        "In your number means are added up, one for each batch. Over what is the mean in perplexity"
        " taken, batches or positions?",
        "2.2",
        {"reduce": lambda sums: sum(each[0] / max(each[1], 1) for each in sums).exp()},
        {
            "reduce": lambda sums: (
                sum(each[0] / max(each[1], 1) for each in sums) / sum(each[1] for each in sums)
            ).exp()
        },
    ),
    (
        "first_batch_alone",
        "Your number is that of the first batch. Is there a return inside the loop?",
        "2.2",
        {"reduce": lambda sums: of_all(sums[:1])},
    ),
    (
        "last_batch_alone",
        "Your number is that of the last batch. What happens to the sums of the others?",
        "2.2",
        {"reduce": lambda sums: of_all(sums[-1:])},
    ),
    (
        "left_in_evaluation_mode",
        "The number is right, but the model is left in evaluation mode: whoever goes on training it"
        " will train it without dropout. Leave it as you found it.",
        "3.2",
        {"leaves": lambda training: False},
    ),
    (
        "put_into_training_mode",
        "The number is right, but the model is always left in training mode. A teacher or a"
        " finished model does not come in that mode. Leave it as you found it.",
        "3.2",
        {"leaves": lambda training: True},
    ),
    (
        "left_frozen",
        "The number is right, but after your function no gradient reaches the model's parameters:"
        " whoever goes on training it trains nothing. Leave it as you found it.",
        "3.2",
        {"wants": lambda training: False},
    ),
    (
        "gradients_left_off",
        "The number is right, but after your function torch computes no gradients for any model"
        " until somebody switches them on again: whoever goes on training trains nothing. no_grad()"
        " ends by itself; what you used does not.",
        "3.2",
        {"switched_off": lambda training: True},
        {"switched_off": lambda training: not training},
        {"switched_off": lambda training: training},
    ),
    (
        "unfrozen",
        "The number is right, but a model whose parameters require no gradient is left with"
        " parameters that do. Leave it as you found it.",
        "3.2",
        {"wants": lambda training: True},
    ),
    (
        "epsilon_in_the_logarithm",
        "Before their logarithm is taken, your probabilities are kept above some small number, or"
        " have it added. Where a model is sure and wrong, this hides how wrong it is. log_softmax()"
        " needs no such help.",
        "1.1",
        *(
            {"kernel": kernel}
            for small in (1e-6, 1e-7, EPSILON, 1e-8, 1e-9, 1e-10, 1e-12)
            for kernel in (
                lambda q, small=small: (q.softmax(-1) + small).log(),
                lambda q, small=small: q.softmax(-1).clamp_min(small).log(),
            )
        ),
    ),
    (
        "cut_off",
        "Right for models that are not too bad. For a very bad one your number is that of a loss"
        " that is cut off. But the task asks exactly how bad it is.",
        "1.1",
        *({"reduce": cut_off(most)} for most in (20.0, 15.0, math.log(1e6), 10.0)),
    ),
    (
        "gradients_wiped",
        "The number is right, but the gradients that the model came with are gone. Whoever has"
        " collected half of an update in them has lost it. What does an evaluation need them for?",
        "3.2",
        {"wiped": 0.0},
    ),
    (
        "rounded",
        "Your number is the right one, rounded. A small step of training would not be seen in it.",
        "1.1",
        *({"reduce": rounded(digits)} for digits in range(3)),
    ),
    (
        "left_in_another_precision",
        "The number is right, but afterwards the model's parameters have another precision than"
        " before. double() and half() change the model that you were given.",
        "3.2",
        *({"epsilon": float(np.finfo(name).eps)} for name in ("float64", "float16")),
    ),
)
DATA_WAY = EVALUATION_WAYS[0]
WITHOUT_EXP = next(way for way in EVALUATION_WAYS if way[0] == "loss_for_perplexity")
ALSO_WITHOUT_EXP = (
    *("mean_of_means", "weighted_by_size", "divided_by_all_positions", "divided_by_texts"),
    *("divided_by_batches",),
    *("a_batch_is_missing", "sum_of_means", "first_batch_alone", "last_batch_alone"),
)
MODE_WAY = next(way for way in EVALUATION_WAYS if way[0] == "in_training_mode")
EVALUATION_MISCONCEPTIONS = told_apart(
    evaluate,
    (
        *(
            ((name, hint, number), each)
            for name, hint, number, *options in EVALUATION_WAYS
            for each in options
        ),
        *(
            (
                (
                    f"{name}+{MODE_WAY[0]}",
                    f"At least two things are off. {hint} {MODE_WAY[1]}",
                    number,
                ),
                MODE_WAY[3] | each,
            )
            for name, hint, number, *options in EVALUATION_WAYS
            for each in options
            if "reduce" in each or "masked" in each
            if name not in ("rounded", "cut_off", "first_batch_alone", "last_batch_alone")
        ),
        *(
            (
                (
                    f"{DATA_WAY[0]}+{name}",
                    f"At least two things are off. {DATA_WAY[1]} {hint}",
                    number,
                ),
                DATA_WAY[3] | options[0],
            )
            for name, hint, number, *options in EVALUATION_WAYS
            if name in ("mean_of_perplexities", "mean_of_means", "loss_for_perplexity")
        ),
        *(
            (
                (
                    f"{name}+{WITHOUT_EXP[0]}",
                    f"At least two things are off. {hint} And exp is missing: how do you get from a"
                    " mean loss to a perplexity?",
                    number,
                ),
                each | {"reduce": logged(each["reduce"])},
            )
            for name, hint, number, *options in EVALUATION_WAYS
            for each in options
            if name in ALSO_WITHOUT_EXP
        ),
        (
            (
                f"{WITHOUT_EXP[0]}+sign_lost",
                "At least two things are off. Your number is the mean of log q(y): its sign is the"
                " opposite of a loss's, and exp is missing between it and the perplexity.",
                "1.1",
            ),
            {"reduce": lambda sums: -of_all(sums).log()},
        ),
    ),
) + tuple(
    Misconception(name, hint, SECTIONS["2.2"], wrong)
    for name, hint, wrong in (
        (
            "token_zero_not_counted",
            "Somewhere you do not count labels of 0. Token 0 is a token like any other. Which"
            " labels do not count?",
            token_zero_left_out,
        ),
        (
            "token_zero_not_counted",
            "Somewhere you do not count labels of 0. Token 0 is a token like any other. Which"
            " labels do not count?",
            partial(evaluate, reduce=over(4)),
        ),
        (
            "token_zero_not_counted",
            "Somewhere you do not count labels of 0. Token 0 is a token like any other. Which"
            " labels do not count?",
            batches_of_zeros_left_out,
        ),
        (
            "zeros_not_counted",
            "Your number is that of a sum divided by the number of positions whose loss is not 0."
            " Where the model is sure and right its loss is 0, but such a position counts too.",
            partial(evaluate, reduce=over(5)),
        ),
        *(
            (
                f"token_zero_not_counted+{WITHOUT_EXP[0]}",
                "At least two things are off. Somewhere you do not count labels of 0, but token 0"
                " is a token like any other. And exp is missing: how do you get from a mean loss to"
                " a perplexity?",
                wrong,
            )
            for wrong in (
                partial(token_zero_left_out, reduce=logged(of_all)),
                partial(evaluate, reduce=logged(over(4))),
            )
        ),
        (*CLASSES[:2], evaluated_across),
        *((*IGNORED_AS_INDEX[:2], partial(looked_up, error=error)) for error in LOOKED_UP),
        (
            "entropy_for_surprise",
            "Your number is exp of the mean entropy of the model's own distributions. It says how"
            " unsure the model is, right or wrong. What did the text say at each position?",
            entropy_measured,
        ),
        (
            "shifted_again",
            "Your loss is that of labels that are shifted once more, but they are shifted already:"
            " `labels[i]` is the token that the logits at i predict.",
            shifted_evaluation,
        ),
        (
            "model_of_an_earlier_call",
            "Right the first time. When a model has been trained on and is evaluated again, your"
            " number is the one from before. What does your function keep from one call to the"
            " next?",
            of_an_earlier_call,
        ),
    )
)

# --- The morning after --------------------------------------------------------------------------

CHANGE_OPTIONS = (
    Option(
        "a",
        "The last column says how little of the distance to the teacher is left, and the column"
        " before it says which of the two is better by now. What would more of the same pull do to"
        " the labels' share?",
        SECTIONS["3.2"],
    ),
    Option(
        "b",
        "The temperature changes how soft the teacher's answers are, but with the factor T² its"
        " weight stays the same. Three quarters of the votes still go to this teacher. From where"
        " would a student learn what the teacher does not know?",
        SECTIONS["3.2"],
    ),
    Option(
        "c",
        "Compare the two runs at step 50. In its first steps the first run gave the student"
        " something that the second had to find out from the labels. Does that have to be given"
        " up?",
        SECTIONS["3.2"],
    ),
    Option("d", None, SECTIONS["3.2"]),
    Option(
        "e",
        "The learning rate sets how fast a student moves, but the objective has the same minimum as"
        " before. What sets where that minimum is?",
        SECTIONS["3.2"],
    ),
)

ROLE_OPTIONS = (
    Option(
        "a",
        "A label names one token and is silent about all others. Which of the two sources ranks the"
        " alternatives?",
        SECTIONS["2.3"],
    ),
    Option(
        "b",
        "That is what a soft target does. A label gives all probability to one token: it is the"
        " hardest target there is.",
        SECTIONS["2.3"],
    ),
    Option("c", None, SECTIONS["2.3"]),
    Option(
        "d",
        "This may be true of the code, but a term is not in a loss for convenience: leave the"
        " labels out and training still runs. What would the student then take over unchecked?",
        SECTIONS["2.3"],
    ),
)

SOURCES = {"teacher": "c", "labels": "a", "lam": "d"}
WHY = {
    (
        "teacher",
        "a",
    ): "The teacher is not outside every model: it is a model. What pulls where it is wrong?",
    (
        "teacher",
        "b",
    ): "The teacher does not set the pace: with the same teacher another learning rate"
    " makes other steps.",
    ("teacher", "d"): "The teacher is one of the two opinions; it does not weigh them.",
    (
        "labels",
        "b",
    ): "The labels do not set the pace: with the same labels another learning rate makes"
    " other steps.",
    ("labels", "c"): "A label names one token and says nothing about the others. Which of the two"
    " sources ranks the alternatives?",
    ("labels", "d"): "The labels are one of the two opinions; they do not weigh them.",
    ("lam", "a"): "λ is a number that somebody chose, and not a source of what is right.",
    ("lam", "b"): "λ moves the place where the objective is smallest, and that is not the length of"
    " the steps that lead there.",
    ("lam", "c"): "λ is one number for the whole loss. It does not say how likely any token was.",
}


def matching_mistakes() -> tuple[Mistake, ...]:
    """One for every wrong matching, with what speaks against each wrong pair."""
    found = []
    for letters in product("abcd", repeat=len(SOURCES)):
        answer = dict(zip(SOURCES, letters, strict=True))
        wrong = [pair for pair in answer.items() if pair in WHY]
        if wrong:
            name = "_".join(("wrong", *(f"{part}_{letter}" for part, letter in wrong)))
            hint = " ".join(WHY[pair] for pair in wrong)
            found.append(Mistake(name, answer, hint, SECTIONS["2.3"]))
    return tuple(found)


# --- The tasks ----------------------------------------------------------------------------------

CHECKS = (
    FunctionCheck(
        name="training_step",
        parts={"the student": 3, LOSS: 1, TEACHER: 1},
        expected="One update of the student along the gradient of LM + λ·KD, a mean over the"
        " positions that count, with each model in the mode that it needs and the teacher out of"
        " the gradient's reach. The function returns the loss before the update.",
        section=SECTIONS["3.2"],
        reference=training_step,
        fixed=step_cases(),
        random=random_step_cases,
        misconceptions=STEP_MISCONCEPTIONS,
        observer=Observer.read(OBSERVERS, "look_at_step"),
        facts=step_facts,
        tolerance=trained_tolerance,
    ),
    FunctionCheck(
        name="train",
        parts={"the student": 4, TEACHER: 1, LAST_GROUP: 1},
        expected="One update for each group of micro-batches, as if the group were one batch, with"
        " the schedule's λ for that update; what is left over at the end is a group too.",
        section=SECTIONS["2.2"],
        reference=train,
        fixed=train_cases(),
        random=random_train_cases,
        misconceptions=TRAIN_MISCONCEPTIONS,
        observer=Observer.read(OBSERVERS, "look_at_training"),
        facts=train_facts,
        tolerance=trained_tolerance,
    ),
    FunctionCheck(
        name="evaluate",
        parts={"perplexity": 3, MODE: 1},
        expected="exp of the mean of −log q(y) over all positions that count, on text that the"
        " model has not seen, and of the model as it will be used. The model is left as it was.",
        section=SECTIONS["3.2"],
        reference=evaluate,
        fixed=evaluation_cases(),
        random=random_evaluation_cases,
        misconceptions=EVALUATION_MISCONCEPTIONS,
        observer=Observer.read(OBSERVERS, "look_at_evaluation"),
        facts=evaluation_facts,
        logarithm="A perplexity is exp of a mean.",
        tolerance=evaluation_tolerance,
    ),
    choice(
        name="which_change",
        parts={"answer": 3},
        expected="The change that gives this run the best final student, and how it acts.",
        section=SECTIONS["3.2"],
        options=CHANGE_OPTIONS,
    ),
    choice(
        name="role_of_truth",
        parts={"answer": 2},
        expected="What the part that learns from the ground truth is there for.",
        section=SECTIONS["2.3"],
        options=ROLE_OPTIONS,
    ),
    AnswerCheck(
        name="contributions",
        parts={"answer": 3},
        expected="For the teacher, the labels and λ, what each contributes.",
        section=SECTIONS["2.3"],
        answer=SOURCES,
        mistakes=matching_mistakes(),
    ),
)
