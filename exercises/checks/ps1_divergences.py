"""Checks of ps1_divergences: temperature, both KLs, a ranking, a fit. Never released."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import pairwise, permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from autograder.spec import (
    AnswerCheck,
    Case,
    FunctionCheck,
    Misconception,
    Mistake,
    Option,
    choice,
    load_sections,
    tolerance,
)

SECTIONS = load_sections(Path(__file__).with_name("sections.json"))
WITHHELD = ("kdlab",)  # it holds the answers
MILLIONTH = 1.1e-6  # of a result; what the notebook allows, and its rounding

# --- Two divergences -----------------------------------------------------------------------------
# A KL has a distribution in front, which weighs the classes, and one behind. Forward KL has the
# teacher in front, reverse KL the student.


def forward_kl(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """KL(p‖q) in float64."""
    return kl(teacher_logits.double(), student_logits.double())


def reverse_kl(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """KL(q‖p) in float64."""
    return kl(student_logits.double(), teacher_logits.double())


def kl_tolerance(case: Case) -> float:
    """What rounding explains, and a millionth of the largest result in either direction."""
    results = torch.stack([forward_kl(*case.args), reverse_kl(*case.args)])
    return max(tolerance(case), MILLIONTH * float(results.max()))


def kl(front: Tensor, behind: Tensor) -> Tensor:
    """Σ f (log f − log b) over the last axis, of logits."""
    log_front, log_behind = front.log_softmax(-1), behind.log_softmax(-1)
    return (log_front.exp() * (log_front - log_behind)).sum(-1)


# --- Cases --------------------------------------------------------------------------------------

EXTREME = "extreme logits"


def fixed_cases() -> tuple[Case, ...]:
    """Public and hidden cases, as (student_logits, teacher_logits).

    Of small numbers added to a probability the fixed cases tell those that a random one could:
    the verdict must not hang on what a submission happens to draw.
    """
    t = torch.tensor
    rng = np.random.default_rng(20)
    few = logits(np.random.default_rng(22), (2, 2, 1, 2), 1.5)  # both models'
    few[1, 0] = few[0, 0]
    axes = logits(np.random.default_rng(23), (2, 1, 2, 1, 3), 1.5)
    return (
        Case("one position", (t([0.0, 1.0, 2.0]), t([2.0, 0.5, 0.0])), public=True),
        Case(
            "the same, 1 added to all logits of the student",
            (t([1.0, 2.0, 3.0]), t([2.0, 0.5, 0.0])),
            public=True,
            only="a number that is added to all logits of the student",
        ),
        Case(
            "a token that the student finds unlikely",
            (t([0.0, 15.0, 14.0]), t([12.0, 0.0, 1.0])),
            public=True,
            only="the content of the logits",
        ),
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
            "all logits positive",
            (t([[4.0, 1.0, 2.5], [0.2, 0.1, 3.0]]), t([[0.5, 3.0, 2.0], [1.0, 2.0, 0.3]])),
            public=True,
        ),
        Case(
            "a token that the teacher finds unlikely",
            (t([[12.0, 0.0, 1.0]]), t([[0.0, 15.0, 14.0]])),
            public=True,
        ),
        Case(
            "logits of ±300",
            (t([[300.0, -300.0, 0.0, 1.0]]), t([[-300.0, 2.0, 299.0, 300.0]])),
            part=EXTREME,
            public=True,
        ),
        Case(
            "logits between -200 and 0",
            (t([[0.0, -150.0, -1.0], [0.0, 0.0, -200.0]]), t([[-1.0, 0.0, -120.0]] * 2)),
            part=EXTREME,
            public=True,
        ),
        Case(
            "logits near 200",
            (t([[200.0, 201.0, 199.5]]), t([[200.5, 199.0, 201.0]])),
            part=EXTREME,
            public=True,
        ),
        Case("student equals teacher", (t([[1.5, -2.0, 0.0]] * 4), t([[1.5, -2.0, 0.0]] * 4))),
        Case("uniform student", (torch.zeros(2, 8), logits(rng, (2, 8), 1.5))),
        Case("uniform teacher", (logits(rng, (3, 5), 1.5), torch.zeros(3, 5))),
        Case("as many positions as tokens", (logits(rng, (4, 4), 1.5), logits(rng, (4, 4), 1.5))),
        Case(
            "logits of ±5000",
            (t([5e3, 0.0, -4.9e3]), t([-5e3, 0.0, 5e3])),
            part=EXTREME,
            public=True,
        ),
        Case(
            "one position near 5000, one near -5000",
            (
                t([[5000.0, 4995.0, 4990.0], [-5000.0, -4993.0, -4996.0]]),
                t([[4996.0, 5000.0, 4991.0], [-4997.0, -5000.0, -4994.0]]),
            ),
            part=EXTREME,
            public=True,
        ),
        Case("a vocabulary of 40", (logits(rng, (2, 40), 1.5), logits(rng, (2, 40), 1.5))),
        Case("texts of one position, in the first of which both agree", tuple(few)),
        Case("four axes", tuple(axes)),
    )


def facts(case: Case) -> dict[str, Any]:
    """What is so of a case, as (student_logits, teacher_logits)."""
    student, teacher = case.args
    return {
        "the size of the vocabulary": student.shape[-1],
        "the number of positions": student[..., 0].numel(),
        "the number of texts": student.shape[0] if student.ndim > 1 else 1,
        "the length of the first axis": student.shape[0],
        "exp of a logit is more than float32 can hold": bool(
            max(student.max(), teacher.max()) > 88
        ),
        "a probability is 0 in float32": bool(
            min(student.softmax(-1).min(), teacher.softmax(-1).min()) == 0
        ),
        "a logarithm of a probability is below -1000": bool(
            min(student.log_softmax(-1).min(), teacher.log_softmax(-1).min()) < -1000
        ),
        "a logit is negative": bool(min(student.min(), teacher.min()) < 0),
        "there is more than one position": student[..., 0].numel() > 1,
        **axes_of(student),
    }


def axes_of(logits: Tensor) -> dict[str, bool]:
    """What is so of the axes of logits."""
    return {
        "logits have one axis": logits.ndim == 1,
        "logits have another number of axes than two": logits.ndim != 2,
        "logits have another number of axes than three": logits.ndim != 3,
    }


def random_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Cases of a submission's own; milder than the fixed ones."""
    for leading in ((), (5,), (2, 3)):
        shape = (*leading, int(rng.integers(3, 12)))
        yield Case("random", (mild(rng, shape), mild(rng, shape)))
    # Far apart, so that probabilities underflow in float32.
    front, behind = np.eye(4)[rng.permutation(4)[:2]]
    extreme = torch.tensor(np.stack([front, behind]) * rng.uniform(300, 900), dtype=torch.float32)
    noise = logits(rng, (2, 2, 4))
    yield Case("random, extreme", (extreme + noise[0], extreme.flip(0) + noise[1]), part=EXTREME)


def mild(rng: np.random.Generator, shape: tuple[int, ...]) -> Tensor:
    """Logits with gaps of at most 4, so that no probability is small."""
    return logits(rng, shape, 1.2).clamp(-2.0, 2.0)


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


def log_of_front(front: Tensor, behind: Tensor) -> Tensor:
    """The same, but for the logarithm of b."""
    return (front.softmax(-1) * (front.softmax(-1).log() - behind.log_softmax(-1))).sum(-1)


def log_of_behind(front: Tensor, behind: Tensor) -> Tensor:
    """The same, but for the logarithm of f."""
    return (front.softmax(-1) * (front.log_softmax(-1) - behind.softmax(-1).log())).sum(-1)


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


def softmax_over_of_one(axes: tuple[int, int], front: Tensor, behind: Tensor) -> Tensor:
    """One of the two is normalised over another axis than the vocabulary."""
    log_front, log_behind = front.log_softmax(axes[0]), behind.log_softmax(axes[1])
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


def at_temperature(
    heat: float, scale: float, averaged: bool, front: Tensor, behind: Tensor
) -> Tensor:
    """A divergence at a temperature of its own, for each position or over the first axis."""
    losses = scale * kl(front / heat, behind / heat)
    return losses.sum() / front.shape[0] if averaged else losses


def batch_mean(of: Callable, front: Tensor, behind: Tensor) -> Tensor:
    """One number for all positions: their sum over the first axis's length."""
    return of(front, behind).sum() / front.shape[0]


def logits_as_probabilities(front: Tensor, behind: Tensor) -> Tensor:
    """The formula with logits in the place of probabilities."""
    return (front * (front.log() - behind.log())).sum(-1)


def logits_as_probabilities_by_ratio(front: Tensor, behind: Tensor) -> Tensor:
    """The same, with the logarithm of the quotient."""
    return (front * (front / behind).log()).sum(-1)


def logits_in_front(front: Tensor, behind: Tensor) -> Tensor:
    """Logits in front, of which a logarithm is taken; what stands behind is right."""
    return (front * (front.log() - behind.log_softmax(-1))).sum(-1)


def logits_for_the_target(front: Tensor, behind: Tensor) -> Tensor:
    """The same by kl_div, which takes 0·log 0 for 0."""
    return F.kl_div(behind.log_softmax(-1), front, reduction="none").sum(-1)


def logits_behind(front: Tensor, behind: Tensor) -> Tensor:
    """The logarithm of the logits behind; what stands in front is right."""
    return (front.softmax(-1) * (front.log_softmax(-1) - behind.log())).sum(-1)


def logits_as_log_probabilities(front: Tensor, behind: Tensor) -> Tensor:
    """The right weights on a difference of logits that were never normalised."""
    return (front.softmax(-1) * (front - behind)).sum(-1)


def logits_for_one_logarithm(which: int, front: Tensor, behind: Tensor) -> Tensor:
    """The same, of one of the two."""
    logs = [front.log_softmax(-1), behind.log_softmax(-1)]
    logs[which] = (front, behind)[which]
    return (front.softmax(-1) * (logs[0] - logs[1])).sum(-1)


def logarithm_cut_off(least: float, of: tuple[bool, bool], front: Tensor, behind: Tensor) -> Tensor:
    """Logarithms of probabilities are not below a number."""
    log_f, log_b = (
        each.log_softmax(-1).clamp_min(least if cut else -math.inf)
        for each, cut in zip((front, behind), of, strict=True)
    )
    return (log_f.exp() * (log_f - log_b)).sum(-1)


def clamped_logits(of: Callable, most: float, front: Tensor, behind: Tensor) -> Tensor:
    """No logit is far from 0."""
    return of(front.clamp(-most, most), behind.clamp(-most, most))


def mean_over_elements(of: Callable, front: Tensor, behind: Tensor) -> Tensor:
    """kl_div's own mean: over positions and classes."""
    return of(front, behind).sum() / front.numel()


def softmax_over_all(front: Tensor, behind: Tensor) -> Tensor:
    """Normalised over all positions at once."""
    log_front, log_behind = (
        each.flatten().log_softmax(0).reshape(each.shape) for each in (front, behind)
    )
    return (log_front.exp() * (log_front - log_behind)).sum(-1)


def axis_left_out(front: Tensor, behind: Tensor) -> Tensor:
    """The axis that torch takes when none is named: the first of one or three."""
    return softmax_over(0 if front.ndim in (1, 3) else 1, front, behind)


def summed_over(axis: int, own: int, front: Tensor, behind: Tensor) -> Tensor:
    """Summed over another axis than the vocabulary, and normalised over `own`."""
    log_front, log_behind = front.log_softmax(own), behind.log_softmax(own)
    return (log_front.exp() * (log_front - log_behind)).sum(axis)


def log_target_missing(front: Tensor, behind: Tensor) -> Tensor:
    """kl_div is given the logarithm of the front, and takes the logarithm of that."""
    log_front, log_behind = front.log_softmax(-1), behind.log_softmax(-1)
    return F.kl_div(log_behind, log_front, reduction="none").sum(-1)


def log_target_with_probabilities(front: Tensor, behind: Tensor) -> Tensor:
    """kl_div is told that its target is a logarithm, and gets probabilities."""
    target, log_behind = front.softmax(-1), behind.log_softmax(-1)
    return F.kl_div(log_behind, target, reduction="none", log_target=True).sum(-1)


def probabilities_as_input(front: Tensor, behind: Tensor) -> Tensor:
    """kl_div is given the probabilities behind, not their logarithms."""
    return F.kl_div(behind.softmax(-1), front.softmax(-1), reduction="none").sum(-1)


def probabilities_as_input_and_logarithms(front: Tensor, behind: Tensor) -> Tensor:
    """The same with log_target=True and a logarithm as the target."""
    log_front = front.log_softmax(-1)
    return F.kl_div(behind.softmax(-1), log_front, reduction="none", log_target=True).sum(-1)


def softmax_of_softmax(front: Tensor, behind: Tensor) -> Tensor:
    """Both distributions were softmaxed twice."""
    return kl(front.softmax(-1), behind.softmax(-1))


def logarithms_of_softmax_of_softmax(front: Tensor, behind: Tensor) -> Tensor:
    """Right weights, and logarithms of distributions that were softmaxed twice."""
    f, b = front.softmax(-1), behind.softmax(-1)
    return (f * (f.log_softmax(-1) - b.log_softmax(-1))).sum(-1)


def weighted_by_logits(front: Tensor, behind: Tensor) -> Tensor:
    """Raw logits as weights."""
    return (front * (front.log_softmax(-1) - behind.log_softmax(-1))).sum(-1)


def weighted_by_logarithms(front: Tensor, behind: Tensor) -> Tensor:
    """Log-probabilities as weights."""
    log_front = front.log_softmax(-1)
    return (log_front * (log_front - behind.log_softmax(-1))).sum(-1)


def weighted_by_both(front: Tensor, behind: Tensor) -> Tensor:
    """The mean of both distributions as weights."""
    return (kl(front, behind) - kl(behind, front)) / 2


def classes_on_axis_one(front: Tensor, behind: Tensor) -> Tensor:
    """Cross-entropies by F.cross_entropy, which takes axis 1 for the classes, or the only one."""
    f, axis = front.softmax(-1), min(1, front.ndim - 1)
    return (f * (front.log_softmax(axis) - behind.log_softmax(axis))).sum(axis)


def in_a_coarse_type(kind: torch.dtype, after: bool, front: Tensor, behind: Tensor) -> Tensor:
    """Computed in a type of two or three digits, or with what is left of the logits there."""
    front, behind = front.to(kind), behind.to(kind)
    return kl(front, behind).float() if after else kl(front.float(), behind.float())


def weights_left_out(front: Tensor, behind: Tensor) -> Tensor:
    """Every class counts the same."""
    return (front.log_softmax(-1) - behind.log_softmax(-1)).sum(-1)


def logarithms_left_out(front: Tensor, behind: Tensor) -> Tensor:
    """A difference of probabilities for the difference of logarithms."""
    f = front.softmax(-1)
    return (f * (f - behind.softmax(-1))).sum(-1)


def forced_positive(force: Callable, front: Tensor, behind: Tensor) -> Tensor:
    """No class may add a negative share."""
    gap = front.log_softmax(-1) - behind.log_softmax(-1)
    return (front.softmax(-1) * force(gap)).sum(-1)


def other_entropy(front: Tensor, behind: Tensor) -> Tensor:
    """A cross-entropy, minus the entropy of the wrong one of the two."""
    return cross_entropy(front, behind) - cross_entropy(behind, behind)


def unlikely_left_out(least: float, front: Tensor, behind: Tensor) -> Tensor:
    """The terms of classes that are likely enough."""
    log_front, log_behind = front.log_softmax(-1), behind.log_softmax(-1)
    terms = log_front.exp() * (log_front - log_behind)
    return terms.where(log_front.exp() > least, 0.0).sum(-1)


def one_token(place: int, front: Tensor, behind: Tensor) -> Tensor:
    """The share of one token."""
    log_front, log_behind = front.log_softmax(-1), behind.log_softmax(-1)
    return (log_front.exp() * (log_front - log_behind))[..., place]


def one_token_left_out(place: int, front: Tensor, behind: Tensor) -> Tensor:
    """The sum over all tokens but one."""
    return kl(front, behind) - one_token(place, front, behind)


def squared_gaps(front: Tensor, behind: Tensor) -> Tensor:
    """The logarithms' differences, squared."""
    return (front.softmax(-1) * (front.log_softmax(-1) - behind.log_softmax(-1)) ** 2).sum(-1)


def mixed_softmax(once: Callable, twice: Callable, front: Tensor, behind: Tensor) -> Tensor:
    """Weights of one kind; one of the two logarithms is of a second softmax."""
    f, b = front.softmax(-1), behind.softmax(-1)
    log_f, log_b = once(f), twice(b)
    return (f * (log_f - log_b)).sum(-1)


def against_mixture(front: Tensor, behind: Tensor, share: float = 0.5) -> Tensor:
    """KL from a distribution to a mixture of both, in which it has a share."""
    log_front, log_behind = front.log_softmax(-1), behind.log_softmax(-1)
    log_m = torch.logaddexp(log_front + math.log(share), log_behind + math.log(1 - share))
    return (log_front.exp() * (log_front - log_m)).sum(-1)


MEASURES: tuple[Callable[[Tensor, Tensor], Tensor], ...] = (
    lambda f, b: cross_entropy(f, f),
    lambda f, b: cross_entropy(b, b),
    lambda f, b: -cross_entropy(f, f),
    lambda f, b: -cross_entropy(b, b),
    lambda f, b: (f.softmax(-1) - b.softmax(-1)).abs().sum(-1),
    lambda f, b: (f.softmax(-1) - b.softmax(-1)).abs().sum(-1) / 2,
    lambda f, b: ((f.softmax(-1) - b.softmax(-1)) ** 2).sum(-1),
    lambda f, b: ((f.softmax(-1) - b.softmax(-1)) ** 2).mean(-1),
    lambda f, b: ((f - b) ** 2).sum(-1),
    lambda f, b: ((f - b) ** 2).mean(-1),
    lambda f, b: (against_mixture(f, b) + against_mixture(b, f)) / 2,
    against_mixture,
    *(partial(against_mixture, share=share) for share in (0.1, 0.9)),
    lambda f, b: (f.softmax(-1) * (f.log_softmax(-1) - b.log_softmax(-1))).max(-1).values,
    lambda f, b: 1 - F.cosine_similarity(f.softmax(-1), b.softmax(-1), dim=-1),
    lambda f, b: 1 / kl(b, f),
    lambda f, b: kl(f, b).clamp_min(0.0).sqrt(),
    lambda f, b: kl(f, b) ** 2,
    lambda f, b: cross_entropy(f, f) + cross_entropy(f, b),
    lambda f, b: kl(f, b) - kl(b, f),
    lambda f, b: cross_entropy(f, f) - cross_entropy(b, b),
    lambda f, b: cross_entropy(b, b) - cross_entropy(f, f),
    lambda f, b: -b.log_softmax(-1).gather(-1, f.argmax(-1, keepdim=True))[..., 0],
    lambda f, b: b.log_softmax(-1).gather(-1, f.argmax(-1, keepdim=True))[..., 0],
)


def both_directions(share: float, front: Tensor, behind: Tensor) -> Tensor:
    """Both divergences, added."""
    return share * (kl(front, behind) + kl(behind, front))


def infinite_terms_dropped(
    posinf: float | None, neginf: float | None, front: Tensor, behind: Tensor
) -> Tensor:
    """What is NaN or infinite in the textbook formula is replaced."""
    f, b = front.softmax(-1), behind.softmax(-1)
    terms = f * (f.log() - b.log())
    return torch.nan_to_num(terms, nan=0.0, posinf=posinf, neginf=neginf).sum(-1)


def infinite_values_dropped(front: Tensor, behind: Tensor) -> Tensor:
    """What is NaN or infinite in the result is replaced."""
    return torch.nan_to_num(log_of_softmax(front, behind), nan=0.0, posinf=0.0, neginf=0.0)


def zero_weights_dropped(front: Tensor, behind: Tensor) -> Tensor:
    """Terms whose product underflows are dropped, whichever of the two is 0."""
    f, b = front.softmax(-1), behind.softmax(-1)
    keep = (f > 0) & (b > 0)
    return torch.where(keep, f * (f / b).log(), 0.0).sum(-1)


def overflowed(front: Tensor, behind: Tensor) -> Tensor:
    """Probabilities as exp over a sum of exps that float32 cannot hold."""
    f, b = (each.exp() / each.exp().sum(-1, keepdim=True) for each in (front, behind))
    return (f * (f.log() - b.log())).sum(-1)


def overflowed_by_ratio(front: Tensor, behind: Tensor) -> Tensor:
    """The same, with the logarithm of the quotient."""
    f, b = (each.exp() / each.exp().sum(-1, keepdim=True) for each in (front, behind))
    return (f * (f / b).log()).sum(-1)


def overflowed_logarithm(front: Tensor, behind: Tensor) -> Tensor:
    """z − log Σ exp z, with a sum that float32 cannot hold."""
    log_f, log_b = (each - each.exp().sum(-1, keepdim=True).log() for each in (front, behind))
    return (log_f.exp() * (log_f - log_b)).sum(-1)


def one_maximum_for_all(of: tuple[bool, bool], front: Tensor, behind: Tensor) -> Tensor:
    """Logarithms from which the largest logit of all positions was taken, of one model or both."""
    log_f, log_b = (
        gap - gap.exp().sum(-1, keepdim=True).log() if of_all else each.log_softmax(-1)
        for each, of_all in zip((front, behind), of, strict=True)
        for gap in [each - each.max()]
    )
    return (log_f.exp() * (log_f - log_b)).sum(-1)


def in_double(of: Callable, front: Tensor, behind: Tensor) -> Tensor:
    """In float64, which holds more."""
    return of(front.double(), behind.double())


# A small number that should keep logarithms finite, in the ways that people write it.
SMALL = (
    5e-2,
    1e-2,
    1e-3,
    1e-4,
    1e-5,
    1e-6,
    1e-7,
    1e-8,
    1e-9,
    1e-10,
    1e-12,
    1e-15,
    1e-16,
    1e-20,
    1e-30,
    torch.finfo(torch.float32).tiny,
    torch.finfo(torch.float32).eps,
)
FLOORS: tuple[Callable[[Tensor, Tensor, float], Tensor], ...] = (
    lambda f, b, e: f * ((f + e).log() - (b + e).log()),
    lambda f, b, e: (f + e) * ((f + e).log() - (b + e).log()),
    lambda f, b, e: torch.special.xlogy(f, f) - f * (b + e).log(),
    lambda f, b, e: f * (f / (b + e) + e).log(),
    lambda f, b, e: f.clamp_min(e) * (f.clamp_min(e).log() - b.clamp_min(e).log()),
    lambda f, b, e: f * (f.clamp_min(e).log() - b.clamp_min(e).log()),
    lambda f, b, e: torch.special.xlogy(f, f) - f * b.clamp_min(e).log(),
    lambda f, b, e: (f * (f.log() - b.clamp_min(e).log())).nan_to_num(nan=0.0),
)


PERCEPTIBLE = 1e-4  # what a number that is added to a quotient must be to change the result


def added_to_the_quotient(f: Tensor, b: Tensor, e: float) -> Tensor:
    """Keeps nothing finite: the quotient is f/0 or 0/0."""
    return f * (f / b + e).log()


def floor_under(form: Callable, size: float, front: Tensor, behind: Tensor) -> Tensor:
    """The textbook formula with a small number in it."""
    return form(front.softmax(-1), behind.softmax(-1), size).sum(-1)


COLLAPSED = (mean_over_all, sum_over_all, batch_mean, mean_over_elements)
SHARED = {
    "cross_entropy": (
        "Your result is not 0 when student and teacher agree: it is a cross-entropy, perhaps with"
        " a minus sign. A divergence is the cross-entropy minus something that depends on one"
        " of the two distributions alone. Which term is missing?",
        "1.2",
        (
            cross_entropy,
            cross_entropy_of_probabilities,
            lambda front, behind: -cross_entropy(front, behind),
            lambda front, behind: -cross_entropy_of_probabilities(front, behind),
        ),
    ),
    "wrong_axis": (
        "Your softmax or your sum seems to run along another axis than the vocabulary, or over"
        " all axes. In inputs of shape [..., V], which axis is the vocabulary, however many axes"
        " there are?",
        "1.2",
        tuple(
            partial(wrong, axis)
            for axis in (0, 1)
            for wrong in (softmax_over, softmax_over_by_ratio)
        )
        + tuple(partial(summed_over, axis, own) for axis in (0, 1) for own in (axis, -1))
        + tuple(partial(softmax_over_of_one, axes) for axes in ((0, -1), (-1, 0), (1, -1), (-1, 1)))
        + (softmax_over_all, axis_left_out, classes_on_axis_one),
    ),
    "underflow": (
        "For extreme logits, your results are what comes out when a probability becomes 0 in"
        " float32, as every number below about 1e-45 does: its logarithm is −∞. This may happen"
        " in your own lines or in a function that they call. torch has a function that takes"
        " logits and returns logarithms of probabilities, without computing the probabilities"
        " first.",
        "1.2",
        (
            log_of_softmax,
            log_of_ratio,
            log_of_front,
            log_of_behind,
            zeros_settled,
            *(
                partial(floor_under, added_to_the_quotient, size)
                for size in SMALL
                if size < PERCEPTIBLE
            ),
        ),
    ),
    "vocabulary_mean": (
        "Every value is too small by a factor of V, the size of the vocabulary. A divergence"
        " adds up the contributions of the tokens. What does your reduction over the last axis"
        " do?",
        "1.2",
        tuple(partial(vocabulary_mean, of) for of in KLS),
    ),
    "base_two": (
        "Every value is 1.44 times too large, which is 1/ln 2: these are bits. The task asks for"
        " nats. Which logarithm gives nats?",
        "1.2",
        tuple(partial(base_two, of) for of in KLS),
    ),
    "sign_flipped": (
        "Your values have the wrong sign: a divergence is never negative. There may be one minus"
        " sign too many, or the two logarithms are subtracted in the wrong order.",
        "1.2",
        tuple(partial(sign_flipped, of) for of in KLS),
    ),
    "positions_collapsed": (
        "Your result is one number for the whole input. Keep the leading axes: every position"
        " has a divergence of its own, and in later problem sets some positions do not count.",
        "2.2",
        tuple(partial(wrong, of) for wrong in COLLAPSED for of in KLS),
    ),
    "cross_entropy+positions_collapsed": (
        "At least two things are off. Your result is one number for the whole input, but every"
        " position has a divergence of its own. It is also a cross-entropy, which is not 0 when"
        " student and teacher agree.",
        "1.2",
        tuple(
            partial(wrong, of)
            for wrong in (mean_over_all, sum_over_all, batch_mean)
            for of in (cross_entropy, cross_entropy_of_probabilities)
        ),
    ),
    "probabilities_as_input+positions_collapsed": (
        "At least two things are off. Your result is one number for the whole input, but every"
        " position has a divergence of its own. Also, b in KL(a‖b) seems to enter as"
        " probabilities: if you call kl_div, it takes log-probabilities as its input.",
        "1.2",
        tuple(partial(wrong, probabilities_as_input) for wrong in COLLAPSED),
    ),
    "logits_clamped": (
        "Extreme logits seem to be cut off at some limit in your answer: beyond it they become"
        " equal, although they differ. A log-softmax does not change when you subtract the same"
        " number from all logits of a position. torch's own function does this, and needs no"
        " limit.",
        "1.2",
        tuple(
            partial(clamped_logits, of, most)
            for most in (20.0, 30.0, 50.0, 80.0, 88.0, 100.0)
            for of in KLS[:2]
        ),
    ),
    "temperature_of_its_own": (
        "Your results are those of distributions at a temperature other than 1, perhaps"
        " multiplied by a factor. This task has no temperature: compare the logits as they are.",
        "1.2",
        tuple(
            partial(at_temperature, heat, heat**power, averaged)
            for heat in (1.5, 2.0, 3.0, 4.0, 5.0, 10.0)
            for power in (0, 1, 2)
            for averaged in (False, True)
        ),
    ),
    "base_ten": (
        "Every value is 2.3 times too small, which is ln 10: this is the logarithm to base ten."
        " Which logarithm gives nats?",
        "1.2",
        tuple(lambda front, behind, of=of: of(front, behind) / math.log(10) for of in KLS),
    ),
    "overflow": (
        "For large logits, your results are what comes out when exp overflows: exp(89) is"
        " already more than float32 can hold. A softmax does not change when you subtract one"
        " number from all logits of a position; torch's own softmax does this.",
        "1.2",
        (overflowed, overflowed_by_ratio, overflowed_logarithm),
    ),
    "one_maximum_for_all": (
        "A position whose logits are far below the largest logit of the input comes out as NaN"
        " or infinite, as if the same maximum were subtracted at all positions. Each position"
        " has a maximum of its own.",
        "1.2",
        tuple(
            partial(one_maximum_for_all, of) for of in ((True, True), (True, False), (False, True))
        ),
    ),
    "underflow_in_float64": (
        "Where logits lie very far apart, your results are those of probabilities that became 0"
        " in float64, as all numbers below about 1e-323 do, or of an exp that overflows. float64"
        " only moves the limit. A function that returns logarithms of probabilities without"
        " computing the probabilities has no such limit.",
        "1.2",
        tuple(
            partial(in_double, of)
            for of in (
                log_of_softmax,
                log_of_ratio,
                log_of_front,
                log_of_behind,
                zeros_settled,
                overflowed,
                overflowed_by_ratio,
                overflowed_logarithm,
                infinite_values_dropped,
                zero_weights_dropped,
            )
        ),
    ),
    "infinite_terms_dropped": (
        "For extreme logits, your result is as if everything NaN or infinite were dropped or"
        " replaced by a finite number. With it you may lose the largest term: that of a token"
        " that one model finds likely and the other all but excludes. Use logarithms that stay"
        " finite, and nothing has to be replaced.",
        "1.2",
        (
            partial(infinite_terms_dropped, 0.0, 0.0),
            partial(infinite_terms_dropped, None, None),
            infinite_values_dropped,
            zero_weights_dropped,
        ),
    ),
    "floor_under_probabilities": (
        "Your results are as if a small number were added to a probability or were its lower"
        " limit. That keeps the logarithm finite but also changes it: the least likely tokens,"
        " which may cost most, become cheaper. torch has one function that takes the softmax and"
        " its logarithm together and needs no such number.",
        "1.2",
        tuple(partial(floor_under, form, size) for form in FLOORS for size in SMALL)
        + tuple(
            partial(in_double, partial(floor_under, form, size))
            for form in (FLOORS[0], FLOORS[2], FLOORS[4], FLOORS[5])
            for size in (1e-12, 1e-20, 1e-30, 1e-40, 1e-100, 1e-200, 1e-300)
        ),
    ),
    "log_target_missing": (
        "Your result is NaN. The logarithm of a negative number is NaN, and so is 0/0. Do you"
        " take the logarithm of a logarithm? Log-probabilities are negative, and kl_div takes"
        " the logarithm of its target unless you tell it that the target is a logarithm already.",
        "1.2",
        (log_target_missing,),
    ),
    "log_target_with_probabilities": (
        "Your results are those of a call of kl_div that says that its target is a logarithm but"
        " passes probabilities. kl_div has one rule for its input and another for its target:"
        " look both up.",
        "1.2",
        (log_target_with_probabilities,),
    ),
    "probabilities_as_input": (
        "Your results are as if the second distribution in the formula, b in KL(a‖b), went in as"
        " probabilities, where their logarithms belong. If you call kl_div: it takes"
        " log-probabilities as its input, whatever the target is.",
        "1.2",
        (probabilities_as_input, probabilities_as_input_and_logarithms),
    ),
    "softmax_twice": (
        "Your results are as if a softmax were applied to probabilities. These lie between 0 and"
        " 1, so after a second softmax no token is more than 2.72 times as likely as another."
        " Which of the functions that you call take logits, and which of them get probabilities?",
        "1.1",
        (
            softmax_of_softmax,
            logarithms_of_softmax_of_softmax,
            lambda front, behind: kl(front.softmax(-1), behind),
            lambda front, behind: kl(front, behind.softmax(-1)),
            partial(mixed_softmax, Tensor.log, lambda q: q.log_softmax(-1)),
            partial(mixed_softmax, lambda q: q.log_softmax(-1), Tensor.log),
        ),
    ),
    "shares_forced_positive": (
        "Your results are as if no token's term could be negative. But a term is negative when b"
        " in KL(a‖b) gives the token more than a does. Only the sum over all tokens is never"
        " below 0, and nothing has to force it.",
        "1.2",
        tuple(partial(forced_positive, force) for force in (torch.abs, torch.relu)),
    ),
    "entropy_of_the_other": (
        "Your result is the cross-entropy minus the entropy of the wrong model, so it can be"
        " negative. Split the formula of the task into two sums. One is the cross-entropy; the"
        " other contains only one model: which?",
        "1.2",
        (other_entropy,),
    ),
    "another_measure": (
        "This measures something other than the divergence of the task: perhaps an entropy, a"
        " distance between probabilities or logits, a divergence from a mixture, a root or a"
        " square, or a single token's term. Write the formula of the task down, term by term,"
        " and compare your code with it.",
        "1.2",
        MEASURES,
    ),
    "unlikely_tokens_left_out": (
        "Your results are as if tokens with a small probability were left out. Each adds little,"
        " but there can be many, and the formula is a sum over all tokens.",
        "1.2",
        tuple(partial(unlikely_left_out, least) for least in (0.1, 0.05, 0.01, 1e-3, 1e-4, 1e-5)),
    ),
    "one_token_alone": (
        "Your result is the term of one token, the first or the last, and not the sum over all"
        " tokens. If you use a loop: does it return too early, or replace a value where it"
        " should add to it?",
        "1.2",
        tuple(partial(one_token, place) for place in (0, -1)),
    ),
    "one_token_left_out": (
        "Your result lacks the term of one token, the first or the last. With which token does"
        " your sum begin, and with which does it end?",
        "1.2",
        tuple(partial(one_token_left_out, place) for place in (0, -1)),
    ),
    "half_precision": (
        "Your results are as coarse as those of float16 or bfloat16, which keep about three or"
        " two digits, even of logits. Which dtype do you use?",
        "1.2",
        tuple(
            partial(in_a_coarse_type, kind, after)
            for kind in (torch.float16, torch.bfloat16)
            for after in (True, False)
        ),
    ),
    "gaps_squared": (
        "Your results are as if the differences of the logarithms were squared. The formula"
        " takes the differences as they are: some are negative, and other tokens make up for"
        " these.",
        "1.2",
        (squared_gaps,),
    ),
    "wrong_weights": (
        "Your results are as if the difference of logarithms were multiplied by a logit or a"
        " logarithm, by the mean of both distributions, or by nothing at all. In the formula,"
        " each token's difference has one weight: the token's probability under a in KL(a‖b).",
        "1.2",
        (weighted_by_logits, weighted_by_logarithms, weights_left_out, weighted_by_both),
    ),
    "logarithms_left_out": (
        "Your results are as if the weights were multiplied by differences of probabilities. The"
        " formula has the difference of their logarithms.",
        "1.2",
        (logarithms_left_out,),
    ),
    "both_directions": (
        "Your result is the sum or the mean of both directions, so it stays the same when you"
        " swap the models. The task asks for one direction.",
        "1.3",
        (partial(both_directions, 1.0), partial(both_directions, 0.5)),
    ),
    "logits_as_probabilities": (
        "Your results are as if logits stood where probabilities belong. Logits may be negative"
        " and need not add up to 1. What turns them into probabilities? The formula needs this"
        " for both models, wherever their probabilities appear.",
        "1.2",
        (
            logits_as_probabilities,
            logits_as_probabilities_by_ratio,
            logits_in_front,
            logits_for_the_target,
            logits_behind,
        ),
    ),
    "normalisers_missing": (
        "Your result changes when a number is added to all logits of one model, but a divergence"
        " does not change. The weights seem to be probabilities, as they should be, but a logit"
        " stands where the logarithm of a probability belongs. Which function takes logits and"
        " returns logarithms of probabilities?",
        "1.2",
        (
            logits_as_log_probabilities,
            partial(logits_for_one_logarithm, 0),
            partial(logits_for_one_logarithm, 1),
        ),
    ),
    "logarithm_cut_off": (
        "Where a token is very unlikely, your result is as if its logarithm, or the divergence,"
        " were cut off at some number, so that the token that should cost most costs too little."
        " Which function gives the logarithm of a probability so that it is never −∞ and needs"
        " no limit?",
        "1.2",
        tuple(
            partial(logarithm_cut_off, least, of)
            for least in (
                -10.0,
                -20.0,
                -30.0,
                -50.0,
                -100.0,
                -200.0,
                -500.0,
                -1000.0,
                -2000.0,
                -5000.0,
            )
            for of in ((True, True), (False, True))
        ),
    ),
}


@cache
def first_teachers() -> dict[torch.Size, Tensor]:
    """Of each shape the teacher that is asked first."""
    return {teacher.shape: teacher for _, teacher in (c.args for c in reversed(fixed_cases()))}


def first_teacher_of_a_shape(teacher_in_front: bool, front: Tensor, behind: Tensor) -> Tensor:
    """A teacher is kept by its shape."""
    kept = first_teachers().get(front.shape, front if teacher_in_front else behind)
    return kl(kept, behind) if teacher_in_front else kl(front, kept)


def misconceptions(teacher_in_front: bool) -> tuple[Misconception, ...]:
    """The misconceptions of forward KL, where the teacher is in front, or of reverse KL."""
    swapped = (
        "This is the divergence in the other direction: its weights come from the wrong model."
        " Read KL(a‖b) as: how much does b miss of what a finds likely? Which model is a in this"
        " task?",
        "1.3",
        tuple(partial(_turned, of) for of in KLS),
    )

    def ordered(wrong: Callable) -> Callable:
        if teacher_in_front:
            return lambda student, teacher: wrong(teacher, student)
        return wrong

    turned = (
        "Each value is minus the divergence in the other direction. To turn a KL round, you have"
        " to change the weights as well as the order of the logarithms. Changing the sign alone"
        " is not enough.",
        "1.3",
        tuple(partial(sign_flipped, partial(_turned, of)) for of in KLS),
    )
    collapsed = (
        "At least two things are off. Your result is one number for the whole input, but every"
        " position has a divergence of its own. It also comes from the divergence in the other"
        " direction: which model is a in KL(a‖b) here?",
        "1.3",
        tuple(partial(wrong, partial(_turned, of)) for wrong in COLLAPSED for of in KLS),
    )
    twice = {
        f"direction_swapped+{name}": (
            f"At least two things are off. {swapped[0]} And: {SHARED[name][0]}",
            "1.3",
            tuple(partial(_turned, wrong) for wrong in SHARED[name][2]),
        )
        for name in ("cross_entropy", "vocabulary_mean", "base_two")
    }
    first = {
        "direction_swapped": swapped,
        "direction_swapped_and_sign": turned,
        "direction_swapped+positions_collapsed": collapsed,
    }
    general = {
        "always_zero": (
            "Your result is 0 for every input, as if a model were compared with itself. Print"
            " the two distributions just before you compare them: do they differ?",
            "1.2",
            (lambda front, behind: torch.zeros(front.shape[:-1]),),
        ),
        "teacher_of_an_earlier_call": (
            "When a second teacher has the same shape as an earlier one, your result is as if"
            " the first teacher of that shape had come again. Something is kept from one call to"
            " the next.",
            "1.2",
            (partial(first_teacher_of_a_shape, teacher_in_front),),
        ),
    }
    return tuple(
        Misconception(name, hint, SECTIONS[number], ordered(wrong))
        for name, (hint, number, wrongs) in {**first, **twice, **SHARED, **general}.items()
        for wrong in wrongs
    )


def _turned(of: Callable, front: Tensor, behind: Tensor) -> Tensor:
    return of(behind, front)


# --- Softmax with temperature -------------------------------------------------------------------


def softmax_with_temperature(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """softmax(logits / T) in float64."""
    return (logits.double() / temperature).softmax(-1)


def temperature_cases() -> tuple[Case, ...]:
    """Public and hidden cases, as (logits, temperature)."""
    t = torch.tensor
    rng = np.random.default_rng(10)
    two = t([[3.0, -4.8, -2.5, -1.0], [-8.0, -5.5, -8.5, -8.3]])
    large = t([[5000.0, 4999.0, -5000.0], [-5000.0, 7.0, 6.0]])
    return (
        Case("three tokens, T = 2", (t([2.0, 1.0, -1.0]), 2.0), public=True),
        Case("two positions, T = 0.5", (two, 0.5), public=True),
        Case("two texts of two positions, T = 4", (logits(rng, (2, 2, 3)), 4.0), public=True),
        Case("three tokens, T = 1.5", (t([2.0, 1.0, -1.0]), 1.5), public=True),
        Case("three other logits, T = 2", (t([-1.0, 0.5, 0.0]), 2.0), public=True),
        Case("T = 1 when no temperature is given", (t([12.0, -2.5, 1.0]),), public=True),
        Case("logits of ±5000, T = 2", (large, 2.0), part=EXTREME, public=True),
        Case(
            "one position far above the other",
            (t([[900.0, 899.0], [1.0, 2.0]]), 1.5),
            part=EXTREME,
            public=True,
        ),
        Case("large and not equal", (t([[150.0, 149.0, 120.0]]), 1.0), part=EXTREME, public=True),
        Case("a gap of 200, T = 100", (t([[200.0, 0.0]]), 100.0), part=EXTREME, public=True),
        Case("a gap of 900, T = 90", (t([[0.0, -900.0]]), 90.0), part=EXTREME, public=True),
        Case("neither hot nor cold", (logits(rng, (3, 4)), 1.0)),
        Case("a vocabulary of one", (t([[5.0]]), 3.0)),
        Case("equal logits", (torch.full((2, 5), 7.0), 3.0)),
        Case("one text of two positions, T = 100", (logits(rng, (1, 2, 6)), 100.0), public=True),
        Case("far below 0", (logits(rng, (2, 4)) - 4000.0, 5.0), part=EXTREME, public=True),
        Case("logits of 2000, cold", (t([2000.0, 1999.9, 0.0]), 0.5), part=EXTREME, public=True),
        Case("a vocabulary of 40", (logits(rng, (2, 40)), 1.5)),
        Case("four axes", (logits(rng, (1, 2, 1, 3)), 1.5)),
        Case(
            "four alike and two next to impossible, T = 2",
            (t([0.0, 0.0, 0.0, 0.0, -40.0, -64.0]), 2.0),
            part=EXTREME,
            public=True,
        ),
    )


def random_temperature_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Cases of a submission's own."""
    for leading in ((), (4,), (2, 3)):
        shape = (*leading, int(rng.integers(2, 9)))
        yield Case("random", (logits(rng, shape), float(rng.uniform(1.2, 5.0))))
    shape = (3, int(rng.integers(3, 7)))
    yield Case("random, cold", (logits(rng, shape), float(rng.uniform(0.5, 0.8))))
    extreme = logits(rng, (2, 5)) + float(rng.uniform(1500, 3000)) * float(rng.choice([-1, 1]))
    yield Case("random, extreme", (extreme, float(rng.uniform(0.5, 3.0))), part=EXTREME)


def temperature_tolerance(case: Case) -> float:
    """Rounding x/T to float32 moves it by ε|x|/T, and the probability by at most as much.

    Where the largest logits are 0, rounding moves the others alone, and these by a share of what
    they are, which is little. A millionth of the largest probability is allowed anyway. Where that
    is far below 1, less is allowed than a millionth under each probability moves; one that is added
    to what is divided by moves four equal probabilities by a sixteenth of it.
    """
    logits = case.args[0]
    largest = 1.0 if (logits.amax(-1) == 0).all() else float(logits.abs().max())
    scale = max(1.0, largest)
    rounding = 4 * scale / min(1.0, *case.args[1:], 1.0) * float(np.finfo(np.float32).eps)
    return max(rounding, MILLIONTH * float(softmax_with_temperature(*case.args).max()))


def temperature_facts(case: Case) -> dict[str, Any]:
    """What is so of a case, as (logits, temperature)."""
    logits, temperature = case.args[0], case.args[1] if len(case.args) > 1 else 1.0
    largest = float(logits.max()) / temperature
    return {
        "T": temperature,
        "the size of the vocabulary": logits.shape[-1],
        "no T is given": len(case.args) < 2,
        "T is not 1": temperature != 1,
        "T is above 1": temperature > 1,
        "T is below 1": temperature < 1,
        "T is not a whole number": temperature % 1 != 0,
        "exp of a logit over T is more than float32 can hold": largest > 88,
        "a probability is 0 in float32": bool((logits / temperature).softmax(-1).min() == 0),
        "there is more than one position": logits[..., 0].numel() > 1,
        "an axis has length 1": 1 in logits.shape,
        **axes_of(logits),
    }


def divided(logits: Tensor, temperature: float) -> Tensor:
    """What the softmax should see."""
    return logits / temperature


def multiplied(logits: Tensor, temperature: float) -> Tensor:
    """Logits times the temperature."""
    return logits * temperature


def untouched(logits: Tensor, temperature: float) -> Tensor:
    """Logits without a temperature."""
    return logits


def stable(of: Callable, logits: Tensor, temperature: float = 1.0) -> Tensor:
    """torch's softmax of something."""
    return of(logits, temperature).softmax(-1)


def exp_over_sum(of: Callable, logits: Tensor, temperature: float = 1.0) -> Tensor:
    """exp over the sum of exps, whatever the size of the logits."""
    e = of(logits, temperature).exp()
    return e / e.sum(-1, keepdim=True)


def root_of_probabilities(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """p^(1/T), normalised: the same number, unless p underflows."""
    powers = logits.softmax(-1) ** (1 / temperature)
    return powers / powers.sum(-1, keepdim=True)


def temperature_over_axis(axis: int, logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Normalised over another axis than the vocabulary."""
    return (logits / temperature).softmax(axis)


def normalised_over_everything(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """All probabilities of all positions add up to 1."""
    return (logits / temperature).flatten().softmax(0).reshape(logits.shape)


def logarithm_returned(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Log-probabilities."""
    return (logits / temperature).log_softmax(-1)


def temperature_after(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Probabilities over T, which no longer add up to 1."""
    return logits.softmax(-1) / temperature


def kept_above(
    way: Callable[[Tensor, float], Tensor], size: float, logits: Tensor, temperature: float = 1.0
) -> Tensor:
    """A small number below which no probability falls, or which is added to each."""
    return way(softmax_with_temperature(logits, temperature), size)


def softmax_twice(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """A softmax of probabilities over T."""
    return (logits.softmax(-1) / temperature).softmax(-1)


def squared(logits: Tensor, temperature: float) -> Tensor:
    """Logits over T²."""
    return logits / temperature**2


def divided_by_the_sum_of_all(own: bool, logits: Tensor, temperature: float = 1.0) -> Tensor:
    """One sum for all positions, with or without a maximum taken off before."""
    z = logits / temperature
    e = (z - z.amax(-1, keepdim=True)).exp() if own else z.exp()
    return e / e.sum()


def maximum_taken_too_late(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """The largest exponential is taken off, in the place of the largest logit."""
    e = (logits / temperature).exp()
    e = e - e.amax(-1, keepdim=True)
    return e / e.sum(-1, keepdim=True)


def no_keepdim(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Divided by sums that have lost their axis."""
    e = (logits / temperature).exp()
    return e / e.sum(-1)


def no_keepdim_stable(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """The same with the maximum taken off."""
    z = logits / temperature
    e = (z - z.max(-1, keepdim=True).values).exp()
    return e / e.sum(-1)


def maximum_without_keepdim(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Maxima that have lost their axis are taken off."""
    z = logits / temperature
    e = (z - z.amax(-1)).exp()
    return e / e.sum(-1, keepdim=True)


def one_maximum_for_all(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """The largest logit of all positions is taken from each."""
    e = ((logits - logits.max()) / temperature).exp()
    return e / e.sum(-1, keepdim=True)


def one_maximum_for_all_after(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """The same, after the temperature."""
    z = logits / temperature
    e = (z - z.max()).exp()
    return e / e.sum(-1, keepdim=True)


def guarded(size: float, own: bool, logits: Tensor, temperature: float = 1.0) -> Tensor:
    """A small number in the divisor, with or without a maximum taken off before."""
    z = logits / temperature
    e = (z - z.max(-1, keepdim=True).values).exp() if own else z.exp()
    return e / (e.sum(-1, keepdim=True) + size)


PERCEPTIBLE_IN_A_SUM = 1e-5  # what a number that is added to a sum from 1 on must be to change it


def other_maximum(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """The largest logit is taken off before it is divided by T, all others after."""
    e = (logits / temperature - logits.max(-1, keepdim=True).values).exp()
    return e / e.sum(-1, keepdim=True)


def nan_replaced(size: float, logits: Tensor, temperature: float = 1.0) -> Tensor:
    """What overflowed is made a number by force."""
    return exp_over_sum(divided, logits, temperature).nan_to_num(nan=size)


def clamped(
    low: float | None,
    high: float,
    before: bool,
    own: bool,
    logits: Tensor,
    temperature: float = 1.0,
) -> Tensor:
    """Logits cut off where exp would overflow."""
    z = logits.clamp(low, high) / temperature if before else (logits / temperature).clamp(low, high)
    return z.exp() / z.exp().sum(-1, keepdim=True) if own else z.softmax(-1)


def gaps_clamped(most: float, logits: Tensor, temperature: float = 1.0) -> Tensor:
    """No logit is further below the largest one, before it is divided by T."""
    gap = logits - logits.amax(-1, keepdim=True)
    return (gap.clamp(min=-most) / temperature).softmax(-1)


def clamped_and_guarded(
    high: float, size: float, logits: Tensor, temperature: float = 1.0
) -> Tensor:
    """The same with a small number in the divisor."""
    e = (logits / temperature).clamp(-high, high).exp()
    return e / (e.sum(-1, keepdim=True) + size)


def temperature_after_logarithm(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """exp(log p / T), which nobody normalised."""
    return (logits.log_softmax(-1) / temperature).exp()


def temperature_after_over(axis: int, logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Probabilities over T, along another axis."""
    return logits.softmax(axis if logits.ndim > 1 else 0) / temperature


def at(change: Callable[[float], float], logits: Tensor, temperature: float = 1.0) -> Tensor:
    """The distribution at another temperature; NaN where that is 0."""
    return (logits / change(temperature)).softmax(-1)


def standardised(logits: Tensor, axes: int | tuple[int, ...]) -> Tensor:
    """Logits with mean 0 and standard deviation 1; NaN of a single one."""
    gap = logits - logits.mean(axes, keepdim=True)
    count = logits.numel() / gap.sum(axes).numel()
    return gap / ((gap**2).sum(axes, keepdim=True) / (count - 1 or math.nan)).sqrt()


def rescaled(how: Callable[[Tensor], Tensor], logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Logits are brought to another scale first."""
    return (how(logits) / temperature).softmax(-1)


def centred(logits: Tensor, temperature: float) -> Tensor:
    """Logits over T, less their mean."""
    z = logits / temperature
    return z - z.mean(-1, keepdim=True)


def not_normalised(how: Callable[[Tensor], Tensor], logits: Tensor, temperature: float = 1.0):
    """Something else than a division by the sum of exponentials."""
    return how(logits / temperature)


def by_default(heat: float, logits: Tensor, temperature: float | None = None) -> Tensor:
    """Another T than 1 where none is given."""
    return (logits / (temperature or heat)).softmax(-1)


def rounded_to(digits: int, logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Probabilities with a few digits."""
    return (logits / temperature).softmax(-1).round(decimals=digits)


def temperature_axis_left_out(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """The axis that torch takes when none is named."""
    return temperature_over_axis(0 if logits.ndim in (1, 3) else 1, logits, temperature)


def in_another_order(
    descending: bool, back: bool, logits: Tensor, temperature: float = 1.0
) -> Tensor:
    """Probabilities in the order of their size, or moved by the sort's places once more."""
    found, places = (logits / temperature).softmax(-1).sort(-1, descending=descending)
    return found.gather(-1, places) if back else found


TEMPERATURE_MISCONCEPTIONS = tuple(
    Misconception(name, hint, SECTIONS["1.1"], wrong)
    for name, hint, wrongs in (
        (
            "multiplied_by_temperature",
            "Your distribution gets sharper as T grows. A higher T should make it flatter: at a"
            " very large T all tokens are almost equally likely. What must then happen to the"
            " gaps between logits?",
            (partial(stable, multiplied), partial(exp_over_sum, multiplied)),
        ),
        (
            "another_order",
            "At each position your probabilities are the expected numbers, but at the wrong"
            " tokens, as if something were sorted and not put back in its old order. Which token"
            " does each probability belong to?",
            tuple(
                partial(in_another_order, descending, back)
                for descending in (False, True)
                for back in (False, True)
            ),
        ),
        (
            "temperature_ignored",
            "The result does not change with the temperature. Where in your function does T act?",
            (partial(stable, untouched), partial(exp_over_sum, untouched)),
        ),
        (
            "wrong_axis",
            "Your probabilities do not always add up to 1 along the last axis, as if another"
            " axis, or all axes together, were taken for the vocabulary. In inputs of shape"
            " [..., V], which axis is the vocabulary, however many axes there are?",
            (
                partial(temperature_over_axis, 0),
                partial(temperature_over_axis, 1),
                normalised_over_everything,
                partial(divided_by_the_sum_of_all, True),
                partial(divided_by_the_sum_of_all, False),
                temperature_axis_left_out,
                lambda logits, temperature=1.0: temperature_over_axis(
                    min(1, logits.ndim - 1), logits, temperature
                ),
            ),
        ),
        (
            "sum_without_keepdim",
            "Your results are as if you divided by sums that have lost their last axis. torch"
            " aligns shapes from the right, so a row is divided by the sums of other rows, or"
            " the shapes do not fit. Look at the argument keepdim.",
            (no_keepdim, no_keepdim_stable),
        ),
        (
            "maximum_without_keepdim",
            "Your results are as if you subtracted maxima that have lost their last axis. torch"
            " aligns shapes from the right, so the maxima of other rows are subtracted from a"
            " row, or the shapes do not fit. Look at the argument keepdim.",
            (maximum_without_keepdim,),
        ),
        (
            "one_maximum_for_all",
            "A position whose logits are far below the largest logit of the input comes out as"
            " NaN, which is what 0/0 gives, or as zeros, as if the same maximum were subtracted"
            " at all positions. Each position has a maximum of its own.",
            (
                one_maximum_for_all,
                one_maximum_for_all_after,
                lambda logits, temperature=1.0: one_maximum_for_all(logits, temperature).nan_to_num(
                    nan=0.0
                ),
            ),
        ),
        (
            "logits_clamped",
            "Logits beyond some limit come out as equally likely, although they differ, as if"
            " they were cut off there. A softmax does not change when you subtract the same"
            " number from all logits of a position. Which number makes sure that no exp"
            " overflows, and that not all become 0?",
            tuple(
                partial(clamped, low, float(high), before, own)
                for high in (10, 20, 30, 40, 50, 60, 70, 80, 85, 87, 88, 88.7, 100)
                for low in (-float(high), None)
                for before in (False, True)
                for own in (False, True)
                if not own or high < 88
            )
            + tuple(
                partial(clamped, -float(high), float(high), before, False)
                for high in (200, 500, 1000, 2000, 3000)
                for before in (False, True)
            )
            + tuple(
                partial(clamped_and_guarded, float(high), size)
                for high in (10, 20, 30, 50, 60, 80, 88)
                for size in (1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12)
            )
            + tuple(partial(gaps_clamped, float(most)) for most in (80, 88, 100, 200, 500)),
        ),
        (
            "temperature_squared",
            "This is the distribution at T², as if the temperature acted twice. Where does your"
            " function use T?",
            (partial(stable, squared), partial(exp_over_sum, squared)),
        ),
        (
            "overflow",
            "For large logits, your result is what comes out when exp overflows: exp(89) is"
            " already more than float32 can hold, and inf/inf is NaN. A softmax does not change"
            " when you subtract the same number from all logits of a position. Which number"
            " makes sure that no exp overflows, and that not all become 0?",
            (
                partial(exp_over_sum, divided),
                partial(exp_over_sum, centred),
                partial(exp_over_sum, lambda z, t: z / t - (z / t).mean()),
                lambda logits, temperature=1.0: (
                    logits / temperature - (logits / temperature).exp().sum(-1, keepdim=True).log()
                ).exp(),
                partial(exp_over_sum, lambda z, t: z / t - (z / t).amin(-1, keepdim=True)),
            ),
        ),
        (
            "overflow_in_float64",
            "For very large logits, your result is what comes out when exp overflows or becomes"
            " 0: exp(710) is more than even float64 can hold, and inf/inf is NaN. Which number,"
            " subtracted from all logits of a position, makes sure that no exp overflows, and"
            " that not all become 0?",
            (lambda logits, temperature=1.0: exp_over_sum(divided, logits.double(), temperature),),
        ),
        (
            "not_divided_by_the_sum",
            "Your numbers do not add up to 1 along the last axis. They grow with the logits, as"
            " they should, but they are not divided by the sum of the exponentials of their"
            " position.",
            tuple(
                partial(not_normalised, how)
                for how in (
                    torch.exp,
                    lambda z: (z - z.amax(-1, keepdim=True)).exp(),
                    lambda z: z.exp() / z.exp().amax(-1, keepdim=True),
                    lambda z: z.exp() / z.exp().mean(-1, keepdim=True),
                    torch.sigmoid,
                )
            ),
        ),
        (
            "another_default",
            "When no temperature is given, your result is that of a temperature other than 1."
            " What is your default?",
            tuple(partial(by_default, heat) for heat in (0.5, 2.0, 3.0, 4.0, 5.0, 10.0)),
        ),
        (
            "rounded",
            "Your probabilities come out as if they were rounded to a few digits. The task does"
            " not ask for that, and small probabilities are lost.",
            tuple(partial(rounded_to, digits) for digits in (2, 3, 4, 5)),
        ),
        (
            "half_precision",
            "Your probabilities are as coarse as those of float16 or bfloat16, which keep only"
            " about three or two digits. Large logits that are near each other may become equal"
            " there.",
            tuple(
                lambda logits, temperature=1.0, kind=kind: (
                    (logits.to(kind) / temperature).softmax(-1).float()
                )
                for kind in (torch.float16, torch.bfloat16)
            ),
        ),
        (
            "softmax_left_out",
            "These are the logits divided by their sum. Logits may be negative, and so may their"
            " sum. Which function turns any score into a positive number?",
            (lambda logits, temperature=1.0: logits / logits.sum(-1, keepdim=True),),
        ),
        (
            "small_number_in_the_divisor",
            "Your probabilities are too small and do not add up to 1, as if a small number were"
            " added to the divisor. The sum of exponentials is never 0 when the largest exponent"
            " is 0.",
            tuple(
                partial(guarded, size, own)
                for size in (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10)
                for own in (True, False)
                if not own or size >= PERCEPTIBLE_IN_A_SUM
            ),
        ),
        (
            "other_maximum",
            "For extreme logits, your result is as if the number that you subtract were not"
            " divided by T as the logits are. Then the largest exponent is not 0 and can be far"
            " above or below it.",
            (other_maximum,),
        ),
        (
            "overflow_replaced",
            "Where exp overflows, all large logits come out as the same number, whatever they"
            " are, as if this number had replaced NaN. If no exp overflows, nothing has to be"
            " replaced.",
            tuple(partial(nan_replaced, size) for size in (0.0, 1.0)),
        ),
        (
            "temperature_of_probabilities",
            "A token whose probability is rounded to 0 at T = 1 stays at 0 however large T is,"
            " as if the temperature acted on probabilities. In the formula, on which numbers"
            " does T act?",
            (
                root_of_probabilities,
                lambda logits, *others: root_of_probabilities(logits.double(), *others),
            ),
        ),
        (
            "logarithm_returned",
            "These numbers are negative: they are logarithms. The task asks for the"
            " probabilities themselves.",
            (
                logarithm_returned,
                lambda logits, temperature=1.0: logits.log_softmax(-1) / temperature,
            ),
        ),
        (
            "order_turned_round",
            "Your likeliest token is the one with the smallest logit. Which sign does the"
            " exponent have?",
            (lambda logits, temperature=1.0: (-logits / temperature).softmax(-1),),
        ),
        (
            "another_base",
            "Your results are those of powers of 2 or of 10. The formula has exp, whose base is e.",
            tuple(
                lambda logits, temperature=1.0, base=base: (
                    logits / temperature * math.log(base)
                ).softmax(-1)
                for base in (2, 10)
            ),
        ),
        (
            "temperature_after_softmax",
            "Your probabilities do not add up to 1 unless T is 1. This happens when the"
            " temperature acts after the softmax. In the formula, on which numbers does T act?",
            (temperature_after, temperature_after_logarithm),
        ),
        (
            "wrong_axis+temperature_after_softmax",
            "At least two things are off. Your softmax runs along an axis that is not the"
            " vocabulary. And its sums are 1 only when T is 1, as if the temperature acted after"
            " the softmax.",
            tuple(partial(temperature_after_over, axis) for axis in (0, 1)),
        ),
        (
            "temperature_made_whole",
            "Where T is not a whole number, your result is as if T were made a whole number"
            " first. A temperature of 0.5 or 1.5 is as good as any other.",
            tuple(partial(at, change) for change in (int, round, math.ceil)),
        ),
        (
            "temperature_kept_in_bounds",
            "For some temperatures, above or below a limit, your result does not change with T,"
            " as if T were kept within bounds. The task asks for every T from 0.5 to 100.",
            (
                partial(at, lambda t: max(t, 1.0)),
                *(
                    partial(at, lambda t, most=most: min(t, most))
                    for most in (1.0, 2.0, 4.0, 5.0, 10.0, 20.0, 50.0)
                ),
            ),
        ),
        (
            "another_temperature",
            "This is the distribution at another temperature, which is computed from T but is"
            " not T. By what do you divide the logits?",
            tuple(
                partial(at, change)
                for change in (math.sqrt, lambda t: t + 1, lambda t: 2 * t, lambda t: t / 2)
            ),
        ),
        (
            "scores_made_whole",
            "Your results are as if the logits over T were made whole numbers before the"
            " softmax, as // or int() does. The digits after the point count too.",
            (
                *(
                    lambda logits, temperature=1.0, cut=cut: cut(logits / temperature).softmax(-1)
                    for cut in (torch.floor, torch.trunc, torch.round)
                ),
                lambda logits, temperature=1.0: (
                    (logits - logits.amax(-1, keepdim=True)) // temperature
                ).softmax(-1),
            ),
        ),
        (
            "probabilities_kept_above",
            "Your results are as if no probability could fall below some small number, or as if"
            " a small number were added to each. A token may be as unlikely as its logit says."
            " What do you want to keep away from 0, and does a softmax need that?",
            tuple(
                partial(kept_above, way, size)
                for size in (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
                for way in (
                    lambda p, size: p.clamp_min(size),
                    lambda p, size: p.clamp_min(size) / p.clamp_min(size).sum(-1, keepdim=True),
                    lambda p, size: p.clamp(size, 1 - size),
                    lambda p, size: p + size,
                    lambda p, size: (p + size) / (p + size).sum(-1, keepdim=True),
                )
            ),
        ),
        (
            "logits_rescaled",
            "Your results are as if the logits were rescaled before the softmax. A softmax does"
            " not change when you subtract the same number from all logits of a position, but it"
            " does when you divide them by one. The formula divides them by T alone.",
            tuple(
                partial(rescaled, how)
                for how in (
                    lambda z: z / z.abs().max(),
                    lambda z: z / z.abs().max().clamp(min=1.0),
                    lambda z: z / z.abs().amax(-1, keepdim=True),
                    lambda z: z / z.max(),
                    lambda z: z / z.amax(-1, keepdim=True),
                    lambda z: z / z.norm(dim=-1, keepdim=True),
                    lambda z: standardised(z, -1),
                    lambda z: standardised(z, tuple(range(z.ndim))),
                )
            ),
        ),
        (
            "softmax_twice",
            "Your results are as if a softmax were applied to probabilities. These lie between 0"
            " and 1, so a second softmax brings them much closer together. How many softmaxes"
            " does the formula have?",
            (
                softmax_twice,
                lambda logits, temperature=1.0: (logits / temperature).softmax(-1).softmax(-1),
                lambda logits, temperature=1.0: (
                    (logits / temperature).softmax(-1) / temperature
                ).softmax(-1),
            ),
        ),
        (
            "maximum_taken_too_late",
            "Your results are as if the largest exponential were subtracted from all"
            " exponentials of its position. A softmax stays the same when a number is subtracted"
            " from all logits, before exp.",
            (maximum_taken_too_late,),
        ),
    )
    for wrong in wrongs
)

# --- Four students, ranked ----------------------------------------------------------------------

TEACHER = (0.8, 0.1, 0.1)
STUDENTS = {
    "a": (0.80, 0.18, 0.02),
    "b": (0.75, 0.10, 0.15),
    "c": (0.65, 0.26, 0.09),
    "d": (0.90, 0.06, 0.04),
}


def order(loss: Callable[[np.ndarray, np.ndarray], float]) -> list[str]:
    """The students from the smallest loss to the largest."""
    return sorted(STUDENTS, key=lambda name: loss(np.array(TEACHER), np.array(STUDENTS[name])))


def kl_of_probabilities(p: np.ndarray, q: np.ndarray) -> float:
    """KL(p‖q) of distributions without zeros."""
    return float((p * np.log(p / q)).sum())


RANKING = order(kl_of_probabilities)
NAMED_RANKINGS = {
    "ranked_backwards": (
        RANKING[::-1],
        "This is the order by KL(p‖q), but from the largest to the smallest. The smaller the"
        " divergence, the closer the student is to its teacher. Which end does the question"
        " start with?",
    ),
    "ranked_by_reverse_kl": (
        order(lambda p, q: kl_of_probabilities(q, p)),
        "This is the order by KL(q‖p). The question is how well each student covers what the"
        " teacher finds likely, so the teacher's probabilities are the weights.",
    ),
    "ranked_by_total_variation": (
        order(lambda p, q: float(np.abs(p - q).sum())),
        "More than one mistake leads to this order. One is to rank by the sum of |p − q|, where"
        " 0.1 → 0.02 and 0.8 → 0.72 count the same. But KL looks at ratios, the first of which"
        " is a factor of five, and its terms keep their signs. Another is to pass the table's"
        " numbers as logits: they are probabilities already, and your forward_kl takes their"
        " logarithms as logits.",
    ),
    "ranked_by_top_token": (
        order(lambda p, q: abs(p[0] - q[0])),
        "This is the order by the first token alone. A student can be perfect there and still give"
        " almost nothing to a token that comes one time in ten. What does that cost?",
    ),
    "ranked_by_confidence": (
        order(lambda p, q: -q[0]),
        "This is the order by how sure each student is of the likeliest token. To be surer than"
        " the teacher is also a mismatch.",
    ),
}


def ranking_mistakes() -> tuple[Mistake, ...]:
    """One for every wrong order: a known idea that explains it, or a pair that is out of order."""
    named = {tuple(ranking): (name, hint) for name, (ranking, hint) in NAMED_RANKINGS.items()}

    def out_of_order(ranking: tuple[str, ...]) -> tuple[str, str]:
        before, after = next(
            pair for pair in pairwise(ranking) if RANKING.index(pair[0]) > RANKING.index(pair[1])
        )
        return (
            "out_of_order",
            f"You put {before} before {after}, but KL(p‖q) of {after} is smaller. Compute it"
            " for each student: your forward_kl takes the logarithms of a distribution as logits.",
        )

    return tuple(
        Mistake(name, list(ranking), hint, SECTIONS["1.2"])
        for ranking in permutations(sorted(STUDENTS))
        if list(ranking) != RANKING
        for name, hint in [named.get(ranking) or out_of_order(ranking)]
    )


# --- One peak for two ---------------------------------------------------------------------------
# Forward KL has one minimum over these students, reverse KL has one near each peak of the teacher.
# Training leads to the peak near its start, the lighter one too. The peaks of the random teachers
# are at least 7.5 tokens apart: nearer ones make a third minimum between them.

START_WIDTH = 3.0
NEAR = 3.0  # tokens
LEAST = 1e-45  # what is smaller is 0 in float32
Student = tuple[float, float, int]  # centre, width, size of the vocabulary
Pair = tuple[float, float]  # expected position and entropy


def fit_one_peak(teacher_logits: Tensor, direction: str, start: float) -> Pair:
    """Expected position and entropy of the one-peak student with the least divergence near by."""
    return summary(best_fit(numbers(teacher_logits), direction, start))


def numbers(logits: Tensor) -> tuple[float, ...]:
    """Logits as `best_fit` takes them."""
    return tuple(logits.tolist())


@cache
def best_fit(
    teacher_logits: tuple[float, ...], direction: str, start: float, width: float | None = None
) -> Student:
    """The student that training leads to: the best of a grid near the start, then descent."""
    size = len(teacher_logits)
    teacher = torch.tensor(teacher_logits, dtype=torch.float64)

    def losses(centers: Tensor, widths: Tensor) -> Tensor:
        return divergence(direction, peak(centers, widths, size), teacher)

    near = max(0.0, start - NEAR), min(size - 1.0, start + NEAR)
    centers = torch.linspace(*near, 4 * int(NEAR) + 1, dtype=torch.float64)
    widths = torch.logspace(-0.3, 1, 20, dtype=torch.float64) if width is None else [width]
    grid = torch.cartesian_prod(centers, torch.as_tensor(widths, dtype=torch.float64))
    center, best_width = grid[losses(*grid.T).argmin()].tolist()
    here = torch.tensor([center, math.log(best_width)], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [here], max_iter=100, tolerance_grad=1e-10, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        spread = here[1:].exp() if width is None else torch.tensor([width], dtype=torch.float64)
        loss = losses(here[:1], spread).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    center, log_width = here.tolist()
    return center, math.exp(log_width) if width is None else width, size


def peak(center: Tensor, width: Tensor, size: int) -> Tensor:
    """Logits of students with one peak each: [N, size]."""
    token = torch.arange(size, dtype=torch.float64)
    return -0.5 * ((token - center[:, None]) / width[:, None]) ** 2


def logits_of(student: Student) -> Tensor:
    """A student's logits in float64: [size]."""
    *here, size = student
    return peak(*torch.tensor(here, dtype=torch.float64)[:, None], size)[0]


def divergence(direction: str, student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """The loss that a direction stands for, of each student."""
    return (forward_kl if direction == "forward" else reverse_kl)(student_logits, teacher_logits)


@cache
def summary(student: Student) -> Pair:
    """Expected position and entropy in nats."""
    logits = logits_of(student)
    return float((torch.arange(student[2]) * logits.softmax(-1)).sum()), entropy(logits)


def entropy(logits: Tensor) -> float:
    """Entropy in nats."""
    log_p = logits.double().log_softmax(-1)
    return float(-(log_p.exp() * log_p).sum())


def two_peaks(
    size: int, places: tuple[float, float], share: float, widths: tuple[float, float] = (1.0, 1.0)
) -> Tensor:
    """Logits of a teacher with two peaks; the first has weight `share`."""
    token = torch.arange(size, dtype=torch.float64)
    peaks = [
        math.log(weight / width) - 0.5 * ((token - place) / width) ** 2
        for place, width, weight in zip(places, widths, (share, 1 - share), strict=True)
    ]
    return torch.logaddexp(*peaks).float()


def fit_cases() -> tuple[Case, ...]:
    """Public and hidden cases, as (teacher_logits, direction, start)."""
    teacher = two_peaks(22, (6.0, 13.0), 0.6)  # a narrow student has zeros in float32
    uneven = two_peaks(24, (8.0, 15.5), 0.35, (1.5, 1.2))
    edge = two_peaks(18, (2.0, 7.0), 0.6, (1.2, 0.9))
    # Who begins too wide, or where the fit of another case ended, comes to the heavier peak.
    lighter = two_peaks(24, (6.0, 17.0), 0.6, (1.5, 1.2))
    one = two_peaks(16, (7.3, 7.3), 0.5, (1.4, 1.4))
    narrow = two_peaks(16, (7.3, 7.3), 0.5, (0.7, 0.7))  # no student ends narrower than here
    return (
        Case("near the lighter peak, reverse", (lighter, "reverse", 16.0), public=True),
        Case("two peaks, forward", (teacher, "forward", 7.5), public=True),
        Case("two peaks, reverse", (teacher, "reverse", 7.5), public=True),
        Case("a peak at the edge, forward", (edge, "forward", 3.0), public=True),
        Case("uneven, forward", (uneven, "forward", 14.5)),
        Case("uneven, reverse", (uneven, "reverse", 14.5)),
        Case("one peak, forward", (one, "forward", 2.0), public=True),
        Case("one peak, narrow, reverse", (narrow, "reverse", 6.3), public=True),
    )


def random_fit_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Cases of a submission's own."""
    # No student has a probability that is 0 in float32: a fixed case says more of such ones.
    places = (float(rng.uniform(6.3, 6.6)), float(rng.uniform(14.2, 14.8)))
    teacher = two_peaks(20, places, float(rng.uniform(0.6, 0.7)))
    for direction in ("forward", "reverse"):
        yield Case(f"random, {direction}", (teacher, direction, places[0] + 1.0))


def fit_tolerance(case: Case) -> float:
    """What is left when a fit has stopped at a loss within 1e-4 nats of the least one.

    Near its minimum a divergence grows as (Δcentre / width)² / 2, so a peak of width 7, the widest
    here, may be off by 7·√(2e-4) ≈ 0.1 tokens. Its entropy is then right to 0.02 nats.
    """
    return 0.1


def fit_facts(case: Case) -> dict[str, Any]:
    """What is so of a case, as (teacher_logits, direction, start)."""
    teacher, direction, start = case.args
    best = best_fit(numbers(teacher), direction, float(start))
    return {
        "the number of tokens": len(teacher),
        '`direction` is "forward"': direction == "forward",
        '`direction` is "reverse"': direction == "reverse",
        "probabilities of the best student are 0 in float32": bool(
            probabilities(best).min() < LEAST
        ),
        "the best width is below 1": best[1] < 0.95,
    }


def turned(direction: str) -> str:
    """The other direction."""
    return "reverse" if direction == "forward" else "forward"


# What is returned of a student, as functions of (teacher_logits, student, direction).


def probabilities(student: Student) -> np.ndarray:
    """The student's distribution in float64."""
    return logits_of(student).softmax(-1).numpy()


def loss_of(teacher_logits: Tensor, student: Student, direction: str) -> float:
    """The divergence that is to be small."""
    return float(divergence(direction, logits_of(student), teacher_logits))


def spread(student: Student) -> float:
    """The standard deviation of the student's tokens."""
    q, token = probabilities(student), np.arange(student[2])
    return float(np.sqrt(q @ (token - q @ token) ** 2))


POSITIONS: dict[str, tuple[str, Callable[[Tensor, Student, str], float]]] = {
    "likeliest_for_expected": (
        "Your position is the likeliest token. The task asks for the expected position, in which"
        " every token counts with its probability.",
        lambda t, student, d: float(probabilities(student).argmax()),
    ),
    "center_for_expected": (
        "Your position is the center of the peak. But the row of tokens ends on both sides and"
        " cuts a peak off there, so the expected position is another number.",
        lambda t, student, d: student[0],
    ),
    "position_of_the_teacher": (
        "Your position is the one that the teacher expects. The task asks for the student's.",
        lambda t, student, d: float((t.double().softmax(-1) * torch.arange(len(t))).sum()),
    ),
    "position_as_share": (
        "Your position is divided by V, the number of tokens. The task asks for a position from"
        " 0 to V − 1.",
        lambda t, student, d: summary(student)[0] / student[2],
    ),
    "position_cut_to_a_whole_number": (
        "Your position is a whole number: the expected position without the digits after the"
        " point. An expected position may lie between two tokens.",
        lambda t, student, d: float(int(summary(student)[0])),
    ),
    "position_rounded": (
        "Your position is the expected one, rounded to a whole number. It may lie between two"
        " tokens.",
        lambda t, student, d: float(round(summary(student)[0])),
    ),
    "counted_from_one": (
        "Your position is 1 too large: the tokens are numbered from 0.",
        lambda t, student, d: summary(student)[0] + 1,
    ),
}
ENTROPIES: dict[str, tuple[str, Callable[[Tensor, Student, str], float]]] = {
    "entropy_of_the_teacher": (
        "Your entropy is the teacher's. The task asks for the student's.",
        lambda t, student, d: entropy(t),
    ),
    "entropy_in_bits": (
        "The entropy is 1.44 times too large, which is 1/ln 2: these are bits. The task asks for"
        " nats.",
        lambda t, student, d: summary(student)[1] / math.log(2),
    ),
    "entropy_in_bits+zero_times_infinity": (
        "The entropy is 1.44 times too large, which is 1/ln 2: these are bits. And where the"
        " student is narrow, it is NaN: a probability is 0 in float32 there, its logarithm is −∞,"
        " and 0·∞ is NaN.",
        lambda t, student, d: (
            summary(student)[1] / math.log(2)
            if np.float32(probabilities(student)).all()
            else math.nan
        ),
    ),
    "entropy_negative": (
        "The entropy has the wrong sign. Logarithms of probabilities are negative; an entropy is"
        " not.",
        lambda t, student, d: -summary(student)[1],
    ),
    "entropy_averaged": (
        "Your entropy is too small by a factor of V, the number of tokens. An entropy is the sum"
        " of what the tokens contribute, and each is weighted by its probability already.",
        lambda t, student, d: summary(student)[1] / student[2],
    ),
    "zero_times_infinity": (
        "Where the student is narrow, your entropy is NaN. Far from its peak a probability is 0 in"
        " float32, its logarithm is −∞, and 0·∞ is NaN. What does such a token add to the entropy?",
        lambda t, student, d: (
            summary(student)[1] if np.float32(probabilities(student)).all() else math.nan
        ),
    ),
    "variance_for_entropy": (
        "In place of the entropy you return the variance of the student's position.",
        lambda t, student, d: spread(student) ** 2,
    ),
    "cross_entropy_for_entropy": (
        "In place of the entropy you return a cross-entropy, −Σ q log p, which contains the"
        " teacher's logarithms. The task asks how uncertain the student is by itself.",
        lambda t, student, d: -float(probabilities(student) @ t.double().log_softmax(-1).numpy()),
    ),
    "entropy_after_a_second_softmax": (
        "Your entropy is nearly log V, as if the probabilities had gone through a softmax once"
        " more. Does the function that computes it take logits or probabilities?",
        lambda t, student, d: entropy(torch.tensor(probabilities(student))),
    ),
    "loss_for_entropy": (
        "In place of the entropy you return the loss: how far the student is from its teacher.",
        loss_of,
    ),
    "perplexity_for_entropy": (
        "In place of the entropy you return its exponential, which is a perplexity.",
        lambda t, student, d: math.exp(summary(student)[1]),
    ),
    "spread_for_entropy": (
        "In place of the entropy you return the standard deviation of the student's position."
        " Both are large where the student is wide, but they are not the same number.",
        lambda t, student, d: spread(student),
    ),
    "entropy_of_a_gaussian": (
        "Your entropy is that of a continuous Gaussian of the fitted width, ½ log(2πe·width²)."
        " But the student is a distribution over a few tokens, and their row ends on both sides.",
        lambda t, student, d: math.log(student[1]) + 0.5 * math.log(2 * math.pi * math.e),
    ),
    "width_for_entropy": (
        "In place of the entropy you return the width of the peak. A wide peak has a large"
        " entropy, but the two are not the same number.",
        lambda t, student, d: student[1],
    ),
    "logarithm_of_width_for_entropy": (
        "In place of the entropy you return the logarithm of the width.",
        lambda t, student, d: math.log(student[1]),
    ),
}
ORDER = (
    "pair_turned_round",
    "The pair is the wrong way round: the expected position comes first, the entropy second.",
)


def summaries() -> Iterator[tuple[str, str, Callable]]:
    """Names, hints and functions of all wrong summaries: one mistake, two, or three."""

    def right_position(t: Tensor, student: Student, d: str) -> float:
        return summary(student)[0]

    def right_entropy(t: Tensor, student: Student, d: str) -> float:
        return summary(student)[1]

    positions = [(), *((name, *rest) for name, rest in POSITIONS.items())]
    entropies = [(), *((name, *rest) for name, rest in ENTROPIES.items())]
    for place, spread, swap in product(positions, entropies, (False, True)):
        made = [*filter(None, (place[:2], spread[:2], ORDER if swap else ()))]
        if not made:
            continue
        of = (place or (right_position,))[-1], (spread or (right_entropy,))[-1]

        def wrong(t: Tensor, direction: str, start: float, of=of, swap=swap) -> Pair:
            student = best_fit(numbers(t), direction, start)
            pair = tuple(each(t, student, direction) for each in of)
            return pair[::-1] if swap else pair

        hint = " ".join(words for _, words in made)
        yield (
            "+".join(name for name, _ in made),
            hint if len(made) == 1 else f"At least two things are off. {hint}",
            wrong,
        )


# Training that ends elsewhere.

ADAM = ("adam", 0.1)  # the optimiser of the task's text, and its learning rate
STEPS = 1000
LONG = 800  # steps after which even those who wait for a loss that settles have stopped


@cache
def trained(
    teacher_logits: tuple[float, ...],
    direction: str,
    start: float,
    optimiser: str,
    rate: float,
    cleared: bool = True,
    width: float = START_WIDTH,
    twice: bool = False,
    plain: bool = False,
    until: int = STEPS,
) -> tuple[tuple[float, float], ...]:
    """Centre and width at `start` and after each of some steps.

    Besides forward and reverse there are the directions "crossed", a reverse KL without the
    student's own entropy, and "both", the sum of the two. The optimiser "new adam" is made anew for
    each step. With `twice` the student's probabilities are taken for logits. What is trained beside
    the centre is the width's logarithm, and with `plain` the width.
    """
    logits = np.array(teacher_logits)
    log_p = logits - np.logaddexp.reduce(logits)
    p, token = np.exp(log_p), np.arange(float(len(logits)))
    here, path = [start, width if plain else math.log(width)], [(start, width)]
    gradient, first, second = [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]
    for step in range(1, until + 1):
        away = (token - here[0]) / path[-1][1]
        square = away * away
        log_q = -0.5 * square
        log_q -= np.logaddexp.reduce(log_q)
        q = once = np.exp(log_q)
        if twice:
            log_q = once - np.logaddexp.reduce(once)
            q = np.exp(log_q)
        if direction == "forward":
            pull = q - p
        else:
            gap = (0.0 if direction == "crossed" else log_q) - log_p
            pull = q * (gap - q @ gap) + (q - p if direction == "both" else 0.0)
        if twice:
            pull = once * (pull - once @ pull)
        # Of two numbers alone, which Python multiplies in less time than numpy.
        inner = path[-1][1] if plain else 1.0
        slopes = float(pull @ away) / path[-1][1], float(pull @ square) / inner
        for at, new in enumerate(slopes):
            slope = gradient[at] = new if cleared else gradient[at] + new
            if optimiser == "adam":
                first[at] = 0.9 * first[at] + 0.1 * slope
                second[at] = 0.999 * second[at] + 0.001 * (slope * slope)
                scale = math.sqrt(second[at] / (1 - 0.999**step)) + 1e-8
                here[at] -= rate * first[at] / (1 - 0.9**step) / scale
            elif optimiser == "new adam":
                here[at] -= rate * slope / (abs(slope) + 1e-8)
            else:
                here[at] -= rate * slope
        low, high = (1e-2, 1e2) if plain else (-5.0, 5.0)
        here[1] = min(max(here[1], low), high)  # what runs away is wrong all the same
        path.append((here[0], here[1] if plain else math.exp(here[1])))
    return tuple(path)


def stopped(
    optimiser: str, rate: float, steps: int, **options: float
) -> Callable[[Tensor, str, float], Pair]:
    """A student's function that trains for some steps."""

    def wrong(t: Tensor, direction: str, start: float) -> Pair:
        path = trained(numbers(t), direction, float(start), optimiser, rate, **options)
        return summary((*path[steps], len(t)))

    return wrong


def stopped_early(share: float, least: float = 0.0) -> Callable[[Tensor, str, float], Pair]:
    """A student's function that stops when the loss falls by less than a share of it, or less."""

    def wrong(t: Tensor, direction: str, start: float) -> Pair:
        asked = numbers(t), direction, float(start), *ADAM
        falls = enumerate(pairwise(losses_along(*asked)[:501]), 1)
        at = next((n for n, (old, new) in falls if new > old * (1 - share) - least), 500)
        return summary((*trained(*asked)[at], len(t)))

    return wrong


@cache
def losses_along(
    teacher_logits: tuple[float, ...], direction: str, start: float, optimiser: str, rate: float
) -> tuple[float, ...]:
    """The loss at the start and after each of `LONG` steps."""
    path = trained(teacher_logits, direction, start, optimiser, rate)[: LONG + 1]
    students = peak(*torch.tensor(path, dtype=torch.float64).T, len(teacher_logits))
    teacher = torch.tensor(teacher_logits, dtype=torch.float64)
    return tuple(divergence(direction, students, teacher).tolist())


def settled(optimiser: str, rate: float, least: float) -> Callable[[Tensor, str, float], Pair]:
    """A student's function that stops when a step changes the loss by less than a number."""

    def wrong(t: Tensor, direction: str, start: float) -> Pair:
        asked = numbers(t), direction, float(start), optimiser, rate
        changes = (abs(after - before) for before, after in pairwise(losses_along(*asked)))
        at = next((step for step, change in enumerate(changes, 1) if change < least), LONG)
        return summary((*trained(*asked)[at], len(t)))

    return wrong


def of_probabilities(t: Tensor, direction: str, start: float) -> Pair:
    """The teacher's probabilities are taken for logits."""
    teacher = numbers(t.double().softmax(-1))
    return summary((*trained(teacher, direction, float(start), *ADAM)[400], len(t)))


def softmaxed_again(teacher: bool, steps: int) -> Callable[[Tensor, str, float], Pair]:
    """The student's probabilities are taken for logits, and the teacher's may be too."""

    def wrong(t: Tensor, direction: str, start: float) -> Pair:
        given = numbers(t.double().softmax(-1) if teacher else t)
        path = trained(given, direction, float(start), *ADAM, twice=True)
        return summary((*path[steps], len(t)))

    return wrong


def spoiled(least: float, ends: bool) -> Callable[[Tensor, str, float], Pair]:
    """The logarithm of a probability that is 0 makes the loss NaN, and with it all that follows."""

    def wrong(t: Tensor, direction: str, start: float) -> Pair:
        asked = numbers(t), direction, float(start)
        best = best_fit(*asked)
        smallest = float(probabilities(best).min())
        if min(smallest, math.inf if ends else smallest_along(*asked)) < least:
            return math.nan, math.nan
        return summary(best)

    return wrong


@cache
def smallest_along(teacher_logits: tuple[float, ...], direction: str, start: float) -> float:
    """The smallest probability after any of 400 steps."""
    path = trained(teacher_logits, direction, start, *ADAM)[1:401]
    students = peak(*torch.tensor(path, dtype=torch.float64).T, len(teacher_logits))
    return float(students.softmax(-1).min())


def kept_wide(least: float) -> Callable[[Tensor, str, float], Student]:
    """A width that does not fall below a number."""

    def wrong(t: Tensor, direction: str, start: float) -> Student:
        best = best_fit(numbers(t), direction, float(start))
        return best if best[1] >= least else best_fit(numbers(t), direction, float(start), least)

    return wrong


def without_own_entropy(t: Tensor, direction: str, start: float) -> Pair:
    """−Σ q log p for KL(q‖p)."""
    if direction == "forward":
        return summary(best_fit(numbers(t), direction, start))
    return summary((*trained(numbers(t), "crossed", float(start), *ADAM)[400], len(t)))


def of_both(t: Tensor, direction: str, start: float) -> Pair:
    """The sum of the two divergences, whichever is asked for."""
    return summary((*trained(numbers(t), "both", float(start), *ADAM)[400], len(t)))


def moments(t: Tensor, direction: str, start: float) -> Student:
    """The teacher's mean and standard deviation."""
    p, token = t.double().softmax(-1), torch.arange(len(t), dtype=torch.float64)
    mean = (p * token).sum()
    return float(mean), float((p * (token - mean) ** 2).sum().sqrt()), len(t)


def moments_forward(t: Tensor, direction: str, start: float) -> Student:
    """The same for one direction."""
    if direction == "forward":
        return moments(t, direction, start)
    return best_fit(numbers(t), direction, start)


def begun(
    place: Callable[[int, float], float], width: float
) -> Callable[[Tensor, str, float], Pair]:
    """A student's function that trains well, from another beginning."""

    def wrong(t: Tensor, direction: str, start: float) -> Pair:
        here = place(len(t), float(start))
        path = trained(numbers(t), direction, here, *ADAM, width=width)
        return summary((*path[500], len(t)))

    return wrong


@cache
def best_of_all(teacher_logits: tuple[float, ...], direction: str) -> Student:
    """The student with the least loss, wherever its training began."""
    size = len(teacher_logits)
    found = (best_fit(teacher_logits, direction, float(start)) for start in range(0, size, 3))
    return min(found, key=lambda student: loss_of(torch.tensor(teacher_logits), student, direction))


def fitted(how: Callable[[Tensor, str, float], Student]) -> Callable:
    """A student's function that fits in some way, and summarises rightly."""
    return lambda teacher_logits, direction, start: summary(how(teacher_logits, direction, start))


BEGINNINGS = (
    *(
        begun(place, START_WIDTH)
        for place in (lambda size, start: size / 2, lambda size, start: 0.0)
    ),
    begun(lambda size, start: start, math.exp(START_WIDTH)),
    fitted(lambda t, d, s: best_of_all(numbers(t), d)),
)
TOO_FEW = {  # steps after which training has not ended yet
    ("adam", 0.1): (5, 10, 15, 20, 25, 30, 40, 50),
    ("adam", 0.05): (10, 20, 30, 40, 50),
    ("adam", 0.01): (50, 100, 150, 200, 250, 300, 400),
    ("adam", 0.001): (400, 500, 600, 800, 1000),
    ("sgd", 0.1): (20, 30, 50, 100),
    ("sgd", 0.05): (50, 100, 200),
    ("sgd", 0.01): (100, 200, 300, 400, 500, 1000),
}
PLAINLY_TOO_FEW = {  # where the width is trained, and not its logarithm
    ("adam", 0.1): (10, 20, 30, 40, 50),
    ("adam", 0.01): (50, 100, 200),
    ("sgd", 0.1): (20, 40, 50, 100),
}


SETTLED = {  # changes of the loss at which it seems to have ended
    ("adam", 0.1): (1e-2, 1e-3, 1e-4),
    ("adam", 0.05): (1e-2, 1e-3, 1e-4),
    ("adam", 0.01): (1e-2, 1e-3, 1e-4, 1e-5),
    ("sgd", 0.1): (1e-2, 1e-3, 1e-4),
    ("sgd", 0.01): (1e-2, 1e-3, 1e-4),
}


def at_the_start(t: Tensor, direction: str, start: float) -> Pair:
    """The best width of a peak that stays where it began."""
    widths = torch.logspace(-0.5, 1.3, 400, dtype=torch.float64)
    students = peak(torch.full_like(widths, float(start)), widths, len(t))
    best = divergence(direction, students, t).argmin()
    return summary((float(start), float(widths[best]), len(t)))


def cut_off(t: Tensor, direction: str, start: float) -> Pair:
    """backward() of a loss in which no parameter is left."""
    raise RuntimeError("element 0 of tensors does not require grad and does not have a grad_fn")


FIT_MISCONCEPTIONS = tuple(
    Misconception(name, hint, SECTIONS[section], wrong)
    for name, hint, section, wrongs in (
        (
            "direction_swapped",
            "Your student covers both peaks where it should settle on one, and settles on one"
            " where it should cover both, as if the two losses were swapped.",
            "1.3",
            (fitted(lambda t, d, s: best_fit(numbers(t), turned(d), s)),),
        ),
        (
            "always_forward",
            "Your student spreads over both peaks whichever direction is asked for. Does your"
            " loss depend on `direction`?",
            "1.3",
            (fitted(lambda t, d, s: best_fit(numbers(t), "forward", s)),),
        ),
        (
            "always_reverse",
            "Your student settles on one peak whichever direction is asked for. Does your loss"
            " depend on `direction`?",
            "1.3",
            (fitted(lambda t, d, s: best_fit(numbers(t), "reverse", s)),),
        ),
        (
            "not_trained",
            "Your student is still where it started, or one step away. Does your loop take more"
            " than one step, and does each step change the center and the width from which your"
            " results are computed?",
            "1.3",
            (
                fitted(lambda t, d, s: (s, START_WIDTH, t.shape[-1])),
                stopped(*ADAM, 1),  # as by a return in the loop
                stopped(*ADAM, 1, plain=True, until=200),
            ),
        ),
        (
            "width_not_trained",
            "The center is trained but the width is not: it is still what it was at the start."
            " Is the width among the parameters that the optimiser changes?",
            "1.3",
            (fitted(lambda t, d, s: best_fit(numbers(t), d, s, START_WIDTH)),),
        ),
        (
            "center_not_trained",
            "The width is trained but the center is not: it is still where it was at the start."
            " Is the center among the parameters that the optimiser changes?",
            "1.3",
            (at_the_start,),
        ),
        (
            "not_converged",
            "Your student is not yet where the loss is smallest, as if training had ended too"
            " soon. How does the loss still change over your last steps?",
            "1.3",
            (
                *(
                    stopped(*optimiser, count)
                    for optimiser, counts in TOO_FEW.items()
                    for most in counts
                    for count in (most - 1, most)
                ),
                *(
                    stopped(*optimiser, count, plain=True, until=200)
                    for optimiser, counts in PLAINLY_TOO_FEW.items()
                    for most in counts
                    for count in (most - 1, most)
                ),
                *(
                    stopped("adam", 0.1, count, width=math.exp(START_WIDTH))
                    for count in (20, 29, 30, 40, 50, 59, 60, 80, 100)
                ),
                stopped_early(0.01),
                stopped_early(0.1),
                *(stopped_early(0.0, least) for least in (1e-3, 1e-4)),
                *(
                    settled(*optimiser, least)
                    for optimiser, leasts in SETTLED.items()
                    for least in leasts
                ),
            ),
        ),
        (
            "moments_matched",
            "For the forward loss, your student's center and width are its teacher's mean and"
            " standard deviation. That student would be the best one if the row of tokens had no"
            " end, but this row ends on both sides. Is the loss really smallest there?",
            "1.3",
            (fitted(moments), fitted(moments_forward)),
        ),
        (
            "both_losses",
            "Your student ends where the sum of the two losses is small, whichever direction is"
            " asked for. Which of the two does each direction mean?",
            "1.3",
            (of_both,),
        ),
        (
            "own_entropy_missing",
            "In the reverse direction your student settles on a single token, as if Σ q log q"
            " were missing from the loss. In the forward direction you may leave out the"
            " teacher's entropy. Why can you not leave out the student's in the reverse"
            " direction?",
            "1.3",
            (without_own_entropy,),
        ),
        (
            "teacher_softmaxed_twice",
            "Your student fits a teacher that went through a softmax twice and is nearly flat."
            " Which of the functions that you call take logits, and what do they get?",
            "1.1",
            (of_probabilities,),
        ),
        (
            "student_softmaxed_twice",
            "Your student ends as if the loss had taken its probabilities for logits. After a"
            " second softmax no token is more than 2.72 times as likely as another, and little is"
            " left to learn from. Which of the functions that you call take logits, and what do"
            " they get?",
            "1.1",
            tuple(
                softmaxed_again(teacher, steps)
                for teacher in (True, False)
                for steps in (400, 500, 600, 800, 1000)
            ),
        ),
        (
            "zero_in_the_logarithm",
            "Where the student becomes narrow, both numbers are NaN. This happens when the loss"
            " contains the logarithm of a probability that is 0 in float32, as probabilities far"
            " from a narrow peak are. torch can compute logarithms of probabilities without the"
            " probabilities.",
            "1.2",
            tuple(
                spoiled(least, ends)
                for least in (LEAST, 2e-45, 1e-44, 1e-38)
                for ends in (False, True)
            ),
        ),
        (
            "width_kept_in_bounds",
            "Where the student should end narrow, its width seems to stop before it gets there,"
            " as if something kept it from falling below some number.",
            "1.3",
            tuple(fitted(kept_wide(least)) for least in (0.8, 0.9, 1.0, 1.2, 1.5, 2.0, 2.5, 3.0)),
        ),
        (
            "student_cut_off",
            "Your loss does not depend on any tensor that requires a gradient. The cause may be"
            " item(), float(), detach() or no_grad() on the way to the loss, or a center and a"
            " width that do not require one. For which numbers do you need the gradient of the"
            " loss?",
            "1.3",
            (cut_off,),
        ),
        (
            "optimiser_made_anew",
            "Your student does not come to rest where the loss is smallest. It moves as if every"
            " step were as long as the first, however small the gradient is. What does an"
            " optimiser remember from one step to the next, and is yours still the same one"
            " then?",
            "1.3",
            # After shorter steps it may stand near enough.
            tuple(
                stopped("new adam", 0.1, count)
                for most in (300, 400, 500, 600, 800)
                for count in (most - 1, most)
            ),
        ),
        (
            "gradients_not_cleared",
            "Your student does not come to rest where the loss is smallest. It moves as if the"
            " gradients of all steps were added up. What has to happen to them before each"
            " backward()?",
            "1.3",
            tuple(
                stopped("adam", 0.1, count, cleared=False)
                for most in (300, 400, 500, 600, 1000)
                for count in (most - 1, most)
            ),
        ),
        (
            "another_minimum",
            "In the reverse direction your student does not always end on the peak near `start`."
            " This loss has several minima, and the beginning decides which one is found: the"
            " center should begin at `start`, and the width at 3. Where does yours begin?",
            "1.3",
            BEGINNINGS,
        ),
        *((name, hint, "1.2", (wrong,)) for name, hint, wrong in summaries()),
    )
    for wrong in wrongs
)

# --- Right versions of what later tasks may call -------------------------------------------------


def right_softmax(logits, temperature=1.0):
    return F.softmax(logits / temperature, dim=-1)


def right_forward_kl(student_logits, teacher_logits):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def right_reverse_kl(student_logits, teacher_logits):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    return (log_q.exp() * (log_q - log_p)).sum(-1)


# --- The tasks ----------------------------------------------------------------------------------

CHECKS = (
    FunctionCheck(
        name="softmax_with_temperature",
        parts={"values": 2, EXTREME: 1},
        expected="softmax(logits / T) over the last axis, of the same shape, T = 1 when none is"
        " given, also when logits are extreme.",
        section=SECTIONS["1.1"],
        reference=softmax_with_temperature,
        fixed=temperature_cases(),
        random=random_temperature_cases,
        misconceptions=TEMPERATURE_MISCONCEPTIONS,
        tolerance=temperature_tolerance,
        facts=temperature_facts,
    ),
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
        tolerance=kl_tolerance,
        facts=facts,
        uses={"softmax_with_temperature": right_softmax},
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
        tolerance=kl_tolerance,
        facts=facts,
        uses={"softmax_with_temperature": right_softmax, "forward_kl": right_forward_kl},
    ),
    AnswerCheck(
        name="ranking",
        parts={"answer": 2},
        expected="The four students, from the smallest KL(p‖q) to the largest.",
        section=SECTIONS["1.2"],
        answer=RANKING,
        mistakes=ranking_mistakes(),
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
                "Think of a token that the teacher likes and to which the student gives almost"
                " no probability. In the loss it is weighted by q, the student's own"
                " probability. How much does it cost?",
                SECTIONS["1.3"],
            ),
            Option(
                "b",
                "A divergence is not a distance: when you swap its two arguments, the tokens get"
                " other weights. Compute both for p = [0.9, 0.1] and q = [0.5, 0.5] and compare.",
                SECTIONS["1.2"],
            ),
            Option("c", None, SECTIONS["1.3"]),
            Option(
                "d",
                "The loss does contain the student's entropy, and a larger one lowers it. But it"
                " also charges the student for probability on tokens that the teacher finds"
                " unlikely. What would a student with a uniform distribution pay there?",
                SECTIONS["1.3"],
            ),
        ),
    ),
    FunctionCheck(
        name="fit_one_peak",
        parts={"values": 4},
        expected="(expected position, entropy in nats) of the one-peak student with the least"
        " KL(p‖q) when the direction is forward, the least KL(q‖p) when it is reverse.",
        section=SECTIONS["1.3"],
        reference=fit_one_peak,
        fixed=fit_cases(),
        random=random_fit_cases,
        misconceptions=FIT_MISCONCEPTIONS,
        tolerance=fit_tolerance,
        facts=fit_facts,
        names=("expected position", "entropy"),
        uses={
            "softmax_with_temperature": right_softmax,
            "forward_kl": right_forward_kl,
            "reverse_kl": right_reverse_kl,
        },
    ),
)
