"""On a full disk, what a file held before is still there."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from autograder.commands.joining import disable, remember, write
from autograder.grading.writing import replace


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that has room for the first letters of a text."""
    whole = Path.write_text

    def write_text(self: Path, text: str, *arguments: object, **named: object) -> int:
        whole(self, text[:3], *arguments, **named)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", write_text)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("course.toml", lambda path: remember(path, Path("elsewhere"))),
        ("page_config.json", disable),
        ("nbgrader_config.py", lambda path: write(path.parent, "kdlab", Path())),
        ("grades.csv", lambda path: replace(path, "new")),
    ],
)
def test_what_was_there_stays(
    tmp_path: Path, request: pytest.FixtureRequest, name: str, change: Callable
) -> None:
    path = tmp_path / name
    write(tmp_path, "mine", Path())
    if name.endswith((".toml", ".json", ".csv")):
        path.write_text('{"theme": "ours"}\n' if name.endswith(".json") else 'exchange = "here"\n')
    path.chmod(0o640)
    before = {each: each.read_text() for each in tmp_path.iterdir() if each.is_file()}
    request.getfixturevalue("full")
    with pytest.raises(OSError, match=name):
        change(path)
    assert before == {each: each.read_text() for each in tmp_path.iterdir() if each.is_file()}
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_link_is_followed_and_modes_are_as_asked_or_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    path, link = tmp_path / "there" / "marks", tmp_path / "link"
    link.symlink_to(path)
    replace(link, "a\r\n", 0o600)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"a\r\n", 0o600)
    path.chmod(0o640)
    replace(link, "b")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("b", 0o640)
    assert link.is_symlink()
    assert list(path.parent.iterdir()) == [path]


def test_a_pipe_is_written_to() -> None:
    code = "from autograder.grading.writing import replace, Path; "
    code += 'replace(Path("/dev/stdout"), "a,b\\n")'
    done = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert (done.stdout, done.stderr) == (b"a,b\n", b"")


def test_the_report_before_stays_and_the_disk_is_named(
    invoke: Callable, course: Path, full: None
) -> None:
    (course / "report.html").write_bytes(b"old")
    result = invoke("report", "set", "--to", str(course / "report.html"))
    assert result.exit_code == 2, result.output
    assert "No space left on device: " in result.output
    assert (course / "report.html").read_bytes() == b"old"
