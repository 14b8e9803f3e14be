"""Restores released cells where they are changed in a student's notebook."""

from __future__ import annotations

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from autograder.cells import ANSWER, grade_id
from autograder.grading.course import Blueprint, MarkedCell
from autograder.grading.submissions.files import Unfit
from autograder.nbgrader_internals import compute_checksum


def restore(notebook: NotebookNode, name: str, blueprint: Blueprint, repairs: list[str]) -> None:
    """Restores marks, types and places of the cells that nbgrader knows, in place.

    Of copied cells one counts and the others become ordinary; deleted cells come back, unless they
    are for answers alone; the kernel is the released one. Texts stay: nbgrader itself puts those of
    locked cells back later.

    Args:
        notebook: As `read_notebook` returns it.
        name: The file's name.
        blueprint: What was released.
        repairs: What was put right is added here.

    Raises:
        Unfit: When the notebook has none of the assignment's cells, or is another assignment's.
    """
    known = {cell.grade_id: cell for cell in blueprint.cells}
    there: dict[str, list[NotebookNode]] = {}
    foreign: list[str] = []
    for cell in notebook.cells:
        if grade_id(cell) in known:
            there.setdefault(grade_id(cell), []).append(cell)
        elif "nbgrader" in cell.metadata:
            foreign.append(f"{grade_id(cell)!r:.60}")
            del cell.metadata["nbgrader"]
    answers = {label for label, cell in known.items() if cell.marks["solution"]}
    if answers and len(foreign) > 1 and not answers & there.keys():
        raise Unfit(
            f"{name} is another assignment's: it has cells such as {foreign[0]}, and none of this"
            " one's answers."
        )
    repairs += [f"{name}: {label} is no cell of the assignment." for label in foreign]
    if known and not there:
        there = _recognised(notebook, blueprint)
        repairs.append(
            f"{name}: its cells had lost nbgrader's marks; found them by their text and their ids."
        )
    if known and not there:
        raise Unfit(f"{name} has none of the assignment's cells.")
    for label, cells in there.items():
        for cell in cells:
            _restore_marks(cell, name, known[label], repairs)
        if len(cells) > 1:
            _choose(cells, name, known[label], repairs)
        _keep_additions(notebook, name, known[label], repairs)
    _return_missing(notebook, name, blueprint, set(there), repairs)
    _put_below_answers(notebook, name, blueprint, repairs)
    given = notebook.metadata.kernelspec.name
    if given != blueprint.kernelspec["name"]:
        repairs.append(
            f"{name}: {f'the kernel was {given!r:.60}' if given else 'named no kernel'}."
        )
    notebook.metadata.kernelspec = nbformat.from_dict(blueprint.kernelspec)


def _recognised(notebook: NotebookNode, blueprint: Blueprint) -> dict[str, list[NotebookNode]]:
    """Finds released cells, by name, in a notebook that has lost all of nbgrader's marks.

    Some programs drop them. Fixed cells are found by text, answers by id. The result is empty
    unless all graded fixed cells are there: only then is it certain what the notebook is.
    """
    fixed = [cell for cell in blueprint.cells if not (cell.marks["solution"] or cell.marks["task"])]
    found: dict[str, list[NotebookNode]] = {}
    for known in fixed:
        for cell in notebook.cells:
            if cell.cell_type == known.cell_type and cell.source.strip() == known.source.strip():
                cell.metadata.nbgrader = nbformat.from_dict(known.marks)
                found.setdefault(known.grade_id, []).append(cell)
    ids = {cell.grade_id: cell for cell in blueprint.cells if cell.marks["solution"]}
    for cell in notebook.cells:  # answers have been changed, but often keep their ids
        known = ids.get(cell.get("id"))
        if known and known.cell_type == cell.cell_type and not grade_id(cell):
            cell.metadata.nbgrader = nbformat.from_dict(known.marks)
            found.setdefault(known.grade_id, []).append(cell)
    graded = {cell.grade_id for cell in fixed if cell.marks["grade"]}
    return found if graded and graded <= found.keys() else {}


def _restore_marks(cell: NotebookNode, name: str, known: MarkedCell, repairs: list[str]) -> None:
    given = cell.metadata.nbgrader
    if cell.cell_type != known.cell_type:
        repairs.append(f"{name}: {known.grade_id} had become a {cell.cell_type} cell.")
        cell.cell_type = known.cell_type
        if known.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        else:
            cell.pop("outputs", None), cell.pop("execution_count", None)
    asked = ("grade", "solution", "task", "points", "schema_version")
    differ = [key for key in asked if given.get(key, False) != known.marks.get(key, False)]
    if differ == ["points"]:
        repairs.append(
            f"{name}: its copy of {known.grade_id} is worth {given.get('points')!r:.20} points; the"
            f" {known.marks['points']:g} of the newest release count."
        )
    elif differ:
        repairs.append(
            f"{name}: nbgrader's marks of {known.grade_id} are not those of the newest release,"
            " which count."
        )
    cell.metadata.nbgrader = nbformat.from_dict(known.marks)


def _choose(cells: list[NotebookNode], name: str, known: MarkedCell, repairs: list[str]) -> None:
    """Keeps the marks of one copy: the last changed one; the last, if locked or all unchanged."""
    changed = [cell for cell in cells if compute_checksum(cell) != known.marks["checksum"]]
    kept = (changed if changed and not known.marks["locked"] else cells)[-1]
    for cell in cells:
        if cell is not kept:
            del cell.metadata["nbgrader"]
    which = (
        "; the last one that was changed counts" if changed and not known.marks["locked"] else ""
    )
    repairs.append(f"{name}: {known.grade_id} was there {len(cells)} times{which}.")


def _keep_additions(
    notebook: NotebookNode, name: str, known: MarkedCell, repairs: list[str]
) -> None:
    """Copies a locked cell to which a student added text, because nbgrader restores the cell.

    The student may have answered in it, or below the question. The copy comes before a cell graded
    by machine, because the answer must run first; else after the cell.
    """
    if known.marks["solution"] or known.marks["task"] or not known.source.strip():
        return
    place = next(i for i, cell in enumerate(notebook.cells) if grade_id(cell) == known.grade_id)
    whole, released = (
        "".join(text.split()) for text in (notebook.cells[place].source, known.source)
    )
    if whole != released and released in whole:
        new = new_code_cell if known.cell_type == "code" else new_markdown_cell
        own = new(notebook.cells[place].source, id=f"kept-{place}")
        notebook.cells.insert(place if known.is_judged else place + 1, own)
        repairs.append(f"{name}: kept in a cell of its own what was added to {known.grade_id}.")


def _put_below_answers(
    notebook: NotebookNode, name: str, blueprint: Blueprint, repairs: list[str]
) -> None:
    """Moves a graded cell that stands above its answer to just below the answer.

    A student who runs cells out of their order sees nothing wrong; in grading, the answer would not
    be defined yet.
    """
    for label in [cell.grade_id for cell in blueprint.cells if cell.is_judged]:
        place = {grade_id(there): i for i, there in enumerate(notebook.cells)}
        if place.get(f"{label}{ANSWER}", -1) > place[label]:
            graded = notebook.cells.pop(place[label])
            notebook.cells.insert(place[f"{label}{ANSWER}"], graded)
            repairs.append(f"{name}: {label} stood above its answer, and is graded below it.")


def _return_missing(
    notebook: NotebookNode,
    name: str,
    blueprint: Blueprint,
    present: set[str],
    repairs: list[str],
) -> None:
    """Brings deleted cells back: graded ones as late as the released order allows, others as early.

    The answer may stand in a new cell of the student's, which must run before the graded cell. A
    deleted cell for answers alone does not come back: its stub would undo such an answer.
    """
    order = [cell.grade_id for cell in blueprint.cells]
    for index, cell in enumerate(blueprint.cells):
        if cell.grade_id in present:
            continue
        if cell.marks["solution"] and not cell.marks["grade"]:
            continue
        place = {grade_id(there): i for i, there in enumerate(notebook.cells)}
        before = [place[label] for label in order[:index] if label in place]
        after = [place[label] for label in order[index + 1 :] if label in place]
        early = max(before, default=-1) + 1
        late = min((i for i in after if i >= early), default=len(notebook.cells))
        new = new_code_cell if cell.cell_type == "code" else new_markdown_cell
        back = new(cell.source, id=f"returned-{index}")
        back.metadata.nbgrader = nbformat.from_dict(cell.marks)
        notebook.cells.insert(late if cell.marks["grade"] else early, back)
        repairs.append(f"{name}: {cell.grade_id} was missing.")
