"""Marks for Canvas: the columns and the rows that its gradebook import looks for."""

import csv
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from nbgrader.plugins import CsvExportPlugin
from traitlets.config import Config

from autograder.grading.export import CanvasExportPlugin, TableExportPlugin, inert


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("export") / "gradebook.db"


@pytest.fixture(scope="module")
def gradebook(database: Path) -> Iterator[Gradebook]:
    with pytest.MonkeyPatch.context() as patch:  # nbgrader calls alembic by name
        patch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
        Gradebook(f"sqlite:///{database}").close()
    with Gradebook(f"sqlite:///{database}") as gradebook:
        for name, points in {"ps1": 10, "ps2": 7.5}.items():
            gradebook.add_assignment(name)
            gradebook.add_notebook(name, name)
            gradebook.add_grade_cell("cell", name, name, max_score=points, cell_type="code")
        gradebook.add_student("ada", first_name="Ada", last_name="Lovelace", lms_user_id="4711")
        gradebook.add_student("bob", first_name='=HYPERLINK("x")')
        for student, assignment, points, penalty in (
            ("ada", "ps1", 9.5, 0),
            ("ada", "ps2", 7.5, 2),
            ("bob", "ps1", 3, 5),
        ):
            gradebook.add_submission(assignment, student)
            gradebook.find_grade("cell", assignment, assignment, student).auto_score = points
            notebook = gradebook.find_submission_notebook(assignment, assignment, student)
            notebook.late_submission_penalty = penalty
            gradebook.db.commit()
        yield gradebook


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def test_the_table_is_the_one_that_canvas_imports(gradebook: Gradebook, tmp_path: Path) -> None:
    CanvasExportPlugin(to=str(tmp_path / "canvas.csv"), section="A").export(gradebook)
    assert rows(tmp_path / "canvas.csv") == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "ps1", "ps2"],
        ["    Points Possible", "", "", "", "", "10", "7.5"],
        ["Lovelace, Ada", "4711", "", "ada", "A", "9.5", "5.5"],
        ['\'=HYPERLINK("x")', "", "", "bob", "A", "0", ""],
    ]


@pytest.mark.parametrize("plugin", [TableExportPlugin, CanvasExportPlugin])
@pytest.mark.parametrize("begins", ["Identifier,Full name", '\ufeff"Identifier";"Full name"'])
def test_moodles_worksheet_is_not_replaced(
    gradebook: Gradebook, tmp_path: Path, plugin: type, begins: str
) -> None:
    """Both are called grades.csv where nobody says otherwise."""
    sheet = tmp_path / "grades.csv"
    sheet.write_text(f"{begins}\nParticipant 4711,Ada Lovelace\n", encoding="utf-8")
    before = sheet.read_bytes()
    with pytest.raises(SystemExit, match="Moodle's grading worksheet"):
        plugin(to=str(sheet)).export(gradebook)
    assert sheet.read_bytes() == before


def test_some_students_and_titles(gradebook: Gradebook, tmp_path: Path) -> None:
    options = Config(CanvasExportPlugin={"titles": {"ps1": "Problem set 1 (99)"}})
    plugin = CanvasExportPlugin(
        config=options, to=str(tmp_path / "some.csv"), student=["ada"], assignment=["ps1"]
    )
    plugin.export(gradebook)
    header, _, *students = rows(tmp_path / "some.csv")
    assert header[5:] == ["Problem set 1 (99)"]
    assert [row[3] for row in students] == ["ada"]


@pytest.mark.slow
def test_nbgraders_own_command_writes_it(
    gradebook: Gradebook, database: Path, tmp_path: Path
) -> None:
    subprocess.run(
        [
            *(sys.executable, "-m", "nbgrader", "export"),
            "--exporter=autograder.grading.export.CanvasExportPlugin",
            "--to=canvas.csv",
            f"--db=sqlite:///{database}",
        ],
        cwd=tmp_path,
        check=True,
    )
    assert rows(tmp_path / "canvas.csv")[2][:4] == ["Lovelace, Ada", "4711", "", "ada"]


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@a", " =1", "\u200b=1", "\ufeff=1", "＝1", "|a"]
)
def test_what_begins_like_a_formula_is_written_as_text(text: str) -> None:
    assert inert(text) == f"'{text}"


@pytest.mark.parametrize("before", ["\t", "\r\n", "ada;", "a\tb\n", "ada; ", ";;"])
def test_so_is_what_another_separator_would_make_a_cell_of(before: str) -> None:
    text = inert(f"{before}=1")
    assert text.replace("'", "") == f"{before}=1"
    assert re.split(r"[;\t\r\n]", text)[-1].startswith("'")


@pytest.mark.parametrize("text", ["ada", "", "1=1", "a-b", "[2]", "Lovelace, Ada"])
def test_other_text_stays(text: str) -> None:
    assert inert(text) == text


def test_every_text_of_every_table_is_inert(gradebook: Gradebook, database: Path, tmp_path) -> None:
    path = tmp_path / "hostile.db"
    shutil.copy(database, path)
    formula = '=HYPERLINK("http://x", "1")'
    with Gradebook(f"sqlite:///{path}") as hostile:
        names = ("first_name", "last_name", "email", "lms_user_id")
        hostile.add_student(formula, **dict.fromkeys(names, formula))
        hostile.add_assignment("@ps3")
        TableExportPlugin(to=str(tmp_path / "table.csv")).export(hostile)
        titles = {"ps1": formula}
        CanvasExportPlugin(to=str(tmp_path / "canvas.csv"), section=formula, titles=titles).export(
            hostile
        )
    cells = [
        cell
        for name in ("table", "canvas")
        for row in rows(tmp_path / f"{name}.csv")
        for cell in row
    ]
    assert sum("HYPERLINK" in cell for cell in cells) >= 10
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]


def test_nbgraders_table_has_its_columns_and_its_marks(
    gradebook: Gradebook, tmp_path: Path
) -> None:
    for plugin, name in ((CsvExportPlugin, "theirs"), (TableExportPlugin, "ours")):
        plugin(to=str(tmp_path / f"{name}.csv"), student=["ada"]).export(gradebook)
    theirs, ours = (rows(tmp_path / f"{name}.csv") for name in ("theirs", "ours"))
    assert [[cell.replace("None", "") for cell in row] for row in theirs] == ours


@pytest.mark.parametrize("plugin", [TableExportPlugin, CanvasExportPlugin])
def test_a_table_that_cannot_be_written_costs_none_that_is_there(
    gradebook: Gradebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plugin: type
) -> None:
    table = tmp_path / "marks.csv"
    table.write_text("the old marks")
    table.chmod(0o600)

    def full(path: Path, *_: object, **__: object) -> None:
        path.touch()
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(SystemExit, match=r"marks\.csv cannot be written: No space left"):
            plugin(to=str(table)).export(gradebook)
    assert table.read_text() == "the old marks"
    assert list(tmp_path.iterdir()) == [table]
    plugin(to=str(table)).export(gradebook)
    assert "Lovelace" in table.read_text()
    assert table.stat().st_mode & 0o777 == 0o600
    with pytest.raises(SystemExit, match="cannot be written: No such file"):
        plugin(to=str(tmp_path / "nowhere" / "marks.csv")).export(gradebook)
