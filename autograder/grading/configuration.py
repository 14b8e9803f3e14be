"""The configuration that all courses share: `configure(c, root)` sets it.

A course's nbgrader_config.py calls it first, and then sets what is different in that course.
"""

from __future__ import annotations

import logging
import re
import sys
from pathlib import Path
from types import TracebackType

from nbgrader.api import InvalidEntry
from sqlalchemy.exc import SQLAlchemyError
from traitlets.config import Config

from autograder.nbgrader_internals import ROLLED_BACK, TEMPLATES, CourseDirectory
from autograder.settings import load_settings

HERE = Path(__file__).parent
UNUSABLE = (SQLAlchemyError, InvalidEntry)  # nbgrader raises the latter when a write is refused
WHAT_TO_DO = {
    "locked": " Another command is writing into it; wait for that, and give this one again.",
    "disk is full": " Make room, and give the command again.",
    "no such": " Is it from an older nbgrader? Then type: nbgrader db upgrade",
}


def left(coursedir: CourseDirectory) -> set[str]:
    """The ids that nbgrader's option c.CourseDirectory.student_id_exclude leaves out everywhere."""
    return {name.strip() for name in coursedir.student_id_exclude.split(",")} - {""}


def unusable(error: BaseException) -> str:
    """Why the gradebook cannot be used, and what to do."""
    why = str(getattr(error, "orig", None) or error).partition("\n")[0]
    why = re.sub(r"^\([\w.]+\) ", "", why)  # without the error's class
    found = [todo for words, todo in WHAT_TO_DO.items() if words in why]
    return f"The gradebook cannot be used: {why}.{''.join(found)}"


def _say(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Prints a sentence for known errors, of which nbgrader's commands would show a traceback."""
    if isinstance(error, UNUSABLE):
        print(unusable(error), file=sys.stderr)
    elif kind.__name__ == "Misconfigured":  # ours; not every command loads its module
        print(error, file=sys.stderr)
    elif kind.__name__ == "ParserError":  # dateutil's, for a due date
        print(f"{error}. Write a date as 2027-10-15 18:00:00 UTC, the year first.", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


def _is_news(record: logging.LogRecord) -> bool:
    """False for the traceback that nbgrader logs before an error that `_say` prints."""
    return not str(record.msg).startswith(ROLLED_BACK)


def configure(c: Config, root: Path) -> None:
    """Gives a course its settings, and replaces classes of nbgrader's by ours.

    Our classes are given by name, so that commands that use none of them do not load torch. The
    process also prints known errors as a sentence from now on.

    Args:
        c: nbgrader's configuration.
        root: The course's folder; its course.toml has the id, the exchange, the book's address.

    Raises:
        SystemExit: With a sentence, when the settings cannot be used; every command needs them.
    """
    try:
        settings = load_settings(root)
    except ValueError as error:
        raise SystemExit(str(error)) from None
    sys.excepthook = _say
    logging.getLogger("tornado.application").addFilter(_is_news)
    c.CourseDirectory.course_id = settings.id
    c.Exchange.root = str(settings.exchange)

    # A release is complete or absent. Feedback reaches students who renamed a notebook, even if
    # another submission lacks its secret. A submission can be written by its student alone, and
    # collecting does not trust it.
    c.ExchangeFactory.release_assignment = "autograder.grading.exchange.Release"
    c.ExchangeFactory.release_feedback = "autograder.grading.exchange.ReleaseFeedback"
    c.ExchangeFactory.collect = "autograder.grading.exchange.collecting.Collect"
    c.ExchangeFactory.submit = "autograder.grading.exchange.Submit"

    c.ClearSolutions.code_stub = {
        "python": "raise NotImplementedError("
        '"Not written yet: put your answer in place of this line.")'
    }

    # nbgrader's own list without InstantiateTests, which would start a kernel; plus two of ours.
    c.GenerateAssignment.preprocessors = [
        "nbgrader.preprocessors.IncludeHeaderFooter",
        "autograder.grading.preprocessors.LinkBook",
        "nbgrader.preprocessors.LockCells",
        "nbgrader.preprocessors.ClearSolutions",
        "nbgrader.preprocessors.ClearOutput",
        "nbgrader.preprocessors.CheckCellMetadata",
        "nbgrader.preprocessors.ComputeChecksums",
        "nbgrader.preprocessors.SaveCells",
        "nbgrader.preprocessors.ClearHiddenTests",
        "nbgrader.preprocessors.ClearMarkScheme",
        "nbgrader.preprocessors.ComputeChecksums",
        "nbgrader.preprocessors.CheckCellMetadata",
        "autograder.grading.preprocessors.ReleasePublicCases",
    ]
    # Says in a sentence, before anything is generated, which weights differ or which check raises.
    c.GenerateAssignment.pre_convert_hook = "autograder.grading.execution.rehearsal.before_release"

    # nbgrader's own lists with these changes: RestoreCells, which takes all marks from the
    # gradebook, replaces DeduplicateIds, OverwriteCells and CheckCellMetadata; Judge replaces
    # Execute; SaveGrades replaces SaveAutoGrades, so that an answer beside its cell waits for a
    # person. MakeInert is added.
    c.Autograde.sanitize_preprocessors = [
        "nbgrader.preprocessors.ClearOutput",
        "nbgrader.preprocessors.OverwriteKernelspec",
        "autograder.grading.preprocessors.RestoreCells",
    ]
    c.Autograde.pre_convert_hook = "autograder.grading.execution.rehearsal.before_autograde"
    c.Autograde.autograde_preprocessors = [
        "autograder.grading.execution.judge.Judge",
        "nbgrader.preprocessors.LimitOutput",
        "autograder.grading.preprocessors.SaveGrades",
        "nbgrader.preprocessors.AssignLatePenalties",
        # Opening the graded notebook runs nothing that a student wrote.
        "autograder.grading.feedback.inert.MakeInert",
    ]
    c.GenerateFeedback.preprocessors = [
        "autograder.grading.feedback.verdicts.ForStudents",
        "autograder.grading.marks.lateness.PenaliseForPage",
        "autograder.grading.feedback.overview.SayFirst",
        "nbgrader.preprocessors.GetGrades",
        "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
    ]

    # Pages load nothing from a network: the browser draws formulas itself, without MathJax. And no
    # student's text takes hours to lay out.
    c.HTMLExporter.filters = {
        "markdown2html": "autograder.grading.feedback.formulas.markdown2html",
        "highlight_code": "autograder.grading.feedback.bounded.highlight_code",
        "ansi2html": "autograder.grading.feedback.bounded.ansi2html",
        "strip_files_prefix": "autograder.grading.feedback.bounded.strip_files_prefix",
    }
    c.HTMLExporter.extra_template_basedirs = [str(HERE / "feedback" / "templates"), str(TEMPLATES)]

    # nbgrader's own table, in which a spreadsheet takes no name for a formula.
    c.ExportApp.plugin_class = "autograder.grading.export.TableExportPlugin"
