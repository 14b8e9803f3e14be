"""A clone on a shared machine: one command closes every folder that holds answers."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from exercises.bank import solution, source
from exercises.course import EXERCISES
from tests.listing import files

ROOT = Path(__file__).parents[2]
CLOSED = {".git", "_build", "benchmarks", "exercises", "tests"}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy").chmod(0o755)
    shutil.copy2(ROOT / "deploy" / "close", tmp_path / "deploy")
    for name in ("book", "exercises/checks", "kdlab", "tests"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "exercises").chmod(0o755)
    (tmp_path / "tests").chmod(0o750)  # a group may hold students as well
    return tmp_path


def test_one_command_closes_what_is_there_and_what_is_built_later(clone: Path) -> None:
    def run(*words: str, status: int = 0) -> str:
        command = [clone / "deploy" / "close", *words]
        done = subprocess.run(
            command,
            cwd="/",
            capture_output=True,
            text=True,
            env=os.environ | {"KDLAB_CACHE": str(clone / "tests")},
        )
        assert done.returncode == status, done.stderr
        said.append(done.stderr)
        return done.stdout

    said: list[str] = []
    python = clone / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    for path in (clone / ".venv", python.parent):
        path.chmod(0o755)

    assert run("--lok", status=2) == ""
    assert run("--look") == "exercises\ntests\n"
    assert run() == "Closed to other accounts: _build exercises tests\n"
    remedy = said[-1].rpartition("chmod -R o+rX ")[2]
    assert f"{clone}/tests" in shlex.split(remedy)  # which students were to have
    assert run("--look") == said[-1] == ""
    for folder in clone.iterdir():
        is_open = bool(folder.stat().st_mode & 0o077)
        assert is_open == (folder.name not in CLOSED), folder
    assert (clone / "_build").is_dir()


def test_no_answer_is_in_a_folder_that_stays_open() -> None:
    """What a release writes is below exercises, and what a build writes below _build."""
    answers = {}
    for folder in sorted((EXERCISES / "source").iterdir()):
        for task, text in solution(source(folder.name)).items():
            body = text.partition('"""')[2].rpartition('"""')[2] or text
            lines = [line.strip() for line in body.splitlines() if len(line.strip()) > 12]
            answers[folder.name, task] = lines
    assert len(answers) > 20
    texts = {
        name: (ROOT / name).read_text(encoding="utf-8", errors="replace")
        for name in files()
        if name.partition("/")[0] not in CLOSED
    }
    found = [
        (name, answer)
        for answer, lines in answers.items()
        if len(lines) > 2
        for name, text in texts.items()
        if all(line in text for line in lines)
    ]
    assert found == []
