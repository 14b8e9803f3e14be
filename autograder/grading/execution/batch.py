"""Grades a class: submissions run side by side, and one process writes the gradebook.

Workers execute and judge; they see neither the gradebook nor each other. Only this process examines
what was handed in, keeps a record of each submission (`records`) and writes grades. Workers come
from any executor of `concurrent.futures`.
"""

from __future__ import annotations

import fcntl
import os
import platform
import secrets
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
from traitlets.config import Config

from autograder.grading.course import Course, Misconfigured
from autograder.grading.execution import converting
from autograder.grading.execution.intake import Stopped, Taken, disk, is_full, take_in
from autograder.grading.execution.judge import Judge
from autograder.grading.execution.rehearsal import (
    is_of_plugin,
    judged_points,
    readable,
    rehearse,
    rehearse_checks,
)
from autograder.grading.execution.worker import Executed, Job, execute, sandboxed, share_imports
from autograder.grading.marks.by_hand import second_looks
from autograder.grading.marks.lateness import penalise, require_due_date
from autograder.grading.marks.outstanding import differs
from autograder.grading.records import Record, Records, State
from autograder.grading.rules import checks_folder, rules
from autograder.grading.submissions.examination import Examined, examine
from autograder.grading.submissions.files import Unfit
from autograder.grading.wording import words
from autograder.sandbox.options import Sandbox, withheld_modules
from autograder.sandbox.pool import WarmPool
from autograder.sandbox.walls import refuse_exposed

PREFIX = "autograder-batch-"
QUEUED = 256 * 2**20  # bytes; no job is added while the files of submitted jobs have as many
AHEAD = 8  # most submitted jobs per worker, enough that none is idle while a pool opens


@dataclass
class Batch:
    """One call's work on one assignment.

    Args:
        course: The course.
        assignment: The assignment.
        make_executor: Makes the executor of the workers; called again after a failure.
        jobs: How many workers it has.
        force: Grade again what is graded already.
        report: Called after each submission, with its record and whether it was graded now.
    """

    course: Course
    assignment: str
    make_executor: Callable[[], Executor]
    jobs: int = 1
    force: bool = False
    report: Callable[[Record, bool], None] = lambda record, now: None
    withheld: tuple[str, ...] = field(init=False, default=())
    pool: str | None = field(init=False, default=None)
    repriced: list[str] = field(init=False, default_factory=list)  # whose penalty has changed

    def __post_init__(self) -> None:
        self.records = Records(self.course.root, self.assignment)
        self.blueprints = self.course.blueprints(self.assignment)
        rehearse(self.course)
        self.steps = self.course.executing()
        self.config = worker_config(self.course)
        self.checks = rules(self.course, self.assignment, self.blueprints)
        self._sound: set[str] = set()  # "checks" and "release", once they were tried
        self.versions, self.limits = versions(), limits(self.config)

    def run(self, students: Iterable[str]) -> None:
        """Grades the submissions of these students.

        Raises:
            Stopped: When the disk is full or the gradebook cannot be written.
            Misconfigured: When the course is at fault: for example, its folders belong to another
                account, or its checks or a plug-in fail.
            RuntimeError: When another process grades the assignment or makes its feedback.
        """
        self.course.require_writable(self.assignment)
        require_due_date(self.course, self.assignment)
        with self.records.alone(), self.at_work():
            for student, result, record in self.executed(students):
                if record is None:
                    self._quarantine(student, result.digest, result.repairs, words(result), True)
                else:
                    self._finish(student, result, record)
            with disk():
                self.repriced = penalise(self.course, self.assignment)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Opens a folder for copies and, if submissions are judged in a sandbox, a warm pool."""
        with ExitStack() as stack:
            self.scratch = stack.enter_context(scratch_folder())
            if any(issubclass(step, Judge) for step in self.steps):
                checks = Path(self.config.Judge.checks_directory) / f"{self.assignment}.py"
                readable(checks)
                self.withheld = tuple(withheld_modules(checks))
                if sandboxed(self.config):
                    refuse_exposed(
                        self.course.places(), Sandbox(config=Config(self.config)).packages
                    )
                    pool = WarmPool.from_config(self.config, self.withheld, within=self.scratch)
                    stack.enter_context(pool)
                    self.pool = str(pool.directory)
                share_imports(checks)  # meanwhile, the pool's process loads its modules
            yield

    def executed(
        self, students: Iterable[str]
    ) -> Iterator[tuple[str, Executed | BaseException, Record | None]]:
        """Runs what needs to run; yields student, result or error, and record (None if not run)."""
        waiting = deque(students)
        executor = self.make_executor()
        running: dict[Future, tuple[Job, Record]] = {}
        is_done = False
        try:
            while waiting or running:
                while waiting and self._has_room(running):
                    student = waiting.popleft()
                    try:
                        task = self._prepare(student, executor)
                    except Unfit as error:
                        yield student, error, None
                        continue
                    if task:
                        try:
                            future = executor.submit(execute, task[0])
                        except BrokenExecutor as error:  # a worker died in the meantime
                            future = Future()
                            future.set_exception(error)
                        running[future] = task
                    # Finished results come first, because only recorded ones are safe.
                    if any(future.done() for future in running):
                        break
                done = wait(running, return_when=FIRST_COMPLETED).done if running else ()
                for future in done:
                    job, record = running.pop(future)
                    error = future.exception()
                    if error is None:
                        yield job.student, future.result(), record
                        continue
                    if not isinstance(error, BrokenExecutor):
                        yield job.student, self._again(job, error), record
                        continue
                    # A worker died, and the executor broke. Any of these jobs may be the cause, so
                    # each runs alone.
                    suspects = [(job, record), *running.values()]
                    running.clear()
                    executor.shutdown()
                    for job, record in suspects:
                        yield job.student, self._alone(job), record
                    executor = self.make_executor()
                    break
            is_done = True
        finally:
            for future in running:
                future.cancel()
            executor.shutdown(wait=is_done)

    def _has_room(self, running: dict[Future, tuple[Job, Record]]) -> bool:
        queued = sum(job.size for job, _ in running.values())
        return not running or (len(running) < AHEAD * self.jobs and queued < QUEUED)

    def _again(self, job: Job, error: BaseException) -> Executed | BaseException:
        """Runs a failed job once more, without the shared pool, which may be why it failed."""
        if is_full(error):
            return error
        return self._alone(replace(job, pool=None))

    def _alone(self, job: Job) -> Executed | BaseException:
        executor = self.make_executor()
        try:
            result = executor.submit(execute, job).result()
        except BrokenExecutor:
            result = Unfit("The process that graded it died.")
        except Exception as error:
            result = error
        except BaseException:  # an interrupt does not wait for the worker
            executor.shutdown(wait=False)
            raise
        executor.shutdown()
        return result

    def _prepare(self, student: str, executor: Executor) -> tuple[Job, Record] | None:
        """Takes a submission in; one that need not run is finished here, and None is returned.

        Raises:
            Unfit: When the submission cannot be graded.
        """
        old = self.records.read(student)
        where, room = (self.course, self.assignment, student), self.limits["scratch"]
        taken = take_in(*where, self.blueprints, self.scratch, room)
        digest = taken.examined.digest
        if old and old.digest == digest and old.checks == self.checks and not self.force:
            try:
                self._settle(old)
            except (Stopped, Misconfigured):
                raise
            except Exception as error:
                self._quarantine(student, digest, taken.examined.repairs, words(error))
            return None
        self._rehearse_checks(executor)
        record = self._new_record(student, taken.examined, old)
        return self._job(taken, record), record

    def _rehearse_checks(self, executor: Executor) -> None:
        """Tries the checks once, in a worker, before the first submission runs."""
        if "checks" in self._sound or not any(issubclass(step, Judge) for step in self.steps):
            return
        self._sound.add("checks")
        path = Path(self.config.Judge.checks_directory) / f"{self.assignment}.py"
        try:
            points = judged_points(self.blueprints)
            problem = executor.submit(rehearse_checks, path, points).result()
        except BrokenExecutor:
            problem = f"{path.name} ends the process that loads it."
        if problem:
            raise Misconfigured(problem)

    def _try_release(self) -> None:
        """Runs the untouched release, once; if that fails too, no student is at fault.

        Raises:
            Misconfigured: When the release cannot be run either.
        """
        released = self.course.folder("release", ".", self.assignment)
        if "release" in self._sound or not released.is_dir():
            return
        name, copy = "the release", self.scratch / "the release" / self.assignment
        shutil.rmtree(copy, ignore_errors=True)
        examined = examine(released, copy, self.blueprints)
        sane = converting.sanitise(self.course, self.scratch, self.assignment, name)
        taken = Taken(examined, {each: nbformat.writes(sane[each]) for each in self.blueprints})
        record = Record(self.assignment, name, State.JUDGED, "", seed=0)
        result = self._alone(self._job(taken, record))
        self.tidy(name)
        if isinstance(result, BaseException):
            raise Misconfigured(
                f"The untouched notebook of the release cannot be run either: {words(result)}"
            )
        self._sound.add("release")

    def _settle(self, old: Record) -> None:
        """Writes the verdicts of an old record into the gradebook, if they are not there."""
        known = old.state is State.QUARANTINED or (
            old.state is State.RECORDED and self._is_recorded(old)
        )
        if not known:
            self._record(old)
            return
        self.report(old, False)

    def _is_recorded(self, record: Record) -> bool:
        folder = self.course.folder("autograded", record.student, self.assignment)
        if not all((folder / f"{name}.ipynb").is_file() for name in record.notebooks):
            return False
        with self.course.gradebook() as gradebook:
            found = gradebook.student_submissions(record.student)
            is_there = any(each.assignment.name == self.assignment for each in found)
            return is_there and not differs(gradebook, self.course, record)

    def _new_record(self, student: str, examined: Examined, old: Record | None) -> Record:
        same = old is not None and old.digest == examined.digest and old.seed is not None
        configured = self.config.Judge.get("seed")
        drawn = secrets.randbits(53) if configured is None else configured
        return Record(
            self.assignment,
            student,
            State.JUDGED,
            examined.digest,
            repairs=examined.repairs,
            renamed=examined.renamed,
            seed=old.seed if same else drawn,  # the same submission gets the same cases
            checks=self.checks,
            versions=self.versions,
            limits=self.limits,
        )

    def _job(self, taken: Taken, record: Record) -> Job:
        return Job(
            self.assignment,
            record.student,
            taken.notebooks,
            taken.examined.files,
            self.steps,
            self.config,
            record.seed,
            self.withheld,
            self.pool,
            str(self.scratch),
        )

    def _finish(self, student: str, result: Executed | BaseException, record: Record) -> None:
        try:
            if isinstance(result, BaseException):
                if is_full(result):
                    raise Stopped(f"A worker's disk is full: {words(result)}")
                if not isinstance(result, Unfit):
                    self._try_release()
                raise result if isinstance(result, Exception) else RuntimeError(words(result))
            record.fill(result.notebooks, result.seconds, result.memory)
            with disk():
                self.records.write(record)
            self._record(record)
        except (Stopped, Misconfigured):
            raise
        except Exception as error:
            if is_of_plugin(error, self.course):
                raise Misconfigured(
                    f"A plug-in of the course failed for {student}: {words(error)}"
                ) from error
            self._quarantine(student, record.digest, record.repairs, words(error))

    def _record(self, record: Record) -> None:
        with disk(), second_looks(self.course, self.assignment, record.student):
            converting.record(
                self.course, self.scratch, self.assignment, record.student, record.executed()
            )
        record.state = State.RECORDED
        with disk():
            self.records.write(record)
        self.tidy(record.student)
        self.report(record, True)

    def _quarantine(
        self,
        student: str,
        digest: str,
        repairs: Iterable[str],
        reason: str,
        before_running: bool = False,
    ) -> None:
        record = Record(
            self.assignment,
            student,
            State.QUARANTINED,
            digest,
            repairs=list(repairs),
            reason=reason,
            before_running=before_running,
            checks=self.checks,
            versions=self.versions,
        )
        with disk():
            self.records.write(record)
        self.tidy(student)
        self.report(record, True)

    def tidy(self, student: str) -> None:
        """Removes a submission's copy."""
        shutil.rmtree(self.scratch / student, ignore_errors=True)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Makes a batch's temporary folder, and removes the folders of batches that were killed.

    It lies in /tmp, whatever TMPDIR is, because a socket's path has at most 107 characters.
    """
    for old in Path("/tmp").glob(f"{PREFIX}*/lock"):
        with suppress(OSError), open(old, opener=_open_at_once) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(old.parent, ignore_errors=True)
    temporary = TemporaryDirectory(prefix=PREFIX, dir="/tmp", ignore_cleanup_errors=True)
    with temporary as folder, Path(folder, "fresh").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        Path(folder, "fresh").rename(Path(folder, "lock"))  # it has this name only once it is held
        yield Path(folder)


def _open_at_once(path: str, flags: int) -> int:
    # Every account can make a pipe or a link of this name, and opening a pipe waits for a writer.
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW)


def worker_config(course: Course) -> Config:
    """The course's configuration, with an absolute path to the folder of checks."""
    config = Config(course.config)
    config.Judge.checks_directory = str(checks_folder(course))
    return config


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that take part in a verdict."""
    names = ("torch", "numpy", "nbgrader", "nbclient", "ipykernel")
    return {"python": platform.python_version()} | {name: version(name) for name in names}


def limits(config: Config) -> dict[str, Any]:
    """The limits under which submissions are executed, by name."""
    judge = Judge(config=Config(config))
    kept = ("timeout", "notebook_timeout", "output_mb")
    sandbox = Sandbox(config=Config(config))
    return {name: getattr(judge, name) for name in kept} | asdict(sandbox.limits())
