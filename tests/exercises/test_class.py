"""A class in a file: right answers pass, wrong ones do not, and no hint is false.

`python benchmarks/hints.py --all` prints the confusion table and every answer that is wrong.
"""

import importlib.util
import sys
from functools import cache
from pathlib import Path

import pytest

from exercises.bank import checks, entries

# Tests are imported by their paths; what lies beside them is too.
_spec = importlib.util.spec_from_file_location(
    "classroom", Path(__file__).with_name("classroom.py")
)
classroom = sys.modules.setdefault("classroom", importlib.util.module_from_spec(_spec))
if not hasattr(classroom, "answers"):
    _spec.loader.exec_module(classroom)

NAMED = 0.8  # of the wrong answers, at least


@pytest.fixture(params=classroom.assignments())
def assignment(request: pytest.FixtureRequest) -> str:
    if not any(answer.named for answer in classroom.answers(request.param)):
        pytest.skip("Nobody has said yet what these answers may truthfully be told.")
    return request.param


@cache
def results(assignment: str) -> list:
    answers = classroom.answers(assignment)
    return [classroom.judged(answer) for answer in answers if answer.right != "accident"]


@pytest.mark.slow
def test_no_right_answer_is_refused_and_no_wrong_one_is_taken(assignment: str) -> None:
    for result in results(assignment):
        what = result.answer.line, result.answer.mistake, result.graded
        assert result.kind not in ("right refused", "wrong full"), what


@pytest.mark.slow
def test_no_hint_is_false(assignment: str) -> None:
    for result in results(assignment):
        assert result.kind != "named falsely", (result.answer.line, result.told)


@pytest.mark.slow
def test_most_wrong_answers_are_told_what_is_wrong(assignment: str) -> None:
    counts = classroom.table(results(assignment))
    wrong = sum(result.answer.right == "no" for result in results(assignment))
    assert counts["named rightly"] >= NAMED * wrong, counts


@pytest.mark.slow
def test_grading_takes_back_nothing_that_the_public_check_has_said(assignment: str) -> None:
    for result in results(assignment):
        said, later = result.public.misconception, result.graded.misconception
        if said and not result.public.named:
            assert later, (result.answer.line, said)  # it stays true, and may be explained
        else:
            assert said in (None, later), (result.answer.line, said)


@pytest.mark.slow
def test_every_misconception_is_told_to_somebody(assignment: str) -> None:
    """In the class or in the bank, where test_checks.py holds each chaff to its own."""
    told = {name for result in results(assignment) for name in result.told}
    told |= {name for entry in entries(assignment) for name in entry.expected.values()}
    for check in checks(assignment).values():
        for misconception in getattr(check, "misconceptions", ()):
            assert set(misconception.name.split("+")) <= told, (check.name, misconception.name)


def test_accidents_are_told_what_happened(assignment: str) -> None:
    for answer in classroom.answers(assignment):
        if answer.right == "accident":
            told = classroom.accident(answer)
            assert "Did an earlier cell fail" not in told
            assert any(
                word in told
                for word in ("`", "return statement", "has not been written", "raised", "must")
            ), (answer.line, told)


def test_every_set_has_right_and_wrong_answers_and_accidents() -> None:
    assert len(classroom.assignments()) == 6
    total = 0
    for assignment in classroom.assignments():
        answers = classroom.answers(assignment)
        assert {answer.right for answer in answers} == {"yes", "no", "accident"}
        assert all(bool(answer.mistake) == (answer.right != "yes") for answer in answers)
        total += len(answers)
    assert total >= 300
