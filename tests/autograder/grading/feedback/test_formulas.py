"""The pages of formgrader and feedback: formulas without a network, and nothing that could run."""

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import bs4
import nbformat
import pytest
from nbconvert.exporters import HTMLExporter
from nbformat.v4 import new_markdown_cell
from nbgrader.converters import GenerateFeedback
from nbgrader.server_extensions.formgrader.formgrader import FormgradeExtension

from autograder.grading.course import Course
from autograder.grading.feedback.formulas import ATTRIBUTES, mathml

ASSIGNMENT = "set"
FORMULA = r"$\mathrm{KL}(p \,\|\, q) = \sum_{v} p_v \, \log \frac{p_v}{q_v}$"
ELSEWHERE = re.compile(r"""(?:src|href)\s*=\s*["']?\s*(?:https?:)?//(?!book/)|url\(\s*["']?http""")


def formgrader(root: Path, monkeypatch: pytest.MonkeyPatch) -> HTMLExporter:
    """What formgrader renders with, on a server that is started in the course's folder."""
    monkeypatch.chdir(root)
    app = FormgradeExtension()
    app.initialize([])
    return HTMLExporter(config=app.config)


def shown_by_formgrader(exporter: HTMLExporter, path: Path) -> str:
    resources = {
        "assignment_id": ASSIGNMENT,
        "notebook_id": ASSIGNMENT,
        "submission_id": "1",
        "index": 0,
        "total": 1,
        "base_url": "",
        "student": "ada",
        "last_name": None,
        "first_name": None,
        "notebook_path": "",
    }
    return exporter.from_filename(str(path), resources=resources)[0]


def test_feedback_and_formgrader_ask_nothing_of_a_network(
    course: Path, canned_grades: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = course / "submitted" / "ada" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(new_markdown_cell(f"Mine: {FORMULA}\n\n$$x^2$$"))
    nbformat.write(notebook, path)
    canned_grades(course)
    graded = Course(course)
    GenerateFeedback(
        coursedir=graded.coursedir_for(assignment_id=ASSIGNMENT), config=graded.config
    ).start()
    feedback = (course / "feedback" / "ada" / ASSIGNMENT / f"{ASSIGNMENT}.html").read_text("utf-8")
    page = shown_by_formgrader(
        formgrader(course, monkeypatch),
        course / "autograded" / "ada" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb",
    )
    for text in (feedback, page):
        assert not ELSEWHERE.search(text), ELSEWHERE.search(text)
        assert "MathJax.Hub" not in text
        assert ("The points in the box above count." in text) == (text is page)
        soup = bs4.BeautifulSoup(text, "html.parser")
        assert [tag["display"] for tag in soup.find_all("math")] == ["inline", "block"]
        assert "∑" in soup.find("math").get_text()
    assert not bs4.BeautifulSoup(feedback, "html.parser").find_all("script")


@pytest.mark.parametrize(
    "tex",
    [
        r"\mathrm{KD} = \frac{T^2}{N} \sum_{i=1}^{N} \mathrm{KL}\left(p_i \,\|\, q_i\right)",
        r"\bigl((1 - \alpha) \cdot \mathrm{LM}\bigr)",
        r"\begin{cases} 1 & x > 0 \\ 0 & x \le 0 \end{cases}",
        r"\hat{\theta} = \operatorname{argmax}_\theta \mathbb{E}_{x \sim p}[\log q(x)]",
        "x < y",
    ],
)
def test_formulas_of_the_course_are_drawn(tex: str) -> None:
    assert mathml(tex, "inline").startswith("<math")


@pytest.mark.parametrize(
    "tex",
    [
        r"\text{<script>ran = 1</script>}",
        r"\href{javascript:ran=1}{x}",
        r"\style{background:url(http://x)}{x}",
        r"\class{x}{y} \cssId{x}{y}",
        r"\frac{",
        "",
        r"\def\x{\x\x}\x",
        "{" * 1500,
        "x^" * 5000,
        r"\frac{1}{" * 900 + "1" + "}" * 900,
        r"\unicode{x3c}img\ src=x\unicode{x3e}",
        r"\begin{matrix} a & b",
        "a & b </math><img src=x onerror='ran=1'>",
    ],
)
def test_no_formula_runs_and_none_keeps_a_page_from_being_made(tex: str) -> None:
    made = mathml(tex, "inline")
    root = ElementTree.fromstring(made)  # all of it is text or MathML
    assert root.tag in ("math", "code")
    for element in root.iter():
        assert element.tag not in ("script", "img", "a", "style")
        assert set(element.attrib) <= ATTRIBUTES
