"""The commands: what they print, what they return, and what they say when something is wrong."""

import gc
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from autograder.commands.console import waiting
from autograder.grading.course import Course
from autograder.grading.execution import batch
from autograder.grading.execution.batch import scratch_folder
from autograder.grading.wording import shown
from autograder.sandbox import options, walls

ASSIGNMENT = "set"


def test_grade_names_whose_mark_is_another_one(invoke: Callable, course: Path) -> None:
    first = invoke("grade", ASSIGNMENT).output
    assert "Marks that changed" not in first
    ada, bob = (course / "submitted" / name / ASSIGNMENT for name in ("ada", "bob"))
    right, wrong = ((place / f"{ASSIGNMENT}.ipynb").read_text("utf-8") for place in (ada, bob))
    (ada / f"{ASSIGNMENT}.ipynb").write_text(wrong, "utf-8")
    (bob / f"{ASSIGNMENT}.ipynb").write_text(right, "utf-8")
    said = invoke("grade", ASSIGNMENT).output
    assert "Marks that changed, 1 of 2 to a lower one: ada 4 → 0, bob 0 → 4." in said
    assert "Marks that changed" not in invoke("grade", ASSIGNMENT).output


def test_grade_audit_and_verify(invoke: Callable, course: Path) -> None:
    result = invoke("grade", ASSIGNMENT, "--jobs", "1")
    assert result.exit_code == 0, result.output
    assert "4 graded, 0 graded already, 0 set aside." in result.output
    lines = result.output.splitlines()
    assert [line.split() for line in lines if re.match("ada|joe", line)] == [
        ["ada", "4", "4", "of", "7", "1", "of", "1", "waits", "for", "a", "person"],
        ["joe", "3", "3", "of", "7", "0", "of", "1"],
    ]
    assert "1 answer waits for marks by a person, in Formgrader's" in result.output
    result = invoke("grade", ASSIGNMENT, "--details")
    assert re.search(r"bob\s.*0\s.*\n +double: wrong", result.output)
    assert re.search(r"eve\s.*0\s.*\n +double: no result \(not run\)", result.output)

    result = invoke("grade", ASSIGNMENT, "--json")
    data = {item["student"]: item for item in json.loads(result.stdout)}
    assert {student: item["points"] for student, item in data.items()} == {
        "ada": 4,
        "bob": 0,
        "eve": 0,
        "joe": 3,
    }
    assert not any(item["now"] for item in data.values())
    assert data["bob"]["verdicts"][0]["misconception"] == "square"

    result = invoke("grade", ASSIGNMENT, "--students", "ada,joe", "--force", "--json")
    assert [(item["student"], item["now"]) for item in json.loads(result.stdout)] == [
        ("ada", True),
        ("joe", True),
    ]

    result = invoke("audit", ASSIGNMENT)
    assert result.exit_code == 0
    assert "Submissions judged again and the same: 4 of 4." in result.output
    assert f"seed       {data['bob']['seed']}" in result.output
    assert data["bob"]["digest"] in result.output

    result = invoke("verify", ASSIGNMENT)
    assert result.exit_code == 0, result.output
    assert "Submissions run again and the same: 4 of 4." in result.output

    path = course / "records" / ASSIGNMENT / "bob.json"
    path.write_text(path.read_text().replace('"points": 0.0', '"points": 4.0', 1))
    for command in ("audit", "verify"):
        result = invoke(command, ASSIGNMENT)
        assert result.exit_code == 1
        assert "bob: double: recorded wrong with 4 of 4 points" in result.output

    # A term that was kept has its gradebook and its records, and what was handed in is gone.
    shutil.rmtree(course / "submitted")
    for students in ([], ["--students", "ada"]):
        result = invoke("audit", ASSIGNMENT, *students)
        assert "ada" in result.output
        assert "judged again and the same: " in result.output
    assert "No submission of set by eva" in invoke("audit", ASSIGNMENT, "--students", "eva").output
    result = invoke("verify", ASSIGNMENT, "--students", "ada")
    assert result.exit_code == 1
    assert "ada: " in result.output


def test_doctor_says_what_grade_will_do(invoke: Callable, course: Path) -> None:
    result = invoke("doctor", ASSIGNMENT)
    assert result.exit_code == 0
    assert "Submissions with nothing wrong: 4 of 4." in result.output

    folder = course / "submitted"
    (folder / "ada" / ASSIGNMENT / "mine.txt").symlink_to("/etc/passwd")
    (folder / "bob" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb").write_text("not JSON")
    result = invoke("doctor", ASSIGNMENT, "--json")
    assert result.exit_code == 3
    found = {item["student"]: item for item in json.loads(result.stdout)}
    assert "is not JSON" in found["bob"]["problem"]
    assert found["ada"]["repairs"] == ["Left out 'mine.txt': it is a symbolic link."]

    result = invoke("grade", ASSIGNMENT)
    assert result.exit_code == 3
    assert "3 graded, 0 graded already, 1 set aside." in result.output
    assert "  bob: set.ipynb is not JSON" in result.output
    assert "found in what was handed in by ada, and where possible put right;" in result.output
    assert (folder / "ada" / ASSIGNMENT / "mine.txt").exists()  # what was handed in is not touched
    assert not (course / "autograded" / "ada" / ASSIGNMENT / "mine.txt").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("grade", "nothing"), "There is no assignment 'nothing'"),
        (("extend", "se", "ada"), "There is no assignment 'se'. Do you mean set?"),
        (("feedback", "Set"), "There is no assignment 'Set'"),
        (("doctor", "bank"), "There is no assignment 'bank'"),
        (("grade", "../set"), "is no name of an assignment"),
        (("grade", "set", "--students", "ada,../ada"), "No submission of set by ../ada"),
        (("grade", "set", "--executor", "cloud"), "neither 'local' nor 'dask:'"),
        (("grade", "set", "--jobs", "0"), "greater than or equal to 1"),
    ],
)
def test_wrong_calls_are_explained(invoke: Callable, arguments: tuple, message: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(re.sub("[│╭╮╰╯─]", " ", result.output).split())


def test_an_assignment_that_was_never_generated_is_named(invoke: Callable, course: Path) -> None:
    (course / "submitted" / "ada" / "other").mkdir()
    (course / "source" / "other").mkdir()
    result = invoke("grade", "other")
    assert result.exit_code == 2
    assert "nbgrader generate_assignment other" in result.output


def test_before_collecting_collect_is_named(invoke: Callable, course: Path) -> None:
    shutil.rmtree(course / "submitted")
    for command in ("grade", "doctor", "feedback"):
        result = invoke(command, ASSIGNMENT)
        assert result.exit_code == 2
        assert "Nothing of set was handed in: nothing waits in the exchange" in result.output
    inbound = Path(Course(course).config.Exchange.root) / "kdlab" / "inbound"
    waits = inbound / "zoe+set+2026-01-30 15:30:00 UTC+x"
    waits.mkdir(parents=True)
    (waits / "timestamp.txt").touch()
    for command in ("grade", "doctor", "feedback"):
        result = invoke(command, ASSIGNMENT)
        assert result.exit_code == 2
        assert "1 submission waits in the exchange. Run: nbgrader collect set" in result.output
    for command in ("audit", "verify"):
        assert "Nothing of set is graded yet." in invoke(command, ASSIGNMENT).output
    with Course(course).gradebook() as gradebook:
        gradebook.update_or_create_assignment(ASSIGNMENT, duedate="2026-01-30 15:00:00 UTC")
    (said,) = waiting(Course(course), ASSIGNMENT)
    assert said.endswith("--update. Handed in after the due date: zoe.")


@pytest.mark.parametrize(
    "command",
    [
        *("grade set", "doctor set", "audit set", "verify set", "feedback set", "report"),
        *("extend set ada", "lms give set", "lms take set x.zip"),
    ],
)
def test_a_folder_that_is_no_course_is_told_and_left_alone(
    invoke: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    result = invoke(*command.split())
    assert result.exit_code == 2
    assert "elsewhere is no course's folder: it has no nbgrader_config.py" in result.output
    assert not list(folder.iterdir())


def test_who_is_not_in_the_list_is_named(invoke: Callable, course: Path) -> None:
    with Course(course).gradebook() as gradebook:
        for student in ("ada", "bob", "eve"):
            gradebook.add_student(student, first_name=student.title())
    for command in ("doctor", "grade"):
        result = invoke(command, ASSIGNMENT)
        assert "Not in your list of students: joe." in result.output
        assert "python -m autograder students students.csv" in " ".join(result.output.split())
        assert "db student add" not in result.output  # that empties what it is not given
    assert "Not in your list" not in invoke("grade", ASSIGNMENT).output
    with Course(course).gradebook() as gradebook:
        gradebook.remove_student("ada")
    assert "Not in your list of students: ada." in invoke("grade", ASSIGNMENT).output
    with Course(course).gradebook() as gradebook:  # and who has left altogether is not spoken of
        gradebook.remove_student("ada")
    shutil.rmtree(course / "submitted" / "ada")
    assert "ada" not in invoke("feedback", ASSIGNMENT, "--no-release").output


def test_without_bubblewrap_nothing_is_graded(
    invoke: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    from autograder.grading.execution import batch

    monkeypatch.setattr(batch, "sandboxed", lambda config: bool(options.bubblewrap()))
    monkeypatch.setattr(options.shutil, "which", lambda name: None)
    result = invoke("grade", ASSIGNMENT)
    assert result.exit_code == 2
    assert "apt-get install bubblewrap" in result.output


def damage(folder: Path) -> None:
    """Every kind of submission, beside four that are sound."""

    def another(name: str | bytes) -> Path:
        there = os.path.join(os.fsencode(folder), os.fsencode(name))
        shutil.copytree(os.fsencode(folder / "ada"), there)
        return Path(os.fsdecode(there)) / ASSIGNMENT

    another(b"caf\xe9")
    another("two\nlines")
    another("-rtl\u202e%s{0}*")
    another("l" * 252)
    another("a[2]")
    another("a b")
    (another("extra") / "Untitled.ipynb").write_text("{}")
    (another("empty") / f"{ASSIGNMENT}.ipynb").unlink()
    (another("deep") / f"{ASSIGNMENT}.ipynb").write_text("[" * 100_000)
    (another("linked") / "secret").symlink_to(folder)
    os.mkfifo(another("piped") / "data.csv")
    os.close(os.open(os.fsencode(another("named")) + b"/\xff.csv", os.O_CREAT))
    (another("dated") / "timestamp.txt").write_text("yesterday")
    with (another("large") / "model.pt").open("wb") as stream:
        stream.truncate(70 * 2**20)
    path = another("renamed") / f"{ASSIGNMENT}.ipynb"
    path.rename(path.with_name("my set (1).ipynb"))
    shutil.copy(path.with_name("my set (1).ipynb"), path.with_name("my set (2).ipynb"))
    text = path.with_name("my set (2).ipynb").read_text().replace("It adds.", "It sums.")
    path.with_name("my set (2).ipynb").write_text(text)


def test_doctor_says_before_what_grade_does_in_every_case(invoke: Callable, course: Path) -> None:
    damage(course / "submitted")
    said = {
        item["student"]: item for item in json.loads(invoke("doctor", ASSIGNMENT, "--json").stdout)
    }
    result = invoke("grade", ASSIGNMENT, "--json")
    done = {shown(item["student"]): item for item in json.loads(result.stdout)}
    assert said.keys() == done.keys()
    assert len(done) == 19
    for student, item in done.items():
        assert item["reason"] == said[student]["problem"], student
        assert item["repairs"] == said[student]["repairs"], student
        assert not re.search("/tmp/|autograder-", str(item)), item
    aside = {student for student, item in done.items() if item["state"] == "quarantined"}
    assert aside == {"caf\\udce9", "two\\nlines", "empty", "deep", "dated", "renamed"}
    whole = {
        "l" * 252,
        "-rtl\\u202e%s{0}*",
        "a[2]",
        "a b",
        "extra",
        "linked",
        "large",
        "piped",
        "named",
    }
    assert {name for name in whole if done[name]["points"] == 4} == whole
    # Once more, and nothing has to be done again; the table for people is there too.
    assert not any(
        item["now"]
        for item in json.loads(invoke("grade", ASSIGNMENT, "--json").stdout)
        if item["state"] == "recorded"
    )
    assert "caf" in invoke("grade", ASSIGNMENT).output


def test_what_a_killed_batch_left_is_removed_by_the_next(invoke: Callable) -> None:
    with scratch_folder() as alive:
        dead = Path(tempfile.mkdtemp(prefix=alive.name[:-8], dir=alive.parent))
        (dead / "lock").touch()
        (dead / "autograder-worker").mkdir()
        invoke("grade", ASSIGNMENT)
        assert not dead.exists()
        assert alive.exists()
    assert not alive.exists()


@pytest.mark.timeout(60)
def test_what_is_no_file_is_no_lock_that_a_batch_waits_for() -> None:
    """Every account can make it in /tmp."""
    strange = Path(tempfile.mkdtemp(prefix=batch.PREFIX, dir="/tmp"))
    os.mkfifo(strange / "lock")
    try:
        with scratch_folder() as alive:
            assert alive.exists()
    finally:
        shutil.rmtree(strange, ignore_errors=True)


def test_a_course_inside_its_environment_is_refused(
    invoke: Callable, monkeypatch: pytest.MonkeyPatch, course: Path
) -> None:
    monkeypatch.setattr(batch, "sandboxed", lambda config: True)
    monkeypatch.setattr(walls, "PYTHON", (str(course),))
    result = invoke("grade", ASSIGNMENT)
    assert result.exit_code == 2
    assert "Make the virtual environment a folder of its own" in " ".join(result.output.split())


def test_a_record_that_cannot_be_read_is_made_anew(invoke: Callable, course: Path) -> None:
    invoke("grade", ASSIGNMENT)
    path = course / "records" / ASSIGNMENT / "ada.json"
    data = json.loads(path.read_text())
    notebook = data["notebooks"][ASSIGNMENT]
    for broken in ("{", "[]", '{"version": 1}', json.dumps(data | {"notebooks": {"set": 3}})):
        path.write_text(broken)
        assert "cannot be read" in invoke("audit", ASSIGNMENT).output
        (ada,) = json.loads(invoke("grade", ASSIGNMENT, "--students", "ada", "--json").stdout)
        assert (ada["state"], ada["points"], ada["now"]) == ("recorded", 4, True)
    # An output of the grader's kind where the grader did not write is none.
    (judged,) = (cell for cell in notebook["cells"] if cell.get("outputs"))
    setup = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    setup["outputs"] = [dict(judged["outputs"][0])]
    path.write_text(json.dumps(data))
    (ada,) = json.loads(invoke("audit", ASSIGNMENT, "--students", "ada", "--json").stdout)
    assert ada["points"] == 4


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_an_output_that_takes_nothing_is_one_sentence() -> None:
    shell = f'"{sys.executable}" -m autograder --help >/dev/full'
    ended = subprocess.run(shell, shell=True, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (2, "No space left on device\n")


def test_ctrl_c_while_it_loads_shows_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupting:
        @staticmethod
        def find_spec(name: str, *_: object) -> None:
            if name == "autograder.commands.cli":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "autograder.commands.cli")
    monkeypatch.setattr(sys, "meta_path", [Interrupting, *sys.meta_path])
    try:
        with pytest.raises(SystemExit, match="130"):
            runpy.run_module("autograder.__main__")
    finally:
        gc.enable()
