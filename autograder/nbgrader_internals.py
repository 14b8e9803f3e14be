"""All that `autograder/` uses of nbgrader beyond its manual, and why; no other module imports it.

The manual documents the gradebook (`nbgrader.api`), plug-ins (`nbgrader.plugins`), commands,
options and hooks. The rest may change with any release, so it is imported only here. `MEMBERS` and
`WORDS` say what our classes override or use of it;
`tests/autograder/test_nbgrader_internals.py` looks up each entry in the installed nbgrader. The
same holds for nbclient, from whose client nbgrader's Execute inherits. When a version range in
pyproject.toml changes: compare these entries with the new sources, run those tests, and write the
range here.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbgrader.api
import sqlalchemy
from jupyter_core.application import JupyterApp
from nbgrader.api import Gradebook
from sqlalchemy.orm import scoped_session
from traitlets import List
from traitlets.config import Config

RANGES = {"nbgrader": ">=0.9.6,<0.10", "nbclient": ">=0.10,<0.12"}

try:
    from nbgrader.apps.baseapp import NbGrader
    from nbgrader.auth import Authenticator
    from nbgrader.converters import Autograde, GenerateAssignment, GenerateFeedback
    from nbgrader.converters.base import BaseConverter
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.exchange import ExchangeError
    from nbgrader.exchange.default import (
        ExchangeCollect,
        ExchangeFetchAssignment,
        ExchangeReleaseAssignment,
        ExchangeReleaseFeedback,
        ExchangeSubmit,
    )
    from nbgrader.preprocessors import (
        AssignLatePenalties,
        Execute,
        NbGraderPreprocessor,
        OverwriteCells,
        SaveAutoGrades,
    )
    from nbgrader.server_extensions.assignment_list import handlers as assignment_list
    from nbgrader.utils import (
        compute_checksum,  # whether a cell is as it was released
        ignore_patterns,  # which files are no part of a submission
        is_grade,  # what a cell's marks say, as nbgrader reads them
        is_locked,
        is_solution,
        is_task,
        notebook_hash,  # the name under which Fetch Feedback looks for a page
        parse_utc,  # times are read as nbgrader reads them
        setenv,  # sets the variable that tells code that it is being graded
    )
except ImportError as error:
    raise ImportError(
        f"Grading works with nbgrader {RANGES['nbgrader']}, and here is {version('nbgrader')}:"
        f" {error}."
    ) from None

# By class: the members used or overridden, and why. Options (`c.Class.name`) are in the manual.
MEMBERS: dict[type, dict[str, str]] = {
    Gradebook: {
        "__init__ db": "one_engine opens sessions of the engine that the first one has made",
    },
    NbGrader: {
        "load_cwd_config load_config_file": "a course is read from any folder, errors and all",
    },
    CourseDirectory: {
        "format_path get_existing_timestamp": "where submissions lie, and when they came",
    },
    BaseConverter: {
        "start": "keep_release puts a release back that could not be replaced, and says where one"
        " stays",
        "init_notebooks assignments notebooks": "Chosen names the submissions; nbgrader takes"
        " brackets in a student's id for a pattern",
        "convert_notebooks convert_single_notebook": "one submission's error is said as it is, and"
        " is that one's alone",
        "init_assignment set_permissions run_pre_convert_hook run_post_convert_hook": "what"
        " nbgrader's loop over submissions does for each, ours does too",
        "init_single_notebook_resources write_single_notebook": "steps run without the exporter,"
        " which copies and checks a notebook between all of them",
        "coursedir _format_source _format_dest force": "what a step made before is made anew",
    },
    AssignLatePenalties: {
        "init_plugin plugin_inst": "the plug-in for late work is tried before any submission is",
    },
    OverwriteCells: {
        "preprocess add_missing_cells": "RestoreCells brings back cells that were deleted",
    },
    SaveAutoGrades: {
        "preprocess _add_score gradebook assignment_id notebook_id student_id": "SaveGrades lets an"
        " answer beside its cell wait for a person",
    },
    Execute: {  # most of it is nbclient's
        "create_kernel_manager kernel_name shutdown_kernel km kc": "Judge's kernels are sandboxed",
        "_get_timeout _async_handle_timeout iopub_timeout": "a notebook's time is limited as a"
        " whole, without what its kernel waits for a processor",
        "_async_poll_output_msg process_message": "evidence is taken when it comes, and a flood of"
        " output ends the kernel",
        "on_cell_executed code_cells_executed nb": "how a cell ended is known without its outputs",
        "record_timing skip_cells_with_tag store_widget_state": "no submission switches them",
    },
    ExchangeCollect: {
        "ensure_root root": "it only reads the exchange, and has words for an instructor",
        "init_src src_records _path_to_record": "what may not be collected is left out, and said",
        "copy_files fail coursedir course_path inbound_path": "a version goes when the new one is"
        " there; links are not followed",
    },
    ExchangeFetchAssignment: {
        "copy_files dest_path": "what is fetched is its student's alone",
    },
    ExchangeReleaseAssignment: {
        "init_dest copy_files fail src_path dest_path inbound_path": "a release is whole or none",
    },
    ExchangeReleaseFeedback: {
        "ensure_root root": "its words are for an instructor",
        "init_dest copy_files fail coursedir src_path dest_path": "one student's page that cannot"
        " be released stops nobody else's",
    },
    ExchangeSubmit: {
        "init_release copy_files fail coursedir src_path inbound_path cache_path"
        " assignment_filename get_size": "a submission is whole or none, and its student's alone",
    },
    assignment_list.AssignmentList: {
        "list_assignments fetch_assignment fetch_feedback submit_assignment": "students are told"
        " in a sentence what failed",
    },
}

# Texts of nbgrader's that we compare with, where nothing else tells what happened.
ROLLED_BACK = "Rolling back session"  # logged before an error that a command of ours reports
NO_EXCHANGE = "The exchange directory does not exist"
NOT_FOUND = "Assignment not found"  # in Fetch Feedback: nobody was given any
MANAGER = "assignment_list_manager"  # the key under which the server finds the Assignment List
WORDS = (ROLLED_BACK, NO_EXCHANGE, NOT_FOUND, MANAGER)

# `configure` puts our own templates before these; in ours, formulas need no script.
TEMPLATES = Path(nbgrader.api.__file__).parent / "server_extensions" / "formgrader" / "templates"


class PageStep(NbGraderPreprocessor):
    """A preprocessor for pages; nbconvert gives each one this option, and warns if it has none."""

    display_data_priority = List(config=True)


def load_configuration(folder: Path, name: str) -> Config:
    """Loads nbgrader's configuration (user's, machine's and a folder's), or raises its error.

    Args:
        folder: The course's folder; nbgrader itself would take the working directory.
        name: The name of the configuration file in that folder.
    """
    app = NbGrader()
    app.load_cwd_config = False
    app.log_level = logging.ERROR
    app.raise_config_file_errors = True  # else errors are only logged, and defaults used
    app.load_config_file()
    super(JupyterApp, app).load_config_file(name, path=str(folder))
    return app.config


_engine = cache(sqlalchemy.create_engine)
_opened: dict[tuple[str, ...], Gradebook] = {}  # by address and course, the first one


@contextmanager
def one_engine() -> Iterator[None]:
    """Lets nbgrader's steps share a database engine.

    Each step opens the gradebook anew, ten times per submission. By default each opening makes an
    engine of its own, for which SQLAlchemy compiles every statement again, and looks for every
    table. That took longer than running all statements. nbgrader closes an engine's connections
    after each use.
    """
    own_engine, own_opening = nbgrader.api.create_engine, Gradebook.__init__

    def opening(gradebook: Gradebook, *address: Any, **named: Any) -> None:
        key = (*address, *named.values())
        if first := _opened.get(key):
            vars(gradebook).update(vars(first))
            gradebook.db = scoped_session(first.db.session_factory)
        else:
            own_opening(gradebook, *address, **named)
            _opened[key] = gradebook

    nbgrader.api.create_engine, Gradebook.__init__ = _engine, opening
    try:
        yield
    finally:
        nbgrader.api.create_engine, Gradebook.__init__ = own_engine, own_opening


def _said(step: Callable, assignment: str) -> Callable:
    """Makes a step of `generate_assignment` exit with a sentence on an OSError (a full disk)."""

    @wraps(step)
    def said(*arguments: Any, **options: Any) -> Any:
        try:
            return step(*arguments, **options)
        except OSError as error:
            what = f"{error.strerror}: {error.filename}" if error.filename else error
            raise SystemExit(f"{assignment} was not generated. {what}") from None

    return said


def keep_release() -> None:
    """Makes `generate_assignment` put the old release back if it cannot make the new one."""
    start = GenerateAssignment.start
    if hasattr(start, "__wrapped__"):
        return

    @wraps(start)
    def keeping(converter: GenerateAssignment) -> None:
        release = Path(converter._format_dest(converter.coursedir.assignment_id, "."))
        if release.is_dir() and not converter.force:
            converter.log.warning("%s stays as it is. To make it anew, add --force.", release)
        for name in ("init_assignment", "convert_single_notebook", "set_permissions"):
            setattr(converter, name, _said(getattr(converter, name), release.name))
        with TemporaryDirectory(prefix="autograder-") as kept:
            if release.is_dir():
                _said(shutil.copytree, release.name)(release, kept, dirs_exist_ok=True)
            try:
                start(converter)
            except BaseException:
                if any(Path(kept).iterdir()):
                    shutil.rmtree(release, ignore_errors=True)
                    shutil.copytree(kept, release)
                    converter.log.error("%s was put back as it was before.", release)
                else:
                    shutil.rmtree(release, ignore_errors=True)
                raise

    GenerateAssignment.start = keeping


def late_plugin(config: Config) -> Any:
    """The course's plug-in for late work; raises any error that comes up when it is loaded."""
    step = AssignLatePenalties(config=Config(config))
    step.init_plugin()
    return step.plugin_inst


class Chosen(BaseConverter):
    """Makes one of nbgrader's converters run on chosen students' submissions, one at a time.

    nbgrader's own loop turns every error into one that does not say what happened.
    """

    force = True
    students: Iterable[str] = ()

    def init_notebooks(self) -> None:
        assignment = self.coursedir.assignment_id
        self.assignments, self.notebooks = {}, []
        for student in self.students:
            folder = Path(self._format_source(assignment, student))
            self.assignments[student] = sorted(map(str, folder.glob("*.ipynb")))

    def clear(self, student: str) -> None:
        """Selects a student's notebooks and removes what was made of them before."""
        self.notebooks = self.assignments[student]
        place = Path(self._format_dest(self.coursedir.assignment_id, student))
        if place.exists():
            shutil.rmtree(place)

    def convert(self, student: str) -> None:
        """Converts the notebooks that `clear` has selected."""
        assignment = self.coursedir.assignment_id
        self.init_assignment(assignment, student)
        for path in self.notebooks:
            self.convert_single_notebook(path)
        self.set_permissions(assignment, student)
