"""`check` on the student's machine, and what it does when the grader has asked."""

import json
from pathlib import Path

import pytest
import torch

from autograder.check import CheckFailed, check, describe
from autograder.judging.evidence import decode_outcome
from autograder.judging.verdict import Section, Status, judge, rubric_from_data, rubric_to_data
from autograder.kernel import asking
from autograder.kernel.asking import ask, observe
from autograder.kernel.evidence import Outcome, encode_outcome
from autograder.spec import (
    AnswerCheck,
    Call,
    Case,
    FunctionCheck,
    Misconception,
    Mistake,
    Option,
    choice,
    load_checks,
    public_data,
    question,
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
    assert "public case is right" in capsys.readouterr().out


def test_a_wrong_function_gets_its_hint(desk: Path, capsys: pytest.CaptureFixture) -> None:
    check("double", lambda x: x**2)
    out = capsys.readouterr().out
    for words in ("wrong", "0 of 1", "expected [2.] of shape [1]", "Not the square.", SECTION.url):
        assert words in out


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


def test_validation_fails_with_the_words_of_the_check(
    desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBGRADER_VALIDATING", "1")
    with pytest.raises(CheckFailed, match="Not the square") as caught:
        check("double", lambda x: x**2)
    assert "Not the square." in "\n".join(caught.value._render_traceback_())
    check("double", lambda x: 2 * x)
    check("which", "a")


def test_a_missing_file_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="fetch the assignment again"):
        check("double", abs)


def test_what_ships_has_neither_answers_nor_hidden_cases() -> None:
    data = public_data([DOUBLE, CHOICE])
    assert len(data["double"]["cases"]) == 1
    text = json.dumps(data)
    assert "hidden seven" not in text
    assert "Never a." not in text
    (expectation,) = data["which"]["rubric"]["expectations"]
    assert expectation["outcome"] is None
    assert rubric_from_data(data["which"]["rubric"]).allowed == ("a", "b")


def test_the_graders_question_is_answered_once_and_not_judged(
    desk: Path, capsys: pytest.CaptureFixture
) -> None:
    asked = {"check": "double", "nonce": "n", **question(DOUBLE, DOUBLE.cases())}
    ask(json.dumps(asked))
    check("double", lambda x: x**2)
    assert capsys.readouterr().out == "Handed to the grader.\n"
    assert asking._asked is None


def test_every_case_gets_inputs_of_its_own() -> None:
    def in_place(x: torch.Tensor) -> torch.Tensor:
        return x.mul_(2)

    cases = question(DOUBLE, DOUBLE.cases())
    for _ in range(2):
        one, seven = observe(in_place, cases)
        assert (one.value.item(), seven.value.item()) == (2, 14)


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
    def interrupted(x: torch.Tensor) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        observe(interrupted, question(DOUBLE, DOUBLE.cases()))


def test_describe_counts_the_public_cases() -> None:
    rubric = DOUBLE.public()[1]
    ok, plain, html = describe(rubric, [Outcome("returned", 0.0)])
    assert not ok
    assert "0 of 1 public cases are right" in plain
    assert "0 of 1 public cases are right" in html


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
    (seen,) = observe(Counter, asked)
    assert seen.value == [4, 4]
    assert judge(counter.rubric(cases), observe(ByMethod, asked)).status is Status.CORRECT
    assert judge(counter.rubric(cases), observe(Forgetful, asked)).misconception == "forgetful"
    assert observe(lambda start: None, asked)[0].type == "AttributeError"


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
