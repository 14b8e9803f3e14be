"""Checks of ps2_combined_objective: the two losses, both ways to add them, a gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
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


def mean_of_means(losses: Tensor, labels: Tensor) -> Tensor:
    """The mean over texts of each text's own mean."""
    counts = labels != IGNORED
    return ((losses * counts).sum(-1) / counts.sum(-1).clamp_min(1)).mean()


def total(losses: Tensor, labels: Tensor) -> Tensor:
    """The sum."""
    return losses[labels != IGNORED].sum()


Mean = Callable[[Tensor, Tensor], Tensor]


def lm_loss(
    student_logits: Tensor, labels: Tensor, *, mean: Mean = token_mean, temperature: float = 1.0
) -> Tensor:
    """Mean of −log q(y)."""
    return mean(label_losses(student_logits, labels, temperature), labels)


def shifted(of: Callable, *tensors: Tensor, **options: Any) -> Tensor:
    """A loss of the logits of each position with the label of the next."""
    *logits, labels = tensors
    return of(*(each[:, :-1] for each in logits), labels[:, 1:], **options)


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


def probabilities_as_logarithms(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """kl_div with log_target=True, given probabilities."""
    p = (teacher.double() / temperature).softmax(-1)
    return (p.exp() * (p - (student.double() / temperature).log_softmax(-1))).sum(-1)


def logarithms_as_probabilities(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """kl_div without log_target=True, given log-probabilities."""
    log_p = (teacher.double() / temperature).log_softmax(-1)
    log_q = (student.double() / temperature).log_softmax(-1)
    return torch.nn.functional.kl_div(log_q, log_p, reduction="none").sum(-1)


def combined_objective(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    lam: float,
    temperature: float = 1.0,
    *,
    weights: Callable[[float], tuple[float, float]] = lambda lam: (1.0, lam),
    lm_temperature: Callable[[float], float] = lambda temperature: 1.0,
    **options: Any,
) -> Tensor:
    """LM + λ·KD."""
    lm_weight, kd_weight = weights(lam)
    mean = options.get("mean", token_mean)
    lm = lm_loss(student_logits, labels, mean=mean, temperature=lm_temperature(temperature))
    kd = kd_loss(student_logits, teacher_logits, labels, temperature, **options)
    return lm_weight * lm + kd_weight * kd


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
    """Name, whether public, and tensors."""
    rng = np.random.default_rng(2)
    middle = batch(rng, 2, 5, 4, (1, 0))
    middle[2][1, 2] = IGNORED
    double = batch(rng, 2, 3, 6, (0, 1))
    return [
        ("two texts, one padded", True, batch(rng, 2, 3, 4, (2, 0))),
        ("three texts, padded differently", True, batch(rng, 3, 4, 5, (3, 1, 0))),
        ("nothing ignored", False, batch(rng, 2, 4, 5, (0, 0))),
        ("one label ignored in the middle", False, middle),
        ("double precision", False, (double[0].double(), double[1].double(), double[2])),
        ("one text does not count at all", False, batch(rng, 3, 3, 4, (3, 0, 1))),
        ("one position counts", False, batch(rng, 2, 3, 5, (2, 3))),
    ]


def nothing_counts(vocabulary: int) -> tuple[Tensor, Tensor, Tensor]:
    """A batch in which all labels are ignored."""
    return batch(np.random.default_rng(3), 2, 3, vocabulary, (3, 3))


def random_batch(rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """A batch of a submission's own."""
    texts, length = int(rng.integers(2, 5)), int(rng.integers(4, 7))
    ignored = (2, 0, *map(int, rng.integers(0, 3, size=texts - 2)))
    return batch(rng, texts, length, int(rng.integers(3, 8)), ignored)


def lm_cases() -> tuple[Case, ...]:
    """As (student_logits, labels)."""
    return (
        *(Case(name, (x[0], x[2]), public=public) for name, public, x in batches()),
        Case("nothing counts", (nothing_counts(4)[0], nothing_counts(4)[2]), {}, NOTHING, True),
        Case("nothing counts, again", (nothing_counts(6)[0], nothing_counts(6)[2]), {}, NOTHING),
    )


def random_lm_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Cases of a submission's own."""
    for _ in range(3):
        student, _, labels = random_batch(rng)
        yield Case("random", (student, labels))


KNOBS = ((0.5, 2.0), (0.8, 1.5), (3.0, 1.0), (0.0, 2.0), (0.7, 4.0), (0.25, 0.5), (0.4, 3.0))


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
    found.append(Case("T = 1 when no temperature is given", found[0].args[:-1], public=True))
    if not knob:
        found += [
            Case("nothing counts", (*nothing_counts(4), 2.0), {}, NOTHING, True),
            Case("nothing counts, again", (*nothing_counts(6), 0.5), {}, NOTHING),
        ]
    return tuple(found)


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
    "Right as long as a label counts. A batch of padding alone has a mean over no positions, 0/0,"
    " and one NaN is enough to spoil every weight. Such a batch should cost nothing.",
    "2.2",
)
MEANS = (
    (
        "masked_positions_counted",
        "Positions whose label is -100 are part of your mean: padding pulls the loss around. Select"
        " the positions that count before you reduce.",
        "2.2",
        unmasked_mean,
    ),
    (
        "divided_by_all_positions",
        "The ignored positions left the sum but not the divisor, so a text with more padding seems"
        " easier. How many terms does your sum have?",
        "2.2",
        diluted_mean,
    ),
    (
        "batch_mean",
        "You divide by the number of texts. Then a long text makes the loss, and the learning rate"
        " with it, larger. What is the loss counted per?",
        "2.2",
        batch_mean,
    ),
    (
        "mean_of_means",
        "You average within each text first, so a token of a short text weighs more than one of a"
        " long text. All tokens that count should weigh the same.",
        "2.2",
        mean_of_means,
    ),
    (
        "summed",
        "This is the sum. It grows with the batch; the task asks for the mean over the positions"
        " that count.",
        "2.2",
        total,
    ),
)
SHIFTED = (
    "labels_shifted",
    "You compare the logits of each position with the label of the next. Here labels[i] is already"
    " the token that logits[i] predicts, so the shift was made twice.",
    "2.2",
)
SCALES = (
    (
        "t_squared_missing",
        "The KD term gets weaker as T grows. Logits over T make gradients smaller by 1/T twice"
        " over: once by the chain rule, once because softer distributions differ less. What makes"
        " up for that?",
        "2.2",
        unscaled,
    ),
    (
        "t_for_t_squared",
        "You scale by T. The chain rule gives one factor 1/T; where does the other one come from?",
        "2.2",
        scaled_once,
    ),
)
KD_LOSSES = (
    (
        "direction_swapped",
        "This is the divergence the other way round: the student's probabilities are the weights."
        " Which of the two distributions is given, and which one is learning to cover it?",
        "1.3",
        swapped_losses,
    ),
    (
        "cross_entropy",
        "Your loss is not 0 when student and teacher agree: the teacher's entropy is still in it.",
        "1.2",
        soft_cross_entropy,
    ),
    (
        "vocabulary_mean",
        "Too small by the size of the vocabulary: reduction='mean' averages over the classes too."
        " A divergence adds them up.",
        "1.2",
        class_mean_losses,
    ),
    (
        "temperature_on_the_teacher_alone",
        "A soft teacher is compared with a student at T = 1, so even a perfect student pays."
        " Compare like with like.",
        "1.1",
        cold_losses,
    ),
    (
        "log_target_with_probabilities",
        "kl_div was told that its target is a logarithm, and got probabilities. What it takes as"
        " input and what as target are two different questions; look both up.",
        "2.2",
        probabilities_as_logarithms,
    ),
    (
        "log_target_missing",
        "kl_div takes its target for probabilities unless it is told otherwise, and the logarithm"
        " of a negative number is NaN.",
        "2.2",
        logarithms_as_probabilities,
    ),
)


def named(name: str, hint: str, number: str, wrong: Callable) -> Misconception:
    """A misconception with its section."""
    return Misconception(name, hint, SECTIONS[number], wrong)


LM_MISCONCEPTIONS = (
    named(*NAN, partial(lm_loss, mean=empty_mean)),
    *(named(name, hint, number, partial(lm_loss, mean=mean)) for name, hint, number, mean in MEANS),
    named(*SHIFTED, partial(shifted, lm_loss)),
    named(
        "sign_flipped",
        "Your loss is negative: it is the mean log-likelihood, which should rise. An optimiser"
        " makes things small.",
        "2.2",
        lambda student_logits, labels: -lm_loss(student_logits, labels),
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
    *(named(name, hint, number, partial(kd_loss, mean=mean)) for name, hint, number, mean in MEANS),
    *(
        named(name, hint, number, partial(kd_loss, scale=scale))
        for name, hint, number, scale in SCALES
    ),
    *(
        named(name, hint, number, partial(kd_loss, losses=losses))
        for name, hint, number, losses in KD_LOSSES
    ),
    named(
        "logits_multiplied_by_temperature",
        "Your distributions get sharper as T grows; heat should level them.",
        "1.1",
        partial(
            kd_loss, losses=lambda student, teacher, t: teacher_losses(student, teacher, 1 / t)
        ),
    ),
)


def objective_misconceptions(of: Callable, convex: bool) -> tuple[Misconception, ...]:
    """What goes wrong when two losses become one."""
    shared = (
        (
            "lm_loss_at_temperature",
            "The LM loss is taken at T too. A label is not soft: it says which token came, and the"
            " probability that counts is the one that the student will write with, at T = 1.",
            "2.2",
            {"lm_temperature": lambda temperature: temperature},
        ),
        *((name, hint, number, {"scale": scale}) for name, hint, number, scale in SCALES),
        *((name, hint, number, {"mean": mean}) for name, hint, number, mean in MEANS),
        *((name, hint, number, {"losses": losses}) for name, hint, number, losses in KD_LOSSES[:1]),
    )
    if convex:
        own = (
            (
                "alpha_on_the_wrong_term",
                "At α = 1 your student listens to the labels alone. Which of the two teachers does"
                " a larger α give more to, in the formula of the task?",
                "2.2",
                {"weights": lambda alpha: (alpha, 1 - alpha)},
            ),
            (
                "alpha_as_lambda",
                "α is used as λ is: the LM term keeps its whole weight. A mixture gives to one what"
                " it takes from the other.",
                "2.2",
                {"weights": lambda alpha: (1.0, alpha)},
            ),
        )
    else:
        own = (
            (
                "lambda_on_the_wrong_term",
                "At λ = 0 your loss ignores the labels. λ is the price of leaving the teacher;"
                " which of the two terms measures that?",
                "2.2",
                {"weights": lambda lam: (lam, 1.0)},
            ),
            (
                "lambda_on_both_terms",
                "λ multiplies the whole loss, so it changes the step and not the goal. It should"
                " weigh one term against the other.",
                "2.2",
                {"weights": lambda lam: (lam, lam)},
            ),
            (
                "lambda_as_alpha",
                "You mix: (1 − λ) of one and λ of the other. In the additive form the labels keep"
                " their whole weight, and λ may be larger than 1.",
                "2.2",
                {"weights": lambda lam: (1 - lam, lam)},
            ),
            (
                "penalty_subtracted",
                "The KD term lowers your loss, so your student is paid for leaving its teacher. In"
                " the maximised form the penalty is subtracted; what happens to it when the sign of"
                " the whole is turned?",
                "2.2",
                {"weights": lambda lam: (1.0, -lam)},
            ),
        )
    return tuple(
        named(name, hint, number, partial(of, **options))
        for name, hint, number, options in own + shared
    )


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
        "Your gradient points downhill. A gradient points to where the loss grows; it is the"
        " optimiser that turns it round.",
        "2.2",
        partial(objective_gradients, factor=-1.0),
    ),
    *(
        named(
            name,
            hint,
            number,
            partial(objective_gradients, loss=partial(combined_objective, scale=scale)),
        )
        for name, hint, number, scale in SCALES
    ),
    *(
        named(
            name,
            hint,
            number,
            partial(objective_gradients, loss=partial(combined_objective, mean=mean)),
        )
        for name, hint, number, mean in MEANS
    ),
    named(
        "lm_loss_at_temperature",
        "The label's part is at temperature T. A label is not soft; its part is at T = 1.",
        "2.2",
        partial(objective_gradients, loss=partial(combined_objective, lm_temperature=lambda t: t)),
    ),
    named(
        "teacher_forgotten",
        "This is the gradient of the LM loss alone. Where does the teacher pull?",
        "2.1",
        partial(objective_gradients, loss=partial(combined_objective, weights=lambda lam: (1, 0))),
    ),
    named(
        "labels_forgotten",
        "This is the gradient of the teacher's part alone. Where do the labels pull?",
        "2.1",
        partial(
            objective_gradients, loss=partial(combined_objective, weights=lambda lam: (0, lam))
        ),
    ),
)

# --- The tasks ----------------------------------------------------------------------------------

LAMBDA, P_LABEL = 2.0, 0.4
BEST = (1 + LAMBDA * P_LABEL) / (1 + LAMBDA)

CHECKS = (
    choice(
        name="two_sources_choice",
        parts={"answer": 2},
        expected="What training with the combined objective asks of the student.",
        section=SECTIONS["2.1"],
        options=(
            Option(
                "a",
                "Then the teacher's distribution would be used up after the first phase. The"
                " objective is one sum: what does each single step see?",
                SECTIONS["2.1"],
            ),
            Option(
                "b",
                "A sum of two losses is not a loss of averaged weights; the teacher's weights need"
                " not even have the same shape. What of the teacher does the loss look at?",
                SECTIONS["2.1"],
            ),
            Option("c", None, SECTIONS["2.1"]),
            Option(
                "d",
                "With that, an hour of text would carry no more than its labels. What does the"
                " teacher say about the tokens that did not come?",
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
        tolerance=tolerance,
    ),
    FunctionCheck(
        name="combined_objective",
        parts={"values": 3},
        expected="LM + λ·KD, LM at T = 1 and KD at T and times T², both means over the positions"
        " that count.",
        section=SECTIONS["2.2"],
        reference=combined_objective,
        fixed=cases(knob=True),
        random=partial(random_cases, knob=True),
        misconceptions=objective_misconceptions(combined_objective, convex=False),
        tolerance=tolerance,
    ),
    FunctionCheck(
        name="convex_objective",
        parts={"values": 2},
        expected="(1 − α)·LM + α·KD, with the same two losses.",
        section=SECTIONS["2.2"],
        reference=convex_objective,
        fixed=tuple(case for case in cases(knob=True) if case.args[3] <= 1.0),
        random=partial(random_cases, knob=True),
        misconceptions=objective_misconceptions(convex_objective, convex=True),
        tolerance=tolerance,
    ),
    AnswerCheck(
        name="best_probability",
        parts={"answer": 2},
        expected="The probability of the label where LM + λ·KL(p‖q) is smallest.",
        section=SECTIONS["2.2"],
        answer=BEST,
        tolerance=0.005,
        mistakes=(
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
                "Then all other tokens get nothing, although the teacher finds them likely. KL"
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
                "λ weighs the label in your answer. Which of the two does it multiply?",
                SECTIONS["2.2"],
            ),
            Mistake(
                "not_normalised",
                1 + LAMBDA * P_LABEL,
                "A probability is at most 1. The weights of label and teacher add up to more than"
                " that; divide by their sum.",
                SECTIONS["2.2"],
            ),
        ),
    ),
    FunctionCheck(
        name="objective_gradients",
        parts={"values": 4},
        expected="Two tensors of the logits' shape: the gradient of LM + λ·KD for the student's"
        " logits, and for the teacher's zeros, because the teacher does not learn.",
        section=SECTIONS["2.2"],
        reference=objective_gradients,
        fixed=cases(knob=True),
        random=partial(random_cases, knob=True),
        misconceptions=GRADIENT_MISCONCEPTIONS,
        tolerance=tolerance,
    ),
)
