"""Checks of ps3_lambda: schedules with a state, two forms of λ, where it leads. Never released."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autograder.spec import (
    AnswerCheck,
    Call,
    Case,
    FunctionCheck,
    Misconception,
    Mistake,
    load_sections,
)

SECTIONS = load_sections(Path(__file__).with_name("sections.json"))
WITHHELD = ("kdlab",)  # it holds the answers
RESUMED = "a run that goes on"

# --- Planned schedules --------------------------------------------------------------------------


class Linear:
    """From start to end in equal steps, and then at the end."""

    def __init__(self, start: float, end: float, steps: int) -> None:
        self.start, self.end, self.steps, self.count = start, end, steps, 0

    def fraction(self) -> float:
        return min(self.count / self.steps, 1.0)

    def shape(self, fraction: float) -> float:
        return fraction

    @property
    def value(self) -> float:
        return self.start + (self.end - self.start) * self.shape(self.fraction())

    def step(self) -> None:
        self.count += 1

    def state_dict(self) -> dict[str, Any]:
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        vars(self).update(state)


class Cosine(Linear):
    """The same along half a cosine."""

    def shape(self, fraction: float) -> float:
        return (1 - math.cos(math.pi * fraction)) / 2


def steps(count: int, *arguments: float) -> tuple[Call, ...]:
    """λ, and λ after each of some steps."""
    told = [(argument,) for argument in arguments] + [()] * count
    calls = [Call("value")]
    for each in told:
        calls += [Call("step", each, kept=False), Call("value")]
    return tuple(calls)


def resumed(before: tuple[Call, ...], after: tuple[Call, ...]) -> tuple[Call, ...]:
    """Steps, a state, more steps; then a new object with that state goes on."""
    return (
        *before,
        Call("state_dict", kept=False),
        *after,
        Call(None, kept=False),
        Call("load_state_dict", kept=False, given=len(before)),
        *after,
    )


def planned_cases() -> tuple[Case, ...]:
    """Public and hidden cases, with options as keyword arguments."""

    def case(name: str, start: float, end: float, total: int, count: int, public=False) -> Case:
        options = {"start": start, "end": end, "steps": total}
        return Case(name, (), options, public=public, calls=steps(count))

    def going_on(start: float, end: float, total: int, before: int, public=False) -> Case:
        options = {"start": start, "end": end, "steps": total}
        calls = resumed(steps(before), steps(2))
        return Case(f"resumed after {before}", (), options, RESUMED, public, calls)

    return (
        case("from 1 to 0 in 4 steps, and 2 more", 1.0, 0.0, 4, 6, public=True),
        case("from 2 to 0.5 in 5 steps", 2.0, 0.5, 5, 5, public=True),
        going_on(1.0, 0.0, 5, 2, public=True),
        case("rising", 0.25, 3.0, 6, 8),
        case("one step", 4.0, 1.0, 1, 3),
        case("nothing to do", 0.7, 0.7, 3, 4),
        case("long", 1.0, 0.1, 40, 45),
        going_on(3.0, 1.0, 4, 3),
        going_on(3.0, 1.0, 3, 5),
    )


def random_planned_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Cases of a submission's own."""
    for _ in range(2):
        total = int(rng.integers(3, 9))
        options = {"start": float(rng.uniform(1, 4)), "end": float(rng.uniform(0, 0.8))}
        options["steps"] = total
        yield Case("random", (), options, calls=steps(total + 2))
        calls = resumed(steps(total // 2), steps(2))
        yield Case("random, resumed", (), options, RESUMED, calls=calls)


def accumulated(case: Case) -> float:
    """Adding up n float32 numbers of size λ may be wrong by n·λ·ε."""
    sizes = [abs(value) for value in case.kwargs.values()]
    return 2 * len(case.calls) * max(1.0, *sizes[:2]) * float(np.finfo(np.float32).eps)


def planned_misconceptions(right: type) -> tuple[Misconception, ...]:
    """The ways in which a planned schedule goes wrong."""

    class OneTooSoon(right):
        def fraction(self) -> float:
            return min(self.count / (self.steps - 1), 1.0)

    class OneAhead(right):
        def fraction(self) -> float:
            return min((self.count + 1) / self.steps, 1.0)

    class OneTooLate(right):
        def fraction(self) -> float:
            return min(self.count / (self.steps + 1), 1.0)

    class Unbounded(right):
        def fraction(self) -> float:
            return self.count / self.steps

    class Backwards(right):
        def shape(self, fraction: float) -> float:
            return 1 - super().shape(fraction)

    class Stuck(right):
        def step(self) -> None:
            pass

    class Forgetful(right):
        def load_state_dict(self, state: dict[str, Any]) -> None:
            pass

    class Live(right):
        def state_dict(self) -> dict[str, Any]:
            return vars(self)

    ways = [
        (
            "ends_one_step_early",
            "λ reaches its end one step too soon. From the first value to the last there are as"
            " many gaps as steps; count them for steps = 4.",
            OneTooSoon,
        ),
        (
            "begins_one_step_ahead",
            "The first step of training does not get the start value: your schedule has moved"
            " before anyone called step().",
            OneAhead,
        ),
        (
            "ends_one_step_late",
            "After all its steps λ is not yet at its end. What should the fraction be when the"
            " count equals steps?",
            OneTooLate,
        ),
        (
            "goes_on_past_the_end",
            "Right up to the end, but after it λ moves on. Training often runs a little longer than"
            " planned; what should λ be then?",
            Unbounded,
        ),
        (
            "rising_for_falling",
            "Start and end are the wrong way round: λ begins where it should end.",
            Backwards,
        ),
        (
            "never_moves",
            "λ stays where it started. Does step() remember that it was called?",
            Stuck,
        ),
        (
            "state_not_restored",
            "Right in one go, but after loading a state your schedule begins anew, and a resumed"
            " run would repeat its first λ. What has to come back for value to be the same?",
            Forgetful,
        ),
        (
            "state_is_alive",
            "The state that you return goes on changing with your schedule: it is the schedule's"
            " own dictionary. A checkpoint should say what was when it was made.",
            Live,
        ),
    ]
    if right is Cosine:

        class WholeWave(Cosine):
            def shape(self, fraction: float) -> float:
                return (1 - math.cos(2 * math.pi * fraction)) / 2

        class Quarter(Cosine):
            def shape(self, fraction: float) -> float:
                return 1 - math.cos(math.pi * fraction / 2)

        class Straight(Linear):
            pass

        ways += [
            (
                "whole_wave",
                "λ comes back to its start: you follow a whole wave. Half of one goes from crest to"
                " trough.",
                WholeWave,
            ),
            (
                "quarter_wave",
                "λ starts slowly but arrives at full speed: you follow a quarter of a wave. Half of"
                " one is slow at both ends.",
                Quarter,
            ),
            ("straight_line", "Both ends are right, but λ moves in equal steps between.", Straight),
        ]
    return tuple(Misconception(name, hint, SECTIONS["3.1"], wrong) for name, hint, wrong in ways)


# --- A schedule that reacts ---------------------------------------------------------------------


class Plateau:
    """λ times factor when the gap did not shrink by more than threshold for too long."""

    def __init__(self, start: float, factor: float, patience: int, threshold: float) -> None:
        self.value, self.factor, self.patience = start, factor, patience
        self.threshold, self.best, self.waited = threshold, math.inf, 0

    def gains(self, gap: float) -> bool:
        return gap < self.best - self.threshold

    def waits_too_long(self) -> bool:
        return self.waited > self.patience

    def step(self, gap: float) -> None:
        if self.gains(gap):
            self.best, self.waited = gap, 0
            return
        self.waited += 1
        if self.waits_too_long():
            self.fall()

    def fall(self) -> None:
        self.value, self.waited = self.value * self.factor, 0

    def state_dict(self) -> dict[str, Any]:
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        vars(self).update(state)


# Gaps are multiples of 1/16, so that comparisons are exact in every precision.
GAINS = (2.0, 1.5, 1.0, 0.5)
STALLS = (2.0, 1.0, 1.0, 1.25, 1.0, 1.0, 1.0, 1.0)
CREEPS = (2.0, 1.875, 1.75, 1.625, 1.5, 1.375)  # gains below a threshold of 0.25, until they add up
ZIGZAG = (2.0, 1.0, 2.0, 1.5, 1.25, 0.5, 1.0, 0.75, 0.75, 0.75)


def plateau_cases() -> tuple[Case, ...]:
    """Public and hidden cases, with options as keyword arguments."""

    def options(start: float, factor: float, patience: int, threshold: float) -> dict[str, Any]:
        return {"start": start, "factor": factor, "patience": patience, "threshold": threshold}

    def case(name: str, gaps: tuple, asked: dict, public: bool = False) -> Case:
        return Case(name, (), asked, public=public, calls=steps(0, *gaps))

    def going_on(gaps: tuple, at: int, asked: dict, public: bool = False) -> Case:
        calls = resumed(steps(0, *gaps[:at]), steps(0, *gaps[at:]))
        return Case(f"resumed after {at}", (), asked, RESUMED, public, calls)

    return (
        case("a student that gains", GAINS, options(1.0, 0.5, 1, 0.0625), public=True),
        case("a student that stalls", STALLS, options(1.0, 0.5, 1, 0.0625), public=True),
        case("gains below the threshold", CREEPS, options(2.0, 0.5, 1, 0.25), public=True),
        case("up and down", ZIGZAG, options(4.0, 0.25, 2, 0.0625), public=True),
        case("stalls, gains, stalls", (2.0, 2.0, 1.0, 1.0), options(1.0, 0.5, 1, 0.0), public=True),
        going_on(STALLS, 5, options(1.0, 0.5, 1, 0.0625), public=True),
        going_on((2.0, 1.0, 1.5, 1.25, 1.5), 3, options(1.0, 0.5, 1, 0.0625), public=True),
        case("no patience", ZIGZAG, options(1.0, 0.5, 0, 0.0625)),
        case("a gain of just the threshold", (2.0, 1.75, 1.5, 1.25), options(1.0, 0.5, 0, 0.25)),
        case("down to nothing", STALLS, options(3.0, 0.0, 1, 0.0)),
        going_on(STALLS, 4, options(1.0, 0.5, 2, 0.0625)),
        going_on(ZIGZAG, 6, options(2.0, 0.5, 1, 0.0625)),
        going_on(STALLS, 7, options(2.0, 0.5, 1, 0.0625)),
        going_on(STALLS, 0, options(2.0, 0.5, 1, 0.0625)),
    )


def random_plateau_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Cases of a submission's own."""
    for _ in range(3):
        gaps = (rng.integers(4, 40, size=10) / 16).tolist()
        options = {"start": float(rng.uniform(1, 4)), "factor": float(rng.uniform(0.2, 0.8))}
        options |= {"patience": int(rng.integers(0, 3)), "threshold": 0.125}
        yield Case("random", (), options, calls=steps(0, *gaps))
        calls = resumed(steps(0, *gaps[:5]), steps(0, *gaps[5:]))
        yield Case("random, resumed", (), options, RESUMED, calls=calls)


class Impatient(Plateau):
    """One evaluation too soon."""

    def waits_too_long(self) -> bool:
        return self.waited >= self.patience


class Cascade(Plateau):
    """After the first fall, a fall at every evaluation without a gain."""

    def fall(self) -> None:
        self.value *= self.factor


class LastForBest(Plateau):
    """Compares with the last gap."""

    def step(self, gap: float) -> None:
        super().step(gap)
        self.best = gap


class AnyGain(Plateau):
    """The threshold is ignored."""

    def gains(self, gap: float) -> bool:
        return gap < self.best


class RisingWanted(Plateau):
    """Takes a growing gap for a gain."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.best = -math.inf

    def gains(self, gap: float) -> bool:
        return gap > self.best + self.threshold


class FallsOnGain(Plateau):
    """Falls when the student gains."""

    def step(self, gap: float) -> None:
        if self.gains(gap):
            self.best = gap
            self.value *= self.factor


class KeepsWaiting(Plateau):
    """A gain does not start the count anew."""

    def step(self, gap: float) -> None:
        if self.gains(gap):
            self.best = gap
            return
        self.waited += 1
        if self.waits_too_long():
            self.fall()


class Subtracts(Plateau):
    """λ − factor for λ · factor."""

    def fall(self) -> None:
        self.value, self.waited = self.value - self.factor, 0


class ForgetsAll(Plateau):
    """Nothing comes back."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


class KeepsOnlyLambda(Plateau):
    """λ comes back, and what was watched does not."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.value = state["value"]


class ForgetsTheCount(Plateau):
    """λ and the best gap come back, the count does not."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        vars(self).update(state | {"waited": 0})


class LiveState(Plateau):
    """The state is the object's own dictionary."""

    def state_dict(self) -> dict[str, Any]:
        return vars(self)


PLATEAU_MISCONCEPTIONS = tuple(
    Misconception(name, hint, SECTIONS["3.1"], wrong)
    for name, hint, wrong in (
        (
            "one_evaluation_too_soon",
            "λ falls one evaluation too soon. With a patience of 1, one evaluation without a gain"
            " passes; what about the next?",
            Impatient,
        ),
        (
            "no_new_patience_after_a_fall",
            "After its first fall λ falls at every evaluation without a gain. A smaller λ needs"
            " time to show what it does.",
            Cascade,
        ),
        (
            "last_for_best",
            "You compare with the last gap. A gap that rises and comes back is not a gain; what"
            " has to be beaten?",
            LastForBest,
        ),
        (
            "threshold_ignored",
            "Every gain counts for you, however small. Validation losses are noisy; the threshold"
            " says what is worth waiting for.",
            AnyGain,
        ),
        (
            "rising_gap_wanted",
            "You take a growing gap for a gain. The gap says how far the student is above its"
            " teacher's loss; when is that good?",
            RisingWanted,
        ),
        (
            "falls_on_gain",
            "λ falls when the student gains, which is when its teacher still helps.",
            FallsOnGain,
        ),
        (
            "gain_does_not_reset",
            "A gain does not make your schedule patient again: evaluations without one are counted"
            " over the whole run.",
            KeepsWaiting,
        ),
        (
            "factor_subtracted",
            "You take the factor away from λ. A factor multiplies; a difference could go below 0.",
            Subtracts,
        ),
        (
            "state_not_restored",
            "Right in one go, but after loading a state your schedule begins anew.",
            ForgetsAll,
        ),
        (
            "watched_not_restored",
            "λ comes back, but after loading a state the first gap counts as a gain, whatever it"
            " is. What else does step() remember from one call to the next?",
            KeepsOnlyLambda,
        ),
        (
            "count_not_restored",
            "λ and the best gap come back, but not for how long there was no gain.",
            ForgetsTheCount,
        ),
        (
            "state_is_alive",
            "The state that you return goes on changing with your schedule: it is the schedule's"
            " own dictionary. A checkpoint should say what was when it was made.",
            LiveState,
        ),
    )
)

# --- Two forms ----------------------------------------------------------------------------------


def to_convex(lam: float) -> list[float]:
    """α, and what the convex loss is multiplied by, to give the additive one."""
    return [lam / (1 + lam), 1 + lam]


CONVEX_MISCONCEPTIONS = tuple(
    Misconception(name, hint, SECTIONS["2.2"], wrong)
    for name, hint, wrong in (
        (
            "alpha_is_lambda",
            "You set α = λ. For λ = 3 the labels would get a weight of −2. Write both losses out"
            " and compare the ratio of the two weights.",
            lambda lam: [lam, 1.0],
        ),
        (
            "alpha_is_lambda_rescaled",
            "The factor is right, but α = λ. Compare the ratio of the two weights in both forms.",
            lambda lam: [lam, 1 + lam],
        ),
        (
            "weights_swapped",
            "Your α is the share of the labels. Here α is the teacher's.",
            lambda lam: [1 / (1 + lam), 1 + lam],
        ),
        (
            "factor_missing",
            "α is right. But the two losses are not equal yet: the additive weights add up to more"
            " than 1, and the optimiser would take smaller steps.",
            lambda lam: [lam / (1 + lam), 1.0],
        ),
        (
            "factor_inverted",
            "α is right, and the factor is upside down: which of the two losses is the larger one?",
            lambda lam: [lam / (1 + lam), 1 / (1 + lam)],
        ),
    )
)

# --- Where λ leads ------------------------------------------------------------------------------


def mixture(
    teacher_logits: Tensor,
    labels: Tensor,
    weights: Callable[[float], tuple[float, float]],
    lam: float,
) -> Tensor:
    """A weighted sum of the label's and the teacher's distribution."""
    p = teacher_logits.double().softmax(-1)
    label_weight, teacher_weight = weights(lam)
    return label_weight * torch.nn.functional.one_hot(labels, p.shape[-1]) + teacher_weight * p


def best_student(teacher_logits: Tensor, labels: Tensor, lam: float) -> Tensor:
    """q* = (onehot(y) + λp) / (1 + λ)."""
    return mixture(teacher_logits, labels, lambda lam: (1 / (1 + lam), lam / (1 + lam)), lam)


def best_cases() -> tuple[Case, ...]:
    """As (teacher_logits, labels, λ)."""
    rng = np.random.default_rng(33)

    def position(shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        logits = torch.tensor(rng.normal(scale=2.0, size=shape), dtype=torch.float32)
        return logits, torch.tensor(rng.integers(0, shape[-1], size=shape[:-1]))

    return (
        Case("one position", (*position((4,)), 2.0), public=True),
        Case("three positions", (*position((3, 5)), 0.5), public=True),
        Case("two texts of three positions", (*position((2, 3, 4)), 3.0), public=True),
        Case("λ = 0", (*position((2, 4)), 0.0)),
        Case("λ = 1", (*position((3, 3)), 1.0)),
        Case("a large λ", (*position((2, 6)), 50.0)),
        Case("a sure teacher", (40 * position((2, 4))[0], torch.tensor([0, 3]), 1.5)),
    )


def random_best_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Cases of a submission's own."""
    for leading in ((4,), (2, 3)):
        size = int(rng.integers(3, 8))
        logits = torch.tensor(rng.normal(scale=2.0, size=(*leading, size)), dtype=torch.float32)
        labels = torch.tensor(rng.integers(0, size, size=leading))
        yield Case("random", (logits, labels, float(rng.uniform(1.2, 4.0))))


BEST_MISCONCEPTIONS = tuple(
    Misconception(name, hint, SECTIONS["2.2"], wrong)
    for name, hint, wrong in (
        (
            "not_normalised",
            "Your probabilities add up to 1 + λ.",
            lambda t, y, lam: mixture(t, y, lambda lam: (1.0, lam), lam),
        ),
        (
            "lambda_on_the_label",
            "A larger λ moves your student to the label. Which of the two is λ the weight of?",
            lambda t, y, lam: mixture(t, y, lambda lam: (lam / (1 + lam), 1 / (1 + lam)), lam),
        ),
        (
            "lambda_ignored",
            "You average label and teacher, whatever λ is.",
            lambda t, y, lam: mixture(t, y, lambda lam: (0.5, 0.5), lam),
        ),
        (
            "lambda_as_share",
            "You give the teacher λ and the label 1 − λ. λ may be larger than 1; what share of the"
            " whole is it?",
            lambda t, y, lam: mixture(t, y, lambda lam: (1 - lam, lam), lam),
        ),
        (
            "teacher_alone",
            "You return the teacher. That is the limit for λ → ∞.",
            lambda t, y, lam: mixture(t, y, lambda lam: (0.0, 1.0), lam),
        ),
        (
            "logits_mixed",
            "You mixed the label with logits. What is mixed are probabilities: the weights in the"
            " derivation multiply p.",
            lambda t, y, lam: (
                (torch.nn.functional.one_hot(y, t.shape[-1]) + lam * t.double()) / (1 + lam)
            ),
        ),
    )
)

# --- Which λ? -----------------------------------------------------------------------------------

WANTED = {"a": "high", "b": "low", "c": "falling"}
WHY = {
    "a": "Case a: the labels are guesses, the teacher is good. Which one would you rather be wrong"
    " about?",
    "b": "Case b: the labels were checked, and the teacher is weaker than the student already is."
    " What would the student copy from it?",
    "c": "Case c: at first the teacher knows more than the labels can say in the time, later the"
    " student outgrows it. One number cannot serve both.",
}


def choice_mistakes() -> tuple[Mistake, ...]:
    """One for every wrong assignment, with a hint for each wrong case."""
    found = []
    for choices in product(("high", "low", "falling"), repeat=3):
        answer = dict(zip(WANTED, choices, strict=True))
        wrong = [case for case in WANTED if answer[case] != WANTED[case]]
        if wrong:
            hint = " ".join(WHY[case] for case in wrong)
            found.append(Mistake(f"wrong_{''.join(wrong)}", answer, hint, SECTIONS["1.4"]))
    return tuple(found)


STAGES = ["b", "d", "a", "c"]

# --- The tasks ----------------------------------------------------------------------------------

CHECKS = (
    FunctionCheck(
        name="linear_lambda",
        parts={"values": 3, RESUMED: 1},
        expected="A class whose value goes from start to end in equal steps, is exactly end after"
        " `steps` calls of step(), stays there, and goes on where a loaded state says.",
        section=SECTIONS["3.1"],
        reference=Linear,
        fixed=planned_cases(),
        random=random_planned_cases,
        misconceptions=planned_misconceptions(Linear),
        tolerance=accumulated,
    ),
    FunctionCheck(
        name="cosine_lambda",
        parts={"values": 2, RESUMED: 1},
        expected="The same along half a cosine: slow at both ends, fast in the middle.",
        section=SECTIONS["3.1"],
        reference=Cosine,
        fixed=planned_cases(),
        random=random_planned_cases,
        misconceptions=planned_misconceptions(Cosine),
        tolerance=accumulated,
    ),
    FunctionCheck(
        name="plateau_lambda",
        parts={"values": 3, RESUMED: 1},
        expected="A class whose value is multiplied by factor when, for more than `patience`"
        " evaluations, the gap was not below the best one by more than threshold.",
        section=SECTIONS["3.1"],
        reference=Plateau,
        fixed=plateau_cases(),
        random=random_plateau_cases,
        misconceptions=PLATEAU_MISCONCEPTIONS,
        tolerance=accumulated,
    ),
    FunctionCheck(
        name="to_convex",
        parts={"values": 2},
        expected="(α, factor) with LM + λ·KD = factor · ((1 − α)·LM + α·KD).",
        section=SECTIONS["2.2"],
        reference=to_convex,
        fixed=(
            Case("λ = 1", (1.0,), public=True),
            Case("λ = 3", (3.0,), public=True),
            Case("λ = 0", (0.0,)),
            Case("λ = 0.25", (0.25,)),
            Case("λ = 99", (99.0,)),
        ),
        random=lambda rng: [Case("random", (float(rng.uniform(0.1, 5)),)) for _ in range(2)],
        misconceptions=CONVEX_MISCONCEPTIONS,
        tolerance=lambda case: 4 * (1 + case.args[0]) * float(np.finfo(np.float32).eps),
    ),
    FunctionCheck(
        name="best_student",
        parts={"values": 3},
        expected="The distributions where LM + λ·KL(p‖q) is smallest, of the logits' shape.",
        section=SECTIONS["2.2"],
        reference=best_student,
        fixed=best_cases(),
        random=random_best_cases,
        misconceptions=BEST_MISCONCEPTIONS,
    ),
    AnswerCheck(
        name="which_lambda",
        parts={"answer": 3},
        expected="For each case, whether λ should be high, low, or falling.",
        section=SECTIONS["1.4"],
        answer=WANTED,
        mistakes=choice_mistakes(),
    ),
    AnswerCheck(
        name="stages",
        parts={"answer": 2},
        expected="The four stages of a run, from the highest λ to the lowest.",
        section=SECTIONS["3.1"],
        answer=STAGES,
        mistakes=tuple(
            Mistake(
                "rising" if list(order) == STAGES[::-1] else "out_of_order",
                list(order),
                "Your λ rises as the student grows able. A teacher has most to say to a student"
                " that knows nothing."
                if list(order) == STAGES[::-1]
                else "At least one stage is out of place. Ask of each: how much can this teacher"
                " still teach this student?",
                SECTIONS["3.1"],
            )
            for order in permutations(sorted(STAGES))
            if list(order) != STAGES
        ),
    ),
)
