"""Checks of ps4_training: a step, a loop that accumulates, an evaluation, three questions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path
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


def summed_losses(student: Tensor, teacher: Tensor, labels: Tensor, lam: float) -> Tensor:
    """LM + λ·KD, added up over the positions that count."""
    counts = labels != IGNORED
    log_q, log_p = student[counts].log_softmax(-1), teacher[counts].log_softmax(-1)
    lm = -log_q.gather(-1, labels[counts][:, None])
    return lm.sum() + lam * (log_p.exp() * (log_p - log_q)).sum()


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


class Way(NamedTuple):
    """How updates are made. The defaults are the right way.

    Args:
        student_mode: Whether the student is in training mode.
        teacher_mode: Whether the teacher is.
        leak: Whether gradients reach the teacher.
        swapped: Whether the two models' logits change places in the loss.
        kept: Whether gradients are kept from one update to the next.
        moves: Whether the optimiser sees a gradient at all.
        late: Whether the optimiser steps before the gradient is computed.
    """

    student_mode: bool = True
    teacher_mode: bool = False
    leak: bool = False
    swapped: bool = False
    kept: bool = False
    moves: bool = True
    late: bool = False


RIGHT = Way()


def descend(
    student: Weights, teacher: Weights, updates: list[Update], rate: float, way: Way = RIGHT
) -> dict[str, Tensor]:
    """Gradient descent.

    Returns:
        The student's parameters; the teacher's answers in evaluation, followed by the gradient that
        reached it; and each update's loss.
    """
    if way.late and len(updates) > 1:
        raise RuntimeError("one of the variables needed for gradient computation was modified")
    *parameters, student_kept, student_mean, _ = doubled(student)
    *foreign, teacher_kept, teacher_mean, _ = guide = doubled(teacher)
    held = [torch.zeros_like(each) for each in parameters]
    received = [torch.zeros_like(each) for each in foreign]
    losses = []
    for update in updates:
        own = [each.clone().requires_grad_() for each in parameters]
        other = [each.clone().requires_grad_() for each in foreign]
        loss = torch.zeros((), dtype=torch.float64)
        for part in update:
            tokens, labels = part.batch
            q = logits(*own, student_kept, student_mean, tokens, way.student_mode)
            p = logits(*other, teacher_kept, teacher_mean, tokens, way.teacher_mode)
            p = p if way.leak else p.detach()
            pair = (p, q) if way.swapped else (q, p)
            loss = loss + part.weight * summed_losses(*pair, labels, part.lam)
        gradients = torch.autograd.grad(loss, own + other, materialize_grads=True)
        losses.append(float(loss.detach()))
        received = [sum(pair) for pair in zip(received, gradients[2:], strict=True)]
        held = [
            before + now if way.kept else now
            for before, now in zip(held, gradients[:2], strict=True)
        ]
        if way.moves and not way.late:
            parameters = [
                each - rate * gradient for each, gradient in zip(parameters, held, strict=True)
            ]
    if way.teacher_mode:
        guide[3] = moved(guide, [part.batch for update in updates for part in update])
    return {
        "student": torch.cat([each.flatten() for each in parameters]),
        "teacher": torch.cat([each.flatten() for each in (answers(guide, False), *received)]),
        "loss": torch.tensor(losses, dtype=torch.float64),
    }


# --- One step -----------------------------------------------------------------------------------


def per_counted(batch: Batch) -> float:
    """One over the positions that count."""
    return 1 / counted(batch)


def per_position(batch: Batch) -> float:
    """One over all positions, ignored ones included."""
    return 1 / batch[1].numel()


def per_text(batch: Batch) -> float:
    """One over the number of texts."""
    return 1 / len(batch[1])


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
) -> Tensor:
    """One step a batch: what became of the student or of the teacher, or each step's loss."""
    updates = [[Part(batch, lam, weight(batch))] for batch in batches]
    seen = descend(student, teacher, updates, rate, way)
    if told:
        factors = [told(batch) / weight(batch) for batch in batches]
        seen["loss"] = seen["loss"] * torch.tensor(factors, dtype=torch.float64)
    return seen[watch]


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


def step_cases() -> tuple[Case, ...]:
    """As (student, teacher, batches, λ, rate, what is looked at)."""
    rng = np.random.default_rng(41)

    def run_of(*ignored: tuple[int, ...], vocabulary: int = 5, length: int = 4) -> tuple:
        models = model(rng, vocabulary, 4, 1), model(rng, vocabulary, 6, 2)
        return (*models, [batch(rng, vocabulary, length, each) for each in ignored])

    three = run_of((2, 0), (0, 1), (3, 1))
    two = run_of((0, 3, 1), (1, 0, 2), vocabulary=4)
    one = run_of((1, 2))
    double = run_of((0, 1), (2, 0), length=3)
    double = (doubled(double[0]), doubled(double[1]), double[2])
    alike = run_of((1, 0), (0, 2))
    alike = (alike[0], [each.clone() for each in alike[0]], alike[2])
    return (
        Case("the student after three steps", (*three, 2.0, 0.5, "student"), public=True),
        Case("the student after two steps", (*two, 1.0, 0.3, "student"), public=True),
        Case("the student after one step", (*one, 3.0, 0.5, "student"), public=True),
        Case("the losses of three steps", (*three, 2.0, 0.5, "loss"), {}, LOSS, True),
        Case("the teacher after three steps", (*three, 2.0, 0.5, "teacher"), {}, TEACHER, True),
        Case("nothing ignored", (*run_of((0, 0), (0, 0)), 0.5, 0.4, "student")),
        Case("labels alone", (*run_of((1, 0), (2, 0), (0, 1)), 0.0, 0.5, "student")),
        Case("mostly the teacher", (*run_of((1, 0), (2, 0)), 10.0, 0.05, "student")),
        Case("double precision", (*double, 1.5, 0.5, "student")),
        Case("teacher and student alike", (*alike, 1.0, 0.5, "student")),
        Case("one position counts", (*run_of((3, 4), (4, 3)), 1.0, 0.2, "student")),
        Case("the losses of two steps", (*two, 1.0, 0.3, "loss"), {}, LOSS),
        Case("the teacher after two steps", (*two, 1.0, 0.3, "teacher"), {}, TEACHER),
        Case("the teacher after one step", (*one, 3.0, 0.5, "teacher"), {}, TEACHER),
    )


LOSS, TEACHER = "the loss", "the teacher"


def random_run(rng: np.random.Generator, micro_batches: int) -> tuple[Weights, Weights, list]:
    """Models and batches of a submission's own; the first text of a batch counts, the last less."""
    vocabulary, length = int(rng.integers(4, 7)), int(rng.integers(3, 6))
    batches = [
        batch(rng, vocabulary, length, (0, int(rng.integers(1, length))))
        for _ in range(micro_batches)
    ]
    return model(rng, vocabulary, 4, 1), model(rng, vocabulary, 6, 2), batches


def random_step_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Cases of a submission's own."""
    for watch, part in (("student", None), ("student", None), ("loss", LOSS), ("teacher", TEACHER)):
        run_of = random_run(rng, 3)
        lam, rate = float(rng.uniform(0.5, 3.0)), float(rng.uniform(0.2, 0.5))
        yield Case("random", (*run_of, lam, rate, watch), {}, part)


def trained_tolerance(case: Case) -> float:
    """What float32 explains of parameters after some steps, and of the losses on the way.

    A gradient is a mean of terms (q − y) + λ(q − p) times a hidden unit or a weight of size s.
    Each is a sum over the vocabulary V, wrong by at most V·s·ε, and a step adds the rate times it;
    a loss is wrong by as much, without the rate. Errors of earlier steps grow by a factor near 1.
    """
    student, teacher, batches = case.args[:3]
    largest = max(1.0, *(float(each.abs().max()) for each in student[:4] + teacher[:4]))
    return 4 * len(batches) * len(student[0]) * (1 + _largest_lambda(case)) * largest * EPSILON


def _largest_lambda(case: Case) -> float:
    return max(float(number) for number in case.args[3:5])


TEACHER_MODE = (
    "teacher_in_training_mode",
    "Your teacher speaks with its dropout on, so the student learns from a teacher that has lost"
    " some of its units. A model is in training mode when it is made. Who changes that?",
    "3.2",
)
STUDENT_MODE = (
    "student_in_evaluation_mode",
    "Your student learns with its dropout off. It comes from an evaluation and is still in that"
    " mode. Who changes that?",
    "3.2",
)
BOTH_MODES = (
    "modes_left_as_they_came",
    "Both models are still in the mode in which they came: the teacher speaks with dropout, and"
    " the student learns without. Each of the two needs the other mode.",
    "3.2",
)
LEAK = (
    "gradient_into_the_teacher",
    "The student is right, but backward() went on into the teacher: each of its parameters has a"
    " gradient now. That costs the teacher's memory once more, and an optimiser that has both"
    " models would move it. What keeps autograd from recording a forward pass?",
    "3.2",
)
KEPT = (
    "gradients_kept",
    "The first update is right and later ones are too large, each in the direction of all before"
    " it. backward() adds to the gradients that are there. Who takes them away?",
    "3.2",
)
STILL = (
    "student_never_moves",
    "Your student ends as it began: when the optimiser steps there is no gradient. Write down, in"
    " their order, the lines that clear, compute and use the gradient.",
    "3.2",
)
SUMMED = (
    "loss_not_divided",
    "You follow the sum over positions. A batch with less padding would take larger steps. The"
    " objective is a mean; over what?",
    "2.2",
)
ALL_POSITIONS = (
    "divided_by_all_positions",
    "You divide by all positions, and those that are ignored added nothing to the sum. A batch"
    " with much padding would hardly teach. What does the second thing that summed_loss returns"
    " say?",
    "2.2",
)
MODELS_SWAPPED = (
    "models_swapped",
    "The two models' logits change places in your loss: the labels judge the teacher, and the KD"
    " term runs the other way. Which of the two is learning?",
    "1.3",
)

STEP_MISCONCEPTIONS = tuple(
    Misconception(name, hint, SECTIONS[number], partial(training_step, **options))
    for (name, hint, number), options in (
        (TEACHER_MODE, {"way": Way(teacher_mode=True)}),
        (STUDENT_MODE, {"way": Way(student_mode=False)}),
        (BOTH_MODES, {"way": Way(student_mode=False, teacher_mode=True)}),
        (LEAK, {"way": Way(leak=True)}),
        (KEPT, {"way": Way(kept=True)}),
        (STILL, {"way": Way(moves=False)}),
        (
            (
                "step_before_backward",
                "Your optimiser steps before backward(). The weights with which the loss was"
                " computed are gone by then, and PyTorch refuses. What does a step need to know?",
                "3.2",
            ),
            {"way": Way(late=True)},
        ),
        (SUMMED, {"weight": undivided}),
        (SUMMED, {"weight": undivided, "told": per_counted}),
        (ALL_POSITIONS, {"weight": per_position}),
        (
            (
                "divided_by_texts",
                "You divide by the number of texts, so long texts take larger steps than short"
                " ones. The objective is a mean per token that counts.",
                "2.2",
            ),
            {"weight": per_text},
        ),
        (
            (
                "sum_returned",
                "The student is right, but you return the sum. Batches with different padding"
                " could not be compared in a log; return what you followed.",
                "2.2",
            ),
            {"told": undivided},
        ),
        (MODELS_SWAPPED, {"way": Way(swapped=True)}),
    )
)

# --- The loop -----------------------------------------------------------------------------------

Planner = Callable[[list[Batch], int, Callable[[int], float]], list[Update]]


def in_groups(batches: list[Batch], accumulate: int) -> list[list[Batch]]:
    """Groups of `accumulate`; the last may be smaller."""
    return [batches[at : at + accumulate] for at in range(0, len(batches), accumulate)]


def full_groups(batches: list[Batch], accumulate: int) -> list[list[Batch]]:
    """The same without a last group that is not full."""
    return [group for group in in_groups(batches, accumulate) if len(group) == accumulate]


def share_of_group(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """One over the positions that count in the group."""
    return 1 / counted(*group)


def own_mean(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """One over the positions that count in the micro-batch."""
    return 1 / max(counted(batch), 1)


def mean_of_means(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """The micro-batch's own mean, averaged over the group."""
    return own_mean(batch, group, accumulate) / len(group)


def mean_over_accumulate(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """The same, with the size of a full group."""
    return own_mean(batch, group, accumulate) / accumulate


def share_of_last(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """One over the positions that count in the last micro-batch of the group."""
    return 1 / max(counted(group[-1]), 1)


def sum_over_accumulate(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """The sum, divided by the number of micro-batches."""
    return 1 / accumulate


def sum_over_group(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """The same, with the number there are in this group."""
    return 1 / len(group)


def just_one(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """The sum as it is."""
    return 1.0


def all_positions(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """One over all positions of the group."""
    return 1 / sum(labels.numel() for _, labels in group)


def last_alone(batch: Batch, group: list[Batch], accumulate: int) -> float:
    """What is left when the gradient is cleared before each micro-batch."""
    return 1 / counted(*group) if batch is group[-1] else 0.0


def planned(
    batches: list[Batch],
    accumulate: int,
    schedule: Callable[[int], float],
    *,
    groups: Callable = in_groups,
    weight: Callable = share_of_group,
    number: Callable[[int, int], int] = lambda step, place: step,
) -> list[Update]:
    """One update a group. `number` says which λ a step and a micro-batch's place stand for."""
    places = {id(batch): place for place, batch in enumerate(batches)}
    return [
        [
            Part(each, schedule(number(step, places[id(each)])), weight(each, group, accumulate))
            for each in group
        ]
        for step, group in enumerate(groups(batches, accumulate))
    ]


def one_by_one(of: Planner, *args: Any) -> list[Update]:
    """A step after each micro-batch."""
    return [[part] for update in of(*args) for part in update]


def never_accumulated(
    batches: list[Batch], accumulate: int, schedule: Callable[[int], float]
) -> list[Update]:
    """As if `accumulate` were 1."""
    return planned(batches, 1, schedule)


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
) -> Tensor:
    """What becomes of student or teacher; λ is start · factor^step."""
    updates = plan(batches, accumulate, lambda step: start * factor**step)
    return descend(student, teacher, updates, rate, way)[watch]


LAST_GROUP = "a last group that is not full"


def train_cases() -> tuple[Case, ...]:
    """As (student, teacher, batches, λ's start and factor, accumulate, rate, what is looked at)."""
    rng = np.random.default_rng(42)

    def run_of(*ignored: tuple[int, ...], vocabulary: int = 5, length: int = 4) -> tuple:
        models = model(rng, vocabulary, 4, 1), model(rng, vocabulary, 6, 2)
        return (*models, [batch(rng, vocabulary, length, each) for each in ignored])

    def case(name: str, run: tuple, start: float, factor: float, accumulate: int, **options: Any):
        rate, watch = options.pop("rate", 0.5), options.pop("watch", "student")
        return Case(name, (*run, start, factor, accumulate, rate, watch), **options)

    four = run_of((3, 2), (0, 0), (1, 0), (3, 3))
    six = run_of((0, 1), (2, 3), (3, 0), (0, 0), (2, 2), (1, 3), vocabulary=4)
    five = run_of((0, 2), (3, 1), (2, 3), (0, 0), (1, 3))
    padding = run_of((0, 1), (4, 4), (2, 0), (4, 3))
    double = run_of((0, 1), (2, 0), (2, 2), (0, 0), length=3)
    double = (doubled(double[0]), doubled(double[1]), double[2])
    last, public = {"part": LAST_GROUP}, {"public": True}
    return (
        case("four micro-batches, two a step", four, 3.0, 0.5, 2, **public),
        case("six micro-batches, three a step", six, 2.0, 0.25, 3, **public),
        case("one micro-batch a step", run_of((2, 0), (0, 1), (3, 2)), 2.0, 0.5, 1, **public),
        case("a micro-batch of padding alone", padding, 1.0, 0.5, 2, **public),
        case(
            "the teacher after it all", four, 3.0, 0.5, 2, watch="teacher", part=TEACHER, **public
        ),
        case("five micro-batches, two a step", five, 3.0, 0.5, 2, **last, **public),
        case("all in one step", six, 1.0, 0.5, 6),
        case("constant λ", run_of((0, 3), (0, 0), (3, 2), (1, 0)), 1.5, 1.0, 2),
        case("labels alone", run_of((0, 3), (0, 0), (3, 2), (1, 0)), 0.0, 1.0, 2),
        case("double precision", double, 2.0, 0.5, 2),
        case("the teacher of six", six, 2.0, 0.25, 3, watch="teacher", part=TEACHER),
        case("four micro-batches, three a step", four, 2.0, 0.5, 3, **last),
        case("fewer micro-batches than a step takes", five, 2.0, 0.5, 8, **last),
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
        run_of, rate = random_run(rng, micro_batches), float(rng.uniform(0.2, 0.5))
        yield Case("random", (*run_of, start, factor, accumulate, rate, watch), {}, part)


MEAN_OF_MEANS = (
    "averaged_per_micro_batch",
    "Each micro-batch is averaged by itself, so a token in a micro-batch of padding weighs more"
    " than one in a full one. One step on the whole group, had it fitted into memory, would have"
    " divided once. By what?",
    "2.2",
)
MICRO_BATCHES = (
    "divided_by_micro_batches",
    "You divide sums by the number of micro-batches. What is the loss a mean over?",
    "2.2",
)
EVERY_MICRO_BATCH = (
    "step_after_each_micro_batch",
    "Your optimiser steps after each micro-batch. Accumulating means: several times backward(),"
    " then one step.",
    "2.2",
)
LAMBDA_PER_MICRO_BATCH = (
    "lambda_moves_per_micro_batch",
    "You ask the schedule for the number of the micro-batch. λ then falls several times as fast"
    " as planned, and differs within one step. What does the schedule count?",
    "3.1",
)

TRAIN_MISCONCEPTIONS = tuple(
    Misconception(name, hint, SECTIONS[number], partial(train, **options))
    for (name, hint, number), options in (
        (MEAN_OF_MEANS, {"plan": partial(planned, weight=mean_of_means)}),
        (MEAN_OF_MEANS, {"plan": partial(planned, weight=mean_over_accumulate)}),
        (
            (
                "means_added_up",
                "Each micro-batch has its own mean, and their gradients are added up: a step grows"
                " with the number of micro-batches. What should the whole group be divided by?",
                "2.2",
            ),
            {"plan": partial(planned, weight=own_mean)},
        ),
        (
            (
                "divided_by_the_last_count",
                "You divide the whole group by the count of its last micro-batch. The count of a"
                " group is known before its first backward(), from its labels.",
                "2.2",
            ),
            {"plan": partial(planned, weight=share_of_last)},
        ),
        (SUMMED, {"plan": partial(planned, weight=just_one)}),
        (MICRO_BATCHES, {"plan": partial(planned, weight=sum_over_accumulate)}),
        (MICRO_BATCHES, {"plan": partial(planned, weight=sum_over_group)}),
        (ALL_POSITIONS, {"plan": partial(planned, weight=all_positions)}),
        (
            (
                "cleared_within_a_group",
                "Only the last micro-batch of each group teaches your student: the gradients of"
                " the others are cleared before the optimiser sees them. How often, and when, is"
                " a group's gradient cleared?",
                "3.2",
            ),
            {"plan": partial(planned, weight=last_alone)},
        ),
        (EVERY_MICRO_BATCH, {"plan": never_accumulated}),
        (EVERY_MICRO_BATCH, {"plan": partial(one_by_one, planned)}),
        (EVERY_MICRO_BATCH, {"plan": partial(one_by_one, partial(planned, weight=own_mean))}),
        (
            (
                "last_group_dropped",
                "Right as long as the groups are full. What is left over at the end never reaches"
                " the optimiser, and its text was read for nothing.",
                "2.2",
            ),
            {"plan": partial(planned, groups=full_groups)},
        ),
        (
            LAMBDA_PER_MICRO_BATCH,
            {"plan": partial(planned, number=lambda step, place: place)},
        ),
        (
            (
                "lambda_one_step_ahead",
                "Your first step does not get the schedule's first λ. The schedule counts from 0.",
                "3.1",
            ),
            {"plan": partial(planned, number=lambda step, place: step + 1)},
        ),
        (
            (
                "lambda_never_moves",
                "All your steps have the λ of the first. When is the schedule to be asked?",
                "3.1",
            ),
            {"plan": partial(planned, number=lambda step, place: 0)},
        ),
        (TEACHER_MODE, {"way": Way(teacher_mode=True)}),
        (STUDENT_MODE, {"way": Way(student_mode=False)}),
        (BOTH_MODES, {"way": Way(student_mode=False, teacher_mode=True)}),
        (LEAK, {"way": Way(leak=True)}),
        (KEPT, {"way": Way(kept=True)}),
        (STILL, {"way": Way(moves=False)}),
        (MODELS_SWAPPED, {"way": Way(swapped=True)}),
    )
)

# --- The evaluation -----------------------------------------------------------------------------

Data = dict[str, list[Batch]]


def nats(
    weights: Weights, batches: list[Batch], mode: bool, masked: bool = True
) -> list[tuple[Tensor, int, int]]:
    """Of each batch: summed −log q(y), how many positions count, and how many there are.

    Without a mask an ignored label stands for token 0.
    """
    found = []
    *parameters, _ = doubled(weights)
    for tokens, labels in batches:
        labels = labels if masked else labels.clamp_min(0)
        q = logits(*parameters, tokens, mode)
        counts = labels != IGNORED
        log_q = q[counts].log_softmax(-1).gather(-1, labels[counts][:, None])
        found.append((-log_q.sum(), int(counts.sum()), labels.numel()))
    return found


def of_all(sums: list) -> Tensor:
    """exp of the mean over all positions that count."""
    return (sum(loss for loss, _, _ in sums) / sum(count for _, count, _ in sums)).exp()


def of_all_positions(sums: list) -> Tensor:
    """The same, divided by all positions."""
    return (sum(loss for loss, _, _ in sums) / sum(positions for *_, positions in sums)).exp()


def of_means(sums: list) -> Tensor:
    """exp of the mean of the batches' means."""
    return torch.stack([loss / count for loss, count, _ in sums]).mean().exp()


def mean_of_perplexities(sums: list) -> Tensor:
    """The mean of the batches' perplexities."""
    return torch.stack([(loss / count).exp() for loss, count, _ in sums]).mean()


def last_batch(sums: list) -> Tensor:
    """The perplexity of the last batch."""
    return of_all(sums[-1:])


def two_to_the(sums: list) -> Tensor:
    """2 to the power of nats."""
    return 2 ** of_all(sums).log()


def evaluate(
    weights: Weights,
    data: Data,
    training: bool,
    watch: str,
    *,
    split: str = "held_out",
    mode: bool | None = False,
    masked: bool = True,
    reduce: Callable[[list], Tensor] = of_all,
    leaves: Callable[[bool], bool] = lambda training: training,
) -> Tensor:
    """The perplexity on held-out text; or the model's answers after it.

    These are what it answers in evaluation mode, and in the mode that it was left in.
    """
    mode = training if mode is None else mode
    if watch == "perplexity":
        return reduce(nats(weights, data[split], mode, masked))
    after = doubled(weights)
    if mode:
        after[3] = moved(after, data[split])
    return torch.stack([answers(after, False), answers(after, leaves(training))])


MODE = "the model's mode after it"


def evaluation_cases() -> tuple[Case, ...]:
    """As (model, data, whether the model comes in training mode, what is looked at)."""
    rng = np.random.default_rng(43)

    def material(*ignored: tuple[int, ...], vocabulary: int = 5, length: int = 4) -> tuple:
        data = {
            "train": [batch(rng, vocabulary, length, (0, 2)), batch(rng, vocabulary, length, (1,))],
            "held_out": [batch(rng, vocabulary, length, each) for each in ignored],
        }
        return model(rng, vocabulary, 4, 1), data

    two, three = material((3, 2), (0, 0)), material((0, 1), (3,), (2, 0, 1), vocabulary=4)
    double = material((0, 3), (1, 0))
    double = (doubled(double[0]), double[1])
    return (
        Case("two batches", (*two, True, "perplexity"), public=True),
        Case("three batches", (*three, True, "perplexity"), public=True),
        Case("the mode of a model that trains", (*two, True, "model"), {}, MODE, True),
        Case("the mode of a model that does not", (*two, False, "model"), {}, MODE, True),
        Case("nothing ignored", (*material((0, 0), (0,)), True, "perplexity")),
        Case("a model in evaluation mode", (*material((0, 3), (2,)), False, "perplexity")),
        Case("one batch", (*material((1, 2, 0)), True, "perplexity")),
        Case("one position in a batch", (*material((0, 0), (4, 3)), True, "perplexity")),
        Case("double precision", (*double, True, "perplexity")),
        Case("another model that trains", (*three, True, "model"), {}, MODE),
        Case("another that does not", (*three, False, "model"), {}, MODE),
    )


def random_evaluation_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Cases of a submission's own."""
    for training, watch, part in (
        (True, "perplexity", None),
        (True, "perplexity", None),
        (True, "model", MODE),
        (False, "model", MODE),
    ):
        weights, _, held_out = random_run(rng, 3)
        vocabulary = len(weights[0])
        data = {"train": [batch(rng, vocabulary, 5, (0, 1))], "held_out": held_out}
        yield Case("random", (weights, data, training, watch), {}, part)


def evaluation_tolerance(case: Case) -> float:
    """Rounding moves the mean loss by V·s·ε, and its exponential by that share of itself."""
    weights, data = case.args[:2]
    largest = max(1.0, *(float(each.abs().max()) for each in weights[:4]))
    perplexity = float(of_all(nats(weights, data["held_out"], False)))
    return 4 * len(weights[0]) * largest**2 * EPSILON * perplexity


EVALUATION_MISCONCEPTIONS = tuple(
    Misconception(name, hint, SECTIONS[number], partial(evaluate, **options))
    for name, hint, number, options in (
        (
            "on_training_data",
            "You measured the text that the model was trained on. A model that has learnt it by"
            " heart would look best. Which text has it not seen?",
            "3.2",
            {"split": "train"},
        ),
        (
            "in_training_mode",
            "Your model is measured with its dropout on: a model that nobody will use, and another"
            " number each time with a real dropout. Which mode is for measuring?",
            "3.2",
            {"mode": None},
        ),
        (
            "on_training_data_in_training_mode",
            "Two things at once: the text is the one that the model was trained on, and its"
            " dropout is on.",
            "3.2",
            {"split": "train", "mode": None},
        ),
        (
            "mean_of_perplexities",
            "You average the perplexities of the batches. exp is convex, so one bad batch weighs"
            " too much, and the result depends on how the text was cut. Average first; what comes"
            " last?",
            "1.1",
            {"reduce": mean_of_perplexities},
        ),
        (
            "mean_of_means",
            "Each batch is averaged by itself, so a token in a short batch weighs more than one in"
            " a long one. Cut the text otherwise, and the number changes. What has to be added up"
            " over all batches?",
            "2.2",
            {"reduce": of_means},
        ),
        (
            "divided_by_all_positions",
            "Padding makes your model look better: its positions are in the divisor, but add"
            " nothing to the sum.",
            "2.2",
            {"reduce": of_all_positions},
        ),
        (
            "padding_measured",
            "Positions that do not count are in your mean, as if a token had been expected there."
            " Padding says nothing about a model. Select before you add up.",
            "2.2",
            {"masked": False},
        ),
        (
            "loss_for_perplexity",
            "This is the mean loss in nats. Perplexity says among how many equally likely tokens"
            " the model is lost. What is between the two?",
            "1.1",
            {"reduce": lambda sums: of_all(sums).log()},
        ),
        (
            "two_to_the_nats",
            "2 to the power of a loss in nats. That formula goes with bits.",
            "1.1",
            {"reduce": two_to_the},
        ),
        (
            "last_batch_alone",
            "Your number is that of the last batch. What happens to the sums of the others?",
            "2.2",
            {"reduce": last_batch},
        ),
        (
            "left_in_evaluation_mode",
            "The number is right, but you leave the model in evaluation mode, and whoever goes on"
            " training it trains without dropout. Leave it as you found it.",
            "3.2",
            {"leaves": lambda training: False},
        ),
        (
            "put_into_training_mode",
            "The number is right, but your function always ends in training mode. A teacher or a"
            " finished model does not come in that mode. Leave it as you found it.",
            "3.2",
            {"leaves": lambda training: True},
        ),
    )
)

# --- The morning after --------------------------------------------------------------------------

CHANGE_OPTIONS = (
    Option(
        "a",
        "The last column says how little of that distance is left, and the one before it who is the"
        " better of the two by now. What would more of the same pull do to the labels' share?",
        SECTIONS["3.2"],
    ),
    Option(
        "b",
        "The temperature changes how the teacher says what it says, and with T² in place not how"
        " loudly. Three quarters of the votes still end at this teacher. Where would a student"
        " learn what the teacher does not know?",
        SECTIONS["3.2"],
    ),
    Option(
        "c",
        "Compare the two runs at step 50. The first gave the student something in its first steps"
        " that the second had to find out from the labels. Need that be given up?",
        SECTIONS["3.2"],
    ),
    Option("d", None, SECTIONS["3.2"]),
    Option(
        "e",
        "The learning rate says how fast a student goes, and nearly all of the way to this"
        " objective's minimum is behind this one. What says where that minimum is?",
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
        "That is what a soft target does. A label puts everything on one token, the hardest target"
        " there is.",
        SECTIONS["2.3"],
    ),
    Option("c", None, SECTIONS["2.3"]),
    Option(
        "d",
        "It may be so in code, but a term is not in a loss for convenience: leave the labels out"
        " and training still runs. What would the student then take over unchecked?",
        SECTIONS["2.3"],
    ),
)

SOURCES = {"teacher": "c", "labels": "a", "lam": "d"}
WHY = {
    "teacher": "The teacher: it speaks at every position, and about every token. What does a"
    " student learn from that which no single token could say?",
    "labels": "The labels: they are the only thing in the loss that no model made. What is that"
    " good for where the teacher errs?",
    "lam": "λ: it is no source of its own. It moves the place where the objective is smallest, and"
    " that is not the length of the steps that lead there.",
}


def matching_mistakes() -> tuple[Mistake, ...]:
    """One for every wrong matching, with a hint for each wrong source."""
    found = []
    for letters in product("abcd", repeat=len(SOURCES)):
        answer = dict(zip(SOURCES, letters, strict=True))
        wrong = [source for source in SOURCES if answer[source] != SOURCES[source]]
        if wrong:
            hint = " ".join(WHY[source] for source in wrong)
            found.append(Mistake(f"wrong_{'_'.join(wrong)}", answer, hint, SECTIONS["2.3"]))
    return tuple(found)


# --- The tasks ----------------------------------------------------------------------------------

CHECKS = (
    FunctionCheck(
        name="training_step",
        parts={"the student": 3, LOSS: 1, TEACHER: 1},
        expected="One update of the student along the gradient of LM + λ·KD, a mean over the"
        " positions that count, with each model in the mode that it needs and the teacher out of"
        " the gradient's reach. Returned is the loss before the update.",
        section=SECTIONS["3.2"],
        reference=training_step,
        fixed=step_cases(),
        random=random_step_cases,
        misconceptions=STEP_MISCONCEPTIONS,
        observer=Observer.read(OBSERVERS, "look_at_step"),
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
        tolerance=trained_tolerance,
    ),
    FunctionCheck(
        name="evaluate",
        parts={"perplexity": 3, MODE: 1},
        expected="exp of the mean −log q(y) over all positions that count, of text that the model"
        " has not seen and of the model as it will be used; its mode is left as it was.",
        section=SECTIONS["3.2"],
        reference=evaluate,
        fixed=evaluation_cases(),
        random=random_evaluation_cases,
        misconceptions=EVALUATION_MISCONCEPTIONS,
        observer=Observer.read(OBSERVERS, "look_at_evaluation"),
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
