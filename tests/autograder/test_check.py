"""`check` on the student's machine, and what it does when the grader has asked."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from autograder.check import CheckFailed, check, describe
from autograder.judging.evidence import decode_outcome, read_evidence, room_for
from autograder.judging.rubric import Section, rubric_from_data, rubric_to_data
from autograder.judging.verdict import Status, judge, judge_either
from autograder.kernel import asking, evidence
from autograder.kernel.asking import ask, observe, observe_with
from autograder.kernel.evidence import Outcome, encode_outcome, write_evidence
from autograder.questions import load_checks, public_data, question, right_versions, to_replace
from autograder.spec import (
    AnswerCheck,
    Call,
    Case,
    FunctionCheck,
    Misconception,
    Mistake,
    Observer,
    Option,
    call_to_data,
    choice,
)

SECTION = Section("1.2", "Measuring the mismatch", "http://book/1.2.html")
DOUBLE = FunctionCheck(
    name="double",
    parts={"values": 2},
    expected="twice what comes in",
    section=SECTION,
    reference=lambda x: 2 * x,
    fixed=(
        Case("one", (torch.tensor([1.0]),), public=True),
        Case("hidden seven", (torch.tensor([7.0]),)),
    ),
    misconceptions=(Misconception("square", "Not the square.", SECTION, lambda x: x**2),),
)
CHOICE = choice(
    name="which",
    parts={"answer": 1},
    expected="the right one",
    section=SECTION,
    options=(Option("a", "Never a.", SECTION), Option("b", None, SECTION)),
)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A student's folder with the public cases in it."""
    data = json.dumps(public_data([DOUBLE, CHOICE]), allow_nan=False)
    (tmp_path / "set.public.json").write_text(data, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_right_function_is_told_so(desk: Path, capsys: pytest.CaptureFixture) -> None:
    check("double", lambda x: x + x)
    assert "all 2 public cases are right" in capsys.readouterr().out


def test_a_wrong_function_gets_its_hint(desk: Path, capsys: pytest.CaptureFixture) -> None:
    check("double", lambda x: x**2)
    out = capsys.readouterr().out
    for words in ("wrong", "0 of 2", "expected 2, got 1", "Not the square.", SECTION.url):
        assert words in out


def test_what_the_grader_does_without_is_named(
    desk: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = ModuleType("notebook")
    monkeypatch.setitem(sys.modules, "notebook", notebook)
    exec(
        """
import torch
import kdlab
from kdlab.divergences import forward_kl
def inside(x):
    from kdlab import divergences
    return 2 * x
def by_a_path(x):
    from kdlab.divergences import reverse_kl
    return 2 * x
def by_a_dotted_name(x):
    import kdlab.divergences as own
    return 2 * x
def by_name(x):
    return (lambda: forward_kl and 2 * x)()
def by_a_helper(x):
    return by_name(x)
class Static:
    def __new__(cls, x):
        return kdlab and 2 * x
class Property(torch.Tensor):
    twice = property(lambda self: forward_kl)
def own(x):
    from math import pi
    return torch.add(x, x)
""",
        notebook.__dict__,
    )
    for name in (
        "inside",
        "by_a_path",
        "by_a_dotted_name",
        "by_name",
        "by_a_helper",
        "Static",
        "Property",
        "forward_kl",
    ):
        check("double", getattr(notebook, name))
        assert "It uses `kdlab`, which is not there" in capsys.readouterr().out, name
    check("double", notebook.own)
    assert "kdlab" not in capsys.readouterr().out


def test_gradients_that_one_answer_switches_off_are_on_for_the_next(
    desk: Path, capsys: pytest.CaptureFixture
) -> None:
    def switches_off(x: torch.Tensor) -> torch.Tensor:
        torch.set_grad_enabled(False)
        return 2 * x

    def by_gradient(x: torch.Tensor) -> torch.Tensor:
        x = x.clone().requires_grad_()
        return torch.autograd.grad((x**2).sum(), x)[0]

    try:
        for answer in (switches_off, by_gradient):
            check("double", answer)
            assert "all 2 public cases are right" in capsys.readouterr().out
    finally:
        torch.set_grad_enabled(True)


def test_an_exception_is_shown_and_does_not_stop_the_notebook(
    desk: Path, capsys: pytest.CaptureFixture
) -> None:
    def broken(x: torch.Tensor) -> None:
        raise KeyError("logits")

    check("double", broken)
    out = capsys.readouterr().out
    assert "raised" in out
    assert "KeyError: 'logits'" in out


def test_a_choice_is_recorded_not_judged(desk: Path, capsys: pytest.CaptureFixture) -> None:
    said = []
    for answer in ("a", "b"):
        check("which", answer)
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    assert "recorded" in said[0]
    check("which", "z")
    assert "one of 'a', 'b'" in capsys.readouterr().out


def stopped(x: torch.Tensor) -> None:
    raise KeyboardInterrupt


def test_validation_fails_with_the_words_of_the_check(
    desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBGRADER_VALIDATING", "1")
    with pytest.raises(CheckFailed, match="Not the square") as caught:
        check("double", lambda x: x**2)
    assert "Not the square." in "\n".join(caught.value._render_traceback_())
    with pytest.raises(CheckFailed, match="stopped before it returned") as caught:
        check("double", stopped)
    with pytest.raises(CheckFailed, match="Is a return statement") as caught:
        check("double", lambda x: None)
    lines = caught.value._render_traceback_()
    assert "1 more case is wrong: run this check in the notebook to see them." in lines
    assert max(map(len, lines)) <= 83  # nbgrader cuts there
    check("double", lambda x: 2 * x)
    check("which", "a")


def test_a_missing_file_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="fetch the assignment again"):
        check("double", abs)
    (tmp_path / "set.public.json").write_text("{")
    with pytest.raises(ValueError, match="is damaged: remove it, and fetch"):
        check("double", abs)
    monkeypatch.setenv("NBGRADER_VALIDATING", "1")
    with pytest.raises(CheckFailed, match="damaged"):
        check("double", abs)


def test_what_ships_has_neither_answers_nor_hidden_cases() -> None:
    data = public_data([DOUBLE, CHOICE])
    assert len(data["double"]["cases"]) == 2  # one, asked twice
    text = json.dumps(data)
    assert "hidden seven" not in text
    assert "Never a." not in text
    (expectation,) = data["which"]["rubric"]["expectations"]
    assert expectation["outcome"] is None
    assert rubric_from_data(data["which"]["rubric"]).allowed == ("a", "b")


def test_the_graders_question_is_answered_once_and_not_judged(
    desk: Path, capsys: pytest.CaptureFixture
) -> None:
    asked = {"check": "double", "nonce": "n", "most": 10_000, "right": {}}
    asked |= question(DOUBLE, DOUBLE.cases())
    ask(json.dumps(asked))
    check("double", lambda x: x**2)
    assert capsys.readouterr().out == "Handed to the grader.\n"
    assert asking._asked is None


def test_every_case_gets_inputs_of_its_own() -> None:
    def in_place(x: torch.Tensor) -> torch.Tensor:
        return x.mul_(2)

    cases = question(DOUBLE, DOUBLE.cases())
    for _ in range(2):
        one, seven, again = observe(in_place, cases)
        assert (one.value.item(), seven.value.item(), again.value.item()) == (2, 14, 2)


def test_exits_and_hostile_exceptions_are_noted() -> None:
    class Hostile(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def leave(x: torch.Tensor) -> None:
        raise SystemExit(0)

    def fail(x: torch.Tensor) -> None:
        raise Hostile

    cases = question(DOUBLE, DOUBLE.cases()[:1])
    assert observe(leave, cases) == [Outcome("raised", type="SystemExit", message="0")]
    assert observe(fail, cases) == [Outcome("raised", type="Hostile", message="")]
    assert observe(3, cases)[0].kind == "unsupported"


def test_an_interrupt_is_not_swallowed() -> None:
    with pytest.raises(KeyboardInterrupt):
        observe(stopped, question(DOUBLE, DOUBLE.cases()))


def test_describe_counts_the_public_cases() -> None:
    rubric = DOUBLE.public()[1]
    ok, plain, html = describe(rubric, [Outcome("returned", 0.0)] * 2)
    assert not ok
    assert "0 of 2 public cases are right" in plain
    assert "0 of 2 public cases are right" in html


class Counter:
    """Counts from `start`; its state is a dict."""

    def __init__(self, *, start: int) -> None:
        self.count = start

    def step(self) -> None:
        self.count += 1

    def state_dict(self) -> dict:
        return {"count": self.count}

    def load_state_dict(self, state: dict) -> None:
        self.count = state["count"]


def test_an_object_is_judged_by_a_sequence_of_calls() -> None:
    class Forgetful(Counter):
        def load_state_dict(self, state: dict) -> None:
            pass

    class ByMethod(Counter):
        def __init__(self, *, start: int) -> None:
            self.number = start

        def count(self) -> int:
            return self.number

        def step(self) -> None:
            self.number += 1

        def state_dict(self) -> dict:
            return {"number": self.number}

        def load_state_dict(self, state: dict) -> None:
            self.number = state["number"]

    calls = (
        Call("step", kept=False),
        Call("count"),
        Call("state_dict", kept=False),
        Call("step", kept=False),
        Call(None, kept=False),
        Call("load_state_dict", kept=False, given=2),
        Call("count"),
    )
    counter = FunctionCheck(
        name="counter",
        parts={"values": 1},
        expected="a counter that goes on where it was",
        section=SECTION,
        reference=Counter,
        fixed=(Case("resumed", (), {"start": 3}, public=True, calls=calls),),
        misconceptions=(Misconception("forgetful", "Not restored.", SECTION, Forgetful),),
    )
    cases = counter.cases()
    asked = json.loads(json.dumps(question(counter, cases)))
    assert [seen.value for seen in observe(Counter, asked)] == [[4, 4], [4, 4]]
    assert judge(counter.rubric(cases), observe(ByMethod, asked)).status is Status.CORRECT
    assert judge(counter.rubric(cases), observe(Forgetful, asked)).misconception == "forgetful"
    assert observe(lambda start: None, asked)[0].type == "AttributeError"


def test_a_case_goes_back_to_an_object_that_it_made() -> None:
    class Counter:
        shared = 0

        def __init__(self) -> None:
            self.own = Counter.shared = 0

        def step(self) -> None:
            self.own += 1
            Counter.shared += 1

    step = Call("step", kept=False)
    first, second = Call(None, kept=False), Call(None, kept=False)
    back = Call(None, kept=False, given=0)
    calls = (first, step, step, second, step, back, Call("own"), Call("shared"))
    asked = [call_to_data(call, lambda value: value) for call in calls]
    assert asking.perform(Counter, [], {}, asked).value == [2, 1]


def test_a_new_object_is_made_with_the_options_of_its_step_if_there_are_any() -> None:
    class Kept:
        def __init__(self, *, start: float) -> None:
            self.start = start

    calls = (
        Call("start"),
        Call(None, kept=False, kwargs={"start": 2.0}),
        Call("start"),
        Call(None, kept=False),
        Call("start"),
    )
    spec = FunctionCheck(
        "kept",
        {"values": 1},
        "what was given",
        SECTION,
        Kept,
        (Case("two", (), {"start": 1.0}, public=True, calls=calls),),
    )
    asked = json.loads(json.dumps(question(spec, spec.cases())))
    assert observe(Kept, asked)[0].value == [1.0, 2.0, 1.0]


def test_results_are_noted_when_they_are_returned() -> None:
    """λ in a tensor that the next step changes in place, a dict that goes on living."""

    class InPlace:
        def __init__(self, *, start: float) -> None:
            self.value, self.state = torch.tensor(start), {"steps": [0]}

        def step(self) -> None:
            self.value -= 1
            self.state["steps"][0] += 1

    calls = (Call("value"), Call("state"), Call("step", kept=False), Call("value"), Call("state"))
    (seen,) = observe(
        InPlace,
        {
            "observer": None,
            "cases": [
                {
                    "args": {"list": []},
                    "kwargs": {"dict": {"start": 3.0}},
                    "again": False,
                    "calls": [call_to_data(call) for call in calls],
                }
            ],
        },
    )
    assert [value if isinstance(value, dict) else value.item() for value in seen.value] == [
        3.0,
        {"steps": [0]},
        2.0,
        {"steps": [1]},
    ]


def test_a_result_that_a_later_call_changes_is_noted_as_it_was() -> None:
    buffer = torch.zeros(1)

    def into_a_buffer(x: torch.Tensor) -> torch.Tensor:
        return buffer.copy_(2 * x)

    cases = DOUBLE.cases()
    verdict = judge(
        DOUBLE.rubric(cases), through_evidence(observe(into_a_buffer, question(DOUBLE, cases)))
    )
    assert verdict.status is Status.CORRECT


def right_double(x):
    return torch.mul(x, 2)


FOUR = FunctionCheck(
    name="four",
    parts={"values": 2},
    expected="four times what comes in",
    section=SECTION,
    reference=lambda x: 4 * x,
    fixed=DOUBLE.fixed,
    uses={"double": right_double},
)
TWICE = "def four(x):\n    return double(double(x))"
WRITTEN_OUT = "def four(x):\n    return x + 3 * x"
OF_A_MISTAKE = "def four(x):\n    return double(x) + 1"


@pytest.mark.parametrize(
    ("double", "four", "points", "words"),
    [
        ("def double(x): return 2 * x", TWICE, 2, "Every case is right."),
        ("def double(x): return 3 * x", TWICE, 2, "Judged with right versions of `double`"),
        ("def double(x): raise NotImplementedError", TWICE, 2, "Judged with right versions"),
        ("", TWICE, 2, "Judged with right versions"),
        ("def double(x): return 3 * x", WRITTEN_OUT, 2, "Every case is right."),
        ("def double(x): return 3 * x", OF_A_MISTAKE, 0, "earns no more"),
        ("def double(x): return x + x", OF_A_MISTAKE, 0, "Results differ"),
        # Built around a wrong function of one's own, it is as good as it was.
        ("def double(x): return 4 * x", "four = lambda x: double(x)", 2, "Every case is right."),
    ],
)
def test_a_mistake_costs_its_own_points_and_no_others(double, four, points, words) -> None:
    space: dict = {}
    exec(f"{double}\n{four}", space)
    before = space.get("double")
    own = through_evidence(
        observe(space["double"], question(DOUBLE, DOUBLE.cases()))
        if double
        else [Outcome("raised", type="NameError")] * 3
    )
    judged = {"double": judge(DOUBLE.rubric(DOUBLE.cases()), own)}
    replaced = to_replace(FOUR, judged)
    cases = question(FOUR, FOUR.cases())
    outcomes = observe(space["four"], cases)
    if replaced:
        outcomes += observe_with(right_versions(FOUR, replaced), space["four"], cases)
    verdict = judge_either(FOUR.rubric(FOUR.cases()), through_evidence(outcomes), replaced)
    assert verdict.points == points
    assert words in verdict.message
    assert space.get("double") is before


def test_right_functions_may_tell_what_is_wrong_with_the_answer_itself() -> None:
    """Own functions that are wrong hide it: no misconception comes to both."""
    space: dict = {}
    exec("def double(x): return 3 * x\ndef four(x): return 2 * double(x) + 1", space)
    cases = question(FOUR, FOUR.cases())
    named = replace(
        FOUR,
        misconceptions=(Misconception("one_more", "One more.", SECTION, lambda x: 4.0 * x + 1),),
    )
    outcomes = observe(space["four"], cases)
    outcomes += observe_with(right_versions(FOUR, ["double"]), space["four"], cases)
    verdict = judge_either(named.rubric(FOUR.cases()), through_evidence(outcomes), ["double"])
    assert (verdict.points, verdict.misconception) == (0, "one_more")
    assert verdict.hint == (
        "With right versions of `double` in place of yours this is so: One more."
    )


def test_what_is_not_judged_yet_is_never_replaced() -> None:
    assert to_replace(FOUR, {}) == []
    assert to_replace(DOUBLE, {}) == []


def test_the_public_check_names_the_earlier_task_that_fails(
    desk: Path, capsys: pytest.CaptureFixture
) -> None:
    (desk / "more.public.json").write_text(json.dumps(public_data([FOUR])), encoding="utf-8")
    check("double", lambda x: 3 * x)
    capsys.readouterr()
    check("four", lambda x: 9 * x)
    assert "The check of `double` fails too" in capsys.readouterr().out
    check("double", lambda x: 2 * x)
    capsys.readouterr()
    check("four", lambda x: 9 * x)
    assert "`double`" not in capsys.readouterr().out


SQUARE = FunctionCheck(
    name="square",
    parts={"values": 1},
    expected="the gradient, the square",
    section=SECTION,
    reference=lambda x, labels: x * x,
    fixed=(Case("two", (torch.tensor([2.0]), torch.tensor([1, -100])), public=True),),
)
WEIGHT = torch.ones(1, requires_grad=True)


def outside(x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    (WEIGHT * x * x).sum().backward()
    return WEIGHT.grad.clone()


def of_the_caller(x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    x.requires_grad_()
    (x**3 / 3).sum().backward()
    return x.grad


def relabels(x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    counted = (labels == -100).sum()
    labels[labels == -100] = 0
    return x * x * counted


def marks(x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    labels[0] = -100  # which nothing hangs on
    return x * x


def switches_off(x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    torch.set_grad_enabled(False)
    return x * x


def computes_in_double(x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    torch.set_default_dtype(torch.float64)
    return x * x


AGAIN = "same question is asked again"
CHANGED = "is another one after the call"


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (outside, AGAIN),
        (of_the_caller, AGAIN),
        (relabels, CHANGED),
        (marks, CHANGED),
    ],
)
def test_what_a_function_keeps_or_leaves_behind_shows(function, words: str) -> None:
    for cases, rubric in ((SQUARE.cases(), SQUARE.rubric(SQUARE.cases())), SQUARE.public()):
        WEIGHT.grad = None
        seen = through_evidence(observe(function, question(SQUARE, cases)))
        verdict = judge(rubric, seen)
        assert verdict.points == 0
        assert words in f"{verdict.message} {verdict.hint}"


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (switches_off, "After your function torch computes no gradients"),
        (computes_in_double, "After your function torch has another default dtype"),
    ],
)
def test_what_holds_for_all_of_torch_is_left_where_it_is_looked_at_what_a_function_does(
    function, words: str
) -> None:
    observer = Observer("def look(function, *given):\n    return function(*given)", "look")
    for asked, points in ((SQUARE, 1), (replace(SQUARE, observer=observer), 0)):
        seen = through_evidence(observe(function, question(asked, asked.cases())))
        verdict = judge(asked.rubric(asked.cases()), seen)
        assert verdict.points == points
        assert (words in f"{verdict.message} {verdict.hint}") == (not points)
        assert torch.get_default_dtype() == torch.float32  # for the next task
        torch.set_grad_enabled(True)


def test_what_is_given_back_as_it_was_is_not_changed() -> None:
    def sorts_and_restores(values: list, table: dict) -> int:
        values.reverse()
        values.reverse()
        values[0][0] = 5.0  # a real number
        return table.pop("a", 0)

    def changes(values: list, table: dict) -> int:
        values[0] = values[0].clone()
        return table["a"]

    given = ([torch.zeros(2), torch.tensor([1])], {"a": 1})
    for function, table in ((sorts_and_restores, {}), (changes, given[1])):
        case = Case("one", (given[0], table), public=True)
        check = replace(SQUARE, reference=lambda v, t: t.get("a", 0), fixed=(case,))
        seen = observe(function, question(check, check.cases()))
        assert (seen[-1].kind == "unsupported") == (function is changes)
        assert seen[0].kind == "returned"


def test_arithmetic_in_place_is_allowed() -> None:
    def in_place(x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        x *= x
        return x.requires_grad_()

    seen = through_evidence(observe(in_place, question(SQUARE, SQUARE.cases())))
    assert judge(SQUARE.rubric(SQUARE.cases()), seen).status is Status.CORRECT


@pytest.mark.parametrize(
    "value", [Fraction(1, 3), Decimal("0.3333333"), np.float32(1 / 3), np.array(1 / 3)], ids=repr
)
def test_numbers_of_all_kinds_are_numbers(value) -> None:
    verdict = judge(
        NUMBER.rubric(NUMBER.cases()),
        through_evidence(observe(value, question(NUMBER, NUMBER.cases()))),
    )
    assert verdict.status is Status.CORRECT


@pytest.mark.parametrize(
    ("value", "came"),
    [
        ("0.33", "text"),
        ([0.33], "a list or a tuple"),
        (torch.tensor([0.33]), "a tensor with 1 axis"),
        ({1, 3}, "a set"),
        (1j, "a complex"),
        pytest.param(lambda: 0.33, "a function", id="function"),
        (True, "True or False"),
    ],
    ids=repr,
)
def test_what_is_no_number_is_named(value, came: str) -> None:
    verdict = judge(
        NUMBER.rubric(NUMBER.cases()),
        through_evidence(observe(value, question(NUMBER, NUMBER.cases()))),
    )
    quoted = " Write it without quotation marks." if came == "text" else ""
    assert verdict.message == f"The answer must be a number, and this is {came}.{quoted}"


def test_a_ranking_in_another_form_is_named_or_taken() -> None:
    for value in (np.array(["a", "b"]), ("a", "b"), ["A ", "b"], "ab"):
        verdict = judge(
            RANKING.rubric(RANKING.cases()),
            through_evidence(observe(value, question(RANKING, RANKING.cases()))),
        )
        assert verdict.status is Status.CORRECT
    verdict = judge(
        RANKING.rubric(RANKING.cases()),
        through_evidence(observe({"a": 1}, question(RANKING, RANKING.cases()))),
    )
    assert verdict.message.endswith("That is a pair, and this is a dict.")


def through_evidence(outcomes: list[Outcome]) -> list[Outcome]:
    return [decode_outcome(encode_outcome(outcome)) for outcome in outcomes]


RANKING = AnswerCheck(
    name="ranking",
    parts={"answer": 1},
    expected="from near to far",
    section=SECTION,
    answer=["a", "b"],
    mistakes=(Mistake("reversed", ["b", "a"], "The other way round.", SECTION),),
)
NUMBER = AnswerCheck(
    name="number",
    parts={"answer": 1},
    expected="a third",
    section=SECTION,
    answer=1 / 3,
    mistakes=(Mistake("inverted", 3.0, "Upside down.", SECTION),),
    tolerance=0.01,
)


@pytest.mark.parametrize(
    ("asked", "value", "points", "status", "named"),
    [
        (RANKING, ("A", "b "), 1, Status.CORRECT, None),
        (RANKING, ["b", "a"], 0, Status.WRONG, "reversed"),
        (RANKING, ["a"], 0, Status.WRONG, None),
        (RANKING, None, 0, Status.NOT_RUN, None),
        (NUMBER, 0.33, 1, Status.CORRECT, None),
        (NUMBER, torch.tensor(1 / 3), 1, Status.CORRECT, None),
        (NUMBER, 3, 0, Status.WRONG, "inverted"),
        (NUMBER, 0.35, 0, Status.WRONG, None),
        (NUMBER, "a third", 0, Status.WRONG, None),
        (NUMBER, True, 0, Status.WRONG, None),
    ],
)
def test_rankings_and_numbers(asked, value, points, status, named) -> None:
    outcomes = [
        decode_outcome(encode_outcome(outcome))
        for outcome in observe(value, question(asked, asked.cases()))
    ]
    verdict = judge(asked.rubric(asked.cases()), outcomes)
    assert (verdict.points, verdict.status, verdict.misconception) == (points, status, named)
    public = rubric_from_data(json.loads(json.dumps(rubric_to_data(asked.public()[1]))))
    well_formed = judge(public, outcomes).status is Status.RECORDED
    assert well_formed == (points == 1 or named is not None or value == 0.35)
    assert not public.wrong_ways


def test_declarations_that_cannot_work_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one option"):
        choice("q", {"answer": 1}, "", SECTION, options=(Option("a", "no", SECTION),))
    with pytest.raises(ValueError, match="one part"):
        choice("q", {"a": 1, "b": 1}, "", SECTION, options=(Option("a", None, SECTION),))
    with pytest.raises(ValueError, match="among the mistakes"):
        AnswerCheck("q", {"a": 1}, "", SECTION, 2, (Mistake("same", 2, "no", SECTION),))
    with pytest.raises(FileNotFoundError, match=r"checks/<name>\.py"):
        load_checks(tmp_path / "none.py")
    twice = tmp_path / "twice.py"
    twice.write_text(
        "from types import SimpleNamespace as S\nCHECKS = (S(name='a'), S(name='a'))\n"
    )
    with pytest.raises(ValueError, match="same name"):
        load_checks(twice)


def test_checks_changed_within_a_second_are_read_anew(tmp_path: Path, monkeypatch) -> None:
    """Byte code would be taken for that of the new file, which has the same size."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = tmp_path / "checks.py"
    for nanosecond, name in enumerate(("mean", "norm")):
        path.write_text(
            f"from types import SimpleNamespace\nCHECKS = (SimpleNamespace(name={name!r}),)\n"
        )
        os.utime(path, ns=(10**18 + nanosecond,) * 2)
        assert list(load_checks(path)) == [name]
    assert list(tmp_path.iterdir()) == [path]


def test_checks_may_have_dataclasses_and_a_faulty_file_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "with_a_class.py"
    path.write_text(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n\n"
        "@dataclass\nclass Made:\n    name: str\n\n"
        "CHECKS = (Made('a'),)\n"
    )
    assert list(load_checks(path)) == ["a"]
    before = set(sys.modules)
    path = tmp_path / "faulty.py"
    path.write_text("CHECKS = 1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        load_checks(path)
    assert set(sys.modules) == before


NEST: list = []
for _ in range(9):
    NEST = [NEST]


@pytest.mark.parametrize(
    "value",
    [
        list(range(10_001)),
        "x" * 20_001,
        Fraction(10**400),
        Decimal("sNaN"),
        torch.empty(2, device="meta"),
        torch.zeros([1] * 9),
        torch.zeros(2**21),
        NEST,
        {"a": ["x" * 20_001]},
    ],
    ids=lambda value: str(type(value).__name__),
)
def test_a_result_that_evidence_cannot_carry_is_said_to_be_none(
    desk: Path, capsys: pytest.CaptureFixture, value: object
) -> None:
    check("double", lambda x: value)
    assert "which cannot be judged." in capsys.readouterr().out
    seen = iter([2 * torch.ones(1), value])
    check("double", lambda x: next(seen, value))
    assert "1 of 2 public cases are right." in capsys.readouterr().out


def test_evidence_carries_as_much_as_is_read() -> None:
    outcomes = [Outcome("returned", list(range(4_000))) for _ in range(4)]
    outcomes += [Outcome("raised", type="ValueError", message="no"), Outcome("returned", 1.0)]
    text = write_evidence("x", "n", outcomes)
    back = read_evidence(text, check="x", nonce="n", count=6)
    assert [each.kind for each in back] == [
        *["returned"] * 2, *["unsupported"] * 2, "raised", "returned"
    ]  # fmt: skip
    full = [Outcome("returned", list(range(10_000 - 5 - 3)))]
    text = write_evidence("x", "n", full)
    assert read_evidence(text, check="x", nonce="n", count=1) == full


def test_one_result_beyond_the_room_is_refused_alone() -> None:
    wanted = [Outcome("returned", 2.0), Outcome("returned", torch.ones(1))]
    outcomes = [Outcome("returned", torch.zeros(1_000_000)), wanted[1]]
    most = room_for(wanted)
    text = write_evidence("x", "n", outcomes, most)
    back = read_evidence(text, check="x", nonce="n", count=2, most=most)
    assert [each.kind for each in back] == ["unsupported", "returned"]


def test_the_room_for_evidence_tells_nothing_of_a_right_answer() -> None:
    short, long = [Outcome("returned", 4.0)], [Outcome("returned", "a longer answer")]
    assert room_for(short) == room_for(long)


def test_a_result_beyond_the_room_is_one_also_at_home(
    desk: Path, capsys: pytest.CaptureFixture
) -> None:
    seen = iter([torch.zeros(1_000_000)])
    check("double", lambda x: next(seen, 2 * x))
    said = capsys.readouterr().out
    assert "It returned a value that is too large, which cannot be judged. 1 of 2 public" in said


def test_a_result_that_is_far_too_large_is_not_even_copied(
    desk: Path, capsys: pytest.CaptureFixture
) -> None:
    check("double", lambda x: range(10**12))
    assert "It returned a value that is too large" in capsys.readouterr().out


def test_where_a_result_takes_all_memory_a_sentence_says_so(
    desk: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(value: object) -> None:
        raise MemoryError

    monkeypatch.setattr(evidence, "encode", full)
    check("double", lambda x: 2 * x)
    assert "It returned a value that is too large" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (['check("which", ranking)'], "`ranking` is not defined yet. Write your answer"),
        (
            ["def Ranking():\n    pass", 'check("which", ranking)'],
            "`ranking` is not defined. Your notebook has `Ranking`",
        ),
        (["ranking + 1"], "NameError"),
        (['check("which", [ranking])'], "NameError"),
    ],
)
def test_in_a_notebook_a_missing_name_is_a_sentence(desk: Path, cells: list, said: str) -> None:
    """In an IPython of its own, because it changes how exceptions are shown."""
    script = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance(colors='NoColor')\n"
        f"for cell in {['from autograder.check import check', *cells]!r}:\n"
        "    shell.run_cell(cell, store_history=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=desk, capture_output=True, text=True, check=True
    )
    assert said in done.stdout
    assert ("Traceback" in done.stdout) == (said == "NameError")
