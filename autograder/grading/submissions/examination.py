"""Submissions that arrive damaged: put right where that is certain, turned away where it is not.

`examine` reads a submission with `files`, and copies into a folder of ours what nbgrader may have:
notebooks that nbformat and nbgrader accept, and files that are safe to show. The submitted files
themselves are never touched.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePath
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import nbformat
from nbformat import NotebookNode

from autograder.cells import grade_id, unanswered
from autograder.grading.course import Blueprint
from autograder.grading.submissions.files import (
    NOTEBOOK,
    SCRATCH,
    STAMP,
    Unfit,
    digest,
    fit,
    is_notebook,
    is_shown,
    is_zip,
    part,
    read_files,
    read_text,
)
from autograder.grading.submissions.notebooks import read_notebook
from autograder.grading.submissions.pictures import gather, of_the_set
from autograder.grading.submissions.restoring import restore
from autograder.grading.submissions.unpacking import entries_of, unpack
from autograder.nbgrader_internals import parse_utc

MAX_CANDIDATES = 20  # notebooks that are read to find the one that counts
MAX_REPAIRS = 100  # repairs that are named
LOOK = "look there."  # ends a sentence that only instructors see
UNTOUCHED = "is as it was released"


@dataclass
class Examined:
    """A submission that was copied.

    Args:
        digest: SHA-256 of all that was handed in, names and contents.
        repairs: What was put right, a sentence each.
        files: By name, the contents of the files beside the notebook when it runs.
        renamed: By a notebook's right name, the name under which it was handed in.
    """

    digest: str
    repairs: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)


def examine(
    submission: Path,
    copy: Path,
    blueprints: Mapping[str, Blueprint],
    ignore: tuple[str, ...] = (),
    room: int = SCRATCH,
) -> Examined:
    """Copies a submission and repairs the copy.

    Args:
        submission: The folder that was handed in.
        copy: The folder to make; it must not exist yet.
        blueprints: The assignment's notebooks, by name.
        ignore: Patterns of names that are not part of a submission.
        room: Bytes of scratch space; files beside the notebooks may fill what is `usable` of it.

    Raises:
        Unfit: When the submission cannot be graded.
    """
    for folder in (submission.parent, submission):
        if folder.is_symlink():
            raise Unfit(f"{folder.name} is a symbolic link, not a folder.")
    if not submission.is_dir():
        raise Unfit(f"There is no folder {submission.parent.name}/{submission.name}.")
    result = Examined("")
    needed = {f"{name}.ipynb" for name in blueprints}
    files = read_files(submission, needed, ignore, room, result.repairs)
    result.digest = digest(files)
    zips = [name for name in files if is_zip(name)]
    if len(zips) == 1 and not _is_worked_on(files, blueprints):
        unpack(zips[0], files, room, result.repairs)
    _find_renamed(files, blueprints, result)
    part(files, needed, result.repairs)
    fit(files, needed, room, result.repairs)
    _check_timestamp(files, result.repairs)
    copy.mkdir(parents=True)
    for name, raw in files.items():
        if name in needed:
            notebook = read_notebook(raw, name, result.repairs)
            restore(notebook, name, blueprints[name.removesuffix(".ipynb")], result.repairs)
            _gather_pictures(notebook, raw, files, name, result.repairs)
            _look_elsewhere(notebook, name, result.repairs)
            raw = json.dumps(notebook).encode()
        else:
            result.files[name] = raw
            # nbgrader would take any other notebook in the copy for one that is to be graded, and a
            # folder of such a name too.
            if any(each.endswith(".ipynb") for each in name.split("/")) or not is_shown(name):
                continue
        path = copy / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
    if (more := len(result.repairs) - MAX_REPAIRS) > 0:
        result.repairs[MAX_REPAIRS:] = [f"Put right and not named here: {more} more."]
    return result


def digest_of(
    submission: Path, blueprints: Mapping[str, Blueprint], ignore: tuple[str, ...], room: int
) -> str:
    """SHA-256 of what was handed in, as in `examine`; empty where the files cannot be read."""
    needed = {f"{name}.ipynb" for name in blueprints}
    try:
        return digest(read_files(submission, needed, ignore, room, []))
    except Exception:  # whatever is in it
        return ""


def _gather_pictures(
    notebook: NotebookNode, raw: bytes, files: Mapping[str, bytes], name: str, repairs: list[str]
) -> None:
    """Attaches the pictures of written answers and of released text to their cells."""
    pasted: dict[str, list[Any]] = {}
    text = read_text(raw)[0]
    if '"attachments"' in text:
        for cell in json.loads(text).get("cells", ()):
            source = cell.get("source", "")
            text = "".join(source) if isinstance(source, list) else source
            pasted.setdefault(text, []).append(cell.get("attachments"))
    for cell in notebook.cells:
        marks, known = cell.metadata.get("nbgrader", {}), pasted.get(cell.source, [None])
        given = known.pop(0) if len(known) > 1 else known[0]  # a kept copy has those of its cell
        if cell.cell_type == "markdown" and (
            marks.get("solution") or marks.get("task") or not marks
        ):
            where = f"{name}: {grade_id(cell) or 'a cell'}"
            gather(cell, given, files, where, repairs)
        elif cell.cell_type == "markdown" and (pictures := of_the_set(given)):
            cell.attachments = nbformat.from_dict(pictures)


def _look_elsewhere(notebook: NotebookNode, name: str, repairs: list[str]) -> None:
    """Notes where an answer in words may be, if the cell for it is unchanged."""
    blank, own = unanswered(notebook)
    repairs += [
        f"{name}: {label} is untouched, and there is text in cells of the student's own ({own}),"
        f" so it waits for a person; {LOOK}"
        for label in blank
    ]


def _find_renamed(
    files: dict[str, bytes], blueprints: Mapping[str, Blueprint], result: Examined
) -> None:
    """Takes a notebook of another name where the one with the right name is not the work.

    That one may be missing, empty or broken, or as released, because a copy of it was worked on. If
    the chosen notebook lies in a folder, the files beside it come along if their names are free.

    Raises:
        Unfit: When there is no notebook to grade, or different ones.
    """
    needed = {f"{name}.ipynb" for name in blueprints}
    strays, folders, lacking = _strays(files, blueprints), set(), {}
    for name, blueprint in blueprints.items():
        if f"{name}.ipynb" not in files:
            lacking[name] = ""
        elif strays and (problem := _is_no_work(files[f"{name}.ipynb"], name, blueprint)):
            lacking[name] = problem
    for name, problem in lacking.items():
        alike = [each for each in strays if PurePath(each).name == f"{name}.ipynb"]
        chosen = {each: files[each] for each in (strays if len(lacking) == 1 else alike)}
        stray = _meant(chosen, name, blueprints[name], problem == UNTOUCHED)
        if stray is None:
            continue
        result.repairs.append(
            f"Took {stray!r} for {name}.ipynb, which {problem}."
            if problem
            else f"Renamed {stray!r} to {name}.ipynb."
        )
        result.renamed[name] = NOTEBOOK.sub("", PurePath(stray).name)
        files[f"{name}.ipynb"] = files.pop(stray)
        folders.add(stray[: stray.rfind("/") + 1])
    for folder in sorted(folders - {""}, key=len, reverse=True):  # an inner folder first
        for beside in [each for each in files if each.startswith(folder)]:
            if (place := beside.removeprefix(folder)) not in files:
                files[place] = files.pop(beside)
                if place in needed:  # though it has none of the cells' names
                    result.repairs.append(f"Renamed {beside!r} to {place}.")
    if not needed & files.keys():
        wanted = ", ".join(sorted(needed))
        there = ", ".join(_named(each, files[each]) for each in sorted(files)[:5]) or "nothing"
        raise Unfit(f"There is no {wanted}; there is {there}.")
    strays = _strays(files, blueprints)
    for name in sorted(blueprints.keys() - lacking.keys()):
        _say_others(files, strays, name, blueprints[name], result.repairs)


def _strays(files: Mapping[str, bytes], blueprints: Mapping[str, Blueprint]) -> list[str]:
    """Notebooks of other names than the right ones, of which some are read; similar names first."""
    needed = {f"{name}.ipynb" for name in blueprints}
    found = [each for each in files if is_notebook(each) and each not in needed]
    found.sort(key=lambda stray: (not any(name in stray for name in blueprints), stray))
    return found[:MAX_CANDIDATES]


def _named(name: str, raw: bytes) -> str:
    """A file's name; of a zip, also the first names that it holds."""
    inside = entries_of(raw) if is_zip(name) else []
    held = ", ".join(f"{each:.60}" for each in sorted(inside)[:5])
    return f"{name} (which holds {held})" if held else name


def _say_others(
    files: Mapping[str, bytes],
    strays: list[str],
    name: str,
    blueprint: Blueprint,
    repairs: list[str],
) -> None:
    """Notes the other notebooks whose answers differ from those of the notebook that counts."""
    if not strays:
        return
    labels = {cell.grade_id for cell in blueprint.cells if cell.marks["solution"]}
    own = _answers(files[f"{name}.ipynb"], name, blueprint)
    for stray in strays:
        theirs = _answers(files[stray], stray, blueprint)
        if _is_changed(theirs, blueprint) and any(
            theirs.get(label) != own.get(label) for label in labels
        ):
            repairs.append(
                f"{stray!r} was handed in too and has other answers; {name}.ipynb counts."
            )


def _is_worked_on(files: Mapping[str, bytes], blueprints: Mapping[str, Blueprint]) -> bool:
    """Whether an answer in any of these notebooks differs from what was released."""
    named = lambda name: (NOTEBOOK.sub("", name) not in blueprints, name)  # noqa: E731
    return any(
        _is_changed(_answers(files[name], name, blueprint), blueprint)
        for name in sorted(filter(is_notebook, files), key=named)[:MAX_CANDIDATES]
        for blueprint in blueprints.values()
    )


def _is_no_work(raw: bytes, name: str, blueprint: Blueprint) -> str:
    """Why a notebook with the right name is not the student's work; empty where it is."""
    try:
        cells = read_notebook(raw, name, []).cells
    except Unfit:
        return "cannot be read"
    released = {cell.grade_id: cell.source for cell in blueprint.cells if cell.marks["solution"]}
    answers = {grade_id(cell): cell.source for cell in cells if grade_id(cell) in released}
    known = {cell.grade_id for cell in blueprint.cells}
    written = sum(grade_id(cell) in known or bool(cell.source.strip()) for cell in cells)
    same = answers == released and written == len(blueprint.cells) + blueprint.others
    return UNTOUCHED if same else ""


def _meant(
    files: Mapping[str, bytes], name: str, blueprint: Blueprint, changed: bool
) -> str | None:
    """Which of some notebooks has the assignment's cells, preferably one that was worked on.

    Args:
        files: The contents of the candidates, by name.
        name: The name that the notebook should have, without its ending.
        blueprint: What was released.
        changed: Whether only a notebook that was worked on will do.

    Raises:
        Unfit: When candidates differ in what was written.
    """
    found = {stray: _answers(files[stray], stray, blueprint) for stray in sorted(files)}
    found = {stray: answers for stray, answers in found.items() if answers}
    worked_on = {
        stray: answers for stray, answers in found.items() if _is_changed(answers, blueprint)
    }
    candidates = worked_on or ({} if changed else found)
    if len({tuple(sorted(answers.items())) for answers in candidates.values()}) > 1:
        names = " and ".join(repr(stray) for stray in candidates)
        raise Unfit(f"Which notebook is meant? {names} differ; rename one to {name}.ipynb.")
    return min(candidates, key=lambda stray: (stray.count("/"), stray), default=None)


def _answers(raw: bytes, name: str, blueprint: Blueprint) -> dict[str, str]:
    """The sources of the assignment's cells, by name; empty where the file is no notebook."""
    known = {cell.grade_id for cell in blueprint.cells}
    try:
        cells = read_notebook(raw, name, []).cells
    except Unfit:
        return {}
    return {grade_id(cell): cell.source for cell in cells if grade_id(cell) in known}


def _is_changed(answers: Mapping[str, str], blueprint: Blueprint) -> bool:
    """Whether any answer differs from what was released."""
    return any(
        cell.marks["solution"] and answers.get(cell.grade_id, cell.source) != cell.source
        for cell in blueprint.cells
    )


def _check_timestamp(files: dict[str, bytes], repairs: list[str]) -> None:
    """Rewrites the time of the submission as plain UTF-8, and notes a doubtful one.

    Raises:
        Unfit: When nbgrader cannot read the time.
    """
    if STAMP not in files:
        return
    try:
        text = read_text(files[STAMP])[0].strip()
    except UnicodeDecodeError:
        raise Unfit(f"{STAMP} is not text.") from None
    try:
        when = parse_utc(text) if text else None
    except (ValueError, OverflowError):
        raise Unfit(f"{STAMP} holds {text[:40]!r}, which is not a time.") from None
    files[STAMP] = text.encode()
    if when is None:
        return
    said = f"{STAMP} says {text[:40]!r}, which nbgrader reads as {when:%Y-%m-%d %H:%M:%S} UTC"
    zone = " ".join(text.split(" ")[2:]) or "UTC"
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # such as CEST and +0200
        repairs.append(f"{said}, whatever {zone[:20]} means; {LOOK}")
    if when > datetime.now(UTC).replace(tzinfo=None) + timedelta(days=1):
        repairs.append(f"{said}, a time that has not come; {LOOK}")
