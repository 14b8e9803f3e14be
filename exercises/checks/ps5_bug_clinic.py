"""Checks of ps5_bug_clinic: losses that train and are wrong, named and repaired. Never released."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial, reduce
from itertools import product, takewhile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autograder import spec
from autograder.spec import (
    AnswerCheck,
    Case,
    FunctionCheck,
    Misconception,
    Mistake,
    Option,
    choice,
    load_sections,
)

SECTIONS = load_sections(Path(__file__).with_name("sections.json"))
WITHHELD = ("kdlab",)  # it holds the answers
IGNORED = -100
END = 0  # the end of a text, and padding
LARGEST = 35.0  # logit, but for task 7

# --- The right way, and the ways to leave it ----------------------------------------------------
# A kernel makes each token's share of a divergence from the logits of student and teacher.

Kernel = Callable[[Tensor, Tensor], Tensor]


def kl_shares(log_q: Tensor, log_p: Tensor) -> Tensor:
    """What each token adds to KL(p‖q)."""
    return log_p.exp() * (log_p - log_q)


def kl(student: Tensor, teacher: Tensor) -> Tensor:
    """The shares of KL(p‖q)."""
    return kl_shares(student.log_softmax(-1), teacher.log_softmax(-1))


def kl_losses(student: Tensor, teacher: Tensor, kernel: Kernel = kl) -> Tensor:
    """KL(p‖q) at each position."""
    return kernel(student.double(), teacher.double()).sum(-1)


def label_losses(logits: Tensor, labels: Tensor, kernel: Kernel | None = None) -> Tensor:
    """−log q(y) at the positions that count."""
    counts = labels != IGNORED
    log_q = (kernel or Tensor.log_softmax)(logits.double(), -1)
    return -log_q[counts].gather(-1, labels[counts][:, None])[:, 0]


def guarded(epsilon: float) -> Kernel:
    """KL with a small number in each logarithm."""
    return lambda student, teacher: (
        teacher.softmax(-1)
        * ((teacher.softmax(-1) + epsilon).log() - (student.softmax(-1) + epsilon).log())
    )


def clamped(epsilon: float) -> Kernel:
    """KL of probabilities that are kept above a small number."""
    return lambda student, teacher: (
        teacher.softmax(-1)
        * (
            teacher.softmax(-1).clamp_min(epsilon).log()
            - student.softmax(-1).clamp_min(epsilon).log()
        )
    )


def floored(least: float) -> Kernel:
    """KL of logarithms that are kept above a number."""
    return lambda student, teacher: kl_shares(
        student.log_softmax(-1).clamp_min(least), teacher.log_softmax(-1).clamp_min(least)
    )


def underflown(student: Tensor, teacher: Tensor) -> Tensor:
    """KL of the logarithms of float32 probabilities, which may be 0."""
    log_q, log_p = (each.float().softmax(-1).log() for each in (student, teacher))
    return kl_shares(log_q, log_p)


def called_infinite(student: Tensor, teacher: Tensor) -> Tensor:
    """The same, infinite where the student's probability is 0, as torch.distributions has it."""
    q = student.float().softmax(-1)
    return kl(student, teacher).masked_fill(q == 0, torch.inf)


def along(axis: int, of_teacher: int | None = None) -> Kernel:
    """KL with softmaxes over another axis; the teacher's may be one of its own."""
    own = axis if of_teacher is None else of_teacher
    return lambda student, teacher: kl_shares(student.log_softmax(axis), teacher.log_softmax(own))


def symmetric(student: Tensor, teacher: Tensor) -> Tensor:
    """The mean of both divergences."""
    return (kl(student, teacher) + kl(teacher, student)) / 2


def without_sign(student: Tensor, teacher: Tensor) -> Tensor:
    """KL of distances instead of differences."""
    return kl(student, teacher).abs()


def cut_off_at_zero(student: Tensor, teacher: Tensor) -> Tensor:
    """KL of shares none of which may be below 0."""
    return kl(student, teacher).clamp_min(0)


def squares(student: Tensor, teacher: Tensor) -> Tensor:
    """The squared differences of the logits."""
    return (student - teacher) ** 2


def squares_of_probabilities(student: Tensor, teacher: Tensor) -> Tensor:
    """The squared differences of the probabilities."""
    return (student.softmax(-1) - teacher.softmax(-1)) ** 2


EPSILONS = (
    *(1e-5, 1e-6, 1e-7, float(np.finfo(np.float32).eps), 1e-8, 1e-9, 1e-10, 1e-12, 1e-16),
    *(1e-20, 1e-30),
)
FLOORS = (-10.0, -20.0, -30.0, -50.0)  # below which some let no logarithm fall
EPSILON_HINT = (
    "Where a model is sure, your numbers are those of code that adds a small number to"
    " probabilities, or keeps them or their logarithms above a limit. There the result is wrong,"
    " and the guard is needed nowhere. Which function gives the logarithm of a probability without"
    " the probability?"
)
# name, hint, section, kernels
KERNELS = (
    (
        "direction_swapped",
        "Your divergence is the other way round: it is KL(q‖p). Which model's probabilities are the"
        " weights in KL(p‖q)? If you call kl_div: which model does it expect as its first argument,"
        " and which as its target?",
        "1.3",
        lambda student, teacher: kl(teacher, student),
    ),
    (
        "cross_entropy",
        "Your loss is not 0 when student and teacher agree: it is too large by the teacher's"
        " entropy. Which part of KL(p‖q) is missing? The old code has it.",
        "1.2",
        lambda student, teacher: -teacher.softmax(-1) * student.log_softmax(-1),
    ),
    (
        "log_target_missing",
        "The result is NaN. One possible cause: kl_div gets logarithms as its target, but takes"
        " them for probabilities, and the logarithm of a negative number is NaN. The old code sets"
        " an option that says what the target is; does yours? Another possible cause is a −∞ in the"
        " place of logits.",
        "1.2",
        lambda student, teacher: torch.nn.functional.kl_div(
            student.log_softmax(-1), teacher.log_softmax(-1), reduction="none"
        ),
    ),
    (
        "log_target_with_probabilities",
        "Your KD is what comes out when the teacher's probabilities stand where kl_div, because of"
        " log_target, expects their logarithms. Both are numbers, so nothing complains. What is the"
        " target in your code?",
        "1.2",
        lambda student, teacher: kl_shares(student.log_softmax(-1), teacher.softmax(-1)),
    ),
    (
        "probabilities_for_logarithms",
        "Your KD is what comes out when the student's probabilities stand where kl_div expects"
        " their logarithms. What is its first argument in your code?",
        "1.2",
        lambda student, teacher: kl_shares(student.softmax(-1), teacher.log_softmax(-1)),
    ),
    (
        "softmax_missing",
        "Your KD is what comes out when the logits of a model, or of both, stand where logarithms"
        " of probabilities belong. The two differ by a constant, and each position has its own."
        " What turns logits into logarithms of probabilities?",
        "1.2",
        lambda student, teacher: kl_shares(student, teacher.log_softmax(-1)),
        lambda student, teacher: kl_shares(student.log_softmax(-1), teacher),
        lambda student, teacher: kl_shares(student, teacher),
    ),
    (
        "epsilon_in_the_logarithm",
        EPSILON_HINT,
        "1.2",
        *(kernel(epsilon) for epsilon in EPSILONS for kernel in (guarded, clamped)),
        *map(floored, FLOORS),
    ),
)
ANOTHER_DIVERGENCE = (
    "another_divergence",
    "Your KD measures in another way how far the two models are apart: by both divergences"
    " together, by differences without their sign, or by squares. The task asks for KL(p‖q) alone."
    " Which differences does it weigh, and by what?",
    "1.2",
    symmetric,
    without_sign,
    squares,
    squares_of_probabilities,
)
CUT_OFF_HINT = (
    "Your numbers are what comes out when each token's share is cut off at 0. A KL divergence is"
    " never below 0, but the share of one token may be. What is a KL divergence a sum of?"
)
CUT_OFF = ("negative_shares_cut_off", CUT_OFF_HINT, "1.2", cut_off_at_zero)
SOFTMAXED_TWICE = (
    "model_softmaxed_twice",
    "A model looks unsure in your divergence however sure it is, as if its probabilities were taken"
    " for logits and went through one more softmax. Which of the two does log_softmax take?",
    "1.1",
    lambda student, teacher: kl(student.softmax(-1), teacher),
    lambda student, teacher: kl(student, teacher.softmax(-1)),
    lambda student, teacher: kl(student.softmax(-1), teacher.softmax(-1)),
)
KERNELS = (*KERNELS, ANOTHER_DIVERGENCE, CUT_OFF, SOFTMAXED_TWICE)
ANOTHER_AXIS = (
    "softmax_on_another_axis",
    "Your numbers are what comes out when a softmax, of one model or of both, runs over another"
    " axis than the vocabulary. Along which axis do probabilities add up to 1?",
    "1.1",
)
TWO_KERNELS = ("direction_swapped", "cross_entropy", "log_target_missing")  # often one of two bugs


def listed(ways: Iterable[tuple]) -> Iterator[tuple]:
    """The same, with all variants in one tuple."""
    return ((*way[:3], way[3:]) for way in ways)


def named(ways: Iterable[tuple]) -> tuple[Misconception, ...]:
    """Misconceptions of (name, hint, section, ways to make this mistake…)."""
    return tuple(
        Misconception(name, hint, SECTIONS[number], wrong)
        for name, hint, number, *variants in ways
        for wrong in variants
    )


# The mean over the tokens.

Mean = Callable[[Tensor], Tensor]


def token_mean(shares: Tensor) -> Tensor:
    """Sum over the vocabulary, mean over the positions."""
    return shares.sum(-1).mean()


def per_text(shares: Tensor) -> Tensor:
    """The sum, divided by the number of texts."""
    return shares.sum() / shares.shape[0]


def kd_mean(
    student_logits: Tensor,
    teacher_logits: Tensor,
    temperature: float = 1.0,
    *,
    kernel: Kernel = kl,
    mean: Mean = token_mean,
    power: float = 2.0,
    base: float | None = None,
    heat: tuple[float, float] = (-1.0, -1.0),
) -> Tensor:
    """T² times the mean over all positions of KL(p‖q) at temperature T.

    `heat` is the power of T that the student's and the teacher's logits are multiplied by. With a
    `base` the factor is its power of T.
    """
    student = student_logits.double() * temperature ** heat[0]
    teacher = teacher_logits.double() * temperature ** heat[1]
    factor = temperature**power if base is None else base**temperature
    return factor * mean(kernel(student, teacher))


def heated_late(
    student_logits: Tensor,
    teacher_logits: Tensor,
    temperature: float = 1.0,
    *,
    both: bool = True,
    power: float = 2.0,
) -> Tensor:
    """T divides what log_softmax has made, of both models or of the student's alone."""
    log_q = student_logits.double().log_softmax(-1) / temperature
    log_p = teacher_logits.double()
    log_p = log_p.log_softmax(-1) / temperature if both else (log_p / temperature).log_softmax(-1)
    return temperature**power * token_mean(kl_shares(log_q, log_p))


def likeliest_alone(count: int) -> Kernel:
    """KL of distributions over the tokens that the teacher finds likeliest."""

    def shares(student: Tensor, teacher: Tensor) -> Tensor:
        top, places = teacher.topk(min(count, teacher.shape[-1]), dim=-1)
        return kl(student.gather(-1, places), top)

    return shares


ALONG_OTHERS = (lambda shares: shares.sum(0).mean(), lambda shares: shares.sum(1).mean())
MEANS = (
    (
        "vocabulary_mean",
        "The bug is still there. Your loss is too small by a factor of V, the size of the"
        " vocabulary, and so is the weight that you think you gave the teacher. Over which axes"
        " does this mean run, and over which of them is a KL divergence a sum?",
        "1.2",
        torch.mean,
    ),
    (
        "batch_mean",
        "Your loss equals a sum divided by the number of texts: if all texts were twice as long, it"
        " would be about twice as large. By the length of which axis does 'batchmean' divide when"
        " there are three? Another patient has this bug.",
        "2.2",
        per_text,
    ),
    (
        "divided_by_length",
        "Your loss equals a sum divided by the number of positions in one text: with twice as many"
        " texts it would be about twice as large. How many positions are there in all?",
        "2.2",
        lambda shares: shares.sum() / shares.shape[1],
    ),
    (
        "divided_by_the_vocabulary_again",
        "Your loss is too small by a factor of V², where V is the size of the vocabulary: something"
        " has divided by V twice. How often should it be divided by V?",
        "1.2",
        lambda shares: shares.mean() / shares.shape[-1],
    ),
    (
        "vocabulary_hard_coded",
        "Your loss is what comes out when a mean is multiplied by the size of the vocabulary in"
        " another task. Which axis of the tensors says how large the vocabulary is here?",
        "1.2",
        *(lambda shares, size=size: shares.mean() * size for size in (8_000, 32_000)),
    ),
    (
        "sum_and_mean_exchanged",
        "Your loss is a mean over the vocabulary and a sum over the positions. Over which of the"
        " two is a KL divergence a sum?",
        "1.2",
        lambda shares: shares.mean(-1).sum(),
    ),
    (
        "summed_over_another_axis",
        "Your loss is a mean over the vocabulary, and over either the texts or the positions in a"
        " text; over the other of these two it is a sum. Over which axis is a KL divergence a sum,"
        " and over which do you take the mean?",
        "1.2",
        *ALONG_OTHERS,
    ),
    (
        "summed",
        "This is the sum over all positions. It grows with the batch, and so does its gradient. The"
        " old mean divides by two numbers, and only one of them is wrong.",
        "2.2",
        torch.sum,
    ),
    (
        "one_text_alone",
        "Your loss is that of one text of the batch. N is the number of positions of all texts.",
        "2.2",
        lambda shares: shares[0].sum(-1).mean(),
        lambda shares: shares[-1].sum(-1).mean(),
    ),
    (
        "middle_for_mean",
        "Your loss is the median of the positions' values, or the largest of them. The task asks"
        " for their mean.",
        "2.2",
        lambda shares: shares.sum(-1).flatten().median(),
        lambda shares: shares.sum(-1).max(),
    ),
    (
        "zeros_not_counted",
        "Your loss equals a sum divided by the number of positions whose loss is not 0, or not"
        " almost 0. Where student and teacher agree, a position's loss is 0, but the position is"
        " still one of the N.",
        "2.2",
        lambda shares: shares.sum() / (shares.sum(-1).abs() > 1e-6).sum(),
        lambda shares: shares.sum() / max(int((shares.sum(-1).abs() > 1e-6).sum()), 1),
    ),
    (
        "not_averaged",
        "You return a value for each position. One number is asked for, their mean.",
        "2.2",
        lambda shares: shares.sum(-1),
    ),
)
SCALES = (
    (
        "t_squared_lost",
        "T² got lost in the repair, but it was not part of the bug: without it the teacher's weight"
        " falls as T grows.",
        "2.2",
        {"power": 0.0},
    ),
    (
        "t_for_t_squared",
        "Your loss is multiplied by T once. At temperature T the gradient of KD shrinks like 1/T²;"
        " one of the two factors T is missing.",
        "2.2",
        {"power": 1.0},
    ),
    (
        "two_to_the_temperature",
        "Your loss is multiplied by 2 to the power of T, which equals T² only for T = 2 and T = 4."
        " Which of the two numbers should be the exponent?",
        "2.2",
        {"base": 2.0},
    ),
    (
        "t_squared_twice",
        "Your loss is multiplied by T² twice. Does a function that you call multiply by it"
        " already?",
        "2.2",
        {"power": 4.0},
    ),
    (
        "temperature_forgotten",
        "Your loss comes from distributions on which T has no effect. What should be divided by T"
        " before the softmax?",
        "1.1",
        {"heat": (0.0, 0.0)},
        {"heat": (0.0, 0.0), "power": 0.0},
        {"heat": (0.0, 0.0), "power": 1.0},
    ),
    (
        "temperature_on_one_side",
        "Your loss compares one model at temperature T with the other at temperature 1. Both should"
        " be compared at the same temperature.",
        "1.1",
        {"heat": (-1.0, 0.0)},
        {"heat": (0.0, -1.0)},
        {"heat": (-1.0, 0.0), "power": 0.0},
        {"heat": (0.0, -1.0), "power": 0.0},
        {"heat": (-1.0, 0.0), "power": 1.0},
        {"heat": (0.0, -1.0), "power": 1.0},
    ),
    (
        "hotter_is_sharper",
        "A higher T makes the distributions of one of your models, or of both, sharper. Should the"
        " logits be multiplied by T, or divided?",
        "1.1",
        {"heat": (1.0, 1.0)},
        {"heat": (-1.0, 1.0)},
        {"heat": (1.0, -1.0)},
    ),
    (
        "another_temperature",
        "Your loss comes from distributions at the temperature T², or at the square root of T. By"
        " what should the logits be divided?",
        "1.1",
        {"heat": (-2.0, -2.0)},
        {"heat": (-2.0, -2.0), "power": 0.0},
        {"heat": (-2.0, -2.0), "power": 4.0},
        {"heat": (-0.5, -0.5)},
    ),
    (
        "one_model_at_another_temperature",
        "Your student and your teacher are at different temperatures, as if the logits of one of"
        " them were divided by T twice. Both should be compared at the same temperature.",
        "1.1",
        {"heat": (-2.0, -1.0)},
        {"heat": (-1.0, -2.0)},
    ),
    (
        "t_squared_upside_down",
        "Your loss is divided by T². At temperature T the gradient of KD is too small already;"
        " should the factor make it larger or smaller?",
        "2.2",
        {"power": -2.0},
    ),
)
KD_MEAN_WAYS = (
    *((*what, *(partial(kd_mean, mean=mean) for mean in means)) for *what, means in listed(MEANS)),
    *(
        (
            *what,
            *(partial(kd_mean, kernel=kernel) for kernel in kernels),
            *(
                partial(kd_mean, kernel=kernel, **options)
                for kernel in (kernels if what[0] in TWO_KERNELS else ())
                for options in (
                    {"mean": torch.mean},
                    {"mean": per_text},
                    {"mean": torch.sum},
                    {"power": 0.0},
                )
            ),
            *(  # of squares one takes the mean
                partial(kd_mean, kernel=kernel, mean=torch.mean, power=power)
                for kernel in (kernels[2:] if what[0] == ANOTHER_DIVERGENCE[0] else ())
                for power in (2.0, 0.0)
            ),
        )
        for *what, kernels in listed(KERNELS)
    ),
    (
        "likeliest_tokens_alone",
        "Right for small vocabularies. With a large one, your loss compares the models on the"
        " teacher's likeliest tokens only, but the formula adds up all tokens.",
        "1.2",
        *(partial(kd_mean, kernel=likeliest_alone(count)) for count in (10, 20, 32, 50, 64, 100)),
    ),
    (
        "heated_after_the_softmax",
        "Where T is not 1, your loss comes from numbers that do not add up to 1 as probabilities"
        " do, as if T divided logarithms of probabilities. What should T divide, and at which"
        " step?",
        "1.1",
        *(partial(heated_late, both=both, power=n) for both in (True, False) for n in (2.0, 0.0)),
    ),
    (
        "probability_underflows",
        "Right for ordinary logits. Where a model is very sure, your loss is infinite or NaN: a"
        " probability there is too small for its number format and becomes 0, and the logarithm of"
        " 0 is −∞. Which function gives the logarithm without the probability?",
        "1.2",
        partial(kd_mean, kernel=underflown),
        partial(kd_mean, kernel=called_infinite),
    ),
    (
        *ANOTHER_AXIS,
        *(
            partial(kd_mean, kernel=along(*axes))
            for axes in ((0,), (1,), (-1, 0), (-1, 1), (0, -1), (1, -1))
        ),
    ),
    (
        "another_default_temperature",
        "Right where a temperature is given. Where none is given, your loss is that of a"
        " temperature other than 1. What does the first line of your function say?",
        "1.1",
        *(
            lambda student, teacher, temperature=own: kd_mean(student, teacher, temperature)
            for own in (2.0, 3.0, 4.0)
        ),
    ),
    *(
        (
            *what,
            *(partial(kd_mean, **options) for options in each),
            *(
                partial(kd_mean, mean=mean, **options)
                for options in each
                for mean in (torch.mean, per_text, torch.sum, *ALONG_OTHERS)
            ),
        )
        for *what, each in listed(SCALES)
    ),
)

# The mask.

Mask = Callable[[Tensor, Tensor], Tensor]


def labelled(input_ids: Tensor, labels: Tensor) -> Tensor:
    """Where a label counts."""
    return labels != IGNORED


def kd_masked(
    student_logits: Tensor,
    teacher_logits: Tensor,
    input_ids: Tensor,
    labels: Tensor,
    *,
    kernel: Kernel = kl,
    counts: Mask = labelled,
    divisor: Callable[[Tensor, Tensor], Tensor | float] = lambda mask, shares: mask.sum(),
) -> Tensor:
    """Mean of KL(p‖q) over the positions whose label counts."""
    mask = counts(input_ids, labels)
    shares = kernel(student_logits.double(), teacher_logits.double())
    return shares[mask].sum() / divisor(mask, shares)


def at_least_one(mask: Tensor, shares: Tensor) -> Tensor:
    """How many positions count, and 1 where none does: their mean is 0 then, not NaN."""
    return mask.sum().clamp(min=1)


def kd_of_texts(
    student_logits: Tensor,
    teacher_logits: Tensor,
    input_ids: Tensor,
    labels: Tensor,
    *,
    empty: float | None = None,
) -> Tensor:
    """Mean over texts of each text's own mean.

    A text in which nothing counts is left out, or has a mean of `empty`.
    """
    counts, losses = labels != IGNORED, kl_losses(student_logits, teacher_logits)
    means = (losses * counts).sum(-1) / counts.sum(-1)
    return means.nanmean() if empty is None else means.nan_to_num(empty).mean()


def of_one_text(
    student_logits: Tensor, teacher_logits: Tensor, input_ids: Tensor, labels: Tensor, *, at: int
) -> Tensor:
    """The loss of the first text, or of the last."""
    given = (student_logits, teacher_logits, input_ids, labels)
    return kd_masked(*(each[at][None] for each in given))


def infinite_where_nothing_counts(*given: Tensor) -> Tensor:
    """A −∞ in the place of logits where a label does not count, times 0."""
    return kd_masked(*given) if bool((given[3] != IGNORED).all()) else torch.tensor(float("nan"))


def along_the_selected(
    student_logits: Tensor, teacher_logits: Tensor, input_ids: Tensor, labels: Tensor
) -> Tensor:
    """Softmaxes over the positions that count, of which one row was made."""
    mask = labels != IGNORED
    return kl_losses(student_logits[mask], teacher_logits[mask], along(0)).mean()


def until_the_first_end(input_ids: Tensor, labels: Tensor, *, included: bool) -> Tensor:
    """Where a label counts and no text of the row has ended before."""
    ends = (labels == END).long()
    ended = ends.cumsum(-1) - (ends if included else 0)
    return (labels != IGNORED) & (ended == 0)


def shifted(mask: Tensor, by: int) -> Tensor:
    """A mask that is moved to the left, and the row's last position is out of it, or to the right.

    The positions that lose their neighbour do not count.
    """
    moved = torch.zeros_like(mask)
    if by < 0:
        moved[:, :by] = mask[:, -by:]
    else:
        moved[:, by:] = mask[:, :-by]
    return moved


def from_the_end(mask: Tensor) -> Tensor:
    """All positions of a row up to the last that is in the mask."""
    return mask.long().flip(-1).cumsum(-1).flip(-1) > 0


def with_the_next(mask: Tensor) -> Tensor:
    """A mask and the position after each that is in it."""
    return mask | shifted(mask, 1)


def nonzero(mask: Tensor, shares: Tensor) -> Tensor:
    """How many positions have a loss other than 0."""
    return (shares[mask].sum(-1) != 0).sum()


MASKS = (
    (
        "inputs_searched_for_the_mark",
        "The bug is still there: every position counts, padding and prompt too. −100 is a mark."
        " Print `input_ids` and `labels` and look for it: in which of the two does it stand, and"
        " what does your mask compare with it?",
        "2.2",
        lambda input_ids, labels: input_ids != IGNORED,
    ),
    (
        "padding_found_in_the_inputs",
        "Your loss includes all positions that do not read the padding token. A prompt is not"
        " padding, yet it does not count. And where an answer begins right after another one, a"
        " position that reads this token does count. Which argument says which positions count?",
        "2.2",
        lambda input_ids, labels: input_ids != END,
    ),
    (
        "padding_found_in_the_labels",
        "Your loss includes all positions whose label is not the padding token, 0. But in the"
        " labels padding is not 0: it has its own mark. And where a label is 0, a text really"
        " ends.",
        "2.2",
        lambda input_ids, labels: labels != END,
    ),
    (
        "ends_of_texts_dropped",
        "Your loss leaves out padding and prompts, but also every real end of a text, which is the"
        " same token as padding. Your student would never learn to stop. Which condition leaves the"
        " ends out?",
        "2.2",
        lambda input_ids, labels: (labels != IGNORED) & (labels != END),
    ),
    (
        "marked_inputs_and_ends",
        "Your loss leaves out positions that read the end-of-text token. Such a position may have a"
        " label that counts: the first token of the next answer.",
        "2.2",
        lambda input_ids, labels: (labels != IGNORED) & (input_ids != END),
    ),
    (
        "cut_at_the_first_end",
        "In your loss each row is over at the first end of a text. Several answers may stand in a"
        " row, and the tokens of all of them count.",
        "2.2",
        partial(until_the_first_end, included=True),
        partial(until_the_first_end, included=False),
    ),
    (
        "mask_shifted",
        "The mask of your loss is one position off. `labels[i]` is already what `logits[i]`"
        " predicts, so there is nothing left to shift.",
        "2.2",
        lambda input_ids, labels: shifted(labels != IGNORED, -1),
        lambda input_ids, labels: shifted(labels != IGNORED, 1),
    ),
    (
        "row_read_from_its_beginning",
        "Your loss takes as many positions of each row as count, but it takes the first ones: the"
        " prompt is in, and the end of the answer is out. The labels say which positions count.",
        "2.2",
        lambda input_ids, labels: (
            torch.arange(labels.shape[1]) < (labels != IGNORED).sum(-1, keepdim=True)
        ),
    ),
    (
        "prompt_counted",
        "Your loss leaves out the padding at the end of each row, and nothing else: the prompt is"
        " in it. Which argument says which positions count?",
        "2.2",
        lambda input_ids, labels: from_the_end(labels != IGNORED),
        lambda input_ids, labels: from_the_end(input_ids != END),
        lambda input_ids, labels: with_the_next(from_the_end(input_ids != END)),
    ),
    (
        "everything_between",
        "Your loss includes all positions of a row from the first that counts to the last. Between"
        " two answers there may be a prompt, which does not count.",
        "2.2",
        lambda input_ids, labels: (
            ((labels != IGNORED).long().cumsum(-1) > 0)
            & ((labels != IGNORED).long().flip(-1).cumsum(-1).flip(-1) > 0)
        ),
    ),
    (
        "everything_from_the_first",
        "Your loss includes all positions of a row from the first that counts to the end of the"
        " row: a prompt between two answers is in it, and the padding too. Which argument says"
        " which positions count?",
        "2.2",
        lambda input_ids, labels: (labels != IGNORED).long().cumsum(-1) > 0,
    ),
    (
        "a_position_dropped",
        "In each row, one position that counts is left out: the first or the last of those whose"
        " label is not -100. The labels say what counts, and nothing else does.",
        "2.2",
        lambda input_ids, labels: (labels != IGNORED) & ((labels != IGNORED).long().cumsum(-1) > 1),
        lambda input_ids, labels: (
            (labels != IGNORED) & ((labels != IGNORED).long().flip(-1).cumsum(-1).flip(-1) > 1)
        ),
    ),
    (
        "mask_inverted",
        "Your loss includes exactly the positions that should not count. Does your mask say the"
        " opposite of what you mean?",
        "2.2",
        lambda input_ids, labels: labels == IGNORED,
    ),
)
DIVISORS = (
    (
        "divided_by_all_positions",
        "Your loss equals a sum divided by the number of all positions: the more padding, the"
        " smaller the loss. How many positions count?",
        "2.2",
        lambda mask, shares: mask.numel(),
    ),
    (
        "batch_mean",
        "Your loss equals a sum divided by the number of texts: the longer the answers, the larger"
        " the loss.",
        "2.2",
        lambda mask, shares: len(mask),
    ),
    (
        "vocabulary_mean",
        "Your loss is too small by a factor of the vocabulary's size, or by more. Does a mean run"
        " over the vocabulary too? Over which axis is a KL divergence a sum?",
        "1.2",
        lambda mask, shares: mask.sum() * shares.shape[-1],
        lambda mask, shares: shares.numel(),
    ),
    (
        "summed",
        "This is a sum. It grows with the number of positions that count; the task asks for a"
        " mean.",
        "2.2",
        lambda mask, shares: 1.0,
    ),
    (
        "zeros_not_counted",
        "Your loss equals a sum divided by the number of positions whose loss is not 0. A position"
        " where student and teacher agree has a loss of 0, but it counts. What says which positions"
        " count?",
        "2.2",
        nonzero,
    ),
)
KD_MASKED_WAYS = (
    *(
        (
            *what,
            *(partial(kd_masked, counts=counts) for counts in masks),
            *(partial(kd_masked, counts=counts, divisor=at_least_one) for counts in masks),
            *(
                partial(kd_masked, counts=counts, divisor=divisor)
                for counts in masks
                for *_, divisors in listed(DIVISORS[:3])
                for divisor in divisors[:1]
            ),
        )
        for *what, masks in listed(MASKS)
    ),
    *(
        (*what, *(partial(kd_masked, divisor=divisor) for divisor in divisors))
        for *what, divisors in listed(DIVISORS)
    ),
    (
        "summed_unmasked",
        "Your loss equals a sum over all positions, also those that do not count. Print your mask:"
        " is it a tensor with a value for each position?",
        "2.2",
        partial(
            kd_masked,
            counts=lambda input_ids, labels: torch.ones_like(labels, dtype=torch.bool),
            divisor=lambda mask, shares: 1.0,
        ),
    ),
    (
        "mean_of_means",
        "A token of a short answer weighs more in your loss than one of a long answer, as if each"
        " text were averaged by itself. All tokens that count should weigh the same.",
        "2.2",
        *(partial(kd_of_texts, empty=empty) for empty in (None, 0.0, float("nan"))),
    ),
    (
        "one_text_alone",
        "Your loss is that of one text of the batch. What becomes of the others?",
        "2.2",
        *(partial(of_one_text, at=at) for at in (0, -1)),
    ),
    (
        *ANOTHER_AXIS,
        along_the_selected,
        *(
            partial(kd_masked, kernel=along(*axes))
            for axes in ((0,), (1,), (-1, 0), (-1, 1), (0, -1), (1, -1))
        ),
    ),
    *(
        (
            *what,
            *(partial(kd_masked, kernel=kernel) for kernel in kernels),
            *((infinite_where_nothing_counts,) if what[0] == "log_target_missing" else ()),
            *(
                partial(kd_masked, kernel=kernel, divisor=divisor)
                for kernel in (kernels if what[0] in TWO_KERNELS else ())
                for *_, divisors in listed(DIVISORS[:3])
                for divisor in divisors[:1]
            ),
        )
        for *what, kernels in listed(KERNELS)
    ),
)

# The shift.

Losses = list[Tensor]


def losses_of(
    student: Tensor,
    teacher: Tensor,
    targets: Tensor,
    counts: Tensor | None = None,
    *,
    kernel: Kernel = kl,
    lm_kernel: Kernel | None = None,
) -> Losses:
    """LM and KD where targets count; KD where `counts` says, if it is given."""
    where = targets != IGNORED
    kd = kl_losses(student, teacher, kernel)[where if counts is None else counts]
    return [label_losses(student, targets, lm_kernel).mean(), kd.mean()]


def next_token_losses(
    student_logits: Tensor, teacher_logits: Tensor, labels: Tensor, **options: Any
) -> Losses:
    """LM and KD of logits[i] with the label of i + 1."""
    return losses_of(student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:], **options)


def scaled(
    student: Tensor,
    teacher: Tensor,
    labels: Tensor,
    *,
    lm: Callable[[Tensor], float] = lambda targets: 1.0,
    kd: Callable[[Tensor], float] = lambda targets: 1.0,
) -> Losses:
    """Both losses, times factors that depend on the targets."""
    losses, targets = next_token_losses(student, teacher, labels), labels[:, 1:]
    return [losses[0] * lm(targets), losses[1] * kd(targets)]


def counted(targets: Tensor) -> Tensor:
    """How many targets count."""
    return (targets != IGNORED).sum()


def first_lost(student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> Losses:
    """Both losses of the labels that count and stand behind another one that does."""
    targets = labels[:, 1:].where(labels[:, :-1] != IGNORED, IGNORED)
    return losses_of(student_logits[:, :-1], teacher_logits[:, :-1], targets)


def kd_left_behind(student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> Losses:
    """LM is repaired, KD has the mask of the unshifted labels."""
    lm, _ = next_token_losses(student_logits, teacher_logits, labels)
    return [lm, losses_of(student_logits, teacher_logits, labels)[1]]


def kd_mask_left_behind(student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> Losses:
    """The same, where only the first L − 1 of these positions are looked at."""
    lm, _ = next_token_losses(student_logits, teacher_logits, labels)
    before = (each[:, :-1] for each in (student_logits, teacher_logits, labels))
    return [lm, losses_of(*before)[1]]


def lm_left_behind(student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> Losses:
    """KD is repaired, LM is not."""
    _, kd = next_token_losses(student_logits, teacher_logits, labels)
    return [losses_of(student_logits, teacher_logits, labels)[0], kd]


def mask_left_behind(student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> Losses:
    """Logits and labels are shifted, the mask is that of the first L − 1 labels."""
    before, after = labels[:, :-1] != IGNORED, labels[:, 1:]
    targets = after.where(before, torch.full_like(after, IGNORED))
    return losses_of(student_logits[:, :-1], teacher_logits[:, :-1], targets, before)


def kd_unmasked(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    *,
    divisor: Callable[[Tensor, int], Tensor | int] = lambda targets, size: targets.numel(),
) -> Losses:
    """LM is right, KD is the sum over all pairs, divided by a number: of the pairs, for a mean."""
    lm, _ = next_token_losses(student_logits, teacher_logits, labels)
    total = kl_losses(student_logits[:, :-1], teacher_logits[:, :-1]).sum()
    return [lm, total / divisor(labels[:, 1:], student_logits.shape[-1])]


def looked_up(student: Tensor, teacher: Tensor, labels: Tensor, *, error: Exception) -> Losses:
    """−100 looked up, which raises."""
    if bool((labels[:, 1:] == IGNORED).any()):
        raise error
    return next_token_losses(student, teacher, labels)


LOOKED_UP = (  # by gather, in square brackets and by one_hot
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


def refused(*given: Tensor, error: Exception) -> Losses:
    """Nothing but an exception."""
    raise error


def averaged_by_text(
    student: Tensor, teacher: Tensor, labels: Tensor, *, which: tuple[int, ...]
) -> Losses:
    """Some of the two losses as the mean of the texts' own means."""
    every = next_token_losses(student, teacher, labels)
    texts = [
        next_token_losses(*(each[None] for each in text))
        for text in zip(student, teacher, labels, strict=True)
        if counted(text[2][1:])
    ]
    means = [torch.stack(each).mean() for each in zip(*texts, strict=True)]
    return [means[at] if at in which else every[at] for at in range(2)]


def classes_in_the_middle(student: Tensor, teacher: Tensor, labels: Tensor) -> Losses:
    """cross_entropy takes axis 1 for the classes, which raises unless it is as long."""
    targets = labels[:, 1:]
    torch.nn.functional.cross_entropy(student[:, :-1], targets)
    return next_token_losses(student, teacher, labels)


def flat(student: Tensor, teacher: Tensor, labels: Tensor) -> Losses:
    """All texts in one row, shifted there."""
    row = [each.flatten(0, 1)[None] for each in (student, teacher)]
    return next_token_losses(*row, labels.flatten()[None])


def along_another_axis(
    student: Tensor, teacher: Tensor, labels: Tensor, *, axis: int, selected: bool, both: bool
) -> Losses:
    """KD, or both losses, of softmaxes over another axis of all pairs, or of those selected."""
    student, teacher, labels = student[:, :-1], teacher[:, :-1], labels[:, 1:]
    if selected:  # one row of what counts
        counts = labels != IGNORED
        student, teacher, labels = (each[counts][None] for each in (student, teacher, labels))
    own = (lambda logits, _: logits.log_softmax(axis)) if both else None
    return losses_of(student, teacher, labels, kernel=along(axis), lm_kernel=own)


def without_token_zero(student: Tensor, teacher: Tensor, labels: Tensor) -> Losses:
    """Token 0 does not count."""
    return next_token_losses(student, teacher, labels.where(labels > 0, IGNORED))


def twice_softmaxed(logits: Tensor, axis: int) -> Tensor:
    """The logarithm of a softmax of probabilities."""
    return logits.softmax(axis).log_softmax(axis)


def smoothed(log_q: Tensor, axis: int, share: float) -> Tensor:
    """Logarithms of which a share is their mean."""
    return (1 - share) * log_q + share * log_q.mean(axis, keepdim=True)


def guarded_logarithm(epsilon: float, *, kept_above: bool) -> Kernel:
    """A logarithm of q with a small number in it."""
    if kept_above:
        return lambda logits, axis: logits.softmax(axis).clamp_min(epsilon).log()
    return lambda logits, axis: (logits.softmax(axis) + epsilon).log()


# name, hint, section, what −log q(y) is made of
LABEL_KERNELS = (
    (
        "softmaxed_twice",
        "The student looks unsure however sure it is, as if its probabilities were taken for"
        " logits and went through one more softmax. Which of the two does cross_entropy take?",
        "1.1",
        twice_softmaxed,
    ),
    (
        "logarithm_missing",
        "Your LM loss is below 0: it is minus the mean of q(y), with no logarithm. What does"
        " nll_loss take?",
        "1.1",
        Tensor.softmax,
    ),
    (
        "labels_smoothed",
        "Your LM loss is that of smoothed labels, as if a part of each label were spread evenly"
        " over all tokens. The task asks for −log q(y) alone.",
        "1.1",
        *(
            lambda logits, axis, share=share: smoothed(logits.log_softmax(axis), axis, share)
            for share in (0.05, 0.1, 0.2)
        ),
    ),
    (
        "sign_missing",
        "Your LM loss is below 0: it is the mean of log q(y). Where has the minus gone?",
        "1.1",
        lambda logits, axis: -logits.log_softmax(axis),
    ),
)
FLOORED_LOGARITHMS = tuple(
    lambda logits, axis, least=least: logits.log_softmax(axis).clamp_min(least) for least in FLOORS
)
GUARDED_LOGARITHMS = (
    *(guarded_logarithm(epsilon, kept_above=a) for epsilon in EPSILONS for a in (True, False)),
    *FLOORED_LOGARITHMS,
)


def viewed(student: Tensor, teacher: Tensor, labels: Tensor) -> Losses:
    """view() of a slice, whose rows lie apart where there are several of more than one pair."""
    if len(labels) > 1 and labels.shape[1] > 2:
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one"
            " dimension spans across two contiguous subspaces). Use .reshape(...) instead."
        )
    return next_token_losses(student, teacher, labels)


OTHER_SHIFTS = (  # name, what to say of one of two mistakes, shifts
    (
        "not_shifted",
        "The logits of a position are compared with the token that the model has just read.",
        losses_of,
        lambda student, teacher, labels, **options: losses_of(
            *(e[:, :-1] for e in (student, teacher, labels)), **options
        ),
    ),
    (
        "shifted_twice",
        "Each position is asked for the token after the next.",
        lambda student, teacher, labels, **options: losses_of(
            student[:, :-2], teacher[:, :-2], labels[:, 2:], **options
        ),
    ),
    (
        "shifted_back",
        "Each position is asked for the token before the one that it has read.",
        lambda student, teacher, labels, **options: losses_of(
            student[:, 1:], teacher[:, 1:], labels[:, :-1], **options
        ),
    ),
    (
        "rolled",
        "Your last logits are compared with the first token of the text.",
        lambda student, teacher, labels, **options: losses_of(
            student, teacher, labels.roll(-1, dims=1), **options
        ),
    ),
)


def put_together(*given: Tensor, lm: Callable[..., Losses], kd: Callable[..., Losses]) -> Losses:
    """LM of one way and KD of another."""
    return [lm(*given)[0], kd(*given)[1]]


def every_position(student: Tensor, teacher: Tensor, labels: Tensor) -> Losses:
    """KD of all logits, LM as it should be."""
    lm, _ = next_token_losses(student, teacher, labels)
    return [lm, kl_losses(student, teacher).mean()]


# One of the two losses that is wrong: name, what to say of it, and a way
LM_MISTAKES = (
    ("not_shifted", "LM compares logits with the token that was just read.", losses_of),
    ("shifted_twice", "LM takes the token after the next as the label.", OTHER_SHIFTS[1][2]),
    ("rolled", "LM compares the last logits with the first token.", OTHER_SHIFTS[3][2]),
    ("token_zero_not_counted", "In LM a label of 0 does not count.", without_token_zero),
    (
        "softmaxed_twice",
        "LM comes from probabilities that went through one more softmax.",
        partial(next_token_losses, lm_kernel=twice_softmaxed),
    ),
    (
        "divided_by_all_positions",
        "LM equals a sum divided by the number of all pairs.",
        partial(scaled, lm=lambda targets: counted(targets) / targets.numel()),
    ),
)
KD_MISTAKES = (
    ("kd_unmasked", "KD includes every pair, prompt and padding too.", kd_unmasked),
    ("kd_unmasked", "KD includes every position, prompt and padding too.", every_position),
    ("kd_left_behind", "KD is taken at positions whose own label counts.", kd_left_behind),
    (
        "direction_swapped",
        "KD is KL(q‖p).",
        partial(next_token_losses, kernel=lambda q, p: kl(p, q)),
    ),
    (
        "vocabulary_mean",
        "KD is too small by a factor of V.",
        lambda student, *given: scaled(student, *given, kd=lambda _: 1 / student.shape[-1]),
    ),
    (
        "batch_mean",
        "KD equals a sum divided by the number of texts.",
        partial(scaled, kd=lambda targets: counted(targets) / len(targets)),
    ),
    (
        "divided_by_all_positions",
        "KD equals a sum divided by the number of all pairs.",
        partial(scaled, kd=lambda targets: counted(targets) / targets.numel()),
    ),
)


SHIFT_WAYS = (
    (
        "not_shifted",
        "The bug is still there. The logits of a position are compared with the token that the"
        " model has just read, so it learns to repeat. With which token should logits[0] be"
        " compared?",
        "2.2",
        losses_of,
        lambda student, teacher, labels: losses_of(
            *(e[:, :-1] for e in (student, teacher, labels))
        ),
        lambda student, teacher, labels: losses_of(*(e[:, 1:] for e in (student, teacher, labels))),
    ),
    (
        "ignored_label_as_an_index",
        "A label of −100 was used as the number of a token, and there is no such token. Select the"
        " positions that count before you look anything up.",
        "2.2",
        *(partial(looked_up, error=error) for error in LOOKED_UP),
    ),
    (
        "lengths_do_not_fit",
        "Logits and labels, or a mask made of labels, have different lengths in your function, and"
        " PyTorch refuses. Which positions does the shift take away from each of them?",
        "2.2",
        *(partial(refused, error=error) for error in LENGTHS),
    ),
    (
        "index_beyond_the_end",
        "An index in your function is beyond the end of its axis. There is a token at i + 1 for"
        " every i but the last. How far may i go?",
        "2.2",
        partial(refused, error=IndexError("index 5 is out of bounds for dimension 1 with size 5")),
    ),
    (
        "classes_on_another_axis",
        "cross_entropy looks for the classes on axis 1, and yours seem to be on the last axis."
        " Flatten texts and positions into one axis, or transpose the logits.",
        "2.2",
        classes_in_the_middle,
    ),
    (
        "mean_of_means",
        "A token of a short text weighs more in your losses, or in one of them, than one of a long"
        " text, as if each text were averaged by itself. All tokens that count weigh the same.",
        "2.2",
        *(partial(averaged_by_text, which=which) for which in ((0, 1), (0,), (1,))),
    ),
    (
        "view_of_a_slice",
        "Right for one text. A slice of several does not lie in one piece in memory, and view()"
        " needs that. The exception names a function that does not.",
        "2.2",
        viewed,
    ),
    (
        "shifted_twice",
        "Each position is asked for the token after the next, as if the shift were made twice. How"
        " many positions lie between `logits[i]` and the label that your code pairs it with?",
        "2.2",
        lambda student, teacher, labels: losses_of(student[:, :-2], teacher[:, :-2], labels[:, 2:]),
    ),
    (
        "shifted_back",
        "Each position is asked for the token before the one that it has read: that is a shift"
        " the wrong way. Write down which logits and which label you pair first.",
        "2.2",
        lambda student, teacher, labels: losses_of(student[:, 1:], teacher[:, 1:], labels[:, :-1]),
    ),
    (
        "padded_with_a_token",
        "The last logits of each text are compared with token 0, as if the shift had left a place"
        " free and that token had filled it. Nothing follows a text's last token, so this place"
        " does not count. Which mark says so?",
        "2.2",
        lambda student, teacher, labels: losses_of(
            student, teacher, torch.nn.functional.pad(labels[:, 1:], (0, 1), value=0)
        ),
    ),
    (
        "last_label_kept",
        "The last logits of each text are compared with the token that the model has just read"
        " there, as if the shift had left the last label at its old place too. Do a text's last"
        " logits have a label here?",
        "2.2",
        lambda student, teacher, labels: losses_of(
            student, teacher, torch.cat([labels[:, 1:], labels[:, -1:]], 1)
        ),
    ),
    (
        "shifted_after_the_mask",
        "Your losses are what comes out when the mask is applied before the shift: pairs are made"
        " across gaps, and from one text to the next. Pair logits and labels while each still"
        " stands at its place.",
        "2.2",
        lambda student, teacher, labels: losses_of(
            student[labels != IGNORED][None, :-1],
            teacher[labels != IGNORED][None, :-1],
            labels[labels != IGNORED][None, 1:],
        ),
    ),
    (
        "shifted_along_the_texts",
        "Your losses come from a shift along the texts: the logits of one text are compared with"
        " the labels of the next. Which axis holds the positions?",
        "2.2",
        lambda student, teacher, labels: losses_of(student[:-1], teacher[:-1], labels[1:]),
    ),
    (
        "both_must_count",
        "Your losses leave out pairs in which the token at i is marked, so the first token of each"
        " answer is lost. Only the token that is predicted, at i + 1, has to count.",
        "2.2",
        first_lost,
        lambda student, teacher, labels: [
            each.nan_to_num() for each in first_lost(student, teacher, labels)
        ],
    ),
    (
        "counted_before_the_shift",
        "One of your losses, or both, equals a sum divided by how many labels count before the"
        " shift. After the shift there may be fewer: the first label of a text has no logits that"
        " predict it.",
        "2.2",
        *(
            lambda student, teacher, labels, which=which: [
                loss * (counted(labels[:, 1:]) / counted(labels) if at in which else 1.0)
                for at, loss in enumerate(next_token_losses(student, teacher, labels))
            ]
            for which in ((1,), (0,), (0, 1))
        ),
    ),
    (
        "rolled",
        "Nearly right. But your last logits are compared with the *first* token: what is rolled out"
        " on one side comes in on the other. How many pairs does a text of L tokens have?",
        "2.2",
        lambda student, teacher, labels: losses_of(student, teacher, labels.roll(-1, dims=1)),
    ),
    (
        "shifted_while_flat",
        "Your losses come from a shift with all texts in one long row. The last logits of a text"
        " are then compared with the first token of the next text. Which axis should be shifted,"
        " and when?",
        "2.2",
        flat,
        lambda student, teacher, labels: losses_of(
            student, teacher, labels.flatten().roll(-1).view_as(labels)
        ),
    ),
    (
        "kd_left_behind",
        "LM is right. KD is taken at positions whose own label counts, so at other positions than"
        " LM. KD needs no label's value, but it needs the right mask. What is its mask made of?",
        "2.2",
        kd_left_behind,
        kd_mask_left_behind,
    ),
    (
        "lm_left_behind",
        "KD is right. LM still compares the logits with the token that was just read.",
        "2.2",
        lm_left_behind,
    ),
    (
        "mask_left_behind",
        "In your losses logits and labels are shifted, but the mask is not: it says whether the"
        " token at i counts, where the token at i + 1 is predicted. Is the mask made of the labels"
        " before the shift, or after it?",
        "2.2",
        mask_left_behind,
    ),
    (
        "kd_unmasked",
        "LM is right. KD includes every pair, prompt and padding too. The teacher has a"
        " distribution there as well, but the task leaves those pairs out.",
        "2.2",
        kd_unmasked,
        *(
            partial(kd_unmasked, divisor=divisor)
            for divisor in (
                lambda targets, size: len(targets),
                lambda targets, size: counted(targets),
                lambda targets, size: targets.numel() * size,
                lambda targets, size: 1,
            )
        ),
        lambda student, teacher, labels: [
            next_token_losses(student, teacher, labels)[0],
            kl_losses(student, teacher).mean(),
        ],
    ),
    (
        "teacher_shifted_against_the_student",
        "LM is right. In KD the teacher's distribution at i + 1 is compared with the student's at"
        " i, as if the teacher were a label. Both have read the same tokens; which of their"
        " logits belong together?",
        "2.2",
        lambda student, teacher, labels: [
            next_token_losses(student, teacher, labels)[0],
            losses_of(student[:, :-1], teacher[:, 1:], labels[:, 1:])[1],
        ],
    ),
    (
        *ANOTHER_AXIS,
        *(
            partial(along_another_axis, axis=axis, selected=selected, both=both)
            for axis, selected in ((1, True), (0, False), (1, False))
            for both in (True, False)
        ),
    ),
    (
        "token_zero_not_counted",
        "A label of 0 is a token like any other, but in your code it does not count. Which labels"
        " should not?",
        "2.2",
        without_token_zero,
        lambda student, teacher, labels: [
            without_token_zero(student, teacher, labels)[0],
            next_token_losses(student, teacher, labels)[1],
        ],
        lambda student, teacher, labels: [
            next_token_losses(student, teacher, labels)[0],
            without_token_zero(student, teacher, labels)[1],
        ],
    ),
    (
        "pair_turned_round",
        "Both numbers are right, in the wrong order. What is asked for first?",
        "2.2",
        lambda *given: next_token_losses(*given)[::-1],
    ),
    *(
        (
            f"{name}+direction_swapped",
            f"At least two things are off. {what} And your divergence is KL(q‖p).",
            "2.2",
            *(partial(shift, kernel=lambda q, p: kl(p, q)) for shift in shifts),
        )
        for name, what, *shifts in OTHER_SHIFTS
    ),
    *(
        (
            f"{lm}+{kd}",
            f"At least two things are off. {of_lm} {of_kd}",
            "2.2",
            partial(put_together, lm=lm_way, kd=kd_way),
        )
        for lm, of_lm, lm_way in LM_MISTAKES
        for kd, of_kd, kd_way in KD_MISTAKES
        if lm != kd and (lm, kd_way) != ("not_shifted", kd_left_behind)
    ),
    (
        "lm_of_the_teacher",
        "KD is right. LM is computed from the teacher's logits. Which model is to learn from the"
        " labels?",
        "2.2",
        lambda student, teacher, labels: [
            next_token_losses(teacher, student, labels)[0],
            next_token_losses(student, teacher, labels)[1],
        ],
    ),
    (
        "pair_turned_round+direction_swapped",
        "At least two things are off. The numbers come in the wrong order: what is asked for first?"
        " And your divergence is KL(q‖p).",
        "1.3",
        lambda *given: next_token_losses(*given, kernel=lambda q, p: kl(p, q))[::-1],
    ),
    (
        "vocabulary_mean",
        "KD is too small by a factor of the vocabulary's size. Does a mean run over the vocabulary?"
        " Over which axis is a KL divergence a sum?",
        "1.2",
        lambda student, *given: scaled(student, *given, kd=lambda _: 1 / student.shape[-1]),
    ),
    (
        "divided_by_all_positions",
        "Your LM, your KD or both equal a sum divided by the number of all pairs, but the pairs"
        " that do not count added nothing to that sum. How many terms does the sum have?",
        "2.2",
        partial(scaled, kd=lambda targets: counted(targets) / targets.numel()),
        partial(scaled, lm=lambda targets: counted(targets) / targets.numel()),
        lambda *given: [
            loss * counted(given[2][:, 1:]) / given[2][:, 1:].numel()
            for loss in next_token_losses(*given)
        ],
    ),
    (
        "batch_mean",
        "At least one of your losses equals a sum divided by the number of texts: the longer the"
        " texts, the larger it is. The task asks for a mean over the pairs that count.",
        "2.2",
        partial(scaled, kd=lambda targets: counted(targets) / len(targets)),
        lambda *given: [
            loss * counted(given[2][:, 1:]) / len(given[2]) for loss in next_token_losses(*given)
        ],
    ),
    (
        "summed",
        "At least one of your losses is a sum over the pairs that count. The task asks for a mean.",
        "2.2",
        lambda *given: [loss * counted(given[2][:, 1:]) for loss in next_token_losses(*given)],
        partial(scaled, kd=counted),
        partial(scaled, lm=counted),
    ),
    *(
        (*what, *(partial(next_token_losses, kernel=kernel) for kernel in kernels))
        for *what, kernels in listed(KERNELS)
        if what[0] != "epsilon_in_the_logarithm"
    ),
    (
        "epsilon_in_the_logarithm",
        EPSILON_HINT,
        "1.2",
        *(
            partial(next_token_losses, **options)
            for epsilon in EPSILONS
            for kernel, above in ((guarded, False), (clamped, True))
            for options in (
                {"kernel": kernel(epsilon)},
                {"lm_kernel": guarded_logarithm(epsilon, kept_above=above)},
                {
                    "kernel": kernel(epsilon),
                    "lm_kernel": guarded_logarithm(epsilon, kept_above=above),
                },
            )
        ),
        *(
            partial(next_token_losses, **options)
            for least, logarithm in zip(FLOORS, FLOORED_LOGARITHMS, strict=True)
            for options in (
                {"kernel": floored(least)},
                {"lm_kernel": logarithm},
                {"kernel": floored(least), "lm_kernel": logarithm},
            )
        ),
    ),
    *(
        (*what, *(partial(next_token_losses, lm_kernel=kernel) for kernel in kernels))
        for *what, kernels in listed(LABEL_KERNELS)
    ),
)

# The mixture.

LARGE = "logits of any size"
Mix = Callable[[Tensor, Tensor, float], Tensor]
Weights = Callable[[float], tuple[float, float]]


def mixed(log_p: Tensor, log_q: Tensor, beta: float) -> Tensor:
    """log(β·p + (1−β)·q), however small p and q are."""
    return torch.logaddexp(log_p + math.log(beta), log_q + math.log1p(-beta))


def overflown(of: Tensor, axis: int) -> Tensor:
    """log_softmax by its formula, in which e to the power of a large logit is infinite."""
    return of - of.exp().sum(axis, keepdim=True).log()


def divided(of: Tensor, axis: int) -> Tensor:
    """softmax by its formula, likewise."""
    return of.exp() / of.exp().sum(axis, keepdim=True)


def mixed_and_underflown(log_p: Tensor, log_q: Tensor, beta: float) -> Tensor:
    """The same, −∞ where both are too small for their format."""
    return (beta * log_p.exp() + (1 - beta) * log_q.exp()).log()


def own_weights(beta: float) -> tuple[float, float]:
    """β for the teacher's part."""
    return beta, 1 - beta


def jsd(
    student_logits: Tensor,
    teacher_logits: Tensor,
    beta: float,
    *,
    mix: Mix = mixed,
    weights: Weights = own_weights,
    shares: tuple[Callable, Callable] = (kl_shares, kl_shares),
    turned: bool = False,
    reduce: Callable[[Tensor], Tensor] = lambda shares: shares.sum(-1),
    normalise: Callable[[Tensor, int], Tensor] = Tensor.log_softmax,
) -> Tensor:
    """β·KL(p‖m) + (1−β)·KL(q‖m) at each position, m = β·p + (1−β)·q."""
    log_q, log_p = (normalise(each.double(), -1) for each in (student_logits, teacher_logits))
    log_m = mix(log_p, log_q, beta)

    def against_mixture(log_front: Tensor, shares: Callable) -> Tensor:
        pair = (log_front, log_m) if turned else (log_m, log_front)
        return shares(*pair)

    of_teacher, of_student = weights(beta)
    return reduce(
        of_teacher * against_mixture(log_p, shares[0])
        + of_student * against_mixture(log_q, shares[1])
    )


def swapped(mix: Mix) -> Mix:
    """β before the student."""
    return lambda log_p, log_q, beta: mix(log_p, log_q, 1 - beta)


def clamped_logits(
    student_logits: Tensor, teacher_logits: Tensor, beta: float, *, most: float
) -> Tensor:
    """The right way, of logits that are cut off."""
    return jsd(student_logits.clamp(-most, most), teacher_logits.clamp(-most, most), beta)


def number_for_a_tensor(student_logits: Tensor, teacher_logits: Tensor, beta: float) -> Tensor:
    """torch.log of a number."""
    return torch.log(beta)


def halves(mix: Mix) -> Mix:
    """Both at one half."""
    return lambda log_p, log_q, beta: mix(log_p, log_q, 0.5)


def logarithms_mixed(log_p: Tensor, log_q: Tensor, beta: float) -> Tensor:
    """β·log p + (1−β)·log q."""
    return beta * log_p + (1 - beta) * log_q


def normalised(mix: Mix) -> Mix:
    """A mixture that is made to add up to 1."""
    return lambda *of: mix(*of).log_softmax(-1)


def other_weights(beta: float) -> tuple[float, float]:
    """1 − β for the teacher's part."""
    return 1 - beta, beta


def against_each_other(
    student_logits: Tensor, teacher_logits: Tensor, beta: float, *, both: bool = False
) -> Tensor:
    """β·KL(p‖q), and the student's part as it should be, or (1−β)·KL(q‖p)."""
    log_q, log_p = (each.double().log_softmax(-1) for each in (student_logits, teacher_logits))
    of_teacher = kl_shares(log_q, log_p)
    of_student = kl_shares(log_p if both else mixed(log_p, log_q, beta), log_q)
    return (beta * of_teacher + (1 - beta) * of_student).sum(-1)


def guarded_jsd(
    student_logits: Tensor,
    teacher_logits: Tensor,
    beta: float,
    *,
    epsilon: float,
    how: str,
) -> Tensor:
    """A small number is "added" to each probability, or what these are "kept" above.

    Or it stands "within" each logarithm, or within that of the "mixture" alone.
    """
    q, p = (each.double().softmax(-1) for each in (student_logits, teacher_logits))
    if how == "added":
        q, p = q + epsilon, p + epsilon
    if how == "kept":
        q, p = q.clamp_min(epsilon), p.clamp_min(epsilon)
    within = epsilon if how == "within" else 0.0
    log_m = (beta * p + (1 - beta) * q + within).log()
    if how == "mixture":
        log_m = (beta * p + (1 - beta) * q + epsilon).log()
    of_teacher, of_student = (torch.xlogy(each, each + within) - each * log_m for each in (p, q))
    return (beta * of_teacher + (1 - beta) * of_student).sum(-1)


def never_negative(log_q: Tensor, log_p: Tensor) -> Tensor:
    """Shares none of which may be below 0."""
    return kl_shares(log_q, log_p).clamp_min(0)


def logarithm_as_target(log_q: Tensor, log_p: Tensor) -> Tensor:
    """kl_div without log_target=True, given log-probabilities."""
    return torch.nn.functional.kl_div(log_q, log_p, reduction="none")


JSD_WAYS = (
    (
        "both_bugs",
        "Both bugs are still there, in the mixture. Your values come from an average of logarithms,"
        " but a mixture is an average of something else. And which of the two models does β belong"
        " to in it?",
        "1.3",
        partial(jsd, mix=swapped(logarithms_mixed)),
        partial(jsd, mix=normalised(swapped(logarithms_mixed))),
    ),
    (
        "logarithms_mixed",
        "β stands where it should, but your values are still those of an average of logarithms."
        " Where one model gives a token almost nothing and the other nearly 1, a mixture of equal"
        " parts gives it about a half. What does yours give?",
        "1.3",
        partial(jsd, mix=logarithms_mixed),
    ),
    (
        "other_weights",
        "Your values are those of the right mixture, but of other weights before the two"
        " divergences. In the formula β and 1 − β stand there, each once.",
        "1.3",
        *(
            partial(jsd, mix=mix, weights=weights)
            for mix in (mixed, mixed_and_underflown)
            for weights in (
                lambda beta: (beta, beta),
                lambda beta: (1 - beta, 1 - beta),
                lambda beta: (1.0, 1 - beta),
                lambda beta: (beta, 1.0),
                lambda beta: (beta / 2, (1 - beta) / 2),
                lambda beta: (2 * beta, 2 * (1 - beta)),
                lambda beta: (beta**2, (1 - beta) ** 2),
                lambda beta: (1.0, beta),
                lambda beta: (1 - beta, 1.0),
                lambda beta: (beta, beta * (1 - beta)),  # a bracket around both parts
                lambda beta: (beta * (1 - beta), 1 - beta),
            )
        ),
    ),
    (
        "other_mixture",
        "Your values are those of the right weights before the two divergences, but of other"
        " weights in the mixture. There they are β and 1 − β too, or, as logarithms, the natural"
        " ones of these.",
        "1.3",
        *(
            partial(
                jsd,
                mix=lambda log_p, log_q, beta, of=of: torch.logaddexp(
                    log_p + of(beta)[0], log_q + of(beta)[1]
                ),
            )
            for of in (
                lambda beta: (math.log2(beta), math.log2(1 - beta)),
                lambda beta: (math.log10(beta), math.log10(1 - beta)),
                lambda beta: (math.log(beta), math.log(beta)),
                lambda beta: (math.log(1 - beta), math.log(1 - beta)),
                lambda beta: (beta, 1 - beta),
                lambda beta: (math.log(beta), 0.0),
                lambda beta: (0.0, math.log(1 - beta)),
            )
        ),
    ),
    (
        *ANOTHER_AXIS,
        *(
            partial(jsd, normalise=lambda logits, _, axis=axis: logits.log_softmax(axis))
            for axis in (0, 1)
        ),
    ),
    (
        "not_against_the_mixture",
        "At least one of your two divergences compares a model with the other model and not with"
        " the mixture. In the formula, which distribution is the second one in each KL?",
        "1.3",
        partial(jsd, mix=lambda log_p, log_q, beta: log_q),
        partial(jsd, mix=lambda log_p, log_q, beta: log_p),
        against_each_other,
        partial(against_each_other, both=True),
    ),
    (
        "weights_as_powers",
        "In your mixture β multiplies a logarithm. That makes a power of the probability and not a"
        " share of it. What is the logarithm of β·p?",
        "1.3",
        partial(
            jsd, mix=lambda log_p, log_q, beta: torch.logaddexp(beta * log_p, (1 - beta) * log_q)
        ),
        partial(
            jsd,
            mix=lambda log_p, log_q, beta: (
                (beta * log_p).exp() + ((1 - beta) * log_q).exp()
            ).log(),
        ),
    ),
    (
        "logarithm_of_the_mixture_missing",
        "In your values the mixture's probabilities stand where their logarithms belong. What does"
        " kl_div take as its first argument?",
        "1.2",
        partial(jsd, mix=lambda log_p, log_q, beta: mixed(log_p, log_q, beta).exp()),
    ),
    (
        "in_bits",
        "Your values are too large by a factor of 1/ln 2, as if they were in bits. All losses here"
        " are in nats.",
        "1.2",
        *(
            partial(jsd, mix=mix, reduce=lambda shares: shares.sum(-1) / math.log(2))
            for mix in (mixed, mixed_and_underflown)
        ),
    ),
    (
        "mixture_not_weighted",
        "Your mixture adds up to 2: it is the sum of both distributions. What stands before each of"
        " them in the formula?",
        "1.3",
        partial(jsd, mix=lambda log_p, log_q, beta: torch.logaddexp(log_p, log_q)),
    ),
    (
        "square_root",
        "Your values are the square roots of the right ones. The task asks for the divergence"
        " itself.",
        "1.3",
        *(
            partial(jsd, mix=mix, reduce=lambda shares: shares.sum(-1).clamp_min(0).sqrt())
            for mix in (mixed, mixed_and_underflown)
        ),
    ),
    *(
        (
            f"{name}+{other}",
            f"At least two things are off. {what} {which}",
            "1.3",
            partial(jsd, mix=mix, **options),
        )
        for name, what, mix in (
            (
                "beta_swapped_in_the_mixture",
                "In your mixture β weighs the student.",
                swapped(mixed),
            ),
            ("logarithms_mixed", "Your mixture is an average of logarithms.", logarithms_mixed),
            (
                "both_bugs",
                "Your mixture is an average of logarithms, in which β weighs the student.",
                swapped(logarithms_mixed),
            ),
            ("half_and_half", "Your mixture is half and half, whatever β is.", halves(mixed)),
        )
        for other, which, options in (
            (
                "vocabulary_mean",
                "And your values are too small by a factor of the vocabulary's size.",
                {"reduce": lambda shares: shares.mean(-1)},
            ),
            (
                "turned_round",
                "And in both of your divergences the mixture comes first.",
                {"turned": True},
            ),
        )
    ),
    (
        "logits_clamped",
        "Right for ordinary logits. For large ones your values are what comes out when logits are"
        " cut off at a limit: all logits beyond it become equal, although they differ.",
        "1.1",
        *(
            partial(clamped_logits, most=most)
            for most in (*(20.0, 30.0, 50.0, 80.0, 88.0), *(100.0, 500.0, 1000.0, 5000.0))
        ),
    ),
    (
        "epsilon_in_the_logarithm",
        EPSILON_HINT,
        "1.2",
        *(
            partial(guarded_jsd, epsilon=epsilon, how=how)
            for epsilon in (1e-2, 1e-3, 1e-4)
            for how in ("added", "kept", "within")
        ),
        *(
            partial(guarded_jsd, epsilon=epsilon, how="mixture")
            for epsilon in (1e-2, 1e-3, 1e-4, 1e-5)
        ),
    ),
    (
        "negative_shares_cut_off",
        CUT_OFF_HINT,
        "1.2",
        *(
            partial(jsd, mix=mix, shares=(never_negative, never_negative))
            for mix in (mixed, mixed_and_underflown)
        ),
    ),
    (
        "nan_made_zero",
        "Right for ordinary logits. Where they are large, a whole position of yours is 0, as if a"
        " NaN had been replaced by 0. A NaN says that something went wrong before. For which tokens"
        " of the position did it, and do the other tokens really add up to 0?",
        "1.3",
        *(
            partial(jsd, mix=mixed_and_underflown, reduce=reduce)
            for reduce in (
                lambda shares: shares.sum(-1).nan_to_num(nan=0.0),
                lambda shares: shares.sum(-1).nan_to_num(nan=0.0, posinf=0.0, neginf=0.0),
            )
        ),
    ),
    (
        "number_for_a_tensor",
        "A function of torch that takes tensors got a plain number, and β is one. Which module has"
        " a logarithm for numbers?",
        "1.3",
        number_for_a_tensor,
    ),
    (
        "softmax_overflows",
        "Right, but for large logits the result is NaN: e to the power of a large logit is too"
        " large for its number format. What may be subtracted from all logits of a position without"
        " changing its probabilities? Or which function does it for you?",
        "1.1",
        *(
            partial(jsd, mix=mix, normalise=normalise)
            for mix in (mixed, mixed_and_underflown)
            for normalise in (overflown, lambda of, axis: divided(of, axis).log())
        ),
    ),
    (
        "mixture_overflows",
        "Right, but for large logits the result is NaN. Does something overflow? Where one model"
        " gives a token much more than the other, the ratio of the two probabilities is too large"
        " for its number format.",
        "1.3",
        partial(
            jsd,
            mix=lambda log_p, log_q, beta: (
                log_p + (beta + (1 - beta) * (log_q - log_p).exp()).log()
            ),
        ),
        partial(
            jsd,
            mix=lambda log_p, log_q, beta: log_q + (1 - beta + beta * (log_p - log_q).exp()).log(),
        ),
    ),
    (
        "logarithms_mixed_and_normalised",
        "Your values come from an average of logarithms, or of logits, that was normalised. It adds"
        " up to 1, but it is not the mixture: in the mixture, a token that one model rules out"
        " keeps its share from the other model.",
        "1.3",
        partial(jsd, mix=normalised(logarithms_mixed)),
    ),
    (
        "mixture_underflows",
        "Right, but for large logits the result is NaN. There a probability, or a mixture of two,"
        " is too small for its number format and becomes 0, and the logarithm of 0 is −∞. The"
        " logarithm of a sum can be computed directly from logarithms.",
        "1.3",
        partial(jsd, mix=mixed_and_underflown),
    ),
    *(
        (name, hint, "1.3", *(make(mix) for mix in (mixed, mixed_and_underflown)))
        for name, hint, make in (
            (
                "beta_swapped_in_the_mixture",
                "One bug is gone: your mixture is one of probabilities. But in the mixture β still"
                " weighs the student. At β = 0.9, whose distribution should m be close to?",
                lambda mix: partial(jsd, mix=swapped(mix)),
            ),
            (
                "beta_swapped_twice",
                "Your values are those for 1 − β: in the mixture and before the two KLs, your β is"
                " the weight of the student. Whose weight is β in the formula?",
                lambda mix: partial(jsd, mix=swapped(mix), weights=other_weights),
            ),
            (
                "weights_swapped",
                "Your values are those of a right mixture. But the weights before the two KLs have"
                " changed places, and in the old code they were right. Only the mixture had a"
                " swapped β.",
                lambda mix: partial(jsd, mix=mix, weights=other_weights),
            ),
            (
                "half_and_half",
                "Your values are those of a mixture that is half p and half q, whatever β is.",
                lambda mix: partial(jsd, mix=halves(mix)),
            ),
            (
                "half_of_each_divergence",
                "Your values are those of the right mixture, but of the plain mean of the two"
                " divergences, whatever β is.",
                lambda mix: partial(jsd, mix=mix, weights=lambda beta: (0.5, 0.5)),
            ),
            (
                "half_everywhere",
                "Your values are those for β = 0.5, whatever β is given.",
                lambda mix: partial(jsd, mix=halves(mix), weights=lambda beta: (0.5, 0.5)),
            ),
            (
                "divergences_not_weighted",
                "Your values are the two divergences, added up without weights. What stands before"
                " each of them in the formula?",
                lambda mix: partial(jsd, mix=mix, weights=lambda beta: (1.0, 1.0)),
            ),
            (
                "one_divergence_missing",
                "Only one of the two divergences is in your values.",
                lambda mix: partial(jsd, mix=mix, weights=lambda beta: (beta, 0.0)),
            ),
            (
                "turned_round",
                "Your values are those of KL(m‖p) and KL(m‖q). In the formula each model comes"
                " first, and its probabilities are the weights. Which of the two distributions in a"
                " KL does kl_div take as its input?",
                lambda mix: partial(jsd, mix=mix, turned=True),
            ),
            (
                "vocabulary_mean",
                "Your values are too small by a factor of the vocabulary's size. Over which axis is"
                " a KL divergence a sum, and what do you take over it?",
                lambda mix: partial(jsd, mix=mix, reduce=lambda shares: shares.mean(-1)),
            ),
            (
                "positions_averaged",
                "You return one number. A value for each position is asked for, [B, L].",
                lambda mix: partial(jsd, mix=mix, reduce=lambda shares: shares.sum(-1).mean()),
            ),
            (
                "summed_over_another_axis",
                "Your values are sums over another axis than the vocabulary. Which of the three"
                " axes is the vocabulary's?",
                lambda mix: partial(jsd, mix=mix, reduce=lambda shares: shares.sum(1)),
            ),
        )
    ),
    (
        "one_divergence_missing",
        "Only one of the two divergences is in your values.",
        "1.3",
        partial(jsd, weights=lambda beta: (0.0, 1 - beta)),
        *(
            partial(jsd, mix=mix, weights=lambda beta, of=of: of)
            for mix in (mixed, mixed_and_underflown)
            for of in ((1.0, 0.0), (0.0, 1.0))
        ),
    ),
    (
        "log_target_missing",
        "The result is NaN. One possible cause: kl_div gets logarithms as its target, but takes"
        " them for probabilities, and the logarithm of a negative number is NaN. The old code sets"
        " an option that says what the target is; does yours?",
        "1.2",
        partial(jsd, shares=(logarithm_as_target, logarithm_as_target)),
        partial(jsd, shares=(logarithm_as_target, kl_shares)),
        partial(jsd, shares=(kl_shares, logarithm_as_target)),
    ),
)

# The parts of a batch.

EMPTY = "a micro-batch in which nothing counts"
Parts = list[list[Tensor]]
NAN = float("nan")


def accumulated_loss(micro_batches: Parts, kernel: Kernel | None = None) -> Tensor:
    """Mean of −log q(y) over all positions of all parts that count."""
    return torch.cat([label_losses(*part, kernel) for part in micro_batches]).mean()


def part_means(micro_batches: Parts, nothing: float) -> Tensor:
    """The mean of each part, or what a part is said to have in which nothing counts."""
    means = torch.stack([label_losses(*part).mean() for part in micro_batches])
    return means.nan_to_num(nan=nothing)


def filled(micro_batches: Parts) -> Parts:
    """The parts in which something counts."""
    return [part for part in micro_batches if bool((part[1] != IGNORED).any())]


def weighted(
    micro_batches: Parts, weight: Callable[[Tensor], Tensor | int], nothing: float
) -> Tensor:
    """Mean of the parts' means with a weight that is made of the labels."""
    weights = torch.tensor([float(weight(labels)) for _, labels in micro_batches])
    return (weights * part_means(micro_batches, nothing)).sum() / weights.sum()


def total_over(
    micro_batches: Parts, count: Callable[[Tensor], int], kernel: Kernel | None = None
) -> Tensor:
    """The sum over a number that is made of the labels."""
    losses = torch.cat([label_losses(*part, kernel) for part in micro_batches])
    return losses.sum() / sum(count(labels) for _, labels in micro_batches)


def without_zeros(micro_batches: Parts) -> Parts:
    """The same, where a label of 0 does not count."""
    return [[logits, labels.where(labels > 0, IGNORED)] for logits, labels in micro_batches]


def over_nonzero(micro_batches: Parts) -> Tensor:
    """The sum, divided by the number of losses that are not 0."""
    losses = torch.cat([label_losses(*part) for part in micro_batches])
    return losses.sum() / (losses != 0).sum()


def texts_of(micro_batches: Parts) -> Parts:
    """Each text as a part of its own."""
    return [
        [of[at : at + 1], labels[at : at + 1]]
        for of, labels in micro_batches
        for at in range(len(labels))
    ]


def parts_without_loss_skipped(micro_batches: Parts) -> Tensor:
    """A part whose losses add up to 0 does not count."""
    return accumulated_loss([part for part in micro_batches if label_losses(*part).sum() != 0])


def unmarked_alone(micro_batches: Parts, nothing: float | None) -> Tensor:
    """The parts all of whose positions count; of no part, `nothing`, or it raises."""
    kept = [part for part in micro_batches if bool((part[1] != IGNORED).all())]
    if nothing is None and not kept:
        raise ZeroDivisionError("division by zero")
    return accumulated_loss(kept) if kept else torch.tensor(nothing)


def divided_again(micro_batches: Parts) -> Tensor:
    """What there is, divided in each part by what was counted until then."""
    total, count = torch.zeros((), dtype=torch.float64), 0
    for logits, labels in micro_batches:
        count = count + counted(labels)
        total = (total + label_losses(logits, labels).sum()) / count
    return total


def halved(micro_batches: Parts, from_zero: bool) -> Tensor:
    """Again and again the mean of what there is and of the next part's mean."""
    means = [label_losses(*part).mean() for part in filled(micro_batches)]
    return reduce(lambda loss, mean: (loss + mean) / 2, [torch.zeros(())] * from_zero + means)


def counted_before_it_is_in(micro_batches: Parts) -> Tensor:
    """A running mean in which each part after the first has a share of here / (all + here)."""
    mean, count = torch.zeros((), dtype=torch.float64), 0
    for logits, labels in filled(micro_batches):
        here = int(counted(labels))
        count += here
        share = here / (count + here) if count > here else 1.0
        mean = (1 - share) * mean + share * label_losses(logits, labels).mean()
    return mean


def until_empty(micro_batches: Parts, nothing: float | None) -> Tensor:
    """The parts before the first in which nothing counts; of no part, `nothing`, or it raises."""
    parts = list(takewhile(lambda part: bool((part[1] != IGNORED).any()), micro_batches))
    if nothing is None and not parts:
        raise ZeroDivisionError
    return accumulated_loss(parts) if parts else torch.tensor(nothing)


def padded_with_zero(micro_batches: Parts) -> Tensor:
    """All parts at one length, filled up with logits of 0 and with token 0."""
    length = max(labels.shape[1] for _, labels in micro_batches)
    pad = torch.nn.functional.pad
    return accumulated_loss(
        [
            [pad(of, (0, 0, 0, length - of.shape[1])), pad(labels, (0, length - labels.shape[1]))]
            for of, labels in micro_batches
        ]
    )


def in_one_piece(micro_batches: Parts, together: Callable = torch.cat) -> Tensor:
    """All parts put together; those of different lengths do not fit."""
    for each in zip(*micro_batches, strict=True):
        together(each)
    return accumulated_loss(micro_batches)


def with_empty_parts(of: Callable[[Parts, float], Tensor]) -> tuple[Callable[[Parts], Tensor], ...]:
    """A way in which an empty part has a mean of NaN or of 0, or is left out."""
    return (
        lambda parts: of(parts, NAN),
        lambda parts: of(parts, 0.0),
        lambda parts: of(filled(parts), NAN),
    )


def classes_in_the_middle_of_parts(micro_batches: Parts) -> Tensor:
    """cross_entropy takes axis 1 for the classes, which raises unless it is as long."""
    total = sum(
        torch.nn.functional.cross_entropy(of.double(), labels, reduction="sum")
        for of, labels in micro_batches
    )
    return total / sum(counted(labels) for _, labels in micro_batches)


def looked_up_in_parts(micro_batches: Parts, *, error: Exception) -> Tensor:
    """−100 looked up, which raises."""
    if any(bool((labels == IGNORED).any()) for _, labels in micro_batches):
        raise error
    return accumulated_loss(micro_batches)


ACCUMULATED_WAYS = (
    (
        "means_added",
        "The bug is still there: your loss is the sum of the parts' means, so four parts make it"
        " and its gradient about four times as large. How large should it be, however the batch is"
        " cut?",
        "2.2",
        *with_empty_parts(lambda parts, nothing: part_means(parts, nothing).sum())[:2],
    ),
    (
        "classes_on_another_axis",
        "cross_entropy looks for the classes on axis 1, and yours seem to be on the last axis."
        " Flatten texts and positions into one axis, or transpose the logits.",
        "2.2",
        classes_in_the_middle_of_parts,
    ),
    (
        "ignored_label_as_an_index",
        "A label of −100 was used as the number of a token, and there is no such token. Select the"
        " positions that count before you look anything up.",
        "2.2",
        *(partial(looked_up_in_parts, error=error) for error in LOOKED_UP),
    ),
    (
        "mean_of_means",
        "A token in a short part weighs more than one in a long part, as if each part were"
        " averaged by itself. Cut the same batch elsewhere and your loss changes.",
        "2.2",
        *with_empty_parts(lambda parts, nothing: part_means(parts, nothing).mean()),
    ),
    (
        "averaged_per_text",
        "Your loss is the mean of the texts' own means: a token of a short text weighs more than"
        " one of a long text. All tokens that count should weigh the same.",
        "2.2",
        lambda parts: part_means(filled(texts_of(parts)), NAN).mean(),
        lambda parts: part_means(texts_of(parts), 0.0).mean(),
    ),
    (
        "padding_learned",
        "Positions that do not count are in your loss, as if token 0 were expected there. Does your"
        " code replace labels of −100? Which positions count?",
        "2.2",
        lambda parts: accumulated_loss([[of, labels.clamp_min(0)] for of, labels in parts]),
        lambda parts: (
            torch.cat([label_losses(of, labels.clamp_min(0)) for of, labels in parts]).sum()
            / sum(counted(labels) for _, labels in parts)
        ),
    ),
    *(
        (
            f"mean_of_means+{name}",
            f"At least two things are off. A token in a short part weighs more than one in a long"
            f" part. And {what}",
            "2.2",
            *(
                lambda parts, kernel=kernel, of=of: torch.stack(
                    [label_losses(*part, kernel).mean().nan_to_num(0.0) for part in of(parts)]
                ).mean()
                for kernel in kernels
                for of in (filled, list)
            ),
        )
        for name, what, kernels in (
            ("softmaxed_twice", "probabilities went through one more softmax.", [twice_softmaxed]),
            (
                "epsilon_in_the_logarithm",
                "where the student is sure, your numbers are those of code that adds a small number"
                " to probabilities, or keeps them or their logarithms above a limit.",
                GUARDED_LOGARITHMS,
            ),
        )
    ),
    (
        "weighted_by_texts",
        "The weight of each part in your loss is its number of texts. Two texts may hold two labels"
        " or two hundred. Over what should the mean be taken?",
        "2.2",
        *with_empty_parts(lambda parts, nothing: weighted(parts, len, nothing)),
    ),
    (
        "weighted_by_positions",
        "The weight of each part in your loss is its number of positions, including those that do"
        " not count. Over what should the mean be taken?",
        "2.2",
        *with_empty_parts(lambda parts, nothing: weighted(parts, torch.numel, nothing)),
    ),
    (
        "empty_part_counted",
        "In your loss a part in which nothing counts adds 1 to the divisor. Such a part adds"
        " nothing to the sum, and it should add nothing to the divisor either.",
        "2.2",
        lambda parts: total_over(parts, lambda labels: max(int(counted(labels)), 1)),
    ),
    (
        "nan_from_an_empty_part",
        "Right as long as a label counts in each part. With a part in which none does, your loss is"
        " NaN. A mean over nothing is NaN, and NaN times a weight of 0 is still NaN. What does such"
        " a part add to a sum?",
        "2.2",
        partial(weighted, weight=lambda labels: (labels != IGNORED).sum(), nothing=NAN),
    ),
    (
        "divided_by_texts",
        "Your loss equals a sum divided by the number of texts: the longer the texts, the larger"
        " the loss.",
        "2.2",
        lambda parts: total_over(parts, len),
    ),
    (
        "divided_by_parts",
        "Your loss equals a sum divided by the number of parts. However the batch is cut, the mean"
        " should be the same.",
        "2.2",
        lambda parts: total_over(parts, lambda labels: 1),
    ),
    (
        "divided_by_all_positions",
        "Your loss equals a sum divided by the number of all positions, also those that do not"
        " count. How many terms does the sum have?",
        "2.2",
        lambda parts: total_over(parts, torch.numel),
    ),
    (
        "divided_by_one_count",
        "Your loss equals the sum over all parts, divided by the number of labels that count in one"
        " part. Over what should the mean be taken?",
        "2.2",
        *(
            lambda parts, at=at: (
                total_over(parts, lambda labels: 0 * labels.numel() + 1)
                * len(parts)
                / counted(parts[at][1])
            )
            for at in (0, -1)
        ),
    ),
    (
        "overwritten",
        "Your loss equals the sum of the last part, divided by the number of labels that count in"
        " all parts. Is one of your two sums overwritten in each part?",
        "2.2",
        lambda parts: label_losses(*parts[-1]).sum() / sum(counted(y) for _, y in parts),
    ),
    (
        "divided_in_the_loop",
        "What came first is divided again with every part, as if the division stood inside the"
        " loop.",
        "2.2",
        divided_again,
    ),
    (
        "divided_by_the_largest_count",
        "Your loss equals a sum divided by the count of the largest part alone. Over what should"
        " the mean be taken?",
        "2.2",
        lambda parts: (
            total_over(parts, lambda labels: 1) * len(parts) / max(counted(y) for _, y in parts)
        ),
    ),
    (
        "labels_shifted",
        "Your loss compares logits with the label of the next position. Here labels[i] is already"
        " what logits[i] predicts.",
        "2.2",
        lambda parts: accumulated_loss([[of[:, :-1], labels[:, 1:]] for of, labels in parts]),
    ),
    (
        "running_average",
        "In your loss each new part halves the weight of all parts before it, so the later ones"
        " weigh more. The mean of many numbers is not the mean of two, taken again and again.",
        "2.2",
        partial(halved, from_zero=False),
        partial(halved, from_zero=True),
    ),
    (
        "later_parts_weigh_too_little",
        "The first part weighs too much in your loss and later parts weigh too little, as if a"
        " running mean counted each new part twice. By what must the count of the new part be"
        " divided to give its share?",
        "2.2",
        counted_before_it_is_in,
    ),
    (
        "stopped_at_an_empty_part",
        "All that comes after a part in which nothing counts is lost. Such a part adds nothing, but"
        " the parts after it still count.",
        "2.2",
        partial(until_empty, nothing=NAN),
        partial(until_empty, nothing=0.0),
        partial(until_empty, nothing=None),
    ),
    (
        "padded_with_a_token",
        "Your loss is what comes out when parts are filled up to one length and the new labels are"
        " a token, not the mark: positions that are in no text are in your mean.",
        "2.2",
        padded_with_zero,
    ),
    (
        "counted_after_the_shift",
        "Your loss equals a sum divided by a count that leaves out the first label of each text, as"
        " if labels had to be shifted. Here labels[i] is already what logits[i] predicts.",
        "2.2",
        lambda parts: total_over(parts, lambda labels: int(counted(labels[:, 1:]))),
    ),
    (
        "zeros_not_counted",
        "Your loss equals a sum divided by the number of losses that are not 0. A label that the"
        " student is sure of may have a loss of 0, but it counts. What says which positions count?",
        "2.2",
        over_nonzero,
    ),
    (
        "part_without_loss_skipped",
        "Your loss leaves out a part whose losses add up to 0. In such a part the student is sure"
        " and right, but its labels count all the same. What says whether something counts in a"
        " part?",
        "2.2",
        parts_without_loss_skipped,
    ),
    (
        "marked_parts_skipped",
        "Your loss leaves out every part that has a position that does not count, and with it the"
        " labels there that do count. What do `any()` and `all()` ask of a mask?",
        "2.2",
        *(partial(unmarked_alone, nothing=nothing) for nothing in (0.0, NAN, None)),
    ),
    (
        "token_zero_not_counted+epsilon_in_the_logarithm",
        "At least two things are off. A label of 0 is a token like any other, but in your code it"
        " does not count, or not everywhere. And where the student is sure, your numbers are those"
        " of code that adds a small number to probabilities, or keeps them above a limit.",
        "2.2",
        *(
            partial(of, kernel=guarded_logarithm(epsilon, kept_above=above))
            for epsilon in EPSILONS
            for above in (True, False)
            for of in (
                lambda parts, kernel: accumulated_loss(without_zeros(parts), kernel),
                lambda parts, kernel: total_over(parts, lambda y: (y > 0).sum(), kernel),
            )
        ),
    ),
    (
        "token_zero_not_counted",
        "A label of 0 is a token like any other, but in your code it does not count. Which labels"
        " should not?",
        "2.2",
        lambda parts: accumulated_loss(without_zeros(parts)),
        lambda parts: accumulated_loss([part for part in parts if int(part[1].max()) > 0]),
        lambda parts: total_over(parts, lambda labels: (labels > 0).sum()),
        lambda parts: total_over(without_zeros(parts), lambda labels: (labels != IGNORED).sum()),
        lambda parts: (
            torch.cat([label_losses(*part) for part in without_zeros(parts)]).sum()
            / sum(counted(labels) for _, labels in parts)
        ),
    ),
    (
        "summed",
        "This is the sum of all losses. However the batch is cut it is the same, which is good; but"
        " it grows with the batch. The task asks for a mean.",
        "2.2",
        lambda parts: torch.cat([label_losses(*part) for part in parts]).sum(),
    ),
    (
        "first_part_alone",
        "Your loss is that of the first part. Is there a return inside the loop?",
        "2.2",
        lambda parts: accumulated_loss(parts[:1]),
    ),
    (
        "last_part_alone",
        "Your loss is that of the last part. What becomes of the sums of the others?",
        "2.2",
        lambda parts: accumulated_loss(parts[-1:]),
    ),
    (
        "parts_do_not_fit",
        "Right as long as all parts have the same shape. Parts of different shapes cannot be put"
        " together as they are: each has its own B and L.",
        "2.2",
        in_one_piece,
        partial(in_one_piece, together=torch.stack),
    ),
    (
        "rounded",
        "Your loss is the right one, rounded or cut off. A mean of logarithms is seldom a whole"
        " number, and training lives on small differences.",
        "2.2",
        lambda parts: accumulated_loss(parts).floor(),
        *(
            lambda parts, digits=digits: accumulated_loss(parts).round(decimals=digits)
            for digits in range(4)
        ),
    ),
    *(
        (*what, *(partial(accumulated_loss, kernel=kernel) for kernel in kernels))
        for *what, kernels in listed(LABEL_KERNELS)
    ),
    (
        "epsilon_in_the_logarithm",
        EPSILON_HINT,
        "1.2",
        *(partial(accumulated_loss, kernel=kernel) for kernel in GUARDED_LOGARITHMS),
    ),
)

# --- Cases --------------------------------------------------------------------------------------


def logits(rng: np.random.Generator, *shape: int) -> Tensor:
    """Random logits."""
    return torch.tensor(rng.normal(scale=2.0, size=shape), dtype=torch.float32)


def two_models(rng: np.random.Generator, *shape: int) -> tuple[Tensor, Tensor]:
    """Student's and teacher's logits."""
    return logits(rng, *shape), logits(rng, *shape)


def first_alike(rng: np.random.Generator, *shape: int) -> tuple[Tensor, Tensor]:
    """Two models that agree in the first text."""
    student, teacher = two_models(rng, *shape)
    student[0] = teacher[0]
    return student, teacher


def sure(rng: np.random.Generator, *shape: int) -> tuple[Tensor, Tensor]:
    """Two models, each sure of a token that the other rules out."""
    student, teacher = two_models(rng, *shape)
    student[..., 0], student[..., 1] = LARGEST, -LARGEST
    teacher[..., 1], teacher[..., 2] = LARGEST, -LARGEST
    return student, teacher


def mean_cases() -> tuple[Case, ...]:
    """As (student_logits, teacher_logits, temperature)."""
    rng = np.random.default_rng(51)
    first, other = two_models(rng, 2, 3, 5), two_models(rng, 4, 3, 6)
    other[0][1, 2] = other[1][1, 2]
    sure_of = sure(rng, 2, 2, 4)
    half = first_alike(np.random.default_rng(64), 2, 2, 2)
    return (
        Case("two texts of three tokens, T = 1.5", (*first, 1.5), public=True),
        Case("four texts of three tokens, agreement on one, T = 3", (*other, 3.0), public=True),
        Case("T = 1 when no temperature is given", first, public=True),
        Case("sure models", (*sure_of, 1.0), public=True),
        Case("sure models, T = 0.5", (*sure_of, 0.5), public=True),
        Case(
            "a vocabulary of 150",
            (*two_models(np.random.default_rng(59), 1, 3, 150), 2.0),
            public=True,
        ),
        Case("one text", (*two_models(rng, 1, 600, 3), 2.0)),
        Case("cold", (*two_models(rng, 2, 5, 4), 0.5)),
        Case("texts of one token", (*two_models(rng, 300, 1, 7), 4.0)),
        Case("other sure models", (*sure(rng, 1, 3, 6), 1.0)),
        Case("other sure models, cold", (*sure(np.random.default_rng(61), 1, 3, 5), 0.5)),
        Case("student and teacher agree", (first[0], first[0].clone(), 2.0)),
        Case("student and teacher agree in the first text", (*half, 1.0)),
    )


def random_mean_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Cases of a submission's own."""
    for _ in range(3):
        texts, length, size = rng.choice([2, 3, 4, 5, 6, 7], size=3, replace=False).tolist()
        models = two_models(rng, texts, length, size)
        yield Case("random", (*models, float(rng.uniform(1.5, 4.0))))


def heated(case: Case) -> float:
    """What float32 explains of a KL, times T² by which it is multiplied."""
    temperature = case.args[2] if len(case.args) > 2 else 1.0
    return (1 + temperature**2) * spec.tolerance(case)


def row(
    rng: np.random.Generator, length: int, size: int, prompt: int, *answers: int
) -> tuple[list[int], list[int]]:
    """Input ids and labels of a row: a prompt, answers that end, padding.

    Args:
        rng: Where the tokens come from.
        length: Positions in the row.
        size: The vocabulary's; END is in it, but no token of a prompt or an answer.
        prompt: Tokens of the prompt; at least 1.
        answers: Tokens of each answer, its END included. The last may be cut off by the row.
    """
    tokens = rng.integers(1, size, size=prompt).tolist()
    labels = [IGNORED] * prompt
    for answer in answers:
        written = [*rng.integers(1, size, size=answer - 1).tolist(), END]
        tokens, labels = tokens + written, labels + written
    missing = length + 1 - len(tokens)
    tokens, labels = tokens + [END] * missing, labels + [IGNORED] * missing
    return tokens[:length], labels[1 : length + 1]


def rows(
    rng: np.random.Generator, length: int, size: int, *texts: tuple[int, ...]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A batch, as (student_logits, teacher_logits, input_ids, labels)."""
    ids, labels = zip(*(row(rng, length, size, *text) for text in texts), strict=True)
    models = two_models(rng, len(texts), length, size)
    return *models, torch.tensor(ids), torch.tensor(labels)


def elsewhere(student: Tensor, labels: Tensor) -> Tensor:
    """The same logits where a label counts, and others where none does."""
    return torch.where((labels == IGNORED)[..., None], student.flip(-1) - 3.0, student)


def mean_facts(case: Case) -> dict[str, Any]:
    """What is so of a case of task 3."""
    student, temperature = case.args[0], case.args[2] if len(case.args) > 2 else 1.0
    texts, length, vocabulary = student.shape
    return sizes(texts, length, vocabulary) | {
        "one more than the number of all positions": texts * length + 1,
        "T": temperature,
        "T is not 1": temperature != 1,
        "T is below 1": temperature < 1,
        "the models are sure": float(student.abs().max()) >= LARGEST,
    }


def sizes(texts: int, length: int, vocabulary: int) -> dict[str, Any]:
    """The numbers that a sum may be divided by."""
    return {
        "the size of the vocabulary": vocabulary,
        "the number of texts": texts,
        "the number of positions in a text": length,
        "the number of all positions": texts * length,
    }


def masked_facts(case: Case) -> dict[str, Any]:
    """What is so of a case of task 5."""
    student, _, input_ids, labels = case.args
    counts = labels != IGNORED
    first, last = counts.long().argmax(-1), counts.long().cumsum(-1).argmax(-1)
    return sizes(*student.shape) | {
        "the number of positions that count": int(counts.sum()),
        "one more than the number of positions that count": int(counts.sum()) + 1,
        "one position counts": int(counts.sum()) == 1,
        "the number of positions that do not read token 0": int((input_ids != END).sum()),
        "the number of labels other than 0": int((labels != END).sum()),
        "a label of 0 counts where token 0 is read": bool(
            ((input_ids == END) & (labels == END)).any()
        ),
        "a prompt stands between two answers": bool((counts.sum(-1) < last - first + 1).any()),
        "an answer begins after the end of another": bool(((input_ids == END) & counts).any()),
        "the models are sure": float(student.abs().max()) >= LARGEST,
    }


def shift_facts(case: Case) -> dict[str, Any]:
    """What is so of a case of task 6."""
    student, _, labels = case.args
    texts, length, vocabulary = student.shape
    counts = labels != IGNORED
    return sizes(texts, length, vocabulary) | {
        "the number of labels that count": int(counts.sum()),
        "the number of pairs that count": int(counts[:, 1:].sum()),
        "one more than the number of pairs that count": int(counts[:, 1:].sum()) + 1,
        "one pair counts": int(counts[:, 1:].sum()) == 1,
        "the number of all pairs": texts * (length - 1),
        "some label is -100": not bool(counts.all()),
        "there is more than one text": texts > 1,
        "the models are sure": float(student.abs().max()) >= LARGEST,
    }


def jsd_facts(case: Case) -> dict[str, Any]:
    """What is so of a case of task 7."""
    student, _, beta = case.args
    return {
        "the size of the vocabulary": student.shape[-1],
        "β": beta,
        "1 - β": 1 - beta,
        "β is above one half": beta > 0.5,
        "β is below one half": beta < 0.5,
        "logits are large": float(student.abs().max()) > 1000,
    }


def accumulated_facts(case: Case) -> dict[str, Any]:
    """What is so of a case of task 8."""
    labels = [each for _, each in case.args[0]]
    counts = [int((each != IGNORED).sum()) for each in labels]
    return {
        "the number of parts": len(labels),
        "the number of texts": sum(map(len, labels)),
        "the number of all positions": sum(each.numel() for each in labels),
        "the number of labels that count": sum(counts),
        "one more than the number of labels that count": sum(counts) + 1,
        "the number of labels that count, and one more for each part": sum(counts) + len(counts),
        "the number of all logits": sum(each.numel() for each, _ in case.args[0]),
        "a part has no label that counts": not all(counts),
        "a part has one label that counts": 1 in counts,
        "a text has no label that counts, and another one of its part has": any(
            bool((each != IGNORED).any()) and not bool((each != IGNORED).any(1).all())
            for each in labels
        ),
        "a text begins with labels that do not count": any(
            bool(((each[:, 0] == IGNORED) & (each != IGNORED).any(1)).any()) for each in labels
        ),
        "all labels of a part that count are 0": any(
            count > 0 and int(each.max()) == 0 for each, count in zip(labels, counts, strict=True)
        ),
        "the losses of a part add up to 0": any(
            bool((y != IGNORED).any()) and float(label_losses(of, y).sum()) == 0
            for of, y in case.args[0]
        ),
        "parts differ in length": len({each.shape[1] for each in labels}) > 1,
        "there are more than two parts": len(labels) > 2,
    }


def masked_cases() -> tuple[Case, ...]:
    """As (student_logits, teacher_logits, input_ids, labels); a text is (prompt, answers…)."""
    rng = np.random.default_rng(52)
    agreeing, sure_of = rows(rng, 6, 5, (1, 4), (2, 3)), rows(rng, 5, 4, (1, 3), (1, 2))
    agreeing[0][0, 1], agreeing[0][1, 2] = agreeing[1][0, 1], agreeing[1][1, 2]
    sure_of = (*sure(rng, 2, 5, 4), *sure_of[2:])
    first = rows(rng, 6, 5, (2, 2), (3, 3))
    between = rows(np.random.default_rng(57), 9, 5, (2, 2, 5), (1, 3))
    between[3][0, 3:5] = IGNORED  # a prompt of two tokens
    again = rows(np.random.default_rng(58), 10, 6, (1, 2, 6), (3, 2, 4))
    again[3][0, 2:5] = again[3][1, 4] = IGNORED
    own = np.random.default_rng(65)
    return (
        Case("a prompt, an answer, padding", first, public=True),
        Case(
            "the same, with other logits where a label is -100",
            (elsewhere(first[0], first[3]), *first[1:]),
            public=True,
            only="what the student says where a label is -100",
        ),
        Case("a prompt between two answers", between, public=True),
        Case("prompts between answers", again),
        Case("two answers in a row", rows(rng, 8, 4, (2, 2, 3), (1, 3), (3, 2, 2)), public=True),
        Case(
            "an empty answer after another",
            rows(np.random.default_rng(63), 7, 5, (2, 3, 1), (1, 2)),
            public=True,
        ),
        Case("a student that agrees at two positions", agreeing, public=True),
        Case("sure models", sure_of, public=True),
        Case("texts of one position", rows(rng, 1, 6, *[(1, 1), (2,), (1, 1)] * 40)),
        Case("a cut answer, and a prompt alone", rows(rng, 5, 5, (3, 7), (2, 2), (6,))),
        Case("one position counts", rows(rng, 5, 4, (2, 1)), public=True),
        Case("all count", rows(rng, 600, 4, (1, 600), (1, 250, 350))),
        Case("a prompt alone, and others", rows(own, 3, 5, (4,), (1, 2), (2, 1))),
    )


def random_masked_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Cases of a submission's own."""
    for _ in range(3):
        texts = [
            (int(rng.integers(2, 4)), 2, int(rng.integers(2, 4))),
            *((int(rng.integers(1, 4)), int(rng.integers(1, 4))) for _ in range(2)),
        ]
        yield Case("random", rows(rng, 9, int(rng.integers(4, 8)), *texts))


def tokens_as_labels(
    rng: np.random.Generator, length: int, size: int, *marked: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    """Logits and labels[i] = token i; of each text the first and the last tokens are marked."""
    labels = torch.tensor(rng.integers(0, size, size=(len(marked), length)))
    for text, (before, after) in zip(labels, marked, strict=True):
        text[:before] = IGNORED
        text[length - after :] = IGNORED
    return *two_models(rng, len(marked), length, size), labels


def shift_cases() -> tuple[Case, ...]:
    """As (student_logits, teacher_logits, labels)."""
    rng = np.random.default_rng(53)
    one = tokens_as_labels(rng, 5, 4, (0, 0))
    gap = tokens_as_labels(rng, 6, 5, *[(0, 1), (2, 0)] * 60)
    gap[2][0, 2] = IGNORED
    *_, labels = tokens_as_labels(rng, 4, 5, (1, 0), (0, 1))
    labels[0, 1:3] = torch.tensor([1, 0])
    own = np.random.default_rng(66)
    short = tokens_as_labels(own, 2, 3, (0, 0), (1, 0), (0, 1), (2, 0))
    short[0][1] = short[1][1]
    many = tokens_as_labels(own, 3, 300, (0, 0))
    many[2][0, 1:] = torch.tensor([130, 299])  # which no integer of 8 bits can hold
    return (
        Case("a prompt, and padding", tokens_as_labels(rng, 6, 5, (2, 0), (0, 2)), public=True),
        Case("one text", one, public=True),
        Case("three texts", tokens_as_labels(rng, 5, 6, (0, 1), (1, 0), (0, 0)), public=True),
        Case("sure models", (*sure(rng, 2, 4, 5), labels), public=True),
        Case("one label ignored in the middle", gap),
        Case("one label counts", tokens_as_labels(rng, 4, 6, (3, 0)), public=True),
        Case("prompts alone", tokens_as_labels(rng, 600, 4, (2, 0), (3, 0), (600, 0))),
        Case("texts of two tokens", short),
        Case("a vocabulary of 300", many),
        Case("all end with padding", tokens_as_labels(own, 5, 6, (5, 0), (1, 1), (0, 2))),
    )


def random_shift_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Cases of a submission's own."""
    for _ in range(3):
        marked = [(0, 0), *((int(n), int(m)) for n, m in rng.integers(0, 3, size=(2, 2)))]
        length, size = int(rng.integers(6, 9)), int(rng.integers(4, 8))
        yield Case("random", tokens_as_labels(rng, length, size, *marked))


def large(rng: np.random.Generator, size: int) -> tuple[Tensor, Tensor]:
    """Two models that are sure of different tokens, and rule out a third."""
    student, teacher = two_models(rng, 2, 2, size)
    student[..., 0], teacher[..., 0] = -1e4, -1e4
    student[0, :, 1], teacher[0, :, 2] = 1e4, 1e4
    return student, teacher


def near(rng: np.random.Generator, *shape: int) -> tuple[Tensor, Tensor]:
    """Two models whose logits are all large, and differ by little from token to token."""
    return tuple(each + 9000 for each in two_models(rng, *shape))


def jsd_cases() -> tuple[Case, ...]:
    """As (student_logits, teacher_logits, beta)."""
    rng = np.random.default_rng(54)
    same = logits(rng, 2, 2, 5)
    first = two_models(rng, 2, 3, 4)
    return (
        Case("β = 0.1", (*first, 0.1), public=True),
        Case("β = 0.7", (*two_models(rng, 1, 3, 5), 0.7), public=True),
        Case("the first models, β = 0.6", (*first, 0.6), public=True),
        Case("large logits, β = 0.25", (*large(rng, 4), 0.25), {}, LARGE, True),
        Case(
            "all logits near 9000, β = 0.3",
            (*near(np.random.default_rng(60), 1, 3, 4), 0.3),
            {},
            LARGE,
            True,
        ),
        Case("β = 0.5", (*two_models(rng, 2, 3, 4), 0.5)),
        Case("β = 0.99", (*two_models(rng, 1, 600, 3), 0.99)),
        Case("student and teacher agree", (same, same.clone(), 0.3)),
        Case(
            "texts of one token, in the first of which both agree",
            (*first_alike(np.random.default_rng(67), 2, 1, 2), 0.05),
        ),
        Case("β = 0.8", (*two_models(rng, 150, 3, 4), 0.8)),
        Case("large logits, β = 0.6", (*large(rng, 5), 0.6), {}, LARGE),
    )


def random_jsd_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Cases of a submission's own."""
    for bounds in ((0.1, 0.4), (0.6, 0.9), (0.1, 0.4)):
        models = two_models(rng, 2, int(rng.integers(2, 5)), int(rng.integers(3, 8)))
        yield Case("random", (*models, float(rng.uniform(*bounds))))
    yield Case("random, large", (*large(rng, 4), float(rng.uniform(0.6, 0.9))), {}, LARGE)


def parts(rng: np.random.Generator, size: int, *shapes: tuple[int, ...]) -> Parts:
    """Micro-batches of [logits, labels], each of (length, labels that count in each text…)."""
    found = []
    for length, *counted in shapes:
        labels = torch.tensor(rng.integers(0, size, size=(len(counted), length)))
        for text, count in zip(labels, counted, strict=True):
            text[count:] = IGNORED
        found.append([logits(rng, len(counted), length, size), labels])
    return found


def knowing() -> Parts:
    """Two parts; in the second the student gives each label a probability of 1."""
    own = np.random.default_rng(62)
    found = parts(own, 4, (3, 3, 1), (4, 2, 3))
    of, labels = found[1]
    of[:] = -LARGEST
    of.scatter_(-1, labels.clamp_min(0)[..., None], LARGEST)
    return found


def accumulated_cases() -> tuple[Case, ...]:
    """As (micro_batches,)."""
    rng = np.random.default_rng(55)
    zeros = parts(rng, 4, (4, 4, 3), (2, 1, 1))
    zeros[1][1].clamp_max_(0)
    sure_of = parts(rng, 4, (3, 2), (2, 2, 1))
    for of, labels in sure_of:
        of[..., 0], of[..., 1:] = LARGEST, -LARGEST
        labels[0, :2] = torch.tensor([0, 1])
    sure_of[1][1] = sure_of[1][1].flip(1)  # what does not count stands in front
    three = parts(rng, 5, (3, 3), (2, 1), (5, 2, 4, 1))  # the last mean is the largest
    empty = parts(rng, 4, (3, 2, 3), (2, 0, 0), (4, 3))
    empty[2][1][0, 0] = 2
    own = np.random.default_rng(68)
    uneven = parts(own, 3, (3, 0, 2), (2, 2, 0))
    anywhere = parts(own, 3, (1, 0, 1, 1), (4, 0, 4, 4), (1, 1))
    anywhere[1][1][1, [1, 3]] = anywhere[1][1][2, [0, 2]] = IGNORED
    many = parts(own, 300, (2, 2), (1, 1))
    many[0][1][0, 1], many[1][1][0, 0] = 130, 299  # which no integer of 8 bits can hold
    return (
        Case("a long part, and a short one in which all labels are 0", (zeros,), public=True),
        Case("three parts, of which one has one label", (three,), public=True),
        Case("a sure student, and a mark in front", (sure_of,), public=True),
        Case("the second is empty", (empty,), {}, EMPTY, True),
        Case("a part in which the student is sure and right", (knowing(),), public=True),
        Case("a text without a label beside one with labels", (uneven,), public=True),
        Case("one part", (parts(rng, 6, (4, *(3, 1) * 60)),)),
        Case("twelve parts of one text", (parts(rng, 4, *[(3, 3), (3, 1), (3, 2)] * 4),)),
        Case("equal parts", (parts(rng, 5, (600, 600, 600), (600, 600, 600)),)),
        Case(
            "the first two are empty, and the last",
            (parts(rng, 5, (2, 0), (3, 0), (4, 3, 1), (2, 1), (2, 0)),),
            {},
            EMPTY,
        ),
        Case("texts of one token, and marks anywhere", (anywhere,)),
        Case("a vocabulary of 300", (many,)),
    )


def random_accumulated_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Cases of a submission's own."""
    for _ in range(3):
        size, (long, some, few) = int(rng.integers(4, 8)), rng.permutation([5, 3, 2]).tolist()
        shapes = ((6, long, some), (5, few), (4, 1, int(rng.integers(1, 4))))
        yield Case("random", (parts(rng, size, *shapes),))
    yield Case("random, one empty", (parts(rng, 4, (4, 2, 3), (3, 0, 0), (3, 1)),), {}, EMPTY)


def of_parts(case: Case) -> float:
    """What float32 explains of a mean over micro-batches: the largest of theirs."""
    return max(spec.tolerance(Case("part", tuple(part))) for part in case.args[0])


# --- Which bug is it? ---------------------------------------------------------------------------

CAUSES = {"a": "vocabulary", "b": "texts", "c": "logarithm", "d": "parts"}
WHY = {
    ("a", "texts"): "Row a cannot be the texts: with half the length, a sum that is divided by the"
    " number of texts is half as large. Row a did not change.",
    ("a", "logarithm"): "Row a cannot be the logarithm: with q in place of log q, a sum of p·(log p"
    " − q) is close to minus the teacher's entropy. Row a is above 0.",
    ("a", "parts"): "Row a cannot be the parts: in one piece that bug prints the right number, and"
    " in four pieces four times as much.",
    ("b", "vocabulary"): "Row b cannot be the vocabulary: one divisor too many makes a loss small."
    " Row b is larger than the right value.",
    ("b", "logarithm"): "Row b cannot be the logarithm: with q in place of log q, a sum of p·(log p"
    " − q) is close to minus the teacher's entropy. Row b is above 0.",
    ("b", "parts"): "Row b cannot be the parts: in one piece that bug prints the right number.",
    ("c", "vocabulary"): "Row c cannot be the vocabulary: a divisor changes the size of a KL, not"
    " its sign.",
    ("c", "texts"): "Row c cannot be the texts: a divisor changes the size of a KL, not its sign.",
    ("c", "parts"): "Row c cannot be the parts: a sum of means changes the size of a KL, not its"
    " sign.",
    ("d", "vocabulary"): "Row d cannot be the vocabulary: that bug is there in one piece too, where"
    " row d is right.",
    ("d", "texts"): "Row d cannot be the texts: that bug is there in one piece too, where row d is"
    " right.",
    ("d", "logarithm"): "Row d cannot be the logarithm: that bug is there in one piece too, where"
    " row d is right.",
}


def triage_mistakes() -> tuple[Mistake, ...]:
    """One for every wrong matching, with what speaks against each wrong pair."""
    found = []
    for order in product(CAUSES.values(), repeat=len(CAUSES)):  # one bug may be there twice
        answer = dict(zip(CAUSES, order, strict=True))
        wrong = [pair for pair in answer.items() if pair in WHY]
        if wrong:
            name = "_".join(("wrong", *(f"{row}_{bug}" for row, bug in wrong)))
            hint = " ".join(WHY[pair] for pair in wrong)
            found.append(Mistake(name, answer, hint, SECTIONS["2.2"]))
    return tuple(found)


TEXTS, LENGTH, VOCABULARY, COUNTED = 8, 64, 32_000, 384

# --- The tasks ----------------------------------------------------------------------------------

CHECKS = (
    choice(
        name="zero_loss_choice",
        parts={"answer": 2},
        expected="The one explanation that fits all four measurements.",
        section=SECTIONS["1.2"],
        options=(
            Option(
                "a",
                "Two models that agreed in everything would name the same token first. Look at"
                " how often these do.",
                SECTIONS["1.2"],
            ),
            Option(
                "b",
                "A high temperature makes a KL small, not exactly 0, and T² makes up for most of"
                " that. Did the number change when T did?",
                SECTIONS["2.2"],
            ),
            Option("c", None, SECTIONS["1.2"]),
            Option(
                "d",
                "LM and KD have the same mask. If no position counted, what would LM do?",
                SECTIONS["2.2"],
            ),
        ),
    ),
    AnswerCheck(
        name="triage",
        parts={"answer": 3},
        expected="For each row of the table its bug; each bug is used once.",
        section=SECTIONS["2.2"],
        answer=CAUSES,
        mistakes=triage_mistakes(),
    ),
    FunctionCheck(
        name="kd_mean",
        parts={"values": 3},
        expected="T² times the mean over all B·L positions of KL(p‖q) at temperature T.",
        section=SECTIONS["1.2"],
        reference=kd_mean,
        fixed=mean_cases(),
        random=random_mean_cases,
        misconceptions=named(KD_MEAN_WAYS),
        facts=mean_facts,
        tolerance=heated,
    ),
    AnswerCheck(
        name="how_much_too_small",
        parts={"answer": 2},
        expected="The right loss divided by the wrong one, to the nearest whole number.",
        section=SECTIONS["2.2"],
        answer=TEXTS * LENGTH * VOCABULARY / COUNTED,
        tolerance=0.5,
        mistakes=(
            Mistake(
                "padding_forgotten",
                VOCABULARY,
                "That would be right if each position counted. The wrong mean also runs over the"
                " positions that do not count.",
                SECTIONS["2.2"],
            ),
            Mistake(
                "whole_divisor",
                TEXTS * LENGTH * VOCABULARY,
                "That is the number that the wrong code divides by. The right code divides too.",
                SECTIONS["2.2"],
            ),
            Mistake(
                "rounded_down",
                TEXTS * LENGTH * VOCABULARY // COUNTED,
                "Your factor is right except for its rounding: it was rounded down, but the task"
                " asks for the nearest whole number.",
                SECTIONS["2.2"],
            ),
            Mistake(
                "padding_upside_down",
                COUNTED * VOCABULARY / (TEXTS * LENGTH),
                "The positions that do not count make the wrong loss even smaller, but your answer"
                " says the opposite. By how many positions does each code divide?",
                SECTIONS["2.2"],
            ),
            Mistake(
                "padding_alone",
                TEXTS * LENGTH / COUNTED,
                "You found what the padding does. There is one more axis that the mean runs over.",
                SECTIONS["1.2"],
            ),
            Mistake(
                "what_does_not_count",
                TEXTS * LENGTH * VOCABULARY / (TEXTS * LENGTH - COUNTED),
                "You divide by the number of positions that do not count. By which number of"
                " positions does the right code divide?",
                SECTIONS["2.2"],
            ),
            Mistake(
                "texts_for_positions",
                TEXTS * VOCABULARY,
                "You compare numbers of texts. Both codes see positions: how many are in the batch,"
                " and how many of them count?",
                SECTIONS["2.2"],
            ),
            Mistake(
                "divided_by_texts",
                LENGTH * VOCABULARY,
                "You let the right code divide by the number of texts. Over what does it take the"
                " mean?",
                SECTIONS["2.2"],
            ),
            *(
                Mistake(
                    "texts_once_more",
                    TEXTS * LENGTH * VOCABULARY / COUNTED * share,
                    "Your answer has the number of texts as one more factor or divisor. Neither"
                    " code divides by it alone: it is only a part of the number of all positions.",
                    SECTIONS["2.2"],
                )
                for share in (TEXTS, 1 / TEXTS)
            ),
            Mistake(
                "inverted",
                COUNTED / (TEXTS * LENGTH * VOCABULARY),
                "That is the wrong loss divided by the right one. The question is asked the other"
                " way round.",
                SECTIONS["2.2"],
            ),
        ),
    ),
    FunctionCheck(
        name="kd_masked",
        parts={"values": 3},
        expected="The mean of KL(p‖q) over the positions whose label is not -100.",
        section=SECTIONS["2.2"],
        reference=kd_masked,
        fixed=masked_cases(),
        random=random_masked_cases,
        misconceptions=named(KD_MASKED_WAYS),
        facts=masked_facts,
    ),
    FunctionCheck(
        name="next_token_losses",
        parts={"values": 4},
        expected="A pair: the means of −log q(y) and of KL(p‖q) over the pairs of logits[i] and"
        " label i + 1 in which the label is not -100.",
        section=SECTIONS["2.2"],
        reference=next_token_losses,
        fixed=shift_cases(),
        random=random_shift_cases,
        misconceptions=named(SHIFT_WAYS),
        facts=shift_facts,
        names=("LM", "KD"),
    ),
    FunctionCheck(
        name="jsd",
        parts={"values": 4, LARGE: 1},
        expected="β·KL(p‖m) + (1−β)·KL(q‖m) at each position, [B, L], with m = β·p + (1−β)·q; for"
        " logits of any size.",
        section=SECTIONS["1.3"],
        reference=jsd,
        fixed=jsd_cases(),
        random=random_jsd_cases,
        misconceptions=named(JSD_WAYS),
        facts=jsd_facts,
    ),
    FunctionCheck(
        name="accumulated_loss",
        parts={"values": 3, EMPTY: 1},
        expected="The mean of −log q(y) over all positions that count in all micro-batches; one in"
        " which nothing counts changes nothing.",
        section=SECTIONS["2.2"],
        reference=accumulated_loss,
        fixed=accumulated_cases(),
        random=random_accumulated_cases,
        misconceptions=named(ACCUMULATED_WAYS),
        facts=accumulated_facts,
        tolerance=of_parts,
    ),
)
