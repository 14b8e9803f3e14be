"""What is mistyped in a set ends in one sentence that says where, before anything is tried."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from autograder.authoring.declaration import faults
from autograder.authoring.proof import prove
from autograder.authoring.template import make
from autograder.commands.cli import app
from autograder.grading.execution.rehearsal import before_release, rehearse_checks
from autograder.judging.rubric import Section
from autograder.judging.verdict import Status, judge
from autograder.questions import load_checks
from autograder.spec import AnswerCheck

NAME = "ps7_mine"
CHECKS, BANK = f"checks/{NAME}.py", f"bank/{NAME}"
NOTEBOOK = f"source/{NAME}/{NAME}.ipynb"
PARTS = '{"values": 3, "a single value": 1}'
HINT = '"Your result is one number, the mean. How many are asked for?"'
SECTION = "section=MEANS,\n                implementation=lambda values: values.mean()"
MEANS = Section("1", "Means", "http://book/1.html")
ONE = 'Case("one value", (torch.tensor([3.5]),)'


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mine")
    make(root, NAME)
    return root


@pytest.fixture
def change(made: Path, tmp_path: Path) -> Callable:
    def change(file: str, *pairs: str) -> Path:
        root = shutil.copytree(made, tmp_path / "course")
        text = (root / file).read_text(encoding="utf-8")
        for old, new in zip(pairs[::2], pairs[1::2], strict=True):
            assert old in text
            text = text.replace(old, new, 1)
        (root / file).write_text(text, encoding="utf-8")
        return root

    return change


OF_CHECKS = [
    (PARTS, '{"values": 4, "a single value": 0}', "The part 'a single value' is worth 0. Write a"),
    (PARTS, '{"values": "two"}', "The part 'values' is worth 'two'"),
    (PARTS, '{"values": 5, "a single value": -1}', "is worth -1"),
    (PARTS, '{"values": float("nan")}', "is worth nan"),
    (PARTS, "4", "parts is 4, not a dict"),
    (PARTS, "{}", "parts is {}, not a dict"),
    (SECTION, SECTION.partition(",")[2].strip(), "missing 1 required positional argument: 'sect"),
    (SECTION, SECTION.replace("MEANS", "None"), "'not_taken_away' the section is None"),
    (
        SECTION,
        SECTION.replace("MEANS", '"1"'),
        "'not_taken_away' the section is a value of the type str",
    ),
    ("section=MEANS,\n        reference", 'section="1",\n        reference', "Its section is a v"),
    (HINT, '" "', "'not_taken_away' has no hint in words"),
    (HINT, f"({HINT},)", "'not_taken_away' has no hint in words"),
    ('"not_taken_away"', '"not taken away"', "'not taken away' is no name for a hint"),
    ("implementation=lambda values: values.mean()", "implementation=3", "is no function"),
    (
        "reference=lambda",
        "tolerance=0.1,\n        reference=lambda",
        "tolerance is a value of the type",
    ),
    (ONE, 'Case("one value", (torch.tensor([3.5]))', "'one value' are a value of the type Tensor"),
    (ONE, 'Case("one value", ()', "'one value' does not fit the reference: missing a required"),
    ('part="a single value"', 'part="one value"', "'one value' is of the part 'one value', and"),
    (
        "rng.normal(size=rng.integers(3, 9))",
        "torch.rand(5).numpy()",
        "are others each time. Draw all",
    ),
    ("rng.normal(", "rgn.normal(", "line 12: NameError: name 'rgn' is not defined"),
    ("        random=random,", "        radnom=random,", "unexpected keyword argument 'radnom'"),
    ("CHECKS = (\n", "CHECKS = lambda *given: given[0]\nCHECKS = CHECKS(\n", "a tuple of checks"),
    ("CHECKS = (\n", "CHEKCS = (\n", "CHECKS is to be a tuple of checks"),
    ("CHECKS = (\n", 'CHECKS = (MEANS, Case("x", ()),\n', "CHECKS is to be a tuple of checks"),
    (
        "CHECKS = (\n",
        'CHECKS = (Case("x", ()),\n',
        "CHECKS has a value of the type Case among the checks",
    ),
    (
        "fixed=(",
        "fixed=(lambda *cases: cases[0])(",
        "fixed is a value of the type Case, not a tuple",
    ),
    (
        "misconceptions=(",
        "misconceptions=(3,) + (",
        "misconceptions has a value of the type int among",
    ),
]


@pytest.mark.parametrize(("old", "new", "wanted"), OF_CHECKS)
def test_a_mistake_in_the_checks_is_said(change: Callable, old: str, new: str, wanted: str) -> None:
    root = change(CHECKS, old, new)
    said = rehearse_checks(root / CHECKS, None, released=True)
    assert wanted in said
    assert said.startswith(f"{NAME}.py")
    assert "\n" not in said


def test_what_is_right_has_no_mistake(made: Path, change: Callable) -> None:
    assert rehearse_checks(made / CHECKS, None, released=True) == ""
    more = "    yield Case('nan', (torch.tensor([1.0]), float('nan')))\n"  # which equals nothing
    line = '    yield Case("random"'
    reference = "reference=lambda values"
    root = change(CHECKS, line, f"{more}{line}", reference, f"{reference}, by=0.0")
    assert rehearse_checks(root / CHECKS, None, released=True) == ""


def test_a_task_that_counts_for_nothing_is_no_mistake(change: Callable) -> None:
    """nbgrader keeps the cells that have marks, so a faulty task could not be left out."""
    root = change(CHECKS, PARTS, '{"values": 0, "a single value": 0}')
    assert rehearse_checks(root / CHECKS, {"centered": 0}, released=True) == ""
    notebook = root / NOTEBOOK
    text = notebook.read_text(encoding="utf-8").replace('"points": 4', '"points": 0')
    notebook.write_text(text.replace("| 10 | 4 |", "| 10 | 0 |"), encoding="utf-8")
    (root / BANK / "chaffs" / "median.py").unlink()  # nothing of it is to be proved any more
    assert [part.problems for part in prove(root, NAME, 1) if part.problems] == []
    (check,) = load_checks(root / CHECKS).values()
    rubric = check.rubric(check.cases())
    (median, *_) = rubric.wrong_ways
    verdict = judge(rubric, list(median.outcomes))
    assert (verdict.points, verdict.max_points) == (0, 0)
    assert verdict.status is Status.WRONG
    assert verdict.misconception == "median"


OF_THE_NOTEBOOK = [
    (
        '"grade_id": "why_task"',
        '"grade_id": "centered_task"',
        "2 cells have the id 'centered_task'",
    ),
    ('"grade_id": "why"', '"grade_id": ""', "A cell that nbgrader is to know has no id"),
    ('"points": 4', '"points": "four"', "The cell 'centered' has 'four' for points"),
    ('"points": 4', '"points": null', "The cell 'centered' has no points"),
    ('"points": 2', '"points": -2', "The cell 'why' has -2 for points"),
]


@pytest.mark.parametrize(("old", "new", "wanted"), OF_THE_NOTEBOOK)
def test_a_mistake_in_the_notebooks_marks_is_said(
    change: Callable, monkeypatch: pytest.MonkeyPatch, old: str, new: str, wanted: str
) -> None:
    """By the proof, and by `generate_assignment` in the place of nbgrader's traceback."""
    root = change(NOTEBOOK, old, new)
    with pytest.raises(ValueError, match=wanted):
        prove(root, NAME, 1)
    monkeypatch.chdir(root)
    with pytest.raises(SystemExit, match=f"was not generated. {NAME}.ipynb: {wanted}"):
        before_release(NAME, [NOTEBOOK])


OF_THE_BANK = [
    ("# expect centered: median", "# expect centerd: median", "no cell with the id centerd_answer"),
    ("# expect centered: median\n", "", "does not say what is wrong in it. Begin it with"),
    ("# expect centered: median", "# expect centered median", "'# expect centered median' is not"),
    ("# expect centered: median", "# wrong: centered", "'# wrong: centered' is not read"),
    ("# %% task: ", "# task: ", "There is no line '# %% task: TASK' in it"),
]


@pytest.mark.parametrize(("old", "new", "wanted"), OF_THE_BANK)
def test_a_mistake_in_the_bank_is_said(change: Callable, old: str, new: str, wanted: str) -> None:
    root = change(f"{BANK}/chaffs/median.py", old, new)
    with pytest.raises(ValueError, match=wanted) as raised:
        prove(root, NAME, 1)
    assert "chaffs/median.py" in str(raised.value)


def test_a_bank_in_windows_letters_is_named(change: Callable) -> None:
    path = change(CHECKS) / BANK / "wheats" / "loops.py"
    path.write_bytes(b"# Gr\xf6\xdfe\n" + path.read_bytes())
    with pytest.raises(ValueError, match=r"loops\.py: 'utf-8' codec"):
        prove(path.parents[3], NAME, 1)


@pytest.mark.parametrize(
    ("file", "old", "new", "wanted"),
    [
        (CHECKS, "rng.normal(", "rgn.normal(", "cannot be tried: ps7_mine.py: centered cannot say"),
        (NOTEBOOK, ', centered)"', ', centred)"', "gets 0 of 4: centred is not defined."),
        (f"{BANK}/wheats/loops.py", "    return", "    retrun", "raises SyntaxError"),
        (CHECKS, "values - values.median()", "values - vlaues", "median raises NameError: name 'v"),
    ],
)
def test_selftest_ends_in_words(
    change: Callable,
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    old: str,
    new: str,
    wanted: str,
) -> None:
    monkeypatch.chdir(change(file, old, new))
    monkeypatch.setenv("COLUMNS", "300")
    result = CliRunner().invoke(app, ["selftest", NAME, "--seeds", "1"])
    assert isinstance(result.exception, SystemExit)
    assert wanted in result.output


@pytest.mark.parametrize(
    ("answer", "kind"),
    [(True, "True"), (None, "None"), (("a", "b"), "a value of the type tuple")],
)
def test_an_answer_that_nobody_can_give_is_said(answer: object, kind: str) -> None:
    check = AnswerCheck("q", {"answer": 1}, "yes or no", MEANS, answer, ())
    assert list(faults([check])) == [
        f"q: answer is {kind}. Write a number, a text such as 'yes', or a list or dict of texts."
    ]
    for right in (1, 0.5, "yes", ["a"], {"a": "b"}):
        assert not list(faults([replace(check, answer=right)]))
