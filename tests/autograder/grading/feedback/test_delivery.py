"""Feedback arrives, and is never older than the marks: through a real exchange."""

import os
import shutil
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell
from nbgrader.converters import GenerateFeedback
from nbgrader.exchange import ExchangeError
from nbgrader.exchange.default import (
    ExchangeReleaseFeedback,
)
from traitlets.utils.importstring import import_item
from typer.testing import CliRunner

from autograder.commands.cli import app
from autograder.commands.console import waiting
from autograder.grading.assignment_list import AssignmentList
from autograder.grading.course import Course
from autograder.grading.exchange.steps import Fetch, Release, ReleaseFeedback, Submit
from autograder.grading.feedback.delivery import deliver
from autograder.grading.feedback.overview import sentences
from autograder.grading.marks.outstanding import OLD_RULES, OLD_VERSION, outstanding
from autograder.grading.records import Records, State
from tests.autograder.grading.room import (
    ASSIGNMENT,
    RIGHT,
    WRONG,
    Room,
    handed_in,
    inbound,
)


def mark_by_hand(room: Room, student: str, points: float, cell: str = "why") -> None:
    with Course(room.root).gradebook() as gradebook:
        grade = gradebook.find_grade(cell, ASSIGNMENT, ASSIGNMENT, student)
        grade.manual_score, grade.needs_manual_grade = points, False
        gradebook.db.commit()


def test_feedback_arrives_whatever_the_notebook_was_called(
    room: Room, canned_grades: Callable
) -> None:
    room.submit("ada", RIGHT)
    room.submit("bob", WRONG, name="my set (1)")
    room.submit("eve", WRONG, name="set_final+v2")
    room.submit("zoë", WRONG, name="Übung é")
    room.collect()
    canned_grades(room.root)
    done = {each.student: each for each in deliver(room.course, ASSIGNMENT)}
    assert all(each.released and each.made and not each.problem for each in done.values())
    assert "4 of 4 points" in room.read("ada")[0]
    for student in ("bob", "eve", "zoë"):
        (page,) = room.read(student)
        assert "Not the square." in page


def test_what_fetch_feedback_does_not_look_for_is_not_said_to_be_released(
    room: Room, canned_grades: Callable
) -> None:
    """A notebook in a folder or a zip is graded, and nbgrader's step finds no page of it."""
    places = {"ada": "x.ipynb", "bob": "work/x.ipynb", "eve": "x.ipynb.txt", "joe": "x.zip"}
    places["zoe"] = "x.rar"  # set aside
    for student, place in places.items():
        room.submit(student, WRONG, name="y")
        home = room.home(student)
        notebook = home / ASSIGNMENT / "y.ipynb"
        there = home / ASSIGNMENT / place
        there.parent.mkdir(exist_ok=True)
        if place == "x.zip":
            with zipfile.ZipFile(there, "w") as archive:
                archive.write(notebook, "x.ipynb")
            notebook.unlink()
        else:
            notebook.rename(there)
        room.step(Submit, student, home)
    room.collect()
    canned = canned_grades(room.root)
    assert [name for name in canned if canned[name].state is State.QUARANTINED] == ["zoe"]
    done = {each.student: each for each in deliver(room.course, ASSIGNMENT)}
    for student in places:
        assert list((room.root / "feedback" / student / ASSIGNMENT).glob("*.html"))
        arrives = student == "ada"
        assert (len(room.read(student)), done[student].released) == (arrives, arrives)
        assert ("no file that ends in .ipynb" in done[student].problem) is not arrives
        assert (f"send feedback/STUDENT/{ASSIGNMENT}/ to" in done[student].problem) is not arrives
    # The way out that the sentence names.
    place = room.home("joe") / ASSIGNMENT
    shutil.unpack_archive(place / "x.zip", place)
    room.submit("joe", WRONG)
    room.collect()
    canned_grades(room.root)
    assert len(room.read("joe")) == 0
    assert deliver(room.course, ASSIGNMENT, ["joe"])[0].released
    assert len(room.read("joe")) == 1


def test_what_a_student_fetches_no_one_else_can_read(room: Room) -> None:
    home = room.home("ada")
    room.step(Fetch, "ada", home)
    (home / ASSIGNMENT / f"{ASSIGNMENT}.ipynb").write_text("mine")
    (home / ASSIGNMENT / f"{ASSIGNMENT}.public.json").unlink()
    room.step(Fetch, "ada", home, replace_missing_files=True)  # what is missing comes back
    there = [home / ASSIGNMENT, *(home / ASSIGNMENT).rglob("*")]
    assert len(there) > 2
    assert not [path for path in there if path.stat().st_mode & 0o077]
    assert (home / ASSIGNMENT / f"{ASSIGNMENT}.ipynb").read_text() == "mine"


def test_the_stock_commands_deliver_it_too(room: Room, canned_grades: Callable) -> None:
    room.submit("bob", WRONG, name="my set (1)")
    room.collect()
    canned_grades(room.root)
    graded = room.course
    GenerateFeedback(
        coursedir=graded.coursedir_for(assignment_id=ASSIGNMENT), config=graded.config
    ).start()
    assert import_item(graded.config.ExchangeFactory.release_feedback) is ReleaseFeedback
    room.step(ReleaseFeedback)
    assert "Not the square." in room.read("bob")[0]


def damaged(room: Room, student: str, how: str) -> None:
    secret = room.root / "submitted" / student / ASSIGNMENT / "submission_secret.txt"
    secret.unlink()
    if how == "empty":
        secret.touch()
    elif how == "linked":
        secret.symlink_to("/etc/hostname")
    elif how == "bytes":
        secret.write_bytes(b"\xff\xfe")
    elif how == "long":
        secret.write_text("x" * 5000)


@pytest.mark.parametrize("how", ["missing", "empty", "linked", "bytes", "long"])
def test_without_a_secret_the_rest_of_the_class_gets_theirs(
    room: Room, canned_grades: Callable, how: str
) -> None:
    for student in ("ada", "bob", "eve"):
        room.submit(student, WRONG)
    room.collect()
    damaged(room, "bob", how)
    canned_grades(room.root)
    done = {each.student: each for each in deliver(room.course, ASSIGNMENT)}
    assert "not through the exchange" in done["bob"].problem
    assert (room.root / "feedback" / "bob" / ASSIGNMENT / f"{ASSIGNMENT}.html").is_file()
    assert done["ada"].released and done["eve"].released and not done["bob"].released  # noqa: PT018
    assert "Not the square." in room.read("eve")[0]


def test_nbgraders_own_step_would_have_died(room: Room, canned_grades: Callable) -> None:
    room.submit("ada", WRONG)
    room.collect()
    damaged(room, "ada", "missing")
    canned_grades(room.root)
    deliver(room.course, ASSIGNMENT, release=False)
    with pytest.raises(FileNotFoundError):
        room.step(ExchangeReleaseFeedback)


def test_feedback_is_made_anew_where_marks_changed_and_there_alone(
    room: Room, canned_grades: Callable
) -> None:
    for student in ("ada", "bob"):
        room.submit(student, RIGHT, why="It adds.")
    room.collect()
    canned_grades(room.root)
    done = {each.student: each for each in deliver(room.course, ASSIGNMENT)}
    assert done["ada"].notes == ["A person has not marked why."]
    assert "Score: 4.0 / 7.0" in room.read("ada")[0]
    assert not any(each.made for each in deliver(room.course, ASSIGNMENT))

    mark_by_hand(room, "ada", 2.5)
    done = {each.student: each for each in deliver(room.course, ASSIGNMENT)}
    assert (done["ada"].made, done["bob"].made) == (True, False)
    assert done["ada"].notes == []
    assert "Score: 6.5 / 7.0" in room.read("ada")[0]

    with Course(room.root).gradebook() as gradebook:  # a comment is a change as well
        comment = gradebook.find_comment("why", ASSIGNMENT, ASSIGNMENT, "bob")
        comment.manual_comment = "Say more."
        gradebook.db.commit()
    assert [each.made for each in deliver(room.course, ASSIGNMENT)] == [False, True]
    assert "Say more." in room.read("bob")[0]


@pytest.mark.parametrize(
    "name",
    ["accidents.py", "inert.py", "lateness.py", "pictures.py", "mathjax.html.j2", "overview.py"],
)
def test_a_page_is_made_anew_when_what_shapes_it_changes(
    room: Room, canned_grades: Callable, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    room.submit("ada", RIGHT)
    room.collect()
    canned_grades(room.root)
    assert [each.made for each in deliver(room.course, ASSIGNMENT, release=False)] == [True]
    read = Path.read_bytes
    changed = lambda path: read(path) + b" " * (path.name == name)  # noqa: E731
    monkeypatch.setattr(Path, "read_bytes", changed)
    for made in (True, False):
        assert [each.made for each in deliver(room.course, ASSIGNMENT, release=False)] == [made]


@pytest.mark.parametrize(
    ("by_hand", "more", "said"),
    [
        (2, 1, "3 of 4 points for double, and they count; below, the machine's 4 do not."),
        (None, 1, "5 of 4 points for double, and they count; below, the machine's 4 do not."),
        (3, 1, None),  # as many as the machine gave
        (None, None, None),
    ],
)
def test_points_by_hand_are_told_with_those_beyond(
    room: Room, canned_grades: Callable, by_hand: float | None, more: float | None, said: str | None
) -> None:
    room.submit("ada", RIGHT)
    room.collect()
    canned_grades(room.root)
    with Course(room.root).gradebook() as gradebook:
        grade = gradebook.find_grade("double", ASSIGNMENT, ASSIGNMENT, "ada")
        grade.manual_score, grade.extra_credit = by_hand, more
        gradebook.db.commit()
        told = [each for each in sentences(gradebook, ASSIGNMENT, "ada", None) if "gave" in each]
    assert told == ([f"Your instructor gave {said}"] if said else [])


def change(root: Path, old: str, new: str) -> None:
    path = root / "checks" / f"{ASSIGNMENT}.py"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_grade_grades_again_what_was_graded_by_other_checks(
    room: Room, canned_grades: Callable
) -> None:
    room.submit("bob", WRONG)
    room.collect()
    canned_grades(room.root)
    deliver(room.course, ASSIGNMENT)
    change(room.root, "Not the square.", "A square is no double.")
    (bob,) = deliver(room.course, ASSIGNMENT)
    assert bob.notes == [OLD_RULES]
    assert unfinished(room) == [f"bob: {OLD_RULES}"]
    canned_grades(room.root)
    (bob,) = deliver(room.course, ASSIGNMENT)
    assert bob.made
    (page,) = room.read("bob")
    assert "A square is no double." in page
    assert "Not the square." not in page


def test_stock_commands_make_a_page_anew_after_a_regrade(
    room: Room, canned_grades: Callable
) -> None:
    room.submit("bob", WRONG)
    room.collect()
    canned_grades(room.root)
    make = GenerateFeedback(
        coursedir=room.course.coursedir_for(assignment_id=ASSIGNMENT), config=room.course.config
    )
    make.start()
    change(room.root, "Not the square.", "A square is no double.")
    canned_grades(room.root)
    make.start()
    page = room.root / "feedback" / "bob" / ASSIGNMENT / f"{ASSIGNMENT}.html"
    assert "A square is no double." in page.read_text(encoding="utf-8")


def test_what_another_assignment_changes_is_not_graded_again(
    course: Path, canned_grades: Callable
) -> None:
    (course / "source" / "other").mkdir()
    canned_grades(course)
    (course / "checks" / "other.py").write_text("CHECKS = ()")
    (course / "checks" / "observers").mkdir()
    (course / "checks" / "observers" / "other.py").write_text("")
    before = {path: path.read_bytes() for path in (course / "records").rglob("*.json")}
    canned_grades(course)
    assert before == {path: path.read_bytes() for path in before}
    (course / "checks" / "shared.json").write_text("{}")  # of all of them
    canned_grades(course)
    assert all(path.read_bytes() != raw for path, raw in before.items())


def unfinished(room: Room) -> list[str]:
    """What report and export say."""
    with room.course.gradebook() as gradebook:
        return outstanding(gradebook, room.course, ASSIGNMENT).sentences()


def test_a_version_that_is_not_graded_is_said(room: Room, canned_grades: Callable) -> None:
    room.submit("ada", WRONG)
    room.collect()
    canned_grades(room.root)
    room.submit("ada", RIGHT)
    room.submit("eve", RIGHT)  # never collected
    (ada,) = deliver(room.course, ASSIGNMENT)
    assert "is in the exchange; collect it, if it is to count." in ada.notes[0]
    room.collect()
    done = {each.student: each for each in deliver(room.course, ASSIGNMENT)}
    assert done["ada"].notes == [OLD_VERSION]
    assert unfinished(room) == ["Handed in and not graded: eve.", f"ada: {OLD_VERSION}"]
    assert done["eve"].problem == "It is not graded; run grade."
    canned_grades(room.root)
    done = {each.student: each for each in deliver(room.course, ASSIGNMENT)}
    assert done["ada"].notes == []
    first, second = room.read("ada")  # both versions have a page of their own
    assert "Not the square." in first
    assert "4 of 4 points" in second


def test_points_by_hand_ask_for_a_second_look_only_where_something_has_changed(
    room: Room, canned_grades: Callable, generate: Callable
) -> None:
    students = ("ada", "bob", "eve")
    for student in students:
        room.submit(student, RIGHT, why="It adds.")
    room.collect()
    canned_grades(room.root)
    for student in students:
        mark_by_hand(room, student, 2)
    mark_by_hand(room, "bob", 1, "double")  # in the place of the machine's

    def again() -> dict[str, list[str]]:
        canned_grades(room.root)
        with room.course.gradebook() as gradebook:
            return outstanding(gradebook, room.course, ASSIGNMENT).again

    change(room.root, "Not the square.", "A square is no double.")
    assert again() == {}  # nobody's answer is another
    path = room.root / "submitted" / "bob" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    path.chmod(0o644)
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(new_code_cell(""))  # as JupyterLab adds at the end
    nbformat.write(notebook, path)
    assert again() == {}
    room.submit("ada", WRONG, why="It adds.")  # the other task alone
    room.submit("eve", RIGHT, why="It adds twice.")
    room.collect()
    assert again() == {"eve": ["why"]}
    room.submit("bob", f"{RIGHT}  # so", why="It adds.")  # the same points, and other code
    room.collect()
    assert again() == {"bob": ["double"], "eve": ["why"]}
    for path in (room.root / "source" / ASSIGNMENT).glob("*.ipynb"):
        path.write_text(path.read_text().replace('"points": 3', '"points": 6'))
    generate(room.root)
    assert again() == {"ada": ["why"], "bob": ["double", "why"], "eve": ["why"]}


def test_what_came_late_is_recommended_where_it_can_have_points(
    room: Room, canned_grades: Callable
) -> None:
    room.submit("ada", RIGHT)
    room.collect()
    canned_grades(room.root)
    with room.course.gradebook() as gradebook:
        first = gradebook.find_submission(ASSIGNMENT, "ada").timestamp
        due = f"{first + timedelta(minutes=2)} UTC"
        gradebook.update_or_create_assignment(ASSIGNMENT, duedate=due)
    late = f"{first + timedelta(minutes=5)} UTC"  # as another machine's clock may have it
    handed_in(room, "ada", when=late)

    def notes() -> list[str]:
        (ada,) = deliver(Course(room.root), ASSIGNMENT, release=False)
        return ada.notes

    (said,) = notes()
    assert f"A newer version of {late}, after the due date, is in the" in said
    with (room.root / "nbgrader_config.py").open("a") as config:
        config.write("\nc.LateSubmissionPlugin.penalty_method = 'zero'\n")
    assert notes() == []
    (said,) = waiting(Course(room.root), ASSIGNMENT)
    assert "after the due date, and without any points if you collect it: ada." in said
    with room.course.gradebook() as gradebook:
        gradebook.grant_extension(ASSIGNMENT, "ada", days=2)
    newer = f"A newer version of {late} is in the exchange; collect it, if it is to count."
    assert notes() == [newer]


def test_set_aside_and_unwritable(
    room: Room, canned_grades: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    for student in ("ada", "bob"):
        room.submit(student, RIGHT)
    room.collect()
    path = room.root / "submitted" / "bob" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    path.chmod(0o644)
    path.write_text("{")
    canned_grades(room.root)
    monkeypatch.chdir(room.root)
    monkeypatch.setenv("COLUMNS", "200")
    result = CliRunner().invoke(app, ["feedback", ASSIGNMENT, "--students", "ada"])
    assert "1 page made anew, 1 released, 0 not delivered." in result.output
    result = CliRunner().invoke(app, ["feedback", ASSIGNMENT])
    assert result.exit_code == 0
    assert "It is set aside:" in result.output
    assert "1 page made anew, 2 released, 0 not delivered." in result.output
    settings = room.root / "course.toml"
    kept = settings.read_text(encoding="utf-8")
    settings.write_text(kept.replace('id = "', 'id = "another-'), encoding="utf-8")
    result = CliRunner().invoke(app, ["feedback", ASSIGNMENT])
    assert result.exit_code == 2
    assert "No set was released under the id 'another-kdlab'" in result.output
    settings.write_text(kept, encoding="utf-8")
    there = sorted(room.exchange.rglob("*.html"))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "chmod", unwritable)
        result = CliRunner().invoke(app, ["feedback", ASSIGNMENT])
    assert "ada, bob: The exchange could not be written: Read-only file system" in result.output
    assert sorted(room.exchange.rglob("*.html")) == there  # and nothing half of one
    shutil.rmtree(room.exchange)
    result = CliRunner().invoke(app, ["feedback", ASSIGNMENT])
    assert result.exit_code == 2
    assert "the exchange cannot be used" in " ".join(result.output.split())
    assert "Traceback" not in result.output


def test_who_is_set_aside_reads_why(room: Room, canned_grades: Callable) -> None:
    room.submit("ada", WRONG)
    room.submit("bob", WRONG, name="mine <b>")
    room.collect()
    (path,) = (room.root / "submitted" / "bob" / ASSIGNMENT).glob("*.ipynb")
    path.chmod(0o644)
    path.write_text("{")
    canned_grades(room.root)
    done = {each.student: each for each in deliver(room.course, ASSIGNMENT)}
    assert done["bob"].notes == [
        "It is set aside: There is no set.ipynb; there is mine <b>.ipynb, set.public.json,"
        " submission_secret.txt, timestamp.txt. Its page says so."
    ]
    (page,) = room.read("bob")
    assert "Your submission could not be graded: There is no set.ipynb" in page
    assert "<b>" not in page
    assert not any(each.made for each in deliver(room.course, ASSIGNMENT))

    # Whose newest version is set aside reads of it too, and which version the page is about.
    room.submit("ada", RIGHT)
    room.collect()
    (path,) = (room.root / "submitted" / "ada" / ASSIGNMENT).glob("*.ipynb")
    path.chmod(0o644)
    path.write_text("{")
    canned_grades(room.root)
    (ada,) = deliver(room.course, ASSIGNMENT, ["ada"])
    (note,) = ada.notes
    assert note.startswith("The last version is set aside: set.ipynb is not JSON")
    for page in room.read("ada"):
        assert "Your newest version could not be graded: set.ipynb is not JSON" in page
        assert "Not the square." in page


def test_a_reason_that_came_up_while_it_ran_is_not_told(
    room: Room, canned_grades: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code that has seen hidden inputs may have chosen it."""
    room.submit("ada", RIGHT)
    room.submit("eve", "raise ValueError('7.25')")
    room.collect()
    timestamp = room.root / "submitted" / "eve" / ASSIGNMENT / "timestamp.txt"
    timestamp.chmod(0o644)
    timestamp.write_text("2199-01-01 12:00:00 UTC")  # for an instructor to look into
    canned_grades(room.root)
    assert Records(room.root, ASSIGNMENT).read("eve").repairs[-1].endswith("look there.")
    done = {each.student: each for each in deliver(room.course, ASSIGNMENT)}
    assert "7.25" in done["eve"].notes[0]
    (page,) = room.read("eve")
    assert "could not be graded: your instructor knows the reason." in page
    assert "7.25" not in page
    assert "look there" not in page


def test_what_was_put_right_is_told(room: Room, canned_grades: Callable) -> None:
    room.submit("ada", RIGHT, name="a <script>alert(1)<b> $x$ `b`")
    room.collect()
    canned_grades(room.root)
    deliver(room.course, ASSIGNMENT)
    (page,) = room.read("ada")
    text = BeautifulSoup(page, "html.parser").get_text()
    assert "this was found, and where possible put right in a copy of it" in text
    assert "Renamed 'a <script>alert(1)<" in text
    assert "<script>alert(1)" not in page


def test_whatever_the_umask_a_student_can_read_it(room: Room, canned_grades: Callable) -> None:
    room.submit("ada", RIGHT)
    room.collect()
    canned_grades(room.root)
    before = os.umask(0o077)
    try:
        deliver(room.course, ASSIGNMENT)
    finally:
        os.umask(before)
    folder = room.exchange / "kdlab" / "feedback"
    assert folder.stat().st_mode & 0o777 == 0o711  # entered, not listed
    assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o644]


def test_no_one_else_can_write_what_was_handed_in(room: Room) -> None:
    room.submit("ada", RIGHT)
    (folder,) = (room.exchange / "kdlab" / "inbound").iterdir()
    for path in (folder, *folder.rglob("*")):
        assert not path.stat().st_mode & 0o022, path


def test_a_folder_that_is_too_large_is_a_sentence(room: Room) -> None:
    room.step(Fetch, "ada", room.home("ada"))
    with (room.home("ada") / ASSIGNMENT / "weights.bin").open("wb") as stream:
        stream.truncate(110 * 10**6)
    with pytest.raises(ExchangeError, match="holds 110 MB, and 100 MB are allowed"):
        room.step(Submit, "ada", room.home("ada"))
    assert not list((room.exchange / "kdlab" / "inbound").iterdir())


def unwritable(path: Path, mode: int) -> None:
    """Fails as `Path.chmod` does on a disk that has become read-only."""
    raise OSError(30, "Read-only file system", str(path))


def test_a_release_is_done_or_undone(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    outbound = room.exchange / room.course.coursedir.course_id / "outbound"
    copied = shutil.copyfile

    def full(source: str, target: str, **options: object) -> object:
        if str(target).endswith(".ipynb"):
            Path(target).touch()
            raise OSError(28, "No space left on device", target)
        return copied(source, target, **options)

    shutil.rmtree(outbound / ASSIGNMENT)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", full)
        with pytest.raises(ExchangeError, match=r"Nothing was released: .*No space left"):
            room.step(Release)
    assert list(outbound.iterdir()) == []
    room.step(Release)
    before = (outbound / ASSIGNMENT / f"{ASSIGNMENT}.ipynb").read_bytes()
    with pytest.raises(ExchangeError, match="add --force to overwrite"):
        room.step(Release)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", full)
        with pytest.raises(ExchangeError, match="Nothing was released"):
            room.step(Release, force=True)
    assert (outbound / ASSIGNMENT / f"{ASSIGNMENT}.ipynb").read_bytes() == before
    room.step(Release, force=True)
    assert [path.name for path in outbound.iterdir()] == [ASSIGNMENT]
    assert inbound(room).stat().st_mode & 0o7777 == 0o3733
    monkeypatch.setattr(Path, "chmod", unwritable)
    with pytest.raises(ExchangeError, match=r"Nothing was released: Read-only file system"):
        room.step(Release, force=True)
    assert (outbound / ASSIGNMENT / f"{ASSIGNMENT}.ipynb").read_bytes() == before


def test_handing_in_is_done_or_undone(room: Room) -> None:
    room.submit("ada", RIGHT)
    there = sorted(inbound(room).iterdir())
    os.mkfifo(room.home("ada") / ASSIGNMENT / "pipe")
    with pytest.raises(ExchangeError, match=r"Nothing was submitted: .*pipe.* named pipe"):
        room.step(Submit, "ada", room.home("ada"))
    assert sorted(inbound(room).iterdir()) == there
    assert len(list((room.home("ada") / "cache").rglob("timestamp.txt"))) == 1


def test_in_the_browser_a_failure_is_a_sentence(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the manager that Jupyter's server asks for its Assignment List."""
    home, names = room.home("ada"), (room.course.coursedir.course_id, ASSIGNMENT)
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    assert CliRunner().invoke(app, ["join", str(room.exchange)]).exit_code == 0
    manager = AssignmentList()
    monkeypatch.chdir(home)  # where the server is started
    manager.root_dir = str(home)
    manager.fetch_assignment(*names)
    (fetched,) = manager.list_assignments(names[0])["value"]
    assert fetched["status"] == "fetched"
    manager.fetch_assignment(*names)
    assert "already have a copy" in manager.list_assignments(names[0])["value"]
    assert manager.list_assignments(names[0])["success"]  # the next look at it is one again
    manager.fetch_feedback(*names)
    said = manager.list_assignments(names[0])["value"]
    assert said == "Nobody has been given feedback in this course yet."

    def submit() -> str:
        done = manager.submit_assignment(*names)
        assert not done["success"]
        assert done["value"].count("\n") == 0
        assert "Traceback" not in done["value"]
        return done["value"]

    os.mkfifo(home / ASSIGNMENT / "pipe")
    assert "pipe cannot be copied" in submit()
    (home / ASSIGNMENT / "pipe").unlink()
    with monkeypatch.context() as patch:
        patch.setattr("nbgrader.exchange.default.submit.check_mode", lambda path, **_: False)
        assert submit().startswith("Nothing was submitted: You don't have write permissions to")
    renamed = (home / ASSIGNMENT).rename(home / "my set")
    with pytest.raises(ExchangeError, match=f"If that is your folder of {ASSIGNMENT}, call it"):
        room.step(Submit, "ada", home, name="my set")
    renamed.rename(home / ASSIGNMENT)
    shutil.rmtree(room.exchange / names[0] / "outbound" / ASSIGNMENT)
    assert submit() == (
        f"Nothing was submitted: {ASSIGNMENT} is not released in the course {names[0]}, or not any"
        " more. Ask your instructor."
    )
    shutil.rmtree(room.exchange)
    assert "contact your instructor" in submit()
    assert manager.list_assignments(names[0])["value"].startswith("The exchange, in which")
