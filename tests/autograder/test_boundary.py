"""Who may import whom: the folders of autograder/ show it, and this holds it."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.sandbox.walls import INSIDE

ROOT = Path(__file__).parents[2] / "autograder"

# For each folder or file of autograder/, what else of ours it may import.
ARROWS = {
    "kernel": set(),
    "judging": {"kernel.evidence"},
    "sandbox": {"judging.messages"},  # every message is checked where it enters
    "check": {"judging", "kernel"},
    "settings": set(),
    "nbgrader_internals": set(),
    "cells": {"check", "nbgrader_internals"},
    "spec": {"judging", "kernel", "settings"},
    "questions": {"judging", "kernel", "spec"},
    "authoring": {
        *("judging", "kernel", "spec", "questions", "check", "cells", "nbgrader_internals"),
    },
    "grading": {
        *("judging", "kernel.evidence", "sandbox", "spec", "questions", "settings", "check"),
        *("cells", "authoring", "nbgrader_internals"),
    },
    "commands": {"judging", "sandbox", "settings", "authoring", "grading"},
    "__main__": {"commands"},
    "__init__": set(),
}
# In grading/, a folder is a step of a round, and no two import each other: execution, which runs a
# whole round, uses marks. But what goes back to a platform is the feedback on what came from there.
# The modules beside the folders are for all.
STEPS = {
    "submissions": set(),
    "exchange": {"submissions"},
    "marks": {"exchange", "submissions"},
    "execution": {"marks", "submissions"},
    "feedback": {"exchange", "marks", "submissions", "platforms.downloads"},
    "platforms": {"feedback", "marks", "submissions"},
}
JUDGING_NEEDS = {"numpy"}  # beside Python's own modules


def imports(path: Path) -> set[str]:
    """All modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def place(path: Path) -> str:
    """The folder or file of autograder/ that a module belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


FILES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_import_follows_an_arrow(path: Path) -> None:
    allowed = {f"autograder.{name}" for name in ARROWS[place(path)] | {place(path)}}
    ours = {name for name in imports(path) if name.partition(".")[0] == "autograder"}
    astray = {
        name for name in ours if not any(f"{name}.".startswith(f"{good}.") for good in allowed)
    }
    assert not astray


@pytest.mark.parametrize("step", STEPS)
def test_a_step_of_a_round_imports_those_that_it_may(step: str) -> None:
    known, allowed = (
        tuple(f"autograder.grading.{name}." for name in names)
        for names in (STEPS.keys() - {step}, STEPS[step])
    )
    for path in (ROOT / "grading" / step).glob("*.py"):
        found = {name for name in imports(path) if name.startswith(known)}
        assert not {name for name in found if not name.startswith(allowed)}, path


def test_every_folder_of_a_round_is_a_step() -> None:
    folders = {path.parent.name for path in (ROOT / "grading").glob("*/__init__.py")}
    assert folders == STEPS.keys()


def test_what_runs_in_the_sandbox_imports_nothing_of_ours_from_elsewhere() -> None:
    inside = [*(ROOT / "kernel").glob("*.py"), *(ROOT / "sandbox" / name for name in INSIDE)]
    known = ("autograder.kernel.", "autograder.sandbox.syscalls.", "autograder.sandbox.world.")
    for path in inside:
        ours = {name for name in imports(path) if name.partition(".")[0] in ("autograder", "kdlab")}
        assert all(name.startswith(known) for name in ours), path


def test_what_judges_needs_numpy_alone() -> None:
    for path in (ROOT / "judging").glob("*.py"):
        outside = {name.partition(".")[0] for name in imports(path)} - sys.stdlib_module_names
        assert outside <= JUDGING_NEEDS | {"autograder"}, path


def loads_without(modules: list[str], blocked: list[str]) -> None:
    code = f"""
import importlib, sys
for name in {blocked!r}:
    sys.modules[name] = None
for name in {modules!r}:
    importlib.import_module(name)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def modules(folder: str) -> list[str]:
    paths = (path.relative_to(ROOT.parent) for path in (ROOT / folder).rglob("[!_]*.py"))
    return [".".join(path.with_suffix("").parts) for path in paths]


def test_what_judges_loads_where_there_is_no_torch_no_kernel_and_no_nbgrader() -> None:
    blocked = [
        "torch",
        "IPython",
        "ipykernel",
        "jupyter_client",
        "nbclient",
        "nbformat",
        "nbgrader",
    ]
    loads_without([*modules("judging"), "autograder.check", "autograder.questions"], blocked)


def test_the_commands_load_without_torch() -> None:
    loads_without([*modules("grading"), *modules("commands")], ["torch", "kdlab"])


def test_arrays_are_judged_without_torch() -> None:
    code = """
import json, sys
sys.modules["torch"] = None
import numpy as np
from autograder.judging.evidence import read_evidence
from autograder.judging.verdict import judge
from autograder.kernel.evidence import Outcome, write_evidence
from autograder.spec import Case, FunctionCheck, Section
check = FunctionCheck("double", {"values": 1}, "twice", Section("1", "", ""), lambda x: 2 * x,
                      (Case("one", (np.ones(3),)),))
text = write_evidence("double", "n", [Outcome("returned", np.full(3, 2.0))])
outcomes = read_evidence(text, check="double", nonce="n", count=1)
print(json.dumps(judge(check.rubric(check.cases()), outcomes).points))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == 1.0
