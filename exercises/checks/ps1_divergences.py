"""Checks of ps1_divergences: forward KL, reverse KL and the reverse-KL question. Never released."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from autograder.spec import Case, FunctionCheck, Misconception, Option, choice
from autograder.verdict import Section

_book = json.loads(Path(__file__).with_name("sections.json").read_text(encoding="utf-8"))
SECTIONS = {
    number: Section(number, title, f"{_book['book']}/{page}")
    for number, (title, page) in _book["sections"].items()
}

# --- The right way ------------------------------------------------------------------------------
# A KL has a distribution in front, which weighs the classes, and one behind. Forward KL has the
# teacher in front, reverse KL the student.


def forward_kl(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """KL(p‖q) in float64."""
    return kl(teacher_logits.double(), student_logits.double())


def reverse_kl(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """KL(q‖p) in float64."""
    return kl(student_logits.double(), teacher_logits.double())


def kl(front: Tensor, behind: Tensor) -> Tensor:
    """Σ f (log f − log b) over the last axis, of logits."""
    log_front, log_behind = front.log_softmax(-1), behind.log_softmax(-1)
    return (log_front.exp() * (log_front - log_behind)).sum(-1)


# --- Cases --------------------------------------------------------------------------------------

EXTREME = "extreme logits"


def fixed_cases() -> tuple[Case, ...]:
    """Public and hidden cases, as (student_logits, teacher_logits)."""
    t = torch.tensor
    rng = np.random.default_rng(20)
    return (
        Case("one position", (t([0.0, 1.0, 2.0]), t([2.0, 0.5, 0.0])), public=True),
        Case(
            "two positions",
            (t([[1.0, -1.0, 0.5, 2.0], [0.0, 0.0, 3.0, 1.0]]), t([[0.5, 1.0, 4.0, 3.0]] * 2)),
            public=True,
        ),
        Case(
            "two texts of three positions",
            (logits(rng, (2, 3, 4), 2.0), logits(rng, (2, 3, 4), 2.0)),
            public=True,
        ),
        Case(
            "logits of ±300",
            (t([[300.0, -300.0, 0.0, 1.0]]), t([[-300.0, 2.0, 299.0, 300.0]])),
            part=EXTREME,
            public=True,
        ),
        Case("student equals teacher", (t([[1.5, -2.0, 0.0]] * 4), t([[1.5, -2.0, 0.0]] * 4))),
        Case("uniform student", (torch.zeros(2, 8), logits(rng, (2, 8), 1.5))),
        Case("uniform teacher", (logits(rng, (3, 5), 1.5), torch.zeros(3, 5))),
        Case("all logits positive", (t([[4.0, 1.0, 2.5]] * 2), t([[0.5, 3.0, 2.0]] * 2))),
        Case("double precision", (logits(rng, (4, 6)).double(), logits(rng, (4, 6)).double())),
        Case("logits of ±5000", (t([5e3, 0.0, -5e3]), t([0.0, 5e3, -5e3])), part=EXTREME),
    )


def random_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Cases of a submission's own."""
    for leading in ((), (5,), (2, 3)):
        shape = (*leading, int(rng.integers(3, 12)))
        yield Case("random", (logits(rng, shape), logits(rng, shape)))
    shape = (3, int(rng.integers(3, 7)))
    positive = (logits(rng, shape).abs() + 0.1, logits(rng, shape).abs() + 0.1)
    yield Case("random, positive", positive)
    # Far apart, so that probabilities underflow in float32.
    front, behind = np.eye(4)[rng.permutation(4)[:2]]
    extreme = torch.tensor(np.stack([front, behind]) * rng.uniform(300, 900), dtype=torch.float32)
    noise = logits(rng, (2, 2, 4))
    yield Case("random, extreme", (extreme + noise[0], extreme.flip(0) + noise[1]), part=EXTREME)


def logits(rng: np.random.Generator, shape: tuple[int, ...], scale: float = 3.0) -> Tensor:
    """Normal logits in float32."""
    return torch.tensor(rng.normal(scale=scale, size=shape), dtype=torch.float32)


# --- Misconceptions -----------------------------------------------------------------------------
# Each is written for logits in front and behind, so that it serves both directions.


def log_of_softmax(front: Tensor, behind: Tensor) -> Tensor:
    """The textbook formula, taken literally: log f − log b of probabilities that underflow."""
    f, b = front.softmax(-1), behind.softmax(-1)
    return (f * (f.log() - b.log())).sum(-1)


def log_of_ratio(front: Tensor, behind: Tensor) -> Tensor:
    """The same, with the logarithm of the quotient."""
    f, b = front.softmax(-1), behind.softmax(-1)
    return (f * (f / b).log()).sum(-1)


def zeros_settled(front: Tensor, behind: Tensor) -> Tensor:
    """The same, with 0·log 0 = 0 and with infinity where b is 0; torch.distributions does this."""
    f, b = front.softmax(-1), behind.softmax(-1)
    terms = torch.where(b == 0, math.inf, f * (front.log_softmax(-1) - behind.log_softmax(-1)))
    return torch.where(f == 0, 0.0, terms).sum(-1)


KLS = (kl, log_of_softmax, log_of_ratio)  # a stable one, and what students often write


def cross_entropy(front: Tensor, behind: Tensor) -> Tensor:
    """−Σ f log b: the entropy of f is missing."""
    return -(front.softmax(-1) * behind.log_softmax(-1)).sum(-1)


def cross_entropy_of_probabilities(front: Tensor, behind: Tensor) -> Tensor:
    """The same with a logarithm that underflows."""
    return -(front.softmax(-1) * behind.softmax(-1).log()).sum(-1)


def softmax_over(axis: int, front: Tensor, behind: Tensor) -> Tensor:
    """Normalised over another axis than the vocabulary."""
    log_front, log_behind = front.log_softmax(axis), behind.log_softmax(axis)
    return (log_front.exp() * (log_front - log_behind)).sum(-1)


def softmax_over_by_ratio(axis: int, front: Tensor, behind: Tensor) -> Tensor:
    """The same, with logarithms that underflow."""
    f, b = front.softmax(axis), behind.softmax(axis)
    return (f * (f.log() - b.log())).sum(-1)


def vocabulary_mean(of: Callable, front: Tensor, behind: Tensor) -> Tensor:
    """Divided by the size of the vocabulary."""
    return of(front, behind) / front.shape[-1]


def base_two(of: Callable, front: Tensor, behind: Tensor) -> Tensor:
    """In bits."""
    return of(front, behind) / math.log(2)


def sign_flipped(of: Callable, front: Tensor, behind: Tensor) -> Tensor:
    """log b − log f."""
    return -of(front, behind)


def mean_over_all(of: Callable, front: Tensor, behind: Tensor) -> Tensor:
    """One number for all positions: their mean."""
    return of(front, behind).mean()


def sum_over_all(of: Callable, front: Tensor, behind: Tensor) -> Tensor:
    """One number for all positions: their sum."""
    return of(front, behind).sum()


def batch_mean(of: Callable, front: Tensor, behind: Tensor) -> Tensor:
    """One number for all positions: their sum over the first axis's length."""
    return of(front, behind).sum() / front.shape[0]


def logits_as_probabilities(front: Tensor, behind: Tensor) -> Tensor:
    """The formula with logits in the place of probabilities."""
    return (front * (front.log() - behind.log())).sum(-1)


def logits_as_probabilities_by_ratio(front: Tensor, behind: Tensor) -> Tensor:
    """The same, with the logarithm of the quotient."""
    return (front * (front / behind).log()).sum(-1)


def logits_as_log_probabilities(front: Tensor, behind: Tensor) -> Tensor:
    """The right weights on a difference of logits that were never normalised."""
    return (front.softmax(-1) * (front - behind)).sum(-1)


SHARED = {
    "cross_entropy": (
        "Your loss does not reach 0 when student and teacher agree. A divergence is the"
        " cross-entropy minus something that depends on one of the two distributions alone."
        " Which term is missing?",
        "1.2",
        (cross_entropy, cross_entropy_of_probabilities),
    ),
    "wrong_axis": (
        "Your probabilities add up to 1 along an axis that is not the vocabulary, so positions"
        " compete with each other. With inputs of shape [..., V], which axis holds the classes?",
        "1.2",
        tuple(
            partial(wrong, axis)
            for axis in (0, 1)
            for wrong in (softmax_over, softmax_over_by_ratio)
        ),
    ),
    "underflow": (
        "Right for ordinary logits, but not for extreme ones: a probability below about 1e-45 is"
        " 0 in float32, and its logarithm is −∞. Do not form the probability before you take its"
        " logarithm; torch has one function that does both at once.",
        "1.2",
        (log_of_softmax, log_of_ratio, zeros_settled),
    ),
    "vocabulary_mean": (
        "Every value is too small by the same factor, the size of the vocabulary. A divergence"
        " adds up the contributions of the classes. What does your reduction over the last axis"
        " do?",
        "1.2",
        tuple(partial(vocabulary_mean, of) for of in KLS),
    ),
    "base_two": (
        "Every value is too large by 1.44, which is 1/ln 2: these are bits. The task asks for"
        " nats. Which logarithm measures in nats?",
        "1.2",
        tuple(partial(base_two, of) for of in KLS),
    ),
    "sign_flipped": (
        "The size is right and the sign is not: a divergence is never negative. Look at the"
        " order of the two logarithms in the difference.",
        "1.2",
        tuple(partial(sign_flipped, of) for of in KLS),
    ),
    "positions_collapsed": (
        "You return one number for the whole input. Keep the leading axes: every position has a"
        " divergence of its own, and later tasks leave some positions out.",
        "2.2",
        tuple(
            partial(wrong, of) for wrong in (mean_over_all, sum_over_all, batch_mean) for of in KLS
        ),
    ),
    "logits_as_probabilities": (
        "The formula is about probabilities, and what comes in are logits, which may be negative"
        " and need not add up to 1. What turns one into the other? Both places in the formula"
        " need it.",
        "1.2",
        (
            logits_as_probabilities,
            logits_as_probabilities_by_ratio,
            logits_as_log_probabilities,
        ),
    ),
}


def misconceptions(teacher_in_front: bool) -> tuple[Misconception, ...]:
    """The misconceptions of forward KL, where the teacher is in front, or of reverse KL."""
    swapped = (
        "You computed the other direction: the weights in front of the logarithms come from the"
        " wrong model. Read KL(a‖b) as: of what a says is likely, how much does b miss? Who is a"
        " here?",
        "1.3",
        tuple(partial(_turned, of) for of in KLS),
    )

    def ordered(wrong: Callable) -> Callable:
        if teacher_in_front:
            return lambda student, teacher: wrong(teacher, student)
        return wrong

    return tuple(
        Misconception(name, hint, SECTIONS[number], ordered(wrong))
        for name, (hint, number, wrongs) in {"direction_swapped": swapped, **SHARED}.items()
        for wrong in wrongs
    )


def _turned(of: Callable, front: Tensor, behind: Tensor) -> Tensor:
    return of(behind, front)


# --- The tasks ----------------------------------------------------------------------------------

CHECKS = (
    FunctionCheck(
        name="forward_kl",
        parts={"values": 3, EXTREME: 1},
        expected="KL(p‖q), p the teacher and q the student, of logits of shape [..., V]: one"
        " value in nats per position, shape [...], also when logits are extreme.",
        section=SECTIONS["1.2"],
        reference=forward_kl,
        fixed=fixed_cases(),
        random=random_cases,
        misconceptions=misconceptions(teacher_in_front=True),
    ),
    FunctionCheck(
        name="reverse_kl",
        parts={"values": 3, EXTREME: 1},
        expected="KL(q‖p), q the student and p the teacher, of logits of shape [..., V]: one"
        " value in nats per position, shape [...], also when logits are extreme.",
        section=SECTIONS["1.3"],
        reference=reverse_kl,
        fixed=fixed_cases(),
        random=random_cases,
        misconceptions=misconceptions(teacher_in_front=False),
    ),
    choice(
        name="reverse_kl_choice",
        parts={"answer": 2},
        expected="What a student that cannot match every peak of its teacher does when KL(q‖p)"
        " is what it minimises.",
        section=SECTIONS["1.3"],
        options=(
            Option(
                "a",
                "Think of a token that the teacher likes and the student gives almost nothing."
                " In the loss it is weighted by q, the student's own probability. How much does"
                " it cost?",
                SECTIONS["1.3"],
            ),
            Option(
                "b",
                "A divergence is not a distance: swap its two arguments and other classes get"
                " the weight. Compute both for p = [0.9, 0.1] and q = [0.5, 0.5] and compare.",
                SECTIONS["1.2"],
            ),
            Option("c", None, SECTIONS["1.3"]),
            Option(
                "d",
                "The loss does contain the student's entropy, and a larger one lowers it. But it"
                " also charges the student wherever it puts probability that the teacher does"
                " not. What would an even student pay there?",
                SECTIONS["1.3"],
            ),
        ),
    ),
)
