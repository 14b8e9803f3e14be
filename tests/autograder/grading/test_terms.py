"""Due dates, extensions and penalties: what changes later is worked out later, and said."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from autograder.grading import batch, cli
from autograder.grading.batch import Batch, process_pool
from autograder.grading.cli import app
from autograder.grading.course import Course
from autograder.grading.delivery import deliver
from autograder.grading.record import State

ASSIGNMENT = "set"


@pytest.fixture
def invoke(
    course: Path, canned_grades: Callable, inline: type, monkeypatch: pytest.MonkeyPatch
) -> Callable:
    monkeypatch.chdir(course)
    monkeypatch.setattr(cli, "process_pool", lambda jobs: inline())
    monkeypatch.setenv("COLUMNS", "300")

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments])

    return invoke


def due(course: Path, text: str) -> None:
    with Course(course).gradebook() as gradebook:
        gradebook.update_or_create_assignment(ASSIGNMENT, duedate=text)


def penalties(course: Path) -> dict[str, float]:
    with Course(course).gradebook() as gradebook:
        return {
            each.student.id: each.late_submission_penalty or 0.0
            for each in gradebook.assignment_submissions(ASSIGNMENT)
        }


def test_a_due_date_that_is_set_later_counts_and_nothing_runs_again(
    invoke: Callable, course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (course / "nbgrader_config.py").open("a") as config:
        config.write("\nc.LateSubmissionPlugin.penalty_method = 'zero'\n")
    assert invoke("grade", ASSIGNMENT).exit_code == 0
    deliver(Course(course), ASSIGNMENT, release=False)
    monkeypatch.setattr(batch, "execute", None)  # whatever runs now, fails
    due(course, "2026-01-30 14:30:00 UTC")  # an hour before they came
    (ada, *_) = deliver(Course(course), ASSIGNMENT, release=False)
    assert "The due date or the penalty has changed since; run grade again." in ada.notes
    assert invoke("grade", ASSIGNMENT).exit_code == 0
    assert penalties(course) == {"ada": 4, "bob": 0, "eve": 0, "joe": 3}
    made = {
        each.student for each in deliver(Course(course), ASSIGNMENT, release=False) if each.made
    }
    assert made >= {"ada", "joe"}

    result = invoke("extend", ASSIGNMENT, "ada", "--hours", "2")
    assert "is due for ada on 2026-01-30 16:30 UTC" in result.output
    invoke("grade", ASSIGNMENT)
    assert penalties(course)["ada"] == 0
    assert penalties(course)["joe"] == 3
    invoke("extend", ASSIGNMENT, "ada")
    invoke("grade", ASSIGNMENT)
    assert penalties(course)["ada"] == 4


def test_marks_by_hand_are_not_called_old_for_a_due_date(invoke: Callable, course: Path) -> None:
    invoke("grade", ASSIGNMENT)
    with Course(course).gradebook() as gradebook:
        grade = gradebook.find_grade("why", ASSIGNMENT, ASSIGNMENT, "ada")
        grade.manual_score, grade.needs_manual_grade = 2.0, False
        gradebook.db.commit()
    due(course, "2026-01-30 14:30:00 UTC")
    invoke("grade", ASSIGNMENT)
    (ada,) = deliver(Course(course), ASSIGNMENT, ["ada"], release=False)
    assert ada.notes == []


@pytest.mark.parametrize(
    ("student", "date", "wanted"),
    [
        ("ada", "", "set has no due date. Set one first"),
        ("nobody", "2026-01-30 14:30:00 UTC", "nobody has no graded submission of set yet"),
    ],
)
def test_an_extension_that_cannot_be_given(
    invoke: Callable, course: Path, student: str, date: str, wanted: str
) -> None:
    invoke("grade", ASSIGNMENT)
    if date:
        due(course, date)
    result = invoke("extend", ASSIGNMENT, student, "--days", "1")
    assert result.exit_code == 2
    assert wanted in " ".join(result.output.split())
    assert invoke("extend", "other", "ada").exit_code == 2


@pytest.mark.slow
@pytest.mark.parametrize("room", [64, 100])
def test_a_file_of_90_mb_is_a_sentence_or_is_there(
    course: Path, bubblewrap: None, room: int
) -> None:
    with (course / "nbgrader_config.py").open("a") as config:
        config.write(f"\nc.Sandbox.scratch_mb = {room}\nc.Sandbox.memory_mb = 4096\n")
    with (course / "submitted" / "ada" / ASSIGNMENT / "weights.bin").open("wb") as stream:
        stream.truncate(90 * 2**20)
    done = {}
    batch_ = Batch(
        Course(course),
        ASSIGNMENT,
        lambda: process_pool(1),
        report=lambda record, now: done.update({record.student: record}),
    )
    batch_.run(["ada", "bob"])
    assert {name: record.state for name, record in done.items()} == dict.fromkeys(
        ("ada", "bob"), State.RECORDED
    )
    assert (done["ada"].points, done["bob"].points) == (4, 0)
    said = [line for line in done["ada"].repairs if "weights.bin" in line]
    assert len(said) == (room == 64)
    assert all("c.Sandbox.scratch_mb leaves" in line for line in said)
