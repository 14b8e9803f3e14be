"""Makes autograded notebooks inert: opening one runs nothing that a student wrote.

formgrader and the feedback show autograded notebooks in an instructor's browser, on the server that
has the gradebook. What students wrote, and what their code displayed, is reduced here to text,
markdown without HTML, and pictures made of pixels.
"""

from __future__ import annotations

import re
from typing import Any

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode, from_dict

from autograder.cells import is_judged, is_released
from autograder.grading.submissions.pictures import below, gather, kept, of_the_set, sound
from autograder.nbgrader_internals import NbGraderPreprocessor

PICTURES = ("image/png", "image/jpeg")  # kinds that are kept of what code displayed

# A space makes each of these harmless and leaves it readable: a tag, an entity, a link or an image
# with its address, and TeX that makes links.
MARKUP = (
    (re.compile(r"<(?=[A-Za-z/!?])"), "< "),
    (re.compile(r"&(?=[#A-Za-z])"), "& "),
    (re.compile(r"\](?=[(\[:])"), "] "),
    (re.compile(r"\\(?=(href|cssId|class|style|require|html)\b)"), r"\\ "),
)


class MakeInert(NbGraderPreprocessor):
    """Removes from a notebook whatever of the student's a browser could run or fetch.

    It comes after SaveGrades in `Autograde.autograde_preprocessors`, because nbgrader compares
    answers with what was released. Released text, which is known by its checksum, stays as it is,
    and so do the results of judged cells, which are the grader's own.
    """

    def preprocess(
        self, nb: NotebookNode, resources: ResourcesDict
    ) -> tuple[NotebookNode, ResourcesDict]:
        kernelspec = nb.metadata.get("kernelspec", {})
        nb.metadata = from_dict(
            {
                "kernelspec": kernelspec,
                "language_info": {"name": str(kernelspec.get("language", "python"))},
            }
        )
        return super().preprocess(nb, resources)

    def preprocess_cell(
        self, cell: NotebookNode, resources: ResourcesDict, cell_index: int
    ) -> tuple[NotebookNode, ResourcesDict]:
        marks = cell.metadata.get("nbgrader")
        cell.metadata = from_dict({} if marks is None else {"nbgrader": marks})
        if cell.cell_type == "code":
            if not is_judged(cell):
                cell.outputs = [inert_output(output) for output in cell.outputs]
            return cell, resources
        pasted = cell.pop("attachments", None)
        if is_released(cell):
            if pasted := of_the_set(pasted):
                cell.attachments = from_dict(pasted)
            return cell, resources
        pictures = kept(pasted)
        if cell.cell_type == "markdown" and pasted and not pictures:  # `gather` has not run on them
            gather(cell, pasted, {}, "", [])
            pictures = kept(cell.pop("attachments", None))
        cell.source = inert_markdown(cell.source)
        if cell.cell_type == "markdown" and pictures:
            cell.attachments = from_dict(pictures)
            cell.source += below(pictures)
        return cell, resources


def inert_markdown(source: str) -> str:
    """Markdown whose HTML, images, and links with a text of their own are mere text."""
    for pattern, instead in MARKUP:
        source = pattern.sub(instead, source)
    return source


def inert_output(output: NotebookNode) -> NotebookNode:
    """An output, cut down to text and bitmaps; renderers escape the text."""
    if output.output_type not in ("display_data", "execute_result"):
        return output  # streams and tracebacks are text
    data: dict[str, Any] = {
        kind: picture for kind in PICTURES if (picture := sound(output.data.get(kind), kind))
    }
    text = output.data.get("text/plain", "")
    if isinstance(text, list):
        text = "".join(text)
    if not text and not data:
        kinds = ", ".join(sorted(output.data)) or "nothing"
        text = f"[an output that is not shown here: {kinds}]"
    data["text/plain"] = text
    output.data, output.metadata = from_dict(data), from_dict({})
    return output
