"""`python -m autograder`: the app, and its commands that grade; run them in a course's folder."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from autograder.commands.authoring import new, selftest
from autograder.commands.console import (
    AssignmentArgument,
    Commands,
    Json,
    Students,
    console,
    errors,
    failures,
    not_listed,
    open_course,
    tell,
    waiting,
)
from autograder.commands.extend import extend
from autograder.commands.feedback import feedback
from autograder.commands.joining import exchange, join
from autograder.commands.lms import app as lms
from autograder.commands.report import report
from autograder.commands.students import students as write_students
from autograder.grading.course import Course
from autograder.grading.execution import audit as auditing
from autograder.grading.execution.batch import Batch
from autograder.grading.execution.intake import take_in
from autograder.grading.execution.worker import cpu_jobs, process_pool
from autograder.grading.marks.lateness import marks, moved, who_is_late
from autograder.grading.marks.outstanding import outstanding
from autograder.grading.marks.report import RESOURCES
from autograder.grading.records import Record, State
from autograder.grading.submissions.files import Unfit
from autograder.grading.wording import names, shown, words
from autograder.judging.verdict import Status
from autograder.sandbox.options import Sandbox

app = typer.Typer(
    cls=Commands,
    add_completion=False,
    help="Grade a class's submissions. Run it in the course's folder.",
)
for command in (feedback, report, extend, exchange, join, new, selftest):
    app.command()(command)
app.command("students")(write_students)
app.add_typer(lms, name="lms")

WIDEST = 40  # most characters of a column

Jobs = Annotated[
    int | None, typer.Option(min=1, help="Submissions at a time; as many as processors without.")
]
Where = Annotated[
    str, typer.Option(help='"local", or "dask:" and the address of a Dask scheduler.')
]


@app.command()
def grade(
    assignment: AssignmentArgument,
    students: Students = None,
    jobs: Jobs = None,
    executor: Where = "local",
    force: Annotated[bool, typer.Option(help="Grade again what is graded.")] = False,
    details: Annotated[bool, typer.Option("--details", help="Each task and repair.")] = False,
    as_json: Json = False,
) -> None:
    """Grade what was handed in and is not graded yet.

    Whatever interrupts it, call it again: it goes on where it stopped. Submissions that cannot be
    graded are set aside with a reason, and the rest is graded; then the exit status is 3.
    """
    with failures():
        course, chosen = open_course(assignment, students)
    done: list[dict[str, Any]] = []  # without notebooks: a class's records do not fit into memory
    with (
        failures(),
        _workers(executor, jobs) as (make_executor, count),
        _progress(f"Grading {assignment}", len(chosen), as_json) as advance,
    ):

        def report(record: Record, now: bool) -> None:
            done.append(_data(record) | {"now": now})
            advance()

        batch = Batch(course, assignment, make_executor, count, force, report)
        unknown = not_listed(course, chosen)  # before grading, which adds everyone to the gradebook
        before = _marks(course, assignment)
        batch.run(chosen)
        made = _marks(course, assignment)
        notes = [*_by_people(course, assignment), *who_is_late(course, assignment)]
        notes += [*waiting(course, assignment), *unknown]
    done.sort(key=lambda item: item["student"])
    for item in done:
        item |= made.get(item["student"], {})
    if as_json:
        print(json.dumps(done, indent=1))
    else:
        _show_grades(assignment, done, details)
        if batch.repriced:
            notes.insert(0, f"What being late costs has changed for {names(batch.repriced)}.")
        notes = [*moved(before, made), *notes]
        for note in notes:
            tell(note)
    if any(item["state"] == State.QUARANTINED for item in done):
        raise typer.Exit(3)


@app.command()
def doctor(
    assignment: AssignmentArgument, students: Students = None, as_json: Json = False
) -> None:
    """Say what is wrong with submissions, and what grading will put right by itself.

    Nothing is run and nothing is written; `grade` repairs the copy that it grades. The exit status
    is 3 when a submission cannot be graded.
    """
    with failures():
        course, chosen = open_course(assignment, students)
    found = []
    with failures(), TemporaryDirectory(prefix="autograder-") as scratch:
        blueprints = course.blueprints(assignment)
        room = Sandbox(config=course.config).limits().scratch
        for student in chosen:
            problem = ""
            try:
                taken = take_in(course, assignment, student, blueprints, Path(scratch), room)
                repairs = taken.examined.repairs
            except Unfit as error:
                problem, repairs = words(error), list(error.repairs)
            shutil.rmtree(Path(scratch) / student, ignore_errors=True)
            found.append({"student": shown(student), "problem": problem, "repairs": repairs})
    if as_json:
        print(json.dumps(found, indent=1))
    else:
        table = Table("submission", "verdict", "details")
        for item in found:
            verdict = "cannot be graded" if item["problem"] else "can be graded"
            details = [item["problem"]] if item["problem"] else item["repairs"]
            if details:
                table.add_row(item["student"], verdict, "\n".join(details))
        if table.row_count:
            console.print(table, markup=False)
        sound = len(found) - table.row_count
        tell(f"Submissions with nothing wrong: {sound} of {len(found)}.")
        with failures():
            for note in [*waiting(course, assignment), *not_listed(course, chosen)]:
                tell(note)
    if any(item["problem"] for item in found):
        raise typer.Exit(3)


@app.command()
def audit(assignment: AssignmentArgument, students: Students = None, as_json: Json = False) -> None:
    """Print who got what from which evidence, and judge that evidence again; nothing is run.

    The exit status is 1 when a verdict or the gradebook is not what the record says.
    """
    with failures():
        course, chosen = open_course(assignment, students, handed_in=False)
    with failures():
        findings = auditing.audit(course, assignment, chosen)
    if as_json:
        print(
            json.dumps(
                [_data(f.record, evidence=True) | {"problems": f.problems} for f in findings],
                indent=1,
            )
        )
    else:
        for finding in findings:
            _show_record(finding.record)
        _show_problems(findings, "judged again")
    if any(finding.problems for finding in findings):
        raise typer.Exit(1)


@app.command()
def verify(
    assignment: AssignmentArgument,
    students: Students = None,
    jobs: Jobs = None,
    executor: Where = "local",
    as_json: Json = False,
) -> None:
    """Run graded submissions again with the recorded seeds, and compare; nothing is written.

    The exit status is 1 when a verdict differs.
    """
    with failures():
        course, chosen = open_course(assignment, students, handed_in=False)
    with failures(), _workers(executor, jobs) as (make_executor, count):
        total = len(auditing.chosen(course, assignment, chosen))
        with _progress(f"Verifying {assignment}", total, as_json) as advance:
            findings = auditing.verify(
                course, assignment, make_executor, count, chosen, lambda *_: advance()
            )
    if as_json:
        found = [{"student": f.record.student, "problems": f.problems} for f in findings]
        print(json.dumps(found, indent=1))
    else:
        _show_problems(findings, "run again")
    if any(finding.problems for finding in findings):
        raise typer.Exit(1)


@contextlib.contextmanager
def _workers(where: str, jobs: int | None) -> Iterator[tuple[Callable[[], Executor], int]]:
    if where == "local":
        count = jobs or cpu_jobs()
        yield lambda: process_pool(count), count
        return
    kind, _, address = where.partition(":")
    if kind != "dask" or not address:
        raise typer.BadParameter(f"{where!r} is neither 'local' nor 'dask:' and an address.")
    try:
        from distributed import Client
    except ImportError:
        raise typer.BadParameter("Dask is not installed: pip install 'dask[distributed]'") from None
    try:
        client = Client(address, timeout=10)
    except (OSError, ValueError, TypeError) as error:  # a timeout, or no valid address
        raise typer.BadParameter(
            f"No Dask scheduler answers at {address!r}. Start one with dask scheduler, and give the"
            f" address that it prints, such as dask:tcp://10.0.0.5:8786. ({words(error)})"
        ) from None
    with client:
        count = jobs or max(1, sum(client.nthreads().values()))
        yield lambda: client.get_executor(pure=False, retries=0), count


@contextlib.contextmanager
def _progress(title: str, total: int, quiet: bool) -> Iterator[Callable[[], Any]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("· left"),
        TimeRemainingColumn(),
    )
    # No thread redraws it, because the workers are forked from this process.
    with Progress(*columns, console=errors, disable=quiet, auto_refresh=False) as progress:
        task = progress.add_task(title, total=total)

        def advance() -> None:
            progress.advance(task)
            progress.refresh()

        progress.refresh()
        yield advance


def _data(record: Record, evidence: bool = False) -> dict[str, Any]:
    data = {
        name: getattr(record, name)
        for name in ("assignment", "student", "state", "reason", "repairs", "digest", "seed")
    }
    data |= {"points": record.points, "seconds": round(record.seconds, 3)}
    data["memory"] = record.memory
    data["verdicts"] = [
        {"notebook": notebook, **result["verdict"]}
        | ({"evidence": result["evidence"]} if evidence else {})
        for notebook, _, result in record.verdicts()
    ]
    if evidence:
        data |= {name: getattr(record, name) for name in ("checks", "versions", "limits")}
    return data


def _show_grades(assignment: str, done: list[dict[str, Any]], details: bool) -> None:
    """Prints a line for each student, the counts, and then what needs a look."""
    lines = [(assignment, "by machine", "mark", "right", "")]
    for item in done:
        is_aside = item["state"] == State.QUARANTINED
        right = sum(each["status"] == Status.CORRECT for each in item["verdicts"])
        lines.append(
            (
                shown(item["student"]),
                "—" if is_aside else f"{item['points']:g}",
                f"{item['mark']:g} of {item['max_points']:g}" if "mark" in item else "—",
                f"{right} of {len(item['verdicts'])}" if item["verdicts"] else "—",
                ", ".join(_to_know(item)),
            )
        )
    widths = [min(WIDEST, max(map(len, column))) for column in zip(*lines, strict=True)]
    for line, item in zip(lines, [None, *done], strict=True):
        tell("  ".join(map(str.ljust, line, widths)).rstrip())
        if details and item:
            for each in item["verdicts"]:
                tell(f"    {each['check']}: {Status(each['status']).in_full}")
            for repair in item["repairs"]:
                tell(f"    {repair}")
    states = [(item["state"], item["now"]) for item in done]
    words = [
        f"{states.count((State.RECORDED, True))} graded",
        f"{states.count((State.RECORDED, False))} graded already",
        f"{sum(state == State.QUARANTINED for state, _ in states)} set aside",
    ]
    tell(", ".join(words) + ".")
    if aside := [item for item in done if item["state"] == State.QUARANTINED]:
        tell(
            "Set aside. Let the student hand in again and collect with --update, or"
            " put right in submitted/ what is named, and grade again:"
        )
        for item in aside:
            tell(f"  {shown(item['student'])}: {item['reason']}")
    repaired = [item["student"] for item in done if item["repairs"] and item not in aside]
    if repaired and not details:
        tell(
            f"Something was found in what was handed in by {names(repaired)}, and where possible"
            " put right; --details says what."
        )


def _to_know(item: dict[str, Any]) -> Iterator[str]:
    """Yields what an instructor should know about a submission, in a few words each."""
    if item["state"] == State.QUARANTINED:
        yield "set aside; the mark is an older version's" if "mark" in item else "set aside"
    if item.get("waits"):
        yield "waits for a person"
    if item.get("penalty"):
        yield f"{item['penalty']:g} off, late"
    for each in item["verdicts"]:
        if each["status"] in RESOURCES:
            yield f"{each['check']}: {Status(each['status']).in_full}"


def _by_people(course: Course, assignment: str) -> list[str]:
    """What waits for a person, in sentences; those who have left do not count."""
    with course.gradebook() as gradebook:
        found = outstanding(gradebook, None, assignment)
    for those in (found.unmarked, found.again):
        for student in course.left & those.keys():
            del those[student]
    return found.sentences()


def _marks(course: Course, assignment: str) -> dict[str, dict[str, Any]]:
    """By student: mark (with points by hand, less penalty), penalty, full points and waiting."""
    with course.gradebook() as gradebook:
        found = {}
        for each in gradebook.assignment_submissions(assignment):
            _, penalty, mark = marks(each)
            found[each.student.id] = {
                "mark": mark,
                "penalty": penalty,
                "max_points": each.max_score,
                "waits": bool(each.needs_manual_grade),
            }
        return found


def _show_record(record: Record) -> None:
    console.rule(shown(record.student), align="left")
    if record.state is State.QUARANTINED:
        tell(f"Set aside: {record.reason}")
        return
    versions = ", ".join(f"{name} {number}" for name, number in record.versions.items())
    limits = ", ".join(f"{name} {value}" for name, value in record.limits.items())
    tell(
        f"handed in  sha256:{record.digest}\nchecks     sha256:{record.checks}\n"
        f"seed       {record.seed}\nversions   {versions}\nlimits     {limits}"
    )
    table = Table("task", "points", "status", "misconception", "evidence")
    for _, name, result in record.verdicts():
        verdict = result["verdict"]
        table.add_row(
            name,
            f"{verdict['points']:g} of {verdict['max_points']:g}",
            Status(verdict["status"]).in_full,
            verdict["misconception"] or "",
            auditing.fingerprint(result["evidence"]),
        )
    console.print(table, markup=False)


def _show_problems(findings: list[auditing.Finding], done: str) -> None:
    for finding in findings:
        for problem in finding.problems:
            line = f"{shown(finding.record.student)}: {problem}"
            console.print(line, style="red", markup=False, highlight=False, soft_wrap=True)
    same = sum(not finding.problems for finding in findings)
    tell(f"Submissions {done} and the same: {same} of {len(findings)}.")
