"""A course's configuration, but for what is a course's own: `configure(c, root)` in a few lines.

A course's nbgrader_config.py calls it, and says after it what is different there.
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
UNUSABLE = (SQLAlchemyError, InvalidEntry)  # nbgrader makes the latter of what it cannot write
WHAT_TO_DO = {
    "locked": " Another command is writing into it; wait for that, and give this one again.",
    "disk is full": " Make room, and give the command again.",
    "no such": " Is it from an older nbgrader? Then type: nbgrader db upgrade",
}


def left(coursedir: CourseDirectory) -> set[str]:
    """Who is left out of all that is done: c.CourseDirectory.student_id_exclude, nbgrader's own."""
    return {name.strip() for name in coursedir.student_id_exclude.split(",")} - {""}


def unusable(error: BaseException) -> str:
    """Why the gradebook cannot be used, and what to do."""
    why = str(getattr(error, "orig", None) or error).partition("\n")[0]
    why = re.sub(r"^\([\w.]+\) ", "", why)  # the error's class
    found = [todo for words, todo in WHAT_TO_DO.items() if words in why]
    return f"The gradebook cannot be used: {why}.{''.join(found)}"


def _say(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Says in a sentence what nbgrader's own commands would show a traceback of."""
    if isinstance(error, UNUSABLE):
        print(unusable(error), file=sys.stderr)
    elif kind.__name__ == "Misconfigured":  # ours; not each command needs its module
        print(error, file=sys.stderr)
    elif kind.__name__ == "ParserError":  # dateutil's, of a due date
        print(f"{error}. Write a date as 2027-10-15 18:00:00 UTC, the year first.", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


def _is_news(record: logging.LogRecord) -> bool:
    """Leaves out the traceback that nbgrader logs before the error that `_say` says."""
    return not str(record.msg).startswith(ROLLED_BACK)


def configure(c: Config, root: Path) -> None:
    """Gives a course its settings, and puts our classes in the places of nbgrader's.

    Classes are given by name, so that commands that do not need ours do not load torch.

    Args:
        c: nbgrader's configuration.
        root: The course's folder; its course.toml has id, exchange and the book's address.

    Raises:
        SystemExit: With a sentence, when the settings cannot be used: no command goes on without.
    """
    try:
        settings = load_settings(root)
    except ValueError as error:
        raise SystemExit(str(error)) from None
    sys.excepthook = _say
    logging.getLogger("tornado.application").addFilter(_is_news)
    c.CourseDirectory.course_id = settings.id
    c.Exchange.root = str(settings.exchange)

    # A release is whole or none; feedback reaches who renamed a notebook, whoever else's submission
    # lacks its secret; and what is handed in can be written by its student alone, and is collected
    # as a stranger's.
    c.ExchangeFactory.release_assignment = "autograder.grading.exchange.Release"
    c.ExchangeFactory.release_feedback = "autograder.grading.exchange.ReleaseFeedback"
    c.ExchangeFactory.collect = "autograder.grading.exchange.collecting.Collect"
    c.ExchangeFactory.submit = "autograder.grading.exchange.Submit"

    c.ClearSolutions.code_stub = {
        "python": "raise NotImplementedError("
        '"Not written yet: put your answer in place of this line.")'
    }

    # nbgrader's own list without InstantiateTests, which would start a kernel, and two of ours.
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
    # Weights that differ, checks that raise: one sentence, before anything is generated.
    c.GenerateAssignment.pre_convert_hook = "autograder.grading.execution.rehearsal.before_release"

    # nbgrader's own lists with RestoreCells in the place of DeduplicateIds, OverwriteCells and
    # CheckCellMetadata (it takes all marks from the gradebook), Judge in that of Execute, and
    # SaveGrades, by which an answer beside its cell waits for a person.
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
        # Whoever opens the graded notebook runs nothing of a student's.
        "autograder.grading.feedback.inert.MakeInert",
    ]
    c.GenerateFeedback.preprocessors = [
        "autograder.grading.feedback.verdicts.ForStudents",
        "autograder.grading.marks.lateness.PenaliseForPage",
        "autograder.grading.feedback.overview.SayFirst",
        "nbgrader.preprocessors.GetGrades",
        "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
    ]

    # Pages ask no network: formulas are drawn by the browser, without MathJax. And no text of a
    # student's takes hours to lay out.
    c.HTMLExporter.filters = {
        "markdown2html": "autograder.grading.feedback.formulas.markdown2html",
        "highlight_code": "autograder.grading.feedback.bounded.highlight_code",
        "ansi2html": "autograder.grading.feedback.bounded.ansi2html",
        "strip_files_prefix": "autograder.grading.feedback.bounded.strip_files_prefix",
    }
    c.HTMLExporter.extra_template_basedirs = [str(HERE / "feedback" / "templates"), str(TEMPLATES)]

    # nbgrader's own table, in which no name is a formula.
    c.ExportApp.plugin_class = "autograder.grading.export.TableExportPlugin"
