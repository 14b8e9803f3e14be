"""A submitted notebook, read without trusting it, and rebuilt from what grading needs."""

from __future__ import annotations

import json
import re
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from autograder.grading.submissions.files import Unfit, read_text

MAX_VALUES = 10_000_000  # commas and opening brackets in a notebook's file
MAX_CELLS = 5000
MAX_SOURCE = 4 * 2**20  # characters of all cells of a notebook
OTHERS = {  # first bytes of other files that are handed in under a notebook's name
    (b"<!", b"<?", b"<h", b"<H"): "a page of the web, perhaps of a login",
    (b"PK\x03\x04",): "a zip",
    (b"\x1f\x8b",): "a packed file (gzip)",
    (b"%PDF",): "a PDF",
    (b"{\\rtf",): "a document of a word processor",
}
CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def read_notebook(raw: bytes, name: str, repairs: list[str]) -> NotebookNode:
    """Reads a notebook and rebuilds it from what grading needs, without outputs.

    Args:
        raw: The file's bytes.
        name: The file's name.
        repairs: What was put right is added here.

    Raises:
        Unfit: When the file is no valid notebook, or exceeds a limit.
    """
    begins = raw[:1000].removeprefix(b"\xef\xbb\xbf").lstrip()
    for marks, form in OTHERS.items():
        if begins.startswith(marks):
            raise Unfit(f"{name} is {form}, and no notebook.")
    try:
        text, done = read_text(raw)
    except UnicodeDecodeError:
        raise Unfit(f"{name} is not text.") from None
    if done:
        repairs.append(f"{name}: {done}.")
    if not text:
        raise Unfit(f"{name} is empty.")
    if sum(text.count(mark) for mark in ",[{") > MAX_VALUES:
        raise Unfit(f"{name} holds more than {MAX_VALUES} values.")
    try:
        data = json.loads(text, object_pairs_hook=_without_outputs)
    except RecursionError:
        raise Unfit(f"{name} is nested too deep.") from None
    except ValueError as error:
        if re.search(r"^<{7}", text, re.MULTILINE):
            raise Unfit(f"{name} holds both sides of a merge that git could not settle.") from None
        raise Unfit(f"{name} is not JSON: {str(error)[:100]}.") from None
    if not isinstance(data, dict):
        raise Unfit(f"{name} is JSON, but not a notebook.")
    if data.get("nbformat") in (1, 2, 3):
        try:
            data = nbformat.reads(json.dumps(data), as_version=4)
        except Exception as error:  # the converter met damaged input
            raise Unfit(f"{name} is of an old format and damaged: {error!r:.100}.") from None
        repairs.append(f"{name}: brought to format 4.")
    elif data.get("nbformat") != 4 and isinstance(data.get("nbformat"), int):
        raise Unfit(f"{name} is of format {data['nbformat']}; 4 is known.")
    cells = data.get("cells")
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise Unfit(f"{name} has no list of cells.")
    if len(cells) > MAX_CELLS:
        raise Unfit(f"{name} has {len(cells)} cells; {MAX_CELLS} are allowed.")
    notebook = new_notebook(cells=[], metadata=_kernel(data.get("metadata")))
    seen: set[str] = set()
    for index, cell in enumerate(cells):
        notebook.cells.append(_rebuilt(cell, index, name, seen, repairs))
    size = sum(len(cell.source) for cell in notebook.cells)
    if size > MAX_SOURCE:
        raise Unfit(f"{name} has {size} characters in its cells; {MAX_SOURCE} are allowed.")
    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        raise Unfit(f"{name} is not a valid notebook: {error.message[:100]}.") from None
    return notebook


def _without_outputs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Drops outputs and widgets, which grading does not need, on reading."""
    return {key: [] if key == "outputs" else value for key, value in pairs if key != "widgets"}


def _kernel(metadata: Any) -> dict[str, Any]:
    kernelspec = metadata.get("kernelspec") if isinstance(metadata, dict) else None
    name = kernelspec.get("name") if isinstance(kernelspec, dict) else None
    return {"kernelspec": {"name": name if isinstance(name, str) else "", "display_name": ""}}


def _rebuilt(
    cell: dict[str, Any], index: int, name: str, seen: set[str], repairs: list[str]
) -> NotebookNode:
    source = cell.get("source", "")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        raise Unfit(f"{name}: the source of cell {index + 1} is not text.")
    if any("\ud800" <= char <= "\udfff" for char in source):
        source = re.sub("[\ud800-\udfff]", "\ufffd", source)
        repairs.append(f"{name}: replaced characters that no file can hold in cell {index + 1}.")
    kind = cell.get("cell_type")
    new = new_code_cell if kind == "code" else new_markdown_cell
    if kind not in ("code", "markdown", "raw"):
        repairs.append(f"{name}: cell {index + 1} is of no known type; taken as text.")
    metadata = cell.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    given = cell.get("id", metadata.get("id"))  # the latter is where Colab puts it
    if not isinstance(given, str) or not CELL_ID.fullmatch(given) or given in seen:
        given = f"cell-{index}"
        while given in seen:
            given += "x"
    seen.add(given)
    built = new(source, id=given)
    marks = metadata.get("nbgrader")
    if isinstance(marks, dict) and isinstance(marks.get("grade_id"), str):
        built.metadata.nbgrader = nbformat.from_dict(marks)
    return built
