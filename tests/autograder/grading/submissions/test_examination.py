"""Damaged submissions: repaired where that is certain, set aside where it is not."""

import contextlib
import json
import os
import shutil
import socket
import zipfile
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader.preprocessors import CheckCellMetadata

from autograder.grading.course import Course
from autograder.grading.execution.converting import sanitise
from autograder.grading.submissions import examination, files, notebooks, unpacking
from autograder.grading.submissions.examination import Examined, examine
from autograder.grading.submissions.files import Unfit

ASSIGNMENT = "set"
NAME = f"{ASSIGNMENT}.ipynb"
IGNORE = (".ipynb_checkpoints", "*.pyc", "__pycache__")


@pytest.fixture
def ada(empty_course: Path, hand_in: Callable) -> Path:
    """A sound submission's folder."""
    return hand_in(empty_course, "ada", "def double(x):\n    return 2 * x", "It adds.").parent


@pytest.fixture
def look(ada: Path, empty_course: Path, tmp_path: Path) -> Callable:
    """Examines it, and passes what comes of it through nbgrader's sanitising steps."""
    course = Course(empty_course)

    def look() -> tuple[Examined, NotebookNode]:
        scratch = tmp_path / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        copy = scratch / "ada" / ASSIGNMENT
        examined = examine(ada, copy, course.blueprints(ASSIGNMENT), IGNORE)
        assert not [path for path in copy.rglob("*") if path.is_symlink()]
        notebook = sanitise(course, scratch, ASSIGNMENT, "ada")[ASSIGNMENT]
        CheckCellMetadata().preprocess(notebook, {})
        return examined, notebook

    return look


def read(folder: Path) -> NotebookNode:
    return nbformat.read(folder / NAME, as_version=4)


def write(folder: Path, notebook: object) -> None:
    text = notebook if isinstance(notebook, str) else json.dumps(notebook)
    (folder / NAME).write_text(text, encoding="utf-8")


def ids(notebook: NotebookNode) -> list[str | None]:
    return [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in notebook.cells]


def cell(notebook: NotebookNode, grade_id: str) -> NotebookNode:
    return notebook.cells[ids(notebook).index(grade_id)]


def test_a_sound_submission_stays_as_it_is(ada: Path, look: Callable) -> None:
    examined, notebook = look()
    assert examined.repairs == []
    given = read(ada)
    for before, after in zip(given.cells, notebook.cells, strict=True):
        assert (before.cell_type, before.source, before.id) == (
            after.cell_type,
            after.source,
            after.id,
        )
        assert before.metadata.nbgrader == after.metadata.nbgrader
    digest = examined.digest
    (ada / "timestamp.txt").write_text("2026-02-01 10:00:00 UTC")
    assert look()[0].digest != digest


def swap_kernel(notebook: NotebookNode) -> None:
    notebook.metadata.kernelspec = {"name": "bash", "display_name": "Bash", "language": "bash"}
    notebook.metadata.language_info = {"name": "bash", "pygments_lexer": '"><script>'}


def copy_graded(notebook: NotebookNode) -> None:
    copied = deepcopy(cell(notebook, "double"))
    copied.source = "4.0"
    notebook.cells.insert(0, copied)


def copy_answer(notebook: NotebookNode) -> None:
    """The copy below has what the student wrote, or the one above; either is found."""
    stub = deepcopy(cell(notebook, "why"))
    stub.source = "YOUR ANSWER HERE"
    notebook.cells.append(stub)


def delete_graded(notebook: NotebookNode) -> None:
    notebook.cells.remove(cell(notebook, "double"))


def delete_setup(notebook: NotebookNode) -> None:
    notebook.cells.remove(cell(notebook, "setup"))


def delete_question(notebook: NotebookNode) -> None:
    notebook.cells.remove(cell(notebook, "why"))


def retype_answer(notebook: NotebookNode) -> None:
    """Answer and graded cell are gone; the answer stands in a cell of the student's own."""
    answer = cell(notebook, "double_answer").source
    delete_graded(notebook)
    index = ids(notebook).index("double_answer")
    notebook.cells[index] = new_code_cell(answer)


def change_marks(notebook: NotebookNode) -> None:
    for grade_id, marks in {
        "double": {"points": 100, "grade": False, "schema_version": 1},
        "why": {"points": "many", "schema_version": 99},
        "setup": {"locked": False, "solution": True},
    }.items():
        cell(notebook, grade_id).metadata.nbgrader.update(marks)


def change_types(notebook: NotebookNode) -> None:
    notebook.cells[ids(notebook).index("double")].cell_type = "raw"
    why = cell(notebook, "why")
    why.cell_type, why.outputs, why.execution_count = "code", [], 3


def other_points(notebook: NotebookNode) -> None:
    cell(notebook, "double").metadata.nbgrader.points = 3


def foreign_marks(notebook: NotebookNode) -> None:
    notebook.cells.append(new_code_cell("1"))
    notebook.cells[-1].metadata.nbgrader = {"grade_id": "bonus", "grade": True, "points": 50}
    notebook.cells.append(new_markdown_cell("2"))
    notebook.cells[-1].metadata.nbgrader = "nonsense"


def break_structure(notebook: NotebookNode) -> None:
    for one in notebook.cells:
        one.id = "same"
    notebook.cells[0].attachments = {"x": "y"}
    del notebook.cells[1]["outputs"]
    notebook.cells[1].metadata = "none"
    notebook.cells[2].outputs = [{"output_type": "unknown"}]
    notebook.cells[4]["source"] = ["It ", "adds."]
    notebook.metadata = []


def move_answer_down(notebook: NotebookNode) -> None:
    notebook.cells.append(notebook.cells.pop(ids(notebook).index("double_answer")))


def move_graded_up(notebook: NotebookNode) -> None:
    notebook.cells.insert(0, notebook.cells.pop(ids(notebook).index("double")))


REPAIRS = {
    move_answer_down: "double stood above its answer, and is graded below it",
    move_graded_up: "double stood above its answer, and is graded below it",
    swap_kernel: "the kernel was 'bash'",
    copy_graded: "double was there 2 times",
    copy_answer: "why was there 2 times; the last one that was changed counts",
    delete_graded: "double was missing",
    delete_setup: "setup was missing",
    delete_question: "why was missing",
    retype_answer: "double was missing",
    change_marks: "nbgrader's marks of double are not those of the newest release",
    other_points: "its copy of double is worth 3 points; the 4 of the newest release count",
    change_types: "double had become a markdown cell",
    foreign_marks: "'bonus' is no cell of the assignment",
    break_structure: "setup was missing",
}


@pytest.mark.parametrize("damage", REPAIRS, ids=lambda damage: damage.__name__)
def test_what_is_certain_is_repaired(ada: Path, look: Callable, damage: Callable) -> None:
    notebook = read(ada)
    damage(notebook)
    write(ada, notebook)
    examined, repaired = look()
    assert any(REPAIRS[damage] in repair for repair in examined.repairs), examined.repairs

    found = [grade_id for grade_id in ids(repaired) if grade_id]
    expected = ["story", "setup", "double_answer", "double", "why"]
    if damage is move_answer_down:
        expected = ["story", "setup", "why", "double_answer", "double"]
    if damage is retype_answer:
        expected.remove("double_answer")
    assert found == expected
    assert repaired.metadata.kernelspec.name == "python3"
    graded = cell(repaired, "double")
    assert graded.cell_type == "code"
    assert graded.source == 'check("double", double)'
    assert graded.metadata.nbgrader.points == 4
    assert cell(repaired, "setup").source.startswith("import torch")
    if damage is not delete_question:
        assert cell(repaired, "why").source == "It adds."
    # The answer runs before it is asked for.
    sources = [one.source for one in repaired.cells]
    answer = next(i for i, source in enumerate(sources) if source.startswith("def double"))
    assert sources.index('check("double", double)') > answer


def test_another_assignments_notebook_is_said_in_a_sentence(ada: Path, look: Callable) -> None:
    notebook = read(ada)
    for one in notebook.cells:
        if one.metadata.get("nbgrader") and one.metadata.nbgrader.grade_id != "setup":
            one.metadata.nbgrader.grade_id += "_of_another"
    write(ada, notebook)
    with pytest.raises(Unfit, match=r"another assignment's: it has cells such as '\w+_of_another'"):
        look()


def test_formats_and_names_that_are_certain_are_repaired(ada: Path, look: Callable) -> None:
    text = (ada / NAME).read_text(encoding="utf-8")
    (ada / NAME).write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert look()[0].repairs == [f"{NAME}: removed a byte order mark."]

    older = nbformat.convert(read_text(text), 3)
    write(ada, nbformat.writes(older, version=3))
    examined, notebook = look()
    assert f"{NAME}: brought to format 4." in examined.repairs
    assert "double" in ids(notebook)

    write(ada, text.replace("It adds.", "It \\ud800 adds."))
    assert cell(look()[1], "why").source == "It \ufffd adds."

    write(ada, text)
    (ada / NAME).rename(ada / "my answers.ipynb")
    assert look()[0].repairs == [f"Renamed 'my answers.ipynb' to {NAME}."]


ENCODED = {
    "utf-16": "brought from UTF-16 to UTF-8",
    "utf-32": "brought from UTF-32 to UTF-8",
    "cp1252": "brought from Windows-1252 to UTF-8",
}


@pytest.mark.parametrize("encoding", ENCODED)
def test_text_is_read_whatever_program_wrote_it(
    ada: Path, look: Callable, encoding: str, tmp_path: Path
) -> None:
    notebook = read(ada)
    cell(notebook, "why").source = "Größe"
    (ada / NAME).write_bytes(json.dumps(notebook, ensure_ascii=False).encode(encoding))
    (ada / "timestamp.txt").write_bytes("2026-01-01 10:00:00 UTC\r\n".encode(encoding))
    examined, notebook = look()
    assert cell(notebook, "why").source == "Größe"
    assert examined.repairs == [f"{NAME}: {ENCODED[encoding]}."]
    copied = tmp_path / "scratch" / "ada" / ASSIGNMENT / "timestamp.txt"
    assert copied.read_text(encoding="utf-8") == "2026-01-01 10:00:00 UTC"


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        ("2026-01-01 10:00:00.123456 UTC", ""),
        ("2026-01-01 10:00:00", ""),
        ("2026-01-01 10:00:00 Europe/Berlin", ""),
        ("2026-01-01T10:00:00+02:00", ""),
        ("2026-07-01 10:00:00 CEST", "reads as 2026-07-01 10:00:00 UTC, whatever CEST means"),
        ("2026-01-01 10:00:00 +0200", "reads as 2026-01-01 09:56:40 UTC, whatever +0200 means"),
        ("2099-01-01 10:00:00 UTC", "a time that has not come"),
    ],
)
def test_a_time_that_may_be_another_is_said(
    ada: Path, look: Callable, text: str, doubt: str
) -> None:
    (ada / "timestamp.txt").write_text(text)
    said = look()[0].repairs
    assert len(said) == bool(doubt)
    assert doubt in "".join(said)


def test_of_many_things_that_were_put_right_some_are_named(ada: Path, look: Callable) -> None:
    notebook = read(ada)
    notebook.cells += [{"cell_type": "strange", "source": ""}] * 500
    write(ada, notebook)
    assert look()[0].repairs[100:] == ["Put right and not named here: 400 more."]


def test_zeros_after_a_notebooks_end_are_left_out(ada: Path, look: Callable) -> None:
    (ada / NAME).write_bytes((ada / NAME).read_bytes() + b"\0" * 4096)
    assert look()[0].repairs == []


def test_cells_that_lost_their_marks_are_found_by_their_text(ada: Path, look: Callable) -> None:
    notebook = read(ada)
    names = ids(notebook)
    for each in notebook.cells:
        each.metadata = {}
    write(ada, notebook)
    examined, found = look()
    assert "had lost nbgrader's marks" in examined.repairs[0]
    sources = [each.source for each in found.cells]
    answer = sources.index("def double(x):\n    return 2 * x")
    assert answer < ids(found).index("double")
    assert any(name in ids(found) for name in names if name != "double")

    cell_of = dict(zip(names, notebook.cells, strict=True))
    cell_of["why"]["id"] = "why"  # generated notebooks have such ids
    cell_of["why"].source = "Because."
    write(ada, notebook)
    assert cell(look()[1], "why").source == "Because."
    cell_of["why"]["metadata"] = {"id": cell_of["why"].pop("id")}  # as Colab has it
    (ada / NAME).write_text(json.dumps(notebook))
    assert cell(look()[1], "why").source == "Because."

    notebook.cells = [each for each in notebook.cells if "check(" not in each.source]
    write(ada, notebook)
    with pytest.raises(Unfit, match="none of the assignment's cells"):
        look()


def test_an_answer_that_was_merged_into_its_graded_cell_runs_before_it(
    ada: Path, look: Callable
) -> None:
    notebook = read(ada)
    answer, graded = cell(notebook, "double_answer"), cell(notebook, "double")
    graded.source = f"{answer.source}\n\n{graded.source}"
    notebook.cells.remove(answer)
    write(ada, notebook)
    examined, found = look()
    assert examined.repairs == [f"{NAME}: kept in a cell of its own what was added to double."]
    places = [i for i, each in enumerate(found.cells) if "return 2 * x" in each.source]
    assert min(places) < ids(found).index("double")


def test_what_was_added_to_a_locked_cell_is_kept(ada: Path, look: Callable) -> None:
    notebook = read(ada)
    answer, graded = cell(notebook, "double_answer"), cell(notebook, "double")
    locked = next(each for each in notebook.cells if each.metadata.nbgrader.locked)
    locked.source += f"\n\n{answer.source}\n\n{graded.source}"  # all merged into one
    for each in (answer, graded):
        notebook.cells.remove(each)
    write(ada, notebook)
    examined, found = look()
    sources = [each.source for each in found.cells]
    assert next(i for i, text in enumerate(sources) if "return 2 * x" in text) < ids(found).index(
        "double"
    )
    assert f"{NAME}: kept in a cell of its own what was added to" in examined.repairs[0]

    locked.source = "# an older release's text"
    write(ada, notebook)
    assert not any("older" in each.source for each in look()[1].cells)


def read_text(text: str) -> NotebookNode:
    return nbformat.reads(text, as_version=4)


def test_links_and_pipes_are_left_out(ada: Path, look: Callable, tmp_path: Path) -> None:
    (ada / "data").mkdir()
    (ada / "data" / "table.csv").write_text("1,2")
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    (ada / "mine.txt").symlink_to(secret)
    (ada / "data" / "up").symlink_to(tmp_path)
    (ada / "..\\..\\evil.py").write_text("1")
    os.mkfifo(ada / "pipe")
    examined, _ = look()
    assert shown(tmp_path) == ["data/table.csv", NAME, "timestamp.txt"]
    assert sorted(examined.files) == ["data/table.csv", "timestamp.txt"]
    assert len(examined.repairs) == 4


def shown(tmp_path: Path) -> list[str]:
    """What lies where formgrader may show it."""
    copy = tmp_path / "scratch" / "ada" / ASSIGNMENT
    return sorted(str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file())


def test_what_a_browser_would_run_is_there_for_the_notebook_and_not_shown(
    ada: Path, look: Callable, tmp_path: Path
) -> None:
    names = ["page.html", "picture.svg", "data.xml", "feed.xhtml", "paper.pdf", "table.xlsx"]
    for name in names:
        (ada / name).write_text("<script>1</script>")
    examined, _ = look()
    assert sorted(examined.files) == sorted([*names, "timestamp.txt"])
    assert shown(tmp_path) == [NAME, "timestamp.txt"]
    assert examined.repairs == []


def test_another_notebook_is_a_file_like_others(ada: Path, look: Callable, tmp_path: Path) -> None:
    (ada / "Untitled.ipynb").write_text("{}")
    (ada / "deep").mkdir()
    shutil.copy(ada / NAME, ada / "deep" / "Copy.ipynb")
    (ada / "folder.ipynb").mkdir()
    (ada / "folder.ipynb" / "x.csv").touch()
    examined, notebook = look()
    assert "double" in ids(notebook)
    assert sorted(examined.files) == [
        "Untitled.ipynb",
        "deep/Copy.ipynb",
        "folder.ipynb/x.csv",
        "timestamp.txt",
    ]
    assert shown(tmp_path) == [NAME, "timestamp.txt"]


def test_a_browsers_copy_beside_a_scratch_notebook_is_found(ada: Path, look: Callable) -> None:
    (ada / NAME).rename(ada / "set (1).ipynb")
    (ada / "scratch.ipynb").write_text(nbformat.writes(nbformat.v4.new_notebook()))
    (ada / "._set (1).ipynb").write_bytes(b"\0\5\x16\7")
    examined, notebook = look()
    assert cell(notebook, "why").source == "It adds."
    assert f"Renamed 'set (1).ipynb' to {NAME}." in examined.repairs


def test_of_many_notebooks_some_are_read(
    ada: Path, look: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ada / NAME).rename(ada / "my set.ipynb")
    for number in range(100):
        (ada / f"{number}.ipynb").write_text("{}")
    looked, whole = [], examination.read_notebook
    monkeypatch.setattr(
        examination, "read_notebook", lambda *a: (looked.append(a[1]), whole(*a))[1]
    )
    assert f"Renamed 'my set.ipynb' to {NAME}." in look()[0].repairs
    assert len(looked) == examination.MAX_CANDIDATES + 1


def test_of_two_copies_the_one_that_was_worked_on_is_meant(
    ada: Path, look: Callable, empty_course: Path
) -> None:
    released = empty_course / "release" / ASSIGNMENT / NAME
    shutil.copy(released, ada / "set (1).ipynb")
    (ada / NAME).rename(ada / "set (2).ipynb")
    assert cell(look()[1], "why").source == "It adds."
    shutil.copy(ada / "set (2).ipynb", ada / "set (3).ipynb")  # the same work twice
    assert cell(look()[1], "why").source == "It adds."
    other = nbformat.read(ada / "set (3).ipynb", as_version=4)
    cell(other, "why").source = "It multiplies."
    nbformat.write(other, ada / "set (3).ipynb")
    with pytest.raises(Unfit, match=r"'set \(2\).ipynb' and 'set \(3\).ipynb' differ"):
        look()


MEANT = (
    f"deep/er/{NAME}",
    f"{ASSIGNMENT}/answers.ipynb",
    "set.IPYNB",
    f"{NAME}.txt",
    f"{NAME}.json",
    "set – Kopie (2).ipynb",
)


@pytest.mark.parametrize("name", MEANT)
def test_a_notebook_that_is_elsewhere_or_named_by_a_browser_is_found(
    ada: Path, look: Callable, name: str
) -> None:
    place = ada / name
    place.parent.mkdir(parents=True, exist_ok=True)
    (ada / NAME).rename(place)
    (place.parent / "data.csv").write_text("1,2")
    examined, notebook = look()
    assert cell(notebook, "why").source == "It adds."
    assert examined.repairs == [f"Renamed {name!r} to {NAME}."]
    assert sorted(examined.files) == ["data.csv", "timestamp.txt"]  # beside it when it runs


def test_a_copy_is_meant_where_the_notebook_itself_is_no_work(
    ada: Path, look: Callable, empty_course: Path
) -> None:
    released = (empty_course / "release" / ASSIGNMENT / NAME).read_text(encoding="utf-8")
    (ada / NAME).rename(ada / "set-Copy1.ipynb")
    for text, why in ((released, "is as it was released"), ("", "cannot be read")):
        write(ada, text)
        examined, notebook = look()
        assert cell(notebook, "why").source == "It adds."
        assert f"Took 'set-Copy1.ipynb' for {NAME}, which {why}." in examined.repairs
    write(ada, released)
    write_again = read(ada)
    cell(write_again, "why").source = "My last word."
    write(ada, write_again)
    assert cell(look()[1], "why").source == "My last word."


def test_an_untouched_notebook_with_text_that_nbgrader_does_not_know_is_no_work(
    ada: Path, look: Callable, empty_course: Path, generate: Callable
) -> None:
    source = empty_course / "source" / ASSIGNMENT / NAME
    notebook = nbformat.read(source, as_version=4)
    notebook.cells[:0] = [new_markdown_cell("# Before you begin"), new_code_cell("")]
    nbformat.write(notebook, source)
    generate(empty_course)
    shutil.copy(empty_course / "release" / ASSIGNMENT / NAME, ada / NAME)
    released = read(ada)
    worked_on = deepcopy(released)
    cell(worked_on, "why").source = "It adds."
    nbformat.write(worked_on, ada / "set-Copy1.ipynb")
    examined, found = look()
    assert cell(found, "why").source == "It adds."
    assert examined.repairs == [f"Took 'set-Copy1.ipynb' for {NAME}, which is as it was released."]
    released.cells += [new_code_cell(" \n"), new_code_cell("")]  # as JupyterLab adds at the end
    write(ada, released)
    assert cell(look()[1], "why").source == "It adds."
    released.cells.append(new_markdown_cell("An answer of my own."))
    write(ada, released)
    assert cell(look()[1], "why").source == cell(released, "why").source


OF_TWO = {
    "one renamed": ({NAME: "set", "more (1).ipynb": "more"}, {"more": "more (1)"}, "Renamed"),
    "both in a folder": (
        {f"ps/{NAME}": "set", "ps/more.ipynb": "more"},
        {"set": "set", "more": "more"},
        "Renamed",
    ),
    "both untouched above": (
        {NAME: "", "more.ipynb": "", f"ps/{NAME}": "set", "ps/more.ipynb": "more"},
        {"set": "set", "more": "more"},
        "Took",
    ),
    "in folders of folders": (
        {f"ps/{NAME}": "set", "ps/2/more.ipynb": "more"},
        {"set": "set", "more": "more"},
        "Renamed",
    ),
}


@pytest.fixture
def look_at_two(ada: Path, empty_course: Path, tmp_path: Path) -> Callable:
    """Examines work on an assignment of two notebooks, set and more.

    Takes by file the text of an answer, empty in an untouched notebook; returns what was examined
    and, by notebook, the answer that counts.
    """
    (blueprint,) = Course(empty_course).blueprints(ASSIGNMENT).values()
    known = [
        replace(each, grade_id=f"more_{each.grade_id}", marks=each.marks | prefixed(each.marks))
        for each in blueprint.cells
    ]
    blueprints = {"set": blueprint, "more": replace(blueprint, cells=tuple(known))}
    released = nbformat.read(empty_course / "release" / ASSIGNMENT / NAME, as_version=4)

    def look_at_two(handed_in: dict[str, str]) -> tuple[Examined, dict[str, str]]:
        (ada / NAME).unlink()
        for name, answer in handed_in.items():
            notebook = deepcopy(released)
            if answer:
                cell(notebook, "why").source = answer
            if Path(name).name.startswith("more"):
                for each in notebook.cells:
                    each.metadata.nbgrader.update(prefixed(each.metadata.nbgrader))
            (ada / name).parent.mkdir(parents=True, exist_ok=True)
            (ada / name).write_text(answer if answer == "{" else nbformat.writes(notebook))
            (ada / name).with_name("data.csv").write_text(answer)
        copy = tmp_path / "copy"
        examined = examine(ada, copy, blueprints, IGNORE)
        found = {path.stem: nbformat.read(path, as_version=4) for path in copy.glob("*.ipynb")}
        labels = {"set": "why", "more": "more_why"}
        return examined, {name: cell(each, labels[name]).source for name, each in found.items()}

    return look_at_two


def prefixed(marks: Mapping[str, Any]) -> dict[str, str]:
    return {"grade_id": f"more_{marks['grade_id']}"}


@pytest.mark.parametrize("layout", OF_TWO)
def test_of_two_notebooks_each_is_found(look_at_two: Callable, layout: str) -> None:
    handed_in, renamed, verb = OF_TWO[layout]
    examined, answers = look_at_two(handed_in)
    assert answers == {"set": "set", "more": "more"}
    assert examined.renamed == renamed
    assert [each.split()[0] for each in examined.repairs] == [verb] * len(renamed)
    assert "data.csv" in examined.files


def test_of_two_notebooks_a_damaged_one_in_a_folder_is_not_lost(look_at_two: Callable) -> None:
    with pytest.raises(Unfit, match=r"more\.ipynb is not JSON"):
        look_at_two({f"ps/{NAME}": "set", "ps/more.ipynb": "{"})


def test_another_answer_beside_one_of_two_notebooks_is_said(look_at_two: Callable) -> None:
    handed_in = {NAME: "set", "ps/more.ipynb": "more", f"ps/{NAME}": "another"}
    (ps_more, said) = look_at_two(handed_in)[0].repairs
    assert ps_more == "Renamed 'ps/more.ipynb' to more.ipynb."
    assert said == f"'ps/{NAME}' was handed in too and has other answers; {NAME} counts."


def test_another_notebook_with_other_answers_is_said(
    ada: Path, look: Callable, empty_course: Path
) -> None:
    """A browser's copy may be the later one; which was meant, the student knows."""
    shutil.copy(empty_course / "release" / ASSIGNMENT / NAME, ada / "released.ipynb")
    shutil.copy(ada / NAME, ada / "same.ipynb")
    assert look()[0].repairs == []
    other = read(ada)
    cell(other, "why").source = "It multiplies."
    (ada / "set (1).ipynb.txt").write_text(nbformat.writes(other), encoding="utf-8")
    examined, notebook = look()
    assert cell(notebook, "why").source == "It adds."
    assert examined.repairs == [
        f"'set (1).ipynb.txt' was handed in too and has other answers; {NAME} counts."
    ]


def zip_of(folder: Path, entries: dict[str, bytes], **options: int) -> None:
    """Puts a zip in the place of the notebook."""
    (folder / NAME).unlink(missing_ok=True)
    with zipfile.ZipFile(folder / "work.ZIP", "w", **options) as archive:
        for name, raw in entries.items():
            archive.writestr(name, raw)


@pytest.mark.parametrize("inside", [NAME, f"ps/{NAME}", "ps/set (1).ipynb"])
def test_a_notebook_that_is_in_a_zip_is_found(ada: Path, look: Callable, inside: str) -> None:
    beside = str(Path(inside).with_name("data.csv"))
    time = str(Path(inside).with_name("timestamp.txt"))
    litter = {f"__MACOSX/._{NAME}": b"\0", time: b"1999-01-01 00:00:00 UTC"}
    zip_of(ada, {inside: (ada / NAME).read_bytes(), beside: b"1", **litter}, compression=8)
    examined, notebook = look()
    assert cell(notebook, "why").source == "It adds."
    assert examined.repairs[0] == "Unpacked 'work.ZIP'."
    assert examined.files["data.csv"] == b"1"
    assert sorted(examined.files) == ["data.csv", "timestamp.txt"]
    assert examined.files["timestamp.txt"].startswith(b"2026")


@pytest.mark.parametrize("inside", [NAME, f"ps/{NAME}", "ps/mine.ipynb"])
def test_a_zip_beside_an_untouched_notebook_has_the_work(
    ada: Path, empty_course: Path, look: Callable, inside: str
) -> None:
    zip_of(ada, {inside: (ada / NAME).read_bytes()})
    shutil.copy(empty_course / "release" / ASSIGNMENT / NAME, ada / NAME)
    examined, notebook = look()
    assert cell(notebook, "why").source == "It adds."
    assert examined.repairs[0] == "Unpacked 'work.ZIP'."
    assert f"for {NAME}, which is as it was released" in examined.repairs[1]


def test_a_zip_beside_a_notebook_that_was_worked_on_stays_one(ada: Path, look: Callable) -> None:
    raw = (ada / NAME).read_bytes()
    zip_of(ada, {NAME: raw.replace(b"It adds.", b"It takes.")})
    (ada / NAME).write_bytes(raw)
    examined, notebook = look()
    assert cell(notebook, "why").source == "It adds."
    assert "work.ZIP" in examined.files


def test_what_a_zip_may_hold_is_bounded(
    ada: Path, look: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = (ada / NAME).read_bytes()
    monkeypatch.setattr(unpacking, "MAX_NOTEBOOK", 2**20)
    monkeypatch.setattr(unpacking, "usable", lambda room: 2**15)
    large = {NAME: raw, "a": bytes(10), "b": bytes(2**15), "c": bytes(2**16)}
    zip_of(ada, large, compression=zipfile.ZIP_DEFLATED)
    examined, _ = look()
    assert "Left out 'b' and what is larger: there is no room for it." in examined.repairs
    assert {"a", "timestamp.txt"} == examined.files.keys()
    many = {f"{number}.txt": b"" for number in range(1001)}
    for entries, compression in (
        ({NAME: raw, "../evil": b""}, zipfile.ZIP_STORED),
        ({NAME: raw, "/etc/evil": b""}, zipfile.ZIP_STORED),
        ({NAME: raw}, zipfile.ZIP_LZMA),
        ({NAME: raw, **many}, zipfile.ZIP_STORED),
        ({NAME: bytes(2**20 + 1)}, zipfile.ZIP_DEFLATED),
    ):
        zip_of(ada, entries, compression=compression)
        with pytest.raises(Unfit, match=f"There is no {NAME}; there is timestamp.txt, work.ZIP."):
            look()


ORDINARY = (
    "Screenshot 2027-01-30 at 10.15.00\u202fAM.png",  # as macOS names it
    "می\u200cخواهم.png",
    "👩\u200d💻.png",
    "\U0001fa77.png",  # newer than this Python's tables
    "צילום מסך\u200f.png",
    "no\xa0break.csv",
)
ODD = ("a\\b.csv", "two\nlines.csv", "\u202egnp.csv", "\u2066gnp.csv", "a\u2028b.csv", "\uf022.csv")


@pytest.mark.parametrize("zipped", [False, True])
def test_names_that_systems_and_languages_write_are_kept_and_others_left_out_by_name(
    ada: Path, look: Callable, zipped: bool
) -> None:
    for name in (*ORDINARY, *ODD):
        (ada / name).write_bytes(b"1")
    if zipped:
        names = (NAME, *ORDINARY, *ODD)
        zip_of(ada, {f"ps/{name}": (ada / name).read_bytes() for name in names})
        for name in (*ORDINARY, *ODD):
            (ada / name).unlink()
    examined, notebook = look()
    assert cell(notebook, "why").source == "It adds."
    assert sorted(examined.files) == sorted([*ORDINARY, "timestamp.txt"])
    folder = "ps/" if zipped else ""
    said = [each for each in examined.repairs if each.startswith("Left out")]
    assert sorted(said) == sorted(
        f"Left out {folder + name!r}: it has a name that some systems read as another."
        for name in ODD
    )
    assert all(map(str.isprintable, said))


def test_what_no_disk_holds_is_left_out_of_a_zip_by_name(ada: Path, look: Callable) -> None:
    raw = (ada / NAME).read_bytes()
    long, deep = "图" * 100 + ".png", "a/" * 1000 + "b.csv"
    beside = dict.fromkeys(("data", "data/x.csv", f"{NAME}/x.csv", "y.csv", long, deep), b"1")
    zip_of(ada, {NAME: raw, **beside})
    examined, notebook = look()
    assert cell(notebook, "why").source == "It adds."
    assert sorted(examined.files) == ["data/x.csv", "timestamp.txt", "y.csv"]
    assert sorted(examined.repairs) == [
        f"Left out {deep[:300]!r}: folders are nested deeper than 12.",
        "Left out 'data': a folder has this name too.",
        f"Left out '{NAME}/x.csv': no folder can be called {NAME}.",
        f"Left out {long!r}: a part of its name has more than 255 bytes.",
        "Unpacked 'work.ZIP'.",
    ]


def test_a_notebook_that_is_left_out_of_a_zip_is_said(
    ada: Path, look: Callable, empty_course: Path
) -> None:
    zip_of(ada, {f"ps\\{NAME}": (ada / NAME).read_bytes(), "a\\b.csv": b"1"})
    with pytest.raises(Unfit, match=r"work.ZIP \(which holds a.b.csv, ps.set.ipynb\)"):
        look()
    shutil.copy(empty_course / "release" / ASSIGNMENT / NAME, ada / NAME)
    examined, _ = look()
    assert examined.repairs == [
        f"Left out 'ps\\\\{NAME}': it has a name that some systems read as another."
    ]


def test_a_file_and_a_folder_of_one_name_cannot_come_from_two_places(
    ada: Path, look: Callable
) -> None:
    (ada / "ps").mkdir()
    (ada / NAME).rename(ada / "ps" / NAME)
    (ada / "ps" / "data").touch()
    (ada / "data").mkdir()
    (ada / "data" / "x.csv").touch()
    examined, _ = look()
    assert sorted(examined.files) == ["data/x.csv", "timestamp.txt"]
    assert examined.repairs == [
        f"Renamed 'ps/{NAME}' to {NAME}.",
        "Left out 'data': a folder has this name too.",
    ]


def test_a_damaged_zip_is_set_aside(ada: Path, look: Callable) -> None:
    zip_of(ada, {NAME: b"{}" * 50}, compression=zipfile.ZIP_DEFLATED)
    whole = (ada / "work.ZIP").read_bytes()
    for place in range(0, len(whole), 7):
        raw = bytearray(whole)
        raw[place] ^= 0xFF
        (ada / "work.ZIP").write_bytes(raw)
        with pytest.raises(Unfit):
            look()


def test_a_zip_without_a_notebook_is_said(ada: Path, look: Callable) -> None:
    zip_of(ada, {"inner.zip": b"PK", "a.csv": b"1"})
    with pytest.raises(Unfit, match=r"there is timestamp.txt, work.ZIP \(which holds a.csv, inn"):
        look()


def test_of_two_zips_none_is_taken(ada: Path, look: Callable) -> None:
    zip_of(ada, {NAME: (ada / NAME).read_bytes()})
    shutil.copy(ada / "work.ZIP", ada / "older.zip")
    with pytest.raises(Unfit, match=r"there is older\.zip"):
        look()


def test_litter_of_programs_is_left_out(ada: Path, look: Callable) -> None:
    (ada / "__MACOSX").mkdir()
    (ada / "__MACOSX" / f"._{NAME}").write_bytes(b"\0\5\x16\7")
    for number in range(600):
        path = ada / ".git" / "objects" / f"{number:02x}" / "object"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
    examined, _ = look()
    assert sorted(examined.files) == ["timestamp.txt"]
    assert len(examined.repairs) == 2


def test_a_file_that_is_too_large_is_left_out_by_name_and_the_rest_is_there(
    ada: Path, look: Callable
) -> None:
    with (ada / "a_model.pt").open("wb") as stream:
        stream.truncate(70 * 2**20)
    (ada / "z.csv").write_text("1,2")
    examined, _ = look()
    assert sorted(examined.files) == ["timestamp.txt", "z.csv"]
    (repair,) = examined.repairs
    assert "a_model.pt" in repair
    assert "scratch_mb" in repair


def test_many_files_and_deep_folders_are_left_out(ada: Path, look: Callable) -> None:
    for number in range(files.MAX_FILES + 50):
        (ada / f"{number}.txt").touch()
    ada.joinpath(*"abcdefghijkl").mkdir(parents=True)
    (ada.joinpath(*"abcdefghijkl") / "x.txt").touch()
    examined, notebook = look()
    assert "double" in ids(notebook)
    assert len(examined.files) <= files.MAX_FILES
    assert any("and not named here" in repair for repair in examined.repairs)


def test_of_more_files_than_are_looked_at_the_notebook_alone_is_taken(
    ada: Path, look: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_WALK", 60)
    for number in range(20):  # whatever it is that is there: files, folders, what is left out
        (ada / f"{number}.txt").touch()
        (ada / f"folder{number}").mkdir()
        (ada / f"._{number}").touch()
    examined, notebook = look()
    assert cell(notebook, "why").source == "It adds."
    assert sorted(examined.files) == ["timestamp.txt"]
    assert examined.repairs == ["Left out 'all else': there is more than 60 of it."]
    (ada / NAME).rename(ada / "mine.ipynb")  # it may be any of them
    with pytest.raises(Unfit, match=r"There is no set\.ipynb"):
        look()


def test_special_files_loops_and_names_that_are_no_text_are_left_out(
    ada: Path, look: Callable
) -> None:
    os.mkfifo(ada / "pipe")
    (ada / "pipe.ipynb").symlink_to("pipe")
    (ada / "loop").symlink_to("loop")
    (ada / "round").symlink_to(".")
    (ada / "up").symlink_to("../..")
    (ada / "broken").symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as there, contextlib.chdir(ada):  # a path has 107 bytes
        there.bind("socket")
    os.close(os.open(os.fsencode(ada) + b"/caf\xe9.txt", os.O_CREAT))
    os.mkdir(os.fsencode(ada) + b"/\xff")
    os.close(os.open(os.fsencode(ada) + b"/\xff/a.txt", os.O_CREAT))
    (ada / "two\nlines").touch()
    (ada / "kept.txt").touch()
    examined, notebook = look()
    assert cell(notebook, "why").source == "It adds."
    assert sorted(examined.files) == ["kept.txt", "timestamp.txt"]
    assert len(examined.repairs) == 10
    for repair in examined.repairs:
        assert repair.isprintable()
        repair.encode()


def test_files_that_fill_the_scratch_space_leave_room_for_the_notebook(
    ada: Path, look: Callable
) -> None:
    for number in range(300):  # each takes a page more than it has bytes
        (ada / f"{number}.bin").write_bytes(bytes(220_001))
    examined, _ = look()
    pages = sum(-(-len(raw) // 4096) for raw in examined.files.values())
    assert pages * 4096 <= files.SCRATCH * 15 // 16
    assert len(examined.files) > 250
    assert "scratch_mb" in examined.repairs[0]


def test_another_notebook_that_is_large_is_left_out_by_name(ada: Path, look: Callable) -> None:
    for number in range(4):
        with (ada / f"Untitled{number}.ipynb").open("wb") as stream:
            stream.truncate(100 * 2**20)
    examined, notebook = look()
    assert cell(notebook, "why").source == "It adds."
    assert sorted(examined.files) == ["timestamp.txt"]
    assert len(examined.repairs) == 4
    # When the right one may be among them, they are read as long as together they are no more than
    # one may be; and what is no more than beside the right one goes.
    (ada / NAME).rename(ada / "mine.ipynb")
    (ada / "Untitled0.ipynb").write_text(" " * (70 * 2**20))
    examined, notebook = look()
    assert cell(notebook, "why").source == "It adds."
    assert sorted(examined.files) == ["timestamp.txt"]
    assert "Renamed 'mine.ipynb' to set.ipynb." in examined.repairs
    assert len(examined.repairs) == 5


def test_outputs_do_not_count(ada: Path, look: Callable) -> None:
    notebook = read(ada)
    output = {"output_type": "stream", "name": "stdout", "text": "x" * (60 * 2**20)}
    cell(notebook, "setup").outputs = [output]
    write(ada, notebook)
    examined, notebook = look()
    assert examined.repairs == []
    assert cell(notebook, "why").source == "It adds."


def unreadable(folder: Path) -> None:
    (folder / NAME).unlink()
    (folder / NAME).mkdir()


def linked_notebook(folder: Path) -> None:
    target = folder.parents[2] / "gradebook.db"
    (folder / NAME).unlink()
    (folder / NAME).symlink_to(target)


def linked_folder(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to("elsewhere")


def linked_student(folder: Path) -> None:
    folder.parent.rename(folder.parent.with_name("bob"))
    folder.parent.symlink_to("bob")


def piped_notebook(folder: Path) -> None:
    (folder / NAME).unlink()
    os.mkfifo(folder / NAME)


def strange_timestamp(folder: Path) -> None:
    (folder / "timestamp.txt").write_text("yesterday")


def endless_timestamp(folder: Path) -> None:
    (folder / "timestamp.txt").write_text(" " * (files.MAX_TIMESTAMP + 1))


def sparse_notebook(folder: Path) -> None:
    with (folder / NAME).open("r+b") as stream:
        stream.truncate(files.MAX_NOTEBOOK + 1)


def long_source(folder: Path) -> None:
    notebook = read(folder)
    cell(notebook, "why").source = "x" * (notebooks.MAX_SOURCE + 1)
    write(folder, notebook)


def many_values(folder: Path) -> None:
    text = (folder / NAME).read_text(encoding="utf-8")
    write(folder, text[:-2] + ',"x": [' + "[]," * (notebooks.MAX_VALUES // 2 + 9) + "1]}")


def many_cells(folder: Path) -> None:
    notebook = read(folder)
    notebook.cells += [{"cell_type": "code", "source": "1"}] * notebooks.MAX_CELLS
    write(folder, notebook)


UNFIT = {
    many_cells: "cells; 5000 are allowed",
    unreadable: "is not a regular file",
    endless_timestamp: "timestamp.txt is too large",
    linked_notebook: "is a symbolic link",
    linked_folder: "is a symbolic link",
    linked_student: "is a symbolic link",
    piped_notebook: "is not a regular file",
    strange_timestamp: "'yesterday', which is not a time",
    sparse_notebook: "is too large",
    long_source: "characters in its cells",
    many_values: "more than 10000000 values",
}

TEXTS = {
    "": "is empty",
    "\0\0": "is empty",
    "<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> b\n": "both sides of a merge",
    "{": "is not JSON",
    "[" * 200_000: "nested too deep",
    "[]": "not a notebook",
    "{}": "no list of cells",
    '{"nbformat": 5, "cells": []}': "of format 5",
    '{"nbformat": 3, "worksheets": 1}': "of an old format and damaged",
    '{"nbformat": 4, "cells": [1]}': "no list of cells",
    '{"nbformat": 4, "cells": [{"source": 5}]}': "source of cell 1 is not text",
    '{"nbformat": 4, "cells": [{"cell_type": "code", "source": "1"}]}': "none of the assignment's",
    "PK\x03\x04": "is a zip, and no notebook",
    "{\\rtf1 x}": "is a document of a word processor",
    "\n<!DOCTYPE html>\n<HTML lang='en'><title>Log in</title>": "is a page of the web",
    "def f(x): return x": "is not JSON",
}


@pytest.mark.parametrize("damage", UNFIT, ids=lambda damage: damage.__name__)
def test_what_is_not_certain_is_set_aside(ada: Path, look: Callable, damage: Callable) -> None:
    damage(ada)
    with pytest.raises(Unfit, match=UNFIT[damage]):
        look()


@pytest.mark.parametrize("text", TEXTS, ids=TEXTS.values())
def test_what_is_no_notebook_is_set_aside(ada: Path, look: Callable, text: str) -> None:
    write(ada, text)
    with pytest.raises(Unfit, match=TEXTS[text]):
        look()


@pytest.mark.parametrize("raw", [b"\xff\xfe{}\x00", b"\x81\x8d\x8f"])
def test_bytes_that_are_no_text_are_set_aside(ada: Path, look: Callable, raw: bytes) -> None:
    (ada / NAME).write_bytes(raw)
    with pytest.raises(Unfit, match="is not text"):
        look()
