"""Checks of ps5_bug_clinic: losses that train and are wrong, named and repaired. Never released."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import permutations
from pathlib import Path

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

# --- The right way, and the ways to leave it ----------------------------------------------------


def kl_shares(log_q: Tensor, log_p: Tensor) -> Tensor:
    """What each token adds to KL(p‖q)."""
    return log_p.exp() * (log_p - log_q)


def log_probabilities(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Of the last axis, in double precision."""
    return (logits.double() / temperature).log_softmax(-1)


def kl_losses(student: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """KL(p‖q) at each position, both at a temperature."""
    log_q, log_p = log_probabilities(student, temperature), log_probabilities(teacher, temperature)
    return kl_shares(log_q, log_p).sum(-1)


# The mean over the tokens.


def token_mean(shares: Tensor) -> Tensor:
    """Sum over the vocabulary, mean over the positions."""
    return shares.sum(-1).mean()


def kd_mean(
    student_logits: Tensor,
    teacher_logits: Tensor,
    temperature: float = 1.0,
    *,
    shares: Callable[[Tensor, Tensor], Tensor] = kl_shares,
    mean: Callable[[Tensor], Tensor] = token_mean,
    scaled: bool = True,
) -> Tensor:
    """T² times the mean over all positions of KL(p‖q) at temperature T."""
    log_q = log_probabilities(student_logits, temperature)
    log_p = log_probabilities(teacher_logits, temperature)
    return (temperature**2 if scaled else 1.0) * mean(shares(log_q, log_p))


def logarithms_as_probabilities(log_q: Tensor, log_p: Tensor) -> Tensor:
    """kl_div without log_target=True, given log-probabilities."""
    return torch.nn.functional.kl_div(log_q, log_p, reduction="none")


KD_MEAN_WAYS = (
    (
        "vocabulary_mean",
        "The bug is still there. Your loss is too small by the size of the vocabulary, and so is"
        " the weight that you think you gave the teacher. Which axes does this mean run over, and"
        " over which of them is a KL divergence a sum?",
        "1.2",
        partial(kd_mean, mean=torch.mean),
    ),
    (
        "batch_mean",
        "The vocabulary is summed now, but you divide by the number of texts, so a text of twice"
        " the length has twice the loss. What does 'batchmean' take for the batch when there are"
        " three axes? That is another patient's bug.",
        "2.2",
        partial(kd_mean, mean=lambda shares: shares.sum() / shares.shape[0]),
    ),
    (
        "divided_by_the_vocabulary_again",
        "The size of the vocabulary divides your loss once more. Count the factors: what has"
        " already been divided by V, and what should be?",
        "1.2",
        partial(kd_mean, mean=lambda shares: shares.mean() / shares.shape[-1]),
    ),
    (
        "summed",
        "This is the sum over all positions. It grows with the batch, and the learning rate with"
        " it. One divisor had to go, not both.",
        "2.2",
        partial(kd_mean, mean=torch.sum),
    ),
    (
        "t_squared_lost",
        "The mean is right, but T² got lost in the repair. It was no part of the bug: without it"
        " the teacher's pull fades as T grows.",
        "2.2",
        partial(kd_mean, scaled=False),
    ),
    (
        "direction_swapped",
        "The mean is right, and the divergence is the other way round now. The two arguments of"
        " kl_div were in their places; which one does it take as a logarithm to begin with?",
        "1.3",
        partial(kd_mean, shares=lambda log_q, log_p: kl_shares(log_p, log_q)),
    ),
    (
        "cross_entropy",
        "Your loss is not 0 when student and teacher agree: the teacher's entropy is in it. The"
        " patient had no such complaint.",
        "1.2",
        partial(kd_mean, shares=lambda log_q, log_p: -log_p.exp() * log_q),
    ),
    (
        "log_target_missing",
        "kl_div got the logarithm of a probability and took it for a probability: the logarithm of"
        " a negative number is NaN. Which option of the old code told it otherwise?",
        "1.2",
        partial(kd_mean, shares=logarithms_as_probabilities),
    ),
    (
        "log_target_with_probabilities",
        "kl_div was told that its target is a logarithm, and got probabilities. A probability and"
        " its logarithm are both numbers, so nothing complains.",
        "1.2",
        partial(kd_mean, shares=lambda log_q, log_p: kl_shares(log_q, log_p.exp())),
    ),
)

# The mask.


Mask = Callable[[Tensor, Tensor], Tensor]


def kd_masked(
    student_logits: Tensor,
    teacher_logits: Tensor,
    input_ids: Tensor,
    labels: Tensor,
    *,
    counts: Mask = lambda input_ids, labels: labels != IGNORED,
    divisor: Callable[[Tensor], Tensor | int] = torch.sum,
) -> Tensor:
    """Mean of KL(p‖q) over the positions whose label counts."""
    mask = counts(input_ids, labels)
    return kl_losses(student_logits, teacher_logits)[mask].sum() / divisor(mask)


def kd_of_texts(
    student_logits: Tensor, teacher_logits: Tensor, input_ids: Tensor, labels: Tensor
) -> Tensor:
    """Mean over texts of each text's own mean."""
    counts, losses = labels != IGNORED, kl_losses(student_logits, teacher_logits)
    return ((losses * counts).sum(-1) / counts.sum(-1)).mean()


KD_MASKED_WAYS = (
    (
        "inputs_searched_for_the_mark",
        "The bug is still there: every position counts, padding and prompt too. −100 is a mark that"
        " a collator writes. Print both tensors and look for it: where is it written?",
        "2.2",
        partial(kd_masked, counts=lambda input_ids, labels: input_ids != IGNORED),
    ),
    (
        "padding_found_in_the_inputs",
        "You look for the padding token among the inputs. The prompt is no padding, yet it does"
        " not count; and a text that begins right after another one reads the end-of-text token"
        " and does count. Who decides what counts?",
        "2.2",
        partial(kd_masked, counts=lambda input_ids, labels: input_ids != END),
    ),
    (
        "padding_found_in_the_labels",
        "You look at the labels now, but for the wrong thing: padding was marked there, it is not"
        " the padding token any more. And where that token is a label, a text really ends.",
        "2.2",
        partial(kd_masked, counts=lambda input_ids, labels: labels != END),
    ),
    (
        "ends_of_texts_dropped",
        "Padding and prompt are out, and with them every real end of a text: it has the same token"
        " as padding. Your student would never learn to stop. Which of your two conditions is one"
        " too many?",
        "2.2",
        partial(kd_masked, counts=lambda input_ids, labels: (labels != IGNORED) & (labels != END)),
    ),
    (
        "marked_inputs_and_ends",
        "You combine what the labels say with a look at the inputs. A position that reads the"
        " end-of-text token and has a label that counts is the beginning of the next text.",
        "2.2",
        partial(
            kd_masked, counts=lambda input_ids, labels: (labels != IGNORED) & (input_ids != END)
        ),
    ),
    (
        "divided_by_all_positions",
        "The right positions are in your sum, but you divide by the number of all positions: more"
        " padding, smaller loss. How many terms does your sum have?",
        "2.2",
        partial(kd_masked, divisor=torch.numel),
    ),
    (
        "batch_mean",
        "The right positions are in your sum, but you divide by the number of texts: longer"
        " answers, larger loss.",
        "2.2",
        partial(kd_masked, divisor=len),
    ),
    (
        "mean_of_means",
        "You average within each text first, so a token of a short answer weighs more than one of a"
        " long answer. All tokens that count should weigh the same.",
        "2.2",
        kd_of_texts,
    ),
    (
        "mask_inverted",
        "Your mask is upside down: exactly the positions that should not count do.",
        "2.2",
        partial(kd_masked, counts=lambda input_ids, labels: labels == IGNORED),
    ),
)

# The shift.


def losses_of(
    student: Tensor, teacher: Tensor, targets: Tensor, counts: Tensor | None = None
) -> list[Tensor]:
    """LM and KD where targets count; KD where `counts` says, if it is given."""
    where = targets != IGNORED
    log_q = log_probabilities(student)[where]
    lm = -log_q.gather(-1, targets[where][:, None]).mean()
    return [lm, kl_losses(student, teacher)[where if counts is None else counts].mean()]


def next_token_losses(student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> list:
    """LM and KD of logits[i] with the label of i + 1."""
    return losses_of(student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:])


def kd_left_behind(student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> list:
    """LM is repaired, KD has the mask of the unshifted labels."""
    lm, _ = next_token_losses(student_logits, teacher_logits, labels)
    return [lm, losses_of(student_logits, teacher_logits, labels)[1]]


def lm_left_behind(student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> list:
    """KD is repaired, LM is not."""
    _, kd = next_token_losses(student_logits, teacher_logits, labels)
    return [losses_of(student_logits, teacher_logits, labels)[0], kd]


def mask_left_behind(student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> list:
    """Logits and labels are shifted, the mask is that of the first L − 1 labels."""
    before, after = labels[:, :-1] != IGNORED, labels[:, 1:]
    targets = after.where(before, torch.full_like(after, IGNORED))
    return losses_of(student_logits[:, :-1], teacher_logits[:, :-1], targets, before)


def kd_unmasked(student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> list:
    """LM is right, KD is a mean over all pairs."""
    targets = labels[:, 1:]
    everywhere = torch.ones_like(targets, dtype=torch.bool)
    return losses_of(student_logits[:, :-1], teacher_logits[:, :-1], targets, everywhere)


SHIFT_WAYS = (
    (
        "not_shifted",
        "The bug is still there. The logits of a position are judged by the token that the model"
        " has just read, so it learns to repeat. With which token should logits[0] be compared?",
        losses_of,
    ),
    (
        "shifted_twice",
        "The shift is made twice: each position is asked for the token after the next. Someone else"
        " may have shifted already, or you did it on both sides.",
        lambda student, teacher, labels: losses_of(student[:, :-2], teacher[:, :-2], labels[:, 2:]),
    ),
    (
        "shifted_back",
        "You shifted the wrong way: each position is asked for the token before the one that it has"
        " read. Write down which logits and which label you pair first.",
        lambda student, teacher, labels: losses_of(student[:, 1:], teacher[:, 1:], labels[:, :-1]),
    ),
    (
        "rolled",
        "Nearly. But your last logits are compared with the *first* token: what is rolled out on"
        " one side comes in on the other. How many pairs does a text of L tokens have?",
        lambda student, teacher, labels: losses_of(student, teacher, labels.roll(-1, dims=1)),
    ),
    (
        "kd_left_behind",
        "LM is right. KD needs no label's value, and yet it is wrong: it still takes its mask from"
        " labels that were not shifted, so it counts other positions than LM.",
        kd_left_behind,
    ),
    (
        "lm_left_behind",
        "KD is right. LM is not: it is still compared with the token that was just read.",
        lm_left_behind,
    ),
    (
        "mask_left_behind",
        "Logits and labels are in step now, but the mask is not: it says whether the token at i"
        " counts, where the token at i + 1 is predicted. What is the mask made of, and when?",
        mask_left_behind,
    ),
    (
        "kd_unmasked",
        "LM is right. KD counts every pair, prompt and padding too; the teacher says something"
        " there as well, and nobody asked.",
        kd_unmasked,
    ),
    (
        "teacher_shifted_against_the_student",
        "LM is right. In KD you shifted the teacher as if it were a label: its distribution at i is"
        " compared with the student's at another position. Both have read the same tokens; which"
        " of their logits belong together?",
        lambda student, teacher, labels: [
            next_token_losses(student, teacher, labels)[0],
            losses_of(student[:, :-1], teacher[:, 1:], labels[:, 1:])[1],
        ],
    ),
)

# The mixture.

LARGE = "logits of any size"
Mix = Callable[[Tensor, Tensor, float], Tensor]


def mixed(log_p: Tensor, log_q: Tensor, beta: float) -> Tensor:
    """log(β·p + (1−β)·q), however small p and q are."""
    return torch.logaddexp(log_p + math.log(beta), log_q + math.log1p(-beta))


def mixed_and_underflown(log_p: Tensor, log_q: Tensor, beta: float) -> Tensor:
    """The same, −∞ where both are too small for their format."""
    return (beta * log_p.exp() + (1 - beta) * log_q.exp()).log()


def jsd(
    student_logits: Tensor,
    teacher_logits: Tensor,
    beta: float,
    *,
    mix: Mix = mixed,
    weights: Callable[[float], tuple[float, float]] = lambda beta: (beta, 1 - beta),
    turned: bool = False,
) -> Tensor:
    """β·KL(p‖m) + (1−β)·KL(q‖m) at each position, m = β·p + (1−β)·q."""
    log_q, log_p = log_probabilities(student_logits), log_probabilities(teacher_logits)
    log_m = mix(log_p, log_q, beta)

    def kl(log_front: Tensor) -> Tensor:
        pair = (log_front, log_m) if turned else (log_m, log_front)
        return kl_shares(*pair).sum(-1)

    of_teacher, of_student = weights(beta)
    return of_teacher * kl(log_p) + of_student * kl(log_q)


def swapped(mix: Mix) -> Mix:
    """β before the student."""
    return lambda log_p, log_q, beta: mix(log_p, log_q, 1 - beta)


def halves(mix: Mix) -> Mix:
    """Both at one half."""
    return lambda log_p, log_q, beta: mix(log_p, log_q, 0.5)


def logarithms_mixed(log_p: Tensor, log_q: Tensor, beta: float) -> Tensor:
    """β·log p + (1−β)·log q."""
    return beta * log_p + (1 - beta) * log_q


def other_weights(beta: float) -> tuple[float, float]:
    """1 − β for the teacher's part."""
    return 1 - beta, beta


JSD_WAYS = (
    (
        "both_bugs",
        "Both bugs are still there. Look at the line that makes log_m. It averages logarithms,"
        " where a mixture is an average of something else. And ask it which model β belongs to.",
        partial(jsd, mix=swapped(logarithms_mixed)),
    ),
    (
        "logarithms_mixed",
        "β stands where it should, but you still average logarithms. Where one model gives a token"
        " almost nothing and the other nearly 1, the mixture is about a half. What does your line"
        " say there?",
        partial(jsd, mix=logarithms_mixed),
    ),
    (
        "logarithms_mixed_and_normalised",
        "You average logarithms and normalise the result. It adds up to 1 now, but it is another"
        " distribution than the mixture: a token that one model rules out has nothing in it.",
        partial(jsd, mix=lambda *of: logarithms_mixed(*of).log_softmax(-1)),
    ),
    (
        "mixture_underflows",
        "Right, but for large logits the result is NaN. Where both models give a token less than"
        " the smallest number, their mixture is 0 and its logarithm −∞. The logarithm of a sum can"
        " be had from the logarithms.",
        partial(jsd, mix=mixed_and_underflown),
    ),
    *(
        way
        for mix in (mixed, mixed_and_underflown)
        for way in (
            (
                "beta_swapped_in_the_mixture",
                "You mix probabilities now: one bug is gone. In the mixture β still weighs the"
                " student. At β = 0.9, whose distribution should m be close to?",
                partial(jsd, mix=swapped(mix)),
            ),
            (
                "beta_swapped_twice",
                "You mix probabilities, and β means the same in the mixture and before the two KLs."
                " But it means the student in both: this is the divergence for 1 − β.",
                partial(jsd, mix=swapped(mix), weights=other_weights),
            ),
            (
                "weights_swapped",
                "The mixture is right now. The weights before the two KLs were right before you"
                " touched them: the bug has moved house.",
                partial(jsd, mix=mix, weights=other_weights),
            ),
            (
                "half_and_half",
                "Your mixture is half and half, whatever β is.",
                partial(jsd, mix=halves(mix)),
            ),
            (
                "turned_round",
                "The mixture is right, but it stands in front of both divergences. In the formula"
                " each model is in front, and does the weighing; what kl_div calls its input is"
                " what stands behind.",
                partial(jsd, mix=mix, turned=True),
            ),
        )
    ),
)

# The parts of a batch.

EMPTY = "a micro-batch in which nothing counts"
Parts = list[list[Tensor]]


def label_losses(logits: Tensor, labels: Tensor) -> Tensor:
    """−log q(y) at the positions that count."""
    counts = labels != IGNORED
    return -log_probabilities(logits)[counts].gather(-1, labels[counts][:, None])[:, 0]


def accumulated_loss(micro_batches: Parts) -> Tensor:
    """Mean of −log q(y) over all positions of all parts that count."""
    return torch.cat([label_losses(*part) for part in micro_batches]).mean()


def part_means(micro_batches: Parts, nothing: float) -> Tensor:
    """The mean of each part, or what a part is said to have in which nothing counts."""
    means = torch.stack([label_losses(*part).mean() for part in micro_batches])
    return means.nan_to_num(nan=nothing)


def weighted(
    micro_batches: Parts, weight: Callable[[Tensor], Tensor | int], nothing: float
) -> Tensor:
    """Mean of the parts' means with a weight that is made of the labels."""
    weights = torch.tensor([float(weight(labels)) for _, labels in micro_batches])
    return (weights * part_means(micro_batches, nothing)).sum() / weights.sum()


def total_over(micro_batches: Parts, count: Callable[[Tensor], int]) -> Tensor:
    """The sum over a number that is made of the labels."""
    losses = torch.cat([label_losses(*part) for part in micro_batches])
    return losses.sum() / sum(count(labels) for _, labels in micro_batches)


NAN = float("nan")
ACCUMULATED_WAYS = (
    *(
        way
        for nothing in (NAN, 0.0)
        for way in (
            (
                "means_added",
                "The bug is still there: the parts' means are added up, so four parts make the loss"
                " and its gradient about four times as large. How large should it be, however the"
                " batch is cut?",
                lambda parts, nothing=nothing: part_means(parts, nothing).sum(),
            ),
            (
                "mean_of_means",
                "The size is right now, but a token in a short part weighs more than one in a long"
                " part. Cut the same batch elsewhere and your loss changes.",
                lambda parts, nothing=nothing: part_means(parts, nothing).mean(),
            ),
            (
                "weighted_by_texts",
                "Each part weighs as much as it has texts. Two texts may hold two labels or two"
                " hundred. What is the mean a mean of?",
                partial(weighted, weight=len, nothing=nothing),
            ),
        )
    ),
    (
        "nan_from_an_empty_part",
        "Right as long as a label counts in each part. A part without labels has a mean over"
        " nothing, NaN, and a weight of 0 does not make it go away. What does such a part add to a"
        " sum?",
        partial(weighted, weight=lambda labels: (labels != IGNORED).sum(), nothing=NAN),
    ),
    (
        "divided_by_texts",
        "You add up all losses and divide by the number of texts, so longer texts have a larger"
        " loss.",
        lambda parts: total_over(parts, len),
    ),
    (
        "divided_by_all_positions",
        "You add up all losses and divide by the number of all positions, ignored ones included."
        " How many terms does your sum have?",
        lambda parts: total_over(parts, torch.numel),
    ),
    (
        "summed",
        "This is the sum of all losses. However the batch is cut it is the same, which is good; but"
        " it grows with the batch. The task asks for a mean.",
        lambda parts: torch.cat([label_losses(*part) for part in parts]).sum(),
    ),
)


def named(ways: tuple, number: str | None = None) -> tuple[Misconception, ...]:
    """Misconceptions with their sections, which they name themselves where no number is given."""
    return tuple(
        Misconception(name, hint, SECTIONS[number or own[0]], wrong)
        for name, hint, *own, wrong in ways
    )


# --- Cases --------------------------------------------------------------------------------------


def logits(rng: np.random.Generator, *shape: int) -> Tensor:
    """Random logits."""
    return torch.tensor(rng.normal(scale=2.0, size=shape), dtype=torch.float32)


def two_models(rng: np.random.Generator, *shape: int) -> tuple[Tensor, Tensor]:
    """Student's and teacher's logits."""
    return logits(rng, *shape), logits(rng, *shape)


def mean_cases() -> tuple[Case, ...]:
    """As (student_logits, teacher_logits, temperature)."""
    rng = np.random.default_rng(51)
    first = two_models(rng, 2, 3, 5)
    doubles = tuple(each.double() for each in two_models(rng, 3, 2, 4))
    return (
        Case("two texts of three tokens, T = 1.5", (*first, 1.5), public=True),
        Case("four texts of three tokens, T = 3", (*two_models(rng, 4, 3, 6), 3.0), public=True),
        Case("T = 1 when no temperature is given", first, public=True),
        Case("one text", (*two_models(rng, 1, 4, 3), 2.0)),
        Case("cold", (*two_models(rng, 2, 5, 4), 0.5)),
        Case("texts of one token", (*two_models(rng, 3, 1, 7), 4.0)),
        Case("double precision", (*doubles, 2.5)),
        Case("student and teacher agree", (first[0], first[0].clone(), 2.0)),
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


def masked_cases() -> tuple[Case, ...]:
    """As (student_logits, teacher_logits, input_ids, labels); a text is (prompt, answers…)."""
    rng = np.random.default_rng(52)
    doubles = rows(rng, 6, 4, (2, 3), (1, 2, 2))
    return (
        Case("a prompt, an answer, padding", rows(rng, 6, 5, (2, 2), (3, 3)), public=True),
        Case("two answers in a row", rows(rng, 8, 4, (2, 2, 3), (1, 3), (3, 2, 2)), public=True),
        Case("no padding", rows(rng, 4, 6, (2, 3), (1, 2, 2))),
        Case("an answer that is cut off", rows(rng, 5, 5, (3, 7), (2, 2))),
        Case("an answer that is only its end", rows(rng, 5, 4, (2, 1), (4, 1))),
        Case("no prompt to speak of", rows(rng, 6, 7, (1, 3), (1, 5))),
        Case("double precision", (doubles[0].double(), doubles[1].double(), *doubles[2:])),
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
    gap = tokens_as_labels(rng, 6, 5, (0, 1), (2, 0))
    gap[2][0, 2] = IGNORED
    doubles = tokens_as_labels(rng, 4, 5, (1, 0), (0, 1))
    return (
        Case("one text", one, public=True),
        Case("a prompt, and padding", tokens_as_labels(rng, 6, 5, (2, 0), (0, 2)), public=True),
        Case("three texts", tokens_as_labels(rng, 5, 6, (0, 1), (1, 0), (0, 0)), public=True),
        Case("one label ignored in the middle", gap),
        Case("one label counts", tokens_as_labels(rng, 4, 6, (3, 0))),
        Case("prompts alone", tokens_as_labels(rng, 5, 4, (2, 0), (3, 0))),
        Case("double precision", (doubles[0].double(), doubles[1].double(), doubles[2])),
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


def jsd_cases() -> tuple[Case, ...]:
    """As (student_logits, teacher_logits, beta)."""
    rng = np.random.default_rng(54)
    same = logits(rng, 2, 2, 5)
    doubles = tuple(each.double() for each in two_models(rng, 2, 3, 4))
    return (
        Case("β = 0.1", (*two_models(rng, 2, 3, 4), 0.1), public=True),
        Case("β = 0.7", (*two_models(rng, 1, 3, 5), 0.7), public=True),
        Case("large logits, β = 0.25", (*large(rng, 4), 0.25), {}, LARGE, True),
        Case("β = 0.5", (*two_models(rng, 2, 2, 6), 0.5)),
        Case("β = 0.99", (*two_models(rng, 1, 4, 3), 0.99)),
        Case("student and teacher agree", (same, same.clone(), 0.3)),
        Case("double precision", (*doubles, 0.8)),
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


def accumulated_cases() -> tuple[Case, ...]:
    """As (micro_batches,)."""
    rng = np.random.default_rng(55)
    doubles = [[of.double(), labels] for of, labels in parts(rng, 5, (3, 3, 1), (2, 2))]
    return (
        Case("a long part and a short one", (parts(rng, 4, (4, 4, 3), (2, 1, 1)),), public=True),
        Case("three parts", (parts(rng, 5, (3, 3), (5, 2, 4, 1), (2, 1, 2)),), public=True),
        Case("the second is empty", (parts(rng, 4, (3, 2, 3), (2, 0, 0)),), {}, EMPTY, True),
        Case("one part", (parts(rng, 6, (4, 3, 1)),)),
        Case("four parts of one text", (parts(rng, 4, (3, 3), (3, 1), (3, 2), (3, 3)),)),
        Case("equal parts", (parts(rng, 5, (3, 3, 3), (3, 3, 3)),)),
        Case("double precision", (doubles,)),
        Case("the first is empty", (parts(rng, 5, (2, 0), (4, 3, 1), (2, 1)),), {}, EMPTY),
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
    "a": "Row a: the number does not care for the length of a text, nor for the parts; it is small"
    " by one fixed factor. Divide the right value by it: which number of this batch do you get?",
    "b": "Row b: half the length, half the loss. What must the sum have been divided by, and what"
    " not?",
    "c": "Row c: a KL is never negative. Write out the sum that kl_div takes and ask which of its"
    " four ingredients could make it negative everywhere.",
    "d": "Row d: in one piece all is well. Only the number of pieces matters; what happens to the"
    " results of the pieces?",
}


def triage_mistakes() -> tuple[Mistake, ...]:
    """One for every wrong matching, with a hint for each wrong row."""
    found = []
    for order in permutations(CAUSES.values()):
        answer = dict(zip(CAUSES, order, strict=True))
        wrong = [key for key in CAUSES if answer[key] != CAUSES[key]]
        if wrong:
            hint = " ".join(WHY[key] for key in wrong)
            found.append(Mistake(f"wrong_{''.join(wrong)}", answer, hint, SECTIONS["2.2"]))
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
                "Heat makes a KL small, not exactly 0, and T² makes up for most of that. Did the"
                " number change when T did?",
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
        tolerance=heated,
    ),
    AnswerCheck(
        name="how_much_too_small",
        parts={"answer": 2},
        expected="The right loss divided by the wrong one, to the nearest whole number.",
        section=SECTIONS["2.2"],
        answer=TEXTS * LENGTH * VOCABULARY / COUNTED,
        tolerance=1.0,
        mistakes=(
            Mistake(
                "padding_forgotten",
                VOCABULARY,
                "That would be all if each position counted. The wrong divisor has the padding in"
                " it too.",
                SECTIONS["2.2"],
            ),
            Mistake(
                "whole_divisor",
                TEXTS * LENGTH * VOCABULARY,
                "That is the number that the wrong code divides by. The right code divides too.",
                SECTIONS["2.2"],
            ),
            Mistake(
                "padding_upside_down",
                COUNTED * VOCABULARY / (TEXTS * LENGTH),
                "The padding makes the wrong loss even smaller, and in your answer less so. Which"
                " of the two counts belongs to which code?",
                SECTIONS["2.2"],
            ),
            Mistake(
                "padding_alone",
                TEXTS * LENGTH / COUNTED,
                "You found what the padding does. There is one more axis that the mean runs over.",
                SECTIONS["1.2"],
            ),
            Mistake(
                "inverted",
                COUNTED / (TEXTS * LENGTH * VOCABULARY),
                "That is the wrong loss as a share of the right one. The question is asked the"
                " other way round.",
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
        misconceptions=named(SHIFT_WAYS, "2.2"),
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
        misconceptions=named(JSD_WAYS, "1.3"),
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
        misconceptions=named(ACCUMULATED_WAYS, "2.2"),
        tolerance=of_parts,
    ),
)
