"""A class's list, as programs write it: what is clear is in the gradebook, what is not is named."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unicodedata import normalize

import pytest
from typer.testing import CliRunner, Result

from autograder.commands.cli import app
from autograder.grading.course import Course

CLASS = {"ada": ("Ada", "Lovelace", "ada@example.org"), "jo": ("Jörg", "Weiß", "jo@example.org")}
PLAIN = """id,first_name,last_name,email
ada,Ada,Lovelace,ada@example.org
jo,Jörg,Weiß,jo@example.org
"""


@pytest.fixture
def write(empty_course: Path, monkeypatch: pytest.MonkeyPatch) -> Callable:
    """Gives a table to the command."""
    monkeypatch.chdir(empty_course)

    def write(raw: bytes | str) -> Result:
        Path("class.csv").write_bytes(raw if isinstance(raw, bytes) else raw.encode())
        return CliRunner().invoke(app, ["students", "class.csv"])

    return write


def known(root: Path) -> dict[str, tuple]:
    with Course(root).gradebook() as gradebook:
        return {
            each.id: (each.first_name, each.last_name, each.email) for each in gradebook.students
        }


@pytest.mark.parametrize(
    "raw",
    [
        PLAIN.encode(),
        b"\xef\xbb\xbf" + PLAIN.replace(",", ";").replace("\n", "\r\n").encode(),
        PLAIN.encode("latin-1"),
        PLAIN.replace(",", "\t").encode("utf-16"),
        ("sep=;\n" + PLAIN.replace(",", ";")).encode(),
        PLAIN.replace("\n", "\n,,,\n\n").encode(),
        PLAIN.replace("ada,Ada", " ada ,Ada\u00a0").encode(),
        PLAIN.replace("first_name", "First name").replace("id,", "ID,").encode(),
        PLAIN.replace("Lovelace", '"Lovelace"').replace("\n", ",\n").encode(),
        normalize("NFD", PLAIN).encode(),
    ],
    ids=[
        "plain",
        "excel",
        "latin-1",
        "utf-16",
        "sep",
        "empty-rows",
        "blanks",
        "heads",
        "trailing",
        "apple",
    ],
)
def test_a_table_of_any_program_is_read(
    write: Callable, empty_course: Path, raw: bytes, request: pytest.FixtureRequest
) -> None:
    result = write(raw)
    assert result.exit_code == 0, result.output
    assert "2 students: 2 new, 0 changed." in result.output
    assert known(empty_course) == CLASS
    assert ("Is this name right: Jörg?" in result.output) == ("latin-1" in request.node.name)


def test_what_a_table_does_not_say_stays(write: Callable, empty_course: Path) -> None:
    write(PLAIN)
    result = write("id,email,lms_user_id,group\nada,,4711,7\nzoe,zoe@example.org,,\n")
    assert "2 students: 1 new, 1 changed." in result.output
    assert "not in class.csv: jo." in " ".join(result.output.split())
    assert "Not used: group." in result.output
    assert known(empty_course) == CLASS | {"zoe": (None, None, "zoe@example.org")}
    assert "2 students: 0 new, 0 changed." in write(PLAIN).output
    result = write("id,lms_user_id\njo,4711\n")
    assert "Nothing was written. 4711 would be the number of ada and of jo." in result.output
    assert "The gradebook has ada, and the table ADA: two ids" in write("id\nADA\n").output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,mail\nada,x\n", "no column id; its first row has name, mail"),
        ("", "no column id; its first row has none"),
        ("Student,ID,SIS Login ID,Section,Set (1)\n", "Call its column ID lms_user_id, and SIS"),
        ("id,email\n", "There are no students in it."),
        (PLAIN + ",Zoe,Cruz,\n", "Line 4: It has no id."),
        (PLAIN + "ada,Ada,King,\n", "Line 4: ada is there already."),
        (PLAIN + "Ada,Ada,King,\n", "Line 4: Ada is there already, as ada: two ids that differ"),
        (PLAIN + "zoe,Zoe,de la Cruz, Jr.,z@example.org\n", "Line 4 has more cells"),
        (PLAIN + "../zoe,Zoe,Cruz,\n", "Line 4: '../zoe' is no id"),
        (PLAIN + f"{'م' * 65},Zoe,Cruz,\n", "Line 4: 'ممم"),
        (PLAIN + "zoe+1,Zoe,Cruz,\n", "Line 4: 'zoe+1' is no id"),
        ("id,id\nada,bob\n", "There are two columns id."),
        ("id,lms_user_id\nada,7\nbob,7\n", "Line 3: 7 is ada's number too."),
        (b"PK\x03\x04", "is a workbook. Save it as CSV"),
        (b"id\n\x81\x8d", "is no text"),
    ],
)
def test_of_an_unclear_table_nothing_is_written(
    write: Callable, empty_course: Path, text: str | bytes, said: str
) -> None:
    result = write(text)
    assert result.exit_code == 2
    assert said in " ".join(result.output.split()), result.output
    assert "Traceback" not in result.output
    assert known(empty_course) == {}


def test_the_environment_need_not_be_activated(
    write: Callable, empty_course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To make a gradebook, nbgrader runs a program that lies beside Python."""
    (empty_course / "gradebook.db").unlink()
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    result = write(PLAIN)
    assert result.exit_code == 0, result.output
    assert known(empty_course) == CLASS


def test_a_table_may_lie_at_home_where_the_shell_leaves_its_path(
    write: Callable, empty_course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(PLAIN)
    monkeypatch.setenv("HOME", str(empty_course))
    assert CliRunner().invoke(app, ["students", "~/class.csv"]).exit_code == 0


def test_the_programs_beside_python_are_found_once(
    write: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    for _ in range(2):
        write(PLAIN)
    assert os.environ["PATH"] == f"{Path(sys.executable).parent}:/usr/bin:/bin"


def test_a_table_that_is_not_there_is_named(write: Callable) -> None:
    result = CliRunner().invoke(app, ["students", "nowhere.csv"])
    assert result.exit_code == 2
    assert "nowhere.csv" in result.output


@pytest.mark.parametrize(
    ("why", "todo"), [("database or disk is full", "Make room"), ("database is locked", "wait for")]
)
def test_a_gradebook_that_cannot_be_written_is_a_sentence(
    write: Callable, empty_course: Path, why: str, todo: str
) -> None:
    """nbgrader has an error of its own for what the database did not write."""
    with sqlite3.connect(empty_course / "gradebook.db") as database:
        database.execute(
            f"CREATE TRIGGER full BEFORE INSERT ON student BEGIN SELECT RAISE(FAIL, '{why}'); END"
        )
    result = write(PLAIN)
    assert result.exit_code == 2
    assert f"The gradebook cannot be used: {why}. " in result.output
    assert todo in result.output
    ada = ["nbgrader", "db", "student", "add", "ada"]
    stock = subprocess.run([sys.executable, "-m", *ada], capture_output=True, text=True)
    assert f"The gradebook cannot be used: {why}. " in stock.stderr
    assert "Traceback" not in stock.stderr
