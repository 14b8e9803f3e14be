"""What instructors and students are shown: verdicts, and nothing of a student's that could run."""

import base64
import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from itertools import product
from pathlib import Path

import bs4
import nbformat
import pytest
from nbconvert.exporters import HTMLExporter
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell
from nbgrader.converters import GenerateFeedback
from nbgrader.server_extensions.formgrader import handlers

from autograder.cells import VERDICT_MIME
from autograder.grading.course import Course
from autograder.grading.feedback.inert import MakeInert, inert_markdown
from autograder.grading.feedback.verdicts import ForStudents
from autograder.judging.rubric import Section
from autograder.judging.verdict import Status, Verdict
from tests.browsing import chromium

ASSIGNMENT = "set"
RUN = "window.parent.ran = window.ran = (window.ran || 0) + 1"
SECRET = "7.25"  # of a hidden case's input

MARKDOWN = [
    f"<script>{RUN}</script>",
    f"<img src=x onerror='{RUN}'>",
    f'<svg onload="{RUN}"><script>{RUN}</script></svg>',
    f"<svg><animate onbegin='{RUN}' attributeName=x dur=1s>",
    f"<iframe srcdoc='<script>{RUN}</script>'></iframe>",
    f"<details open ontoggle='{RUN}'>",
    f"<style>@keyframes x{{}}</style><b style='animation-name:x' onanimationstart='{RUN}'>",
    f"<math><mtext><table><mglyph><style><img src=x onerror={RUN}>",
    f"<noscript><p title=\"</noscript><img src=x onerror='{RUN}'>\">",
    f"<!--><img src=x onerror='{RUN}'>-->",
    f"<x/onclick='{RUN}' autofocus tabindex=1 onfocus='{RUN}'>",
    f"`<img src=x onerror='{RUN}'>` and $<img src=x onerror='{RUN}'>$",
    f"$$\n<img src=x onerror='{RUN}'>\n$$",
    f"```html\n<img src=x onerror='{RUN}'>\n```",
    f"```mermaid\n</pre><img src=x onerror='{RUN}'>\n```",
    f"# <img src=x onerror='{RUN}'>",
    f"[click](javascript:{RUN.replace(' ', '')})",
    f"[click](jav&#x61;script:{RUN.replace(' ', '')})",
    "[click](javascript\\:ran=1) and [click](<java\tscript:ran=1>)",
    "[click]: javascript:ran=1\n\n[click] and [other][click]",
    "![x](x\"onerror='ran=1')",
    "![x](attachment:evil.svg) <javascript:ran=1>",
    "[page](page.html) [local](/api/contents)",
    r"$\href{javascript:ran=1}{click}$ $\style{color:red}{x}$",
    "&lt;script&gt;ran=1&lt;/script&gt;",
]

PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(20)).decode()
OUTPUTS = [
    {"text/html": f"<script>{RUN}</script><img src=x onerror='{RUN}'>"},
    {"application/javascript": RUN},
    {"text/javascript": RUN},
    {"image/svg+xml": f"<svg xmlns='http://www.w3.org/2000/svg' onload='{RUN}'></svg>"},
    {"text/markdown": f"<img src=x onerror='{RUN}'>"},
    {"text/latex": r"$\href{javascript:ran=1}{x}$"},
    {"image/png": f"\"onerror='{RUN}'"},
    {"image/jpeg": f'"><script>{RUN}</script>'},
    {"image/png": base64.b64encode(f"<svg onload='{RUN}'/>".encode()).decode()},
    {"application/vnd.jupyter.widget-view+json": {"model_id": f"</script><script>{RUN}"}},
    {"text/vnd.mermaid": f"<img src=x onerror='{RUN}'>"},
    {"text/plain": f"<script>{RUN}</script>\x1b[31m<img src=x onerror='{RUN}'>"},
    {"application/pdf": "JVBERi0="},
]


def verdict(status: Status = Status.WRONG, **options: object) -> Verdict:
    section = Section("1.2", "Measuring", "http://book/1.2.html")
    parts = {"values": 0.0}
    words = ("Results differ from what was expected.", "twice what comes in")
    return Verdict("double", 0.0, 4.0, status, *words, section, parts, **options)


def judged(result: Verdict) -> NotebookNode:
    cell = new_code_cell('check("double", double)')
    cell.outputs = [
        new_output(
            "execute_result",
            {
                "text/plain": "0.0",
                "text/html": result.to_html(),
                VERDICT_MIME: {
                    "verdict": result.to_data(),
                    "seed": 1,
                    "evidence": [f'{{"outcomes": [{SECRET}]}}'],
                },
            },
        )
    ]
    return mark(cell, "double", grade=True, locked=True, points=4.0)


def mark(cell: NotebookNode, grade_id: str, **marks: object) -> NotebookNode:
    cell.metadata.nbgrader = nbformat.from_dict(
        {"grade_id": grade_id, "grade": False, "solution": False, "locked": False, "task": False}
        | {"schema_version": 3, **marks}
    )
    return cell


@pytest.fixture
def hostile() -> NotebookNode:
    """A graded notebook full of what its student would like to run elsewhere."""
    cells = [new_markdown_cell(text) for text in MARKDOWN]
    cells[-5].attachments = {"evil.svg": {"image/svg+xml": f"<svg onload='{RUN}'/>"}}
    cells += [new_raw_cell(text) for text in MARKDOWN[:3]]
    cells[-1].metadata.raw_mimetype = "text/html"
    code = new_code_cell(f"'''</pre><script>{RUN}</script>'''")
    code.outputs = [
        new_output("display_data", data, metadata={"width": f"1 onload='{RUN}'"})
        for data in OUTPUTS
    ]
    code.outputs += [
        new_output("stream", name="stdout", text=f"<script>{RUN}</script> {SECRET}"),
        new_output(
            "error",
            ename=f"<script>{RUN}</script>",
            evalue=f"{SECRET}",
            traceback=[f"<img src=x onerror='{RUN}'>", f"autograder/preprocessors.py {SECRET}"],
        ),
    ]
    code.metadata.tags = [f"'><script>{RUN}</script>"]
    code.metadata.magics_language = f'"><script>{RUN}</script>'
    cells += [code, judged(verdict(misconception="square", hint="Not the square."))]
    metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python", "pygments_lexer": f'"><script>{RUN}</script>'},
        "title": f"<script>{RUN}</script>",
        "widgets": {"application/vnd.jupyter.widget-state+json": {"state": {"x": "</script>"}}},
    }
    return new_notebook(cells=cells, metadata=metadata)


def is_inert(html: str) -> list[str]:
    """What in a page could run or fetch, the templates' own MathJax, jQuery and RequireJS apart."""
    page = bs4.BeautifulSoup(html, "html.parser")
    found = [str(tag)[:80] for tag in page.find_all("script") if "window.ran" in tag.get_text()]
    for tag in page.body.find_all(True):
        if tag.name in (
            "iframe",
            "object",
            "embed",
            "svg",
            "math",
            "form",
            "style",
            "base",
            "meta",
        ):
            found.append(str(tag)[:80])
        for name, value in tag.attrs.items():
            value = " ".join(value) if isinstance(value, list) else value
            address = name in ("href", "src", "xlink:href", "action", "formaction")
            if name.startswith("on") or (
                address and not re.match(r"#|data:image/(png|jpeg);base64,|http://book/", value)
            ):
                found.append(str(tag)[:80])
    return found


def render(notebook: NotebookNode, template: str) -> str:
    """As formgrader and the feedback render; neither asks for sanitising."""
    exporter = HTMLExporter(
        template_name=template, extra_template_basedirs=[handlers.template_path]
    )
    exporter.exclude_anchor_links = True
    return exporter.from_notebook_node(notebook)[0]


def test_the_test_sees_what_could_run(hostile: NotebookNode) -> None:
    hostile.cells = [cell for cell in hostile.cells if "attachment:" not in cell.source]
    assert len(is_inert(render(hostile, "classic"))) > 10


@pytest.mark.parametrize("template", ["classic", "lab"])
def test_graded_notebooks_are_inert(hostile: NotebookNode, template: str) -> None:
    notebook, _ = MakeInert().preprocess(hostile, {})
    nbformat.validate(notebook)
    page = render(notebook, template)
    assert is_inert(page) == []
    assert "Not the square." in page  # the grader's own words are still there


@pytest.mark.slow
def test_nothing_runs_in_a_browser(
    hostile: NotebookNode, tmp_path: Path, browser_page: Callable
) -> None:
    inert, _ = MakeInert().preprocess(deepcopy(hostile), {})
    students, _ = ForStudents().preprocess(deepcopy(inert), {})
    for name, notebook in {"inert": inert, "students": students}.items():
        assert browser_page(tmp_path / f"{name}.html", render(notebook, "classic")) is None
    hostile.cells = [cell for cell in hostile.cells if "attachment:" not in cell.source]
    assert browser_page(tmp_path / "hostile.html", render(hostile, "classic"))  # it would have


@pytest.fixture
def browser_page() -> Callable:
    """Opens a page, clicks on everything, and says what ran."""
    with chromium() as browser:

        def open_page(path: Path, html: str) -> object:
            path.write_text(html, encoding="utf-8")
            page = browser.new_page()
            page.route(re.compile("^https?:"), lambda route: route.abort())
            dialogs = []
            page.on("dialog", lambda dialog: (dialogs.append(1), dialog.dismiss()))
            page.goto(path.as_uri(), wait_until="domcontentloaded")
            page.evaluate("document.querySelectorAll('a[href^=http]').forEach(a => a.remove())")
            page.evaluate("document.querySelectorAll('body *').forEach(e => e.click?.())")
            page.wait_for_timeout(300)
            ran = page.evaluate("window.ran") if page.url == path.as_uri() else page.url
            page.close()
            return ran or dialogs or None

        yield open_page


def test_markdown_stays_readable() -> None:
    text = "## Why\n\n- **If** $a < b$ and $a<b$, `x[0]` is *smaller*.\n\n| a | b |\n|---|---|"
    assert inert_markdown(text) == text.replace("a<b", "a< b")


def test_released_text_stays_as_it_is(released_course: Path) -> None:
    released = nbformat.read(
        released_course / "release" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb", as_version=4
    )
    story = released.cells[0].source
    assert "<b>" in story
    released.cells.append(new_markdown_cell(story))
    notebook, _ = MakeInert().preprocess(released, {})
    assert notebook.cells[0].source == story
    assert "<b>" not in notebook.cells[-1].source


def test_pictures_stay() -> None:
    cell = new_code_cell("plot()")
    cell.outputs = [new_output("display_data", {"image/png": f"{PIXEL}\n", "text/plain": "Figure"})]
    notebook, _ = MakeInert().preprocess(new_notebook(cells=[cell]), {})
    assert notebook.cells[0].outputs[0].data == {"image/png": PIXEL, "text/plain": "Figure"}


def test_students_get_verdicts_and_nothing_that_their_code_displayed(
    hostile: NotebookNode,
) -> None:
    notebook, _ = MakeInert().preprocess(hostile, {})
    notebook, _ = ForStudents().preprocess(notebook, {})
    page = render(notebook, "classic")
    for words in (
        "double: wrong · 0 of 4 points",
        "This is not right yet.",
        "Not the square.",
        "twice what comes in",
        "http://book/1.2.html",
        "this cell raised an exception",
    ):
        assert words in page
    assert SECRET not in page
    assert "outcomes" not in page
    assert "preprocessors.py" not in page
    assert is_inert(page) == []


def test_known_exceptions_are_named() -> None:
    cell = new_code_cell("1/0")
    cell.outputs = [new_output("error", ename="ZeroDivisionError", evalue=SECRET, traceback=[])]
    notebook, _ = ForStudents().preprocess(new_notebook(cells=[cell]), {})
    (output,) = notebook.cells[0].outputs
    assert output.text == "When it was graded, this cell raised ZeroDivisionError."


def test_what_is_told_depends_on_hidden_inputs_by_right_wrong_and_the_misconception() -> None:
    """Every way that a student's code can choose to fail by, and the texts that students get."""
    told = set()
    for status in Status:
        for message in ("It raised KeyError where a result was expected.", "It returned None."):
            failed = verdict(status)
            cell = judged(replace(failed, message=message))
            cells = [cell]
            for name in ("KeyError", "ZeroDivisionError", None):
                after = new_code_cell("raise one of many", execution_count=7)
                if name:
                    after.outputs = [new_output("error", ename=name, evalue="", traceback=[])]
                cells.append(after)
            if status is not Status.CORRECT:
                notebook, _ = ForStudents().preprocess(new_notebook(cells=cells), {})
                told.add(str([(cell.outputs, cell.execution_count) for cell in notebook.cells]))
    assert len(told) == 2  # wrong, or no result


def test_no_more_is_told_of_a_check_than_the_page_for_instructors_says() -> None:
    """Whatever verdict a student's code brings about by hidden inputs: the texts are counted."""
    parts, names = ("values", "shapes", "edges"), ("square", "half", "negative", "zero")
    hints = [(None, None)]
    hints += [(name, f"{words}{name}") for name in names for words in ("", "Two things are off: ")]
    earned = [dict.fromkeys(parts, 0.0)]  # without the first part nothing is
    earned += [
        {"values": 2.0, "shapes": shapes, "edges": edges}
        for shapes in (0.0, 1.0)
        for edges in (0.0, 0.5)
    ]
    messages = ("It raised KeyError.", "It returned None. Is a return statement missing?")
    seen = set()
    for status in Status:
        for points in earned:
            if (status is Status.CORRECT) != all(points.values()):
                continue
            for (name, hint), message in product(hints, messages):
                if status is Status.CORRECT and name:
                    continue
                result = replace(
                    verdict(status, misconception=name, hint=hint),
                    message="Every case is right." if status is Status.CORRECT else message,
                    parts=points,
                    points=sum(points.values()),
                )
                answer = mark(new_code_cell("def double(x):\n    2 * x"), "double_answer")
                notebook = new_notebook(cells=[answer, judged(result)])
                notebook, _ = ForStudents().preprocess(notebook, {})
                seen.add(str(notebook.cells[1].outputs))
    page = (Path(__file__).parents[4] / "book/instructors/promises.md").read_text("utf-8")
    assert r"\log_2\bigl((2^k + 1)(2m + 1) + 1\bigr)" in page
    assert len(seen) == (2 ** len(parts) + 1) * (2 * len(names) + 1) + 1


def test_nbgraders_own_command_makes_the_feedback(course: Path, canned_grades: Callable) -> None:
    canned_grades(course)
    graded = Course(course)
    coursedir = graded.coursedir_for(assignment_id=ASSIGNMENT)
    GenerateFeedback(coursedir=coursedir, config=graded.config).start()
    folder = course / "feedback"
    pages = {
        path.parts[-3]: path.read_text(encoding="utf-8")
        for path in folder.rglob(f"{ASSIGNMENT}.html")
    }
    assert pages.keys() == {"ada", "bob", "eve", "joe"}
    assert "Not the square." in pages["bob"]
    assert "http://book/1.2.html" in pages["bob"]
    assert "double: correct · 4 of 4 points" in pages["ada"]
    assert "Score: 4.0 / 7.0" in pages["ada"]
    for page in pages.values():
        assert is_inert(page) == []
        assert "the hidden one" not in page
        assert "x + x" not in page  # the solution
        assert "outcomes" not in page
