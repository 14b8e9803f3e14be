"""A student who leaves the course."""

import re
from collections.abc import Callable

from nbgrader.apps.baseapp import NbGrader

from autograder.grading.course import Course
from autograder.grading.exchange.steps import ReleaseFeedback
from autograder.grading.export import TableExportPlugin
from autograder.grading.feedback.delivery import deliver, in_exchange
from autograder.grading.marks.report import gather_report
from tests.autograder.grading.room import ASSIGNMENT, RIGHT, WRONG, Room, collected


def test_who_leaves_is_left_out_of_everything_and_can_come_back(
    room: Room, canned_grades: Callable
) -> None:
    """What was handed in lies in the exchange for good, and would be collected again."""

    def round_of(*left: str) -> tuple[set[str], ...]:
        """Who is collected, handed over to grading, in the report, released to and exported."""
        configuration = room.root / "nbgrader_config.py"
        text = configuration.read_text(encoding="utf-8").partition("c.CourseDirectory.student_id")[
            0
        ]
        configuration.write_text(
            f"{text}c.CourseDirectory.student_id_exclude = {', '.join(left)!r}"
        )
        room.course = Course(room.root)
        before = collected(room, "bob")
        room.submit("bob", WRONG)
        room.collect()
        graded = set(canned_grades(room.root))
        report = {each.id for each in gather_report(room.course, ASSIGNMENT).students}
        released = {each.student for each in deliver(room.course, ASSIGNMENT)}
        assert set(room.step(ReleaseFeedback).delivered) == released  # nbgrader's own command
        table = room.root / "grades.csv"
        with room.course.gradebook() as gradebook:
            plugin = TableExportPlugin(
                to=str(table), parent=NbGrader(coursedir=room.course.coursedir)
            )
            plugin.export(gradebook)
        exported = set(re.findall("ada|bob", table.read_text(encoding="utf-8")))
        taken = {"bob"} if collected(room, "bob") != before else set()
        return taken, graded, report, released, exported

    for student in ("ada", "bob"):
        room.submit(student, RIGHT)
    assert round_of() == ({"bob"}, *[{"ada", "bob"}] * 4)
    assert round_of("carl", "bob") == (set(), *[{"ada"}] * 4)
    assert "bob" not in in_exchange(room.course, ASSIGNMENT)
    assert round_of() == ({"bob"}, *[{"ada", "bob"}] * 4)
