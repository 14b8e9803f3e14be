"""The round of `make course`, from the release to the exported marks, and `make lab`."""

import html
import json
import re
import shutil
import socket
import subprocess
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbgrader.preprocessors import CheckCellMetadata, DeduplicateIds

from autograder.cells import is_judged
from autograder.grading.preprocessors import RestoreCells
from autograder.questions import load_checks
from autograder.spec import AnswerCheck
from exercises import course
from exercises.bank import ANSWER, entries, grade_id, solution, source, submission
from tests.serving import served, status_of

ROOT = Path(__file__).parents[2]
ASSIGNMENT = "ps1_divergences"
PLAYED = tuple(entry.name for entry in course.sample(entries(ASSIGNMENT)))


@pytest.fixture(scope="module")
def played(bubblewrap: None) -> tuple[Path, list[course.Mark]]:
    """The round of `make course`; the rest of the bank is graded by test_checks, in its process."""
    done = subprocess.run(["make", "course"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert "solution" in done.stdout
    assert "A person gives 3 more points" in done.stdout
    root = course.BUILD / "course"
    return root, course.marks_of(root, ASSIGNMENT, course.sample(entries(ASSIGNMENT)))


@pytest.mark.slow
def test_marks_are_as_they_should_be(played: tuple[Path, list[course.Mark]]) -> None:
    _, marks = played
    assert {mark.entry.name: mark.problems for mark in marks} == {name: [] for name in PLAYED}
    totals = {mark.entry.name: mark.total for mark in marks}
    assert totals["solution"] == 19  # three more for what a person grades
    assert totals["stub"] == 0
    assert totals["wheat-functional"] == 19
    assert totals["chaff-direction_swapped"] == 11


@pytest.mark.slow
def test_problems_are_noticed(played: tuple[Path, list[course.Mark]]) -> None:
    """The demo's own judgement: each departure from the bank's promise is a problem."""
    root, marks = played
    checks = load_checks(root / "checks" / f"{ASSIGNMENT}.py")
    by_name = {mark.entry.name: mark for mark in marks}
    full = dict.fromkeys(checks, 0.0) | {name: check.points for name, check in checks.items()}

    def problems(name: str, points: dict[str, float], feedback: str = "") -> list[str]:
        mark = course.Mark(by_name[name].entry, points, sum(points.values()))
        return course.find_problems(mark, checks, feedback)

    assert problems("wheat-functional", full | {"forward_kl": 3.0})
    assert problems("stub", full)
    assert problems("chaff-direction_swapped", full)
    wrong = full | {"forward_kl": 0.0, "reverse_kl": 0.0}
    assert problems("chaff-direction_swapped", wrong)  # no hint on the page


@pytest.mark.slow
def test_the_release_holds_no_answer(played: tuple[Path, list[course.Mark]]) -> None:
    root, _ = played
    released = root / "release" / ASSIGNMENT
    assert sorted(path.name for path in released.iterdir()) == [
        f"{ASSIGNMENT}.ipynb",
        f"{ASSIGNMENT}.public.json",
    ]
    text = "\n".join(path.read_text(encoding="utf-8") for path in released.iterdir())
    for answer in solution(source(ASSIGNMENT)).values():
        for line in answer.splitlines():
            if line.startswith(("    log", "    return", "reverse_kl_answer")):
                assert json.dumps(line)[1:-1].strip() not in text
    assert "SOLUTION" not in text
    notebook = nbformat.read(released / f"{ASSIGNMENT}.ipynb", as_version=4)
    assert all(not cell.outputs for cell in notebook.cells if cell.cell_type == "code")
    stubs = [cell.source for cell in notebook.cells if grade_id(cell).endswith(ANSWER)]
    assert len(stubs) == 6
    assert all("raise NotImplementedError(" in stub for stub in stubs)
    assert "valley between the peaks" not in text  # the model answer to the written question

    public = json.loads((released / f"{ASSIGNMENT}.public.json").read_text(encoding="utf-8"))
    for name, check in load_checks(root / "checks" / f"{ASSIGNMENT}.py").items():
        hidden = [case.name for case in check.cases() if not case.public]
        shipped = public[name]["rubric"]["expectations"]
        if isinstance(check, AnswerCheck):
            assert [expectation["outcome"] for expectation in shipped] == [None]
            assert public[name]["rubric"]["wrong_ways"] == []
            assert all(mistake.hint not in text for mistake in check.mistakes)
        else:
            assert len(shipped) == len(check.cases()) - len(hidden)
            assert all(name not in text for name in hidden)


@pytest.mark.slow
def test_feedback_shows_the_verdict_and_nothing_hidden(
    played: tuple[Path, list[course.Mark]],
) -> None:
    root, _ = played
    checks = load_checks(root / "checks" / f"{ASSIGNMENT}.py")
    pages = {
        name: html.unescape(
            (root / "feedback" / name / ASSIGNMENT / f"{ASSIGNMENT}.html").read_text("utf-8")
        )
        for name in PLAYED
    }
    for name, page in pages.items():
        verdicts = re.findall(r'<div class="autograder-verdict".*?</div>', page, re.DOTALL)
        assert len(verdicts) == len(checks)
        for check in checks.values():
            for case in check.cases():
                named = not case.public and case.name != "your answer"  # what a choice is called
                assert not named or case.name not in "".join(verdicts)
        # The student's own exceptions may show; the grader's files may not.
        assert not re.search(r"autograder/(grading|judging|spec)|checks/ps1", page)
        assert "outcomes" not in page  # the evidence, which holds answers to hidden cases
        if name == "stub":
            assert "torch.sum(log_p.exp() * (log_p - log_q), dim=-1)" not in page
    swapped = pages["chaff-direction_swapped"]
    for words in (
        "forward_kl: wrong · 0 of 4 points",
        "This is the divergence in the other direction",
        "which-way-round.html",
        "KL(p‖q), p the teacher",
    ):
        assert words in swapped
    assert "no result · 0 of 4 points" in pages["stub"]


@pytest.mark.slow
def test_copied_and_deleted_cells_are_put_right(
    played: tuple[Path, list[course.Mark]],
) -> None:
    root, _ = played
    notebook = nbformat.read(root / "release" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb", as_version=4)
    cells = {grade_id(cell): cell for cell in notebook.cells}
    copied = deepcopy(cells["forward_kl"])
    copied.source = "4.0"
    notebook.cells = [copied, *(c for c in notebook.cells if grade_id(c) != "reverse_kl")]
    resources = {
        "nbgrader": {
            "assignment": ASSIGNMENT,
            "notebook": ASSIGNMENT,
            "db_url": f"sqlite:///{root / 'gradebook.db'}",
        }
    }
    for step in (DeduplicateIds(), RestoreCells(), CheckCellMetadata()):
        notebook, resources = step.preprocess(notebook, resources)
    assert "nbgrader" not in notebook.cells[0].metadata
    graded = {grade_id(cell): cell.source for cell in notebook.cells if is_judged(cell)}
    assert graded.keys() == set(load_checks(root / "checks" / f"{ASSIGNMENT}.py"))
    assert graded["forward_kl"] == 'check("forward_kl", forward_kl)'
    assert graded["reverse_kl"].endswith('check("reverse_kl", reverse_kl)')


@pytest.mark.slow
def test_nothing_lands_in_the_source_tree(played: tuple[Path, list[course.Mark]]) -> None:
    root, _ = played
    assert (root / "gradebook.db").is_file()
    assert not (course.EXERCISES / "gradebook.db").exists()
    assert not (course.EXERCISES / "release").exists()


@pytest.mark.slow
def test_lab_opens_on_the_release_and_keeps_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "my lab"
    with socket.create_server(("127.0.0.1", 0)) as free:  # where it looks first
        port = free.getsockname()[1]
    options = f"LAB_OPTIONS=--no-browser --port={port} --IdentityProvider.token="
    process, address = served("make", "lab", f"LAB={root}", options)
    asked = f"{ASSIGNMENT}/{ASSIGNMENT}.ipynb"
    assert status_of(process, f"{address}/api/contents/{asked}") == 200

    desk = root / "desk"
    assert "NotImplementedError" in (desk / asked).read_text(encoding="utf-8")
    assert not list(desk.rglob("checks"))
    released = {path.name for path in (course.EXERCISES / "source").iterdir()}
    assert released == {path.name for path in desk.iterdir() if path.is_dir()}
    for name in released:
        text = "".join(path.read_text("utf-8") for path in (desk / name).iterdir())
        assert "SOLUTION" not in text
        for answer in solution(source(name)).values():
            for line in answer.splitlines():
                if len(line) > 40 and not line.lstrip().startswith(("#", "def", "class", '"""')):
                    assert json.dumps(line.strip(), ensure_ascii=False)[1:-1] not in text
        checks = load_checks(course.EXERCISES / "checks" / f"{name}.py").values()
        cases = [case for check in checks for case in check.cases() if case.name != "your answer"]
        public = {case.name for case in cases if case.public}
        hidden = {case.name for case in cases} - public
        assert all(f'"{case}"' not in text for case in hidden)

    (desk / asked).write_text("my work", encoding="utf-8")
    commands = []
    monkeypatch.setattr(course.os, "execv", lambda _, command: commands.append(command))
    for variable in ("KDLAB_EXCHANGE", "JUPYTER_CONFIG_PATH"):
        monkeypatch.setenv(variable, "")  # so that what lab sets is undone
    monkeypatch.chdir(tmp_path)
    course.lab(folder=root)
    assert (desk / asked).read_text(encoding="utf-8") == "my work"
    assert Path.cwd() == desk
    assert commands[0][1:3] == ["-m", "jupyterlab"]


def test_lab_leaves_a_folder_that_holds_other_files(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(SystemExit, match="is not empty; name a new folder"):
        course.lab(folder=tmp_path)
    assert (tmp_path / "thesis.tex").exists()


@pytest.mark.parametrize("at", ["checks", "ps1", "ps2"])
def test_lab_that_was_interrupted_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """Otherwise some of the sets would be missing for ever, and its own files be in its way."""
    root = tmp_path / "lab"

    def release_all(root: Path) -> list[str]:
        for name in ("ps1", "ps2"):
            (root / "exchange" / course.COURSE / "outbound" / name).mkdir(parents=True)
        return ["ps1", "ps2"]

    def interrupted(source: Path, place: Path, **options: object) -> None:
        if place.name == at:
            raise KeyboardInterrupt
        shutil.copytree(source, place, **options)

    monkeypatch.setattr(course, "release_all", release_all)
    monkeypatch.setattr(course.os, "execv", lambda *_: None)
    for variable in ("KDLAB_EXCHANGE", "JUPYTER_CONFIG_PATH"):
        monkeypatch.setenv(variable, "")  # so that what lab sets is undone
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(course, "shutil", SimpleNamespace(**vars(shutil) | {"copytree": interrupted}))
        with pytest.raises(KeyboardInterrupt):
            course.lab(folder=root)
    (root / "thesis.tex").touch()
    with pytest.raises(SystemExit, match="is not empty"):
        course.lab(folder=root)
    (root / "thesis.tex").unlink()
    course.lab(folder=root)
    assert {path.name for path in (root / "desk").iterdir()} == {"ps1", "ps2", *course.FILES}
    assert not (root / "desk.new").exists()


def test_lab_may_be_at_home_where_the_shell_leaves_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "thesis.tex").touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(course, "new_course", lambda *_, **__: pytest.fail("~ is not the home"))
    with pytest.raises(SystemExit, match="is not empty"):
        course.lab(folder=Path("~/lab"))


def test_a_command_that_fails_says_so(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit, match="nbgrader generate_assignment failed"):
        course.run(tmp_path, "nbgrader", "generate_assignment", "no_such_assignment")
    assert "no_such_assignment" in capsys.readouterr().out


def test_the_demonstration_meets_all_kinds() -> None:
    chosen = [entry.name for entry in course.sample(entries(ASSIGNMENT))]
    assert len(set(chosen)) == len(chosen) == 8
    assert {"solution", "stub"} <= set(chosen)
    assert {name.partition("-")[0] for name in chosen} >= {"wheat", "chaff", "compound"}


def test_submissions_change_answer_cells_alone() -> None:
    notebook = source(ASSIGNMENT)
    filled = submission(notebook, {"forward_kl": "pass"})
    changed = [
        grade_id(before)
        for before, after in zip(notebook.cells, filled.cells, strict=True)
        if before.source != after.source
    ]
    assert changed == ["forward_kl_answer"]
