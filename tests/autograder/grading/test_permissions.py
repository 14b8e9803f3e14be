"""An environment that students cannot use is said before any student meets it."""

import shlex
from pathlib import Path

import pytest

from autograder.grading import permissions

is_closed = permissions._is_closed


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with its environment, whose Python lies elsewhere; all of it is open."""
    clone, python = tmp_path / "opt" / "kd lab", tmp_path / "home" / "python"
    for path in (python, clone / ".venv" / "bin" / "x", clone / "kdlab" / "__init__.py"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (clone / ".venv" / "bin" / "python").symlink_to(python)
    for path in tmp_path.rglob("*"):
        path.chmod(0o755)
    # The folder in which tests work is closed itself.
    monkeypatch.setattr(
        permissions,
        "_is_closed",
        lambda path, mode: tmp_path in path.parents and is_closed(path, mode),
    )
    return clone


def test_a_python_in_a_home_and_a_clone_under_an_umask_are_named(clone: Path) -> None:
    def said() -> str:
        needed = [clone / ".venv" / "bin" / "python", clone / "kdlab" / "__init__.py"]
        return permissions.closed(map(str, needed), [str(clone / ".venv"), str(clone / "kdlab")])

    assert said() == ""
    home = clone.parents[1] / "home"
    home.chmod(0o700)
    assert f"because {home} is closed to others, and it holds {home}/python" in said()
    assert said().endswith(f"or open the way: chmod o+x {home}")
    home.chmod(0o711)
    assert said() == ""
    for path in (clone, *clone.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o700)
    way, venv, package = (shlex.quote(str(clone / name)) for name in ("", ".venv", "kdlab"))
    # Answers stay closed: all that a folder holds is opened only where students share it.
    assert said().endswith(f"or open the way: chmod o+x {way}; chmod -R o+rX {venv} {package}")


def test_a_cache_for_all_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o700)
    assert str(cache) not in permissions.barred()
    monkeypatch.setenv("KDLAB_CACHE", str(cache))
    remedy = permissions.barred().rpartition("chmod -R o+rX ")[2]
    assert str(cache) in shlex.split(remedy)
