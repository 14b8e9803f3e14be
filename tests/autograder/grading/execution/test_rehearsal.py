"""What is wrong with the course itself is said once, in a sentence, and no submission is blamed."""

import logging
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import nbformat
import pytest
from nbformat import from_dict
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader.converters import GenerateAssignment
from typer.testing import Result

from autograder.authoring.weights import told_otherwise
from autograder.grading.course import Course, Misconfigured
from autograder.grading.execution import batch
from autograder.grading.execution.rehearsal import before_release, rehearse_checks
from autograder.grading.execution.worker import Executed, Job, sandboxed
from autograder.grading.records import Records, State

ASSIGNMENT = "set"


def configure(course: Path, line: str) -> None:
    path = course / "nbgrader_config.py"
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")


def nobody_is_blamed(course: Path, result: Result, *wanted: str) -> None:
    text = " ".join(result.output.split())
    assert result.exit_code == 2, text
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in text
    for words in wanted:
        assert words in text
    assert text.count(". ") <= 4
    assert not [
        record for record in Records(course, ASSIGNMENT).all() if record.state is State.QUARANTINED
    ]


PLAIN = "class Late:\n    def late_submission_penalty(self, *_): return 1.0"
PLUGIN = """
from nbgrader.plugins import BasePlugin
class Late(BasePlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        {body}
"""


@pytest.mark.parametrize(
    ("module", "wanted"),
    [
        (PLAIN, "derives from nbgrader.plugins.BasePlugin"),
        ("", "is no plug-in for late work"),
        ("import no_such_module", "no_such_module"),
        ("def Late(", "is no plug-in for late work"),
        (PLUGIN.format(body="return 'ten'"), "gave 'ten'"),
        (PLUGIN.format(body="return float('nan')"), "gave nan"),
        (PLUGIN.format(body="return score > 3"), "gave True"),
        (PLUGIN.format(body="return 1 / 0"), "ZeroDivisionError"),
        (PLUGIN.replace(", total_seconds_late", "").format(body="return 0"), "TypeError"),
    ],
)
def test_a_plug_in_for_late_work_is_tried_first(
    invoke: Callable, course: Path, module: str, wanted: str
) -> None:
    name = f"late_{abs(hash(module))}"  # Python remembers modules
    (course / f"{name}.py").write_text(module, encoding="utf-8")
    configure(course, f"c.AssignLatePenalties.plugin_class = '{name}.Late'")
    nobody_is_blamed(course, invoke("grade", ASSIGNMENT), wanted)


def test_withheld_modules_that_cannot_be_read_are_said_before_anything_runs(
    invoke: Callable, course: Path
) -> None:
    checks = course / "checks" / f"{ASSIGNMENT}.py"
    checks.write_text(f'WITHHELD = ("kdlab")\n{checks.read_text("utf-8")}', "utf-8")
    wanted = 'set.py cannot be loaded: WITHHELD is no tuple of names. Write WITHHELD = ("kdlab",)'
    nobody_is_blamed(course, invoke("grade", ASSIGNMENT), wanted)
    assert wanted in rehearse_checks(checks, None)  # as before a release


def test_a_plug_in_that_fails_for_one_student_stops_the_batch(
    invoke: Callable, course: Path
) -> None:
    body = "return {'nobody': 0.0}[student_id]"
    (course / "late_for_one.py").write_text(PLUGIN.format(body=body), encoding="utf-8")
    configure(course, "c.AssignLatePenalties.plugin_class = 'late_for_one.Late'")
    with Course(course).gradebook() as gradebook:
        gradebook.update_or_create_assignment(ASSIGNMENT, duedate="2026-01-01 00:00:00 UTC")
    nobody_is_blamed(
        course, invoke("grade", ASSIGNMENT), "A plug-in of the course failed for ada: KeyError"
    )
    (course / "late_for_one.py").write_text(PLUGIN.format(body="return 0"), encoding="utf-8")


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("c.Judge.timeot = 60", "c.Judge.timeot is no option. Do you mean timeout?"),
        ("c.Judge.timeout = 'long'", "timeout"),
        ("c.Sandbox.memory = 3", "c.Sandbox.memory is no option. Do you mean memory_mb?"),
        ("c.Sandbox.memory_mb = '2 GB'", "memory_mb"),
        (
            "c.Autograde.autograde_preprocessors = ['autograder.grading.execution.judge.Jugde']",
            "Jugde",
        ),
        ("c.Autograde.autograde_preprocessors = ['no_such.Step']", "no_such"),
        ("c.Autograde.autograde_preprocessors = 3", "autograde_preprocessors"),
        ("c.LateSubmissionPlugin.penalty_method = 'half'", "penalty_method"),
        ("c.CourseDirectory.course_id = 5", "course_id"),
        ("import no_such_module", "nbgrader_config.py, line"),
        ("c.Judge.timeout = 6 6", "nbgrader_config.py, line"),
    ],
)
def test_options_are_tried_first(invoke: Callable, course: Path, line: str, wanted: str) -> None:
    configure(course, line)
    nobody_is_blamed(course, invoke("grade", ASSIGNMENT), wanted)


CHECK_FAULTS = [
    ("import torch", "import torch, no_such_module", "line 2: ModuleNotFoundError"),
    ("reference=lambda x: 2 * x.double()", "reference=lambda x: x.no_such()", "no_such"),
    ("rng.normal(size=3)", "rng.no_such(size=3)", "no_such"),
    ('"shapes": 1}', '"shapes": 2}', "is worth 4 points, its check 5. Make them the same."),
    ('name="double"', 'name="twice"', "has no check of that name"),
    ("CHECKS = (", "CHECKS = (  :", "line 13: SyntaxError"),
    ("CHECKS = (", "CHEKS = (", "CHECKS"),
    ("import torch", "import torch; raise SystemExit(3)", "cannot be loaded"),
    ("import torch", "import torch; open('no_such_file')", "line 2: FileNotFoundError"),
    ("lambda x: x**2", "lambda x: x.no_such()", ""),  # a wrong way may raise
]


@pytest.mark.parametrize(("old", "new", "wanted"), CHECK_FAULTS)
def test_checks_are_tried_first(
    invoke: Callable, course: Path, old: str, new: str, wanted: str
) -> None:
    path = course / "checks" / f"{ASSIGNMENT}.py"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    result = invoke("grade", ASSIGNMENT)
    if wanted:
        nobody_is_blamed(course, result, wanted)
    else:
        assert result.exit_code == 0, result.output


@pytest.mark.slow
def test_nbgraders_own_command_says_it_once(course: Path) -> None:
    (course / "late_plain.py").write_text(PLAIN, encoding="utf-8")
    configure(course, "c.AssignLatePenalties.plugin_class = 'late_plain.Late'")
    command = [sys.executable, "-m", "nbgrader", "autograde", ASSIGNMENT]
    done = subprocess.run(command, cwd=course, capture_output=True, text=True, env=os.environ)
    assert done.returncode
    assert "Traceback" not in done.stderr
    assert done.stderr.count("derives from nbgrader.plugins.BasePlugin") == 1


def test_a_bubblewrap_that_cannot_work_ends_the_command(
    invoke: Callable, course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sys.platform != "linux":
        pytest.skip("bubblewrap is for Linux")
    program = tmp_path / "bwrap"
    program.write_text(
        "#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(batch, "sandboxed", sandboxed)  # the real one
    nobody_is_blamed(course, invoke("grade", ASSIGNMENT), "uid map: Permission denied")


def test_checks_that_are_gone(invoke: Callable, course: Path) -> None:
    (course / "checks" / f"{ASSIGNMENT}.py").unlink()
    nobody_is_blamed(course, invoke("grade", ASSIGNMENT), "Each assignment needs checks")


@pytest.mark.parametrize(("old", "new", "wanted"), CHECK_FAULTS[:6])
def test_what_cannot_be_graded_is_not_generated(
    course: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, wanted: str
) -> None:
    path = course / "checks" / f"{ASSIGNMENT}.py"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    monkeypatch.chdir(course)
    source = course / "source" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    with pytest.raises(SystemExit, match=f"set was not generated.*{wanted}"):
        before_release(ASSIGNMENT, [str(source)], student=".")


def test_a_release_that_stays_is_said(course: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Who has changed a set, and forgets --force, would release the old one."""
    there = Course(course)
    coursedir = there.coursedir_for(assignment_id=ASSIGNMENT, student_id=".")
    log = logging.getLogger("generate")
    GenerateAssignment(coursedir=coursedir, config=there.config, log=log).start()
    assert "stays as it is. To make it anew, add --force." in caplog.text


@pytest.mark.parametrize("step", ["init_assignment", "set_permissions"])
def test_a_set_is_generated_whole_or_not_at_all(
    course: Path, generate: Callable, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "set.ipynb")

    monkeypatch.setattr(GenerateAssignment, step, full)
    release = course / "release" / ASSIGNMENT
    before = {path.name: path.read_bytes() for path in release.iterdir()}
    wanted = r"^set was not generated\. No space left on device: set\.ipynb$"
    with pytest.raises(SystemExit, match=wanted):
        generate(course)
    assert {path.name: path.read_bytes() for path in release.iterdir()} == before
    shutil.rmtree(release)
    with pytest.raises(SystemExit, match=wanted):
        generate(course)
    assert not release.exists()


def test_cells_that_have_marks_stay(
    course: Path, monkeypatch: pytest.MonkeyPatch, canned_grades: Callable
) -> None:
    """nbgrader would show a traceback."""
    monkeypatch.chdir(course)
    path = course / "source" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    (why,) = (cell for cell in notebook.cells if cell.metadata.nbgrader.grade_id == "why")
    why.metadata.nbgrader.grade_id = "why_not"
    nbformat.write(notebook, path)
    before_release(ASSIGNMENT, [str(path)], student=".")  # nobody has marks yet
    canned_grades(course)
    with pytest.raises(SystemExit, match=r"why_not is new, why is gone\. Undo that\."):
        before_release(ASSIGNMENT, [str(path)], student=".")
    why.metadata.nbgrader.grade_id = "why"
    why.source += " Say more."
    nbformat.write(notebook, path)
    before_release(ASSIGNMENT, [str(path)], student=".")


@pytest.mark.slow
def test_a_due_date_that_is_none_is_a_sentence(course: Path) -> None:
    command = ["nbgrader", "db", "assignment", "add", ASSIGNMENT, "--duedate", "tomorrow"]
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=course, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "tomorrow. Write a date as 2027-10-15 18:00:00 UTC" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("command", ["export", "generate_assignment set --force", "autograde set"])
def test_a_locked_gradebook_is_a_sentence_of_nbgraders_commands_too(
    course: Path, command: str
) -> None:
    release = course / "release" / ASSIGNMENT
    with closing(sqlite3.connect(course / "gradebook.db")) as held:
        held.execute("begin exclusive")
        done = subprocess.run(
            [sys.executable, "-m", "nbgrader", *command.split()],
            cwd=course,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 1
    assert "The gradebook cannot be used: database is locked. Another command is" in done.stderr
    assert "Traceback" not in done.stderr
    assert "upgrade" not in done.stderr
    assert list(release.iterdir())


@pytest.mark.slow
def test_nothing_is_generated_and_no_traceback_is_shown(
    course: Path, generate: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = course / "checks" / f"{ASSIGNMENT}.py"
    path.write_text(path.read_text(encoding="utf-8").replace('"shapes": 1}', '"shapes": 2}'))
    release = course / "release" / ASSIGNMENT
    before = {path.name: path.read_bytes() for path in release.iterdir()}
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", ASSIGNMENT, "--force"]
    done = subprocess.run(command, cwd=course, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "is worth 4 points, its check 5. Make them the same." in done.stderr
    assert {path.name: path.read_bytes() for path in release.iterdir()} == before
    shutil.rmtree(release)
    monkeypatch.chdir(course)
    with pytest.raises(SystemExit, match="was not generated"):
        generate(course)
    assert not release.exists()


STORY = "| task | points |\n| --- | --- |\n| 1 | 4 |\n| 2 | 3 |\n\n7 points in all."


def test_points_that_the_text_names_are_compared_with_the_cells() -> None:
    def told(story: str = STORY, first: int = 4, second: int = 3) -> list[str]:
        cells = [new_markdown_cell(story)]
        for points, worth in ((first, 4), (second, 3)):
            cells.append(new_markdown_cell(f"## Task (5 minutes, {points} points)"))
            cells.append(new_code_cell())
            cells[-1].metadata.nbgrader = {"grade": True, "points": worth}
        cells.append(new_markdown_cell("## Hand in\n\n9 points to remember."))
        return list(told_otherwise(from_dict(cells)))

    assert told() == told("No table.") == []
    assert told(first=5) == [
        "The heading 'Task (5 minutes, 5 points)' says 5, and its cells have 4 points."
    ]
    assert told(STORY.replace("| 1 | 4", "| 1 | 5")) == [
        "The table of tasks has other points than the cells in row 1."
    ]
    assert told(STORY.replace("| 2 | 3 |\n", "")) == [
        "The table of tasks has points in 1 of its rows, and 2 tasks have points."
    ]
    assert told(STORY.replace("| 1 | 4 |\n| 2 | 3 |", "| 1 and 2 | 7 |")) == []
    assert told(STORY.replace("| 2 | 3 |", "| 2 | 3 |\n| all | 7 |")) == []
    assert told(
        STORY.replace("| task", "For $p(y|x)$:\n\n| task").replace("| 1 | 4", "| 1 | 5")
    ) == ["The table of tasks has other points than the cells in row 1."]
    other = "| a | b |\n| --- | --- |\n| 1 | 9 |\n\n"
    assert told(other + STORY) == told(STORY + "\n\n|x| is no row, nor is 9 | 9") == []
    for hint, missing in (("### Hint", ""), ("## Hint", "no")):
        cells = [
            new_markdown_cell("## Task (4 points)"),
            new_markdown_cell(hint),
            new_code_cell(),
            new_markdown_cell("## Task (3 points)\n\n### Hint"),
            new_code_cell(),
        ]
        for cell, points in ((cells[2], 5), (cells[4], 3)):
            cell.metadata.nbgrader = {"grade": True, "points": points}
        assert bool(list(told_otherwise(from_dict(cells)))) != bool(missing)
    assert told(STORY.replace("7", "8")) == ["The text says 8 points in all, and the cells have 7."]


def test_where_the_untouched_release_fails_too_nobody_is_set_aside(
    invoke: Callable, course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def execute(job: Job) -> Executed:
        raise OSError("the workers have no such disk")

    monkeypatch.setattr(batch, "execute", execute)
    nobody_is_blamed(
        course,
        invoke("grade", ASSIGNMENT),
        "The untouched notebook of the release cannot be run either: OSError: the workers",
    )


@pytest.mark.parametrize("address", ["dask:tcp://127.0.0.1:1", "dask:nowhere", "dask:x:y:z"])
def test_a_scheduler_that_cannot_be_reached_is_a_sentence(
    invoke: Callable, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    import distributed

    client = distributed.Client
    monkeypatch.setattr(distributed, "Client", lambda where, timeout: client(where, timeout=0.2))
    result = invoke("grade", ASSIGNMENT, "--executor", address)
    assert result.exit_code == 2
    assert "No Dask scheduler answers at" in " ".join(result.output.replace("│", "").split())


def test_a_gradebook_that_is_none(invoke: Callable, course: Path) -> None:
    (course / "gradebook.db").write_bytes(b"not a database" * 100)
    nobody_is_blamed(course, invoke("grade", ASSIGNMENT), "The gradebook cannot be used")
    configure(course, "c.CourseDirectory.db_url = 'postgresql+psycopg://grader@127.0.0.1:1/no'")
    nobody_is_blamed(course, invoke("grade", ASSIGNMENT), "The gradebook cannot be used")
    configure(course, "c.CourseDirectory.db_url = 'nosuch://x'")
    nobody_is_blamed(course, invoke("grade", ASSIGNMENT), "The gradebook cannot be used")


def test_misconfigured_is_no_error_of_a_submission(course: Path) -> None:
    configure(course, "c.Judge.timeout = 'long'")
    with pytest.raises(Misconfigured, match="timeout"):
        batch.Batch(Course(course), ASSIGNMENT, lambda: None)
