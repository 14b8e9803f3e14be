"""`python -m autograder report`: the class on one page, and as a table."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from autograder.commands.console import failures, here, tell, typed
from autograder.grading.marks.report import as_csv, gather_report
from autograder.grading.marks.report_page import page
from autograder.grading.writing import replace


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
        to = typed(to)
        if to.is_dir() or to.suffix.lower() == ".csv":
            why = "is a folder" if to.is_dir() else "would be the table, which lies beside the page"
            raise typer.BadParameter(f"{to} {why}. Name the page's file, such as report.html.")
        table = to.with_suffix(".csv")
        course = here()
        if assignment:
            names = [assignment]
        else:
            with course.gradebook() as gradebook:
                names = sorted(each.name for each in gradebook.assignments)
            names = [name for name in names if course.students(name)]
        reports = [gather_report(course, name) for name in names]
        now = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
        # Only the instructor's account may read names and marks.
        replace(to, page(course.coursedir.course_id, now, reports), 0o600)
        replace(table, as_csv(reports), 0o600)
    if not names:
        tell("Nothing was collected yet, so the page is empty.")
    for each in reports:
        for sentence in each.waits.sentences():
            tell(f"{each.assignment}: {sentence}")
    tell(f"{to} and {table}")
