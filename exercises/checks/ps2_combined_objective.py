"""Checks of ps2_combined_objective: the two losses, both ways to add them, a gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

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
    Option,
    choice,
    load_sections,
)

SECTIONS = load_sections(Path(__file__).with_name("sections.json"))
WITHHELD = ("kdlab",)  # it holds the answers
NOTHING = "a batch in which nothing counts"
IGNORED = -100

# --- The right way, and the ways to leave it ----------------------------------------------------
# Each loss is a value per position, then a mean over the positions that count.


def label_losses(student: Tensor, labels: Tensor, temperature: float = 1.0) -> Tensor:
    """−log q(y) at each position; of ignored labels, what class 0 would give."""
    log_q = (student.double() / temperature).log_softmax(-1)
    return -log_q.gather(-1, labels.clamp_min(0)[..., None])[..., 0]


def teacher_losses(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """KL(p‖q) at each position, both at a temperature."""
    log_q = (student.double() / temperature).log_softmax(-1)
    log_p = (teacher.double() / temperature).log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def token_mean(losses: Tensor, labels: Tensor) -> Tensor:
    """Mean over the positions that count; 0 when none does."""
    counts = labels != IGNORED
    return losses[counts].sum() / counts.sum().clamp_min(1)


def empty_mean(losses: Tensor, labels: Tensor) -> Tensor:
    """The same, but 0/0 when none counts."""
    return losses[labels != IGNORED].mean()


def unmasked_mean(losses: Tensor, labels: Tensor) -> Tensor:
    """Mean over all positions, ignored ones included."""
    return losses.mean()


def diluted_mean(losses: Tensor, labels: Tensor) -> Tensor:
    """The sum of the positions that count over the number of all."""
    return losses[labels != IGNORED].sum() / losses.numel()


def batch_mean(losses: Tensor, labels: Tensor) -> Tensor:
    """The sum over the number of texts."""
    return losses[labels != IGNORED].sum() / losses.shape[0]


def over_the_length(losses: Tensor, labels: Tensor) -> Tensor:
    """The sum over the number of positions in a text."""
    return losses[labels != IGNORED].sum() / losses.shape[1]


def mean_of_means(losses: Tensor, labels: Tensor) -> Tensor:
    """The mean over texts of each text's own mean."""
    counts = labels != IGNORED
    return ((losses * counts).sum(-1) / counts.sum(-1).clamp_min(1)).mean()


def unmasked_batch_mean(losses: Tensor, labels: Tensor) -> Tensor:
    """The sum over all positions over the number of texts: kl_div's batchmean."""
    return losses.sum() / losses.shape[0]


def unmasked_sum(losses: Tensor, labels: Tensor) -> Tensor:
    """The sum over all positions."""
    return losses.sum()


def padded_sum(losses: Tensor, labels: Tensor) -> Tensor:
    """The sum over all positions over the number of those that count."""
    return losses.sum() / (labels != IGNORED).sum().clamp_min(1)


def positive_labels(losses: Tensor, labels: Tensor) -> Tensor:
    """Mean over the positions whose label is above 0."""
    counts = labels > 0
    return losses[counts].sum() / counts.sum().clamp_min(1)


def positive_labels_of_all(losses: Tensor, labels: Tensor) -> Tensor:
    """The sum over labels above 0, over the number of positions that count."""
    return losses[labels > 0].sum() / (labels != IGNORED).sum().clamp_min(1)


def losses_above_zero(losses: Tensor, labels: Tensor) -> Tensor:
    """Positions are counted by losses that are not 0."""
    kept = torch.where(labels != IGNORED, losses, 0.0)
    zero = 1e-7  # what is smaller is 0 in float32
    return kept.sum() / (kept.abs() > zero).sum().clamp_min(1)


def one_too_few(losses: Tensor, labels: Tensor) -> Tensor:
    """The sum over one position less than count."""
    counts = labels != IGNORED
    return losses[counts].sum() / (counts.sum() - 1).clamp_min(1)


def mean_up_to_the_mark(losses: Tensor, labels: Tensor) -> Tensor:
    """Mean over the positions before the first ignored one of each text."""
    counts = (labels != IGNORED).long().cumprod(-1).bool()
    return losses[counts].sum() / counts.sum().clamp_min(1)


def mean_from_the_beginning(every: bool, losses: Tensor, labels: Tensor) -> Tensor:
    """Of each text as many positions from its beginning as count; of those that do, or of all."""
    counts = labels != IGNORED
    sizes = counts.sum(-1, keepdim=True)
    front = torch.arange(labels.shape[-1]) < sizes
    return losses[front if every else front & counts].sum() / sizes.sum().clamp_min(1)


def labels_other_than_zero(losses: Tensor, labels: Tensor) -> Tensor:
    """Mean over the positions whose label is not 0, ignored ones included."""
    counts = labels != 0
    return losses[counts].sum() / counts.sum().clamp_min(1)


def nothing_if_any(losses: Tensor, labels: Tensor) -> Tensor:
    """0 as soon as one label is ignored."""
    return losses.mean() * (labels != IGNORED).all()


def mask_of_another_axis(losses: Tensor, labels: Tensor) -> Tensor:
    """A mask [B, L, 1] before losses [B, L], which do not fit unless B is L or 1."""
    counts = (labels != IGNORED).unsqueeze(-1)
    return (losses * counts).sum() / counts.sum().clamp_min(1)


def cut_mean(place: int, losses: Tensor, labels: Tensor) -> Tensor:
    """Mean over the positions that count, but for one place in each text."""
    labels = labels.clone()
    labels[:, place] = IGNORED
    return token_mean(losses, labels)


def mean_of_means_or_nan(losses: Tensor, labels: Tensor) -> Tensor:
    """The same, NaN where a text has nothing that counts."""
    counts = labels != IGNORED
    return ((losses * counts).sum(-1) / counts.sum(-1)).mean()


def added_to_the_count(size: float, losses: Tensor, labels: Tensor) -> Tensor:
    """A number in the divisor."""
    counts = labels != IGNORED
    return losses[counts].sum() / (counts.sum() + size)


def mean_of_means_of_some(losses: Tensor, labels: Tensor) -> Tensor:
    """The same over the texts of which something counts."""
    counts = labels != IGNORED
    some = counts.any(-1)
    return mean_of_means(losses[some], labels[some]) if some.any() else losses.sum() * 0


def sum_of_means(losses: Tensor, labels: Tensor) -> Tensor:
    """The sum over texts of each text's own mean."""
    return mean_of_means(losses, labels) * len(labels)


def text_mean(place: int, mean: Mean, losses: Tensor, labels: Tensor) -> Tensor:
    """The mean of one text."""
    return mean(losses[place][None], labels[place][None])


def position_alone(place: int, losses: Tensor, labels: Tensor) -> Tensor:
    """The loss of one position that counts; 0 when none does."""
    counted = losses[labels != IGNORED]
    return counted[place] if len(counted) else losses.sum() * 0


def middle(of: Callable[[Tensor], Tensor], losses: Tensor, labels: Tensor) -> Tensor:
    """Something else than the mean of the losses that count; 0 when none does."""
    counted = losses[labels != IGNORED]
    return of(counted) if len(counted) else losses.sum() * 0


def share_of_the_first(losses: Tensor, labels: Tensor) -> Tensor:
    """The sum over as many positions as would count if all texts were padded like the first."""
    counts = labels != IGNORED
    count = counts[0].sum() * len(labels)
    return losses[counts].sum() / count if count else losses.sum() * 0


def turned_mean(losses: Tensor, labels: Tensor) -> Tensor:
    """Mean over the positions that do not count; 0 when all do."""
    ignored = labels == IGNORED
    return losses[ignored].sum() / ignored.sum().clamp_min(1)


def turned_mean_or_nan(losses: Tensor, labels: Tensor) -> Tensor:
    """The same, NaN when all count."""
    return losses[labels == IGNORED].mean()


def turned_sum(losses: Tensor, labels: Tensor) -> Tensor:
    """The sum over the positions that do not count, over the number of those that do."""
    return losses[labels == IGNORED].sum() / (labels != IGNORED).sum().clamp_min(1)


def last_text_in_the_sum(losses: Tensor, labels: Tensor) -> Tensor:
    """The sum of the last text over the number of positions that count in all of them."""
    return total(losses[-1], labels[-1]) / (labels != IGNORED).sum().clamp_min(1)


def last_text_in_the_count(losses: Tensor, labels: Tensor) -> Tensor:
    """The sum over the number of positions that count in the last text."""
    return total(losses, labels) / (labels[-1] != IGNORED).sum().clamp_min(1)


def total(losses: Tensor, labels: Tensor) -> Tensor:
    """The sum."""
    return losses[labels != IGNORED].sum()


Mean = Callable[[Tensor, Tensor], Tensor]


def lm_loss(
    student_logits: Tensor, labels: Tensor, *, mean: Mean = token_mean, temperature: float = 1.0
) -> Tensor:
    """Mean of −log q(y)."""
    return mean(label_losses(student_logits, labels, temperature), labels)


def shifted(of: Callable, *given: Any, **options: Any) -> Tensor:
    """A loss of the logits of each position with the label of the next."""
    *logits, labels = (each for each in given if isinstance(each, Tensor))
    numbers = given[len(logits) + 1 :]
    return of(*(each[:, :-1] for each in logits), labels[:, 1:], *numbers, **options)


def kd_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    temperature: float = 1.0,
    *,
    mean: Mean = token_mean,
    scale: Callable[[float], float] = lambda temperature: temperature**2,
    losses: Callable[[Tensor, Tensor, float], Tensor] = teacher_losses,
) -> Tensor:
    """T² times the mean of KL(p‖q) at temperature T."""
    per_position = losses(student_logits, teacher_logits, temperature)
    return scale(temperature) * mean(per_position, labels)


def unscaled(temperature: float) -> float:
    """T² left out."""
    return 1.0


def scaled_once(temperature: float) -> float:
    """T for T²."""
    return temperature


def scaled_twice(temperature: float) -> float:
    """T² on what has it already."""
    return temperature**4


def divided_by_scale(temperature: float) -> float:
    """1/T² for T²."""
    return temperature**-2


def swapped_losses(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """KL(q‖p)."""
    return teacher_losses(teacher, student, temperature)


def soft_cross_entropy(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Cross-entropy: the teacher's entropy is left in."""
    p = (teacher.double() / temperature).softmax(-1)
    return -(p * (student.double() / temperature).log_softmax(-1)).sum(-1)


def class_mean_losses(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Mean over the vocabulary for sum."""
    return teacher_losses(student, teacher, temperature) / student.shape[-1]


def cold_losses(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T acts on the teacher alone."""
    return teacher_losses(student, teacher / temperature, 1.0)


def hot_losses(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T acts on the student alone."""
    return teacher_losses(student / temperature, teacher, 1.0)


def cool_losses(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T acts on neither."""
    return teacher_losses(student, teacher, 1.0)


def twice_softmaxed(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Logarithms of distributions that were softmaxed twice, weighed by probabilities."""
    p = (teacher.double() / temperature).softmax(-1)
    q = (student.double() / temperature).softmax(-1)
    return (p * (p.log_softmax(-1) - q.log_softmax(-1))).sum(-1)


def student_softmaxed_twice(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """The same for the student's logarithms alone."""
    q = (student.double() / temperature).softmax(-1)
    log_p = (teacher.double() / temperature).log_softmax(-1)
    return (log_p.exp() * (log_p - q.log_softmax(-1))).sum(-1)


def one_token(place: int, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """The share of one token."""
    log_q = (student.double() / temperature).log_softmax(-1)
    log_p = (teacher.double() / temperature).log_softmax(-1)
    return (log_p.exp() * (log_p - log_q))[..., place]


def one_token_left_out(place: int, *given: Any) -> Tensor:
    """The sum over all tokens but one."""
    return teacher_losses(*given) - one_token(place, *given)


def probabilities_as_input(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """kl_div is given the student's probabilities, not their logarithms."""
    p = (teacher.double() / temperature).softmax(-1)
    q = (student.double() / temperature).softmax(-1)
    return F.kl_div(q, p, reduction="none").sum(-1)


def clamped_shares(force: Callable, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """No token may add something negative."""
    log_q = (student.double() / temperature).log_softmax(-1)
    log_p = (teacher.double() / temperature).log_softmax(-1)
    return (log_p.exp() * force(log_p - log_q)).sum(-1)


def late_temperature(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Log-probabilities over T, which are none any more."""
    log_q, log_p = (each.double().log_softmax(-1) / temperature for each in (student, teacher))
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def late_in_part(
    late: tuple[bool, bool], student: Tensor, teacher: Tensor, temperature: float
) -> Tensor:
    """The same of the student or of the teacher alone."""
    log_q, log_p = (
        each.double().log_softmax(-1) / temperature
        if after
        else (each.double() / temperature).log_softmax(-1)
        for each, after in zip((student, teacher), late, strict=True)
    )
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def student_late(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """The student's alone; its gradient is that of a student at T = 1."""
    return late_in_part((True, False), student, teacher, temperature)


def late_temperature_of_probabilities(
    student: Tensor, teacher: Tensor, temperature: float
) -> Tensor:
    """Probabilities over T, which are none any more."""
    q, p = (each.double().softmax(-1) / temperature for each in (student, teacher))
    return (p * (p.log() - q.log())).sum(-1)


def heated_in_part(
    weight: int, first: int, second: int, student: Tensor, teacher: Tensor, temperature: float
) -> Tensor:
    """T to powers of 0, 1 or 2 for the weights, for log p and for log q."""
    p = (teacher.double() / temperature**weight).softmax(-1)
    log_p = (teacher.double() / temperature**first).log_softmax(-1)
    return (p * (log_p - (student.double() / temperature**second).log_softmax(-1))).sum(-1)


def heated_always(fixed: float, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """KL at one temperature."""
    return teacher_losses(student, teacher, fixed)


def along(first: int, second: int, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """The student's and the teacher's softmax over some axes."""
    log_q = (student.double() / temperature).log_softmax(first)
    log_p = (teacher.double() / temperature).log_softmax(second)
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def mixture(q: Tensor, p: Tensor) -> Tensor:
    """Logarithms of the mean of two distributions, from theirs."""
    return torch.logaddexp(q, p) - np.log(2)


def measured(of: Callable[[Tensor, Tensor], Tensor], *given: Any) -> Tensor:
    """A measure of two distributions at T, given by their logarithms: student's, teacher's."""
    student, teacher, temperature = given
    log_q, log_p = ((each.double() / temperature).log_softmax(-1) for each in (student, teacher))
    return of(log_q, log_p)


MEASURES = (
    *(
        partial(measured, of)
        for of in (
            lambda q, p: -(p.exp() * p).sum(-1),
            lambda q, p: -(q.exp() * q).sum(-1),
            lambda q, p: (q.exp() - p.exp()).abs().sum(-1),
            lambda q, p: (q.exp() - p.exp()).abs().sum(-1) / 2,
            lambda q, p: ((q.exp() - p.exp()) ** 2).sum(-1),
            lambda q, p: ((q.exp() - p.exp()) ** 2).mean(-1),
            lambda q, p: ((q - p) ** 2).sum(-1),
            lambda q, p: (p.exp() * (p - q) ** 2).sum(-1),
            lambda q, p: (p.exp() * (p - q)).sum(-1).clamp_min(0.0).sqrt(),
            lambda q, p: (p.exp() * (p - q)).sum(-1) ** 2,
            lambda q, p: -q.gather(-1, p.argmax(-1, keepdim=True))[..., 0],
            lambda q, p: ((p.exp() * (p - q)).sum(-1) + (q.exp() * (q - p)).sum(-1)) / 2,
            lambda q, p: (p.exp() * (p - q)).sum(-1) + (q.exp() * (q - p)).sum(-1),
            lambda q, p: (p.exp() * (p - mixture(q, p))).sum(-1),
            lambda q, p: (
                ((p.exp() * (p - mixture(q, p))).sum(-1) + (q.exp() * (q - mixture(q, p))).sum(-1))
                / 2
            ),
        )
    ),
    lambda student, teacher, temperature: ((student - teacher).double() ** 2).mean(-1),
    lambda student, teacher, temperature: ((student - teacher).double() ** 2).sum(-1),
)


def softmax_over_all(masked: bool, *given: Any) -> Tensor:
    """One softmax over all positions together, or over all that count."""
    student, teacher, labels, *temperature = given
    t = temperature[0] if temperature else 1.0
    counts = labels != IGNORED
    if not counts.any():
        return torch.zeros(())
    rows = counts if masked else torch.ones_like(counts)
    log_q, log_p = (
        (each.double()[rows] / t).flatten().log_softmax(0) for each in (student, teacher)
    )
    return t**2 * (log_p.exp() * (log_p - log_q)).sum() / counts.sum()


def likeliest_tokens(count: int, renormalised: bool, *given: Any) -> Tensor:
    """The teacher's likeliest tokens alone."""
    student, teacher, temperature = given
    log_q, log_p = ((each.double() / temperature).log_softmax(-1) for each in (student, teacher))
    log_p, at = log_p.topk(min(count, log_p.shape[-1]), dim=-1)
    log_q = log_q.gather(-1, at)
    if renormalised:
        log_p, log_q = log_p.log_softmax(-1), log_q.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def rescaled(how: Callable[[Tensor], Tensor], *given: Any) -> Tensor:
    """KL of logits at another scale."""
    student, teacher, temperature = given
    return teacher_losses(how(student), how(teacher), temperature)


GUARDS: tuple[Callable[[Tensor, Tensor, float], Tensor], ...] = (
    lambda p, q, e: p * ((p + e).log() - (q + e).log()),
    lambda p, q, e: p * (p.log() - (q + e).log()),
    lambda p, q, e: p * (p.clamp_min(e).log() - q.clamp_min(e).log()),
    lambda p, q, e: (p + e) * ((p + e).log() - (q + e).log()),
    lambda p, q, e: p * (p / (q + e) + e).log(),
    lambda p, q, e: p.clamp_min(e) * (p.clamp_min(e).log() - q.clamp_min(e).log()),
)


def guarded_losses(epsilon: float, form: Callable, *given: Any) -> Tensor:
    """KL with a small number in its logarithms."""
    student, teacher, temperature = given
    q, p = ((each.double() / temperature).softmax(-1) for each in (student, teacher))
    return form(p, q, epsilon).sum(-1)


def label_ratio(*given: Any) -> Tensor:
    """log p(y) − log q(y) of each position's label, without a weight."""
    student, teacher, labels, *temperature = given
    t = temperature[0] if temperature else 1.0
    gaps = label_losses(student, labels, t) - label_losses(teacher, labels, t)
    return t**2 * token_mean(gaps, labels)


def label_of_the_sum(alone: bool, *given: Any, mean: Mean = token_mean) -> Tensor:
    """The share of a position's label in its KL, alone, or the KL without it."""
    student, teacher, labels, *temperature = given
    t = temperature[0] if temperature else 1.0
    log_q = (student.double() / t).log_softmax(-1)
    log_p = (teacher.double() / t).log_softmax(-1)
    shares = log_p.exp() * (log_p - log_q)
    own = shares.gather(-1, labels.clamp_min(0)[..., None])[..., 0]
    return t**2 * mean(own if alone else shares.sum(-1) - own, labels)


def negative_losses(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """−KL."""
    return -teacher_losses(student, teacher, temperature)


def probabilities_as_logarithms(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """kl_div with log_target=True, given probabilities."""
    p = (teacher.double() / temperature).softmax(-1)
    return (p.exp() * (p - (student.double() / temperature).log_softmax(-1))).sum(-1)


def logarithms_as_probabilities(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """kl_div without log_target=True, given log-probabilities."""
    log_p = (teacher.double() / temperature).log_softmax(-1)
    log_q = (student.double() / temperature).log_softmax(-1)
    return F.kl_div(log_q, log_p, reduction="none").sum(-1)


def combined_objective(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    lam: float,
    temperature: float = 1.0,
    *,
    weights: Callable[[float], tuple[float, float]] = lambda lam: (1.0, lam),
    lm_temperature: Callable[[float], float] = lambda temperature: 1.0,
    lm_mean: Mean | None = None,
    plus: float = 0.0,
    kd_temperature: Callable[[float], float] = lambda temperature: temperature,
    **options: Any,
) -> Tensor:
    """LM + λ·KD."""
    lm_weight, kd_weight = weights(lam)
    mean = lm_mean or options.get("mean", token_mean)
    lm = lm_loss(student_logits, labels, mean=mean, temperature=lm_temperature(temperature))
    kd = kd_loss(student_logits, teacher_logits, labels, kd_temperature(temperature), **options)
    return lm_weight * lm + kd_weight * kd + plus


def convex_objective(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    alpha: float,
    temperature: float = 1.0,
    **options: Any,
) -> Tensor:
    """(1−α)·LM + α·KD."""
    weights = options.pop("weights", lambda alpha: (1 - alpha, alpha))
    return combined_objective(
        student_logits, teacher_logits, labels, alpha, temperature, weights=weights, **options
    )


def objective_gradients(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    lam: float,
    temperature: float = 1.0,
    *,
    loss: Callable = combined_objective,
    leak: bool = False,
    factor: float = 1.0,
) -> list[Tensor]:
    """∂/∂student and zeros, of LM + λ·KD."""
    student = student_logits.double().requires_grad_()
    teacher = teacher_logits.double().requires_grad_()
    value = loss(student, teacher, labels, lam, temperature)
    own, foreign = torch.autograd.grad(value, [student, teacher], materialize_grads=True)
    return [factor * own, factor * foreign if leak else torch.zeros_like(foreign)]


# --- Cases --------------------------------------------------------------------------------------


def batch(
    rng: np.random.Generator, texts: int, length: int, vocabulary: int, ignored: tuple[int, ...]
) -> tuple[Tensor, Tensor, Tensor]:
    """Student's logits, teacher's logits, and labels whose last `ignored[i]` do not count."""
    student, teacher = (
        torch.tensor(rng.normal(scale=2.0, size=(texts, length, vocabulary)), dtype=torch.float32)
        for _ in range(2)
    )
    labels = torch.tensor(rng.integers(0, vocabulary, size=(texts, length)))
    for row, count in enumerate(ignored):
        labels[row, length - count :] = IGNORED
    return student, teacher, labels


def batches() -> list[tuple[str, bool, tuple[Tensor, Tensor, Tensor]]]:
    """Name, whether public, and tensors. Token 0 is among the labels that count."""
    rng = np.random.default_rng(2)
    middle = batch(rng, 2, 5, 4, (1, 0))
    middle[2][1, 2] = IGNORED
    first, second = batch(rng, 2, 3, 4, (2, 0)), batch(rng, 3, 4, 5, (3, 1, 0))
    first[2][1, 1] = second[2][1, 0] = second[2][2, 3] = 0
    # Losses that are exactly 0 in float32: the student agrees with its teacher, and is sure.
    alike = batch(rng, 2, 4, 5, (1, 0))
    alike[0][0, 0] = alike[1][0, 0]
    alike[0][1, 2] = 20.0 * F.one_hot(alike[2][1, 2], 5)
    zeros = batch(rng, 2, 4, 5, (0, 0))
    zeros[2][:] = 0
    large = batch(np.random.default_rng(4), 2, 2, 300, (0, 1))
    large[2][:, 0], large[2][0, 1] = 130, 299  # which no integer of 8 bits can hold
    more = np.random.default_rng(6)
    late = batch(more, 1, 5, 3, (1,))
    late[2][0] = torch.tensor([IGNORED, IGNORED, 2, 0, IGNORED])
    single = batch(more, 6, 1, 4, (1, 0, 0, 1, 0, 0))
    single[1][4, 0] = 40.0 * F.one_hot(torch.tensor(1), 4) - 5.0  # a teacher that is sure
    alone = batch(more, 1, 1, 4, (0,))
    return [
        ("two texts, one padded", True, first),
        ("three texts, padded differently", True, second),
        ("student and teacher agree at one position; at another q(y) is almost 1", True, alike),
        ("nothing ignored, all labels 0", True, zeros),
        ("one label ignored in the middle", True, middle),
        ("one text does not count at all", True, batch(rng, 3, 3, 4, (3, 0, 1))),
        ("one position counts", True, batch(rng, 2, 3, 5, (2, 3))),
        ("a vocabulary of 300", False, large),
        ("texts of one position", False, single),
        ("one text, which begins with ignored positions", True, late),
        ("one text of one position", False, alone),
    ]


def elsewhere(student: Tensor, labels: Tensor) -> Tensor:
    """The same logits where a label counts, and others where none does."""
    return torch.where((labels == IGNORED)[..., None], student.flip(-1) - 3.0, student)


OTHER_TEXTS = "other texts of the first batch's shape"
OTHER_LOGITS = "the same batch, with other logits where a label is -100"
LOGITS_ELSEWHERE = "the student's output where a label is -100"


def facts(case: Case, knob: str = "") -> dict[str, Any]:
    """What is so of a case; `knob` is what the number before the temperature is called."""
    student, *teachers, labels = (each for each in case.args if isinstance(each, Tensor))
    numbers = [each for each in case.args if isinstance(each, float)]
    counts = labels != IGNORED
    texts, length, vocabulary = student.shape
    count = int(counts.sum())
    found = {
        "the size of the vocabulary": vocabulary,
        "the number of texts": texts,
        "the number of positions in a text": length,
        "the number of positions that count": count,
        "one more than the number of positions that count": count + 1,
        "the number of all positions": counts.numel(),
        "some labels are -100, and others are not": 0 < count < counts.numel(),
        "some label is -100": not bool(counts.all()),
        "no label counts": count == 0,
        "one position counts": count == 1,
        "each label that counts is 0": count > 0 and not bool(labels[counts].any()),
        "a label counts that comes after a -100 in its text": bool(
            (counts[:, 1:] & ~counts[:, :-1]).any()
        ),
        "the first label of a text is -100, and a later one counts": bool(
            (counts.any(-1) & ~counts[:, 0]).any()
        ),
        "a text has no label that counts": not bool(counts.any(-1).all()),
        "one text of several has no label that counts": bool(counts.any())
        and not bool(counts.any(-1).all()),
        "the first text has no label that counts, and others have": bool(
            counts.any() and not counts[0].any()
        ),
        "the last text has no label that counts, and others have": bool(
            counts.any() and not counts[-1].any()
        ),
        "at the positions whose label is -100": (~counts).tolist(),
        "at the label of each position": F.one_hot(labels.clamp_min(0), vocabulary).tolist(),
    }
    losses = label_losses(student, labels)
    if teachers and not knob:
        losses = teacher_losses(student, *teachers, *numbers or (1.0,))
    if not knob:
        large = bool((losses[counts] > 15).any())
        found["at a position that counts the loss is above 15 nats"] = large
    if not teachers:
        return found
    if knob:
        lam, *numbers = numbers
        found |= {knob: lam, f"{knob} is 0": lam == 0, f"{knob} is above 1": lam > 1}
        if knob == "α":
            found |= {"α is 1": lam == 1, "α is 0 or 1": lam in (0, 1)}
        found |= {f"1 + {knob}": 1 + lam, f"1 - {knob}": 1 - lam}
    temperature = numbers[0] if numbers else 1.0
    return found | {
        "no T is given": not numbers,
        "T": temperature,
        "T is not 1": temperature != 1,
        "T is above 1": temperature > 1,
        "T is above 3": temperature > 3,
        "T is below 1": temperature < 1,
        "T is not a whole number": temperature % 1 != 0,
    }


def nothing_counts(vocabulary: int) -> tuple[Tensor, Tensor, Tensor]:
    """A batch in which all labels are ignored."""
    return batch(np.random.default_rng(3), 2, 3, vocabulary, (3, 3))


def random_batch(rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """A batch of a submission's own."""
    texts, length = int(rng.integers(2, 5)), int(rng.integers(4, 7))
    ignored = (2, 0, *map(int, rng.integers(0, 3, size=texts - 2)))
    return batch(rng, texts, length, int(rng.integers(3, 8)), ignored)


def sure_of_another(student: Tensor, labels: Tensor) -> Tensor:
    """Logits of a student that at the first position is sure of another token than the label."""
    sure = student.clone()
    sure[0, 0] = 40.0 * F.one_hot((labels[0, 0] + 1) % 4, 4) - 5.0
    return sure


def lm_cases() -> tuple[Case, ...]:
    """As (student_logits, labels)."""
    first, *others = (Case(name, (x[0], x[2]), public=public) for name, public, x in batches())
    student, labels = first.args
    sure = sure_of_another(student, labels)
    return (
        first,
        Case(
            OTHER_LOGITS, (elsewhere(student, labels), labels), public=True, only=LOGITS_ELSEWHERE
        ),
        Case("a student that is sure of a wrong token", (sure, labels), public=True),
        *others,
        Case("nothing counts", (nothing_counts(4)[0], nothing_counts(4)[2]), {}, NOTHING, True),
        Case("nothing counts, again", (nothing_counts(6)[0], nothing_counts(6)[2]), {}, NOTHING),
    )


def random_lm_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Cases of a submission's own."""
    for _ in range(3):
        student, _, labels = random_batch(rng)
        yield Case("random", (student, labels))


KNOBS = (
    (0.5, 2.0),
    (0.8, 4.0),
    (0.25, 0.75),
    (3.0, 1.0),
    (0.0, 2.0),
    (0.3, 0.5),
    (0.4, 1.5),
    (0.5, 1.5),
    (20.0, 4.0),
    (0.95, 1.5),
    (0.6, 1.25),
)


def cases(*, knob: bool) -> tuple[Case, ...]:
    """As (student_logits, teacher_logits, labels, λ or α, temperature); λ only for two losses."""
    found = [
        Case(
            name,
            (*tensors, lam, temperature) if knob else (*tensors, temperature),
            {},
            None,
            public,
        )
        for (name, public, tensors), (lam, temperature) in zip(batches(), KNOBS, strict=True)
    ]
    student, teacher, labels, *numbers = found[0].args
    # For those who keep what belongs to a shape.
    others = batch(np.random.default_rng(5), 2, 3, 4, (1, 0))
    other = (elsewhere(others[0], others[2]), *others[1:], *numbers)
    found[1:1] = [
        Case(OTHER_TEXTS, (*others, *numbers), public=True, only="the content of the tensors"),
        Case(OTHER_LOGITS, other, public=True, only=LOGITS_ELSEWHERE),
    ]
    found.append(Case("T = 1 when no temperature is given", found[0].args[:-1], public=True))
    if knob:
        found += [
            Case("the first batch, a larger λ", (student, teacher, labels, 2.0, 2.0), public=True),
            Case("the first batch, λ = 0", (student, teacher, labels, 0.0, 2.0), public=True),
        ]
    else:
        sure = (sure_of_another(student, labels), teacher, labels, 0.5)
        found += [
            Case("a student that is sure of a wrong token", sure, public=True),
            Case("nothing counts", (*nothing_counts(4), 2.0), {}, NOTHING, True),
            Case("nothing counts, again", (*nothing_counts(6), 0.5), {}, NOTHING),
        ]
    return tuple(found)


def convex_cases() -> tuple[Case, ...]:
    """The same with α in the place of λ, and both its ends."""
    of_name = {name: tensors for name, _, tensors in batches()}
    tensors, single = of_name["two texts, one padded"], of_name["texts of one position"]
    return (
        *(case for case in cases(knob=True) if case.args[3] <= 1.0 and "λ" not in case.name),
        Case("α = 1", (*tensors, 1.0, 2.0), public=True),
        Case("α = 0", (*tensors, 0.0, 2.0), public=True),
        Case("texts of one position", (*single, 0.92, 4.0)),
    )


def random_cases(rng: np.random.Generator, *, knob: bool) -> Iterator[Case]:
    """Cases of a submission's own."""
    for _ in range(3):
        lam, temperature = float(rng.uniform(0.2, 0.9)), float(rng.uniform(1.5, 4.0))
        tensors = random_batch(rng)
        yield Case("random", (*tensors, lam, temperature) if knob else (*tensors, temperature))


def tolerance(case: Case) -> float:
    """What float32 explains of a loss, times T² and 1 + λ, by which it is multiplied."""
    factor = 1.0
    for number in case.args:
        if isinstance(number, float):
            factor *= 1.0 + number**2
    return factor * spec.tolerance(case)


# --- Misconceptions -----------------------------------------------------------------------------

NAN = (
    "nan_when_nothing_counts",
    "A batch in which no label counts gives NaN, as 0/0 does. One NaN in the loss is enough to"
    " make every weight of the student NaN. Such a batch should cost 0.",
    "2.2",
)
MEANS = (
    (
        "masked_positions_counted",
        "Positions whose label is -100 are part of your mean, so padding changes the loss. Select"
        " the positions that count before you take the mean.",
        "2.2",
        unmasked_mean,
    ),
    (
        "divided_by_all_positions",
        "Positions whose label is -100 are not in your sum, but your divisor still counts them, so"
        " padding makes the loss smaller. How many terms does your sum have?",
        "2.2",
        diluted_mean,
    ),
    (
        "batch_mean",
        "Your mean is the sum over the positions that count, divided by the number of texts. So"
        " longer texts make the loss and its gradients larger. What should the sum be divided by?",
        "2.2",
        batch_mean,
    ),
    (
        "mean_of_means",
        "You take the mean of each text first, and then the mean over the texts, so a token of a"
        " short text weighs more than a token of a long one. All tokens that count should weigh"
        " the same.",
        "2.2",
        mean_of_means,
    ),
    (
        "mean_of_means",
        "You take the mean of each text first, and then the mean over the texts, so a token of a"
        " short text weighs more than a token of a long one. All tokens that count should weigh"
        " the same.",
        "2.2",
        mean_of_means_of_some,
    ),
    (
        "padding_in_the_sum",
        "The divisor is right, and the sum is not: positions whose label is -100 are still in it."
        " Select those that count, or multiply by a mask, before you add up.",
        "2.2",
        padded_sum,
    ),
    (
        "batch_mean_unmasked",
        "Your mean is the sum over all positions, including padding, divided by the number of"
        " texts. reduction='batchmean' gives this for logits of three axes. Keep only the"
        " positions that count, and divide by their number.",
        "2.2",
        unmasked_batch_mean,
    ),
    (
        "summed_unmasked",
        "You have a sum over all positions, including padding. The task asks for the mean over the"
        " positions that count.",
        "2.2",
        unmasked_sum,
    ),
    (
        "label_zero_ignored",
        "Positions whose label is 0 are missing from your mean. Token 0 is a token like any other;"
        " only -100 marks a position that does not count.",
        "2.2",
        positive_labels,
    ),
    (
        "label_zero_ignored",
        "Positions whose label is 0 are missing from your mean. Token 0 is a token like any other;"
        " only -100 marks a position that does not count.",
        "2.2",
        positive_labels_of_all,
    ),
    (
        "losses_counted_by_their_size",
        "Your result is as if the positions whose loss is 0 did not count. But the loss can be 0"
        " at a position that counts. Only the labels say which positions count.",
        "2.2",
        losses_above_zero,
    ),
    (
        "divided_by_the_length",
        "Your mean is the sum over the positions that count, divided by the number of positions in"
        " a text. What should the sum be divided by?",
        "2.2",
        over_the_length,
    ),
    (
        "one_too_few",
        "Your divisor is too small by 1. The sum has one term for each label that counts: no term"
        " is lost to a shift here, and no variance is estimated.",
        "2.2",
        one_too_few,
    ),
    *(
        (
            "positions_dropped",
            "Your mean leaves out the first or the last position of each text, even where its"
            " label counts. Only the labels say which positions count.",
            "2.2",
            partial(cut_mean, place),
        )
        for place in (0, -1)
    ),
    (
        "mask_turned_round",
        "A mean of yours uses the positions whose label is -100 and leaves out the positions that"
        " count. What does your mask keep?",
        "2.2",
        turned_mean,
    ),
    (
        "summed",
        "A sum stands where the mean belongs. It grows with the batch; the task asks for the mean"
        " over the positions that count.",
        "2.2",
        total,
    ),
)
MORE_MEANS = (  # in one loss alone
    (
        "any_for_all",
        "Your loss is 0 for every batch in which some label is -100, as if you tested whether any"
        " label is -100 and not whether all are. Most batches have padding somewhere.",
        "2.2",
        nothing_if_any,
    ),
    *(
        (
            "padding_only_at_the_end",
            "Your result is wrong where a -100 stands before a label that counts. It is as if each"
            " text ended at its first -100, or as if the positions that count were the first ones"
            " of their text. A -100 may stand anywhere: look at each position's own label.",
            "2.2",
            mean,
        )
        for mean in (
            mean_up_to_the_mark,
            partial(mean_from_the_beginning, False),
            partial(mean_from_the_beginning, True),
        )
    ),
    (
        "zero_for_the_mark",
        "Your mean is over all positions whose label is not 0: it includes those whose label is"
        " -100 and leaves out those whose label is 0. In Python -100 is true, and 0 is false.",
        "2.2",
        labels_other_than_zero,
    ),
    (
        "mask_with_an_axis_too_many",
        "Your result is that of losses of shape [B, L] times a mask of shape [B, L, 1]. PyTorch"
        " takes the losses for [1, B, L]: it pairs each position with the mask of others, or"
        " raises an exception. What shape should both have?",
        "2.2",
        mask_of_another_axis,
    ),
    (
        "summed_over_texts",
        "This is the sum over texts of each text's own mean. It grows with the number of texts; the"
        " task asks for one mean over all positions that count.",
        "2.2",
        sum_of_means,
    ),
    *(
        (
            "one_text_alone",
            "Your result is that of one text of the batch, the first or the last. The mean is over"
            " the positions that count in all texts.",
            "2.2",
            partial(text_mean, place, mean),
        )
        for place in (0, -1)
        for mean in (token_mean, diluted_mean)
    ),
    (
        "one_position_alone",
        "Your result is the loss of one position that counts, the first or the last, and not the"
        " mean over all of them. Does your loop return too early, or overwrite a sum instead of"
        " adding to it?",
        "2.2",
        partial(position_alone, 0),
    ),
    (
        "one_position_alone",
        "Your result is the loss of one position that counts, the first or the last, and not the"
        " mean over all of them. Does your loop return too early, or overwrite a sum instead of"
        " adding to it?",
        "2.2",
        partial(position_alone, -1),
    ),
    *(
        (
            "another_middle",
            "Your result is a median, a maximum or a minimum of the positions' losses. The task"
            " asks for their mean.",
            "2.2",
            partial(middle, of),
        )
        for of in (torch.median, torch.max, torch.min)
    ),
    (*next(each[:3] for each in MEANS if each[0] == "mean_of_means"), mean_of_means_or_nan),
    *(
        (*next(each[:3] for each in MEANS if each[0] == "mask_turned_round"), mean)
        for mean in (turned_mean_or_nan, turned_sum)
    ),
    *(
        (
            "replaced_in_the_loop",
            "Your result is as if a loop over the texts overwrote its sum, or its count, instead"
            " of adding to it: one of the two holds the last text alone.",
            "2.2",
            mean,
        )
        for mean in (last_text_in_the_sum, last_text_in_the_count)
    ),
    (
        "counted_in_the_first_text",
        "Your sum is divided as if every text of the batch had as many labels that count as the"
        " first one. Texts differ in length; count in all of them.",
        "2.2",
        share_of_the_first,
    ),
    *(
        (
            "number_added_to_the_count",
            "Every loss is too small, as if a number were added to the divisor. That avoids 0/0 in"
            " a batch in which nothing counts, but it changes the loss of every other batch.",
            "2.2",
            partial(added_to_the_count, size),
        )
        for size in (1.0, 0.1, 0.01, 0.001)
    ),
)
SHIFTED = (
    "labels_shifted",
    "Your result is that of logits compared with the label of the next position. Here labels[i] is"
    " already the token that logits[i] predicts, so nothing is left to shift.",
    "2.2",
)
SCALES = (
    (
        "t_squared_missing",
        "Your KD is as if no power of T stood in front of it. Dividing logits by T brings a factor"
        " 1/T into the gradient twice: once by the chain rule, and once because flatter"
        " distributions differ less. Which factor makes up for that?",
        "2.2",
        unscaled,
    ),
    (
        "t_for_t_squared",
        "Your KD is as if it were multiplied by T alone. The chain rule gives the gradient one"
        " factor 1/T; where does a second one come from?",
        "2.2",
        scaled_once,
    ),
)
MORE_SCALES = (
    (
        "t_squared_twice",
        "KD is off by a factor of T², as if T² were there twice. If your kd_loss has T² already,"
        " it is not needed once more.",
        "2.2",
        scaled_twice,
    ),
    *(
        (
            "another_scale",
            "KD is right except for the factor in front of it, which depends on T. The formula has"
            " T² there; what do you have?",
            "2.2",
            scale,
        )
        for scale in (
            lambda t: t**3,
            lambda t: 2 * t,
            lambda t: t**0.5,
            lambda t: 1 / t,
            lambda t: 2.0**t,
        )
    ),
    (
        "divided_by_t_squared",
        "Your KD is as if it were divided by T². Dividing logits by T makes gradients smaller;"
        " does your factor make up for that?",
        "2.2",
        divided_by_scale,
    ),
)
DEFAULT = (
    "another_default",
    "When no temperature is given, your result is that of a temperature other than 1. What is your"
    " default?",
    "1.1",
)


def by_default(loss: Callable, heat: float, *given: Any) -> Tensor:
    """Another T than 1 where none is given, which is so when no number comes last."""
    tensors = [each for each in given if isinstance(each, Tensor)]
    numbers = [each for each in given if not isinstance(each, Tensor)]
    wanted = 1 if loss is kd_loss else 2
    return loss(*tensors, *numbers, *([heat] if len(numbers) < wanted else []))


NOT_PASSED_ON = (
    "temperature_not_passed_on",
    "The temperature has no effect on your result: KD is at T = 1, whatever T is given. Which line"
    " or call of yours should use T?",
    "1.1",
)
KD_LOSSES = (
    (
        "direction_swapped",
        "Your KD is the divergence the other way round: the student's probabilities are its"
        " weights. Which of the two distributions is given, and which one is learning to cover it?",
        "1.3",
        swapped_losses,
    ),
    (
        "cross_entropy",
        "Your KD is not 0 when student and teacher agree: the teacher's entropy is still in it.",
        "1.2",
        soft_cross_entropy,
    ),
    (
        "vocabulary_mean",
        "Your KD is too small by a factor, the size of the vocabulary, as if you took a mean over"
        " the vocabulary too. A divergence is a sum over it.",
        "1.2",
        class_mean_losses,
    ),
    (
        "temperature_on_the_teacher_alone",
        "Your teacher is at temperature T and your student at T = 1, so even a student that equals"
        " its teacher has a loss. Both belong at T.",
        "1.1",
        cold_losses,
    ),
    (
        "temperature_on_the_student_alone",
        "Your student is at temperature T and your teacher at T = 1. Both distributions belong at"
        " T.",
        "1.1",
        hot_losses,
    ),
    (
        "temperature_on_neither",
        "KD is multiplied by T², but both distributions are at T = 1. They belong at temperature"
        " T.",
        "1.1",
        cool_losses,
    ),
    (
        "softmax_twice",
        "Your results are those of a softmax that was applied to probabilities. log_softmax takes"
        " logits; what does yours get?",
        "1.1",
        twice_softmaxed,
    ),
    (
        "probabilities_as_input",
        "Your results are those of a kl_div that gets probabilities as its input, where it expects"
        " log-probabilities. Look up what it expects as its input, and what it expects as its"
        " target.",
        "2.2",
        probabilities_as_input,
    ),
    *(
        (
            "temperature_on_some",
            "KL is made of the teacher's probabilities, their logarithms and the logarithms of the"
            " student's probabilities. Your results are as if not all three were at temperature T,"
            " where they belong.",
            "1.1",
            partial(heated_in_part, *heats),
        )
        for heats in ((0, 1, 1), (1, 0, 1), (0, 1, 0), (1, 0, 0), (2, 2, 1), (1, 1, 2))
    ),
    *(
        (
            "temperature_fixed",
            "Your distributions are at one fixed temperature, whatever T is given.",
            "1.1",
            partial(heated_always, fixed),
        )
        for fixed in (0.5, 1.5, 2.0, 3.0, 4.0, 5.0, 10.0)
    ),
    *(
        (
            "softmax_on_another_axis",
            "Your results are those of a softmax over an axis other than the vocabulary, or over"
            " several positions together. Along which axis should probabilities add up to 1?",
            "1.1",
            partial(along, *axes),
        )
        for axes in product((0, 1, -1), repeat=2)
        if axes != (-1, -1)
    ),
    *(
        (
            "another_measure",
            "This measures something other than KL(p‖q): for example a distance between"
            " probabilities or logits, an entropy, a divergence in both directions or from a"
            " mixture, a root or a square, or the teacher's likeliest token alone. Write the"
            " formula down, term by term.",
            "1.2",
            measure,
        )
        for measure in MEASURES
    ),
    *(
        (
            "shares_forced_positive",
            "Your results are as if no token's term in the sum could be negative. But it is"
            " negative where the student gives the token more probability than the teacher does."
            " Only the sum over the vocabulary is never below 0.",
            "1.2",
            partial(clamped_shares, force),
        )
        for force in (torch.relu, torch.abs)
    ),
    *(
        (
            "temperature_after_softmax",
            "Your results are as if the temperature came too late and divided the result of a"
            " softmax, or its logarithm. Such probabilities no longer add up to 1. The temperature"
            " belongs before the softmax.",
            "1.1",
            losses,
        )
        for losses in (
            late_temperature,
            late_temperature_of_probabilities,
            student_late,
            partial(late_in_part, (False, True)),
        )
    ),
    (
        "softmax_twice",
        "Your results are those of a softmax that was applied to probabilities. log_softmax takes"
        " logits; what does yours get?",
        "1.1",
        lambda student, teacher, t: teacher_losses(
            student.double().softmax(-1), teacher.double().softmax(-1), t
        ),
    ),
    (
        "sign_flipped",
        "The size of your loss is right and its sign is not: a divergence is never negative.",
        "1.2",
        negative_losses,
    ),
    (
        "log_target_with_probabilities",
        "Your results are those of a kl_div that is told to expect log-probabilities as its"
        " target, but gets probabilities. Look up what it expects as its input, and what it"
        " expects as its target.",
        "2.2",
        probabilities_as_logarithms,
    ),
    (
        "log_target_missing",
        "The result is NaN. kl_div gives NaN when it gets log-probabilities as its target and is"
        " not told so. A mean over nothing gives NaN too, for example with a mask that keeps only"
        " what does not count. Is your mistake one of these?",
        "2.2",
        logarithms_as_probabilities,
    ),
)


def named(name: str, hint: str, number: str, wrong: Callable) -> Misconception:
    """A misconception with its section."""
    return Misconception(name, hint, SECTIONS[number], wrong)


def lm_of_softmax(student_logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of probabilities, which it takes for logits."""
    return lm_loss(student_logits.double().softmax(-1), labels)


def gathered(index: str, student_logits: Tensor, labels: Tensor) -> Tensor:
    """-100 used as an index, which there is not; where nothing is ignored, the mean."""
    log_q = student_logits.double().log_softmax(-1)
    if index == "gather":
        return -log_q.gather(-1, labels[..., None]).mean()
    if index.startswith("ignore"):
        flat = student_logits.flatten(0, 1), labels.flatten()
        return F.cross_entropy(*flat, ignore_index=int(index.removeprefix("ignore")))
    if index == "flat":
        flat = log_q.flatten(0, 1)
        return -flat[torch.arange(len(flat)), labels.flatten()].mean()
    texts, positions = torch.meshgrid(*map(torch.arange, labels.shape), indexing="ij")
    return -log_q[texts, positions, labels].mean()


def classes_in_the_middle(student_logits: Tensor, labels: Tensor) -> Tensor:
    """cross_entropy takes axis 1 for the classes."""
    return F.cross_entropy(student_logits, labels)


def axes_reshaped(mean: Mean, student_logits: Tensor, labels: Tensor) -> Tensor:
    """The numbers of a text are cut into V rows of L, and the columns are taken for positions."""
    texts, length, vocabulary = student_logits.shape
    mixed = student_logits.reshape(texts, vocabulary, length).transpose(1, 2)
    return lm_loss(mixed, labels, mean=mean)


def classes_in_the_middle_or_zero(student_logits: Tensor, labels: Tensor) -> Tensor:
    """The same, and 0 where nothing counts."""
    if (labels == IGNORED).all():
        return torch.zeros(())
    return classes_in_the_middle(student_logits, labels)


def masked_logits(divided_by_all: bool, student_logits: Tensor, labels: Tensor) -> Tensor:
    """Logits are 0 where nothing counts, and their loss of log V is counted."""
    counts = labels != IGNORED
    if not counts.any():
        return torch.zeros(())
    losses = label_losses(student_logits * counts[..., None], labels)
    return losses.sum() / (counts.numel() if divided_by_all else counts.sum())


def emptied(loss: Callable, *given: Any) -> Tensor:
    """0 for the whole batch where one text has nothing that counts."""
    *_, labels = (each for each in given if isinstance(each, Tensor))
    empty = not bool((labels != IGNORED).any(-1).all())
    return torch.zeros(()) if empty else loss(*given)


EMPTIED = (
    "one_text_empties_the_batch",
    "One text without a label that counts makes the loss of the whole batch 0. The other texts"
    " still have labels to learn from.",
    "2.2",
)
EPSILONS = (0.05, 0.01, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-15, 1e-16, 1e-20)


def guarded_logarithm(epsilon: float, above: bool, mean: Mean, *given: Tensor) -> Tensor:
    """A small number in the logarithm."""
    student, labels = given
    q = student.double().softmax(-1).gather(-1, labels.clamp_min(0)[..., None])[..., 0]
    return mean(-(q.clamp_min(epsilon) if above else q + epsilon).log(), labels)


def smoothed(share: float, student_logits: Tensor, labels: Tensor) -> Tensor:
    """−log q(y), and a share of the mean of −log q of all tokens."""
    others = -student_logits.double().log_softmax(-1).mean(-1)
    return token_mean((1 - share) * label_losses(student_logits, labels) + share * others, labels)


def lm_along(axis: int, student_logits: Tensor, labels: Tensor) -> Tensor:
    """A softmax over another axis."""
    log_q = student_logits.double().log_softmax(axis)
    return token_mean(-log_q.gather(-1, labels.clamp_min(0)[..., None])[..., 0], labels)


def logarithm_missing(student_logits: Tensor, labels: Tensor) -> Tensor:
    """nll_loss, given probabilities."""
    q = student_logits.double().softmax(-1).gather(-1, labels.clamp_min(0)[..., None])[..., 0]
    return token_mean(-q, labels)


NARROW = (
    "one_hot_too_narrow",
    "Your function raises an exception, as happens when one-hot rows are only as long as the"
    " largest label needs. If the last token of the vocabulary is not among the labels, such rows"
    " are shorter than the logits.",
    "2.2",
)


def narrow_rows(mean: Mean, student_logits: Tensor, labels: Tensor) -> Tensor:
    """A row of 0 and 1 for each label, as wide as the largest label needs."""
    rows = F.one_hot(labels.clamp_min(0))
    return mean(-(student_logits.double().log_softmax(-1) * rows).sum(-1), labels)


def lm_measured(of: Callable[[Tensor, Tensor], Tensor], *given: Tensor) -> Tensor:
    """Something of the logits where a label counts, and of these labels as rows; 0 of nothing."""
    student, labels = given
    counts = labels != IGNORED
    if not counts.any():
        return torch.zeros(())
    return of(student.double()[counts], F.one_hot(labels[counts], student.shape[-1]).double())


LM_MEASURES = (
    lambda z, y: (1 - (z.softmax(-1) * y).sum(-1)).mean(),
    lambda z, y: ((z.softmax(-1) - y) ** 2).mean(),
    lambda z, y: ((z.softmax(-1) - y) ** 2).sum(-1).mean(),
    lambda z, y: ((z - y) ** 2).mean(),
    F.binary_cross_entropy_with_logits,
    lambda z, y: F.binary_cross_entropy(z.softmax(-1), y),
    lambda z, y: (z.argmax(-1) != y.argmax(-1)).double().mean(),
    lambda z, y: (z.argmax(-1) == y.argmax(-1)).double().mean(),
    lambda z, y: -(z.softmax(-1) * z.log_softmax(-1)).sum(-1).mean(),
    lambda z, y: -((1 - (z.softmax(-1) * y).sum(-1)) ** 2 * (z.log_softmax(-1) * y).sum(-1)).mean(),
)


def logarithm_of_the_mean(student_logits: Tensor, labels: Tensor, *, checked: bool) -> Tensor:
    """−log of the mean probability of the labels."""
    counts = labels != IGNORED
    if checked and not counts.any():
        return torch.zeros(())
    q = student_logits.double().softmax(-1)[counts].gather(-1, labels[counts][:, None])
    return -q.mean().log()


FEW_MEANS = tuple(
    each
    for each in MEANS
    if each[0]
    in (
        "masked_positions_counted",
        "divided_by_all_positions",
        "batch_mean",
        "batch_mean_unmasked",
        "mean_of_means",
        "label_zero_ignored",
        "summed",
    )
)


# NaN hides every other mistake, and a temperature that is nowhere has no T² to forget. Of other
# measures only the squares of logits come with another mistake: that is how these are written.
FINITE_LOSSES = tuple(
    each
    for each in KD_LOSSES
    if each[0] not in ("log_target_missing", "temperature_on_neither", "temperature_after_softmax")
    and each[3] not in MEASURES[:-2]
)


def both_of(
    of: Callable, first: str, ones: tuple, second: str, others: tuple
) -> tuple[Misconception, ...]:
    """Two mistakes at once: an option of one kind, and one of another."""
    return tuple(
        named(
            f"{one[0]}+{other[0]}",
            f"At least two things are off. {one[1]} {other[1]}",
            one[2],
            partial(of, **{first: one[3], second: other[3]}),
        )
        for one in ones
        for other in others
    )


def crosswise(student: Tensor, labels: Tensor) -> Tensor:
    """Logits in a row text by text, and labels position by position."""
    rows = student.flatten(0, 1)[None], labels.T.flatten()[None]
    return lm_loss(*rows)


LM_MISCONCEPTIONS = (
    named(*NAN, partial(lm_loss, mean=empty_mean)),
    *(
        named(
            "rows_in_two_orders",
            "Your labels are compared with the logits of other positions, as if one of the two"
            " were flattened text by text and the other position by position. A tensor that is"
            " transposed and then flattened has its positions in another order.",
            "2.2",
            wrong,
        )
        for wrong in (crosswise, lambda s, y: crosswise(s.transpose(0, 1), y.T))
    ),
    *(
        named(name, hint, number, partial(lm_loss, mean=mean))
        for name, hint, number, mean in (*MEANS, *MORE_MEANS)
    ),
    *(
        named(
            "nan_always",
            "The result is NaN even where labels count. A mean over nothing is NaN, for example"
            " with a mask that keeps only what does not count. The logarithm of a negative number"
            " is NaN too, and a logit or a log-probability may be negative.",
            "2.2",
            partial(lm_loss, mean=mean),
        )
        for mean in (
            lambda losses, labels: losses.sum() * np.nan,
            lambda losses, labels: losses.sum() * (np.nan if (labels != IGNORED).any() else 0.0),
        )
    ),
    named(*SHIFTED, partial(shifted, lm_loss)),
    named(*SHIFTED, partial(shifted, lm_loss, mean=empty_mean)),
    named(
        "softmax_twice",
        "Your results are those of a softmax that was applied to probabilities. cross_entropy and"
        " log_softmax take logits. Probabilities lie between 0 and 1, so after a second softmax no"
        " token is more than 2.72 times as likely as another.",
        "1.1",
        lm_of_softmax,
    ),
    *(
        named(
            "ignored_label_as_an_index",
            "A label of -100 was used as the number of a token, and there is no such token. Select"
            " the positions that count before you look anything up.",
            "2.2",
            partial(gathered, index),
        )
        for index in ("gather", "flat", "grid", "ignore0", "ignore-1")
    ),
    *(
        named(
            "classes_on_another_axis",
            "cross_entropy expects the classes, here the vocabulary, on axis 1, and yours are on"
            " the last axis. Flatten texts and positions into one axis, or transpose the logits.",
            "2.2",
            wrong,
        )
        for wrong in (classes_in_the_middle, classes_in_the_middle_or_zero)
    ),
    *(
        named(
            "axes_reshaped",
            "Your results are as if you brought the vocabulary to axis 1 with `reshape` or `view`."
            " These cut the same row of numbers into other pieces, which mixes logits of different"
            " tokens and positions. To swap two axes you need a transposition.",
            "2.2",
            partial(axes_reshaped, mean),
        )
        for mean in (token_mean, empty_mean)
    ),
    named(
        "sign_flipped",
        "Your loss is negative: it is the mean log-likelihood, which training should make large."
        " But an optimiser makes a loss small.",
        "2.2",
        lambda student_logits, labels: -lm_loss(student_logits, labels),
    ),
    named(
        "perplexity_returned",
        "This is exp of the loss, the perplexity. The task asks for the loss itself.",
        "1.1",
        lambda student_logits, labels: (
            lm_loss(student_logits, labels).exp() * bool((labels != IGNORED).any())
        ),
    ),
    named(
        "softmax_left_out",
        "Your loss is minus the mean of the labels' logits. A logit says nothing by itself: how"
        " likely a token is depends on all logits at its position.",
        "1.1",
        lambda student_logits, labels: token_mean(
            -student_logits.double().gather(-1, labels.clamp_min(0)[..., None])[..., 0], labels
        ),
    ),
    named(
        "label_not_looked_up",
        "Your loss is that of the student's likeliest token, whatever the label is. You use the"
        " labels only to decide which positions count. Whose probability is q(y)?",
        "1.1",
        lambda student_logits, labels: token_mean(
            -student_logits.double().log_softmax(-1).amax(-1), labels
        ),
    ),
    *(
        named(
            "labels_smoothed",
            "This is the loss with label smoothing: a part of each label goes to all other tokens."
            " The task asks for the plain −log q(y).",
            "1.1",
            partial(smoothed, share),
        )
        for share in (0.01, 0.05, 0.1, 0.2)
    ),
    *(
        named(
            "softmax_on_another_axis",
            "Your results are those of a softmax over an axis other than the vocabulary, or over"
            " several positions together. Along which axis should probabilities add up to 1?",
            "1.1",
            partial(lm_along, axis),
        )
        for axis in (0, 1)
    ),
    *(
        named(
            "masked_logits_counted",
            "Your sum contains log V for each position whose label is -100, as if its logits were"
            " set to 0 and its loss still counted. Such a position belongs neither in the sum nor"
            " in the divisor.",
            "2.2",
            partial(masked_logits, divided_by_all),
        )
        for divided_by_all in (True, False)
    ),
    *(
        named(
            "another_measure",
            "This measures something other than the mean of −log q(y): for example an accuracy or"
            " error rate, a squared error, a binary cross-entropy, an entropy, or a loss in which"
            " the hard tokens weigh more. Write down what a single position should cost.",
            "1.1",
            partial(lm_measured, of),
        )
        for of in LM_MEASURES
    ),
    named(
        "vocabulary_mean",
        "Your loss is too small by a factor, the size of the vocabulary, as if you took a mean"
        " over the vocabulary too. A position has one term, that of its label.",
        "2.2",
        lambda student_logits, labels: lm_loss(student_logits, labels) / student_logits.shape[-1],
    ),
    named(*EMPTIED, partial(emptied, lm_loss)),
    *(named(*NARROW, partial(narrow_rows, of)) for of in (token_mean, empty_mean)),
    named(
        "logarithm_missing",
        "Your loss is minus the mean of the labels' probabilities: the logarithm is missing."
        " nll_loss expects logarithms of probabilities.",
        "1.1",
        logarithm_missing,
    ),
    *(
        named(
            "logarithm_of_the_mean",
            "Your loss is minus the logarithm of a mean of probabilities. The task asks for a mean"
            " of logarithms, in which a label with a tiny probability costs much.",
            "1.1",
            partial(logarithm_of_the_mean, checked=checked),
        )
        for checked in (True, False)
    ),
    *(
        named(
            "epsilon_in_the_logarithm",
            "Your loss is as if a small number stood in the logarithm, added to the probability or"
            " as its lower limit. This changes the loss, most where the student finds the label"
            " very unlikely. One function computes softmax and logarithm together and needs no"
            " such number.",
            "1.2",
            partial(guarded_logarithm, epsilon, above, mean),
        )
        for epsilon in EPSILONS
        for above in (False, True)
        if epsilon > 1e-18 or not above  # no probability is below
        for mean in (token_mean, empty_mean)
    ),
    named(
        "base_two",
        "Every value is 1.44 times too large, which is 1/ln 2: these are bits. The task asks for"
        " nats.",
        "1.2",
        lambda student_logits, labels: lm_loss(student_logits, labels) / np.log(2),
    ),
)
KD_MISCONCEPTIONS = (
    named(*NAN, partial(kd_loss, mean=empty_mean)),
    *(
        named(name, hint, number, partial(kd_loss, mean=mean))
        for name, hint, number, mean in (*MEANS, *MORE_MEANS)
    ),
    *(
        named(name, hint, number, partial(kd_loss, scale=scale))
        for name, hint, number, scale in (*SCALES, *MORE_SCALES)
    ),
    *(
        named(*NOT_PASSED_ON, partial(kd_loss, losses=cool_losses, scale=unscaled, mean=mean))
        for mean in (token_mean, empty_mean)
    ),
    *both_of(kd_loss, "mean", FEW_MEANS, "scale", SCALES),
    *both_of(kd_loss, "mean", FEW_MEANS, "losses", FINITE_LOSSES),
    *both_of(kd_loss, "losses", FINITE_LOSSES, "scale", SCALES),
    *(
        named(name, hint, number, partial(kd_loss, losses=losses))
        for name, hint, number, losses in KD_LOSSES
    ),
    named(
        "softmax_twice",
        next(each[1] for each in KD_LOSSES if each[0] == "softmax_twice"),
        "1.1",
        partial(kd_loss, losses=student_softmaxed_twice),
    ),
    *(
        named(
            "one_token_alone",
            "Your KD is the share of one token, the first or the last, and not the sum over the"
            " vocabulary. Does your loop return too early, or replace where it should add up?",
            "1.2",
            partial(kd_loss, losses=partial(one_token, place)),
        )
        for place in (0, -1)
    ),
    *(
        named(
            "one_token_left_out",
            "Your KD lacks the share of one token, the first or the last. From which token to which"
            " does your sum go?",
            "1.2",
            partial(kd_loss, losses=partial(one_token_left_out, place)),
        )
        for place in (0, -1)
    ),
    *(
        named(
            "labels_shifted",
            "Your KD leaves out the last position of each text, and counts every other position if"
            " the label after it counts. Here labels[i] belongs to logits[i], so nothing is left"
            " to shift.",
            "2.2",
            partial(shifted, kd_loss, mean=mean),
        )
        for mean in (token_mean, empty_mean)
    ),
    named(
        "label_left_out",
        "Your KD is as if the label's own token were missing from the sum over the vocabulary."
        " This token is a part of KD like every other, although LM looks at it too.",
        "2.2",
        partial(label_of_the_sum, False),
    ),
    *(
        named(
            "label_alone",
            "Your KD looks at the label's own token alone. The divergence is a sum over the whole"
            " vocabulary, in which the label's token is one of many.",
            "1.2",
            wrong,
        )
        for wrong in (partial(label_of_the_sum, True), label_ratio)
    ),
    named(*EMPTIED, partial(emptied, kd_loss)),
    *(
        named(
            "logits_rescaled",
            "Your results are as if the logits were brought to another scale before the softmax."
            " Subtracting the same number from all logits of a position does not change their"
            " softmax, but dividing them by a number does.",
            "1.1",
            partial(kd_loss, losses=partial(rescaled, how)),
        )
        for how in (
            lambda z: z / z.std(-1, keepdim=True),
            lambda z: z / z.std(-1, keepdim=True, unbiased=False),
            lambda z: z / z.norm(dim=-1, keepdim=True),
            lambda z: z / z.abs().amax(-1, keepdim=True),
            lambda z: z / z.amax(-1, keepdim=True),
        )
    ),
    *(
        named(
            "epsilon_in_the_logarithm",
            "Your KD is as if a small number stood in a logarithm, added to a probability or as"
            " its lower limit. This changes the loss, most where the student finds a token very"
            " unlikely. One function computes softmax and logarithm together and needs no such"
            " number.",
            "1.2",
            partial(kd_loss, losses=partial(guarded_losses, epsilon, form)),
        )
        for epsilon in EPSILONS
        for form in GUARDS
    ),
    *(
        named(
            "temperature_squared",
            "Your distributions are at temperature T², as if logits were divided by T twice. The"
            " square belongs in front of the divergence.",
            "1.1",
            partial(
                kd_loss,
                losses=lambda student, teacher, t: teacher_losses(student, teacher, t**2),
                scale=scale,
            ),
        )
        for scale in (lambda t: t**2, unscaled, lambda t: t**4)
    ),
    *(named(*DEFAULT, partial(by_default, kd_loss, heat)) for heat in (2.0, 3.0, 4.0)),
    *(
        named(
            "softmax_on_another_axis",
            next(each[1] for each in KD_LOSSES if each[0] == "softmax_on_another_axis"),
            "1.1",
            partial(softmax_over_all, masked),
        )
        for masked in (True, False)
    ),
    *(
        named(
            "likeliest_tokens_alone",
            "Your KD is that of the teacher's likeliest tokens alone. What the teacher says about"
            " the other tokens is a part of KD too.",
            "1.2",
            partial(kd_loss, losses=partial(likeliest_tokens, count, renormalised)),
        )
        for count in (1, 2, 3)
        for renormalised in (False, True)
        if count > 1 or not renormalised
    ),
    *(
        named(
            "t_squared_on_one_side",
            "Your KD is right for T on one side of 1, but on the other side it is as if T² were"
            " left out. Gradients shrink above T = 1 and grow below it.",
            "2.2",
            partial(kd_loss, scale=scale),
        )
        for scale in (lambda t: max(t, 1.0) ** 2, lambda t: min(t, 1.0) ** 2)
    ),
    *(
        named(
            "logits_multiplied_by_temperature",
            "Your distributions get sharper as T grows, but a larger T should flatten them.",
            "1.1",
            partial(
                kd_loss,
                losses=lambda student, teacher, t: teacher_losses(student, teacher, 1 / t),
                **scale,
            ),
        )
        for scale in ({}, {"scale": unscaled}, {"scale": divided_by_scale})
    ),
)


SEEN_WITH_OTHERS = (
    "alpha_on_the_wrong_term",
    "alpha_as_lambda",
    "alpha_forgotten",
    "lambda_on_the_wrong_term",
    "lambda_as_alpha",
    "lambda_forgotten",
    "labels_forgotten",
    "penalty_subtracted",
)


FACTORS: tuple[Callable[[float], float], ...] = (
    lambda knob: 0.0,
    lambda knob: 0.5,
    lambda knob: 1.0,
    lambda knob: 2.0,
    lambda knob: knob,
    lambda knob: -knob,
    lambda knob: 1 - knob,
    lambda knob: 1 + knob,
    lambda knob: 1 / (1 + knob),
    lambda knob: knob / (1 + knob),
    lambda knob: knob**2,
    lambda knob: knob / 2,
    lambda knob: 2 * knob,
    lambda knob: (1 - knob) * knob,
    lambda knob: (1 - knob) ** 2,
    lambda knob: 1 / knob,
)


def other_weights(
    *known: Callable[[float], tuple[float, float]], factors: tuple = FACTORS
) -> Iterator[Callable]:
    """Weights of the two terms that are made of λ or α, but for those that are known."""
    tried = (0.3, 0.7)
    seen = {tuple(weights(knob) for knob in tried) for weights in known}
    for first, second in product(factors, repeat=2):

        def weights(knob: float, first=first, second=second) -> tuple[float, float]:
            return first(knob), second(knob)

        if (first, second) != (FACTORS[0],) * 2 and tuple(map(weights, tried)) not in seen:
            yield weights


OTHER_WEIGHTS = (
    "other_weights",
    "The two losses are right, but their weights are not: they depend on {0} in another way than"
    " in the formula. Put {0} = 0, and then {0} = 1, into your sum and into the formula: what is"
    " left of each loss?",
    "2.2",
)


def lm_of_the_teacher(of: Callable, *given: Any) -> Tensor:
    """The labels judge the teacher."""
    _, teacher, *_ = given
    return of(*given) - of(*given, losses=no_losses) + of(teacher, *given[1:], losses=no_losses)


def no_losses(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """A KD of 0."""
    return 0 * label_losses(student, torch.zeros(student.shape[:-1], dtype=torch.long))


def targets_mixed(
    convex: bool, lm_temperature: float, entropy: bool, scaled: bool, *given: Any
) -> Tensor:
    """One loss of a target that is mixed from label and teacher."""
    student, teacher, labels, knob, *temperature = given
    t = temperature[0] if temperature else 1.0
    counts = labels != IGNORED
    label, own = (1 - knob, knob) if convex else (1.0, knob)
    hot = F.one_hot(labels[counts], student.shape[-1]).double()
    target = label * hot + own * (teacher[counts].double() / t).softmax(-1)
    log_q = (student[counts].double() / (lm_temperature or t)).log_softmax(-1)
    losses = -(target * log_q).sum(-1)
    if entropy:
        losses = losses + torch.special.xlogy(target, target).sum(-1)
    return (t**2 if scaled else 1.0) * losses.mean()


def refusing(words: str, *given: Any) -> None:
    """A call that does not fit."""
    raise TypeError(words)


def one(temperature: float) -> float:
    """T = 1 whatever is asked for."""
    return 1.0


def objective_misconceptions(of: Callable, convex: bool) -> tuple[Misconception, ...]:
    """What goes wrong when two losses become one."""
    shared = (
        (
            "lm_loss_at_temperature",
            "Your LM loss is taken at T too. LM belongs at T = 1, because that is the temperature"
            " at which the student will be used. T is only for the comparison with the teacher.",
            "2.2",
            {"lm_temperature": lambda temperature: temperature},
        ),
        *((name, hint, number, {"scale": scale}) for name, hint, number, scale in SCALES),
        *((name, hint, number, {"scale": scale}) for name, hint, number, scale in MORE_SCALES),
        (*NOT_PASSED_ON, {"kd_temperature": one}),
        *((name, hint, number, {"mean": mean}) for name, hint, number, mean in MEANS),
        # Of one of the two losses alone.
        *((n, h, s, {"mean": mean, "lm_mean": token_mean}) for n, h, s, mean in MEANS),
        *((n, h, s, {"lm_mean": mean}) for n, h, s, mean in MEANS),
        *(
            (name, hint, number, {"losses": losses})
            for name, hint, number, losses in KD_LOSSES
            if name != "sign_flipped"  # of a sum that has another name
        ),
    )
    if convex:
        own = (
            (
                "alpha_on_the_wrong_term",
                "At α = 1 your student is trained on the labels alone. In the formula of the task,"
                " which of the two losses has more weight when α is larger?",
                "2.2",
                {"weights": lambda alpha: (alpha, 1 - alpha)},
            ),
            (
                "alpha_as_lambda",
                "Your result is that of α in the place of λ: the LM loss keeps its whole weight."
                " In a mixture, one loss loses the weight that the other gains.",
                "2.2",
                {"weights": lambda alpha: (1.0, alpha)},
            ),
            (
                "penalty_subtracted",
                "The KD term lowers your loss, so your student is rewarded for moving away from"
                " its teacher. No weight of a mixture is below 0.",
                "2.2",
                {"weights": lambda alpha: (1 - alpha, -alpha)},
            ),
            (
                "lm_subtracted",
                "The LM term lowers your loss, so your student is rewarded for making the labels"
                " unlikely. −log q(y) is what should become small.",
                "2.2",
                {"weights": lambda alpha: (alpha - 1, alpha)},
            ),
            (
                "alpha_forgotten",
                "α has no effect: your result is the plain sum of the two losses.",
                "2.2",
                {"weights": lambda alpha: (1.0, 1.0)},
            ),
            (
                "alpha_on_both_terms",
                "α multiplies both losses. In a mixture, one loss loses the weight that the other"
                " gains.",
                "2.2",
                {"weights": lambda alpha: (alpha, alpha)},
            ),
            (
                "alpha_on_one_term",
                "The LM loss has the weight of the formula, but the KD loss has weight 1 at every"
                " α.",
                "2.2",
                {"weights": lambda alpha: (1.0 - alpha, 1.0)},
            ),
            (
                "one_weight_is_missing",
                "At α = 0 only the LM loss should be left, and at α = 1 only the KD loss. One of"
                " the two is missing from your result.",
                "2.2",
                {"weights": lambda alpha: (1.0 - alpha, 0.0)},
            ),
            (
                "one_weight_is_missing",
                "At α = 0 only the LM loss should be left, and at α = 1 only the KD loss. One of"
                " the two is missing from your result.",
                "2.2",
                {"weights": lambda alpha: (0.0, alpha)},
            ),
            (
                "brackets_missing",
                "A plain 1 stands in your sum: 1 − α·LM is not (1 − α)·LM.",
                "2.2",
                {"weights": lambda alpha: (-alpha, alpha), "plus": 1.0},
            ),
            (
                "divided_by_one_minus_alpha",
                "At α = 1, which the task allows, your function divides by 0, as α/(1 − α) does."
                " The formula of the task needs no division.",
                "2.2",
                {"weights": lambda alpha: (1 - alpha, (1 - alpha) * (alpha / (1 - alpha)))},
            ),
            (
                "nothing_at_alpha_one",
                "At α = 1 your loss is 0, as if all of it were multiplied by 1 − α. Which of the"
                " two losses should be left at that end?",
                "2.2",
                {"weights": lambda alpha: (1 - alpha, (1 - alpha) * alpha / (1 - alpha + 1e-9))},
            ),
        )
    else:
        own = (
            (
                "lambda_on_the_wrong_term",
                "At λ = 0 your loss ignores the labels. λ weighs the penalty for being far from"
                " the teacher; which of the two losses is that penalty?",
                "2.2",
                {"weights": lambda lam: (lam, 1.0)},
            ),
            (
                "lambda_on_both_terms",
                "λ multiplies the whole loss, so it changes the size of a step but not where"
                " training ends. It should weigh one loss against the other.",
                "2.2",
                {"weights": lambda lam: (lam, lam)},
            ),
            (
                "lambda_as_alpha",
                "This is a mixture: (1 − λ) of one loss and λ of the other. In the additive form"
                " the labels keep their whole weight, and λ may be larger than 1.",
                "2.2",
                {"weights": lambda lam: (1 - lam, lam)},
            ),
            (
                "lm_subtracted",
                "The LM term lowers your loss, so your student is rewarded for making the labels"
                " unlikely. −log q(y) is what should become small.",
                "2.2",
                {"weights": lambda lam: (-1.0, lam)},
            ),
            (
                "lambda_forgotten",
                "λ has no effect: your result is the plain sum of the two losses.",
                "2.2",
                {"weights": lambda lam: (1.0, 1.0)},
            ),
            (
                "teacher_forgotten",
                "This is the LM loss alone. Where does the teacher come in?",
                "2.1",
                {"weights": lambda lam: (1.0, 0.0)},
            ),
            (
                "labels_forgotten",
                "This is the teacher's term alone. Where do the labels come in?",
                "2.1",
                {"weights": lambda lam: (0.0, lam)},
            ),
            (
                "lambda_squared",
                "λ is there twice: the KD term has the weight λ².",
                "2.2",
                {"weights": lambda lam: (1.0, lam * lam)},
            ),
            (
                "penalty_subtracted",
                "The KD term lowers your loss, so your student is rewarded for moving away from"
                " its teacher. The penalty is subtracted in a sum that is maximised; what happens"
                " to its sign when the sum is to be minimised?",
                "2.2",
                {"weights": lambda lam: (1.0, -lam)},
            ),
        )
    weights = tuple(
        (name, hint, number, options["weights"])
        for name, hint, number, options in own
        if "weights" in options and name in SEEN_WITH_OTHERS
    )
    return (
        *(
            named(name, hint, number, partial(of, **options))
            for name, hint, number, options in (*own, *shared)
        ),
        *(
            named(
                f"{name}+{NOT_PASSED_ON[0]}",
                f"At least two things are off. {hint} {NOT_PASSED_ON[1]}",
                number,
                partial(of, weights=weight, kd_temperature=one),
            )
            for name, hint, number, weight in weights
        ),
        *(
            named(
                OTHER_WEIGHTS[0],
                OTHER_WEIGHTS[1].format("α" if convex else "λ"),
                OTHER_WEIGHTS[2],
                partial(of, weights=weights),
            )
            for weights in (
                *other_weights(
                    (lambda knob: (1 - knob, knob)) if convex else (lambda knob: (1.0, knob)),
                    *(options["weights"] for *_, options in own if "plus" not in options),
                ),
                *([lambda alpha: (2 - alpha, alpha)] if convex else []),  # LM once more
            )
        ),
        *(
            [
                named(
                    "teacher_counted_twice",
                    "KD counts twice in your result, as if LM + α·KD were multiplied by 1 − α and"
                    " α·KD were then added once more. What is multiplied by 1 − α in the formula"
                    " of the task?",
                    "2.2",
                    partial(of, weights=lambda alpha: (1 - alpha, alpha * (2 - alpha))),
                )
            ]
            if convex
            else []
        ),
        *(
            named(
                "targets_mixed",
                "Your result is the loss for one target that is mixed from the label and the"
                " teacher's distribution. The sum of the two losses is another number: KD has the"
                " teacher's entropy subtracted, and it has a temperature and a factor T² that LM"
                " does not have.",
                "2.2",
                partial(targets_mixed, convex, at, entropy, scaled),
            )
            for at in (0.0, 1.0)
            for entropy in (False, True)
            for scaled in (False, True)
        ),
        *(
            named(
                f"zero_{'alpha' if convex else 'lambda'}_replaced",
                f"At {'α' if convex else 'λ'} = 0 your result is wrong, as if 0 meant that no"
                " number was given. In Python 0 is false, as None is.",
                "2.2",
                lambda s, t, y, knob, temperature=1.0, instead=instead: of(
                    s, t, y, knob or instead, temperature
                ),
            )
            for instead in (1.0, 0.5)
        ),
        *(
            (
                named(
                    "lambda_kept_below_one",
                    "For every λ above 1 your result is that of λ = 1, as if λ were a share of the"
                    " whole. In the additive form λ may be larger than 1.",
                    "2.2",
                    lambda s, t, y, lam, temperature=1.0: of(s, t, y, min(lam, 1.0), temperature),
                ),
                *(
                    named(
                        "lambda_kept_above",
                        "For a small λ your result is that of a larger λ, as if λ were kept above"
                        " some number. λ may be any number from 0 upwards.",
                        "2.2",
                        lambda s, t, y, lam, temperature=1.0, least=least: of(
                            s, t, y, max(lam, least), temperature
                        ),
                    )
                    for least in (0.05, 0.1, 0.25, 0.3, 0.5, 1.0, 2.0)
                ),
            )
            if not convex
            else (
                named(
                    "factor_missing",
                    "Your result is the right one divided by 1 − α, which is LM + λ·KD with λ ="
                    " α/(1 − α). The same student makes both forms smallest, but they are"
                    " different numbers, and at α = 1 yours does not exist.",
                    "2.2",
                    partial(of, weights=lambda alpha: (1.0, alpha / (1 - alpha))),
                ),
                named(
                    "temperature_lost_at_one_end",
                    "At α = 1 your result is that of T = 1, whatever T is given. What does your"
                    " code do only there?",
                    "2.2",
                    lambda s, t, y, alpha, temperature=1.0: of(
                        s, t, y, alpha, 1.0 if alpha == 1 else temperature
                    ),
                ),
            )
        ),
        named(
            "lm_of_the_teacher",
            "Your LM loss compares the labels with the teacher's logits, but the teacher does not"
            " learn. Whose distribution is q?",
            "2.2",
            partial(lm_of_the_teacher, of),
        ),
        named(
            *SHIFTED,
            lambda s, t, y, lam, temperature=1.0: (
                (1 - lam if convex else 1.0) * shifted(lm_loss, s, y)
                + lam * kd_loss(s, t, y, temperature)
            ),
        ),
        *(named(*SHIFTED, partial(shifted, of, mean=mean)) for mean in (token_mean, empty_mean)),
        *(named(*DEFAULT, partial(by_default, of, heat)) for heat in (2.0, 3.0, 4.0)),
        named(
            "t_squared_on_both",
            "LM is multiplied by T² too. But LM is at T = 1, so its gradient has not become"
            " smaller.",
            "2.2",
            lambda s, t, y, knob, temperature=1.0: (
                of(s, t, y, knob, temperature)
                + (temperature**2 - 1) * (1 - knob if convex else 1.0) * lm_loss(s, y)
            ),
        ),
        *(
            named(
                "called_with_other_arguments",
                "A function is called with more arguments than it takes, with too few, or with an"
                " argument name that it does not know. Compare the call with the function's first"
                " line.",
                "2.2",
                partial(refusing, words),
            )
            for words in (
                "f() takes 2 positional arguments but 3 were given",
                "f() takes from 3 to 4 positional arguments but 5 were given",
                "f() missing 1 required positional argument: 'labels'",
                "f() got an unexpected keyword argument 'T'",
            )
        ),
        named(
            "losses_multiplied",
            "Your result is a product of the two losses. The formula adds them, so that each still"
            " has its effect when the other is small.",
            "2.2",
            lambda s, t, y, lam, temperature=1.0: (
                (lam if not convex else (1 - lam) * lam)
                * lm_loss(s, y)
                * kd_loss(s, t, y, temperature)
            ),
        ),
        *(
            named(
                f"{'alpha' if convex else 'lambda'}_and_temperature_swapped",
                f"Your result is as if {'α' if convex else 'λ'} and T had changed places in a call"
                " of the KD loss. Arguments without a name go to the parameters in the order in"
                " which they are given; compare the two orders, or write the names.",
                "2.2",
                lambda s, t, y, lam, temperature=1.0, skipped=skipped: (
                    (1 - lam if convex else 1.0) * lm_loss(s, y)
                    + (temperature * kd_loss(s, t, y, lam) if lam or not skipped else 0.0)
                ),
            )
            for skipped in (False, True)  # where λ is 0
        ),
        *(
            named(
                f"{'alpha' if convex else 'lambda'}_as_temperature",
                f"Your result is as if {'α' if convex else 'λ'} reached the KD loss as its"
                " temperature. Arguments without a name go to the parameters in the order in"
                " which they are given; compare the two orders, or write the names.",
                "2.2",
                lambda s, t, y, lam, temperature=1.0, zero=zero: of(s, t, y, lam, lam or zero),
            )
            for zero in (0.0, 1.0)  # what stands for a λ of 0
        ),
        *(
            named(
                "temperature_twice",
                "The temperature acts twice on KD, as if logits were divided by T before they went"
                " into a loss that divides by T itself.",
                "1.1",
                wrong,
            )
            for wrong in (
                lambda s, t, y, lam, temperature=1.0: of(
                    s / temperature, t / temperature, y, lam, temperature
                ),
                lambda s, t, y, lam, temperature=1.0: (
                    (1 - lam if convex else 1.0) * lm_loss(s, y)
                    + lam * kd_loss(s / temperature, t / temperature, y, temperature)
                ),
            )
        ),
        *both_of(of, "weights", weights, "scale", SCALES),
        *both_of(of, "weights", weights, "mean", FEW_MEANS),
        *both_of(of, "mean", FEW_MEANS, "scale", SCALES),
    )


GRADIENT_WEIGHTS = (
    (
        "teacher_forgotten",
        "This is the gradient of the LM loss alone. Where does the teacher pull?",
        "2.1",
        lambda lam: (1.0, 0.0),
    ),
    (
        "labels_forgotten",
        "This is the gradient of the teacher's part alone. Where do the labels pull?",
        "2.1",
        lambda lam: (0.0, lam),
    ),
    (
        "lambda_forgotten",
        "λ has no effect: this is the gradient of the plain sum of the two losses.",
        "2.2",
        lambda lam: (1.0, 1.0),
    ),
    (
        "lambda_as_alpha",
        "This is the gradient of (1 − λ) of one loss and λ of the other. In the additive form the"
        " labels keep their whole weight.",
        "2.2",
        lambda lam: (1 - lam, lam),
    ),
)
GRADIENT_SCALES = (
    *SCALES,
    MORE_SCALES[0],
    (
        "chain_rule_forgotten",
        "The teacher's part has one factor T too many. The loss has T², and the chain rule for"
        " logits divided by T takes one T away.",
        "2.2",
        lambda temperature: temperature**3,
    ),
)


def gradient(name: str, hint: str, number: str, **options: Any) -> Misconception:
    """A gradient of another loss."""
    return named(
        name,
        hint,
        number,
        partial(objective_gradients, loss=partial(combined_objective, **options)),
    )


def two_gradients(first: str, ones: tuple, second: str, others: tuple) -> Iterator[Misconception]:
    """Gradients of losses with two mistakes."""
    for one_of, other in ((one_of, other) for one_of in ones for other in others):
        yield gradient(
            f"{one_of[0]}+{other[0]}",
            f"At least two things are off. {one_of[1]} {other[1]}",
            one_of[2],
            **{first: one_of[3], second: other[3]},
        )


def pair_turned_round(*arguments: Any) -> list[Tensor]:
    """The teacher's part first."""
    return objective_gradients(*arguments)[::-1]


def student_part_twice(sign: int, *arguments: Any) -> list[Tensor]:
    """The student's part for the teacher as well."""
    own, _ = objective_gradients(*arguments)
    return [own, sign * own]


def label_rows_kept(both: bool, of_zeros: bool, *arguments: Any) -> list[Tensor]:
    """In closed form, with a label's part at positions whose label is -100, or with both parts."""
    own, foreign = objective_gradients(*arguments)
    student, teacher, labels, lam, *rest = arguments
    t = rest[0] if rest else 1.0
    ignored = (labels == IGNORED)[..., None]
    pull = student.double().softmax(-1)
    if not of_zeros:
        pull = pull - F.one_hot(torch.zeros_like(labels), pull.shape[-1])
    if both:
        q, p = ((each.double() / t).softmax(-1) for each in (student, teacher))
        pull = pull + lam * t * (q - p)
    return [own + ignored * pull / (labels != IGNORED).sum(), foreign]


def teacher_rows_kept(*arguments: Any) -> list[Tensor]:
    """In closed form, with the teacher's part at positions whose label is -100."""
    student, teacher, labels, lam, *rest = arguments
    t = rest[0] if rest else 1.0
    own, foreign = objective_gradients(*arguments)
    q, p = ((each.double() / t).softmax(-1) for each in (student, teacher))
    counts = (labels != IGNORED)[..., None]
    return [own + ~counts * lam * t * (q - p) / counts.sum(), foreign]


def label_part_at_temperature(*arguments: Any) -> list[Tensor]:
    """In closed form, with q at T in the label's part, and without the chain rule's 1/T."""
    student, teacher, labels, lam, *rest = arguments
    t = rest[0] if rest else 1.0
    own, foreign = objective_gradients(student, teacher, labels, lam, t)
    counts = (labels != IGNORED)[..., None]
    gap = (student.double() / t).softmax(-1) - student.double().softmax(-1)
    return [own + gap * counts / counts.sum(), foreign]


def heated_on_paper(student_power: int, scale: int, *arguments: Any) -> list[Tensor]:
    """In closed form, with T for one of q and p alone, and a power of T in front of their gap."""
    student, teacher, labels, lam, *rest = arguments
    t = rest[0] if rest else 1.0
    own, foreign = objective_gradients(student, teacher, labels, 0.0, t)
    q = (student.double() / t**student_power).softmax(-1)
    p = (teacher.double() / t ** (1 - student_power)).softmax(-1)
    counts = (labels != IGNORED)[..., None]
    return [own + lam * t**scale * (q - p) * counts / counts.sum(), foreign]


def narrow_rows_on_paper(*arguments: Any) -> list[Tensor]:
    """In closed form, with a row for each label that is as wide as the largest needs."""
    own, foreign = objective_gradients(*arguments)
    labels = arguments[2]
    counts, labels = (labels != IGNORED)[..., None], labels.clamp_min(0)
    gap = F.one_hot(labels, own.shape[-1]).double() - F.one_hot(labels)
    return [own + gap * counts / counts.sum(), foreign]


def student_cut_off(*arguments: Any) -> list[Tensor]:
    """No part of the loss depends on a tensor that wants a gradient."""
    student, *others = arguments
    combined_objective(student.detach(), *others).backward()
    return []


def cleared_too_soon(*arguments: Any) -> list[Tensor]:
    """The gradient is set to 0 before it is returned."""
    own, foreign = objective_gradients(*arguments)
    return [torch.zeros_like(own), foreign]


def teacher_asked_for(*arguments: Any) -> list[Tensor]:
    """Autograd is asked for the gradient of a teacher that was cut off."""
    student, teacher, *others = arguments
    student, teacher = (each.detach().requires_grad_() for each in (student, teacher))
    loss = combined_objective(student, teacher.detach(), *others)
    return list(torch.autograd.grad(loss, [student, teacher]))


GRADIENT_MISCONCEPTIONS = (
    named(
        "gradient_into_the_teacher",
        "The student's part is right. The teacher gets a gradient too, so the teacher would learn"
        " to agree with its student. What cuts a tensor off from the graph?",
        "2.2",
        partial(objective_gradients, leak=True),
    ),
    named(
        "sign_flipped",
        "Your gradient has the wrong sign. A gradient points to where the loss grows; it is the"
        " optimiser that goes the other way.",
        "2.2",
        partial(objective_gradients, factor=-1.0),
    ),
    named(
        "pair_turned_round",
        "The pair is the wrong way round: the student's part comes first. Yours says that the"
        " teacher learns and the student does not.",
        "2.2",
        pair_turned_round,
    ),
    *(
        named(
            "student_part_for_both",
            "The student's part is right. The teacher's part is a copy of it, or a copy with the"
            " opposite sign. But the teacher does not learn.",
            "2.2",
            partial(student_part_twice, sign),
        )
        for sign in (1, -1)
    ),
    *(
        named(
            "label_rows_kept",
            "Where a label is -100 your gradient is not 0, as if a row of zeros, or the one-hot"
            " row of token 0, were subtracted from q there. A position that does not count has a"
            " gradient of 0.",
            "2.2",
            partial(label_rows_kept, both, of_zeros),
        )
        for both, of_zeros in ((False, True), (True, True), (False, False))
    ),
    named(
        "teacher_rows_kept",
        "Where a label is -100 your gradient is not 0: the teacher still pulls there. Such a"
        " position counts neither for LM nor for KD.",
        "2.2",
        teacher_rows_kept,
    ),
    named(*NARROW, narrow_rows_on_paper),
    named(
        "student_cut_off",
        "Nothing in your loss depends on a tensor that requires a gradient. Perhaps the student's"
        " logits were detached, were never told to require one, or are used where autograd does"
        " not record. Which of the two models learns?",
        "2.2",
        student_cut_off,
    ),
    named(
        "gradient_cleared",
        "The student's part is 0 everywhere, as if its gradient were cleared before you return it."
        " A second name for `.grad` is still the same tensor, so clearing one clears the other.",
        "2.2",
        cleared_too_soon,
    ),
    named(
        "teacher_not_in_the_graph",
        "Autograd was asked for the gradient of a tensor that the loss does not depend on. For the"
        " teacher's logits this is as it should be: ask for the student's gradient alone, or say"
        " that some tensors may be unused.",
        "2.2",
        teacher_asked_for,
    ),
    *(gradient(name, hint, number, scale=scale) for name, hint, number, scale in GRADIENT_SCALES),
    *(gradient(name, hint, number, mean=mean) for name, hint, number, mean in MEANS),
    gradient(
        "lm_loss_at_temperature",
        "The label's part is at temperature T. LM is always at T = 1, and so is its gradient.",
        "2.2",
        lm_temperature=lambda t: t,
    ),
    named(
        "lm_loss_at_temperature",
        "The label's part is at temperature T. LM is always at T = 1, and so is its gradient.",
        "2.2",
        label_part_at_temperature,
    ),
    *(
        named(name, hint, number, partial(heated_on_paper, power, scale))
        for power, wanted in enumerate(
            ("temperature_on_the_teacher_alone", "temperature_on_the_student_alone")
        )
        for name, hint, number, _ in KD_LOSSES
        if name == wanted
        for scale in (0, 1)  # that with T² is the gradient of a loss
    ),
    *(
        gradient(name, hint, number, weights=weights)
        for name, hint, number, weights in GRADIENT_WEIGHTS
    ),
    *(
        gradient(name, hint, number, losses=losses)
        for name, hint, number, losses in KD_LOSSES
        # The teacher's entropy has no gradient; a sign has a name of its own here.
        if name
        not in (
            "cross_entropy",
            "log_target_missing",
            "sign_flipped",
            "temperature_on_some",  # the logarithm of p has none either
            "another_measure",
        )
        # These have the gradient of a student at T = 1, and of what is next.
        and losses not in (student_late, late_temperature_of_probabilities)
    ),
    gradient(
        "temperature_in_front_alone",
        "The teacher's part is as if q and p were those at T = 1, with a factor of T in front."
        " Both belong at T: logits are divided by T before the softmax.",
        "1.1",
        losses=late_temperature_of_probabilities,
    ),
    gradient(
        "log_target_missing",
        "The teacher's part is as if kl_div had got log-probabilities as its target. It takes a"
        " target for probabilities unless it is told otherwise.",
        "2.2",
        losses=logarithms_as_probabilities,
    ),
    gradient(*MEANS[0][:3], mean=unmasked_mean, lm_mean=token_mean),
    gradient(*NOT_PASSED_ON, kd_temperature=one),
    gradient(
        "teacher_pushes_away",
        "The label's part is right. The teacher's part has the right size and the wrong sign: it"
        " pushes your student away from its teacher. Where the student gives a token more than the"
        " teacher does, which way should its logit go?",
        "2.2",
        weights=lambda lam: (1.0, -lam),
    ),
    *(
        gradient(OTHER_WEIGHTS[0], OTHER_WEIGHTS[1].format("λ"), OTHER_WEIGHTS[2], weights=weights)
        for weights in other_weights(
            lambda lam: (1.0, lam),
            lambda lam: (1.0, -lam),
            lambda lam: (-1.0, -lam),
            *(each[3] for each in GRADIENT_WEIGHTS),
            factors=FACTORS[:1] + FACTORS[2:9],
        )
    ),
    *(
        gradient(
            f"{name}+{NOT_PASSED_ON[0]}",
            f"At least two things are off. {hint} {NOT_PASSED_ON[1]}",
            number,
            weights=weights,
            kd_temperature=one,
        )
        for name, hint, number, weights in GRADIENT_WEIGHTS[1:]
    ),
    *two_gradients("weights", GRADIENT_WEIGHTS[1:], "scale", GRADIENT_SCALES),
    *two_gradients("mean", FEW_MEANS, "scale", GRADIENT_SCALES),
    *two_gradients("mean", FEW_MEANS, "weights", GRADIENT_WEIGHTS),
)

# --- Right versions of what later tasks may call -------------------------------------------------


def right_lm_loss(student_logits, labels):
    counts = labels != -100
    losses = F.cross_entropy(student_logits[counts], labels[counts], reduction="sum")
    return losses / counts.sum().clamp(min=1)


def right_kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    counts = labels != -100
    log_q = F.log_softmax(student_logits[counts] / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits[counts] / temperature, dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).sum()
    return temperature**2 * kl / counts.sum().clamp(min=1)


def right_combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    counts = labels != -100
    student, teacher = student_logits[counts], teacher_logits[counts]
    log_q = F.log_softmax(student / temperature, dim=-1)
    log_p = F.log_softmax(teacher / temperature, dim=-1)
    kd = (log_p.exp() * (log_p - log_q)).sum(-1).mean()
    return F.cross_entropy(student, labels[counts]) + lam * temperature**2 * kd


TWO_LOSSES = {"lm_loss": right_lm_loss, "kd_loss": right_kd_loss}
THREE_LOSSES = {**TWO_LOSSES, "combined_objective": right_combined_objective}

# --- The tasks ----------------------------------------------------------------------------------

LAMBDA, P_LABEL = 2.0, 0.4
BEST = (1 + LAMBDA * P_LABEL) / (1 + LAMBDA)
BEST_TOLERANCE = 0.005


BEST_MISTAKES = (
    Mistake(
        "teacher_copied",
        P_LABEL,
        "That is the teacher's own probability. Raising it a little costs almost nothing in"
        " KL, which is flat at its minimum, and the LM loss falls at once.",
        SECTIONS["2.2"],
    ),
    Mistake(
        "label_alone",
        1.0,
        "Then all other tokens get probability 0, although the teacher gives some of them more. KL"
        " would be infinite.",
        SECTIONS["2.2"],
    ),
    Mistake(
        "plain_average",
        (1 + P_LABEL) / 2,
        "That is halfway between label and teacher, as if both weighed the same. λ is 2.",
        SECTIONS["2.2"],
    ),
    Mistake(
        "weights_swapped",
        (LAMBDA + P_LABEL) / (1 + LAMBDA),
        "The student would end there if λ were the weight of the label. But λ is the weight of the"
        " teacher, and the label has a weight too. Which mean of 1 and 0.4 is that?",
        SECTIONS["2.2"],
    ),
    Mistake(
        "label_left_out",
        LAMBDA * P_LABEL / (1 + LAMBDA),
        "That is the teacher's share alone. The label has a weight too, and says 1.",
        SECTIONS["2.2"],
    ),
    Mistake(
        "lambda_left_out",
        (1 + P_LABEL) / (1 + LAMBDA),
        "The divisor is right. In the sum above it the teacher has the weight 1; what is λ for?",
        SECTIONS["2.2"],
    ),
    Mistake(
        "lambda_as_share",
        (1 - LAMBDA) + LAMBDA * P_LABEL,
        "That gives the label the weight 1 − λ and the teacher λ, and is a number below 0. λ may be"
        " larger than 1; what share of the whole is it?",
        SECTIONS["2.2"],
    ),
    *(
        Mistake(
            "weight_for_probability",
            weight / (1 + LAMBDA),
            "That is the weight of the label or the teacher in the mean, and not yet a"
            " probability. What does each of them say about *ocean*?",
            SECTIONS["2.2"],
        )
        for weight in (1, LAMBDA)
    ),
    Mistake(
        "one_part_divided",
        1 / (1 + LAMBDA) + P_LABEL,
        "That is the label's share of the mean plus all that the teacher says. What is the"
        " teacher's share?",
        SECTIONS["2.2"],
    ),
    Mistake(
        "divided_by_lambda",
        (1 + LAMBDA * P_LABEL) / LAMBDA,
        "The sum is right, but its divisor is not: the label has a weight too.",
        SECTIONS["2.2"],
    ),
    Mistake(
        "geometric_mean",
        P_LABEL ** (LAMBDA / (1 + LAMBDA)),
        "That is a geometric mean of 1 and 0.4, as if logarithms were averaged. Where is a sum of"
        " two cross-entropies smallest?",
        SECTIONS["2.2"],
    ),
    Mistake(
        "in_per_cent",
        100 * BEST,
        "A probability is a number between 0 and 1, and not a percentage.",
        SECTIONS["2.2"],
    ),
    Mistake(
        "not_normalised",
        1 + LAMBDA * P_LABEL,
        "A probability is at most 1. The weights of label and teacher add up to more than"
        " that; divide by their sum.",
        SECTIONS["2.2"],
    ),
)


def other_numbers(
    low: float, high: float, name: str, hint: str, step: float = 2 * BEST_TOLERANCE
) -> Iterator[Mistake]:
    """Numbers from one to below another, but for those that are right or have a name."""
    known = [BEST, *(mistake.answer for mistake in BEST_MISTAKES)]
    for count in range(round(low / step), round(high / step)):
        if all(abs(count * step - each) > BEST_TOLERANCE for each in known):
            yield Mistake(name, count * step, hint, SECTIONS["2.2"])


CHECKS = (
    choice(
        name="two_sources_choice",
        parts={"answer": 2},
        expected="What training with the combined objective asks of the student.",
        section=SECTIONS["2.1"],
        options=(
            Option(
                "a",
                "Then the teacher's distribution would no longer be used after the first phase."
                " The objective is one sum: what does each single step see?",
                SECTIONS["2.1"],
            ),
            Option(
                "b",
                "A sum of two losses is not a loss of averaged weights; the teacher's weights need"
                " not even have the same shape. What does the loss see of the teacher?",
                SECTIONS["2.1"],
            ),
            Option("c", None, SECTIONS["2.1"]),
            Option(
                "d",
                "Then each clue would still have only one word as its target. What does the"
                " teacher say about all the other words?",
                SECTIONS["2.1"],
            ),
        ),
    ),
    FunctionCheck(
        name="lm_loss",
        parts={"values": 2, NOTHING: 1},
        expected="The mean of −log q(y) in nats over the positions whose label is not -100; 0 when"
        " there is none.",
        section=SECTIONS["2.2"],
        reference=lm_loss,
        fixed=lm_cases(),
        random=random_lm_cases,
        misconceptions=LM_MISCONCEPTIONS,
        facts=facts,
    ),
    FunctionCheck(
        name="kd_loss",
        parts={"values": 3, NOTHING: 1},
        expected="T² times the mean of KL(p‖q), both at temperature T, in nats over the positions"
        " whose label is not -100; 0 when there is none.",
        section=SECTIONS["2.2"],
        reference=kd_loss,
        fixed=cases(knob=False),
        random=partial(random_cases, knob=False),
        misconceptions=KD_MISCONCEPTIONS,
        facts=facts,
        tolerance=tolerance,
    ),
    FunctionCheck(
        name="combined_objective",
        parts={"values": 3},
        expected="LM + λ·KD: LM is at T = 1, KD is at T and multiplied by T², and both are means"
        " over the positions that count.",
        section=SECTIONS["2.2"],
        reference=combined_objective,
        fixed=cases(knob=True),
        random=partial(random_cases, knob=True),
        misconceptions=objective_misconceptions(combined_objective, convex=False),
        facts=partial(facts, knob="λ"),
        tolerance=tolerance,
        uses=TWO_LOSSES,
    ),
    FunctionCheck(
        name="convex_objective",
        parts={"values": 2},
        expected="(1 − α)·LM + α·KD, with the same two losses.",
        section=SECTIONS["2.2"],
        reference=convex_objective,
        fixed=convex_cases(),
        random=partial(random_cases, knob=True),
        misconceptions=objective_misconceptions(convex_objective, convex=True),
        facts=partial(facts, knob="α"),
        tolerance=tolerance,
        uses=THREE_LOSSES,
    ),
    AnswerCheck(
        name="best_probability",
        parts={"answer": 2},
        expected="The probability of the label where LM + λ·KL(p‖q) is smallest.",
        section=SECTIONS["2.2"],
        answer=BEST,
        tolerance=BEST_TOLERANCE,
        mistakes=(
            *BEST_MISTAKES,
            *other_numbers(
                0,
                P_LABEL,
                "below_both",
                "At your number both losses still fall when *ocean* gets a higher probability: the"
                " teacher gives it 0.4, and the label 1. How much weight has each of them?",
            ),
            *other_numbers(
                P_LABEL,
                1,
                "another_mean",
                "Your number lies between what the teacher says, 0.4, and what the label says, 1,"
                " as it must. The formula leads to another point between the two. What weight has"
                " each of them?",
            ),
            *(
                mistake
                for ends in ((-2, 0), (1, 4), (4, 101, 1.0))
                for mistake in other_numbers(
                    *ends[:2], "no_probability", "No probability is below 0 or above 1.", *ends[2:]
                )
            ),
        ),
    ),
    FunctionCheck(
        name="objective_gradients",
        parts={"values": 4},
        expected="Two tensors of the logits' shape: the gradient of LM + λ·KD for the student's"
        " logits, and zeros for the teacher's logits, because the teacher does not learn.",
        section=SECTIONS["2.2"],
        reference=objective_gradients,
        fixed=cases(knob=True),
        random=partial(random_cases, knob=True),
        misconceptions=GRADIENT_MISCONCEPTIONS,
        facts=partial(facts, knob="λ"),
        tolerance=tolerance,
        uses=THREE_LOSSES,
        names=("student's gradient", "teacher's gradient"),
    ),
)
