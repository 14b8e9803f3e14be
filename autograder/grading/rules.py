"""What decides a grade besides the submission; when it changes, the grade is out of date."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from autograder.grading.course import Blueprint, Course
from autograder.settings import load_settings

DECIDE = ("Judge", "Sandbox", "Execute")  # sections of the configuration
NOT_OPTIONS = ("checks_directory", "seed")  # the checks' folder, and a seed that records keep


def rules(course: Course, assignment: str, blueprints: Mapping[str, Blueprint]) -> str:
    """SHA-256 of what decides a verdict: checks, released cells, options, the book's address.

    Of the checks' folder, files of another assignment are left out: those whose name, without its
    ending, is that of another folder of the course's sources.

    Args:
        course: The course.
        assignment: The assignment.
        blueprints: The assignment's notebooks, by name.
    """
    whole = hashlib.sha256()
    folder = checks_folder(course)
    others = {path.name for path in course.folder("source", ".", ".").glob("*")} - {assignment}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and "__pycache__" not in parts and path.stem not in others:
            whole.update(f"{'/'.join(parts)}\0".encode())
            whole.update(hashlib.sha256(path.read_bytes()).digest())
    with suppress(ValueError):  # a course without usable settings
        whole.update(load_settings(course.root).book.encode())
    cells = {
        name: sorted([cell.grade_id, cell.source, str(sorted(cell.marks.items()))] for cell in kept)
        for name, kept in ((name, blueprint.cells) for name, blueprint in blueprints.items())
    }
    options = {
        section: {
            name: str(value)
            for name, value in sorted(course.config[section].items())
            if name not in NOT_OPTIONS
        }
        for section in DECIDE
        if course.config.get(section)  # config[section] would make an empty one
    }
    whole.update(json.dumps([cells, options], sort_keys=True).encode())
    return whole.hexdigest()


def checks_folder(course: Course) -> Path:
    """Where the course's checks lie."""
    return course.root / str(course.config.Judge.get("checks_directory", "checks"))
