"""Due dates, extensions and penalties: what changes later is worked out later, and said."""

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from nbgrader.apps.exportapp import ExportApp
from nbgrader.converters import GenerateFeedback

from autograder.grading.course import Course
from autograder.grading.execution import batch
from autograder.grading.execution.batch import Batch
from autograder.grading.execution.worker import process_pool
from autograder.grading.export import TableExportPlugin
from autograder.grading.feedback.delivery import deliver
from autograder.grading.records import Record, State

ASSIGNMENT = "set"


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
    result = invoke("grade", ASSIGNMENT)
    assert result.exit_code == 0
    assert "What being late costs has changed for ada, joe." in result.output
    assert "set was due on Friday 2026-01-30 14:30:00 UTC (+00:00)" in result.output
    assert "Late: ada by 1:00:00, bob by 1:00:00" in result.output
    assert "4 of 4 are late. If another date is meant, set it in UTC" in result.output
    assert penalties(course) == {"ada": 4, "bob": 0, "eve": 0, "joe": 3}
    made = {
        each.student for each in deliver(Course(course), ASSIGNMENT, release=False) if each.made
    }
    assert made >= {"ada", "joe"}

    result = invoke("extend", ASSIGNMENT, "ada", "--hours", "2")
    assert "is due for ada on Friday 2026-01-30 16:30:00 UTC" in result.output
    assert penalties(course)["ada"] == 0
    assert penalties(course)["joe"] == 3
    invoke("extend", ASSIGNMENT, "ada")
    assert penalties(course)["ada"] == 4


TEN_PERCENT = """
from math import ceil
from nbgrader.plugins import BasePlugin
class TenPercentADay(BasePlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return score * min(1.0, 0.1 * ceil(total_seconds_late / 86400))
"""


def mark_by_hand(course: Path, points: float, cell: str = "why", student: str = "ada") -> None:
    with Course(course).gradebook() as gradebook:
        grade = gradebook.find_grade(cell, ASSIGNMENT, ASSIGNMENT, student)
        grade.manual_score, grade.needs_manual_grade = points, False
        gradebook.db.commit()


def export(course: Path) -> dict[str, dict[str, str]]:
    """What `nbgrader export` writes, by student."""
    app = ExportApp(config=Course(course).config)
    app.coursedir = Course(course).coursedir
    with Course(course).gradebook() as gradebook:
        TableExportPlugin(parent=app, to=str(course / "grades.csv")).export(gradebook)
    with (course / "grades.csv").open(encoding="utf-8", newline="") as stream:
        return {row["student_id"]: row for row in csv.DictReader(stream)}


READERS = ("feedback", "export", "report", "grade", "nbgrader's page")


@pytest.mark.parametrize("order", ["date grade hand", "grade hand date", "date grade hand grade"])
def test_the_mark_is_the_same_whatever_the_order_of_work(
    invoke: Callable, course: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, order: str
) -> None:
    """And whoever reads it first."""
    monkeypatch.syspath_prepend(str(course))
    (course / "ten_percent.py").write_text(TEN_PERCENT, encoding="utf-8")
    with (course / "nbgrader_config.py").open("a") as config:
        config.write("\nc.AssignLatePenalties.plugin_class = 'ten_percent.TenPercentADay'\n")
    for step in order.split():
        if step == "date":
            due(course, "2026-01-27 14:30:00 UTC")  # they came in the fourth day after it
        elif step == "hand":
            mark_by_hand(course, 2.0)
        else:
            assert invoke("grade", ASSIGNMENT, "--force").exit_code == 0
    shutil.copytree(course, tmp_path / "before")
    for reader in READERS:
        shutil.rmtree(course)
        shutil.copytree(tmp_path / "before", course)
        monkeypatch.chdir(course)
        reads_the_mark(invoke, course, reader)
        assert penalties(course)["ada"] == pytest.approx(2.4), reader


def reads_the_mark(invoke: Callable, course: Path, reader: str) -> None:
    if reader == "export":
        ada = export(course)["ada"]
        assert (ada["raw_score"], ada["late_submission_penalty"], ada["score"]) == (
            *("6.0", "2.4", "3.6"),
        )
    elif reader == "report":
        assert invoke("report").exit_code == 0
        with (course / "report.csv").open(encoding="utf-8", newline="") as stream:
            ada = next(row for row in csv.DictReader(stream) if row["student"] == "ada")
        assert (ada["score"], ada["penalty"]) == ("3.6", "2.4")
    elif reader == "grade":
        (ada, *_) = json.loads(invoke("grade", ASSIGNMENT, "--json").stdout)
        assert (ada["points"], ada["mark"], ada["penalty"]) == (4, 3.6, 2.4)
        assert re.search(r"ada\s.*4\s.*3.6 of 7", invoke("grade", ASSIGNMENT).output)
    else:
        if reader == "feedback":
            invoke("feedback", ASSIGNMENT, "--no-release")
        else:
            kept = Course(course)
            coursedir = kept.coursedir_for(assignment_id=ASSIGNMENT)
            GenerateFeedback(coursedir=coursedir, config=kept.config).start()
        page = course / "feedback" / "ada" / ASSIGNMENT / f"{ASSIGNMENT}.html"
        text = " ".join(BeautifulSoup(page.read_text("utf-8"), "html.parser").get_text().split())
        assert "Score: 3.6 / 7.0" in text
        assert "Your submission was due on Tuesday 2026-01-27 14:30:00 UTC (+00:00)" in text
        assert "came 3 days, 1:00:00 later, which costs 2.4 points." in text


def test_a_page_says_which_points_count_where_a_person_gave_others_than_the_machine(
    invoke: Callable, course: Path
) -> None:
    def reads(student: str) -> str:
        invoke("feedback", ASSIGNMENT, "--no-release")
        page = course / "feedback" / student / ASSIGNMENT / f"{ASSIGNMENT}.html"
        return " ".join(BeautifulSoup(page.read_text("utf-8"), "html.parser").get_text().split())

    invoke("grade", ASSIGNMENT)
    assert "Nobody has marked why yet; the points below are without." in reads("ada")
    mark_by_hand(course, 2.0)  # where no machine has a say, nothing is to be told
    text = reads("ada")
    assert "Your instructor" not in text
    assert "Nobody has marked" not in text
    said = "Your instructor gave 1.5 of 4 points for double, and they count; below, the machine's 4"
    mark_by_hand(course, 1.5, "double")
    assert said in reads("ada")
    mark_by_hand(course, 4.0, "double")
    assert "Your instructor" not in reads("ada")


def test_a_plug_in_that_fails_for_one_student_is_a_sentence(
    invoke: Callable, course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke("grade", ASSIGNMENT)
    due(course, "2026-01-30 14:30:00 UTC")
    monkeypatch.syspath_prepend(str(course))
    text = TEN_PERCENT.replace(
        "        return", "        assert student_id != 'joe'\n        return"
    )
    (course / "not_joe.py").write_text(text, encoding="utf-8")
    with (course / "nbgrader_config.py").open("a") as config:
        config.write("\nc.AssignLatePenalties.plugin_class = 'not_joe.TenPercentADay'\n")
    for command in ("grade", "feedback", "report"):
        result = invoke(command, ASSIGNMENT)
        assert result.exit_code == 2
        assert "The plug-in for late work failed for joe: AssertionError" in result.output
    with pytest.raises(
        SystemExit, match=r"Nothing was exported\. The plug-in for late work failed"
    ):
        export(course)


def test_marks_by_hand_are_not_called_old_for_a_due_date(invoke: Callable, course: Path) -> None:
    invoke("grade", ASSIGNMENT)
    mark_by_hand(course, 2.0)
    due(course, "2026-01-30 14:30:00 UTC")
    invoke("grade", ASSIGNMENT)
    (ada,) = deliver(Course(course), ASSIGNMENT, ["ada"], release=False)
    assert ada.notes == []


@pytest.mark.parametrize(
    ("student", "date", "wanted"),
    [
        ("ada", "", "set has no due date. Set one first"),
        ("new", "2026-01-30 14:30:00 UTC", "new has no graded submission of set yet"),
        ("nobody", "2026-01-30 14:30:00 UTC", "There is no student 'nobody'"),
        ("adda", "2026-01-30 14:30:00 UTC", "Do you mean ada?"),
    ],
)
def test_an_extension_that_cannot_be_given(
    invoke: Callable, course: Path, hand_in: Callable, student: str, date: str, wanted: str
) -> None:
    invoke("grade", ASSIGNMENT)
    hand_in(course, "new", None)
    if date:
        due(course, date)
    result = invoke("extend", ASSIGNMENT, student, "--days", "1")
    assert result.exit_code == 2
    assert wanted in " ".join(result.output.split())
    assert invoke("extend", "other", "ada").exit_code == 2


def test_a_due_date_that_is_taken_back_after_more_time_was_given(
    invoke: Callable, course: Path
) -> None:
    """nbgrader ends with a traceback wherever it reads such a submission."""
    invoke("grade", ASSIGNMENT)
    due(course, "2026-01-30 14:30:00 UTC")
    assert invoke("extend", ASSIGNMENT, "ada", "--days", "1").exit_code == 0
    with Course(course).gradebook() as gradebook:
        gradebook.update_or_create_assignment(ASSIGNMENT, duedate=None)
    for command in ("grade", "doctor", "feedback", "report"):
        result = invoke(command, ASSIGNMENT)
        said = " ".join(result.output.split())
        assert result.exit_code == 2, said
        assert "set has no due date any more, and ada had more time after it." in said
    assert invoke("extend", ASSIGNMENT, "ada", "--days", "2").exit_code == 2
    plugin = TableExportPlugin(parent=ExportApp(coursedir=Course(course).coursedir))
    with Course(course).gradebook() as gradebook, pytest.raises(SystemExit, match="no due date"):
        plugin.export(gradebook)
    result = invoke("extend", ASSIGNMENT, "ada", "--days", "0")
    assert "set has no due date for ada. Run feedback." in result.output
    result = invoke("grade", ASSIGNMENT)
    assert result.exit_code == 0, result.output
    assert set(penalties(course).values()) == {0}


@pytest.fixture
def large(course: Path) -> Path:
    """A course in which a student has handed in a file of 90 MB."""
    with (course / "submitted" / "ada" / ASSIGNMENT / "weights.bin").open("wb") as stream:
        stream.truncate(90 * 2**20)
    return course


def test_a_file_of_90_mb_is_a_sentence(large: Path, canned_grades: Callable) -> None:
    done = canned_grades(large)
    assert {record.state for record in done.values()} == {State.RECORDED}
    assert (done["ada"].points, done["bob"].points) == (4, 0)
    (said,) = (line for line in done["ada"].repairs if "weights.bin" in line)
    assert "c.Sandbox.scratch_mb leaves" in said


@pytest.mark.slow
def test_a_file_of_90_mb_is_there_where_there_is_room(large: Path, bubblewrap: None) -> None:
    with (large / "nbgrader_config.py").open("a") as config:
        config.write("\nc.Sandbox.scratch_mb = 100\nc.Sandbox.memory_mb = 4096\n")
    done: dict[str, Record] = {}
    batch_ = Batch(
        Course(large),
        ASSIGNMENT,
        lambda: process_pool(1),
        report=lambda record, now: done.update({record.student: record}),
    )
    batch_.run(["ada", "bob"])
    assert {record.state for record in done.values()} == {State.RECORDED}
    assert (done["ada"].points, done["bob"].points) == (4, 0)
    assert not [line for line in done["ada"].repairs if "weights.bin" in line]
