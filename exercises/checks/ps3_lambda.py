"""Checks of ps3_lambda: schedules with a state, two forms of λ, where it leads. Never released."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import combinations, pairwise, permutations, product
from pathlib import Path
from typing import Any, ClassVar

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

    @staticmethod
    def shape(fraction: float) -> float:
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

    @staticmethod
    def shape(fraction: float) -> float:
        return (1 - math.cos(math.pi * fraction)) / 2


def steps(count: int, *arguments: float) -> tuple[Call, ...]:
    """λ, and λ after each of some steps."""
    told = [(argument,) for argument in arguments] + [()] * count
    calls = [Call("value")]
    for each in told:
        calls += [Call("step", each, kept=False), Call("value")]
    return tuple(calls)


def seldom(moments: tuple[int, ...], *arguments: float) -> tuple[Call, ...]:
    """λ, and λ after some numbers of steps, each with the same arguments."""
    calls = [Call("value")]
    for before, moment in pairwise((0, *moments)):
        calls += [Call("step", arguments, kept=False)] * (moment - before) + [Call("value")]
    return tuple(calls)


def resumed(before: tuple[Call, ...], after: tuple[Call, ...]) -> tuple[Call, ...]:
    """Steps, a state, more steps, another state, a step; two new objects load the first state."""
    going_on = (
        Call(None, kept=False),
        Call("load_state_dict", kept=False, given=len(before)),
        *after,
    )
    state = Call("state_dict", kept=False)
    return (*before, state, *after[:-2], state, *after[-2:], *going_on, *going_on)


def side_by_side(
    options: dict[str, float],
    one: tuple[float, ...] = (),
    other: tuple[float, ...] = (),
    last: tuple[tuple[float, ...], ...] = ((),),
) -> tuple[Call, ...]:
    """Two objects that live at once, stepped in turn; options are those of the second.

    `one`, `other` and `last` are what step() is given: of the first object, of the second one, and
    of the first in its later steps.
    """
    value = Call("value")
    step, others, *ends = (Call("step", each, kept=False) for each in (one, other, *last))
    first, second = Call(None, kept=False), Call(None, kept=False, kwargs=options)
    back = Call(None, kept=False, given=0)
    before = (first, step, value, second, value, others, others, value, back, value)
    return (*before, *(call for end in ends for call in (end, value)))


def planned_cases() -> tuple[Case, ...]:
    """Public and hidden cases, with options as keyword arguments."""

    def case(name: str, start: float, end: float, total: int, count: int, public=False) -> Case:
        options = {"start": start, "end": end, "steps": total}
        return Case(name, (), options, public=public, calls=steps(count))

    def going_on(
        start: float, end: float, total: int, before: int, public=False, after: int = 2
    ) -> Case:
        options = {"start": start, "end": end, "steps": total}
        calls = resumed(steps(before), steps(after))
        name = f"after {before} steps, a state that two new objects go on from"
        return Case(name, (), options, RESUMED, public, calls)

    beside = {"start": 1.0, "end": 0.0, "steps": 4}
    another = {"start": 0.5, "end": 2.0, "steps": 3}
    twice = (Call("value"), *steps(6))  # λ is asked for twice, with no step between
    return (
        Case("from 1 to 0 in 4 steps, and 2 more", (), beside, public=True, calls=twice),
        # Six shares, or six of these steps, add up to a little less than the whole way.
        case("from 1 to 0.2 in 6 steps, and 2 more", 1.0, 0.2, 6, 8, public=True),
        case("rising from 0 to 1.7 in 6 steps", 0.0, 1.7, 6, 6, public=True),
        going_on(1.0, 0.0, 49, 1, public=True, after=3),  # 1/49 · 49 is less than 1
        going_on(2.0, 1.0, 3, 2, public=True),
        going_on(3.0, 1.0, 3, 5, public=True),
        going_on(0.7, 0.7, 3, 2, public=True),
        Case("two schedules side by side", (), beside, RESUMED, True, side_by_side(another)),
        # Who has no value at the end, or after it, shows here what comes before.
        case("4 of 6 steps, rising from 0.25 to 3", 0.25, 3.0, 6, 4, public=True),
        case("from 4 to 1 in one step", 4.0, 1.0, 1, 3, public=True),
        # Who has no value anywhere has none here, where others have one.
        case("nothing to do in 2 of 3 steps", 0.7, 0.7, 3, 2, public=True),
        # No λ is halfway between two that are rounded.
        Case(
            "rising from 0.137 to 1 in 300 steps, and 1 more",
            (),
            {"start": 0.137, "end": 1.0, "steps": 300},
            public=True,
            calls=seldom((1, 2, 15, 151, 299, 300, 301)),
        ),
        going_on(2.5, 0.5, 4, 4),
        going_on(1.5, 0.5, 4, 0),
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


def asked_values(case: Case) -> list[tuple[int, int]]:
    """Of each value that is kept, how many steps were taken, and which load of a state came before.

    Returns:
        Of each value the steps that its object has behind it, and whether it was the first or the
        second object that loaded the state; 0 where it loaded none.
    """
    here, loads = -1, 0
    counts, loaded, saved, found = {here: 0}, {here: 0}, {}, []
    for at, call in enumerate(case.calls):
        if call.name is None:
            here = at if call.given is None else call.given
            counts.setdefault(here, 0)
            loaded.setdefault(here, 0)
        elif call.name == "step":
            counts[here] += 1
        elif call.name == "state_dict":
            saved[at] = counts[here]
        elif call.name == "load_state_dict":
            loads += 1
            counts[here], loaded[here] = saved[call.given], loads
        elif call.name == "value" and call.kept:
            found.append((counts[here], loaded[here]))
    return found


def planned_facts(case: Case) -> dict[str, Any]:
    """What is so of a case, and where in its values something lies."""
    asked, total = asked_values(case), case.kwargs["steps"]
    counts = [count for count, _ in asked]
    start, end = case.kwargs["start"], case.kwargs["end"]
    return {
        "`start`": start,
        "`end`": end,
        "`end` - `start`": end - start,
        "λ rises": end > start,
        "λ falls": end < start,
        "`start` is 0": start == 0,
        "`end` is 0": end == 0,
        "`steps` is 1": total == 1,
        "`start` and `end` are equal": start == end,
        "a state is loaded": any(call.name == "load_state_dict" for call in case.calls),
        "λ is asked for after more steps than `steps`": max(counts) > total,
        "before the first step": [count == 0 for count in counts],
        "of the last step": [count == total for count in counts],
        "after the last step": [count > total for count in counts],
        "of the last step and after it": [count >= total for count in counts],
        "between the first and the last step": [0 < count < total for count in counts],
        "after a state was loaded": [loaded > 0 for _, loaded in asked],
        "of the second object that loads the state": [loaded == 2 for _, loaded in asked],
    }


def accumulated(case: Case) -> float:
    """Adding up n float32 numbers of size λ may be wrong by n·λ·ε."""
    sizes = [abs(value) for value in case.kwargs.values()]
    return 2 * len(case.calls) * max(1.0, *sizes[:2]) * float(np.finfo(np.float32).eps)


def guarded(wrong: type) -> type:
    """The same, with `end` returned once all steps are done."""

    class Guarded(wrong):
        @property
        def value(self) -> float:
            return self.end if self.count >= self.steps else super().value

    return Guarded


class OfTorch(Linear):
    """λ as the factors of torch.optim.lr_scheduler.LinearLR."""

    def __init__(self, start: float, end: float, steps: int) -> None:
        if not 0 < start <= 1:
            raise ValueError(
                "Starting multiplicative factor expected to be greater than 0 and less or equal"
                " to 1."
            )
        if not 0 <= end <= 1:
            raise ValueError("Ending multiplicative factor expected to be between 0 and 1.")
        super().__init__(start, end, steps)


def with_distance(right: type) -> tuple[type, ...]:
    """The way from start to end has no sign, also once all steps are done or only until then."""

    class Rising(right):
        @property
        def value(self) -> float:
            return self.start + abs(super().value - self.start)

    return Rising, guarded(Rising)


def divided_by_the_distance(right: type) -> type:
    """The fraction of the way is made of λ."""

    class Divided(right):
        @property
        def value(self) -> float:
            return super().value + 0.0 / (self.end - self.start)

    return Divided


def with_fraction(right: type, fraction: Callable[[int, int], float]) -> type:
    """A schedule whose fraction of the way is made of the count and of all steps."""

    class Misled(right):
        def fraction(self) -> float:
            return fraction(self.count, self.steps)

    return Misled


TABLES: tuple[Callable[[list[float]], Any], ...] = (list, tuple, np.array, torch.tensor)


def with_shape(right: type, shape: Callable[[float], float]) -> tuple[type, type]:
    """Schedules that follow another curve; the second is at its end when all steps are done."""

    bent = type("Bent", (right,), {"shape": staticmethod(shape)})
    return bent, guarded(bent)


NO_VALUE = (
    "no_value",
    "The object has no `value`: no attribute, property or method of that name. Nobody reads what"
    " step() returns; λ is read from `value`.",
)
STATE_IS_ALIVE = (
    "state_is_alive",
    "The state that you return still changes when your schedule goes on, as if the state, or"
    " something in it, were the schedule's own object. A checkpoint should keep what was so when it"
    " was made.",
)
STATE_IS_SHARED = (
    "loaded_state_is_shared",
    "The first object that loads a state goes on correctly, but a second one that loads the same"
    " state does not, as if the first one had changed the state that it was given. A checkpoint"
    " should stay the same after it was loaded.",
)
STATE_IS_EMPTIED = (
    "loaded_state_is_emptied",
    "A key is looked up in a state and is not there, as if it were saved under another name, or as"
    " if the first object that loaded the state had taken it out. A checkpoint should stay the same"
    " after it was loaded.",
)
STATE_NOT_RETURNED = (
    "state_not_returned",
    "Where a state is loaded, your code works with None, in which nothing can be looked up. Is a"
    " return statement missing in state_dict(), or do you keep the result of a method that returns"
    " None, as update() does?",
)


SHARED_BY_ALL = (
    "shared_by_all",
    "Right for one schedule at a time. When two exist side by side, one changes the other, as if"
    " what they keep, or a part of it, belonged to the class or to the module and not to each"
    " object.",
)
OPTIONS = ("start", "end", "steps")


def shared_by_all(right: type, *names: str) -> type:
    """A schedule that keeps some of its attributes in the class; each new object sets them."""

    class Common(right):
        common: ClassVar[dict[str, Any]] = {}

        def __setattr__(self, name: str, value: Any) -> None:
            (self.common if name in names else vars(self))[name] = value

        def __getattr__(self, name: str) -> Any:
            try:
                return self.common[name]
            except KeyError:
                raise AttributeError(name) from None

        def state_dict(self) -> dict[str, Any]:
            return vars(self) | self.common

        def load_state_dict(self, state: dict[str, Any]) -> None:
            for name, value in state.items():
                setattr(self, name, value)

    return Common


def with_shared_state(right: type, remembered: tuple[str, ...], *, alive: bool) -> type:
    """A schedule that keeps what it remembers in a dictionary, and takes over the one it loads."""

    class Shared(right):
        def state_dict(self) -> dict[str, Any]:
            return self.kept if alive else dict(self.kept)

        def load_state_dict(self, state: dict[str, Any]) -> None:
            vars(self)["kept"] = state

        def __setattr__(self, name: str, value: Any) -> None:
            kept = vars(self).setdefault("kept", {})
            (kept if name in remembered else vars(self))[name] = value

        def __getattr__(self, name: str) -> Any:
            try:
                return vars(self)["kept"][name]
            except KeyError:
                raise AttributeError(name) from None

    return Shared


def with_live_part(right: type, *names: str) -> type:
    """A schedule whose state goes on changing in some of what it remembers, as a tensor does."""

    class PartAlive(with_shared_state(right, names, alive=True)):
        def state_dict(self) -> dict[str, Any]:
            return dict(vars(self))  # the dictionary within is the schedule's own

        def load_state_dict(self, state: dict[str, Any]) -> None:
            vars(self).update(state | {"kept": dict(state["kept"])})

    return PartAlive


def frozen(right: type) -> tuple[type, type]:
    """Schedules whose λ no longer moves when a state was loaded."""

    class Frozen(right):
        """It is the λ that was saved."""

        @property
        def value(self) -> float:
            loaded = vars(self).get("loaded")
            return super().value if loaded is None else loaded()

        def state_dict(self) -> dict[str, Any]:
            now = self.value
            return {"loaded": lambda: now}

    class TiedToTheFirst(Frozen):
        """It is the λ of the object that was saved, wherever that is now."""

        def state_dict(self) -> dict[str, Any]:
            return {"loaded": lambda: self.value}

    return Frozen, TiedToTheFirst


FROZEN = (
    "frozen_after_loading",
    "After a state was loaded λ no longer moves, whatever step() does, as if something saved had"
    " taken the place of the property or method that computes `value`.",
)


def without_state(right: type) -> tuple[type, type]:
    """Schedules whose state_dict() returns nothing; they take the state apart or look into it."""

    class Stateless(right):
        def state_dict(self) -> None:
            return None

        def load_state_dict(self, state: None) -> None:
            vars(self).update(state)

    class StatelessAndAsked(Stateless):
        def load_state_dict(self, state: None) -> None:
            self.count = state["count"]

    return Stateless, StatelessAndAsked


def without_value(right: type) -> type:
    """A schedule that tells λ to nobody, or under another name."""

    class Nameless(right):
        @property
        def value(self) -> float:
            kind = type(self).__name__
            raise AttributeError(f"'{kind}' object has no attribute 'value'")

    return Nameless


def broken(right: type, *options: str) -> list[tuple]:
    """What keeps a class from being used at all, or from going on, with the ways to do so."""

    class Hidden(right):
        """An attribute has the name of a method."""

        def __init__(self, **asked: float) -> None:
            super().__init__(**asked)
            self.step = 0

    class NoSetter(right):
        """A property is assigned to."""

        def __init__(self, **asked: float) -> None:
            super().__init__(**asked)
            self.value = 0.0

    def refusing(words: str) -> Callable:
        def made(**asked: float) -> None:
            raise TypeError(words)

        return made

    def value_raising(words: str) -> type:
        def value(self: Any) -> None:
            raise TypeError(words)

        return type("Asking", (right,), {"value": property(value)})

    def without(name: str) -> type:
        def missing(self: Any) -> Any:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

        return type("Without", (right,), {name: property(missing)})

    def taking_fewer(name: str, *words: str) -> list[type]:
        def raising(message: str) -> Callable:
            def method(self: Any, *given: Any) -> None:
                raise TypeError(f"{name}() {message}")

            return method

        return [type("Fewer", (right,), {name: raising(message)}) for message in words]

    none = "takes 0 positional arguments but 1 was given"
    one = "takes 1 positional argument but 2 were given"
    return [
        (
            "attribute_hides_a_method",
            "Something that is not a function is called as if it were one. Does an attribute or a"
            " property of yours have the name of a method, such as `step` or `state_dict`? Then it"
            " hides that method.",
            Hidden,
            type("NoMethod", (right,), {"state_dict": property(lambda self: dict(vars(self)))}),
        ),
        (
            "property_without_setter",
            "Something is assigned to `value`, but `value` is a property that is only computed, so"
            " nothing can be assigned to it. Let `value` be an attribute, or keep the number under"
            " another name.",
            NoSetter,
        ),
        (
            "option_of_another_name",
            "An option is given by name, but there is no argument of that name. Compare the"
            " arguments of your `__init__` with the task, letter by letter.",
            *(
                refusing(f"C.__init__() got an unexpected keyword argument '{name}'")
                for name in options
            ),
        ),
        (
            "options_not_taken",
            "Your class takes no options, as if it had no `__init__`. Look at the name of this"
            " method, which has two underscores on either side, and at its indentation.",
            refusing("C() takes no arguments"),
        ),
        (
            "method_missing",
            "An object lacks a method that the task asks for. Are all of its methods in your class,"
            " at the same indentation, and under the names that the task gives them?",
            *map(without, ("step", "state_dict", "load_state_dict")),
        ),
        (
            "method_takes_fewer",
            "A method or function gets more arguments than it takes. A method gets the object"
            " itself first, as `self`, and then what the task gives it.",
            *taking_fewer("step", none, one),
            *taking_fewer("state_dict", none),
            *taking_fewer("load_state_dict", one),
        ),
        (
            "method_asks_for_more",
            "A method or function gets fewer arguments than it needs. Compare the arguments of your"
            " methods with the task: who would give them the others?",
            *taking_fewer("step", "missing 1 required positional argument: 'x'"),
            *taking_fewer("state_dict", "missing 1 required positional argument: 'x'"),
            *taking_fewer("load_state_dict", "missing 1 required positional argument: 'x'"),
            refusing("C.__init__() missing 1 required positional argument: 'x'"),
            value_raising("C.value() missing 1 required positional argument: 'x'"),
        ),
    ]


def with_emptied_state(right: type, remembered: tuple[str, ...]) -> type:
    """A schedule that takes what it loads out of the state."""

    class Emptying(right):
        def load_state_dict(self, state: dict[str, Any]) -> None:
            for name in remembered:
                setattr(self, name, state.pop(name))

    return Emptying


def with_live_state(right: type) -> type:
    """A schedule that returns its own dictionary."""

    class Live(right):
        def state_dict(self) -> dict[str, Any]:
            return vars(self)

    return Live


def planned_misconceptions(right: type) -> tuple[Misconception, ...]:
    """The ways in which a planned schedule goes wrong."""

    def ending(table: Callable[[list[float]], Any], gaps: int = 0, rows: int = 1) -> type:
        """A table of fractions of a way of steps + `gaps`, with `rows` more of them than gaps."""

        def fraction(count: int, steps: int) -> float:
            last = steps + gaps
            return float(table([n / max(last, 1) for n in range(last + rows)])[count])

        return with_fraction(right, fraction)

    class Exhausted(right):
        """An iterator over the steps, and none after its end."""

        def step(self) -> None:
            if self.count >= self.steps:
                raise StopIteration
            super().step()

    def at_least_zero(wrong: type) -> tuple[type, type]:
        """λ is not below 0, or not above its start either."""

        class NotBelow(wrong):
            @property
            def value(self) -> float:
                return max(super().value, 0.0)

        class NotOutside(wrong):
            @property
            def value(self) -> float:
                return min(max(super().value, 0.0), max(self.start, self.end, 1.0))

        return NotBelow, NotOutside

    class Kept(right):
        """λ is kept from step to step, and not worked out from how many were taken."""

        def __init__(self, start: float, end: float, steps: int) -> None:
            super().__init__(start, end, steps)
            self.shown = start

        @property
        def value(self) -> float:
            return self.shown

    class FromTheLastValue(Kept):
        """Each step goes the fraction of the way from where λ is."""

        def step(self) -> None:
            super().step()
            self.shown += (self.end - self.shown) * self.shape(self.fraction())

    class MovesWhenRead(right):
        """λ moves when it is read, and step() does nothing."""

        def __init__(self, start: float, end: float, steps: int) -> None:
            super().__init__(start, end, steps)
            self.count = -1

        @property
        def value(self) -> float:
            self.count += 1
            return super().value

        def step(self) -> None:
            pass

    class Stuck(right):
        def step(self) -> None:
            pass

    class Silent(right):
        value = None

    class SilentOnTheWay(right):
        @property
        def value(self) -> float | None:
            return self.end if self.count >= self.steps else None

    def cut_from_below(wrong: type) -> tuple[type, type]:
        """λ is never below its end, or not when it has moved."""

        class Cut(wrong):
            @property
            def value(self) -> float:
                return max(super().value, self.end)

        class CutWhenStepped(Cut):
            @property
            def value(self) -> float:
                return super().value if self.count else self.start

        return Cut, CutWhenStepped

    class CutStepByStep(Kept):
        """Each step adds its share to λ, which is never below its end."""

        limit = max

        def step(self) -> None:
            self.shown = type(self).limit(
                self.end, self.shown + (self.end - self.start) / self.steps
            )

    class ShareAddedUp(right):
        """Shares of the way are added up until their sum is 1, or more."""

        def __init__(self, start: float, end: float, steps: int) -> None:
            super().__init__(start, end, steps)
            self.sum = 0.0

        def fraction(self) -> float:
            return self.sum

        def step(self) -> None:
            if self.sum < 1:
                self.sum += 1 / self.steps

    class StepsAddedUp(Kept):
        """Each step adds its share to λ until that is at its end, or past it."""

        def left(self) -> bool:
            return self.shown < self.end if self.start < self.end else self.shown > self.end

        def step(self) -> None:
            if self.left():
                self.shown += (self.end - self.start) / self.steps

    class StepsAddedUpToTheEnd(StepsAddedUp):
        """The same, until λ is equal to its end."""

        def left(self) -> bool:
            return self.shown != self.end

    class Around(right):
        """Begins anew when all steps are done."""

        def fraction(self) -> float:
            return self.count % (self.steps + 1) / self.steps

    class AroundAtTheEnd(right):
        """The same, one step sooner."""

        def fraction(self) -> float:
            return self.count % self.steps / self.steps

    class WithoutStart(right):
        """How far it has come, not where it is."""

        @property
        def value(self) -> float:
            return super().value - self.start

    class EndIgnored(right):
        """From start to 0."""

        @property
        def value(self) -> float:
            return self.start * (1 - self.shape(self.fraction()))

    def towards(*goals: Callable[[float, float], float]) -> list[type]:
        """From start to something made of start and end."""

        def to(goal: Callable[[float, float], float]) -> type:
            class Towards(right):
                @property
                def value(self) -> float:
                    whole = goal(self.start, self.end) - self.start
                    return self.start + whole * self.shape(self.fraction())

            return Towards

        return [to(goal) for goal in goals]

    def rounded_to(digits: int) -> type:
        """λ with a few digits."""

        class Rounded(right):
            @property
            def value(self) -> float:
                return round(right.value.fget(self), digits)

        return Rounded

    def held(keep: Callable[[float, float, float], float]) -> tuple[type, type]:
        """λ is held by a limit that fits one direction."""

        class Held(right):
            @property
            def value(self) -> float:
                return keep(right.value.fget(self), self.start, self.end)

        class HeldUnbounded(unbounded):
            @property
            def value(self) -> float:
                return keep(unbounded.value.fget(self), self.start, self.end)

        return Held, HeldUnbounded

    class Share(right):
        """λ between 0 and 1."""

        @property
        def value(self) -> float:
            return min(max(right.value.fget(self), 0.0), 1.0)

    def floored(least: float) -> type:
        """λ does not fall below a number."""

        class Floored(right):
            @property
            def value(self) -> float:
                return max(right.value.fget(self), least)

        return Floored

    class CutToWhole(right):
        """λ without what is behind the point."""

        @property
        def value(self) -> float:
            return float(math.trunc(right.value.fget(self)))

    class WithoutOptions(right):
        """The fraction of the way itself, or of what is left."""

        left = False

        @property
        def value(self) -> float:
            share = self.shape(self.fraction())
            return 1 - share if self.left else share

    class Decay(right):
        """Each step goes a share of what is left of the way."""

        ratio, to_end = 0.5, True

        @property
        def value(self) -> float:
            end = self.end if self.to_end else 0.0
            return end + (self.start - end) * self.ratio**self.count

    class EverCloser(Kept):
        """Each step goes the share of a step of what is left of the way; it may end with them."""

        ends = True

        def step(self) -> None:
            if self.count < self.steps or not self.ends:
                self.count += 1
                self.shown += (self.end - self.shown) / self.steps

    class FallsAlone(right):
        """λ moves while it is above its end."""

        @property
        def value(self) -> float:
            return self.start if self.start < self.end else super().value

    class Falling(right):
        """The way's size, always taken away."""

        @property
        def value(self) -> float:
            return self.start - abs(right.value.fget(self) - self.start)

    class Ahead(right):
        """One step more or fewer comes back than were taken."""

        by = 1

        def load_state_dict(self, state: dict[str, Any]) -> None:
            vars(self).update(state)
            self.count = max(self.count + self.by, 0)

    class ZeroAtTheEnd(right):
        """λ is 0 when all steps are done."""

        @property
        def value(self) -> float:
            return 0.0 if self.count >= self.steps else right.value.fget(self)

    class WayBegunAnew(right):
        """A state's λ is where the whole way begins."""

        def state_dict(self) -> dict[str, Any]:
            return {"value": self.value}

        def load_state_dict(self, state: dict[str, Any]) -> None:
            self.start = state["value"]

    class SharedValue(right):
        """Each step adds its share to a λ in place, in a tensor that it was given."""

        def __init__(self, start: float, end: float, steps: int) -> None:
            super().__init__(start, end, steps)
            self.shown = [start]

        @property
        def value(self) -> float:
            return self.shown[0] if self.count < self.steps else self.end

        def step(self) -> None:
            self.shown[0] += (self.end - self.start) / self.steps
            self.count += 1

        def state_dict(self) -> dict[str, Any]:
            return {"shown": list(self.shown), "count": self.count}

    class LiveValue(SharedValue):
        """The same tensor is in its state; λ stops with the count."""

        @property
        def value(self) -> float:
            return self.shown[0]

        def step(self) -> None:
            if self.count < self.steps:
                super().step()

        def state_dict(self) -> dict[str, Any]:
            return {"shown": self.shown, "count": self.count}

        def load_state_dict(self, state: dict[str, Any]) -> None:
            vars(self).update(state | {"shown": list(state["shown"])})

    class NewCurve(right):
        """Goes on from λ with the steps that are left, along a curve of its own."""

        def fraction(self) -> float:
            return 1.0 if self.count >= self.steps else self.count / self.steps

        def state_dict(self) -> dict[str, Any]:
            return {"value": self.value, "left": max(self.steps - self.count, 0)}

        def load_state_dict(self, state: dict[str, Any]) -> None:
            self.start, self.steps, self.count = state["value"], state["left"], 0

    class Forgetful(right):
        def load_state_dict(self, state: dict[str, Any]) -> None:
            pass

    class Stale(right):
        """Computes λ in step() alone."""

        def __init__(self, start: float, end: float, steps: int) -> None:
            super().__init__(start, end, steps)
            self.shown = start

        @property
        def value(self) -> float:
            return self.shown

        def step(self) -> None:
            super().step()
            self.shown = super().value

        def load_state_dict(self, state: dict[str, Any]) -> None:
            self.count = state["count"]

    class CountsAnew(Stale):
        """λ comes back, the count does not."""

        def load_state_dict(self, state: dict[str, Any]) -> None:
            self.shown = state["shown"]

    class CountsAnewByIncrements(CountsAnew):
        """The same, where each step adds to λ what the count says."""

        def step(self) -> None:
            before = super(Stale, self).value
            self.count += 1
            self.shown += super(Stale, self).value - before

    fraction = partial(with_fraction, right)
    unbounded = fraction(lambda count, steps: count / steps)
    ways = [
        (
            "ends_one_step_early",
            "λ reaches its end one step too soon. From the first value to the last there are as"
            " many gaps as steps; count them for steps = 4.",
            fraction(lambda count, steps: min(count / (steps - 1), 1.0)),
            fraction(lambda count, steps: min(count / max(steps - 1, 1), 1.0)),
            fraction(lambda count, steps: min(count / (steps - 1), 1.0) if steps > 1 else 0.0),
            fraction(lambda count, steps: min(count / (steps - 1), 1.0) if steps > 1 else 1.0),
        ),
        (
            "begins_one_step_ahead",
            "The first step of training does not get the start value: your schedule has moved"
            " before anyone called step().",
            fraction(lambda count, steps: min((count + 1) / steps, 1.0)),
        ),
        (
            "begins_one_step_late",
            "The first call of step() does not move λ, and so each later value comes one step too"
            " late. Which fraction of the steps is done after one call?",
            fraction(lambda count, steps: min(max(count - 1, 0) / steps, 1.0)),
        ),
        (
            "ends_one_step_late",
            "After all its steps λ is not yet at its end. Which fraction of the steps is done when"
            " the count equals `steps`?",
            fraction(lambda count, steps: min(count / (steps + 1), 1.0)),
        ),
        (
            "jumps_to_the_end",
            "λ arrives at its end on time, but with a jump, because before it λ moves too slowly."
            " By what should the count be divided?",
            guarded(fraction(lambda count, steps: count / (steps + 1))),
        ),
        (
            "whole_numbers",
            "λ stays at its start and then jumps to its end, as if the fraction that is done were"
            " rounded down to a whole number.",
            fraction(lambda count, steps: min(count // steps, 1)),
        ),
        (
            "goes_on_past_the_end",
            "λ is right up to its end, but after more steps it moves on. Training often runs a"
            " little longer than planned; what should λ be then?",
            unbounded,
            *(at_least_zero(unbounded) if right is Linear else ()),
        ),
        (
            "no_value_past_the_end",
            "λ is right up to its end. But with one more step, your schedule has no value and"
            " raises an error. Training often runs a little longer than planned; what should λ be"
            " then?",
            *(ending(table) for table in TABLES),
            Exhausted,
        ),
        (
            "no_value_at_the_end",
            "λ is right as long as a step is left. When all steps are taken, your schedule has no"
            " value and raises an error. On a way of n steps λ has n + 1 values; how many does"
            " yours have?",
            *(ending(table, rows=0) for table in TABLES),
        ),
        (
            "ends_one_step_early+no_value_past_the_end",
            "At least two things are off. λ reaches its end one step too soon: from the first value"
            " to the last there are as many gaps as steps. And after the end your schedule has no"
            " value and raises an error; training often runs a little longer than planned.",
            *(ending(table, gaps=-1) for table in TABLES),
        ),
        (
            "ends_one_step_early+goes_on_past_the_end",
            "At least two things are off. λ reaches its end one step too soon: from the first value"
            " to the last there are as many gaps as steps. And after the end λ moves on, where it"
            " should stay.",
            fraction(lambda count, steps: count / (steps - 1)),
            fraction(lambda count, steps: count / max(steps - 1, 1)),
        ),
        (
            "rounded_steps_added_up",
            "For some numbers of steps λ goes past its end, as if each step added an equal part"
            " until the sum arrives at its goal, which rounding can make it miss. Count the steps,"
            " which are whole numbers, and compute λ from the count.",
            ShareAddedUp,
            *((StepsAddedUp, StepsAddedUpToTheEnd) if right is Linear else ()),
        ),
        (
            "fraction_rounded",
            "λ comes out as if the fraction of the steps were rounded to a few digits. Nobody asks"
            " for that.",
            *(
                fraction(lambda count, steps, digits=digits: round(min(count / steps, 1.0), digits))
                for digits in (1, 2, 3)
            ),
        ),
        (
            "cut_on_the_wrong_side",
            "Right for a λ that falls. One that should rise is cut off on the wrong side of its"
            " end, so it is there too soon. Which is larger then, a value on the way or the end?",
            *cut_from_below(right),
            *((*cut_from_below(unbounded), CutStepByStep) if right is Linear else ()),
        ),
        (
            "falls_alone",
            "Right for a λ that falls. One that should rise stays at its start, as if it had"
            " arrived already. A λ below its end has arrived only if it falls.",
            FallsAlone,
        ),
        (
            "distance_without_a_sign",
            "Right for a λ that rises. One that should fall rises too, as if the distance between"
            " start and end were added to the start: a distance does not say which of them is"
            " larger.",
            *with_distance(right),
        ),
        *(
            [
                (
                    "factors_of_torch",
                    "LinearLR of torch takes factors of a learning rate: one above 0 and up to 1"
                    " to begin with, and one from 0 to 1 at the end. λ may begin at 0 or above 1.",
                    OfTorch,
                )
            ]
            if right is Linear
            else []
        ),
        (
            "divided_by_the_distance",
            "Where start and end are equal, your schedule divides by 0, as if it divided by their"
            " difference. The steps tell you which fraction is done.",
            divided_by_the_distance(right),
        ),
        (
            "cut_for_a_rising_value",
            "Right for a λ that rises. One that should fall is cut off on the wrong side of its"
            " end, so it is there too soon. Which is smaller then, a value on the way or the end?",
            *held(lambda value, start, end: min(value, end)),
            *((type("CutAbove", (CutStepByStep,), {"limit": min}),) if right is Linear else ()),
        ),
        (
            "another_pace",
            "λ does not come to its end when it should, as if each call of step() counted as more,"
            " or as less, than one step. Which fraction of the steps is done after one call?",
            *(
                fraction(lambda count, steps, by=by: min(by * count / steps, 1.0))
                for by in (2.0, 0.5, 10.0, 0.1)
            ),
            fraction(lambda count, steps: min(float(count), 1.0)),
        ),
        (
            "not_at_its_end",
            "λ stops one step before its end and stays there. Which fraction of the steps is done"
            " when the count equals `steps`?",
            fraction(lambda count, steps: min(count, steps - 1) / steps),
        ),
        (
            "moves_elsewhere",
            "λ begins correctly, but it moves towards a number that is not its end. How long is the"
            " whole way from start to end, and which sign does it have?",
            EndIgnored,
            *towards(
                lambda start, end: start + end,
                lambda start, end: 2 * start - end,
                lambda start, end: start - 1,
                lambda start, end: start + 1,
            ),
        ),
        (
            "first_step_twice_as_far",
            "λ moves as if the first call of step() counted as two steps, and from then on it is"
            " one step ahead. Which fraction of the steps is done after one call?",
            fraction(lambda count, steps: min((count + 1) / steps, 1.0) if count else 0.0),
            fraction(lambda count, steps: (min(count, steps) + 1) / steps if count else 0.0),
        ),
        (
            "rounded",
            "λ comes out as if it were rounded to a few digits, or cut off. Nobody asks for that,"
            " and small steps are lost.",
            *(rounded_to(digits) for digits in (0, 1, 2, 3, 4)),
            CutToWhole,
        ),
        (
            "begins_anew",
            "When all steps are done, λ goes back to its start and the way begins again. λ should"
            " stay where it has arrived.",
            Around,
            AroundAtTheEnd,
        ),
        (
            "start_left_out",
            "Your `value` is how far λ has come, not where it is: the start itself is missing.",
            WithoutStart,
        ),
        (
            "start_and_end_swapped",
            "Start and end are the wrong way round: λ begins where it should end.",
            *with_shape(right, lambda fraction: 1 - right.shape(fraction)),
        ),
        (
            "start_and_end_swapped+goes_on_past_the_end",
            "At least two things are off. Start and end are the wrong way round: λ begins where it"
            " should end. And after the last step λ moves on, where it should stay.",
            with_shape(unbounded, lambda fraction: 1 - right.shape(fraction))[0],
        ),
        (
            "from_the_last_value",
            "In each step, λ moves as if the fraction were that of the way from the current λ to"
            " the end. From which number to which does the whole way go?",
            FromTheLastValue,
        ),
        (
            "equal_ratios",
            "Each λ is the same multiple of the λ before it. That is an exponential; in this task"
            " something else is equal from step to step.",
            *with_ratios(right),
        ),
        (
            "moves_when_read",
            "λ moves when `value` is read, and not when a step is taken. It may be read any number"
            " of times between two steps.",
            MovesWhenRead,
        ),
        (
            "never_moves",
            "λ stays where it started. Does step() remember that it was called?",
            Stuck,
        ),
        (
            "value_not_returned",
            "`value` is None where a number should be. Is a return statement missing?",
            Silent,
            SilentOnTheWay,
        ),
        (*NO_VALUE, without_value(right)),
        (
            "state_not_restored",
            "Right without a restart, but after loading a state your schedule begins again at its"
            " start, and a resumed run would repeat its first λ. What has to come back so that"
            " `value` is the same as before?",
            Forgetful,
        ),
        (
            "value_not_restored",
            "After loading a state, `value` is the start value until step() is called, and then it"
            " is right again. A resumed run asks for `value` before it steps.",
            Stale,
        ),
        (
            "count_not_restored",
            "After loading a state `value` is right, but the later values are wrong, as if the"
            " number of steps taken had not come back.",
            CountsAnew,
            CountsAnewByIncrements,
        ),
        (*STATE_NOT_RETURNED, *without_state(right)),
        (
            *STATE_IS_ALIVE,
            with_live_state(right),
            with_shared_state(right, ("count",), alive=True),
            *((LiveValue,) if right is Linear else ()),
        ),
        (*FROZEN, *frozen(right)),
        (
            *STATE_IS_SHARED,
            with_shared_state(right, ("count",), alive=False),
            *((SharedValue,) if right is Linear else ()),
        ),
        (
            "way_begun_anew",
            "After loading a state λ begins where it was, but from there it takes as many steps to"
            " its end as the whole way has. How many of these steps were already taken?",
            WayBegunAnew,
        ),
        (
            *SHARED_BY_ALL,
            shared_by_all(right, "count"),
            *(shared_by_all(right, *OPTIONS, *more) for more in ((), ("count",))),
        ),
        (
            "count_off_by_one_after_loading",
            "Right without a restart. After loading a state your schedule is one step ahead or"
            " behind.",
            Ahead,
            type("Behind", (Ahead,), {"by": -1}),
        ),
        (
            "options_unused",
            "Your λ is the fraction of the way itself, or what is left of it: between 0 and 1,"
            " whatever start and end are.",
            WithoutOptions,
            type("Left", (WithoutOptions,), {"left": True}),
        ),
        (
            "kept_above_a_floor",
            "Your λ is kept above a number that nobody asked for: where it should be smaller, it is"
            " not. `start` and `end` may be 0.",
            *map(floored, (0.1, 0.05, 0.01, 1e-3)),
        ),
        (
            "held_between_0_and_1",
            "Your λ is never above 1, as if it were a share. λ is a weight, and start and end may"
            " be larger.",
            Share,
        ),
        (
            "always_falls",
            "Right for a λ that falls. One that should rise falls too, by as much.",
            Falling,
        ),
        (
            "not_divided_by_steps",
            "`steps` has no effect on your λ, as if the count stood where a fraction of the steps"
            " belongs. After how many calls should that fraction be 1?",
            fraction(lambda count, steps: float(count)),
        ),
        (
            "at_its_end_from_the_start",
            "λ is at its end before the first step is taken. What should the fraction of the way be"
            " then? If you limit it to 1, do you take the larger or the smaller number?",
            fraction(lambda count, steps: max(count / steps, 1.0)),
            fraction(lambda count, steps: 1.0),
        ),
        *(
            (
                (
                    "comes_ever_closer",
                    "In each step λ goes the same share of the way that is left, and so it comes"
                    " ever closer to its goal without arriving. In this task the steps are equal.",
                    *(
                        type("Decaying", (Decay,), {"ratio": ratio, "to_end": to_end})
                        for ratio in (0.5, 0.9, 0.95, 0.99)
                        for to_end in (True, False)
                    ),
                    EverCloser,
                    type("Endless", (EverCloser,), {"ends": False}),
                ),
            )
            if right is Linear
            else ()
        ),
        (
            "rises_first",
            "λ does not begin at its start: first it rises from 0, as in a warm-up. Nobody asks for"
            " a warm-up here; `start` is the first value.",
            *(
                warmed_up(right, count)
                for count in (
                    lambda steps: steps // 10,
                    lambda steps: max(steps // 10, 1),
                    lambda steps: steps // 20,
                )
            ),
        ),
        (
            "zero_at_the_end",
            "After the last step your λ is 0, whatever `end` is.",
            ZeroAtTheEnd,
        ),
        *broken(right, "start", "end", "steps"),
        (*STATE_IS_EMPTIED, with_emptied_state(right, ("count",))),
    ]
    if right is Linear:
        ways.append(
            (
                "rest_planned_anew",
                "After loading a state from the end of the way, or from after it, your schedule"
                " divides by 0, as if it planned the rest of the way as a new way. What if no steps"
                " are left?",
                RestOfTheWay,
            )
        )
    if right is Cosine:
        ways += cosine_ways()
        ways.append(
            (
                "new_curve_for_the_rest",
                "After loading a state λ goes from where it is to its end in the steps that are"
                " left, but it starts slowly again, as along a new half cosine. Where on the first"
                " curve was it?",
                NewCurve,
                type("NewCurveDivided", (NewCurve,), {"fraction": right.fraction}),
            )
        )
    return every_variant(ways)


class RestOfTheWay(Linear):
    """Goes on from λ with the steps that are left."""

    def state_dict(self) -> dict[str, Any]:
        return {"value": self.value, "left": max(self.steps - self.count, 0)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.__init__(state["value"], self.end, state["left"])


def warmed_up(right: type, count: Callable[[int], int]) -> type:
    """λ goes up to its start in some first steps, and then the whole way in the others."""

    class WarmedUp(right):
        def fraction(self) -> float:
            first = count(self.steps)
            return min(max(self.count - first, 0) / max(self.steps - first, 1), 1.0)

        @property
        def value(self) -> float:
            first = count(self.steps)
            if self.count < first:
                return self.start * self.count / first
            return super().value

    return WarmedUp


def with_ratios(right: type) -> tuple[type, ...]:
    """A λ that falls by the same ratio in each step; no mistake of a cosine's."""
    if right is Cosine:
        return ()

    class Ratios(right):
        epsilon = 0.0

        @property
        def value(self) -> float:
            ratio = (self.end + self.epsilon) / (self.start + self.epsilon)
            return self.start * ratio ** self.fraction()

    class RatiosToZero(Ratios):
        epsilon = 1e-8

    def at_least(size: float) -> type:
        class RatiosAbove(right):
            @property
            def value(self) -> float:
                start, end = max(self.start, size), max(self.end, size)
                return start * (end / start) ** self.fraction()

        return RatiosAbove

    class RatiosWithoutZero(Ratios):
        """Where one end is 0 there are no ratios, and λ goes as it should."""

        @property
        def value(self) -> float:
            return super().value if min(self.start, self.end) > 0 else right.value.fget(self)

    sizes = (1e-3, 1e-4, 1e-6, 1e-8, 1e-9, 1e-10, 1e-12)
    return Ratios, guarded(RatiosToZero), RatiosWithoutZero, *map(at_least, sizes)


class CosineOfLambda(Linear):
    """Half a cosine of the λ of a straight line."""

    @property
    def value(self) -> float:
        return Cosine.shape(Linear.value.fget(self))


def cosine_ways() -> list[tuple]:
    """The curves that are taken for half a cosine."""
    return [
        (
            "whole_wave",
            "λ comes back to its start, as along a whole wave. Half of one goes from crest to"
            " trough.",
            *with_shape(Cosine, lambda fraction: (1 - math.cos(2 * math.pi * fraction)) / 2),
        ),
        (
            "quarter_wave",
            "λ starts slowly but arrives at full speed, as along a quarter of a wave. Half of one"
            " is slow at both ends.",
            *with_shape(Cosine, lambda fraction: 1 - math.cos(math.pi * fraction / 2)),
        ),
        (
            "quarter_of_a_sine",
            "λ starts at full speed and arrives slowly, as along a quarter of a wave. Half of one"
            " is slow at both ends.",
            *with_shape(Cosine, lambda fraction: math.sin(math.pi * fraction / 2)),
        ),
        (
            "not_halved",
            "λ goes twice as far as it should. From which number to which does 1 − cos go?",
            *with_shape(Cosine, lambda fraction: 1 - math.cos(math.pi * fraction)),
        ),
        (
            "only_the_cosine_halved",
            "λ begins halfway. What should be divided by 2, the cosine or the whole of 1 − cos?",
            *with_shape(Cosine, lambda fraction: 1 - math.cos(math.pi * fraction) / 2),
        ),
        (
            "cosine_alone",
            "In your λ the fraction of the way is the cosine itself. A cosine goes from 1 to −1;"
            " from which number to which should the fraction go?",
            *with_shape(Cosine, lambda fraction: math.cos(math.pi * fraction)),
        ),
        (
            "pi_missing",
            "λ hardly leaves its start, as with a cosine that goes up to an angle of 1 radian."
            " Which angle is half a wave?",
            *with_shape(Cosine, lambda fraction: (1 - math.cos(fraction)) / 2),
        ),
        (
            "pi_rounded",
            "λ is a little off between its two ends, as with a π of a few digits. math.pi and"
            " torch.pi have all that a float can hold.",
            *(
                variant
                for pi in (3.0, 3.1, 22 / 7, 3.14, 3.142)
                for variant in with_shape(
                    Cosine, lambda fraction, pi=pi: (1 - math.cos(pi * fraction)) / 2
                )
            ),
        ),
        (
            "slopes_added_up",
            "λ moves as if each step added the slope of the curve at its beginning, in its middle"
            " or at its end. Such a sum is near the curve but not on it; the formula gives λ"
            " directly for each fraction.",
            *(
                with_fraction(
                    Linear,
                    lambda count, steps, place=place: sum(
                        math.pi / 2 * math.sin(math.pi * (step + place) / steps) / steps
                        for step in range(min(count, steps))
                    ),
                )
                for place in (0.0, 0.5, 1.0)
            ),
        ),
        (
            "another_curve",
            "The curve is another one than (1 − cos πf)/2: another function, a square, or an angle"
            " in other units. Compare the two for f = 0, one quarter, one half and 1.",
            *(
                variant
                for curve in (
                    lambda fraction: (1 - math.sin(math.pi * fraction)) / 2,
                    lambda fraction: 1 - math.sin(math.pi * fraction),
                    lambda fraction: 1 - math.sin(math.pi * fraction / 2),
                    lambda fraction: math.sin(math.pi * fraction),
                    lambda fraction: math.cos(math.pi * fraction) ** 2,
                    lambda fraction: math.cos(math.pi * fraction / 2),
                    lambda fraction: (1 - math.cos(math.pi * fraction / 2)) / 2,
                    lambda fraction: (1 - math.cos(180 * fraction)) / 2,
                    lambda fraction: (1 - math.cos(math.radians(fraction))) / 2,
                    lambda fraction: (1 - math.cos(math.pi) * fraction) / 2,
                    lambda fraction: fraction**2,
                    lambda fraction: fraction**0.5,
                    lambda fraction: fraction**2 * (3 - 2 * fraction),
                    math.tanh,
                    lambda fraction: 1 / (1 + math.exp(-10 * (fraction - 0.5))),
                )
                for variant in with_shape(Cosine, curve)
            ),
        ),
        (
            "cosine_of_lambda",
            "Your λ is (1 − cos πx)/2, where x is the λ that a straight line would give. Which"
            " fraction is f in the formula, and of which way is the result a fraction?",
            CosineOfLambda,
        ),
        ("straight_line", "Both ends are right, but between them λ moves in equal steps.", Linear),
    ]


def every_variant(ways: Iterable[tuple], section: str = "3.1") -> tuple[Misconception, ...]:
    """Misconceptions of (name, hint, ways to make this mistake…)."""
    return tuple(
        Misconception(name, hint, SECTIONS[section], wrong)
        for name, hint, *variants in ways
        for wrong in variants
    )


# --- A schedule that reacts ---------------------------------------------------------------------


class Plateau:
    """λ times factor when the gap did not shrink by more than threshold for too long."""

    first = math.inf  # the best gap before there is one

    def __init__(self, start: float, factor: float, patience: int, threshold: float) -> None:
        self.start, self.lam, self.factor, self.patience = start, start, factor, patience
        self.threshold, self.best, self.waited = threshold, self.first, 0

    @property
    def value(self) -> float:
        return self.lam

    def gains(self, gap: float) -> bool:
        return gap < self.best - self.threshold

    def waits_too_long(self) -> bool:
        return self.waited > self.patience

    def gain(self, gap: float) -> None:
        self.best, self.waited = gap, 0

    def step(self, gap: float) -> None:
        if self.gains(gap):
            self.gain(gap)
        else:
            self.miss(gap)

    def miss(self, gap: float) -> None:
        self.waited += 1
        if self.waits_too_long():
            self.fall(gap)

    def fall(self, gap: float) -> None:
        self.lam, self.waited = self.lam * self.factor, 0

    def state_dict(self) -> dict[str, Any]:
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        vars(self).update(state)


# Gaps are multiples of 1/16, so that comparisons are exact in every precision.
FROM_FAR = (1000.0, 1000.0, 1.0, 1.0, 0.9375, 0.9375)
EXACT = (2.0, 1.8125, 1.5625, 1.375)  # whose sixteenths are lost when they are rounded
GAINS = (2.0, 1.5, 1.0, 0.5)
STALLS = (2.0, 1.0, 1.0, 1.25, 1.0, 1.0, 1.0, 1.0)
# Gains below a threshold of 0.25 until they add up, and losses below it.
CREEPS = (2.0, 1.875, 1.9375, 2.0, 1.75, 1.625, 1.5, 1.375, 1.375)
ZIGZAG = (2.0, 1.0, 2.0, 1.5, 1.25, 0.5, 1.0, 0.75, 0.75, 0.75)
TWO_WITHOUT = (2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0)
NEARLY = (1.0, 2.0, 1.0, 1.125, 2.0, 1.125)
LEVEL = (1.0, 0.0, 0.5, 0.25, 0.5, 0.25, 0.5, 0.25)  # as good as the teacher, and then less
PASSES = (1.0, 0.0, 0.5, 0.25, -0.5, -0.25, 0.5, -1.0, -1.5, 0.0, -1.5625, -1.75)


def plateau_cases() -> tuple[Case, ...]:
    """Public and hidden cases, with options as keyword arguments."""

    def options(start: float, factor: float, patience: int, threshold: float) -> dict[str, Any]:
        return {"start": start, "factor": factor, "patience": patience, "threshold": threshold}

    def case(name: str, gaps: tuple, asked: dict, public: bool = False) -> Case:
        return Case(name, (), asked, public=public, calls=steps(0, *gaps))

    def going_on(gaps: tuple, at: int, asked: dict, public: bool = False) -> Case:
        calls = resumed(steps(0, *gaps[:at]), steps(0, *gaps[at:]))
        name = f"after {at} gaps, a state that two new objects go on from"
        return Case(name, (), asked, RESUMED, public, calls)

    return (
        case("a student that gains", GAINS, options(1.0, 0.5, 1, 0.0625), public=True),
        case("a student that stalls", STALLS, options(1.0, 0.5, 1, 0.0625), public=True),
        case("gains below the threshold", CREEPS, options(2.0, 0.5, 1, 0.25), public=True),
        case("up and down", ZIGZAG, options(3.3, 0.25, 2, 0.0625), public=True),
        case("from far behind", FROM_FAR, options(1.0, 0.5, 1, 0.0), public=True),
        case("a student that passes its teacher", PASSES, options(8.0, 0.5, 1, 0.125), public=True),
        case("gains of just the threshold", EXACT, options(1.0, 0.5, 0, 0.1875), True),
        case("a gain after two without", TWO_WITHOUT, options(1.0, 0.5, 2, 0.0625), public=True),
        case("nearly as good as the best", NEARLY, options(1.0, 0.5, 1, 0.25), public=True),
        case("down to nothing", STALLS, options(3.0, 0.0, 1, 0.0), public=True),
        going_on((*STALLS, 1.0, 1.0, 1.0), 7, options(1.0, 0.5, 2, 0.0625), public=True),
        going_on((2.0, 1.0, 1.5, 1.25, 1.5), 3, options(1.0, 0.5, 1, 0.0625), public=True),
        going_on(LEVEL, 2, options(4.0, 0.5, 1, 0.0625), public=True),
        going_on(STALLS, 6, options(2.0, 0.0, 1, 0.0625), public=True),
        case("no patience", ZIGZAG, options(1.0, 0.5, 0, 0.0625)),
        Case(
            "a patience of 300",
            (),
            options(4.0, 0.5, 300, 0.0625),
            calls=seldom((300, 301, 302, 303), 1.0),
        ),
        case("another gain of the threshold", (2.0, 1.5, 1.0, 0.5), options(1.0, 0.25, 0, 0.5)),
        case(
            "below 0 from the start",
            (-1.0, -0.5, -2.0, -2.0, -1.0),
            options(3.0, 0.5, 0, 0.25),
            True,
        ),
        going_on(STALLS, 5, options(1.0, 0.5, 1, 0.0625)),
        going_on(ZIGZAG, 6, options(2.0, 0.5, 1, 0.0625)),
        going_on(PASSES, 8, options(2.0, 0.25, 1, 0.125)),
        going_on(STALLS, 0, options(2.0, 0.5, 1, 0.0625)),
        Case(
            "two schedules side by side",
            (),
            options(2.0, 0.5, 1, 0.0625),
            RESUMED,
            True,
            side_by_side(
                options(8.0, 0.25, 1, 0.125), (1.0,), (-1.0,), ((1.0,), (0.5,), (0.5,), (0.5,))
            ),
        ),
    )


def random_plateau_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Cases of a submission's own."""
    for _ in range(3):
        gaps = (rng.integers(-16, 33, size=10) / 16).tolist()
        options = {"start": float(rng.uniform(1, 4)), "factor": float(rng.uniform(0.2, 0.8))}
        options |= {"patience": int(rng.integers(0, 3)), "threshold": 0.125}
        yield Case("random", (), options, calls=steps(0, *gaps))
        calls = resumed(steps(0, *gaps[:5]), steps(0, *gaps[5:]))
        yield Case("random, resumed", (), options, RESUMED, calls=calls)


def plateau_facts(case: Case) -> dict[str, Any]:
    """What is so of a case, and where in its values something lies."""
    gaps = [call.args[0] for call in case.calls if call.name == "step"]
    last = next((at for at, call in enumerate(case.calls) if call.name is None), len(case.calls))
    gaps = gaps[: sum(call.name == "step" for call in case.calls[:last])]
    right = Plateau(**case.kwargs)
    values, gains = [right.value], []
    for at, gap in enumerate(gaps, 1):
        if right.gains(gap):
            gains.append(at)
        right.step(gap)
        values.append(right.value)
    asked = asked_values(case)
    falls = [at for at in range(1, len(values)) if values[at] != values[at - 1]]
    below = [at for at, gap in enumerate(gaps, 1) if gap <= 0]

    def since(moments: list[int], number: int = 0) -> list[bool]:
        at = moments[number] if len(moments) > number else len(values)
        return [count >= at for count, _ in asked]

    return {
        "the patience is 0": case.kwargs["patience"] == 0,
        "the threshold is 0": case.kwargs["threshold"] == 0,
        "there is a gap of 0 or less": bool(below),
        "a state is loaded": any(call.name == "load_state_dict" for call in case.calls),
        "λ is to fall": bool(falls),
        "λ is to fall more than once": len(falls) > 1,
        "`factor`": case.kwargs["factor"],
        "after a state was loaded": [loaded > 0 for _, loaded in asked],
        "of the second object that loads the state": [loaded == 2 for _, loaded in asked],
        "from the first gain after the first gap on": since(gains, 1),
        "from the first gap of 0 or less on": since(below),
        "from the first fall on": since(falls),
        "from the second fall on": since(falls, 1),
    }


class Impatient(Plateau):
    """One evaluation too soon."""

    def waits_too_long(self) -> bool:
        return self.waited >= self.patience


class ImpatientWithGains(Plateau):
    """The same, asked after a gain too."""

    def step(self, gap: float) -> None:
        if self.gains(gap):
            self.best, self.waited = gap, 0
        else:
            self.waited += 1
        if self.waited >= self.patience:
            self.fall(gap)


class NoPatience(Plateau):
    """Falls at every evaluation without a gain."""

    def waits_too_long(self) -> bool:
        return True


class TooPatient(Plateau):
    """One evaluation too late."""

    def waits_too_long(self) -> bool:
        return self.waited > self.patience + 1


class AsksFirst(Plateau):
    """The same: counts after it asked."""

    def miss(self, gap: float) -> None:
        if self.waits_too_long():
            self.fall(gap)
        else:
            self.waited += 1


class AsksFirstAndCounts(Plateau):
    """The same, where the evaluation of a fall is counted too."""

    def miss(self, gap: float) -> None:
        if self.waits_too_long():
            self.fall(gap)
        self.waited += 1


class Cascade(Plateau):
    """After the first fall, a fall at every evaluation without a gain."""

    def fall(self, gap: float) -> None:
        self.lam *= self.factor


class FreshStart(Plateau):
    """A fall forgets the best gap: the next gap is a gain."""

    def fall(self, gap: float) -> None:
        super().fall(gap)
        self.best = math.inf


class FromTheFallOn(Plateau):
    """The same: the gap of a fall is what has to be beaten."""

    def fall(self, gap: float) -> None:
        super().fall(gap)
        self.best = gap


class LastForBest(Plateau):
    """Compares with the last gap."""

    def step(self, gap: float) -> None:
        super().step(gap)
        self.best = gap


class SmallestForBest(Plateau):
    """Gains below the threshold move the best gap."""

    def step(self, gap: float) -> None:
        super().step(gap)
        self.best = min(self.best, gap)


class AnyGain(Plateau):
    """The threshold is ignored."""

    def gains(self, gap: float) -> bool:
        return gap < self.best


class NoLoss(Plateau):
    """The threshold is ignored, and a gap that stays is a gain."""

    def gains(self, gap: float) -> bool:
        return gap <= self.best


class JustTheThreshold(Plateau):
    """A gain of exactly the threshold counts."""

    def gains(self, gap: float) -> bool:
        return gap <= self.best - self.threshold


class Relative(Plateau):
    """A share of the best gap, as torch's scheduler has it by default."""

    def gains(self, gap: float) -> bool:
        return gap < self.best * (1 - self.threshold)


class RelativeToSize(Plateau):
    """The same, of the best gap's size."""

    def gains(self, gap: float) -> bool:
        return self.best == math.inf or gap < self.best - self.threshold * abs(self.best)


class OtherSign(Plateau):
    """Losing less than the threshold is a gain."""

    def gains(self, gap: float) -> bool:
        return gap < self.best + self.threshold


class Magnitude(Plateau):
    """The distance from the teacher, on either side."""

    def step(self, gap: float) -> None:
        super().step(abs(gap))


class Clipped(Plateau):
    """No gap is below 0."""

    def step(self, gap: float) -> None:
        super().step(max(gap, 0.0))


def from_a_gap_on(special: Callable[[Plateau, float], bool]) -> tuple[type, type]:
    """Schedules in which something else is done at a gap below 0, or at one of 0 as well."""

    class Below(Plateau):
        def apart(self, gap: float) -> bool:
            return gap < 0

        def step(self, gap: float) -> None:
            if not self.apart(gap) or special(self, gap):
                super().step(gap)

    class NotAbove(Below):
        def apart(self, gap: float) -> bool:
            return gap <= 0

    return Below, NotAbove


def lam_set(number: float) -> Callable[[Plateau, float], bool]:
    """λ is a number from there on."""

    def special(schedule: Plateau, gap: float) -> bool:
        schedule.lam = number
        return True

    return special


def fallen(schedule: Plateau, gap: float) -> bool:
    """λ falls at once."""
    schedule.fall(gap)
    return False


class ZeroIsNone(Plateau):
    """A best gap of 0 counts as none."""

    def gains(self, gap: float) -> bool:
        return not self.best or super().gains(gap)


class RelativeByDivision(Plateau):
    """The same as a quotient, which a best gap of 0 has none of."""

    size = staticmethod(float)

    def gains(self, gap: float) -> bool:
        return self.best == math.inf or (self.best - gap) / self.size(self.best) > self.threshold


class RelativeAndLouder(Relative):
    """The same, wrapped round torch's scheduler, whose state does not hold λ."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        vars(self).update(state | {"lam": self.lam})


class RisingWanted(Plateau):
    """Takes a growing gap for a gain."""

    first = -math.inf

    def gains(self, gap: float) -> bool:
        return gap > self.best + self.threshold


class RisingWantedAfterTheFirst(RisingWanted):
    """The same, with ∞ as the best gap before the first, which is no gain then."""

    first = math.inf


class NothingGained(Plateau):
    """No gap can be below the best one, which is 0 from the start."""

    first = 0.0


def best_from(gap: float) -> type:
    """The same, from another gap on."""
    return type("BestFrom", (NothingGained,), {"first": gap})


class NothingGainedYet(Plateau):
    """The same, from the threshold on."""

    def __init__(self, start: float, factor: float, patience: int, threshold: float) -> None:
        super().__init__(start, factor, patience, threshold)
        self.best = threshold


class BestFromLambda(Plateau):
    """The same, from λ on."""

    def __init__(self, start: float, factor: float, patience: int, threshold: float) -> None:
        super().__init__(start, factor, patience, threshold)
        self.best = start


class FirstMissed(Plateau):
    """The first gap is no gain, and counts as one without."""

    def step(self, gap: float) -> None:
        if self.best == math.inf:
            self.best = gap
            self.miss(gap)
        else:
            super().step(gap)


class FirstMissedUnasked(FirstMissed):
    """The same, and it makes nothing fall."""

    def step(self, gap: float) -> None:
        if self.best == math.inf:
            self.best, self.waited = gap, self.waited + 1
        else:
            super().step(gap)


class GainCounted(Plateau):
    """An evaluation with a gain counts as one without."""

    def gain(self, gap: float) -> None:
        self.best, self.waited = gap, 1


class FallCounted(Plateau):
    """The evaluation of a fall counts as the first without a gain after it."""

    def fall(self, gap: float) -> None:
        self.lam, self.waited = self.lam * self.factor, 1


class SmallGainsReset(Plateau):
    """Any gap below the best starts the count anew."""

    def miss(self, gap: float) -> None:
        if gap < self.best:
            self.waited = 0
        else:
            super().miss(gap)


class Cooldown(Plateau):
    """After a fall one evaluation more passes than before the first."""

    def fall(self, gap: float) -> None:
        self.lam, self.waited = self.lam * self.factor, -1


class RisesOnGain(Plateau):
    """λ comes back when the student gains."""

    def gain(self, gap: float) -> None:
        self.best, self.waited = gap, 0
        self.lam /= self.factor


class BackOnGain(Plateau):
    """The same, and at once to its start."""

    def gain(self, gap: float) -> None:
        self.best, self.waited, self.lam = gap, 0, self.start


class ToTheThreshold(Plateau):
    """A gain is a gap below a share of the best."""

    def gains(self, gap: float) -> bool:
        return gap < self.best * self.threshold


class FallsOnGain(Plateau):
    """Falls when the student gains."""

    def step(self, gap: float) -> None:
        if self.gains(gap):
            self.best = gap
            self.lam *= self.factor


class FallsOnManyGains(Plateau):
    """The same, with patience for gains."""

    def gain(self, gap: float) -> None:
        self.best = gap
        super().miss(gap)

    def miss(self, gap: float) -> None:
        self.waited = 0


class KeepsWaiting(Plateau):
    """A gain does not start the count anew."""

    def gain(self, gap: float) -> None:
        self.best = gap


class GainTakesOne(Plateau):
    """A gain takes one from the count."""

    def gain(self, gap: float) -> None:
        self.best, self.waited = gap, max(self.waited - 1, 0)


class CountsWorse(Plateau):
    """Without a gain is only an evaluation whose gap has grown."""

    by = 0.0

    def miss(self, gap: float) -> None:
        if gap > self.best + self.by * self.threshold:
            super().miss(gap)


class CountsMuchWorse(CountsWorse):
    """The same, and by more than the threshold."""

    by = 1.0


class MeanForBest(Plateau):
    """Compares with the mean of all gaps before."""

    def __init__(self, *options: float, **named: float) -> None:
        super().__init__(*options, **named)
        self.gaps: tuple[float, ...] = ()

    def step(self, gap: float) -> None:
        super().step(gap)
        self.gaps = (*self.gaps, gap)
        self.best = sum(self.gaps) / len(self.gaps)


def floored(least: float) -> type:
    """λ does not fall below a number."""

    class Floored(Plateau):
        def fall(self, gap: float) -> None:
            self.lam, self.waited = max(self.lam * self.factor, least), 0

    return Floored


class KeepsTheFirst(Plateau):
    """A gain does not become the best."""

    def gain(self, gap: float) -> None:
        self.best, self.waited = min(self.best, gap) if self.best == math.inf else self.best, 0


class NeverFalls(Plateau):
    """λ stays."""

    def fall(self, gap: float) -> None:
        self.waited = 0


class Subtracts(Plateau):
    """λ − factor for λ · factor."""

    def fall(self, gap: float) -> None:
        self.lam, self.waited = self.lam - self.factor, 0


class SubtractsToZero(Plateau):
    """The same, and not below 0."""

    def fall(self, gap: float) -> None:
        self.lam, self.waited = max(self.lam - self.factor, 0.0), 0


class Divides(Plateau):
    """λ / factor for λ · factor."""

    def fall(self, gap: float) -> None:
        self.lam, self.waited = self.lam / self.factor, 0


class Complements(Plateau):
    """λ · (1 − factor) for λ · factor."""

    def fall(self, gap: float) -> None:
        self.lam, self.waited = self.lam * (1 - self.factor), 0


class FallsOnce(Plateau):
    """A fall begins at the start value."""

    def fall(self, gap: float) -> None:
        self.lam, self.waited = self.start * self.factor, 0


class Silent(Plateau):
    """`value` is None."""

    value = None


def remembering(*names: str) -> type:
    """A schedule in which only some of what it remembers comes back."""

    class Remembers(Plateau):
        def load_state_dict(self, state: dict[str, Any]) -> None:
            vars(self).update((name, state[name]) for name in names)

    return Remembers


def losing_zeros(best: bool, lam: bool) -> type:
    """A schedule that takes a best gap of 0, or a λ of 0, for none when a state is loaded."""

    class LosesZeros(Plateau):
        def load_state_dict(self, state: dict[str, Any]) -> None:
            vars(self).update(state)
            if best:
                self.best = self.best or self.first
            if lam:
                self.lam = self.lam or self.start

    return LosesZeros


WATCHED = ("lam", "best", "waited")
PLATEAU_WAYS: tuple[tuple, ...] = (
    (
        "one_evaluation_too_soon",
        "λ falls one evaluation too soon. With a patience of 1, one evaluation without a gain may"
        " pass. At which one does λ fall?",
        Impatient,
        ImpatientWithGains,
    ),
    (
        "one_evaluation_too_late",
        "λ falls one evaluation too late. With a patience of 1, the second evaluation without a"
        " gain is one more than may pass. Do you count it before you compare with the patience?",
        TooPatient,
        AsksFirst,
        AsksFirstAndCounts,
    ),
    (
        "patience_ignored",
        "λ falls at every evaluation without a gain. How many of them may pass before it does?",
        NoPatience,
    ),
    (
        "no_new_patience_after_a_fall",
        "After its first fall λ falls at every evaluation without a gain. A smaller λ needs"
        " time to show what it does.",
        Cascade,
    ),
    (
        "best_forgotten_after_a_fall",
        "After a fall a gap that is worse than the best one counts as a gain, as if the best one"
        " were forgotten. What starts again with a fall, and what does not?",
        FreshStart,
        FromTheFallOn,
    ),
    (
        "last_for_best",
        "λ behaves as if each gap were compared with the one before it. A gap that rises and comes"
        " back is not a gain; which gap has to be beaten?",
        LastForBest,
    ),
    (
        "small_gains_become_the_best",
        "λ behaves as if a gap that is a little smaller became the best one, although it is no"
        " gain. Small improvements then never add up to a gain: each is measured from the one"
        " before.",
        SmallestForBest,
    ),
    (
        "first_for_best",
        "λ behaves as if every gap were compared with the first. What does a gain change?",
        KeepsTheFirst,
    ),
    (
        "threshold_ignored",
        "λ behaves as if the threshold had no effect: even the smallest improvement is a gain."
        " Validation losses are noisy; what is the threshold for?",
        AnyGain,
        NoLoss,
    ),
    (
        "threshold_included",
        "λ behaves as if a gain of exactly the threshold counted. The task says by how much a gap"
        " has to be below the best one; read that line again.",
        JustTheThreshold,
    ),
    (
        "threshold_relative",
        "λ behaves as if the threshold were a share of the best gap, as it is in torch's scheduler"
        " by default. Here it is in nats. A share of a gap near 0, or below 0, does not measure"
        " noise.",
        Relative,
        RelativeToSize,
        RelativeByDivision,
        type("BySize", (RelativeByDivision,), {"size": staticmethod(abs)}),
        RelativeAndLouder,
        ToTheThreshold,
    ),
    (
        "threshold_on_the_other_side",
        "λ behaves as if a gap that grows by less than the threshold were a gain. On which"
        " side of the best gap does the threshold belong?",
        OtherSign,
    ),
    (
        "gap_below_zero_ignored",
        "Right as long as the student is behind its teacher. When the student has passed its"
        " teacher, the gap is below 0, and the further below, the better. What does your code do"
        " with such a gap?",
        Magnitude,
        Clipped,
        *from_a_gap_on(lam_set(0.0)),
        *from_a_gap_on(lambda schedule, gap: False),
        *from_a_gap_on(fallen),
    ),
    (
        "zero_taken_for_none",
        "Right until the best gap is exactly 0. Then any gap counts as a gain, as if there"
        " were no best one yet: 0 is false in Python, as None is.",
        ZeroIsNone,
    ),
    (
        "rising_gap_wanted",
        "λ behaves as if a growing gap were a gain. The gap says how far the student's loss is"
        " above its teacher's. Is a larger gap better?",
        RisingWanted,
    ),
    (
        "nothing_is_a_gain",
        "λ behaves as if there were a best gap before the first evaluation, so that a larger first"
        " gap is no gain. The first gap is always a gain: what must the best one be before it?",
        NothingGained,
        *map(best_from, (1.0, 2.0, 100.0)),
        NothingGainedYet,
        BestFromLambda,
    ),
    (
        "first_gap_missed",
        "λ behaves as if the first gap counted as an evaluation without a gain. The first gap is"
        " always a gain.",
        FirstMissed,
        FirstMissedUnasked,
    ),
    (
        "gain_counted",
        "λ behaves as if an evaluation with a gain counted as the first one without a gain. What is"
        " the count right after a gain?",
        GainCounted,
    ),
    (
        "fall_counted",
        "λ behaves as if the evaluation of a fall counted again, as the first one without a gain"
        " after it. With a fall the count starts again at 0.",
        FallCounted,
    ),
    (
        "waits_longer_after_a_fall",
        "The first fall is right, but after it λ waits one evaluation longer than before. With a"
        " fall the count starts again, as at the beginning.",
        Cooldown,
    ),
    (
        "small_gains_reset",
        "λ behaves as if any gap below the best one started the count again. A gap that is below it"
        " by no more than the threshold is no gain, so its evaluation counts.",
        SmallGainsReset,
    ),
    (
        "no_gap_is_a_gain",
        "λ falls again and again, always after the same number of evaluations, whatever the gaps"
        " are, as if none were ever a gain. With which number is each gap compared, and what is"
        " that number at first?",
        RisingWantedAfterTheFirst,
    ),
    (
        "rises_on_gain",
        "λ rises when the student gains. In this task it falls or stays; nothing makes it rise.",
        RisesOnGain,
        BackOnGain,
    ),
    (
        "falls_on_gain",
        "λ falls when the student gains. But while the student gains, its teacher still helps.",
        FallsOnGain,
        FallsOnManyGains,
    ),
    (
        "gain_does_not_reset",
        "λ behaves as if a gain did not start the count again: the evaluations without a gain"
        " before it still count, all of them or all but one.",
        KeepsWaiting,
        GainTakesOne,
    ),
    (
        "third_kind_of_evaluation",
        "λ behaves as if an evaluation counted as one without a gain only where the gap has grown,"
        " or has grown by more than the threshold. Each evaluation is either one with a gain or one"
        " without.",
        CountsWorse,
        CountsMuchWorse,
    ),
    (
        "mean_for_best",
        "λ behaves as if each gap were compared with the mean of those before. Which gap has to be"
        " beaten?",
        MeanForBest,
    ),
    (
        "kept_above_a_floor",
        "λ behaves as if it were kept above a number that nobody asked for. With a factor of 0 a"
        " fall leaves nothing of λ.",
        *(floored(least) for least in (0.5, 0.1, 0.05, 0.01, 1e-3, 1e-4)),
    ),
    (
        "never_falls",
        "λ stays where it started, however long there is no gain.",
        NeverFalls,
    ),
    (
        "factor_subtracted",
        "At a fall your λ is smaller by the factor itself, as if it were subtracted. A factor"
        " multiplies: λ falls by a share of itself.",
        Subtracts,
        SubtractsToZero,
    ),
    (
        "factor_divides",
        "λ rises where it should fall, as if it were divided by the factor.",
        Divides,
    ),
    (
        "factor_is_what_is_lost",
        "λ falls as if the factor were what is lost. It says what is left of λ after a fall,"
        " not what is taken away from it.",
        Complements,
    ),
    (
        "falls_from_the_start",
        "The first fall is right, but after it λ does not fall again. Each fall leaves a share of"
        " the current λ; of which λ does yours leave a share?",
        FallsOnce,
    ),
    (
        "value_not_returned",
        "`value` is None where a number should be. Is a return statement missing?",
        Silent,
    ),
    (*NO_VALUE, without_value(Plateau)),
    (
        "state_not_restored",
        "Right without a restart, but after loading a state your schedule begins again.",
        remembering(),
    ),
    (
        "zero_not_restored",
        "After loading a state, what was exactly 0 in it is gone: a best gap of 0, so that any"
        " gap is a gain, or a λ of 0. 0 is false in Python, as None is.",
        losing_zeros(True, False),
        losing_zeros(False, True),
        losing_zeros(True, True),
    ),
    (
        "watched_not_restored",
        "λ comes back, but after loading a state the first gap counts as a gain, whatever it"
        " is. What else does step() remember from one call to the next?",
        remembering("lam"),
        remembering("lam", "waited"),
    ),
    (
        "count_not_restored",
        "λ and the best gap come back, but not the number of evaluations without a gain.",
        remembering("lam", "best"),
    ),
    (
        "lambda_not_restored",
        "What your schedule watched comes back, but λ itself is at its start again.",
        remembering("best", "waited"),
    ),
    (*STATE_NOT_RETURNED, *without_state(Plateau)),
    (
        *STATE_IS_ALIVE,
        with_live_state(Plateau),
        with_shared_state(Plateau, WATCHED, alive=True),
        with_live_part(Plateau, "lam"),
        with_live_part(Plateau, "best", "waited"),
    ),
    (*FROZEN, *frozen(Plateau)),
    (*STATE_IS_SHARED, with_shared_state(Plateau, WATCHED, alive=False)),
    (
        *SHARED_BY_ALL,
        *(
            shared_by_all(Plateau, *names)
            for count in range(len(WATCHED) + 1)
            for watched in combinations(WATCHED, count)
            for names in (watched, (*watched, "factor", "patience", "threshold"))
            if names
        ),
    ),
    (*STATE_IS_EMPTIED, with_emptied_state(Plateau, WATCHED)),
    *broken(Plateau, "start", "factor", "patience", "threshold"),
)
TWO_AT_ONCE = (
    *(
        ("one_evaluation_too_soon", Impatient, name, other)
        for name, other in (
            ("threshold_included", JustTheThreshold),
            ("threshold_ignored", AnyGain),
            ("threshold_relative", Relative),
            ("last_for_best", LastForBest),
            ("small_gains_become_the_best", SmallestForBest),
            ("best_forgotten_after_a_fall", FreshStart),
            ("no_new_patience_after_a_fall", Cascade),
            ("gain_does_not_reset", KeepsWaiting),
        )
    ),
    ("last_for_best", LastForBest, "gain_does_not_reset", KeepsWaiting),
)


def two_at_once() -> Iterator[tuple]:
    """Two mistakes, each of which changes another method."""
    hints = {name: hint for name, hint, *_ in PLATEAU_WAYS}
    for one, first, other, second in TWO_AT_ONCE:
        hint = f"At least two things are off. {hints[one]} {hints[other]}"
        yield f"{one}+{other}", hint, type("Both", (first, second), {})


PLATEAU_MISCONCEPTIONS = every_variant((*PLATEAU_WAYS, *two_at_once()))

# --- Two forms ----------------------------------------------------------------------------------


def to_convex(lam: float) -> list[float]:
    """α, and what the convex loss is multiplied by, to give the additive one."""
    return [lam / (1 + lam), 1 + lam]


def of_a_pair(case: Case) -> float:
    """What float32 rounds: of the factor, or of a small α where the factor is not rounded."""
    (lam,) = case.args
    return (16 * lam if 0 < lam < 0.1 else 4 * (1 + lam)) * float(np.finfo(np.float32).eps)


def by_difference(lam: float) -> list[float]:
    """α as a difference of two float32 numbers that are nearly equal where λ is small."""
    factor = np.float32(1) + np.float32(lam)
    return [float(np.float32(1) - np.float32(1) / factor), float(factor)]


CONVEX_MISCONCEPTIONS = every_variant(
    (
        (
            "alpha_is_lambda",
            "Your α is λ. For λ = 3 the weight 1 − α of LM would be −2. Write both losses out and"
            " compare the ratio of the two weights.",
            lambda lam: [lam, 1.0],
            lambda lam: [lam, 1 / (1 + lam)],
            lambda lam: [lam, 1 / (1 - lam)],
        ),
        (
            "alpha_is_lambda_rescaled",
            "The factor is right, but your α is λ itself. Compare the ratio of the two weights in"
            " both forms.",
            lambda lam: [lam, 1 + lam],
        ),
        (
            "weights_swapped",
            "Your α is the share of the labels. Here α is the teacher's.",
            lambda lam: [1 / (1 + lam), 1 + lam],
            lambda lam: [1 / (1 + lam), 1.0],
            lambda lam: [1 / (1 + lam), 1 / (1 + lam)],
            lambda lam: [1 / (1 + lam), (1 + lam) / lam],
        ),
        (
            "lambda_of_alpha",
            "Your α is λ / (1 − λ), which for λ = 1 has no value. λ = α / (1 − α) says which λ"
            " belongs to an α; the task asks which α belongs to a λ.",
            lambda lam: [lam / (1 - lam), 1 - lam],
            lambda lam: [lam / (1 - lam), 1 + lam],
            lambda lam: [lam / (1 - lam), 1 / (1 - lam)],
            lambda lam: [lam / (1 - lam), 1 / (1 - lam / (1 - lam))],
            lambda lam: [lam / (1 - lam), 1.0],
        ),
        (
            "another_share",
            "Your α is not the teacher's share of the whole. Put in λ = 0, where there is no"
            " teacher, λ = 1, where both losses weigh the same, and λ = 3: what does your α come"
            " to?",
            *(
                lambda lam, alpha=alpha, factor=factor: [alpha(lam), factor(lam)]
                for alpha in (
                    lambda lam: (1 + lam) / lam,
                    lambda lam: 1 - lam,
                    lambda lam: 1 - 1 / lam,
                    lambda lam: 1 / lam,
                    lambda lam: lam / 2,
                    lambda lam: lam / (2 + lam),
                    lambda lam: lam**2 / (1 + lam**2),
                    lambda lam: lam / (lam - 1),
                )
                for factor in (
                    lambda lam: 1 + lam,
                    lambda lam: 1.0,
                    lambda lam: 2.0,
                    lambda lam: lam,
                    lambda lam: 1 / (1 + lam),
                )
            ),
            *(
                lambda lam, alpha=alpha, factor=factor: [alpha(lam), factor(lam, alpha(lam))]
                for alpha in (
                    lambda lam: 1 / (1 + math.exp(-lam)),
                    math.tanh,
                    lambda lam: 1 - math.exp(-lam),
                    lambda lam: min(lam, 1.0),
                )
                for factor in (
                    lambda lam, alpha: 1 + lam,
                    lambda lam, alpha: 1 / (1 - alpha),
                    lambda lam, alpha: 1.0,
                )
            ),
        ),
        (
            "nothing_without_a_teacher",
            "Right for λ above 0. For λ = 0 your factor makes the whole loss 0. A run without a"
            " teacher still learns from its labels.",
            lambda lam: [lam / (1 + lam), 1 + lam if lam else 0.0],
        ),
        (
            "rounded",
            "Your α comes out as if it were rounded or cut off, by round() or by //. A share of"
            " the whole needs its digits.",
            lambda lam: [lam // (1 + lam), 1 + lam],
            *(
                lambda lam, digits=digits, factor=factor: [
                    round(lam / (1 + lam), digits),
                    round(1 + lam, factor),
                ]
                for digits in (1, 2, 3, 4)
                for factor in (digits, 15)
            ),
        ),
        (
            "factor_missing",
            "α is right, but your factor is 1. The weights of the convex form add up to 1; what do"
            " the weights 1 and λ of the additive form add up to?",
            lambda lam: [lam / (1 + lam), 1.0],
        ),
        (
            "another_factor",
            "α is right, but the factor is not. With your factor, which weights do LM and KD get?",
            *(
                lambda lam, factor=factor: [lam / (1 + lam), factor(lam)]
                for factor in (
                    lambda lam: 2.0,
                    lambda lam: 2 + lam,
                    lambda lam: (1 + lam) ** 2,
                    lambda lam: 1 + lam**2,
                    lambda lam: 1 / lam,
                    lambda lam: 1 - lam,
                    lambda lam: lam / (1 + lam),
                )
            ),
        ),
        (
            "factor_inverted",
            "α is right, but the factor is upside down: which is larger, the additive loss or the"
            " convex one?",
            lambda lam: [lam / (1 + lam), 1 / (1 + lam)],
        ),
        (
            "factor_is_lambda",
            "α is right, but with your factor LM gets a weight below 1. Multiply the factor by each"
            " of the two weights, and compare with 1 and λ.",
            lambda lam: [lam / (1 + lam), lam],
        ),
        (
            "factor_makes_kd_one",
            "α is right, but with your factor KD gets a weight of 1. Which of the two losses has"
            " the weight 1 in the additive form?",
            lambda lam: [lam / (1 + lam), (1 + lam) / lam],
        ),
        (
            "parentheses_missing",
            "Your α is 2λ, which is what `lam / 1 + lam` comes to: it divides before it adds. What"
            " is to be divided by what?",
            lambda lam: [2 * lam, 1 + lam],
            lambda lam: [2 * lam, 1.0],
        ),
        (
            "breaks_without_a_teacher",
            "Right for λ above 0. For λ = 0 your function has no result, as if something were"
            " divided by λ, or as if the logarithm of λ were taken. A run on the labels alone has"
            " an α and a factor too.",
            lambda lam: [lam / (1 + lam), lam / (lam / (1 + lam))],
            lambda lam: [lam / (1 + lam), 1 + math.exp(math.log(lam))],
        ),
        (
            "pair_turned_round",
            "Both numbers are right, but in the wrong order. What is asked for first?",
            lambda lam: [1 + lam, lam / (1 + lam)],
        ),
        (
            "difference_of_rounded_numbers",
            "Right where λ is not small. Where it is small, your α is off by as much as 1 − x is in"
            " float32 when x is near 1. Take a quotient, or Python's own floats.",
            by_difference,
        ),
        (
            "alpha_alone",
            "α is right, but a pair is asked for: the factor is missing.",
            lambda lam: lam / (1 + lam),
        ),
    ),
    "2.2",
)

# --- Where λ leads ------------------------------------------------------------------------------


def mixture(
    teacher_logits: Tensor,
    labels: Tensor,
    weights: Callable[[float], tuple[float, float]],
    lam: float,
) -> Tensor:
    """A weighted sum of the label's and the teacher's distribution."""
    return mixed(teacher_logits.double().softmax(-1), labels, *weights(lam))


def mixed(p: Tensor, labels: Tensor, label_weight: float, teacher_weight: float) -> Tensor:
    """A weighted sum of the label's distribution and another row."""
    return label_weight * torch.nn.functional.one_hot(labels, p.shape[-1]) + teacher_weight * p


def best_student(teacher_logits: Tensor, labels: Tensor, lam: float) -> Tensor:
    """q* = (onehot(y) + λp) / (1 + λ)."""
    return mixed(teacher_logits.double().softmax(-1), labels, *shares(lam))


def shares(lam: float) -> tuple[float, float]:
    """Of the label and of the teacher."""
    return 1 / (1 + lam), lam / (1 + lam)


LARGEST_LOGIT = 8.0


def best_cases() -> tuple[Case, ...]:
    """As (teacher_logits, labels, λ)."""
    rng = np.random.default_rng(33)

    def position(shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        logits = torch.tensor(rng.normal(scale=2.0, size=shape), dtype=torch.float32)
        return logits, torch.tensor(rng.integers(0, shape[-1], size=shape[:-1]))

    sure = torch.tensor([[LARGEST_LOGIT, -LARGEST_LOGIT, 0, 1], [-6, 1, LARGEST_LOGIT, -7]])
    return (
        Case("one position", (*position((4,)), 2.0), public=True),
        Case("three positions", (*position((3, 5)), 0.5), public=True),
        Case("two texts of three positions", (*position((2, 3, 4)), 3.0), public=True),
        Case("a sure teacher", (sure, torch.tensor([0, 3]), 9.0), public=True),
        Case("λ = 0", (*position((2, 4)), 0.0), public=True),
        Case("λ = 1", (*position((3, 5)), 1.0)),
        Case("a large λ", (*position((2, 6)), 1000.0)),
        Case("a teacher sure of another token", (sure, torch.tensor([2, 1]), 9.0), public=True),
        # Of the labels one does not fit into 7 bits, and one not into 8.
        Case("a vocabulary of 300", (position((2, 300))[0], torch.tensor([130, 299]), 3.0)),
        Case("one text of one position", (*position((1, 1, 2)), 30.0)),
        Case("four axes", (*position((2, 1, 2, 3)), 0.7)),
    )


def random_best_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Cases of a submission's own; no p is so small that a fixed case would not say more of it."""
    for leading in ((4,), (2, 3)):
        size = int(rng.integers(3, 8))
        logits = torch.tensor(rng.uniform(-4, 4, size=(*leading, size)), dtype=torch.float32)
        labels = torch.tensor(rng.integers(0, size, size=leading))
        yield Case("random", (logits, labels, float(rng.uniform(1.2, 4.0))))


def best_facts(case: Case) -> dict[str, Any]:
    """What is so of a case, and where in its rows the label stands."""
    logits, labels, lam = case.args
    at_label = torch.nn.functional.one_hot(labels, logits.shape[-1]).bool()
    return {
        "λ": lam,
        "1 + λ": 1 + lam,
        "λ is 0": lam == 0,
        "λ is above 1": lam > 1,
        "the logits have three axes": logits.ndim == 3,
        "the logits have one axis": logits.ndim == 1,
        "at the label of each position": at_label.tolist(),
        "of the tokens that are not the label": (~at_label).tolist(),
    }


def of_probabilities(case: Case) -> float:
    """A probability is wrong by its logits' rounding and by that of a sum over the vocabulary."""
    logits = case.args[0]
    largest = max(4.0, float(logits.abs().max()))  # so that a millionth is never too much
    return 2 * (logits.shape[-1] + largest) * float(np.finfo(np.float32).eps)


def normalised(rows: Tensor) -> Tensor:
    """The same, over their sums."""
    return rows / rows.sum(-1, keepdim=True)


def unpacked(teacher_logits: Tensor, labels: Tensor, lam: float) -> Tensor:
    """The right way, for [N, V] alone."""
    _positions, _size = teacher_logits.shape
    return best_student(teacher_logits, labels, lam)


def unpacked_batches(teacher_logits: Tensor, labels: Tensor, lam: float) -> Tensor:
    """The right way, for [B, L, V] alone."""
    _texts, _positions, _size = teacher_logits.shape
    return best_student(teacher_logits, labels, lam)


def indexed(teacher_logits: Tensor, labels: Tensor, lam: float) -> Tensor:
    """The same, where the label's place is found by two indices."""
    q = lam * teacher_logits.double().softmax(-1)
    q[torch.arange(len(q)), labels] += 1
    return q / (1 + lam)


def looped(teacher_logits: Tensor, labels: Tensor, lam: float) -> Tensor:
    """The same, row by row."""
    q = lam * teacher_logits.double().softmax(-1)
    for row, label in zip(q, labels, strict=False):
        row[label] += 1
    return q / (1 + lam)


def indexed_by_labels(teacher_logits: Tensor, labels: Tensor, lam: float) -> Tensor:
    """The same, with the labels counted."""
    q = lam * teacher_logits.double().softmax(-1)
    q[torch.arange(len(labels)), labels] += 1
    return q / (1 + lam)


def rows_indexed(teacher_logits: Tensor, labels: Tensor, lam: float) -> Tensor:
    """The labels are taken for places on the first axis."""
    q = lam * teacher_logits.double().softmax(-1)
    q[labels] += 1
    return q / (1 + lam)


def all_labels_in_all_rows(teacher_logits: Tensor, labels: Tensor, lam: float) -> Tensor:
    """Each label of the batch is added to each row."""
    q = lam * teacher_logits.double().softmax(-1)
    q[..., labels] += 1
    return q / (1 + lam)


def breaking_at_zero(
    value: Callable[[float], float], teacher_logits: Tensor, labels: Tensor, lam: float
) -> Tensor:
    """The right way, but for something that λ = 0 has no value for."""
    return best_student(teacher_logits, labels, lam) + 0 * value(lam)


def of_logarithms(t: Tensor, y: Tensor, tiny: float, label: float, teacher: float) -> Tensor:
    """A softmax of mixed logarithms, that of the label kept finite by a small number."""
    log_y = (torch.nn.functional.one_hot(y, t.shape[-1]) + tiny).double().log()
    return (label * log_y + teacher * t.double().log_softmax(-1)).softmax(-1)


def implicit_axis(teacher_logits: Tensor) -> int:
    """The axis that F.softmax takes when it is not told one."""
    return 0 if teacher_logits.ndim in (1, 3) else 1


BEST_MISCONCEPTIONS = every_variant(
    (
        (
            "other_weights",
            "Your result is a mixture of label and teacher, but not with the weights of the"
            " formula. There label and teacher weigh 1 and λ, divided by what makes the sum 1.",
            *(
                lambda t, y, lam, weights=weights: mixture(t, y, weights, lam)
                for weights in (
                    lambda lam: (1 / (1 + lam**2), lam**2 / (1 + lam**2)),
                    lambda lam: (1 / torch.tensor(lam), 1.0),
                    lambda lam: (1 / (1 + lam), 1.0),
                    lambda lam: (1.0, lam / (1 + lam)),
                    lambda lam: (1 / (1 + lam), 1 / (1 + lam)),
                    lambda lam: (0.5, lam / 2),
                    lambda lam: (lam / (1 + lam), lam / (1 + lam)),
                    lambda lam: (1.0, 1.0),
                    lambda lam: (1 / (2 + lam), lam / (2 + lam)),
                    lambda lam: torch.tensor([1.0, lam]).double().softmax(0).tolist(),
                    lambda lam: shares(4 * lam),
                    lambda lam: shares(2 * lam),
                    lambda lam: shares(lam / 2),
                )
            ),
            *(
                lambda t, y, lam, times=times: best_student(t, y, lam * times(t, y))
                for times in (
                    lambda t, y: t.shape[-1],
                    lambda t, y: 1 / t.shape[-1],
                    lambda t, y: y.numel(),
                    lambda t, y: 1 / y.numel(),
                )
            ),
        ),
        (
            "likeliest_for_teacher",
            "Your mixture has only the likeliest token of the teacher in it. The teacher's whole"
            " distribution is wanted.",
            lambda t, y, lam: mixed(
                torch.nn.functional.one_hot(t.argmax(-1), t.shape[-1]).double(), y, *shares(lam)
            ),
        ),
        (
            "not_normalised",
            "Your probabilities add up to 1 + λ.",
            lambda t, y, lam: mixture(t, y, lambda lam: (1.0, lam), lam),
        ),
        (
            "lambda_on_the_label",
            "A larger λ moves your student towards the label. Is λ the weight of the label or of"
            " the teacher?",
            lambda t, y, lam: mixture(t, y, lambda lam: shares(lam)[::-1], lam),
            lambda t, y, lam: mixture(t, y, lambda lam: (lam, 1.0), lam),
        ),
        (
            "lambda_ignored",
            "Your result is the average of label and teacher, whatever λ is.",
            lambda t, y, lam: mixture(t, y, lambda lam: (0.5, 0.5), lam),
        ),
        (
            "lambda_as_share",
            "In your result the teacher weighs λ and the label 1 − λ. λ may be larger than 1; what"
            " share is it of the two weights in the formula together?",
            lambda t, y, lam: mixture(t, y, lambda lam: (1 - lam, lam), lam),
        ),
        (
            "teacher_alone",
            "Your result is the teacher. That is the limit for λ → ∞.",
            lambda t, y, lam: mixture(t, y, lambda lam: (0.0, 1.0), lam),
        ),
        (
            "label_alone",
            "Your result is the label. That is where λ = 0 leads.",
            lambda t, y, lam: mixture(t, y, lambda lam: (1.0, 0.0), lam),
        ),
        (
            "logits_mixed",
            "In your results the label is mixed with the teacher's logits. Only probabilities"
            " should be mixed: the weights in the derivation multiply p.",
            lambda t, y, lam: mixed(t.double(), y, *shares(lam)),
            lambda t, y, lam: mixed(t.double(), y, 1.0, lam),
            lambda t, y, lam: mixed(t.double(), y, *shares(lam)).softmax(-1),
            lambda t, y, lam: mixed(t.double(), y, 1.0, lam).softmax(-1),
        ),
        (
            "label_overwritten",
            "At the label's own token only the label counts: what the teacher gives that token is"
            " lost. Both sources give it a probability.",
            lambda t, y, lam: best_student(t, y, lam).scatter(-1, y[..., None], 1 / (1 + lam)),
            lambda t, y, lam: (
                (lam * t.double().softmax(-1)).scatter(-1, y[..., None], 1.0) / (1 + lam)
            ),
            lambda t, y, lam: t.double().softmax(-1).scatter(-1, y[..., None], 1.0),
            lambda t, y, lam: mixed(
                normalised(t.double().softmax(-1).scatter(-1, y[..., None], 0.0)), y, *shares(lam)
            ),
            lambda t, y, lam: normalised(
                (lam * t.double().softmax(-1)).scatter(-1, y[..., None], 1.0)
            ),
        ),
        (
            "mixed_in_logits",
            "Your result is as if something were added to the label's logit before a softmax."
            " Adding logits multiplies probabilities, but the best student is a weighted mean of"
            " two distributions.",
            *(
                lambda t, y, lam, add=add: (
                    t.double() + add(lam) * torch.nn.functional.one_hot(y, t.shape[-1])
                ).softmax(-1)
                for add in (
                    lambda lam: 1 / torch.tensor(lam),
                    lambda lam: 1.0,
                    lambda lam: lam,
                    math.log1p,
                    lambda lam: torch.log1p(1 / torch.tensor(lam)),
                    lambda lam: 1 / lam if lam else 1e4,
                )
            ),
        ),
        (
            "logarithms_mixed",
            "Your results are as if log-probabilities were mixed. Only probabilities should be"
            " mixed: the weights in the derivation multiply p.",
            lambda t, y, lam: mixed(t.double().log_softmax(-1), y, *shares(lam)),
            lambda t, y, lam: mixed(t.double().log_softmax(-1), y, *shares(lam)).exp(),
            *(
                lambda t, y, lam, tiny=tiny, weights=weights: of_logarithms(
                    t, y, tiny, *weights(lam)
                )
                for tiny in (1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12)
                for weights in (shares, lambda lam: (1.0, lam))
            ),
        ),
        (
            "label_zero_ignored",
            "Where the label is 0, your row is wrong. 0 is the number of a token like any other.",
            *(
                lambda t, y, lam, rest=rest: torch.where(
                    (y > 0)[..., None], best_student(t, y, lam), rest(lam) * t.double().softmax(-1)
                )
                for rest in (
                    lambda lam: 1.0,
                    lambda lam: lam / lam if lam else math.nan,
                    lambda lam: lam / (1 + lam),
                    lambda lam: 0.0,
                )
            ),
        ),
        (
            "softmaxed_twice",
            "Your result is as if a softmax went over the mixture of label and teacher. A softmax"
            " takes logits; this mixture is made of probabilities already.",
            lambda t, y, lam: best_student(t, y, lam).softmax(-1),
            lambda t, y, lam: mixed(t.double().softmax(-1), y, 1.0, lam).softmax(-1),
        ),
        (
            "teacher_softmaxed_twice",
            "Your result is as if the teacher's distribution went through a softmax a second time,"
            " which makes it nearly flat. A softmax takes logits.",
            lambda t, y, lam: mixed(t.double().softmax(-1).softmax(-1), y, *shares(lam)),
        ),
        (
            "teacher_softened",
            "In your result the teacher is softened or sharpened, as if its logits were scaled by a"
            " temperature or by λ itself. Here T = 1.",
            *(
                lambda t, y, lam, by=by: mixed((t.double() / by(lam)).softmax(-1), y, *shares(lam))
                for by in (
                    lambda lam: 2.0,
                    lambda lam: 3.0,
                    lambda lam: 4.0,
                    lambda lam: 5.0,
                    lambda lam: max(lam, 1e-8),
                    lambda lam: 1 + lam,
                    lambda lam: 1 / max(lam, 1e-8),
                )
            ),
        ),
        (
            "softmax_on_another_axis",
            "Your result is as if the teacher's softmax ran over another axis than the vocabulary."
            " Which axis of [..., V] is the vocabulary, however many axes there are?",
            lambda t, y, lam: mixed(t.double().softmax(0), y, *shares(lam)),
            lambda t, y, lam: mixed(t.double().softmax(1), y, *shares(lam)),
            lambda t, y, lam: mixed(t.double().softmax(implicit_axis(t)), y, *shares(lam)),
        ),
        (
            "tables_alone",
            "Right for [N, V], but not for other numbers of axes. The task says [..., V]: any"
            " number of axes before the vocabulary, or none.",
            unpacked,
            indexed,
            indexed_by_labels,
            looped,
        ),
        (
            "batches_alone",
            "Right for [B, L, V], but not for other numbers of axes. The task says [..., V]: any"
            " number of axes before the vocabulary, or none.",
            unpacked_batches,
        ),
        (
            "labels_of_all_positions",
            "Each row of yours gets the labels of all positions. But each position has one label;"
            " the others belong to other rows.",
            all_labels_in_all_rows,
        ),
        (
            "labels_taken_for_rows",
            "Right for one position. With several, your labels choose whole rows, as if they were"
            " the numbers of rows; too large a label is an error. On which axis is the vocabulary?",
            rows_indexed,
        ),
        (
            "teacher_alone_at_zero",
            "Right for λ above 0. At λ = 0 your student is its teacher, but λ is the teacher's"
            " weight. Which of the two sources is left?",
            lambda t, y, lam: best_student(t, y, lam) if lam else t.double().softmax(-1),
        ),
        (
            "normalised_otherwise",
            "Your rows do not add up to 1, as if the mixture were divided by something else than"
            " the sum of its row. What makes a distribution of each row?",
            *(
                lambda t, y, lam, norm=norm: (lambda mix: mix / norm(mix))(
                    mixed(t.double().softmax(-1), y, 1.0, lam)
                )
                for norm in (
                    lambda mix: mix.sum(0, keepdim=True),
                    lambda mix: mix.sum(0, keepdim=True).clamp_min(1e-12),
                    lambda mix: mix.sum(1, keepdim=True),
                    lambda mix: mix.sum(),
                    lambda mix: mix.norm(dim=-1, keepdim=True),
                    lambda mix: mix.amax(-1, keepdim=True),
                )
            ),
        ),
        (
            "breaks_without_a_teacher",
            "Right for λ above 0. For λ = 0 your function has no result, as if something were"
            " divided by λ, or as if the logarithm of λ were taken. A student without a teacher"
            " ends somewhere too.",
            *(
                partial(breaking_at_zero, value)
                for value in (
                    math.log,
                    lambda lam: 1 / lam,
                    lambda lam: float(1 / torch.tensor(lam)),
                )
            ),
        ),
        (
            "one_hot_too_narrow",
            "Your function raises an exception, as if the one-hot rows were only as wide as the"
            " largest label needs. Where the last token is no label, they are narrower than the"
            " vocabulary, and the shapes do not fit.",
            lambda t, y, lam: (
                (torch.nn.functional.one_hot(y) + lam * t.double().softmax(-1)) / (1 + lam)
            ),
        ),
        (
            "logarithms_returned",
            "Your results are logarithms. A distribution is asked for: numbers that add up to 1.",
            lambda t, y, lam: best_student(t, y, lam).log(),
            *(
                lambda t, y, lam, tiny=tiny: (best_student(t, y, lam) + tiny).log()
                for tiny in (1e-6, 1e-8, 1e-9, 1e-10, 1e-12)
            ),
            lambda t, y, lam: mixture(t, y, lambda lam: (1.0, lam), lam).log(),
        ),
        (
            "likeliest_returned",
            "Each row of yours is 1 at one token and 0 at all others. The best student is not sure"
            " of any token unless λ is 0.",
            lambda t, y, lam: torch.nn.functional.one_hot(
                best_student(t, y, lam).argmax(-1), t.shape[-1]
            ),
        ),
        (
            "rounded",
            "Your probabilities come out as if they were rounded to a few digits. Nobody asks for"
            " that, and small probabilities are lost.",
            *(
                lambda t, y, lam, digits=digits: best_student(t, y, lam).round(decimals=digits)
                for digits in (2, 3, 4)
            ),
        ),
        (
            "softmax_left_out",
            "What stands for the teacher in your mixture is not its distribution, as if its logits"
            " had gone through another function than a softmax.",
            *(
                lambda t, y, lam, how=how: mixed(how(t.double()), y, *shares(lam))
                for how in (
                    lambda z: z / z.sum(-1, keepdim=True),
                    lambda z: z.abs() / z.abs().sum(-1, keepdim=True),
                    torch.sigmoid,
                    torch.exp,
                )
            ),
        ),
    ),
    "2.2",
)

# --- Which λ? -----------------------------------------------------------------------------------

WANTED = {"a": "high", "b": "low", "c": "falling"}
WHY = {
    ("a", "low"): "With a low λ in case a, your student learns what visitors typed, mistakes"
    " included. Which of its two sources is more often right there?",
    ("a", "falling"): "With a falling λ in case a, your student is in the end left with the labels,"
    " and many of them are wrong. Do they get better with time?",
    ("b", "high"): "With a high λ in case b, your student copies a teacher that it has already"
    " passed.",
    ("b", "falling"): "With a falling λ in case b, your student first learns from a teacher that it"
    " has already passed. What would it gain from that?",
    (
        "c",
        "high",
    ): "With a high λ in case c, your student is still pulled to its teacher when it could pass"
    " it.",
    ("c", "low"): "With a low λ in case c, your student spends its first days finding out from the"
    " labels what its teacher could tell it at once.",
}


def choice_mistakes() -> tuple[Mistake, ...]:
    """One for every wrong assignment, with a hint for each wrong choice."""
    found = []
    for choices in product(("high", "low", "falling"), repeat=3):
        answer = dict(zip(WANTED, choices, strict=True))
        wrong = [pair for pair in answer.items() if pair in WHY]
        if wrong:
            name = "_".join(("wrong", *(f"{case}_{chosen}" for case, chosen in wrong)))
            hint = " ".join(WHY[pair] for pair in wrong)
            found.append(Mistake(name, answer, hint, SECTIONS["1.4"]))
    return tuple(found)


STAGES = ["b", "d", "a", "c"]
PAIRS = {
    "db": "At which of the two does the student know less of what its teacher knows?",
    "ab": "At which of the two can the student learn more from its teacher?",
    "cb": "At which of the two can the student learn more from its teacher?",
    "ad": "At which of the two is the student still gaining on its teacher?",
    "cd": "At which of the two is the teacher still better than the student?",
    "ca": "At which of the two would the teacher hold the student back more?",
}


def order_mistakes() -> tuple[Mistake, ...]:
    """One for every wrong order; the hint is about two neighbours that are out of order."""
    found = []
    for order in permutations(sorted(STAGES)):
        if list(order) == STAGES:
            continue
        if list(order) == STAGES[::-1]:
            name = "rising"
            hint = (
                "Your λ rises as the student becomes better. But a teacher has most to teach to a"
                " student that knows nothing."
            )
        else:
            first, second = next(pair for pair in pairwise(order) if "".join(pair) in PAIRS)
            name = f"{first}_before_{second}"
            hint = f"You gave {first} a higher λ than {second}. {PAIRS[first + second]}"
        found.append(Mistake(name, list(order), hint, SECTIONS["3.1"]))
    return tuple(found)


# --- The tasks ----------------------------------------------------------------------------------

CHECKS = (
    FunctionCheck(
        name="linear_lambda",
        parts={"values": 3, RESUMED: 1},
        expected="A class whose `value` goes from `start` to `end` in equal steps, is `end` after"
        " `steps` calls of step(), stays there, and goes on from a loaded state.",
        section=SECTIONS["3.1"],
        reference=Linear,
        fixed=planned_cases(),
        random=random_planned_cases,
        misconceptions=planned_misconceptions(Linear),
        facts=planned_facts,
        tolerance=accumulated,
    ),
    FunctionCheck(
        name="cosine_lambda",
        parts={"values": 2, RESUMED: 1},
        expected="The same as in task 1, along half a cosine: slow at both ends, fast in the"
        " middle.",
        section=SECTIONS["3.1"],
        reference=Cosine,
        fixed=planned_cases(),
        random=random_planned_cases,
        misconceptions=planned_misconceptions(Cosine),
        facts=planned_facts,
        tolerance=accumulated,
    ),
    FunctionCheck(
        name="plateau_lambda",
        parts={"values": 3, RESUMED: 1},
        expected="A class whose `value` is multiplied by `factor` when, for more than `patience`"
        " evaluations, the gap was not below the best one by more than `threshold`.",
        section=SECTIONS["3.1"],
        reference=Plateau,
        fixed=plateau_cases(),
        random=random_plateau_cases,
        misconceptions=PLATEAU_MISCONCEPTIONS,
        facts=plateau_facts,
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
            Case("λ = 2, a whole number", (2,), public=True),
            Case("λ = 0", (0.0,), public=True),
            Case("λ = 0.25", (0.25,), public=True),
            Case("λ = 1000", (1000.0,), public=True),
            Case("λ = 3/1024", (3 / 1024,), public=True),
            Case("a λ near 0", (2.0**-13,)),
        ),
        random=lambda rng: [Case("random", (float(rng.uniform(0.1, 5)),)) for _ in range(2)],
        misconceptions=CONVEX_MISCONCEPTIONS,
        facts=lambda case: {
            "λ": case.args[0],
            "1 + λ": 1 + case.args[0],
            "λ is 0": case.args[0] == 0,
            "λ is above 1": case.args[0] > 1,
            "λ is above 3": case.args[0] > 3,
            "λ is not a whole number": case.args[0] % 1 != 0,
        },
        names=("alpha", "factor"),
        tolerance=of_a_pair,
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
        facts=best_facts,
        tolerance=of_probabilities,
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
        mistakes=order_mistakes(),
    ),
)
