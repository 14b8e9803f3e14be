"""make on machines that lack something says so in a sentence, and a folder may have any name."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# What a `make test` around this one hands down, and what CI sets.
OF_MAKE = ("MAKE", "MFLAGS", "CONSTRAINTS", "INSTALLER", "PYTHON")

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


@pytest.fixture(params=["a room", "l'été #1", 'a "$HOME" `id`'])
def folder(request, tmp_path) -> Path:
    """A folder as a clone has it, as far as setting up reads it."""
    folder = tmp_path / request.param / "kdlab"
    folder.mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "requirements.txt", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    return folder


def make(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(OF_MAKE)}
    return subprocess.run(
        ["make", *words],
        cwd=folder,
        env={**inherited, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_programs_of_the_environment_are_found_in_a_folder_of_any_name(folder):
    program(folder / ".venv/bin/python", f'exec "{sys.executable}" "$@"')
    program(folder / ".venv/bin/jupyter-book", 'echo "$1 $2 with $(command -v jupyter-book)"')
    program(folder / "installer", 'echo "$@" >> installed')
    done = make(folder, "book", "INSTALLER=./installer")
    assert done.returncode == 0, done.stdout
    assert f"build . with {folder}/.venv/bin/jupyter-book" in done.stdout
    installed = (folder / "installed").read_text().splitlines()
    assert installed == ["--help", "install --quiet -c constraints.txt -r requirements.txt"]
    make(folder, "book", "INSTALLER=./installer")
    assert (folder / "installed").read_text().splitlines() == installed  # nothing is done twice


def test_the_pdf_is_printed_from_the_book_which_is_rendered_first_if_it_is_not(folder):
    program(folder / ".venv/bin/python", 'echo "$@"')
    program(
        folder / ".venv/bin/jupyter-book", "mkdir -p _build/html; echo > _build/html/index.html"
    )
    program(folder / "installer", "exit 0")
    for rendered in (True, False):
        done = make(folder, "pdf", "INSTALLER=./installer")
        assert done.returncode == 0, done.stdout
        assert ("The book is ready." in done.stdout) == rendered
        assert "\nbook/_ext/paper.py _build/book.pdf" in done.stdout


def test_a_machine_without_python_says_what_to_do(folder):
    done = make(folder, "book", "PYTHON=./python9 -E")
    assert done.returncode == 2
    assert "There is no ./python9 here. Install Python 3.11 or newer, or say" in done.stdout


def test_a_python_that_is_too_old_is_named(folder):
    old = "import sys; sys.version_info = (3, 10, 13); exec(sys.argv[1])"
    program(folder / "an old one", f"""[ "$1" = -c ] && exec "{sys.executable}" -c '{old}' "$2" """)
    done = make(folder, "book", "PYTHON=./an old one")
    assert done.returncode == 2
    assert "kdlab needs Python 3.11 or newer; this is 3.10." in done.stdout
    assert "Traceback" not in done.stdout
    assert not (folder / ".venv").exists()


@pytest.mark.parametrize("left", ["raise ModuleNotFoundError('No module named ensurepip')", ""])
def test_a_python_without_venv_says_what_to_install(folder, tmp_path, left):
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "ensurepip.py").write_text(left)  # nothing, or its folder without files
    done = make(folder, "book", f"PYTHON={sys.executable}", PYTHONPATH=str(hidden))
    assert done.returncode == 2
    version = "{}.{}".format(*sys.version_info)
    assert f"install: sudo apt-get install python{version}-venv" in done.stdout
    assert "Traceback" not in done.stdout
    assert not (folder / ".venv").exists()  # nothing half made, which a second try would take


@pytest.mark.skipif(os.name != "posix" or not os.getuid(), reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to_is_named(folder):
    folder.chmod(0o555)
    done = make(folder, "book", f"PYTHON={sys.executable}")
    folder.chmod(0o755)
    assert done.returncode == 2
    assert f"You cannot write to this folder, {folder}. Clone the repository" in done.stdout


def test_the_work_is_kept_in_a_folder_of_any_name(folder):
    program(folder / ".venv/bin/python", 'for word; do echo "[$word]"; done')
    program(folder / "installer", "exit 0")
    for words, environment in (
        ([f"LAB={folder}/lab".replace("$", "$$")], {}),
        ([], {"LAB": f"{folder}/lab"}),
    ):
        done = make(folder, "lab", "INSTALLER=./installer", *words, **environment)
        assert f"[--folder]\n[{folder}/lab]\n" in done.stdout
    assert "[--folder]\n[_build/lab]\n" in make(folder, "lab", "INSTALLER=./installer").stdout


def test_an_environment_without_pip_says_what_to_do(folder):
    program(folder / ".venv/bin/python", 'echo "No module named pip" >&2; exit 1')
    done = make(folder, "book")
    assert done.returncode == 2
    assert "There is no pip in .venv. Remove it and try again: rm -r .venv" in done.stdout
    assert "INSTALLER='uv pip'" in done.stdout


def test_a_cache_that_cannot_be_written_to_is_noticed_first(folder):
    (folder / "file").write_text("no folder", encoding="utf-8")
    for places in (
        {"KDLAB_CACHE": str(folder / "file")},
        {"KDLAB_CACHE": "", "XDG_CACHE_HOME": str(folder / "file")},
        {"KDLAB_CACHE": "", "XDG_CACHE_HOME": "", "HOME": str(folder / "file")},
    ):
        done = make(folder, "book", **places)
        assert done.returncode == 2
        assert f"You cannot write to {folder}/file" in done.stdout
        assert "Set KDLAB_CACHE to a folder of your own: KDLAB_CACHE=/tmp/kdlab make book" in (
            done.stdout
        )
        assert not (folder / ".venv").exists()


def test_constraints_are_kept_where_the_new_ones_cannot_be_listed(folder):
    program(
        folder / "python9",
        """[ "$2" = venv ] && mkdir -p "$3/bin" && cp "$0" "$3/bin/python"
        [ "$3" = freeze ] || exit 0
        printf 'torch==9.0+cpu\\ntriton==9\\n'; [ ! -e broken ]""",
    )
    (folder / "broken").touch()
    before = (folder / "constraints.txt").read_text()
    assert make(folder, "constraints", "PYTHON=./python9").returncode == 2
    assert (folder / "constraints.txt").read_text() == before
    (folder / "broken").unlink()
    done = make(folder, "constraints", "PYTHON=./python9")
    assert done.returncode == 0, done.stdout
    assert (folder / "constraints.txt").read_text() == "torch==9.0\n"
    assert not (folder / ".venv.constraints").exists()
