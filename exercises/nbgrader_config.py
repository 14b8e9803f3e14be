"""The course as nbgrader sees it. Run nbgrader's commands in this folder."""

import os
from pathlib import Path

c = get_config()  # noqa: F821  (nbgrader defines it)

c.CourseDirectory.course_id = "kdlab"

# Where assignments and submissions change hands. A class on one server needs a folder that all can
# reach; set KDLAB_EXCHANGE to it for instructors and students alike.
c.Exchange.root = os.environ.get("KDLAB_EXCHANGE", str(Path(__file__).parent / "exchange"))

c.ClearSolutions.code_stub = {
    "python": 'raise NotImplementedError("Not written yet: put your answer in place of this line.")'
}

# Preprocessors are given by name, so that commands that do not need ours do not load torch.
# nbgrader's own list without InstantiateTests, which would start a kernel, and with our last step.
c.GenerateAssignment.preprocessors = [
    "nbgrader.preprocessors.IncludeHeaderFooter",
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

# nbgrader's own lists with RestoreCells in the place of DeduplicateIds, OverwriteCells and
# CheckCellMetadata, because it takes all marks from the gradebook, and Judge in that of Execute.
c.Autograde.sanitize_preprocessors = [
    "nbgrader.preprocessors.ClearOutput",
    "nbgrader.preprocessors.OverwriteKernelspec",
    "autograder.grading.preprocessors.RestoreCells",
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

# nbgrader's own table, in which no name is a formula.
c.ExportApp.plugin_class = "autograder.grading.export.TableExportPlugin"

c.Judge.timeout = 60  # seconds a cell
c.Judge.notebook_timeout = 300  # seconds

# Notebooks run in bubblewrap; autograder/sandbox/options.py has all options. The modules that would
# give an assignment's answers away are named by WITHHELD in its checks.
c.Sandbox.packages = ["kdlab"]
c.Sandbox.memory_mb = 2048
