"""A batch: the same gradebook as nbgrader's, and no grade lost or doubled whatever happens."""

import errno
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Future
from pathlib import Path

import nbformat
import pytest
from nbgrader.converters import Autograde
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from autograder.grading.course import Course, Misconfigured
from autograder.grading.execution import batch, converting
from autograder.grading.execution.audit import audit, verify
from autograder.grading.execution.batch import Batch, Stopped
from autograder.grading.execution.worker import Executed, Job, process_pool
from autograder.grading.feedback.delivery import deliver
from autograder.grading.records import Record, Records, State
from autograder.sandbox.pool import WarmPool

ASSIGNMENT = "set"
POINTS = {"ada": 4, "bob": 0, "eve": 0, "joe": 3}


def grade(root: Path, make_executor: Callable, jobs: int = 2, **options: object) -> dict:
    done: dict[str, tuple[Record, bool]] = {}
    course = Course(root)

    def report(record: Record, now: bool) -> None:
        assert record.student not in done
        done[record.student] = (record, now)

    Batch(course, ASSIGNMENT, make_executor, jobs, report=report, **options).run(
        course.students(ASSIGNMENT)
    )
    return done


@pytest.fixture(scope="module")
def graded(
    released_course: Path,
    hand_in: Callable,
    tmp_path_factory: pytest.TempPathFactory,
    bubblewrap: None,
) -> Path:
    """A course graded in earnest: worker processes, sandboxed kernels, four submissions."""
    root = tmp_path_factory.mktemp("graded") / "course"
    shutil.copytree(released_course, root)
    for student, answer in {
        "ada": "def double(x):\n    return 2 * x",
        "bob": "def double(x):\n    return x**2",
        "eve": None,
        "joe": "def double(x):\n    return 2 * x.reshape(-1)",
    }.items():
        hand_in(root, student, answer, why="It adds." if student == "ada" else "")
    done = grade(root, lambda: process_pool(2))
    assert {student: record.points for student, (record, _) in done.items()} == POINTS
    assert all(now for _, now in done.values())
    return root


@pytest.fixture
def ungraded(released_course: Path, graded: Path, tmp_path: Path) -> Path:
    """The same course before it was graded."""
    root = tmp_path / "ungraded"
    shutil.copytree(released_course, root)
    shutil.copytree(graded / "submitted", root / "submitted")
    return root


@pytest.fixture
def canned(graded: Path, monkeypatch: pytest.MonkeyPatch) -> Callable:
    """Takes what the workers found the first time, so that nothing is executed."""
    records = Records(graded, ASSIGNMENT)

    def execute(job: Job) -> Executed:
        record = records.read(job.student)
        if record is None:  # the untouched release
            return Executed(job.notebooks, 0.1)
        return Executed({n: nbformat.writes(nb) for n, nb in record.executed().items()}, 0.1)

    monkeypatch.setattr(batch, "execute", execute)
    monkeypatch.setattr(batch, "sandboxed", lambda config: False)
    return execute


@pytest.mark.slow
def test_the_gradebook_is_the_one_that_nbgrader_writes(
    graded: Path, ungraded: Path, read_gradebook: Callable
) -> None:
    course = Course(ungraded)
    coursedir = course.coursedir_for(assignment_id=ASSIGNMENT)
    with WarmPool.from_config(course.config):
        Autograde(coursedir=coursedir, config=course.config).start()
    assert read_gradebook(ungraded) == read_gradebook(graded)
    files = [
        sorted(str(path.relative_to(root)) for path in (root / "autograded").rglob("*"))
        for root in (graded, ungraded)
    ]
    assert files[0] == files[1]
    sources = [
        [
            (cell.cell_type, cell.source, cell.metadata)
            for cell in nbformat.read(
                root / "autograded" / "joe" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb", as_version=4
            ).cells
        ]
        for root in (graded, ungraded)
    ]
    assert sources[0] == sources[1]


def test_written_answers_wait_for_a_person(graded: Path, read_gradebook: Callable) -> None:
    rows = {row[:3]: row[3:] for row in read_gradebook(graded) if len(row) == 7}
    assert rows["ada", ASSIGNMENT, "why"] == (None, None, True, 3)
    assert rows["bob", ASSIGNMENT, "why"] == (0, None, False, 3)  # nothing was written


def test_a_second_call_has_nothing_to_do(graded: Path, read_gradebook: Callable) -> None:
    before = read_gradebook(graded)

    class Idle:
        def shutdown(self, **_: object) -> None:
            """There was nothing to do."""

    done = grade(graded, Idle)
    assert not any(now for _, now in done.values())
    assert read_gradebook(graded) == before


@pytest.mark.slow
def test_verify_runs_again_and_finds_the_same_bytes(graded: Path, inline: type) -> None:
    course = Course(graded)
    findings = verify(course, ASSIGNMENT, inline, 1, ["ada", "joe"])
    assert {found.record.student: found.problems for found in findings} == {"ada": [], "joe": []}


def test_audit_judges_the_evidence_again(graded: Path, tmp_path: Path) -> None:
    root = tmp_path / "course"
    shutil.copytree(graded, root)
    assert [found.problems for found in audit(Course(root), ASSIGNMENT)] == [[]] * 4

    records = Records(root, ASSIGNMENT)
    record = records.read("bob")
    ((_, _, result),) = record.verdicts()
    assert result["verdict"]["misconception"] == "square"
    assert json.loads(result["evidence"][0])["outcomes"]
    result["verdict"]["points"] = 4.0
    records.write(record)
    (found,) = audit(Course(root), ASSIGNMENT, ["bob"])
    assert found.problems == [
        "double: recorded wrong with 4 of 4 points, judged again wrong with 0 of 4 points.",
        "double: the gradebook has 0.0, the record 4.",
    ]


def test_a_record_says_how_the_grade_came_about(graded: Path) -> None:
    record = Records(graded, ASSIGNMENT).read("ada")
    assert record.state is State.RECORDED
    assert record.seed is not None
    assert len(record.digest) == len(record.checks) == 64
    assert {"python", "torch", "nbgrader"} <= record.versions.keys()
    assert {"timeout", "memory", "cpu_seconds"} <= record.limits.keys()
    assert 0 < record.memory < record.limits["memory"]
    ((notebook, name, result),) = record.verdicts()
    assert (notebook, name, result["seed"]) == (ASSIGNMENT, "double", record.seed)


def test_what_is_handed_in_again_is_graded_again(
    graded: Path, canned: Callable, inline: type, tmp_path: Path
) -> None:
    root = tmp_path / "course"
    shutil.copytree(graded, root)
    seeds = {student: Records(root, ASSIGNMENT).read(student).seed for student in POINTS}
    (root / "submitted" / "ada" / ASSIGNMENT / "timestamp.txt").write_text("2026-02-01 10:00 UTC")
    done = grade(root, inline)
    assert {student for student, (_, now) in done.items() if now} == {"ada"}
    done = grade(root, inline, force=True)
    assert all(now for _, now in done.values())
    for student in ("bob", "joe"):  # the same submission keeps its random cases
        assert done[student][0].seed == seeds[student]


def test_manual_grades_and_late_penalties_are_kept(
    ungraded: Path, canned: Callable, inline: type
) -> None:
    config = ungraded / "nbgrader_config.py"
    config.write_text(
        config.read_text() + "\nc.LateSubmissionPlugin.penalty_method = 'zero'\n", encoding="utf-8"
    )
    with Course(ungraded).gradebook() as gradebook:
        gradebook.update_or_create_assignment(ASSIGNMENT, duedate="2026-01-30 15:00:00 UTC")
    grade(ungraded, inline)
    with Course(ungraded).gradebook() as gradebook:
        grade_of_ada = gradebook.find_grade("why", ASSIGNMENT, ASSIGNMENT, "ada")
        grade_of_ada.manual_score = 2.5
        gradebook.db.commit()
    grade(ungraded, inline, force=True)
    with Course(ungraded).gradebook() as gradebook:
        grade_of_ada = gradebook.find_grade("why", ASSIGNMENT, ASSIGNMENT, "ada")
        assert (grade_of_ada.manual_score, grade_of_ada.needs_manual_grade) == (2.5, True)
        submission = gradebook.find_submission(ASSIGNMENT, "ada")
        assert submission.score == submission.late_submission_penalty == 6.5
    rows = Records(ungraded, ASSIGNMENT).read("ada")
    assert rows.points == 4


# --- Cut off ------------------------------------------------------------------------------------


def killed_at(moment: int, root: Path, inline: type) -> bool:
    """Grades in a child that SIGKILLs itself at its `moment`-th commit or sync to disk.

    Returns:
        Whether it came that far.
    """
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
        return os.WIFSIGNALED(status)
    try:
        passed = 0

        def step(*_: object) -> None:
            nonlocal passed
            passed += 1
            if passed == moment:
                os.kill(os.getpid(), signal.SIGKILL)

        sync = os.fsync
        os.fsync = lambda handle: (sync(handle), step())
        event.listen(Session, "before_commit", step)
        grade(root, inline)
        os._exit(0)
    except BaseException:
        os._exit(1)


@pytest.mark.slow
def test_sigkill_at_any_moment_loses_no_grade_and_doubles_none(
    graded: Path,
    ungraded: Path,
    canned: Callable,
    inline: type,
    read_gradebook: Callable,
    tmp_path: Path,
) -> None:
    wanted = read_gradebook(graded)
    for moment in (1, 2, 3, 5, 9, 14, 19, 20, 21, 45):
        root = tmp_path / f"killed-{moment}"
        shutil.copytree(ungraded, root)
        assert killed_at(moment, root, inline)
        before = {record.student: record for record in Records(root, ASSIGNMENT).all()}
        done = grade(root, inline)
        assert read_gradebook(root) == wanted, f"killed at {moment}"
        assert done.keys() == POINTS.keys()
        for student, record in before.items():  # what was judged is not judged again
            assert done[student][0].seed == record.seed


def test_a_call_that_was_cut_off_does_not_run_a_submission_twice(
    graded: Path, ungraded: Path, canned: Callable, inline: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = []
    monkeypatch.setattr(batch, "execute", lambda job: ran.append(job.student) or canned(job))

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(converting, "record", interrupted)
        with pytest.raises(KeyboardInterrupt):
            grade(ungraded, inline)
    assert ran
    assert Records(ungraded, ASSIGNMENT).read(ran[0]).state is State.JUDGED
    grade(ungraded, inline)
    assert sorted(ran) == sorted(POINTS)


def test_a_full_disk_stops_the_batch_and_is_made_good(
    graded: Path,
    ungraded: Path,
    canned: Callable,
    inline: type,
    read_gradebook: Callable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = 0
    sync = os.fsync

    def full(handle: int) -> None:
        nonlocal written
        written += 1
        if written == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(Stopped, match="The disk is full"):
            grade(ungraded, inline)
    assert not list((ungraded / "records" / ASSIGNMENT).glob("*.new"))
    grade(ungraded, inline)
    assert read_gradebook(ungraded) == read_gradebook(graded)


@pytest.mark.parametrize(
    "place",
    [
        *("autograded", "autograded/ada", "autograded/ada/set", "feedback"),
        *("records", "records/set", "gradebook.db"),
    ],
)
def test_what_belongs_to_another_account_ends_the_batch_and_sets_nobody_aside(
    graded: Path,
    inline: type,
    read_gradebook: Callable,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    place: str,
) -> None:
    root = tmp_path / "course"
    shutil.copytree(graded, root, symlinks=True)
    (root / "feedback").mkdir(exist_ok=True)
    before = read_gradebook(root)
    can = os.access  # who runs the tests may be root, whom nothing is closed to
    monkeypatch.setattr(os, "access", lambda path, mode: path != root / place and can(path, mode))
    with pytest.raises(Misconfigured, match=f"{place} cannot be written by this account.*sudo"):
        grade(root, inline, force=True)
    assert read_gradebook(root) == before


def test_a_gradebook_without_room_stops_the_batch_and_is_made_good(
    graded: Path, ungraded: Path, canned: Callable, inline: type, read_gradebook: Callable
) -> None:
    with sqlite3.connect(ungraded / "gradebook.db") as database:  # small pages are soon full
        database.execute("PRAGMA page_size = 512")
        database.execute("VACUUM")

    def shrink(connection: object, _: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")  # SQLite takes the present size at least

    event.listen(Engine, "connect", shrink)
    try:
        with pytest.raises(Stopped, match="gradebook cannot be used"):
            grade(ungraded, inline)
    finally:
        event.remove(Engine, "connect", shrink)
    assert read_gradebook(ungraded) != read_gradebook(graded)
    grade(ungraded, inline)
    assert read_gradebook(ungraded) == read_gradebook(graded)


def test_two_calls_at_a_time_are_refused(ungraded: Path, canned: Callable, inline: type) -> None:
    with (
        Records(ungraded, ASSIGNMENT).alone(),
        pytest.raises(RuntimeError, match="Another process"),
    ):
        grade(ungraded, inline)
    with (
        Records(ungraded, ASSIGNMENT).alone(),
        pytest.raises(RuntimeError, match="Another process"),
    ):
        deliver(Course(ungraded), ASSIGNMENT)


def test_a_disk_without_locks_is_not_taken_for_another_grader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(RuntimeError, match="has no locks"), Records(tmp_path, ASSIGNMENT).alone():
        raise AssertionError("it was taken for alone")


# --- One submission's trouble is its own --------------------------------------------------------


def test_what_kills_its_worker_is_set_aside_and_the_rest_is_graded(
    ungraded: Path, canned: Callable, inline: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    class Fragile(inline):
        def __init__(self) -> None:
            made.append(self)
            self.broken = False

        def submit(self, function: Callable, *arguments: object) -> object:
            if self.broken:
                raise BrokenExecutor
            return super().submit(function, *arguments)

        def shutdown(self, **_: object) -> None:
            self.broken = True

    def execute(job: Job) -> Executed:
        if job.student == "bob":
            raise BrokenExecutor("a worker died")
        return canned(job)

    monkeypatch.setattr(batch, "execute", execute)
    done = {student: record for student, (record, _) in grade(ungraded, Fragile).items()}
    assert done["bob"].state is State.QUARANTINED
    assert done["bob"].reason == "The process that graded it died."
    assert {s: r.points for s, r in done.items() if s != "bob"} == {"ada": 4, "eve": 0, "joe": 3}
    assert len(made) > 1


def test_a_worker_that_dies_while_the_next_is_taken_in_ends_no_batch(
    course: Path, canned_grades: Callable, inline: type
) -> None:
    """Then the executor is broken before the next submission is given to it."""
    first: Future = Future()

    class Dying(inline):
        def submit(self, function: Callable, *arguments: object) -> Future:
            if function is not batch.execute or first.done():
                return super().submit(function, *arguments)
            if not first.running():
                first.set_running_or_notify_cancel()
                return first
            first.set_exception(BrokenExecutor("a worker died"))
            raise BrokenExecutor("a worker died")

    done = {student: record for student, (record, _) in grade(course, Dying).items()}
    assert {student: record.points for student, record in done.items()} == POINTS


def test_any_error_sets_one_submission_aside(
    ungraded: Path, canned: Callable, inline: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    def execute(job: Job) -> Executed:
        if job.student == "eve":
            raise ValueError("no such thing")
        return canned(job)

    monkeypatch.setattr(batch, "execute", execute)
    (ungraded / "submitted" / "joe" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb").write_text("{}")
    done = {student: record for student, (record, _) in grade(ungraded, inline).items()}
    assert "no such thing" in done["eve"].reason
    assert "has no list of cells" in done["joe"].reason
    assert (done["ada"].points, done["bob"].points) == (4, 0)
    assert grade(ungraded, inline)["eve"][1] is False  # set aside until it changes or --force


# --- Other places -------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_dask_cluster_grades_the_same(graded: Path, ungraded: Path, read_gradebook) -> None:
    from distributed import Client, LocalCluster

    with (
        LocalCluster(  # a process of its own, as on another machine
            n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        done = grade(ungraded, lambda: client.get_executor(pure=False, retries=0), 1)
    assert {student: record.points for student, (record, _) in done.items()} == POINTS
    assert read_gradebook(ungraded) == read_gradebook(graded)


@pytest.fixture
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL server of this test's own, on a socket in a folder."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    if not programs:
        message = "PostgreSQL is missing: sudo apt-get install postgresql"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir="/tmp"))  # sockets need short paths
    user = "postgres" if os.getuid() == 0 else None  # it does not run as root
    if user:
        shutil.chown(folder, user)

    def run(program: str, *arguments: str) -> None:
        command = [programs[-1].with_name(program), *arguments]
        subprocess.run(command, user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL)

    data = folder / "data"
    run("initdb", "-D", str(data), "-A", "trust", "-U", "grader", "--no-sync")
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
    run("pg_ctl", "-D", str(data), "-l", str(folder / "log"), "-o", options, "-w", "start")
    try:
        yield f"postgresql+psycopg://grader@/postgres?host={folder}"
    finally:
        run("pg_ctl", "-D", str(data), "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.mark.slow
def test_postgresql_gets_what_sqlite_gets(
    graded: Path,
    ungraded: Path,
    generate: Callable,
    canned: Callable,
    inline: type,
    read_gradebook: Callable,
    postgres: str,
) -> None:
    (ungraded / "gradebook.db").unlink()
    with (ungraded / "nbgrader_config.py").open("a") as config:
        config.write(f"\nc.CourseDirectory.db_url = {postgres!r}\n")
    generate(ungraded)
    done = grade(ungraded, inline)
    assert {student: record.points for student, (record, _) in done.items()} == POINTS
    assert read_gradebook(ungraded) == read_gradebook(graded)
    assert not (ungraded / "gradebook.db").exists()
    assert not any(now for _, now in grade(ungraded, inline).values())
