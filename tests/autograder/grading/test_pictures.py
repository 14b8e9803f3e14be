"""Pictures in written answers are seen by who marks them; those that are not are named."""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path

import bs4
import nbformat
import pytest
from nbconvert.exporters import HTMLExporter

from autograder.grading.course import Course
from autograder.grading.delivery import deliver
from autograder.grading.record import Records

ASSIGNMENT = "set"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
JPEG = b"\xff\xd8\xff" + bytes(40)
SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='ran=1'/>"


def text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def answer(course: Path, source: str, attachments: dict | None = None, **files: bytes) -> None:
    """Ada answers in words and pictures."""
    folder = course / "submitted" / "ada" / ASSIGNMENT
    path = folder / f"{ASSIGNMENT}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    (cell,) = (each for each in notebook.cells if each.metadata.nbgrader.grade_id == "why")
    cell.source = source
    if attachments:
        cell.attachments = attachments
    path.write_text(json.dumps(notebook), encoding="utf-8")
    for name, raw in files.items():
        (folder / name.replace("_dot_", ".")).write_bytes(raw)


def seen(course: Path, canned_grades: Callable) -> tuple[list[bytes], list[bytes], list[str]]:
    """The pictures on formgrader's page and on the feedback's, and what is said of others."""
    canned_grades(course)
    deliver(Course(course), ASSIGNMENT, ["ada"], release=False)
    graded = course / "autograded" / "ada" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    nbformat.validate(nbformat.read(graded, as_version=4))
    pages = [
        HTMLExporter(template_name="classic").from_filename(str(graded))[0],
        (course / "feedback" / "ada" / ASSIGNMENT / f"{ASSIGNMENT}.html").read_text("utf-8"),
    ]
    found = []
    for page in pages:
        soup = bs4.BeautifulSoup(page, "html.parser")
        sources = [tag["src"] for tag in soup.find_all("img")]
        assert all(re.match("data:image/(png|jpeg|gif|webp);base64,", each) for each in sources)
        found.append([base64.b64decode(each.partition(",")[2]) for each in sources])
    record = Records(course, ASSIGNMENT).read("ada")
    return *found, [each for each in record.repairs if "picture" in each]


@pytest.mark.parametrize(
    ("source", "attachments", "files"),
    [
        ("See ![plot](attachment:image.png).", {"image.png": {"image/png": text(PNG)}}, {}),
        ("See ![](attachment:a%20b.png)", {"a b.png": {"image/png": text(PNG)}}, {}),
        (f"![plot](data:image/png;base64,{text(PNG)})", None, {}),
        (f'<img width=3 src="data:image/png;base64,{text(PNG)}">', None, {}),
        ("![plot](plot.png)", None, {"plot_dot_png": PNG}),
        ("![plot](./plot.png 'my plot')", None, {"plot_dot_png": PNG}),
        ("<img src='plot.png'>", None, {"plot_dot_png": PNG}),
    ],
)
def test_a_picture_is_seen_wherever_it_was_put(
    course: Path, canned_grades: Callable, source: str, attachments: dict, files: dict
) -> None:
    answer(course, source, attachments, **files)
    formgrader, feedback, said = seen(course, canned_grades)
    assert formgrader == feedback == [PNG]
    assert said == []


def test_several_stay_in_their_order(course: Path, canned_grades: Callable) -> None:
    pasted = {"one.png": {"image/png": text(PNG)}, "two.jpg": {"image/jpeg": text(JPEG)}}
    answer(course, "![](attachment:one.png) ![](attachment:two.jpg)", pasted)
    formgrader, feedback, said = seen(course, canned_grades)
    assert formgrader == feedback == [PNG, JPEG]
    assert said == []


@pytest.mark.parametrize(
    ("source", "attachments", "files", "wanted"),
    [
        ("![](attachment:x.svg)", {"x.svg": {"image/svg+xml": text(SVG)}}, {}, "is not shown"),
        ("![](attachment:x.png)", {"x.png": {"image/png": text(SVG)}}, {}, "is not shown"),
        ("![](attachment:x.png)", {"x.png": {"image/png": "!!"}}, {}, "is not shown"),
        ("![](attachment:x.png)", {"x.png": {}}, {}, "is not shown"),
        ("![](attachment:gone.png)", None, {}, "is not in the notebook"),
        ("![](gone.png)", None, {}, "was not handed in"),
        ("![](http://elsewhere/x.png)", None, {}, "was not handed in"),
        ("![](sheet.pdf)", None, {"sheet_dot_pdf": b"%PDF-"}, "is not shown"),
        (
            "![](attachment:x.png)",
            {"x.png": {"image/png": text(PNG + bytes(5 * 2**20))}},
            {},
            "are allowed",
        ),
    ],
)
def test_one_that_is_not_shown_is_said(
    course: Path,
    canned_grades: Callable,
    source: str,
    attachments: dict,
    files: dict,
    wanted: str,
) -> None:
    answer(course, source, attachments, **files)
    formgrader, feedback, said = seen(course, canned_grades)
    assert formgrader == feedback == []
    assert len(said) == 1
    assert wanted in said[0]
    assert "why" in said[0]


def test_names_of_attachments_do_nothing(course: Path, canned_grades: Callable) -> None:
    evil = "x\" onerror='ran=1' .png"
    answer(course, "Mine.", {evil: {"image/png": text(PNG)}, "picture-1": {"image/png": "<b>"}})
    formgrader, _, said = seen(course, canned_grades)
    assert formgrader == [PNG]
    assert len(said) == 1


def test_an_answer_in_another_cell_is_said(course: Path, canned_grades: Callable) -> None:
    path = course / "submitted" / "bob" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_markdown_cell("It squares, because I wrote so."))
    nbformat.write(notebook, path)
    (said,) = canned_grades(course)["bob"].repairs
    assert "why is untouched" in said
    assert "text in cells of the student's own (1), so it waits for a person" in said
    with Course(course).gradebook() as gradebook:
        grade = gradebook.find_grade("why", ASSIGNMENT, ASSIGNMENT, "bob")
        assert (grade.auto_score, grade.needs_manual_grade) == (None, True)
