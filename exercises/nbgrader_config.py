"""The course as nbgrader sees it. Run nbgrader's commands in this folder."""

from pathlib import Path

import nbgrader

import autograder
from autograder.spec import load_settings

c = get_config()  # noqa: F821  (nbgrader defines it)

try:
    settings = load_settings(Path(__file__).parent)
except ValueError as error:
    raise SystemExit(str(error)) from None  # a sentence, and no command goes on without

c.CourseDirectory.course_id = settings.id
c.Exchange.root = str(settings.exchange)

# Feedback reaches who renamed a notebook, whoever else's submission lacks its secret; and
# what is handed in can be written by its student alone.
c.ExchangeFactory.release_feedback = "autograder.grading.exchange.ReleaseFeedback"
c.ExchangeFactory.submit = "autograder.grading.exchange.Submit"

c.ClearSolutions.code_stub = {
    "python": 'raise NotImplementedError("Not written yet: put your answer in place of this line.")'
}

# Preprocessors are given by name, so that commands that do not need ours do not load torch.
# nbgrader's own list without InstantiateTests, which would start a kernel, and with our two steps.
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
c.GenerateAssignment.pre_convert_hook = "autograder.grading.rehearsal.before_release"

# nbgrader's own lists with RestoreCells in the place of DeduplicateIds and OverwriteCells, and
# Judge in that of Execute; cells' metadata are checked once, before anything runs.
c.Autograde.sanitize_preprocessors = [
    "nbgrader.preprocessors.ClearOutput",
    "nbgrader.preprocessors.OverwriteKernelspec",
    "autograder.grading.preprocessors.RestoreCells",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Autograde.autograde_preprocessors = [
    "autograder.grading.judge.Judge",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    # Whoever opens the graded notebook runs nothing of a student's.
    "autograder.grading.inert.MakeInert",
]
c.GenerateFeedback.preprocessors = [
    "autograder.grading.feedback.ForStudents",
    "nbgrader.preprocessors.GetGrades",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]

# Pages ask no network: formulas are drawn by the browser, without MathJax.
c.HTMLExporter.filters = {"markdown2html": "autograder.grading.pages.markdown2html"}
c.HTMLExporter.extra_template_basedirs = [
    str(Path(autograder.__file__).parent / "grading" / "templates"),
    str(Path(nbgrader.__file__).parent / "server_extensions" / "formgrader" / "templates"),
]

# nbgrader's own table, in which no name is a formula.
c.ExportApp.plugin_class = "autograder.grading.export.TableExportPlugin"

c.Judge.timeout = 60  # seconds a cell
c.Judge.notebook_timeout = 300  # seconds

# Notebooks run in bubblewrap; autograder/sandbox/options.py has all options. The modules that would
# give an assignment's answers away are named by WITHHELD in its checks.
c.Sandbox.packages = ["kdlab"]
c.Sandbox.memory_mb = 2048
