"""The source notebooks: no outputs, sound metadata, links that exist. Fast; pre-commit runs it."""

import json
import re
from pathlib import Path

import nbformat
import pytest
from nbgrader.nbgraderformat import MetadataValidator

EXERCISES = Path(__file__).parents[2] / "exercises"
NOTEBOOKS = sorted((EXERCISES / "source").glob("*/*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request: pytest.FixtureRequest) -> nbformat.NotebookNode:
    return nbformat.read(request.param, as_version=4)


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS
    for path in NOTEBOOKS:
        assert path.stem == path.parent.name
        assert (EXERCISES / "checks" / f"{path.stem}.py").is_file()


def test_no_outputs(notebook: nbformat.NotebookNode) -> None:
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs, f"{cell.id} has outputs; clear them before you commit."
            assert cell.execution_count is None, f"{cell.id} was run; clear it before you commit."


def test_metadata(notebook: nbformat.NotebookNode) -> None:
    nbformat.validate(notebook)
    MetadataValidator().validate_nb(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in notebook.cells:
        marks = cell.metadata.nbgrader
        assert marks.schema_version == 3
        assert marks.grade_id == cell.id
        assert marks.locked != marks.solution


def test_every_graded_cell_is_one_line_after_its_answer(notebook: nbformat.NotebookNode) -> None:
    for before, cell in zip(notebook.cells, notebook.cells[1:], strict=False):
        if not cell.metadata.nbgrader.grade or cell.cell_type == "markdown":
            continue  # a person grades what is written
        name = cell.metadata.nbgrader.grade_id
        assert re.fullmatch(rf'check\("{name}", \w+\)', cell.source)
        assert before.metadata.nbgrader.grade_id == f"{name}_answer"
        assert before.metadata.nbgrader.solution
        assert before.source.count("### BEGIN SOLUTION") == 1


def test_the_table_promises_the_points_that_there_are(notebook: nbformat.NotebookNode) -> None:
    promised = [
        (int(minutes), float(points))
        for minutes, points in re.findall(
            r"^\| \d+ \|.*\| (\d+) \| (\d+) \|$", notebook.cells[0].source, re.MULTILINE
        )
    ]
    graded = [cell for cell in notebook.cells if cell.metadata.nbgrader.grade]
    assert [points for _, points in promised] == [cell.metadata.nbgrader.points for cell in graded]
    titles = re.findall(
        r"^## .*\((\d+) minutes, (\d+) points\)$",
        "\n".join(cell.source for cell in notebook.cells),
        re.MULTILINE,
    )
    assert [(int(minutes), float(points)) for minutes, points in titles] == promised
    minutes, points = (sum(column) for column in zip(*promised, strict=True))
    assert f"\n{minutes} minutes and {points:g} points in all." in notebook.cells[0].source


def test_sections_are_pages_of_the_book() -> None:
    book = json.loads((EXERCISES / "checks" / "sections.json").read_text(encoding="utf-8"))
    for number, (title, page) in book["sections"].items():
        text = (EXERCISES.parent / page).with_suffix(".md").read_text(encoding="utf-8")
        assert f"\n# {number} {title}\n" in text, f"{page} is not titled {number} {title}"


def test_links_go_to_sections_of_the_book(notebook: nbformat.NotebookNode) -> None:
    book = json.loads((EXERCISES / "checks" / "sections.json").read_text(encoding="utf-8"))
    known = {
        f"[{number} {title}](course:{page})" for number, (title, page) in book["sections"].items()
    }
    links = [
        link
        for cell in notebook.cells
        for link in re.findall(r"\[[^\]]+\]\((?:http|course:)[^)]*\)", cell.source)
    ]
    assert links
    assert set(links) <= known
