"""The class at a glance: right numbers, a page that needs no network and is read aloud well."""

import csv
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import bs4
import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook
from playwright.sync_api import Page
from typer.testing import CliRunner

from autograder.commands.cli import app
from autograder.grading.course import Course
from autograder.grading.feedback.overview import sentences
from autograder.grading.marks import report_page
from autograder.grading.marks.outstanding import outstanding
from autograder.grading.marks.report import Report, Student, gather_report
from tests.autograder.conftest import make_source, marked
from tests.browsing import chromium

ASSIGNMENT = "set"


@pytest.fixture
def report(course: Path, canned_grades: Callable, monkeypatch: pytest.MonkeyPatch) -> Report:
    with Course(course).gradebook() as gradebook:
        gradebook.add_student("ada", first_name="Ada", last_name="=1+1 <b>Lovelace</b>")
        gradebook.add_student("zoë", first_name="Zoë")  # hands nothing in
        gradebook.update_or_create_assignment(ASSIGNMENT, duedate="2026-01-30 13:30:00 UTC")
    for name, raw in (("mad", b"{"), ("new", None)):
        shutil.copytree(course / "submitted" / "bob", course / "submitted" / name)
        if raw:
            (course / "submitted" / name / ASSIGNMENT / f"{ASSIGNMENT}.ipynb").write_bytes(raw)
    canned_grades(course)
    (course / "records" / ASSIGNMENT / "new.json").unlink()
    with Course(course).gradebook() as gradebook:
        gradebook.remove_submission(ASSIGNMENT, "new")
    monkeypatch.chdir(course)
    monkeypatch.setenv("COLUMNS", "300")
    return gather_report(Course(course), ASSIGNMENT)


def test_the_numbers(report: Report) -> None:
    students = {each.id: each for each in report.students}
    assert {name: each.state for name, each in students.items()} == {
        "ada": "graded",
        "bob": "graded",
        "eve": "graded",
        "joe": "graded",
        "mad": "set aside",
        "new": "not graded",
        "zoë": "nothing handed in",
    }
    assert students["ada"].points == {"double": 4, "why": None}
    assert students["joe"].points == {"double": 3, "why": 0}
    assert students["bob"].misconceptions == {"double": "square"}
    assert students["ada"].late == 7200
    assert students["mad"].score is None
    double, why = report.tasks.values()
    assert (double.most, double.mean, double.full) == (4, 7 / 4, 1)
    assert double.misconceptions == {"square": {"Not the square.": ["bob"]}}
    assert (why.by_machine, sorted(why.points)) == (False, ["bob", "eve", "joe"])
    assert report.waits.unmarked == {"ada": ["why"]}
    assert list(report.waits.aside) == ["mad"]
    assert report.waits.ungraded == ["new"]
    figures = report.figures()
    assert (figures["median"], figures["mean"]) == ("1.5 of 7", "1.75 of 7")
    assert (figures["MiB a notebook, median"], figures["MiB, the most"]) == ("345", "345")
    assert figures["MiB a notebook may use"] == "2048"
    assert figures["answers that wait for a person"] == "1"
    assert figures["late"] == "4"


def test_a_gradebook_that_is_older_than_the_grading_is_said_and_brought_up_to_date(
    course: Path, canned_grades: Callable, hand_in: Callable
) -> None:
    """A copy of it was put back, from before two students handed in again."""
    canned_grades(course)
    shutil.copy(course / "gradebook.db", course / "copy.db")
    for student, answer in (("bob", "def double(x):\n    return 2 * x"), ("eve", None)):
        shutil.rmtree(course / "submitted" / student)
        folder = hand_in(course, student, answer).parent
        (folder / "timestamp.txt").write_text("2026-02-01 10:00:00 UTC")
    canned_grades(course)
    before = gather_report(Course(course), ASSIGNMENT)
    (course / "copy.db").rename(course / "gradebook.db")
    (said,) = gather_report(Course(course), ASSIGNMENT).waits.old.items()
    assert (said[0].partition(",")[0], said[1]) == (
        "The gradebook has another version than was graded last",
        ["bob", "eve"],
    )
    canned_grades(course)
    after = gather_report(Course(course), ASSIGNMENT)
    assert (after.students, after.waits) == (before.students, before.waits)


def test_who_is_set_aside_and_has_an_older_mark_is_not_said_to_have_none(
    report: Report, course: Path, canned_grades: Callable
) -> None:
    (course / "submitted" / "joe" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb").write_text("{")
    canned_grades(course)
    again = gather_report(Course(course), ASSIGNMENT)
    said = again.waits.sentences()
    assert "Set aside, with no marks: mad." in said
    assert "Set aside, with the mark of an older version: joe." in said
    (joe,) = (each for each in again.students if each.id == "joe")
    assert (joe.state, joe.score) == ("set aside", 3)


def test_points_by_a_person_beyond_what_there_is_are_named(report: Report, course: Path) -> None:
    """Formgrader takes 22, typed for 2, as extra credit."""
    with Course(course).gradebook() as gradebook:
        grade = gradebook.find_grade("why", ASSIGNMENT, ASSIGNMENT, "ada")
        grade.manual_score, grade.extra_credit = 3, 19
        gradebook.db.commit()
    (ada, *_) = gather_report(Course(course), ASSIGNMENT).students
    assert (ada.id, ada.score, ada.notes) == ("ada", 26, ["why: a person gave 22 of 3."])


def test_cells_of_one_name_in_two_notebooks_are_two_tasks(
    empty_course: Path,
    canned_grades: Callable,
    generate: Callable,
    hand_in: Callable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """nbgrader's names of cells are each notebook's own."""
    second = new_markdown_cell("Say more.")
    cells = [marked(second, "why", points=3, solution=True)]
    kernel = make_source().metadata
    nbformat.write(
        new_notebook(cells=cells, metadata=kernel), empty_course / "source" / "set" / "part2.ipynb"
    )
    generate(empty_course)
    path = hand_in(empty_course, "ada", "def double(x):\n    return x**2", why="It adds.")
    text = (empty_course / "release" / ASSIGNMENT / "part2.ipynb").read_text()
    (path.parent / "part2.ipynb").write_text(text.replace("Say more.", "It does."))
    records = canned_grades(empty_course)
    with Course(empty_course).gradebook() as gradebook:
        waits = outstanding(gradebook, None, ASSIGNMENT)
        assert waits.unmarked == {"ada": ["set: why"]}
        said = sentences(gradebook, ASSIGNMENT, "ada", records["ada"])
        assert "Nobody has marked set: why yet; the points below are without." in said
        for notebook, points in (("set", 3), ("part2", 4)):
            grade = gradebook.find_grade("why", notebook, ASSIGNMENT, "ada")
            grade.manual_score, grade.needs_manual_grade = min(points, 3), False
            grade.extra_credit = points - 3
        gradebook.db.commit()
    report = gather_report(Course(empty_course), ASSIGNMENT)
    (ada,) = report.students
    assert (report.most, ada.score) == (10, 7)
    assert ada.points == {"double": 0, "set: why": 3, "part2: why": 4}
    assert ada.notes == ["part2: why: a person gave 4 of 3."]
    assert {name: (task.most, task.points) for name, task in report.tasks.items()} == {
        "part2: why": (3, {"ada": 4}),
        "double": (4, {"ada": 0}),
        "set: why": (3, {"ada": 3}),
    }
    assert report.tasks["double"].misconceptions == {"square": {"Not the square.": ["ada"]}}
    monkeypatch.chdir(empty_course)
    assert CliRunner().invoke(app, ["report"]).exit_code == 0
    soup = bs4.BeautifulSoup((empty_course / "report.html").read_text(), "html.parser")
    assert "Points of 10;" in soup.get_text(" ")
    heads = [button.text for button in soup.find_all("table")[-1].find_all("button")]
    assert heads[2:6] == ["points", "part2: why", "double", "set: why"]
    with (empty_course / "report.csv").open(encoding="utf-8", newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["of"], row["set: why"], row["part2: why"]) == ("10.0", "3.0", "4.0")


def test_of_a_misconception_with_several_hints_each_is_shown_with_who_is_told_it(
    report: Report,
) -> None:
    (double, _) = report.tasks.values()
    double.misconceptions["square"] = {"Twice <it>.": ["ada", "joe"], "Three times.": ["bob"]}
    html = report_page.page("kdlab", "now", [report])
    assert "ada, joe: Twice &lt;it&gt;.<br>bob: Three times." in html
    double.misconceptions["square"] |= {f"{n} times.": ["eve"] for n in (4, 5, 6)}
    assert "and 2 more of the kind" in report_page.page("kdlab", "now", [report])


def test_the_command_makes_a_page_and_a_table(report: Report, course: Path) -> None:
    result = CliRunner().invoke(app, ["report"])
    assert result.exit_code == 0, result.output
    assert "set: 1 answer waits for marks by a person, in Formgrader's" in result.output
    assert "set: Set aside, with no marks: mad." in result.output
    for name in ("report.html", "report.csv"):
        assert (course / name).stat().st_mode & 0o777 == 0o600
    page = (course / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://|//cdn|<b>Lovelace", page)
    soup = bs4.BeautifulSoup(page, "html.parser")
    text = soup.get_text(" ")
    for words in ("Not the square.", "mad", "is not JSON", "1 answer waits", "nothing handed in"):
        assert words in text
    with (course / "report.csv").open(encoding="utf-8", newline="") as stream:
        rows = {row["student"]: row for row in csv.DictReader(stream)}
    assert rows["joe"]["score"] == "3.0"
    assert rows["bob"]["double_misconception"] == "square"
    assert rows["ada"]["why"] == ""
    assert (rows["mad"]["score"], rows["mad"]["mib"], rows["ada"]["mib"]) == ("", "", "345")
    assert not any(value.startswith("=") for row in rows.values() for value in row.values())


def test_a_class_of_nobody(empty_course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(empty_course)
    assert CliRunner().invoke(app, ["report"]).exit_code == 0
    assert "Nothing was handed in yet." in (empty_course / "report.html").read_text()
    assert CliRunner().invoke(app, ["report", ASSIGNMENT]).exit_code == 0
    result = CliRunner().invoke(app, ["report", "no_such"])
    assert result.exit_code == 2
    assert "There is no assignment 'no_such'" in " ".join(result.output.split())


@pytest.mark.parametrize("to", ["marks.csv", "MARKS.CSV", ".", "..", "checks", ""])
def test_a_page_that_would_have_no_place_of_its_own_is_refused(
    empty_course: Path, monkeypatch: pytest.MonkeyPatch, to: str
) -> None:
    monkeypatch.chdir(empty_course)
    before = sorted(empty_course.iterdir())
    result = CliRunner().invoke(app, ["report", "--to", to])
    assert result.exit_code == 2
    assert "Name the page's file" in result.output
    assert "Traceback" not in result.output
    assert sorted(empty_course.iterdir()) == before


def test_a_page_goes_into_the_home_that_is_meant(
    empty_course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell leaves ~ as it is in --to=~/page.html."""
    monkeypatch.chdir(empty_course)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert CliRunner().invoke(app, ["report", "--to=~/page.html"]).exit_code == 0
    assert (tmp_path / "page.html").exists()
    assert (tmp_path / "page.csv").exists()


@pytest.fixture
def page(report: Report, course: Path) -> Iterator[Page]:
    CliRunner().invoke(app, ["report"])
    with chromium() as browser:
        page = browser.new_page()
        page.goto((course / "report.html").as_uri())
        yield page


@pytest.mark.slow
def test_it_sorts_numbers_that_texts_hold_and_what_has_no_number_comes_last(
    report: Report,
) -> None:
    names = ["s10", "3xyz", "s2", "3abc", "12", "7"]
    report.students = [
        Student(name, score=score)
        for name, score in zip(names, (0.0, None, 12.5, None, 3.0, -1.0), strict=True)
    ]
    with chromium() as browser:
        page = browser.new_page()
        page.set_content(report_page.page("kdlab", "now", [report]))
        table = page.locator("table").last
        lines = table.locator("tbody tr th")
        table.get_by_role("button", name="student").click()
        assert lines.all_inner_texts() == ["7", "12", "3abc", "3xyz", "s2", "s10"]
        table.get_by_role("button", name="points").click()
        assert lines.all_inner_texts()[:4] == ["7", "s10", "12", "s2"]


@pytest.mark.slow
def test_it_sorts_and_is_accessible(page: Page) -> None:
    from axe_playwright_python.sync_playwright import Axe

    table = page.locator("table").last
    first = table.locator("tbody tr th").first
    button = table.get_by_role("button", name="points")
    button.press("Enter")  # by keyboard
    assert table.locator("th[aria-sort=ascending]").count() == 1
    assert first.inner_text() in ("bob", "eve")
    button.press("Enter")
    assert first.inner_text() == "ada"
    table.get_by_role("button", name="student").click()
    assert first.inner_text() == "ada"
    width = first.evaluate("cell => { cell.textContent = 'x'.repeat(80); return cell.offsetWidth }")
    assert width < 400  # whoever is called so hides nobody's marks
    # JupyterLab shows it in a frame without scripts until it is trusted.
    plain = page.context.browser.new_context(java_script_enabled=False).new_page()
    plain.goto(page.url)
    wanted = "after a click on Trust HTML"
    assert wanted in plain.locator("caption").first.inner_text()
    assert wanted not in page.locator("caption").first.inner_text()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            found = Axe().run(page).response["violations"]
            assert [(each["id"], each["nodes"][0]["html"][:80]) for each in found] == []
