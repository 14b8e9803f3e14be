"""A term from the pages alone: their commands, in their order, with two students."""

import csv
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import bs4
import nbformat
import pytest

from exercises.bank import entries, submission
from tests.listing import files

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "book" / "instructors"
SET = "ps1_divergences"
BLOCK = re.compile(
    r"(?P<not><!-- not run[^>]*-->\n|)```(?P<kind>shell|python)\n(?P<text>.*?)```", re.DOTALL
)

pytestmark = [pytest.mark.hub, pytest.mark.slow]


def blocks(page: str, kind: str = "shell", where: str = "") -> list[str]:
    """What a page says to type, and not that it is tried elsewhere; or that it is tried there."""
    text = (PAGES / page).read_text(encoding="utf-8")
    found = [match for match in BLOCK.finditer(text) if match["kind"] == kind]
    return [
        match["text"] for match in found if (where in match["not"] if where else not match["not"])
    ]


def commands(page: str) -> list[str]:
    """The whole commands in a page's sentences."""
    text = (PAGES / page).read_text(encoding="utf-8")
    return re.findall(rf"`((?:nbgrader|python -m autograder) [^`]*{SET}[^`]*)`", text)


class Shell:
    """A shell that stays open, as an instructor's does."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.count = 0
        self.process = subprocess.Popen(
            ["bash", "--norc", "-e"],
            cwd=folder,
            env=os.environ | {"COLUMNS": "200", **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, text: str) -> str:
        """Types lines, none of which may fail: the shell ends with the first that does."""
        self.count += 1
        end = f"the end of {self.count}\n"
        self.process.stdin.write(f"{text}\necho {end}")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line == end:
                break
            lines.append(line)
        else:
            raise AssertionError(f"{text}\n{''.join(lines)[-3000:]}")
        said = "".join(lines)
        assert "Traceback" not in said, said
        return " ".join(said.split())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=60)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository as it would be cloned, with an environment that is there."""
    clone = tmp_path_factory.mktemp("clone") / "kdlab"
    for name in files("exercises"):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, clone / name)
    binaries = clone / ".venv" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "activate").write_text(f"export PATH={Path(sys.executable).parent}:$PATH\n")
    return clone


class Student:
    """A student, who types what the menus of JupyterLab would do."""

    def __init__(self, name: str, clone: Path) -> None:
        self.home = clone.parent / name
        self.home.mkdir()
        self.shell = Shell(
            self.home,
            JUPYTER_CONFIG_DIR=str(self.home / "jupyter"),
            JUPYTER_DATA_DIR=str(self.home / "data"),
        )
        (joined,) = (text for text in blocks("first-evening.md") if "join" in text)
        self.shell.run(joined.replace("/opt/kdlab", str(clone)))
        with (self.home / "jupyter" / "nbgrader_config.py").open("a", encoding="utf-8") as config:
            config.write(f"c.CourseDirectory.student_id = {name!r}\n")  # one account plays all
        self.shell.run(f"nbgrader fetch_assignment {SET}")

    def submit(self, entry: str) -> None:
        path = self.home / SET / f"{SET}.ipynb"
        (answers,) = (each.answers for each in entries(SET) if each.name == entry)
        nbformat.write(submission(nbformat.read(path, as_version=4), answers), path)
        self.shell.run(f"nbgrader submit {SET}")

    def reads(self) -> list[str]:
        """Pages, the oldest submission's first, as text."""
        self.shell.run(f"nbgrader fetch_feedback {SET}")
        pages = sorted((self.home / SET / "feedback").glob("*/*.html"))
        return [
            " ".join(
                bs4.BeautifulSoup(page.read_text("utf-8"), "html.parser").get_text(" ").split()
            )
            for page in pages
        ]


def marks(clone: Path) -> dict[str, float]:
    with (clone / "exercises" / "grades.csv").open(encoding="utf-8", newline="") as stream:
        return {r["student_id"]: float(r["score"]) for r in csv.DictReader(stream)}


def test_a_term_from_the_pages(clone: Path) -> None:
    instructor = Shell(clone, JUPYTER_CONFIG_DIR=str(clone / "jupyter"))
    for text in blocks("first-evening.md"):
        if "join" not in text:
            instructor.run(text)
    instructor.close()
    instructor = Shell(clone, JUPYTER_CONFIG_DIR=str(clone / "jupyter"))  # the next week's terminal
    instructor.run("source .venv/bin/activate\ncd exercises")
    ada, alan = Student("ada", clone), Student("alan", clone)
    ada.submit("solution")
    alan.submit("chaff-direction_swapped")

    week = blocks("week.md")
    typed: list[str] = []

    def types(*words: str) -> str:
        """Types the page's blocks that hold these words."""
        found = [text for text in week if any(word in text for word in words)]
        assert found, words
        typed.extend(found)
        return " ".join(instructor.run(text) for text in found)

    types("nbgrader collect")
    assert "Submissions with nothing wrong: 2 of 2." in types("autograder doctor")
    assert "2 graded" in instructor.run("python -m autograder grade ps1_divergences")
    types("autograder report")
    assert "direction swapped" in (clone / "exercises" / "report.html").read_text("utf-8")
    assert "2 released, 0 not delivered" in instructor.run(
        "python -m autograder feedback ps1_divergences"
    )
    types("nbgrader export")
    assert marks(clone) == {"ada": 19.0, "alan": 11.0}
    (page,) = alan.reads()
    assert "This is the divergence in the other direction" in page

    # The second week: handed in again, a due date, a late day, an extension.
    alan.submit("wheat-functional")
    said = instructor.run("python -m autograder feedback ps1_divergences")
    assert "A newer version of" in said
    types("nbgrader collect")
    # What came anew is run, and the rest is not.
    assert "1 graded, 1 graded already" in types("nbgrader db assignment")
    assert "0 graded, 2 graded already" in instructor.run(f"python -m autograder grade {SET}")
    instructor.run("python -m autograder feedback ps1_divergences")
    assert "19.0 / 22.0" in alan.reads()[-1]

    plugin, option = (text for text in blocks("week.md", "python") if "Ten" in text)
    (clone / "exercises" / "penalties.py").write_text(plugin, encoding="utf-8")
    with (clone / "exercises" / "nbgrader_config.py").open("a", encoding="utf-8") as config:
        config.write(f"\n{option}")
    due = datetime.now(UTC) - timedelta(hours=12)
    date = f'nbgrader db assignment add {SET} --duedate "{due:%Y-%m-%d %H:%M:%S} UTC"'
    instructor.run(f"{date} && python -m autograder grade {SET}")
    instructor.run("nbgrader export --to grades.csv")
    assert marks(clone) == {"ada": pytest.approx(17.1), "alan": pytest.approx(17.1)}
    types("autograder extend")
    instructor.run("python -m autograder feedback ps1_divergences")
    instructor.run("nbgrader export --to grades.csv")
    assert marks(clone) == {"ada": 19.0, "alan": pytest.approx(17.1)}
    assert "17.1" in alan.reads()[-1]

    # A regrade: the checks have changed and are released, and everyone is graded by them.
    checks = clone / "exercises" / "checks" / f"{SET}.py"
    checks.write_text(checks.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    (again,) = blocks("your-own-set.md", where="test_term.py")
    assert "2 graded, 0 graded already" in instructor.run(again.replace("ps7_mine", SET))
    types("--force")
    said = types("autograder audit")
    assert "Submissions judged again and the same: 1 of 1." in said
    assert "Submissions run again and the same: 1 of 1." in said
    for text in [text for text in week if text not in typed] + commands("week.md"):
        instructor.run(text)  # whatever the story did not need
    ada.shell.close(), alan.shell.close(), instructor.close()


def test_every_block_of_the_pages_is_run_or_says_where() -> None:
    for page in sorted(PAGES.glob("*.md")):
        for match in BLOCK.finditer(page.read_text(encoding="utf-8")):
            if match["kind"] != "shell" or not match["not"]:
                continue
            elsewhere = r"(tests/\S+\.py|make hub|a system package|a browser)"
            where = re.search(elsewhere, match["not"])
            assert where, match[0]
            if where[1].startswith("tests/") and ROOT / where[1] != Path(__file__):
                test = (ROOT / where[1]).read_text(encoding="utf-8")
                for words in re.findall(r"(?:make|autograder) ([a-z ]+)\b", match["text"]):
                    assert all(word in test for word in words.split()), (where[1], words)
