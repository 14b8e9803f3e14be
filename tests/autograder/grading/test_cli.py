"""The commands: what they print, what they return, and what they say when something is wrong."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from autograder.grading import cli
from autograder.grading.cli import app
from autograder.sandbox import options

ASSIGNMENT = "set"


@pytest.fixture
def invoke(
    course: Path, canned_grades: Callable, inline: type, monkeypatch: pytest.MonkeyPatch
) -> Callable:
    """Gives a command in the course's folder; submissions are run in this process."""
    monkeypatch.chdir(course)
    monkeypatch.setattr(cli, "process_pool", lambda jobs: inline())
    monkeypatch.setenv("COLUMNS", "200")

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments])

    return invoke


def test_grade_audit_and_verify(invoke: Callable, course: Path) -> None:
    result = invoke("grade", ASSIGNMENT, "--jobs", "1")
    assert result.exit_code == 0, result.output
    assert "4 graded, 0 were graded already, 0 set aside." in result.output
    assert re.search(r"bob\s.*0\s.*double wrong", result.output)

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
    assert "4 of 4 submissions judged again: the same." in result.output
    assert f"seed       {data['bob']['seed']}" in result.output
    assert data["bob"]["digest"] in result.output

    result = invoke("verify", ASSIGNMENT)
    assert result.exit_code == 0, result.output
    assert "4 of 4 submissions run again: the same." in result.output

    path = course / "records" / ASSIGNMENT / "bob.json"
    path.write_text(path.read_text().replace('"points": 0.0', '"points": 4.0', 1))
    for command in ("audit", "verify"):
        result = invoke(command, ASSIGNMENT)
        assert result.exit_code == 1
        assert "bob: double: recorded wrong with 4 of 4 points" in result.output


def test_doctor_says_what_grade_will_do(invoke: Callable, course: Path) -> None:
    result = invoke("doctor", ASSIGNMENT)
    assert result.exit_code == 0
    assert "4 of 4 submissions have nothing wrong with them." in result.output

    folder = course / "submitted"
    (folder / "ada" / ASSIGNMENT / "page.html").write_text("x")
    (folder / "bob" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb").write_text("not JSON")
    result = invoke("doctor", ASSIGNMENT, "--json")
    assert result.exit_code == 3
    found = {item["student"]: item for item in json.loads(result.stdout)}
    assert "is not JSON" in found["bob"]["problem"]
    assert found["ada"]["repairs"] == [
        "Left out 'page.html': it could run in an instructor's browser."
    ]

    result = invoke("grade", ASSIGNMENT)
    assert result.exit_code == 3
    assert "3 graded, 0 were graded already, 1 set aside." in result.output
    assert (folder / "ada" / ASSIGNMENT / "page.html").exists()  # what was handed in is not touched
    assert not (course / "autograded" / "ada" / ASSIGNMENT / "page.html").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("grade", "nothing"), "Nothing was handed in"),
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
    result = invoke("grade", "other")
    assert result.exit_code == 2
    assert "nbgrader generate_assignment other" in result.output


def test_without_bubblewrap_nothing_is_graded(
    invoke: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    from autograder.grading import batch

    monkeypatch.setattr(batch, "sandboxed", lambda config: bool(options.bubblewrap()))
    monkeypatch.setattr(options.shutil, "which", lambda name: None)
    result = invoke("grade", ASSIGNMENT)
    assert result.exit_code == 2
    assert "apt-get install bubblewrap" in result.output
