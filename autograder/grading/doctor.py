"""Submissions that arrive damaged: put right where that is certain, turned away where it is not.

`examine` copies a submission into a folder of ours. What lies there afterwards are regular files of
bounded size and notebooks that nbformat and nbgrader accept, whatever the student handed in. The
submitted files themselves are never touched.
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.utils import compute_checksum, parse_utc

from autograder.grading.course import Blueprint, MarkedCell

MAX_FILES = 500
MAX_DEPTH = 8  # of nested folders
MAX_NOTEBOOK = 50 * 2**20  # bytes
MAX_TOTAL = 200 * 2**20  # bytes of a whole submission

# Files that a browser would run when an instructor follows a link to them in formgrader.
ACTIVE = re.compile(r"html|xml|svg|javascript|ecmascript|flash|pdf", re.IGNORECASE)
CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class Unfit(Exception):
    """A submission that cannot be graded; the message says why."""


@dataclass
class Examined:
    """A submission that was copied.

    Args:
        digest: SHA-256 of all that was handed in, names and contents.
        repairs: What was put right, a sentence each.
    """

    digest: str
    repairs: list[str] = field(default_factory=list)


def examine(
    submission: Path,
    copy: Path,
    blueprints: Mapping[str, Blueprint],
    ignore: tuple[str, ...] = (),
) -> Examined:
    """Copies a submission, repaired.

    Args:
        submission: The folder that was handed in.
        copy: A folder to make.
        blueprints: The assignment's notebooks, by name.
        ignore: Patterns of names that are not part of a submission.

    Raises:
        Unfit: When it cannot be graded.
    """
    for folder in (submission.parent, submission):
        if folder.is_symlink():
            raise Unfit(f"{folder.name} is a symbolic link, not a folder.")
    if not submission.is_dir():
        raise Unfit(f"{submission.name} is not a folder.")
    result = Examined("")
    files = dict(_read_all(submission, ignore, blueprints, result.repairs))
    result.digest = _digest(files)
    _find_renamed(files, blueprints, result.repairs)
    _check_timestamp(files)
    copy.mkdir(parents=True)
    for name, raw in files.items():
        blueprint = blueprints.get(name.removesuffix(".ipynb")) if "/" not in name else None
        if blueprint is not None and name.endswith(".ipynb"):
            notebook = read_notebook(raw, name, result.repairs)
            restore(notebook, name, blueprint, result.repairs)
            raw = nbformat.writes(notebook).encode()
        path = copy / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
    return result


# --- Files --------------------------------------------------------------------------------------


def _read_all(
    root: Path, ignore: tuple[str, ...], blueprints: Mapping[str, Blueprint], repairs: list[str]
) -> Iterator[tuple[str, bytes]]:
    count = total = 0
    for name in _walk(root, "", ignore, 0):
        count += 1
        if count > MAX_FILES:
            raise Unfit(f"It holds more than {MAX_FILES} files.")
        needed = name.removesuffix(".ipynb") in blueprints and name.endswith(".ipynb")
        problem, raw = _read(root, name, MAX_TOTAL - total)
        if problem and (needed or name == "timestamp.txt" or problem.startswith("is too large")):
            raise Unfit(f"{name} {problem}.")
        if problem:
            repairs.append(f"Left out {name!r}: it {problem}.")
            continue
        if name.endswith(".ipynb") and len(raw) > MAX_NOTEBOOK:
            raise Unfit(f"{name} is too large: {len(raw)} bytes; {MAX_NOTEBOOK} are allowed.")
        total += len(raw)
        yield name, raw


def _walk(root: Path, folder: str, ignore: tuple[str, ...], depth: int) -> Iterator[str]:
    if depth > MAX_DEPTH:
        raise Unfit(f"Its folders are nested deeper than {MAX_DEPTH}.")
    try:
        entries = sorted(os.scandir(root / folder), key=lambda entry: entry.name)
    except OSError as error:
        raise Unfit(f"{folder or root.name} cannot be read: {error.strerror}.") from None
    for entry in entries:
        if any(fnmatch(entry.name, pattern) for pattern in ignore):
            continue
        name = f"{folder}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(root, f"{name}/", ignore, depth + 1)
        else:
            yield name


def _read(root: Path, name: str, room: int) -> tuple[str | None, bytes]:
    """Reads a file without following links or waiting for pipes; or says what is wrong with it."""
    if not name.isprintable() or "\\" in name:
        return "has a name that some systems read as another", b""
    if ACTIVE.search(mimetypes.guess_type(name)[0] or ""):
        return "could run in an instructor's browser", b""
    try:
        handle = os.open(root / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        linked = (root / name).is_symlink()
        return ("is a symbolic link" if linked else "cannot be read"), b""
    with open(handle, "rb") as stream:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            return "is not a regular file", b""
        if found.st_size > room:
            return f"is too large: {found.st_size} bytes; {MAX_TOTAL} are allowed in all", b""
        return None, stream.read(room)


def _digest(files: Mapping[str, bytes]) -> str:
    whole = hashlib.sha256()
    for name in sorted(files):
        whole.update(json.dumps([name, len(files[name])]).encode())
        whole.update(files[name])
    return whole.hexdigest()


def _find_renamed(
    files: dict[str, bytes], blueprints: Mapping[str, Blueprint], repairs: list[str]
) -> None:
    """Renames the notebook if there is one of another name with the assignment's cells."""
    missing = [name for name in blueprints if f"{name}.ipynb" not in files]
    strays = [name for name in files if name.endswith(".ipynb") and name[:-6] not in blueprints]
    if len(missing) == len(strays) == 1:
        (name,), (stray,) = missing, strays
        notebook = read_notebook(files[stray], stray, [])
        ids = {_grade_id(cell) for cell in notebook.cells}
        if ids & {cell.grade_id for cell in blueprints[name].cells}:
            files[f"{name}.ipynb"] = files.pop(stray)
            repairs.append(f"Renamed {stray!r} to {name}.ipynb.")
    if all(f"{name}.ipynb" not in files for name in blueprints):
        wanted = ", ".join(f"{name}.ipynb" for name in blueprints)
        there = ", ".join(sorted(files)[:5]) or "nothing"
        raise Unfit(f"There is no {wanted}; there is {there}.")


def _check_timestamp(files: Mapping[str, bytes]) -> None:
    text = files.get("timestamp.txt", b"").decode("utf-8", "replace").strip()
    try:
        if text:
            parse_utc(text)
    except (ValueError, OverflowError):
        raise Unfit(f"timestamp.txt holds {text[:40]!r}, which is not a time.") from None


# --- Notebooks ----------------------------------------------------------------------------------


def read_notebook(raw: bytes, name: str, repairs: list[str]) -> NotebookNode:
    """Reads a notebook and rebuilds it from what grading needs; outputs are not among that.

    Args:
        raw: The file's bytes.
        name: The file's name.
        repairs: What was put right is added here.

    Raises:
        Unfit: When it is not a notebook.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Unfit(f"{name} is not UTF-8 text.") from None
    if text.startswith("\ufeff"):
        text = text.removeprefix("\ufeff")
        repairs.append(f"{name}: removed a byte order mark.")
    try:
        data = json.loads(text)
    except RecursionError:
        raise Unfit(f"{name} is nested too deep.") from None
    except ValueError as error:
        raise Unfit(f"{name} is not JSON: {str(error)[:100]}.") from None
    if not isinstance(data, dict):
        raise Unfit(f"{name} is JSON, but not a notebook.")
    if data.get("nbformat") in (1, 2, 3):
        try:
            data = nbformat.reads(text, as_version=4)
        except Exception as error:  # a converter that meets damaged input
            raise Unfit(f"{name} is of an old format and damaged: {error!r:.100}.") from None
        repairs.append(f"{name}: brought to format 4.")
    elif data.get("nbformat") != 4 and isinstance(data.get("nbformat"), int):
        raise Unfit(f"{name} is of format {data['nbformat']}; 4 is known.")
    cells = data.get("cells")
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise Unfit(f"{name} has no list of cells.")
    notebook = new_notebook(cells=[], metadata=_kernel(data.get("metadata")))
    seen: set[str] = set()
    for index, cell in enumerate(cells):
        notebook.cells.append(_rebuilt(cell, index, name, seen, repairs))
    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        raise Unfit(f"{name} is not a valid notebook: {error.message[:100]}.") from None
    return notebook


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
    given = cell.get("id")
    if not isinstance(given, str) or not CELL_ID.fullmatch(given) or given in seen:
        given = f"cell-{index}"
        while given in seen:
            given += "x"
    seen.add(given)
    built = new(source, id=given)
    marks = cell.get("metadata")
    marks = marks.get("nbgrader") if isinstance(marks, dict) else None
    if isinstance(marks, dict) and isinstance(marks.get("grade_id"), str):
        built.metadata.nbgrader = nbformat.from_dict(marks)
    return built


def restore(notebook: NotebookNode, name: str, blueprint: Blueprint, repairs: list[str]) -> None:
    """Puts the cells that nbgrader knows back to what was released, in place.

    Copied cells become ordinary ones, deleted cells come back, changed marks are set right. What
    students wrote is not touched.

    Args:
        notebook: As `read_notebook` returns it.
        name: The file's name.
        blueprint: What was released.
        repairs: What was put right is added here.

    Raises:
        Unfit: When the notebook has none of the assignment's cells.
    """
    known = {cell.grade_id: cell for cell in blueprint.cells}
    there: dict[str, list[NotebookNode]] = {}
    for cell in notebook.cells:
        if _grade_id(cell) in known:
            there.setdefault(_grade_id(cell), []).append(cell)
        elif "nbgrader" in cell.metadata:
            repairs.append(f"{name}: {_grade_id(cell)!r:.60} is no cell of the assignment.")
            del cell.metadata["nbgrader"]
    if known and not there:
        raise Unfit(f"{name} has none of the assignment's cells.")
    for grade_id, cells in there.items():
        for cell in cells:
            _restore_marks(cell, name, known[grade_id], repairs)
        if len(cells) > 1:
            _choose(cells, name, known[grade_id], repairs)
    _return_missing(notebook, name, blueprint, set(there), repairs)
    given = notebook.metadata.kernelspec.name
    if given != blueprint.kernelspec["name"]:
        repairs.append(f"{name}: the kernel was {given!r:.60}.")
    notebook.metadata.kernelspec = nbformat.from_dict(blueprint.kernelspec)


def _grade_id(cell: NotebookNode) -> str | None:
    return cell.metadata.get("nbgrader", {}).get("grade_id")


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
    if any(given.get(key, False) != known.marks.get(key, False) for key in asked):
        repairs.append(f"{name}: the marks of {known.grade_id} had changed.")
    cell.metadata.nbgrader = nbformat.from_dict(known.marks)


def _choose(cells: list[NotebookNode], name: str, known: MarkedCell, repairs: list[str]) -> None:
    """Keeps the marks of the copy that was worked on, or of the last; nbgrader keeps the last."""
    changed = [cell for cell in cells if compute_checksum(cell) != known.marks["checksum"]]
    kept = (changed if changed and not known.marks["locked"] else cells)[-1]
    for cell in cells:
        if cell is not kept:
            del cell.metadata["nbgrader"]
    repairs.append(f"{name}: {known.grade_id} was there {len(cells)} times.")


def _return_missing(
    notebook: NotebookNode,
    name: str,
    blueprint: Blueprint,
    present: set[str],
    repairs: list[str],
) -> None:
    """Brings deleted cells back: graded ones as late as their order allows, others as early.

    An answer to be graded may stand in a cell that the student typed anew; it must run first. A
    deleted cell for answers alone stays away: its stub would undo such an answer.
    """
    order = [cell.grade_id for cell in blueprint.cells]
    for index, cell in enumerate(blueprint.cells):
        if cell.grade_id in present:
            continue
        if cell.marks["solution"] and not cell.marks["grade"]:
            continue
        place = {_grade_id(there): i for i, there in enumerate(notebook.cells)}
        before = [place[grade_id] for grade_id in order[:index] if grade_id in place]
        after = [place[grade_id] for grade_id in order[index + 1 :] if grade_id in place]
        early = max(before, default=-1) + 1
        late = min((i for i in after if i >= early), default=len(notebook.cells))
        new = new_code_cell if cell.cell_type == "code" else new_markdown_cell
        back = new(cell.source, id=f"returned-{index}")
        back.metadata.nbgrader = nbformat.from_dict(cell.marks)
        notebook.cells.insert(late if cell.marks["grade"] else early, back)
        repairs.append(f"{name}: {cell.grade_id} was missing.")
