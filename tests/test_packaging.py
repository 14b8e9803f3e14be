"""What is built installs anywhere: its files, addresses and dependencies, nothing of the course."""

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from email import message_from_bytes
from importlib.metadata import PackageNotFoundError, distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ADDRESS = PROJECT["urls"]["Repository"]
SYSTEMS = {
    "Linux": {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"},
    "macOS": {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix"},
    "Windows": {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt"},
}
ONLY_LINUX = {"liger-kernel", "orda-kernel", "triton"}  # all need Triton's wheels


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A folder with the sdist and the wheel."""
    folder = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-t", "wheel"]
    done = subprocess.run([*command, "-d", folder], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built) -> zipfile.ZipFile:
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def part(wheel: zipfile.ZipFile, name: str) -> bytes:
    (found,) = (path for path in wheel.namelist() if path.endswith(f".dist-info/{name}"))
    return wheel.read(found)


def version(wheel: zipfile.ZipFile) -> str:
    return message_from_bytes(part(wheel, "METADATA"))["Version"]


def test_the_wheel_holds_the_two_packages_and_nothing_else(wheel):
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    here = [path for package in ("kdlab", "autograder") for path in (ROOT / package).rglob("*")]
    assert names == {
        path.relative_to(ROOT).as_posix()
        for path in here
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {"kdlab/py.typed", "kdlab/__init__.pyi", "kdlab/widgets/widgets.css"} <= names
    assert {name.partition("/")[0] for name in names} == {"kdlab", "autograder"}
    assert b"MIT License" in part(wheel, "licenses/LICENSE")


def test_the_sdist_ships_no_solution_no_check_and_no_bank(built):
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        members = {m.name.partition("/")[2]: m for m in archive.getmembers() if m.isfile()}
        texts = {
            name: archive.extractfile(member).read().decode("utf-8", "replace")
            for name, member in members.items()
        }
    assert {name.partition("/")[0] for name in members} == {
        *("kdlab", "autograder", "README.md", "CHANGELOG.md", "CITATION.cff", "LICENSE"),
        *("pyproject.toml", "PKG-INFO", ".gitignore"),
    }
    for name, text in texts.items():
        assert "### BEGIN SOLUTION\n" not in text, name
        assert not re.search(r"^\s*Misconception\(\s*\"", text, re.MULTILINE), name


def test_every_picture_and_link_of_the_readme_is_absolute(wheel):
    text = message_from_bytes(part(wheel, "METADATA")).get_payload(decode=True).decode()
    targets = re.findall(r"\]\(([^)]+)\)", text)
    assert any(target.endswith(".png") for target in targets)
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []
    for target in targets:  # what was relative leads to a file that is there
        for base in (f"{ADDRESS}/blob/main/", raw(ADDRESS)):
            if target.startswith(base):
                assert (ROOT / target.removeprefix(base)).exists(), target


def raw(address: str) -> str:
    return address.replace("//github.com", "//raw.githubusercontent.com") + "/main/"


def test_one_address_everywhere():
    configuration = (ROOT / "_config.yml").read_text(encoding="utf-8")
    assert re.findall(r"^ +url: (\S+)", configuration, re.MULTILINE) == [ADDRESS]
    owner, name = ADDRESS.removeprefix("https://github.com/").split("/")
    ours = re.compile(
        rf"//(?:raw\.githubusercontent\.com|github\.com|mybinder\.org/v2/gh)/([\w-]+/{name})\b"
    )
    for file in ("README.md", "pyproject.toml", "_config.yml", "CITATION.cff", "CHANGELOG.md"):
        assert set(ours.findall((ROOT / file).read_text(encoding="utf-8"))) <= {f"{owner}/{name}"}
    assert all(
        url.startswith((ADDRESS, f"https://{owner}.github.io/{name}/"))
        for url in PROJECT["urls"].values()
    )


def needed(requirements: list[str], extra: str = "", **environment: str) -> set[str]:
    """Names of what requirements ask for in an environment."""
    found = [Requirement(text) for text in requirements]
    return {
        canonicalize_name(one.name)
        for one in found
        if one.marker is None or one.marker.evaluate({"extra": extra, **environment})
    }


@pytest.mark.parametrize("system", ["macOS", "Windows"])
@pytest.mark.parametrize("extra", PROJECT["optional-dependencies"])
def test_no_extra_asks_for_what_is_for_linux_alone(system, extra):
    asked = needed(PROJECT["optional-dependencies"][extra], extra, **SYSTEMS[system])
    assert not asked & ONLY_LINUX
    assert needed(PROJECT["dependencies"], **SYSTEMS[system]) >= {"torch", "numpy", "typer"}


def closure(names: set[str]) -> set[str]:
    """Distributions that are installed here and that these ones need, themselves included."""
    seen: set[str] = set()
    todo = set(names)
    while todo:
        name = todo.pop()
        seen.add(name)
        try:
            todo |= needed(distribution(name).requires or []) - seen
        except PackageNotFoundError:
            continue  # for another system or Python, or optional
    return seen


@pytest.fixture(scope="module")
def empty(built, wheel, tmp_path_factory) -> Path:
    """The Python of an environment that holds the wheel and what it declares, and no more.

    The dependencies are links to what is installed here; installing them anew takes minutes.
    """
    folder = tmp_path_factory.mktemp("empty")
    venv.create(folder, symlinks=os.name != "nt")
    (site,) = folder.glob("[Ll]ib/**/site-packages")
    wheel.extractall(site)
    declared = message_from_bytes(part(wheel, "METADATA")).get_all("Requires-Dist")
    wanted = closure(needed(declared))
    assert not wanted & {"nbgrader", "jupyter-core", "transformers", "pytest"}
    for one in distributions():
        if canonicalize_name(one.metadata["Name"]) in wanted:
            for top in {file.parts[0] for file in one.files or []} - {"..", "__pycache__"}:
                source = Path(one.locate_file(top))
                if source.exists() and not (site / top).exists():
                    (site / top).symlink_to(source, source.is_dir())
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python3")


@pytest.mark.slow
def test_the_wheel_alone_distils_and_plots(empty, wheel, tmp_path):
    code = """
import importlib.util, pathlib, sys
assert [n for n in ("nbgrader", "jupyter_core", "jupyterlab", "exercises", "transformers")
        if importlib.util.find_spec(n)] == []
import torch, kdlab, kdlab.plots, kdlab.widgets
torch.set_num_threads(1)
assert pathlib.Path(kdlab.__file__).is_relative_to(sys.prefix), kdlab.__file__
models = [kdlab.TinyGPT("tiny-student", vocab_size=8, block_size=8) for _ in range(2)]
data = [{"input_ids": torch.arange(8), "labels": torch.arange(8)}] * 4
trainer = kdlab.DistillationTrainer(
    *models,
    kdlab.CombinedObjective(lam=0.5),
    config=kdlab.TrainConfig(steps=2, batch_size=4, device="cpu"),
)
history = trainer.fit(data)
kdlab.plots.training_curves(history).savefig("curves.png")
kdlab.widgets.KLExplorer()
print(kdlab.__version__, len(history.train))
"""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [empty, "-c", code],
        cwd=tmp_path,
        env={**environment, "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [version(wheel), "2"]
    assert (tmp_path / "curves.png").stat().st_size > 1000


@pytest.mark.slow
def test_what_is_told_to_be_installed_needs_no_index_that_has_kdlab(built):
    """The wheel, as a page for instructors names it, and extras where kdlab is installed."""
    (path,) = built.glob("*.whl")
    page = (ROOT / "book/instructors/first-evening.md").read_text(encoding="utf-8")
    assert f'pip install "./{path.name}[grading]" jupyterlab' in page  # for cmd.exe too
    for what in (f"./{path.name}[grading]", "kdlab[hf,lora]", f"{ROOT}[cluster]"):
        command = [sys.executable, "-m", "pip", "install", "--no-index", "--dry-run"]
        command += ["--no-build-isolation", what]
        done = subprocess.run(command, cwd=built, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_who_is_told_to_install_kdlab_has_it_or_names_where_it_is():
    """It is on no index: an extra's name alone does where kdlab is, as in its own errors."""
    texts = {path: path.read_text(encoding="utf-8") for path in told()}
    found = [
        (path.relative_to(ROOT).as_posix(), line)
        for path, text in texts.items()
        for line in text.splitlines()
        if re.search(r"pip install.*kdlab(\[|\b(?!-))", line)
    ]
    assert len(found) > 5
    for path, line in found:
        assert path.startswith(("kdlab/", "autograder/")), line
        assert re.search(r"pip install 'kdlab\[\w+\]'", line), line  # zsh expands brackets


def told() -> list[Path]:
    """Files that tell people what to install."""
    places = ("kdlab/**/*.py", "autograder/**/*.py", "book/**/*.md", "deploy/**/*", "*.md")
    return [path for place in places for path in ROOT.glob(place) if path.is_file()]


@pytest.mark.slow
def test_without_nbgrader_the_grading_engine_says_what_to_install(empty, tmp_path):
    done = subprocess.run(
        [empty, "-m", "autograder", "--help"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "pip install 'kdlab[grading]'" in done.stderr
    assert "Traceback" not in done.stderr
