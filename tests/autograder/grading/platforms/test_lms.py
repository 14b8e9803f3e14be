"""Downloads of Moodle and Canvas, as they are named there, and what goes back."""

import csv
import errno
import os
import shutil
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import nbformat
import pytest
from nbgrader.apps import ExportApp
from typer.testing import CliRunner, Result

from autograder.commands.cli import app
from autograder.grading.course import Course
from autograder.grading.export import CanvasExportPlugin
from autograder.grading.platforms.downloads import File, latest, parse
from autograder.grading.platforms.roster import plain

ASSIGNMENT = "set"
PEOPLE = {
    "ada": ("Ada", "Lovelace", "ada@example.org", "4711"),
    "bob": ("Böb", "O'Neil-Smith", "bob@example.org", None),
    "zoe": ("Zoë", "de la Cruz", "zoe@example.org", "4713"),
    "li1": ("Wei", "Li", "li1@example.org", "4714"),
    "li2": ("Wei", "Li", "li2@example.org", "4715"),
}
RIGHT, WRONG = "return 2 * x", "return x**2"


@pytest.fixture
def root(empty_course: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    with Course(empty_course).gradebook() as gradebook:
        for name, (first, last, mail, number) in PEOPLE.items():
            gradebook.add_student(
                name, first_name=first, last_name=last, email=mail, lms_user_id=number
            )
    monkeypatch.chdir(empty_course)
    monkeypatch.setenv("COLUMNS", "400")
    return empty_course


def notebook(root: Path, line: str, why: str = "") -> bytes:
    made = nbformat.read(root / "release" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb", as_version=4)
    for cell in made.cells:
        if cell.metadata.nbgrader.grade_id == "double_answer":
            cell.source = f"def double(x):\n    {line}"
        elif cell.metadata.nbgrader.grade_id == "why" and why:
            cell.source = why
    return nbformat.writes(made).encode()


def zipped(root: Path, files: dict[str, bytes], day: int = 1) -> Path:
    path = root / "download.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, raw in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 2, day, 10, 0, 0)), raw)
    return path


def take(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["lms", "take", ASSIGNMENT, *map(str, arguments)])


def graded(root: Path, canned_grades: Callable) -> dict[str, float]:
    return {student: record.points for student, record in canned_grades(root).items()}


def moodle(root: Path) -> dict[str, bytes]:
    return {
        "Ada Lovelace_4711_assignsubmission_file_/set.ipynb": notebook(root, RIGHT),
        "Ada Lovelace_4711_assignsubmission_file_/data/x.csv": b"1",
        "Böb O'Neil-Smith_88_assignsubmission_file_set (1).ipynb": notebook(root, WRONG),
        "de la Cruz Zoë_4713_assignsubmission_file_/set.ipynb": notebook(root, WRONG),
    }


def canvas(root: Path) -> dict[str, bytes]:
    return {
        "lovelaceada_4711_9001_set.ipynb": notebook(root, WRONG),
        "lovelaceada_4711_9002_set-1.ipynb": notebook(root, RIGHT),
        "oneilsmithbob_LATE_88_9003_set-12.ipynb": notebook(root, WRONG),
        "oneilsmithbob_LATE_88_9004_set-2.ipynb": notebook(root, RIGHT),
        "liwei_4715_9005_set.ipynb": notebook(root, RIGHT),
    }


def test_a_zip_of_moodles(root: Path, canned_grades: Callable) -> None:
    result = take(zipped(root, moodle(root)))
    assert result.exit_code == 0, result.output
    assert "3 taken in, 0 no newer than what is here, 0 left out." in result.output
    assert (root / "submitted" / "ada" / ASSIGNMENT / "data" / "x.csv").read_bytes() == b"1"
    assert graded(root, canned_grades) == {"ada": 4, "bob": 0, "zoe": 0}


def test_a_zip_of_canvass_with_its_resubmissions(root: Path, canned_grades: Callable) -> None:
    result = take(zipped(root, canvas(root)))
    assert result.exit_code == 0, result.output
    assert "ada: 1 older version left out." in result.output
    assert "bob: Canvas calls it late" in result.output
    assert "worksheet" not in result.output
    assert graded(root, canned_grades) == {"ada": 4, "bob": 0, "li2": 4}  # 12 is after 2


@pytest.mark.parametrize("inside", ["", "submissions/", "a/b/"])
def test_a_folder_that_was_unpacked(root: Path, canned_grades: Callable, inside: str) -> None:
    for files in (moodle, canvas):
        folder = root / "download" / inside
        shutil.rmtree(root / "download", ignore_errors=True)
        for name, raw in files(root).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(raw)
        for litter in (".DS_Store", "Thumbs.db", ".ipynb_checkpoints/work.ipynb"):
            (folder / litter).parent.mkdir(exist_ok=True)
            (folder / litter).touch()
        shutil.rmtree(root / "submitted", ignore_errors=True)
        result = take(root / "download")
        assert "3 taken in" in result.output, result.output
        assert result.exit_code == 0


def test_who_is_nobody_or_might_be_two_is_named(root: Path) -> None:
    files = {
        "Wei Li_99_assignsubmission_file_/set.ipynb": b"{}",
        "Eve Stranger_7_assignsubmission_file_/set.ipynb": b"{}",
        "Ada Lovelace_4711_assignsubmission_onlinetext/onlinetext.html": b"2 x",
        "lovelaceada_4711_text.html": b"2 x",
        "lovelaceada_LATE_4711_link.html": b"2 x",
        "notes.txt": b"mine",
        "anon_4x7Qz_9001_set.ipynb": b"{}",
        "anon_LATE_12345_9002_set.ipynb": b"{}",
        "LATE_anon_4711_9003_set.ipynb": b"{}",  # where newer ones of Canvas put it
        "Ada Lovelace_4711_assignsubmission_file_/../../../evil.ipynb": b"{}",
        f"Ada Lovelace_4711_assignsubmission_file_/{'م' * 200}.txt": b"long",  # for Moodle, 204
    }
    result = take(zipped(root, files))
    assert result.exit_code == 3
    assert (
        "li1 and li2 have this name. Say whose it is: python -m autograder lms number ID 99"
        in result.output
    )
    assert "python -m autograder lms number ID 7, or give Moodle's" in result.output
    assert result.output.count("graded anonymously") == 3
    assert "م.txt: It has a name that is none, or too long" in result.output
    assert result.output.count("typed into Canvas; read it there") == 2
    assert "notes.txt: It is named neither as Moodle nor as Canvas" in result.output
    assert "onlinetext.html: It is no file that was handed in, but text" in result.output
    assert not list(root.parent.rglob("evil.ipynb"))
    assert not (root / "submitted").exists()


HEAD = (  # of Moodle's offline grading worksheet
    "Identifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,"
    "Last modified (submission),Last modified (grade),Feedback comments"
)
WORKSHEET = f"""\ufeff{HEAD}
Participant 501,Wei Li,li2@example.org,Submitted,,7.00,Yes,"Friday, 30 January 2026, 3:30 PM",-,- a
Participant 502,Ada Lovelace,ada@example.org,Draft,,7.00,Yes,"Friday, 30 January 2026, 3:31 PM",-,
Participant 503,=HYPERLINK(1),x@example.org,No submission,,7.00,No,-,-,
"""


def test_moodles_worksheet_tells_namesakes_apart_and_takes_the_marks(
    root: Path, canned_grades: Callable
) -> None:
    sheet = root / "worksheet.csv"
    sheet.write_text(WORKSHEET, encoding="utf-8")
    files = {
        "Wei Li_501_assignsubmission_file/set.ipynb": notebook(root, RIGHT, "So."),  # since 4.1
        "Participant_502_assignsubmission_file_/set.ipynb": notebook(root, WRONG),  # blind marking
    }
    result = take(zipped(root, files), "--worksheet", sheet)
    assert result.exit_code == 0, result.output
    stamp = root / "submitted" / "li2" / ASSIGNMENT / "timestamp.txt"
    assert stamp.read_text() == "2026-01-30 15:30:00 UTC\n"
    give = ["lms", "give", ASSIGNMENT, "--worksheet", str(sheet)]
    result = CliRunner().invoke(app, give)
    assert result.exit_code == 3
    assert "li2: It is not graded; run grade." in result.output
    assert graded(root, canned_grades) == {"ada": 0, "li2": 4}
    result = CliRunner().invoke(app, give)
    assert result.exit_code == 0, result.output
    assert "1 answer waits for marks by a person, in Formgrader's" in result.output
    folder = root / "lms" / ASSIGNMENT
    with zipfile.ZipFile(folder / "feedback.zip") as archive:
        assert sorted(archive.namelist()) == [
            "Participant_502_assignsubmission_file_/set.html",
            "Wei Li_501_assignsubmission_file/set.html",
        ]
        assert b"Not the square." in archive.read("Participant_502_assignsubmission_file_/set.html")
    with (folder / "marks.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["Grade"] for row in rows] == ["4", "0", ""]
    assert rows[2]["Full name"].startswith("'=")
    assert rows[0]["Feedback comments"] == "- a"  # or Moodle would take it for a new one
    assert ",".join(rows[0]) == HEAD
    assert rows[2]["Last modified (submission)"] == "-"
    assert (folder / "marks.csv").stat().st_mode & 0o077 == 0

    sheet.write_text(WORKSHEET.replace("7.00", "10.00"), encoding="utf-8")
    result = CliRunner().invoke(app, give)
    assert result.exit_code == 2
    assert "Moodle's maximum grade is 10.00, the assignment's 7" in result.output

    sheet.write_text(WORKSHEET.replace("Participant 50", "Participant 60"), encoding="utf-8")
    result = CliRunner().invoke(app, give)
    assert result.exit_code == 2
    assert "worksheet of another assignment?" in " ".join(result.output.split())

    sheet.write_text(WORKSHEET.replace(",Yes,", ",No,"), encoding="utf-8")  # locked there
    result = CliRunner().invoke(app, give)
    assert "ada, li2: Moodle's worksheet says that the grade cannot be changed" in result.output
    sheet.write_text(WORKSHEET.replace("(grade)", "(mark)"), encoding="utf-8")
    result = CliRunner().invoke(app, give)
    assert result.exit_code == 2
    assert "has no column Last modified (grade)" in result.output
    again = WORKSHEET.replace(",", ";").replace(" January 2026;", " January 2026,")
    sheet.write_text(again.replace("Friday;", "Friday,"), encoding="cp1252", errors="ignore")
    assert CliRunner().invoke(app, give).exit_code == 0  # as Excel saves it in Europe
    assert (folder / "marks.csv").read_text().startswith(HEAD)


def test_a_worksheet_may_lie_where_the_filled_in_one_goes(
    root: Path, canned_grades: Callable
) -> None:
    sheet = root / "lms" / ASSIGNMENT / "marks.csv"
    sheet.parent.mkdir(parents=True)
    sheet.write_text(WORKSHEET, encoding="utf-8")
    files = {"Wei Li_501_assignsubmission_file/set.ipynb": notebook(root, RIGHT)}
    assert take(zipped(root, files), "--worksheet", sheet).exit_code == 0
    canned_grades(root)
    for _ in range(2):
        given = lms("give", ASSIGNMENT, "--worksheet", str(sheet))
        assert given.exit_code == 0, given.output
        with sheet.open(encoding="utf-8", newline="") as stream:
            assert next(csv.DictReader(stream))["Grade"] == "4"


@pytest.mark.parametrize(
    ("old", "new"), [("Identifier", "ID"), ("ant 50", "ant 60"), ("7.00", "10.00")]
)
def test_a_worksheet_that_does_not_fit_costs_nothing(
    root: Path, canned_grades: Callable, old: str, new: str
) -> None:
    sheet = root / "worksheet.csv"
    sheet.write_text(WORKSHEET, encoding="utf-8")
    files = {"Wei Li_501_assignsubmission_file/set.ipynb": notebook(root, RIGHT)}
    assert take(zipped(root, files), "--worksheet", sheet).exit_code == 0
    canned_grades(root)
    give = ("give", ASSIGNMENT, "--worksheet", str(sheet))
    assert lms(*give).exit_code == 0
    folder = root / "lms" / ASSIGNMENT
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert sorted(before) == ["feedback.zip", "marks.csv"]
    (root / "feedback" / "li2" / ASSIGNMENT / "set.html").unlink()  # the zip would be another
    sheet.write_text(WORKSHEET.replace(old, new), encoding="utf-8")
    assert lms(*give).exit_code == 2
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}


def test_whose_row_the_worksheet_lacks_is_named(root: Path, canned_grades: Callable) -> None:
    """Moodle shows one group, and what is downloaded then has that group's rows alone."""
    take(zipped(root, moodle(root)))
    canned_grades(root)
    sheet = root / "worksheet.csv"
    row = "Participant 4711,Ada Lovelace,ada@example.org,Submitted,,7.00,Yes,-,-,"
    sheet.write_text(f"{HEAD}\n{row}\n", encoding="utf-8")
    result = lms("give", ASSIGNMENT, "--worksheet", str(sheet))
    assert result.exit_code == 3, result.output
    assert result.output.count("Moodle's worksheet has no row of theirs") == 1
    assert "bob, zoe: Moodle's worksheet has no row of theirs" in result.output
    assert "ada: " not in result.output


def test_a_path_may_begin_at_home_where_the_shell_leaves_it(
    root: Path, canned_grades: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in --to=~/given."""
    monkeypatch.setenv("HOME", str(root))
    zipped(root, {"Participant_501_assignsubmission_file_/set.ipynb": notebook(root, RIGHT)})
    (root / "worksheet.csv").write_text(WORKSHEET, encoding="utf-8")
    result = take("~/download.zip", "--worksheet=~/worksheet.csv")
    assert result.exit_code == 0, result.output
    canned_grades(root)
    result = lms("give", ASSIGNMENT, "--to=~/given", "--worksheet=~/worksheet.csv")
    assert result.exit_code == 0, result.output
    assert (root / "given" / "marks.csv").is_file()
    assert not (root / "~").exists()


def test_canvass_feedback_bears_canvass_names(root: Path, canned_grades: Callable) -> None:
    take(zipped(root, canvas(root)))
    canned_grades(root)
    (root / "exchange").mkdir(mode=0o777)
    done = CliRunner().invoke(app, ["feedback", ASSIGNMENT])
    assert done.exit_code == 0, done.output
    assert "3 came from Moodle or Canvas, and their feedback goes back with" in done.output
    assert "secret" not in done.output
    assert CliRunner().invoke(app, ["lms", "give", ASSIGNMENT]).exit_code == 0
    with zipfile.ZipFile(root / "lms" / ASSIGNMENT / "feedback.zip") as archive:
        names = archive.namelist()
    assert "lovelaceada_4711_9002_set.html" in names  # of the version that was graded
    assert len(names) == 3


def test_a_groups_work_is_each_members_on_moodle_and_the_named_ones_on_canvas(
    root: Path, canned_grades: Callable
) -> None:
    sheet = root / "worksheet.csv"
    sheet.write_text(WORKSHEET, encoding="utf-8")
    files = {
        f"Group A-{name}_{number}_assignsubmission_file/set.ipynb": notebook(root, RIGHT)
        for name, number in (("Wei Li", 501), ("Ada Lovelace", 502))
    }
    alone = take(zipped(root, files))
    assert alone.exit_code == 3
    assert "give Moodle's grading worksheet" in alone.output
    assert take(zipped(root, files), "--worksheet", sheet).exit_code == 0
    assert graded(root, canned_grades) == {"ada": 4, "li2": 4}
    assert lms("give", ASSIGNMENT, "--worksheet", str(sheet)).exit_code == 0
    with zipfile.ZipFile(root / "lms" / ASSIGNMENT / "feedback.zip") as archive:
        assert sorted(archive.namelist()) == [f"{name[:-6]}.html" for name in sorted(files)]
    for folder in ("submitted", "lms"):
        shutil.rmtree(root / folder)
    with Course(root).gradebook() as gradebook:
        gradebook.remove_student("li2")
    packed = root / "work.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("group/set.ipynb", notebook(root, WRONG))
    take(zipped(root, {"lovelaceada_4711_9001_work.zip": packed.read_bytes()}))
    assert graded(root, canned_grades) == {"ada": 0}
    marks = {row["SIS Login ID"]: row[ASSIGNMENT] for row in export(root)}
    assert {name for name, mark in marks.items() if mark} == {"", "ada"}  # and the points possible
    assert lms("give", ASSIGNMENT).exit_code == 0
    with zipfile.ZipFile(root / "lms" / ASSIGNMENT / "feedback.zip") as archive:
        assert archive.namelist() == ["lovelaceada_4711_9001_set.html"]


def test_a_group_on_canvas_may_be_called_by_a_number(root: Path, canned_grades: Callable) -> None:
    """A student whose number is that of the group's name has nothing to do with it."""
    with Course(root).gradebook() as gradebook:
        gradebook.add_student("one", first_name="One", last_name="Else", lms_user_id="1")
    files = {
        "team_1_4711_9001_data.csv": b"1",
        "team_1_4711_9002_set-1.ipynb": notebook(root, RIGHT),
        "elseone_1_9003_5_set.ipynb": b"{}",
    }
    result = take(zipped(root, files))
    assert (root / "submitted" / "ada" / ASSIGNMENT / "data.csv").is_file(), result.output
    assert (root / "submitted" / "one" / ASSIGNMENT / "5_set.ipynb").is_file()
    assert not (root / "submitted" / "one" / ASSIGNMENT / "9001_data.csv").exists()
    assert graded(root, canned_grades)["ada"] == 4
    assert lms("give", ASSIGNMENT).exit_code == 0
    with zipfile.ZipFile(root / "lms" / ASSIGNMENT / "feedback.zip") as archive:
        assert "team_1_4711_9002_set.html" in archive.namelist()
    assert "0 taken in" in take(zipped(root, files)).output  # it is known whose that is


GROUPS = f"""\ufeff{HEAD.replace("Status,", "Status,Group,")}
Participant 501,Wei Li,li2@example.org,Submitted,Group A,,7.00,Yes,-,-,
Participant 502,Ada_ Lovelace,ada@example.org,Submitted,Group A,,7.00,Yes,-,-,
Participant 503,Zoë de la Cruz,zoe@example.org,Submitted,Default group,,7.00,Yes,-,-,
"""


@pytest.mark.parametrize("between", ["/", "_"])
def test_moodle_names_a_file_of_a_group_by_the_group_alone(
    root: Path, canned_grades: Callable, between: str
) -> None:
    """Since 4.1 its downloader gives the group's own number, which may be that of anyone's."""
    sheet = root / "worksheet.csv"
    sheet.write_text(GROUPS, encoding="utf-8")
    files = {
        f"Group A_503_assignsubmission_file{between}set.ipynb": notebook(root, RIGHT),
        f"Default group_assignsubmission_file{between}set.ipynb": notebook(root, WRONG),
    }
    alone = take(zipped(root, files))
    assert alone.exit_code == 3
    assert "0 taken in, 0 no newer than what is here, 2 left out." in alone.output
    assert alone.output.count("Group A_503_assignsubmission_file: Nobody of this name") == 1
    assert "worksheet, which has addresses and the members of groups" in alone.output
    result = take(zipped(root, files), "--worksheet", sheet)
    assert result.exit_code == 0, result.output
    assert "3 taken in, 0 no newer than what is here, 0 left out." in result.output
    assert "0 taken in, 3 no newer" in take(zipped(root, files), "--worksheet", sheet).output
    assert graded(root, canned_grades) == {"ada": 4, "li2": 4, "zoe": 0}
    assert lms("give", ASSIGNMENT, "--worksheet", str(sheet)).exit_code == 0
    folder = root / "lms" / ASSIGNMENT
    with zipfile.ZipFile(folder / "feedback.zip") as archive:  # Moodle wants each member's number
        assert sorted(archive.namelist()) == [
            f"Ada Lovelace_502_assignsubmission_file{between}set.html",
            f"Wei Li_501_assignsubmission_file{between}set.html",
            f"Zoë de la Cruz_503_assignsubmission_file{between}set.html",
        ]
    with (folder / "marks.csv").open(encoding="utf-8", newline="") as stream:
        assert [row["Grade"] for row in csv.DictReader(stream)] == ["4", "4", "0"]


def test_two_groups_of_one_name_are_nobodys(root: Path) -> None:
    sheet = root / "worksheet.csv"
    sheet.write_text(GROUPS.replace("Default group", "Group-A"), encoding="utf-8")
    files = {f"Group A_{n}_assignsubmission_file/set.ipynb": b"{}" for n in (17, 18)}
    result = take(zipped(root, files), "--worksheet", sheet)
    assert "0 taken in, 0 no newer than what is here, 2 left out." in result.output
    assert result.output.count("Several groups have this name") == 2


def export(root: Path) -> list[dict[str, str]]:
    course = Course(root)
    plugin = CanvasExportPlugin(parent=ExportApp(coursedir=course.coursedir))
    with course.gradebook() as gradebook:
        plugin.export(gradebook)
    with (root / "canvas.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def student(root: Path, name: str) -> tuple:
    with Course(root).gradebook() as gradebook:
        found = next(each for each in gradebook.students if each.id == name)
        return found.first_name, found.last_name, found.email, found.lms_user_id


def lms(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["lms", *arguments])


def test_a_number_is_written_down_and_nothing_is_lost(root: Path) -> None:
    files = {"O'Neil-Smith Bob_88_assignsubmission_file/set.ipynb": notebook(root, RIGHT)}
    assert lms("number", "bob", "77").exit_code == 0
    assert student(root, "bob") == ("Böb", "O'Neil-Smith", "bob@example.org", "77")
    assert "bob is 88, and was 77" in lms("number", "bob", "88").output
    assert take(zipped(root, files)).exit_code == 0
    assert "88 is bob's number" in lms("number", "ada", "88").output
    assert "no student 'eve'. Add them to your table" in lms("number", "eve", "9").output
    assert "'x' is no number" in lms("number", "bob", "x").output
    assert student(root, "ada")[3] == "4711"


@pytest.mark.parametrize("case", ["no name", "another number", "a name that is another's"])
def test_nobody_is_found_by_being_left_over(root: Path, case: str) -> None:
    """Of two students of one name, one may have none in the gradebook, or another number."""
    name = "liwei_900_9005_set.ipynb"
    with Course(root).gradebook() as gradebook:
        gradebook.update_or_create_student("li1", first_name=None, last_name=None, email=None)
        gradebook.update_or_create_student("li2", lms_user_id=None)
        if case == "another number":
            gradebook.update_or_create_student("li2", lms_user_id="4715")
            gradebook.update_or_create_student("li1", first_name="Li", last_name="One")
        if case == "a name that is another's":
            gradebook.update_or_create_student("zoe", lms_user_id="900")
    result = take(zipped(root, {name: notebook(root, RIGHT)}))
    if case == "a name that is another's":
        assert "is taken for zoe's by its number or address, though li2 has that" in result.output
        return
    assert result.exit_code == 3, result.output
    assert "By its name it is li2's" in result.output
    assert "lms number ID 900" in result.output
    assert lms("number", "li2", "900").exit_code == 0
    assert take(zipped(root, {name: notebook(root, RIGHT)})).exit_code == 0


def test_a_number_on_moodle_is_of_one_assignment_and_says_less_than_a_name(root: Path) -> None:
    """A number of Moodle's account, or of another assignment, may be another's in this one."""
    files = {"de la Cruz Zoë_4711_assignsubmission_file/set.ipynb": notebook(root, RIGHT)}
    result = take(zipped(root, files))
    assert result.exit_code == 3
    assert "The number is ada's, and the name zoe's. Give Moodle's grading" in result.output
    sheet = root / "worksheet.csv"
    sheet.write_text(f"{HEAD}\nParticipant 4711,Z,zoe@example.org,,,,,-,-,\n", encoding="utf-8")
    assert "1 taken in" in take(zipped(root, files), "--worksheet", sheet).output
    assert (root / "submitted" / "zoe").is_dir()
    strange = {"Group 7_4711_assignsubmission_file/set.ipynb": notebook(root, RIGHT)}
    said = take(zipped(root, strange)).output
    assert "ada: Group 7_4711_assignsubmission_file is taken for ada's by its number" in said


@pytest.mark.parametrize("shared", ["number", "address"])
def test_what_two_students_share_says_whose_nothing_is(root: Path, shared: str) -> None:
    with Course(root).gradebook() as gradebook:
        for student in ("zac", "zoe"):
            gradebook.update_or_create_student(
                student,
                first_name=student,
                last_name="Cruz",
                email="family@example.org",
                lms_user_id="12" if shared == "number" else None,
            )
    sheet = root / "worksheet.csv"
    mail = "family@example.org" if shared == "address" else ""
    row = f"Participant 12,Z. Cruz,{mail},Submitted,,7.00,Yes,-,-,"
    sheet.write_text(f"{HEAD}\n{row}\n", encoding="utf-8")
    files = {"Z. Cruz_12_assignsubmission_file/set.ipynb": notebook(root, RIGHT)}
    result = take(zipped(root, files), "--worksheet", sheet)
    assert "0 taken in, 0 no newer than what is here, 1 left out." in result.output
    assert "Nobody of this name is in the gradebook" in result.output


def test_on_canvas_only_what_was_handed_in_again_loses_its_number(root: Path) -> None:
    first = ["set.ipynb", "fig-1.png", "fig-2.png", "data-2024.csv", "-1"]
    again = ["set-1.ipynb", "fig-1-1.png", "fig-2-1.png", "data-2024-1.csv", "-1-1", "more-3.csv"]
    for names in (first, again, first + again):
        shutil.rmtree(root / "submitted", ignore_errors=True)
        files = {
            f"lovelaceada_4711_{9001 + place}_{name}": notebook(root, RIGHT, name)
            for place, name in enumerate(names)
        }
        assert "1 taken in" in take(zipped(root, files)).output
        folder = root / "submitted" / "ada" / ASSIGNMENT
        for name, last in zip(first, again if again[0] in names else first, strict=False):
            assert last in (folder / name).read_text()
        assert (folder / "more-3.csv").exists() == (again[0] in names)


@pytest.mark.parametrize("name", ["set-2.ipynb", "set.ipynb"])
def test_on_canvas_a_file_whose_number_may_be_its_own_has_both_names(root: Path, name: str) -> None:
    """A picture that was added at the second time, or whose notebook was renamed in between."""
    files = {
        f"lovelaceada_4711_9001_{name}": notebook(root, RIGHT),
        "lovelaceada_4711_9002_fig-1.png": b"1",
    }
    result = take(zipped(root, files))
    assert "older" not in result.output
    folder = root / "submitted" / "ada" / ASSIGNMENT
    for own in ("fig.png", "fig-1.png"):
        assert (folder / own).read_bytes() == b"1"


def test_a_needed_notebooks_own_number_stays() -> None:
    files = [
        File("canvas", "1", "x", "x_1", "_", name, again, datetime(2026, 2, 1), False, bytes)
        for name, again in (("part-1.ipynb", 0), ("part-2.ipynb", 1))
    ]
    chosen, _ = latest(files, {"part-1.ipynb", "part-2.ipynb"})
    assert [file.path for file in chosen] == ["part-1.ipynb", "part-2.ipynb"]


def test_a_file_on_moodle_may_be_called_as_canvas_calls_the_anonymous(root: Path) -> None:
    name = "Ada Lovelace_4711_assignsubmission_file_/anon_survey_2024_clean.csv"
    result = take(zipped(root, moodle(root) | {name: b"1"}))
    assert result.exit_code == 0, result.output
    assert (root / "submitted" / "ada" / ASSIGNMENT / "anon_survey_2024_clean.csv").exists()


def test_two_of_one_name_are_not_versions_of_one(root: Path) -> None:
    files = {f"lovelaceada_{n}_900{n}_set.ipynb": notebook(root, RIGHT) for n in (1, 2)}
    with Course(root).gradebook() as gradebook:
        gradebook.update_or_create_student("ada", lms_user_id=None)
    result = take(zipped(root, files))
    assert "0 taken in, 0 no newer than what is here, 2 left out." in result.output
    assert result.output.count("one of this name, ada, and the download 2.") == 2


def test_what_was_taken_for_anothers_and_what_was_removed(root: Path, canned_grades) -> None:
    files = {"cruzdelazoe_4713_1_set.ipynb": notebook(root, RIGHT)}
    with Course(root).gradebook() as gradebook:
        gradebook.update_or_create_student("ada", lms_user_id="4713")
        gradebook.update_or_create_student("zoe", lms_user_id="5")
    assert (root / "submitted").exists() is False
    assert take(zipped(root, files)).exit_code == 0
    assert lms("number", "ada", "4711").exit_code == 0
    assert lms("number", "zoe", "4713").exit_code == 0
    result = take(zipped(root, files))
    folder = root / "submitted" / "ada" / ASSIGNMENT
    assert f"ada: What is in {folder} is zoe's; remove that folder." in result.output
    shutil.rmtree(folder)
    shutil.rmtree(root / "submitted" / "zoe")
    assert "1 taken in" in take(zipped(root, files)).output
    assert graded(root, canned_grades) == {"zoe": 4}
    rows = {row["SIS Login ID"]: row for row in export(root)}
    assert (rows["zoe"]["ID"], rows["zoe"]["SIS User ID"], rows["ada"]["ID"]) == (
        "4713",
        "",
        "4711",
    )


DUE = datetime(2026, 1, 30, 15, 0)  # before the zips were made, as a download is


def lateness(root: Path, canned_grades: Callable) -> dict[str, float]:
    canned_grades(root)
    with Course(root).gradebook() as gradebook:
        gradebook.update_or_create_assignment(ASSIGNMENT, duedate=DUE)
        found = gradebook.assignment_submissions(ASSIGNMENT)
        return {each.student.id: each.total_seconds_late for each in found}


@pytest.mark.parametrize("files", [moodle, canvas])
def test_the_time_of_a_download_makes_nobody_late(
    root: Path, canned_grades: Callable, files: Callable
) -> None:
    """It is all that a zip has; a student's own word does not count either."""
    theirs = {
        name.replace("set", "timestamp").replace("ipynb", "txt"): b"2027-01-01 UTC"
        for name in files(root)
        if "4711" in name
    }
    result = take(zipped(root, files(root) | theirs))
    assert "Handed in at a time that is not known, so not late: 3." in result.output
    assert not list(root.glob("submitted/*/*/timestamp.txt"))
    assert set(lateness(root, canned_grades).values()) == {0}


@pytest.mark.parametrize("said", ["2026-01-01", "2999-01-01"])  # the second one has not come
def test_what_came_another_way_is_not_replaced_without_a_word(root: Path, said: str) -> None:
    folder = root / "submitted" / "ada" / ASSIGNMENT
    folder.mkdir(parents=True)
    (folder / "set.ipynb").write_bytes(notebook(root, WRONG))
    (folder / "timestamp.txt").write_text(f"{said} 10:00:00 UTC")
    said = take(zipped(root, moodle(root))).output
    assert "ada: It takes the place of a submission that came another way" in said
    assert "takes the place" not in take(zipped(root, canvas(root), 2)).output


def test_a_time_that_a_person_writes_stays(root: Path, canned_grades: Callable) -> None:
    take(zipped(root, canvas(root)))
    stamp = root / "submitted" / "bob" / ASSIGNMENT / "timestamp.txt"
    stamp.write_text("2026-01-30 15:01:00 UTC\n")
    assert lateness(root, canned_grades)["bob"] == 60
    for day in (1, 2):  # the same download, and one of the day after with the same submissions
        assert "0 taken in, 3 no newer" in take(zipped(root, canvas(root), day)).output
        assert stamp.exists()


def test_a_worksheets_times_are_of_its_time_zone(root: Path, canned_grades: Callable) -> None:
    sheet = root / "worksheet.csv"
    sheet.write_text(WORKSHEET, encoding="utf-8")
    name = "Ada Lovelace_502_assignsubmission_file_/set.ipynb"
    download = zipped(root, {name: notebook(root, RIGHT)})
    assert take(download).exit_code == 0
    assert lateness(root, canned_grades) == {"ada": 0}
    for zone, late in (("UTC", 1860), ("Europe/Berlin", 0), ("America/New_York", 19860)):
        given = () if zone == "UTC" else ("--timezone", zone)
        result = take(download, "--worksheet", sheet, *given)
        assert ("times were read as UTC" in result.output) == (not given)
        assert "1 taken in" in result.output, result.output  # what is known of it has changed
        assert lateness(root, canned_grades) == {"ada": late}
    result = take(download, "--worksheet", sheet, "--timezone", "Mars/Olympus")
    assert result.exit_code == 2
    assert "'Mars/Olympus' is no time zone" in " ".join(result.output.split())


def test_a_worksheet_in_another_language(root: Path, canned_grades: Callable) -> None:
    """Numbers may have a comma; names of columns must be English."""
    sheet = root / "worksheet.csv"
    there = "Freitag, 30. Januar 2026, 15:30"
    german = WORKSHEET.replace("Friday, 30 January 2026, 3:30 PM", there)
    sheet.write_text(german.replace("7.00", '"7,00"'), encoding="utf-8")
    name = "Wei Li_501_assignsubmission_file_/set.ipynb"
    said = take(zipped(root, {name: notebook(root, RIGHT)}), "--worksheet", sheet).output
    assert f"times, such as {there!r}, cannot be read" in said
    canned_grades(root)
    with Course(root).gradebook() as gradebook:
        submission = gradebook.find_submission(ASSIGNMENT, "li2")
        next(g for g in submission.notebooks[0].grades if g.name == "why").manual_score = 1.5
        gradebook.db.commit()
    give = ["lms", "give", ASSIGNMENT, "--worksheet", str(sheet)]
    assert CliRunner().invoke(app, give).exit_code == 0
    with (root / "lms" / ASSIGNMENT / "marks.csv").open(encoding="utf-8", newline="") as stream:
        assert next(csv.DictReader(stream))["Grade"] == "5,5"
    sheet.write_text(WORKSHEET.replace("Identifier", "ID"), encoding="utf-8")
    assert "language is English" in " ".join(CliRunner().invoke(app, give).output.split())
    sheet.write_text(WORKSHEET.replace("7.00", "Good"), encoding="utf-8")
    assert "maximum grade is Good" in " ".join(CliRunner().invoke(app, give).output.split())


def test_what_of_a_zip_cannot_be_unpacked_is_named(root: Path) -> None:
    files = moodle(root)
    path = zipped(root, files)
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b"return x**2", b"return x**3"))  # its sum is another now
    result = take(path)
    assert result.exit_code == 3, result.output
    assert "de la Cruz Zoë_4713_assignsubmission_file: It cannot be unpacked: " in result.output
    assert "1 taken in" in result.output
    assert not list(root.glob("submitted/*/.*"))


def test_only_what_is_newer_takes_a_place(root: Path, canned_grades: Callable) -> None:
    name = "Ada Lovelace_4711_assignsubmission_file_/set.ipynb"
    take(zipped(root, {name: notebook(root, WRONG)}, day=2))
    said = take(zipped(root, {name: notebook(root, RIGHT)}, 1)).output
    assert "0 taken in, 1 no newer" in said
    assert f"not the one in {root / 'submitted' / 'ada' / ASSIGNMENT}, and looks older" in said
    assert "looks older" not in take(zipped(root, {name: notebook(root, WRONG)}, 1)).output
    assert graded(root, canned_grades) == {"ada": 0}
    assert "1 taken in" in take(zipped(root, {name: notebook(root, RIGHT)}, day=3)).output
    assert graded(root, canned_grades) == {"ada": 4}


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_zip_and_a_folder_are_told_apart_by_the_same_clock(root: Path, tokyo: None) -> None:
    """A browser may unpack the second download; what it wrote has the local time of the zip."""
    name = "Ada Lovelace_4711_assignsubmission_file_/set.ipynb"
    assert "1 taken in" in take(zipped(root, {name: notebook(root, WRONG)}, day=2)).output  # 10:00
    path = root / "download" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(notebook(root, RIGHT))
    later = datetime(2026, 2, 2, 11, 0).timestamp()
    os.utime(path, (later, later))
    assert "1 taken in" in take(root / "download").output


def test_what_is_here_is_compared_with_a_zip_by_the_same_clock(root: Path, tokyo: None) -> None:
    """The zip was made at 10:00 in Tokyo, which is 01:00 UTC."""
    folder = root / "submitted" / "zoe" / ASSIGNMENT
    folder.mkdir(parents=True)
    (folder / "set.ipynb").write_bytes(notebook(root, RIGHT))
    name = "Zoë de la Cruz_4713_assignsubmission_file_/set.ipynb"
    for hour, said in (("05", "0 taken in, 1 no newer"), ("00", "1 taken in")):
        (folder / "timestamp.txt").write_text(f"2026-02-01 {hour}:00:00 UTC")
        assert said in take(zipped(root, {name: notebook(root, WRONG)})).output


@pytest.mark.parametrize(
    ("there", "name"),
    [("रीमा कुमार", "राम कुमार"), ("タカダ マイ", "タカタ マイ"), ("🙂", "🎓"), ("กุ", "กู")],
)
def test_names_that_differ_in_more_than_accents_are_two(root: Path, there: str, name: str) -> None:
    with Course(root).gradebook() as gradebook:
        gradebook.add_student(there, first_name=there)
    files = {
        f"{name}_9_assignsubmission_file_/set.ipynb": b"{}",
        "Zoe De La Cruz_8_assignsubmission_file_/set.ipynb": b"{}",
    }
    result = take(zipped(root, files))
    assert "1 taken in" in result.output
    assert f"{name}_9_assignsubmission_file: Nobody of this name" in result.output


@pytest.mark.parametrize(
    ("there", "name", "said"),
    [
        ("Nguyễn Vân Anh", "Nguyễn Văn Anh", "but for the accents"),
        ("Nguyễn Vân Anh", "Anh Nguyễn Văn", "but for the accents"),
        ("Nguyễn Vân Anh", "Nguyen Van Anh", ""),
        ("Nguyen Van Anh", "nguyễnvănanh", ""),
        ("Nguyễn Vân Anh", "nguye\u0302\u0303n va\u0302n anh", ""),
    ],
)
def test_other_accents_may_be_another(root: Path, there: str, name: str, said: str) -> None:
    with Course(root).gradebook() as gradebook:
        first, _, last = there.rpartition(" ")
        gradebook.add_student("anh", first_name=first, last_name=last)
    result = take(zipped(root, {f"{name}_9_assignsubmission_file_/set.ipynb": b"{}"}))
    assert ("0 taken in" if said else "1 taken in") in result.output
    assert said in result.output


def test_names_in_a_zip_that_was_made_anew(root: Path) -> None:
    """macOS writes names in UTF-8 and does not say so; some programs write no time."""
    files = {"B@@b O'Neil-Smith_88_assignsubmission_file_/set.ipynb": notebook(root, RIGHT)}
    path = zipped(root, files)
    raw = path.read_bytes().replace(b"B@@b", "Böb".encode())
    day = zipfile.ZipInfo("x", (2026, 2, 1, 10, 0, 0))
    with zipfile.ZipFile(path) as archive:
        assert archive.infolist()[0].date_time == day.date_time
    dos = struct.pack("<H", (2026 - 1980) << 9 | 2 << 5 | 1)
    path.write_bytes(raw.replace(dos, struct.pack("<H", 15 << 5)))
    result = take(path)
    assert result.exit_code == 0, result.output
    assert (root / "submitted" / "bob").is_dir()


def test_a_notebook_that_a_browser_named_is_one(root: Path, canned_grades: Callable) -> None:
    name = "Ada Lovelace_4711_assignsubmission_file/set.ipynb.txt"
    assert "no notebook" not in take(zipped(root, {name: notebook(root, RIGHT)})).output
    assert graded(root, canned_grades) == {"ada": 4}


def test_a_download_that_a_mac_zipped_again(root: Path, canned_grades: Callable) -> None:
    """Accents apart from their letters, marks of direction, and a file beside each file."""
    with Course(root).gradebook() as gradebook:
        gradebook.add_student("maya", first_name="מאיה", last_name="כהן")
    files = {
        "set/Zoe\u0308 de la Cruz_4713_assignsubmission_file/set.ipynb": notebook(root, RIGHT),
        "set/Zoe\u0308 de la Cruz_4713_assignsubmission_onlinetext/onlinetext.html": b"So.",
        "set/\u200fמאיה כהן\u200f_9_assignsubmission_file/set.ipynb": notebook(root, WRONG),
    }
    beside = {f"__MACOSX/{Path(name).parent}/._{Path(name).name}": b"\0" for name in files}
    result = take(zipped(root, files | beside))
    assert "2 taken in, 0 no newer than what is here, 1 left out." in result.output
    assert "text that was typed into Moodle; read" in result.output
    assert graded(root, canned_grades) == {"maya": 0, "zoe": 4}


def test_a_zip_that_windows_made_has_backslashes(root: Path, canned_grades: Callable) -> None:
    """Compress-Archive of Windows PowerShell 5 writes them, in a download and in a hand-in."""
    inner = root / "work.zip"
    backslash(inner, {"work/set.ipynb": notebook(root, WRONG)})
    files = {
        "Ada Lovelace_4711_assignsubmission_file/set.ipynb": notebook(root, RIGHT),
        "Zoë de la Cruz_4713_assignsubmission_file/work.zip": inner.read_bytes(),
    }
    backslash(root / "download.zip", files)
    result = take(root / "download.zip")
    assert result.exit_code == 0, result.output
    assert graded(root, canned_grades) == {"ada": 4, "zoe": 0}


def backslash(path: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, raw in files.items():
            entry = zipfile.ZipInfo(name, (2026, 2, 1, 10, 0, 0))
            entry.create_system = 0
            entry.filename = name.replace("/", "\\")
            archive.writestr(entry, raw)


def test_rows_of_a_worksheet_that_are_cut_short(root: Path, canned_grades: Callable) -> None:
    sheet = root / "worksheet.csv"
    sheet.write_text(f"{WORKSHEET}Participant 504\n\n,,\n", encoding="utf-8")
    files = {
        "Wei Li_501_assignsubmission_file/set.ipynb": notebook(root, RIGHT),
        "Eve Stranger_504_assignsubmission_file/set.ipynb": notebook(root, RIGHT),
    }
    result = take(zipped(root, files), "--worksheet", sheet)
    assert "1 taken in, 0 no newer than what is here, 1 left out." in result.output
    canned_grades(root)
    give = ["lms", "give", ASSIGNMENT, "--worksheet", str(sheet)]
    assert CliRunner().invoke(app, give).exit_code == 0


def test_a_full_disk_costs_no_word_on_who_handed_in(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert take(zipped(root, moodle(root))).exit_code == 0
    path = root / "lms" / f"{ASSIGNMENT}.json"
    before, write = path.read_text(), Path.write_text

    def full(self: Path, text: str, *arguments: object, **named: object) -> int:
        if self.parent == path.parent:
            write(self, text[:10], *arguments, **named)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
        return write(self, text, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        result = take(zipped(root, moodle(root), day=2))
    assert result.exit_code == 2
    assert "No space left on device" in result.output
    assert path.read_text() == before
    path.write_text(before[:10])
    result = take(zipped(root, moodle(root), day=2))
    assert result.exit_code == 2
    assert f"{path} is damaged" in result.output
    command = [
        "nbgrader",
        "export",
        f"--exporter={CanvasExportPlugin.__module__}.CanvasExportPlugin",
    ]
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True)
    assert f"{path} is damaged" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("what", ["missing", "no zip", "no worksheet"])
def test_what_cannot_be_read_is_said(root: Path, what: str) -> None:
    path = root / "x"
    arguments: list[object] = [path]
    if what == "no zip":
        path.write_bytes(b"no zip")
    if what == "no worksheet":
        path.write_text("a,b\n1,2\n")
        arguments = [zipped(root, {}), "--worksheet", path]
    result = take(*arguments)
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    assert str(path) in result.output
    result = CliRunner().invoke(app, ["lms", "give", ASSIGNMENT])
    assert result.exit_code == 2


def test_names() -> None:
    assert plain("Zoë de la Cruz") == "zoedelacruz"
    assert parse("x_1_assignsubmission_onlinetext_a.html") is None
    lms, match = parse("Ann_Marie Fox_12_assignsubmission_file_my_set.ipynb")
    assert (lms, match["name"], match["file"]) == ("moodle", "Ann_Marie Fox", "my_set.ipynb")
    lms, match = parse("foxann_12_34_my_set-1.ipynb")
    assert (lms, match["user"], match["file"]) == ("canvas", "12", "my_set-1.ipynb")
    lms, match = parse("fox_smithann_LATE_12_34_set.ipynb")
    assert (match["name"], match["user"], match["late"]) == ("fox_smithann", "12", "LATE_")
    lms, match = parse("foxann_late_12_34_set.ipynb")  # as older ones of Canvas write it
    assert (match["name"], match["user"], match["late"]) == ("foxann", "12", "late_")
