"""A set of one's own: made by a command, proved by another, changed as the book's page says."""

import errno
import json
import os
import runpy
import shutil
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader.apps import NbGraderAPI
from typer.testing import CliRunner, Result

from autograder.authoring.bank import parse
from autograder.authoring.proof import prove
from autograder.authoring.template import _marked, make
from autograder.commands.cli import app
from autograder.grading.course import Course
from autograder.grading.execution.batch import Batch

NAME = "ps7_mine"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mine")
    make(root, NAME)
    return root


@pytest.fixture
def course(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "course")


def problems(root: Path, seeds: int = 2) -> list[str]:
    return [problem for part in prove(root, NAME, seeds) for problem in part.problems]


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_full_disk_leaves_no_half_of_a_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_text

    def full(self: Path, *arguments: object, **named: object) -> int:
        if self.suffix == ".ipynb":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(self, *arguments, **named)

    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        result = CliRunner().invoke(app, ["new", NAME])
    assert (result.exit_code, result.output) == (
        2,
        "Nothing was written: No space left on device.\n",
    )
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert CliRunner().invoke(app, ["new", NAME]).exit_code == 0


def test_a_new_set_is_sound(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made)
    result = CliRunner().invoke(app, ["selftest", NAME, "--json"])
    assert result.exit_code == 0, result.output
    parts = {part["name"]: part for part in json.loads(result.stdout)}
    assert {name for name, part in parts.items() if part["tried"]} == set(parts)
    assert parts["bank"]["tried"] == 7  # with the solution and the stub
    assert parts["mutants"]["notes"] == []


def test_its_own_test_runs(made: Path) -> None:
    """As pytest runs it, once for each part."""
    own = runpy.run_path(str(made / "tests" / f"test_{NAME}.py"))[f"test_{NAME}"]
    (mark,) = own.pytestmark
    name, parts = mark.args
    assert (name, len(parts)) == ("part", 6)
    for part in parts:
        own(part)


def test_nothing_is_overwritten(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(course)

    def new(name: str) -> Result:
        return CliRunner().invoke(app, ["new", name])

    before = {path: path.read_bytes() for path in course.rglob("*") if path.is_file()}
    assert "already; nothing was written" in new(NAME).output
    for name in ("7", "Ps7", "a/b", "../x", "a b", ""):
        assert "is no name for a set" in new(name).output
    assert before == {path: path.read_bytes() for path in course.rglob("*") if path.is_file()}
    assert new("ps8_next").exit_code == 0
    assert (course / "course.toml").read_bytes() == before[course / "course.toml"]


CHECKS, BANK = f"checks/{NAME}.py", f"bank/{NAME}"
FAULTS = [
    # a weight that differs from the notebook's
    (CHECKS, '"values": 3', '"values": 5', "The cell 'centered' is worth 4 points, its check 6."),
    # a reference that is wrong
    (
        CHECKS,
        "reference=lambda values: values.double()",
        "reference=lambda values: 1 + values",
        "solution",
    ),
    # a hint that two mistakes share
    (
        CHECKS,
        "Your result is one number, the mean. How many are asked for?",
        "Your result is what is left when the value in the middle is taken away from"
        '"\n                " each. For which values is that not the mean?',
        "have one hint",
    ),
    # a wheat that is wrong, a chaff that is right
    (
        f"{BANK}/wheats/loops.py",
        "total / len(values)",
        "total",
        "wheat-loops: centered is right and",
    ),
    (f"{BANK}/chaffs/median.py", "torch.median(values)", "values.mean()", "is wrong and gets full"),
    # another mistake than it says, and one that the bank shows nowhere
    (
        f"{BANK}/chaffs/median.py",
        "centered: median",
        "centered: not_taken_away",
        "should be recognised",
    ),
    (
        f"{BANK}/chaffs/median.py",
        "# expect centered: median",
        "# wrong centered",
        "no chaff for median",
    ),
    # mistakes that no case tells from the right way
    (
        CHECKS,
        "values - values.median()",
        "values - values.mean()",
        "tells median from the right way",
    ),
    # cases that notice little, and a result that hangs on the seed
    (
        f"{BANK}/wheats/loops.py",
        "    return result",
        "    return result if len(values) < 6 else 0 * result",
        "hangs on the seed",
    ),
    # the answer to a task that there is not
    (
        f"{BANK}/wheats/loops.py",
        "# %% task: centered",
        "# %% task: centred",
        "no cell with the id centred_answer",
    ),
    # an answer's cell that has the id that JupyterLab gave it
    (
        f"source/{NAME}/{NAME}.ipynb",
        '"grade_id": "centered_answer"',
        '"grade_id": "cell-1a2b3c4d"',
        "no cell with the id centered_answer",
    ),
]


@pytest.mark.parametrize(("file", "old", "new", "wanted"), FAULTS)
def test_a_fault_is_found(
    course: Path, monkeypatch: pytest.MonkeyPatch, file: str, old: str, new: str, wanted: str
) -> None:
    change(course / file, old, new)
    monkeypatch.chdir(course)
    monkeypatch.setenv("COLUMNS", "300")
    result = CliRunner().invoke(app, ["selftest", NAME, "--seeds", "8"])
    assert result.exit_code in (1, 2)
    assert wanted in result.output, result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("cell", "source", "wanted"),
    [
        ("centered", 'check("centred", centered)', "does not hold check"),
        ("centered", 'check("centered", centered)\nprint(1)', "does not hold check"),
        ("centered_answer", "def centered(values):\n    return values", "all would be released"),
        ("centered_answer", "### BEGIN SOLUTION\ncentered = None\n### END SOLUTION", "solution"),
    ],
)
def test_a_fault_of_the_notebook_is_found(
    course: Path, cell: str, source: str, wanted: str
) -> None:
    path = course / "source" / NAME / f"{NAME}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    next(each for each in notebook.cells if each.id == cell).source = source
    nbformat.write(notebook, path)
    assert any(wanted in problem for problem in problems(course)), problems(course)


def test_a_set_that_is_not_there(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(course)
    result = CliRunner().invoke(app, ["selftest", "ps9"])
    assert result.exit_code == 2
    assert "ps9 cannot be tried: there is no " in result.output
    assert "Errno" not in result.output


# --- As the page says ---------------------------------------------------------------------------


def test_a_case_a_hint_and_a_weight_are_added(course: Path) -> None:
    checks = course / CHECKS
    change(
        checks,
        'Case("equal values"',
        'Case("negative values", (torch.tensor([-1.0, -2.0]),)),\n            Case("equal values"',
    )
    change(checks, "For which values is that not the mean?", "When is that not the mean?")
    assert problems(course) == []
    change(checks, '"values": 3', '"values": 5')
    path = course / "source" / NAME / f"{NAME}.ipynb"
    change(path, '"points": 4', '"points": 6')
    assert problems(course, 1) == [
        "The heading 'Task 1. Take the mean away (10 minutes, 4 points)' says 4, and its cells have"
        " 6 points.",
        "The table of tasks has other points than the cells in row 1.",
    ]
    change(path, "10 minutes, 4 points", "10 minutes, 6 points")
    change(path, "| 10 | 4 |", "| 10 | 6 |")
    assert problems(course) == []


def test_the_proof_says_what_it_is_at(course: Path) -> None:
    said: list[str] = []
    parts = prove(course, NAME, 1, said.append, lambda part: said.append(f"{part.name} done"))
    assert [line for line in said if line.endswith(" done")] == [f"{p.name} done" for p in parts]
    assert sum(line.startswith("bank: ") for line in said[: said.index("bank done")]) == 7


def test_a_misconception_is_added_with_its_chaff(course: Path) -> None:
    change(
        course / CHECKS,
        "            Misconception(\n",
        "".join(
            "            Misconception(\n"
            '                name="divided",\n'
            '                hint="Each is divided. What should equal values become?",\n'
            "                section=MEANS,\n"
            f"                implementation=lambda values: {way},\n"
            "            ),\n"
            for way in ("values / values.mean()", "values / values.sum()")  # said once of both
        )
        + "            Misconception(\n",
    )
    assert problems(course) == ["centered: the bank has no chaff for divided."]
    (course / BANK / "chaffs" / "divided.py").write_text(
        "# expect centered: divided\n\n\n# %% task: centered\n"
        "def centered(values):\n    return values / values.mean()\n"
    )
    assert problems(course) == []


def test_a_task_is_added(course: Path) -> None:
    """In the page's four steps; each one that is left out is missed."""
    path = course / "source" / NAME / f"{NAME}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    solved = "def spread(values):\n    ### BEGIN SOLUTION\n    return values.max() - values.min()\n"
    notebook.cells += [
        _marked(new_markdown_cell("## Task 3. How far apart (5 minutes, 3 points)"), "spread_task"),
        _marked(new_code_cell(f"{solved}    ### END SOLUTION"), "spread_answer", solution=True),
        _marked(new_code_cell('check("spread", spread)'), "spread", points=3),
    ]
    nbformat.write(notebook, path)
    assert "The graded cell 'spread' has no check of that name." in problems(course, 1)
    row = "| 2 | Say why | 5 | 2 |"
    assert "has points in 2 of its rows, and 3 tasks" in "".join(problems(course, 1))
    change(path, row, rf"{row}\n| 3 | How far apart | 5 | 3 |")
    check = """CHECKS += (
    FunctionCheck(
        name="spread",
        parts={"values": 3},
        expected="one number, the largest value minus the smallest",
        section=MEANS,
        reference=lambda values: values.double().max() - values.double().min(),
        fixed=(
            Case("three values", (torch.tensor([1.0, 2.0, 6.0]),), public=True),
            Case("below zero", (torch.tensor([-4.0, -1.0, -2.5]),)),
        ),
        random=random,
        misconceptions=(
            Misconception(
                name="largest",
                hint="This is the largest value. What is to be taken from it?",
                section=MEANS,
                implementation=lambda values: values.max(),
            ),
        ),
    ),
)
"""
    with (course / CHECKS).open("a") as stream:
        stream.write(f"\n{check}")
    assert problems(course, 1) == ["spread: the bank has no chaff for largest."]
    for place, result, head in (
        ("wheats/sorted.py", "float(sorted(values)[-1] - sorted(values)[0])", "# Sorted."),
        ("chaffs/largest.py", "max(values)", "# The largest.\n# expect spread: largest"),
    ):
        (course / BANK / place).write_text(
            f"{head}\n\n\n# %% task: spread\ndef spread(values):\n    return {result}\n"
        )
    assert problems(course) == []


def test_changes_that_change_nothing_are_listed(course: Path) -> None:
    path = course / "source" / NAME / f"{NAME}.ipynb"
    change(
        path,
        "    return values - values.mean()",
        "    unused = 1\\n    return values - values.mean()",
    )
    notes = [note for part in prove(course, NAME, 1) for note in part.notes]
    missed = [note.removeprefix("no case notices ") for note in notes if "no case notices" in note]
    assert missed
    (course / BANK / "equivalent.txt").write_text("\n".join(missed))
    assert not [n for part in prove(course, NAME, 1) for n in part.notes if "no case" in n]


@pytest.mark.slow
def test_it_is_released_and_graded_by_the_engine(
    course: Path, inline: type, bubblewrap: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # nbgrader calls alembic by name.
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    config = Course(course).config
    made = Course(course)
    api = NbGraderAPI(made.coursedir_for(), config=config)
    assert api.generate_assignment(NAME)["success"]
    released = course / "release" / NAME
    assert "values.mean()" not in (released / f"{NAME}.ipynb").read_text()
    assert not list(released.glob("*.py"))
    answers = {"ada": "values - values.mean()", "bob": "values - values.median()"}
    for student, answer in answers.items():
        folder = course / "submitted" / student / NAME
        shutil.copytree(released, folder)
        notebook = nbformat.read(folder / f"{NAME}.ipynb", as_version=4)
        for cell in notebook.cells:
            if cell.metadata.nbgrader.grade_id == "centered_answer":
                cell.source = f"def centered(values):\n    return {answer}"
        nbformat.write(notebook, folder / f"{NAME}.ipynb")
    done = {}
    Batch(made, NAME, inline, report=lambda r, _: done.update({r.student: r})).run(answers)
    assert {student: record.points for student, record in done.items()} == {"ada": 4, "bob": 0}
    ((_, _, result),) = done["bob"].verdicts()
    assert result["verdict"]["misconception"] == "median"


def test_what_students_see_may_be_an_observation_that_two_mistakes_share(course: Path) -> None:
    wrong = """misconceptions=(
            Misconception("doubled", "It is twice too large.", MEANS,
                lambda values: 2 * (values - values.mean())),
            Misconception("by_their_number", "It grows with the number of values.", MEANS,
                lambda values: (len(values) - 1) * (values - values.mean())),"""
    checks = course / f"checks/{NAME}.py"
    change(checks, "misconceptions=(", wrong)
    two = 'Case("three more", (torch.tensor([2.5, 7.5, 1.0]),), public=True),'
    change(checks, 'Case("equal values", (torch.tensor([2.5, 2.5]),)),', two)
    (found,) = [part for part in prove(course, NAME, 1) if part.name == "public cases"]
    assert not found.problems
    assert [note.split()[1] for note in found.notes] == ["doubled", "by_their_number"]


def test_a_mutant_is_run_with_all_cells_before_the_check(course: Path) -> None:
    """Whatever their ids are, and although one of them raises."""
    path = course / "source" / NAME / f"{NAME}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    at = next(i for i, cell in enumerate(notebook.cells) if cell.id == "centered_answer")
    for cell in notebook.cells[:at]:
        if cell.cell_type == "code":
            cell.metadata.nbgrader.grade_id = "imports"
    notebook.cells[at:at] = [
        _marked(new_code_cell("def less(values, by):\n    return values - by"), "helper"),
        _marked(new_code_cell("1 / 0"), "raises"),
    ]
    answer = next(cell for cell in notebook.cells if cell.id == "centered_answer")
    answer.source = answer.source.replace(
        "return values - values.mean()", "unused = 1\n    return less(values, values.mean())"
    )
    nbformat.write(notebook, path)
    parts = {part.name: part for part in prove(course, NAME, 1)}
    (problem,) = [problem for part in parts.values() for problem in part.problems]
    assert problem.startswith("3 of 5 are noticed")  # `unused` may be anything
    assert any("unused = 1" in note for note in parts["mutants"].notes)


def test_mutants_of_an_answer_that_is_not_right_prove_nothing(course: Path) -> None:
    path = course / "source" / NAME / f"{NAME}.ipynb"
    change(path, "values - values.mean()", "values + values.mean()")
    (found,) = [part for part in prove(course, NAME, 1) if part.name == "mutants"]
    assert found.problems == [
        "centered: the solution itself does not pass, so its mutants prove nothing."
    ]


def test_imports_over_several_lines_are_read_whole() -> None:
    answers, _ = parse(
        "# A wheat.\nfrom torch import (\n    exp,  # of all\n    log,\n)\n"
        "import os, \\\n    sys\n\n# %% task: a\na = 1\n"
    )
    space: dict = {}
    exec(answers["a"], space)
    assert {"exp", "log", "os", "sys", "a"} <= space.keys()
