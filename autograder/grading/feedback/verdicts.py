"""What students get back: their own notebook, and at each task the grader's verdict.

`ForStudents` stands first in `GenerateFeedback.preprocessors`. While a submission is graded, code
in it gets the hidden cases' inputs, and whatever it does from then on may depend on them: what it
displays, which exception it raises, whether it ends at all. So of a check, students learn only
whether each part of it is right, the misconception's name, and what the notebook's source shows. Of
another cell, they learn only which exception it raised, and only if it stands before the first
check. For the rest, students have their own notebook.
"""

from __future__ import annotations

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbformat.v4 import new_output

from autograder.cells import VERDICT_MIME, is_judged, is_released
from autograder.grading.accidents import why_none, why_without_result
from autograder.grading.feedback.inert import inert_markdown
from autograder.grading.submissions.pictures import below, kept
from autograder.judging.rubric import Section
from autograder.judging.verdict import Status, Verdict, exception_name, told
from autograder.nbgrader_internals import PageStep


class ForStudents(PageStep):
    """Keeps verdicts as students may know them, and exceptions from before the first check."""

    def preprocess(
        self, nb: NotebookNode, resources: ResourcesDict
    ) -> tuple[NotebookNode, ResourcesDict]:
        self._asked = False  # whether code has seen hidden inputs
        self._cells = nb.cells
        return super().preprocess(nb, resources)

    def preprocess_cell(
        self, cell: NotebookNode, resources: ResourcesDict, cell_index: int
    ) -> tuple[NotebookNode, ResourcesDict]:
        if cell.cell_type != "code":
            if not is_released(cell):
                pictures = below(kept(cell.get("attachments")))
                cell.source = inert_markdown(cell.source.removesuffix(pictures)) + pictures
            return cell, resources
        if is_judged(cell):
            self._asked = True
            cell.outputs = [
                self._shown(output, cell_index)
                for output in cell.outputs
                if VERDICT_MIME in output.get("data", {})
            ]
        else:
            raised = [output for output in cell.outputs if output.output_type == "error"]
            cell.outputs = [] if self._asked else [_raised(output) for output in raised[:1]]
        cell.execution_count = None
        return cell, resources

    def _shown(self, output: NotebookNode, index: int) -> NotebookNode:
        """Renders the verdict anew, so that the page holds only what this module puts there."""
        data = output.data[VERDICT_MIME]["verdict"]
        section = Section(**data["section"])
        verdict = Verdict(**(data | {"section": section, "status": Status(data["status"])}))
        why = why_without_result
        if verdict.status is Status.WRONG:  # there are results, whatever the source looks like
            why = why_none if "Is a return statement missing?" in verdict.message else None
        verdict = told(verdict, why and why(self._cells, index))
        return new_output(
            "display_data", {"text/html": verdict.to_html(), "text/plain": verdict.to_text()}
        )


def _raised(output: NotebookNode) -> NotebookNode:
    name = exception_name(str(output.ename))
    return new_output("stream", name="stderr", text=f"When it was graded, this cell raised {name}.")
