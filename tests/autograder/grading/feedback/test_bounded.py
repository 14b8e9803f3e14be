"""Pages of texts that were made to be slow: each of these took minutes or hours."""

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from autograder.cells import OF_GRADER
from autograder.grading.course import Course
from autograder.grading.feedback.bounded import ansi2html, highlight_code
from autograder.grading.feedback.delivery import deliver
from autograder.grading.feedback.formulas import markdown2html
from tests.autograder.grading.feedback.test_formulas import formgrader, shown_by_formgrader

SLOW = (
    "a" + " " * 500_000 + "b",
    "\\\\[ " * 100_000,
    r"\begin{a}" * 50_000,
    "$ " * 200_000,
    "![" * 250_000,
)


def test_code_is_coloured_and_blank_lines_cost_nothing() -> None:
    assert '<span class="k">def</span>' in highlight_code("def f(x):\n    return x")
    assert '<span class="n">y</span>' in highlight_code("x = 1\n" + " \n" * 20_000 + "y = 2")
    assert highlight_code("x < 1\n" + " \n" * 200_000 + "y").count("&lt;") == 1


def test_colours_of_a_terminal_are_kept_unless_there_are_too_many() -> None:
    assert 'class="ansi-red-fg"' in ansi2html("\x1b[31mred\x1b[0m")
    assert ansi2html("<\x1b[1m" * 200_000) == "&lt;" * 200_000


@pytest.mark.parametrize("slow", SLOW, ids=range(len(SLOW)))
def test_a_paragraph_without_end_is_shown_as_it_is_and_the_others_are_laid_out(slow: str) -> None:
    page = markdown2html({}, f"**before**\n\n{slow}\n\n**after**")
    assert page.count("<strong>") == 2
    assert page.count("<pre>") == 1


def test_a_long_text_is_laid_out_in_pieces_and_the_graders_own_whole() -> None:
    text = "A *word* and $x$.\n\n" * 2_000
    page = markdown2html({}, text)
    assert page.count("<em>") == page.count("<math") == 2_000
    alert = f"<div>{'<p>x</p>' * 5_000}</div>"
    cell = new_markdown_cell(alert, metadata={OF_GRADER: True})
    assert markdown2html({"cell": cell}, alert).strip() == alert
    assert markdown2html({"cell": new_markdown_cell(alert)}, alert).startswith("<pre>&lt;div")


def test_such_a_submission_is_graded_and_its_pages_are_made(
    course: Path, canned_grades: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = course / "submitted" / "ada" / "set" / "set.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells += [new_markdown_cell(slow) for slow in SLOW]
    for source in ("x = 1\n" + " \n" * 200_000 + "y = 2", "%a\n" * 6_000):
        notebook.cells.append(new_code_cell(source))
    nbformat.write(notebook, path)
    assert canned_grades(course)["ada"].reason == ""
    (made,) = deliver(Course(course), "set", ["ada"], release=False)
    assert (made.made, made.problem) == (True, "")
    graded = course / "autograded" / "ada" / "set" / "set.ipynb"
    notebook = nbformat.read(graded, as_version=4)
    notebook.cells[-1].outputs = [new_output("stream", text="\x1b[1m" * 250_000 + "here")]
    graded.chmod(0o644)  # nbgrader protects it
    nbformat.write(notebook, graded)
    assert "<pre>here</pre>" in shown_by_formgrader(
        formgrader(course, monkeypatch), graded
    ).replace("\n", "")
