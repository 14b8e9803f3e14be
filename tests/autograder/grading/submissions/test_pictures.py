"""Pictures in written answers are seen by who marks them; those that are not are named."""

import base64
import json
import re
import shutil
import unicodedata
from collections.abc import Callable
from functools import cache
from pathlib import Path

import bs4
import nbformat
from nbconvert.exporters import HTMLExporter
from nbformat.v4 import new_markdown_cell

from autograder.grading.course import Course
from autograder.grading.feedback.delivery import deliver
from autograder.grading.records import Records
from autograder.grading.submissions.pictures import gather

ASSIGNMENT = "set"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
JPEG = b"\xff\xd8\xff" + bytes(40)
SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='ran=1'/>"


def text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def answer(
    course: Path, student: str, source: str, attachments: dict | None = None, **files: bytes
) -> None:
    """A student answers in words and pictures."""
    folder = course / "submitted" / student / ASSIGNMENT
    path = folder / f"{ASSIGNMENT}.ipynb"
    if not folder.exists():
        shutil.copytree(course / "submitted" / "ada" / ASSIGNMENT, folder)
    notebook = nbformat.read(path, as_version=4)
    (cell,) = (each for each in notebook.cells if each.metadata.nbgrader.grade_id == "why")
    cell.source = source
    if attachments:
        cell.attachments = attachments
    path.write_text(json.dumps(notebook), encoding="utf-8")
    for name, raw in files.items():
        (folder / name.replace("_dot_", ".")).write_bytes(raw)


@cache
def exporter() -> HTMLExporter:
    """What formgrader shows notebooks with."""
    return HTMLExporter(template_name="classic")


def seen(course: Path, student: str) -> tuple[list[bytes], list[bytes], list[str]]:
    """The pictures on formgrader's page and on the feedback's, and what is said of others."""
    graded = course / "autograded" / student / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    nbformat.validate(nbformat.read(graded, as_version=4))
    pages = [
        exporter().from_filename(str(graded))[0],
        (course / "feedback" / student / ASSIGNMENT / f"{ASSIGNMENT}.html").read_text("utf-8"),
    ]
    found = []
    for page in pages:
        soup = bs4.BeautifulSoup(page, "html.parser")
        sources = [tag["src"] for tag in soup.find_all("img")]
        assert all(re.match("data:image/(png|jpeg|gif|webp);base64,", each) for each in sources)
        found.append([base64.b64decode(each.partition(",")[2]) for each in sources])
    record = Records(course, ASSIGNMENT).read(student)
    return *found, [each for each in record.repairs if "picture" in each]


SHOWN = (
    ("See ![plot](attachment:image.png).", {"image.png": {"image/png": text(PNG)}}, {}),
    ("See ![](attachment:a%20b.png)", {"a b.png": {"image/png": text(PNG)}}, {}),
    (f"![plot](data:image/png;base64,{text(PNG)})", None, {}),
    (f'<img width=3 src="data:image/png;base64,{text(PNG)}">', None, {}),
    ("![plot](plot.png)", None, {"plot_dot_png": PNG}),
    ("![plot](./plot.png 'my plot')", None, {"plot_dot_png": PNG}),
    ("<img src='plot.png'>", None, {"plot_dot_png": PNG}),
    # What JupyterLab shows as well: other ways to write an address, and names as a Mac keeps them.
    ("![](plot%20(1).png)", None, {"plot (1).png": PNG}),
    ("![](<my plot (1).png>)", None, {"my plot (1).png": PNG}),
    ("![](attachment:a%20(1).png)", {"a (1).png": {"image/png": text(PNG)}}, {}),
    ("![see [1] here](plot.png)", None, {"plot_dot_png": PNG}),
    ("![plot][1]\n\n[1]: plot.png", None, {"plot_dot_png": PNG}),
    ('<img alt="" src="my plot &amp; more.png">', None, {"my plot & more.png": PNG}),
    ("![](Größe.png)", None, {unicodedata.normalize("NFD", "Größe.png"): PNG}),
    ("![](Plot.PNG)", None, {"plot_dot_png": PNG}),
    ("![](images/../plot.png)", None, {"plot_dot_png": PNG}),
    ("![](plot.png) Write `![](gone.png)` for it.", None, {"plot_dot_png": PNG}),
)
NOT_SHOWN = (
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
)
SEVERAL = {"one.png": {"image/png": text(PNG)}, "two.jpg": {"image/jpeg": text(JPEG)}}


def test_pictures_are_seen_wherever_they_were_put_and_others_are_named(
    course: Path, canned_grades: Callable
) -> None:
    """One answer a student, so that the class is graded once."""
    for number, (source, attachments, files) in enumerate(SHOWN):
        answer(course, f"shown{number}", source, attachments, **files)
    for number, (source, attachments, files, _) in enumerate(NOT_SHOWN):
        answer(course, f"not{number}", source, attachments, **files)
    answer(course, "several", "![](attachment:one.png) ![](attachment:two.jpg)", SEVERAL)
    evil = "x\" onerror='ran=1' .png"
    names = {evil: {"image/png": text(PNG)}, "picture-1": {"image/png": "<b>"}}
    answer(course, "evil", "Mine.", names)
    canned_grades(course)
    deliver(Course(course), ASSIGNMENT, release=False)
    for number, (source, *_) in enumerate(SHOWN):
        assert seen(course, f"shown{number}") == ([PNG], [PNG], []), source
    for number, (source, _, _, wanted) in enumerate(NOT_SHOWN):
        formgrader, feedback, said = seen(course, f"not{number}")
        assert formgrader == feedback == [], source
        assert [wanted in each and "why" in each for each in said] == [True], source
    assert seen(course, "several") == ([PNG, JPEG], [PNG, JPEG], [])
    formgrader, _, said = seen(course, "evil")
    assert formgrader == [PNG]
    assert len(said) == 1


def test_pictures_of_the_sets_own_text_and_of_comments_cost_nobody_a_page(
    course: Path, canned_grades: Callable, generate: Callable
) -> None:
    """Pasted by the instructor, lying beside the notebook, quoted in a comment, or elsewhere."""
    path = course / "source" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    told = notebook.cells[0]
    told.source += "\n\n![](attachment:a%20(1).png) ![](my%20figure.png) ![far](http://far/x.png)"
    told.source += " ![book](../../../gradebook.db) ![here](.) ![nul](../a%00)"
    told.source += " <img src='my%20figure.png' srcset='http://far/x.png 2x' width=9>"
    told.source += " <img alt=there src=http://far/y.png> <IMG alt=marks src=../../../gradebook.db>"
    told.source += """\n\n<figure>\n<img alt="a > b"\n src="my figure.png"/>\n</figure>\n\nBelow."""
    told.attachments = {"a (1).png": {"image/png": text(PNG)}}
    nbformat.write(notebook, path)
    path.with_name("my figure.png").write_bytes(JPEG)
    generate(course)
    shutil.rmtree(course / "submitted" / "ada" / ASSIGNMENT)
    shutil.copytree(course / "release" / ASSIGNMENT, course / "submitted" / "ada" / ASSIGNMENT)
    answer(course, "ada", "Mine.")
    folder = course / "submitted" / "cy" / ASSIGNMENT
    folder.mkdir(parents=True)  # who hands in the notebook alone
    shutil.copy(course / "submitted" / "ada" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb", folder)
    canned_grades(course)
    with Course(course).gradebook() as gradebook:
        comments = gradebook.find_submission_notebook(ASSIGNMENT, ASSIGNMENT, "ada").comments
        next(c for c in comments if c.name == "why").manual_comment = "![gone](attachment:b.png)"
        gradebook.db.commit()
    deliver(Course(course), ASSIGNMENT, ["ada", "cy"], release=False)
    for student in ("ada", "cy"):
        page = course / "feedback" / student / ASSIGNMENT / f"{ASSIGNMENT}.html"
        soup = bs4.BeautifulSoup(page.read_text("utf-8"), "html.parser")
        shown = [tag["src"].partition("base64,")[2] for tag in soup.find_all("img")]
        assert list(map(base64.b64decode, shown)) == [PNG, JPEG, JPEG, JPEG]
        assert soup.find("a", href="http://far/x.png").get_text() == "far"
        assert soup.find("a", href="http://far/y.png").get_text() == "there"
        assert {"book", "here", "marks", "Below."} <= set(soup.get_text().split())
        assert "srcset" not in str(soup)
        assert soup.find("img", width="9")
        assert soup.find("figure").img["alt"] == "a > b"
        assert ("gone" in soup.get_text()) == (student == "ada")  # in her comment


def test_a_picture_of_an_answer_below_the_question_is_seen_once(
    course: Path, canned_grades: Callable
) -> None:
    """The question's cell is put back, and a copy of it is marked."""
    path = course / "submitted" / "ada" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].source += "\n\nMy answer: ![](attachment:image.png)"
    notebook.cells[0].attachments = {"image.png": {"image/png": text(PNG)}}
    path.write_text(json.dumps(notebook), encoding="utf-8")
    canned_grades(course)
    deliver(Course(course), ASSIGNMENT, ["ada"], release=False)
    assert seen(course, "ada") == ([PNG], [PNG], [])


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


def test_pictures_of_a_long_text_are_found_and_the_text_is_kept() -> None:
    long = text(PNG + bytes(60_000))
    wrapped = "\n".join(long[at : at + 76] for at in range(0, len(long), 76))
    words = [
        f"![one](data:image/png;base64,{long})",
        f"[two]: data:image/png;base64,{long}\nWords below ![it][two]",
        f'<img src="data:image/png;base64,{wrapped}" alt="three">',
        "a" + " " * 500_000 + "b",
        "![four](four.png)",
    ]
    cell, said = new_markdown_cell("\n\n".join(words)), []
    gather(cell, None, {"four.png": PNG}, "why", said)
    assert (len(cell.attachments), said) == (4, [])
    assert "Words below" in cell.source
    assert long[:100] not in cell.source
