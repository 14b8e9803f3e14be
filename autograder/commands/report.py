"""`python -m autograder report`: the class on one page, and as a table."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from autograder.commands.console import failures, here, tell
from autograder.grading.marks.report import gather_report, write_csv
from autograder.grading.marks.report_page import page


def report(
    assignment: Annotated[
        str, typer.Argument(help="The assignment's name; all that were handed in without.")
    ] = "",
    to: Annotated[Path, typer.Option(help="Where the page goes; its table lies beside it.")] = Path(
        "report.html"
    ),
) -> None:
    """Make one page of a class: marks, misconceptions, what is set aside, what waits."""
    with failures():
        course = here()
        if assignment:
            names = [assignment]
        else:
            with course.gradebook() as gradebook:
                names = sorted(each.name for each in gradebook.assignments)
            names = [name for name in names if course.students(name)]
        reports = [gather_report(course, name) for name in names]
        now = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
        table = to.with_suffix(".csv")
        for path in (to, table):  # names and marks: the instructor's alone, from the first byte
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
            path.chmod(0o600)
        to.write_text(page(course.coursedir.course_id, now, reports), encoding="utf-8")
        write_csv(reports, table)
    if not names:
        tell("Nothing was collected yet, so the page is empty.")
    for each in reports:
        for sentence in each.waits.sentences():
            tell(f"{each.assignment}: {sentence}")
    tell(f"{to} and {table}")
