"""A module is loaded when it is asked for, in whatever order, and the type information is true."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

import kdlab
from kdlab import cli
from kdlab.schedules import SCHEDULES

STUB = Path(kdlab.__file__).with_suffix(".pyi")
SLOW = ("torch", "numpy", "matplotlib", "accelerate", "tokenizers", "anywidget", "transformers")
MODULES = sorted(module.name for module in pkgutil.iter_modules(kdlab.__path__))


def fresh(code: str) -> str:
    """What a new Python prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_package_is_the_command():
    asked = [sys.executable, "-m", "kdlab", "--help"]
    printed = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    assert "Usage: kdlab [OPTIONS] COMMAND" in printed


@pytest.mark.parametrize("words", [["--help"], ["distill", "--help"]])
def test_help_waits_for_no_slow_module(words):
    printed = fresh(
        "import sys\n"
        "from kdlab.cli import app\n"
        f"app({words!r}, standalone_mode=False)\n"
        f"print([name for name in {SLOW!r} if name in sys.modules])"
    )
    assert "Usage:" in printed
    assert printed.endswith("[]\n")


def test_the_command_line_names_all_there_is():
    assert list(get_args(cli.Divergence)) == list(kdlab.DIVERGENCES)
    assert list(get_args(cli.Schedule)) == list(SCHEDULES)
    assert list(cli.PRESETS) == list(kdlab.PRESETS)


def test_the_stub_names_what_is_offered():
    tree = ast.parse(STUB.read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    names = {alias.name for node in imports if node.module for alias in node.names}
    modules = {alias.name for node in imports if not node.module for alias in node.names}
    (listed,) = (node.value for node in tree.body if isinstance(node, ast.Assign))
    assert names == set(ast.literal_eval(listed)) == set(kdlab.__all__)
    assert modules == set(MODULES) - {"cli", "__main__"}
    assert all(hasattr(kdlab, name) for name in names | modules)
    assert not names & set(MODULES)  # else the name would be the function or the module by chance


OF_THEIR_MODULE = {"batches": {"Rows"}, "fused": {"linear_twin"}, "templates": {"Encoded"}}
"""What the reference has under the name of its module."""


@pytest.mark.parametrize("name", sorted(set(MODULES) - {"__main__", "plots", "widgets"}))
def test_a_module_offers_what_is_public_and_nothing_else(name):
    module = importlib.import_module(f"kdlab.{name}")
    offered = set(getattr(module, "__all__", ()))
    assert offered <= set(kdlab.__all__) | OF_THEIR_MODULE.get(name, set())


@pytest.mark.slow
def test_a_name_is_the_same_whatever_was_imported_before():
    kinds = {name: type(getattr(kdlab, name)).__name__ for name in kdlab.__all__}
    printed = fresh(
        "import kdlab.trainer, kdlab.plots, kdlab\n"
        "print({name: type(getattr(kdlab, name)).__name__ for name in kdlab.__all__})"
    )
    assert printed == f"{kinds}\n"


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="forward_lk"):
        kdlab.forward_lk  # noqa: B018


def test_the_version_is_the_one_of_the_changelog_and_the_citation():
    root = Path(kdlab.__file__).parents[1]
    if not (root / "CITATION.cff").exists():
        pytest.skip("the library was installed without its repository")
    assert f"\nversion: {kdlab.__version__}\n" in (root / "CITATION.cff").read_text()
    assert f"\n## [{kdlab.__version__}]" in (root / "CHANGELOG.md").read_text()
    assert (root / "kdlab/py.typed").exists()
