"""nbgrader's insides, and nbclient's, are those that `autograder/nbgrader_internals.py` names."""

import ast
import importlib
import inspect
import pkgutil
import textwrap
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path

import nbgrader
import pytest
from packaging.requirements import Requirement

import autograder
from autograder.nbgrader_internals import MEMBERS, RANGES, TEMPLATES, WORDS

ROOT = Path(autograder.__file__).parents[1]
INTERNALS = ROOT / "autograder" / "nbgrader_internals.py"
IN_THE_MANUAL = ("nbgrader.api", "nbgrader.plugins")
THEIRS = ("nbgrader.", "nbclient.")
HERE = f"nbgrader {version('nbgrader')} with nbclient {version('nbclient')}"


@cache
def parsed(thing: type) -> ast.AST:
    return ast.parse(textwrap.dedent(inspect.getsource(thing)))


def given_names(thing: type) -> set[str]:
    """What a class defines, and what it keeps on itself."""
    kept = {
        node.attr
        for node in ast.walk(parsed(thing))
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }
    body = parsed(thing).body[0].body
    assigned = [each.targets[0] for each in body if isinstance(each, ast.Assign)]
    assigned += [each.target for each in body if isinstance(each, ast.AnnAssign)]
    defined = (ast.FunctionDef, ast.AsyncFunctionDef)
    return (
        kept
        | {each.id for each in assigned if isinstance(each, ast.Name)}
        | {each.name for each in body if isinstance(each, defined)}
    )


@cache
def theirs(kind: type) -> dict[str, type]:
    """By name, the class of nbgrader's or nbclient's that a member comes from."""
    bases = [base for base in kind.__mro__ if base.__module__.startswith(THEIRS)]
    return {name: base for base in reversed(bases) for name in given_names(base)}


def ours() -> Iterator[type]:
    """Our classes that derive from one of nbgrader's."""
    for module in pkgutil.walk_packages(autograder.__path__, "autograder."):
        if not module.name.endswith("__main__"):
            for kind in vars(importlib.import_module(module.name)).values():
                if inspect.isclass(kind) and kind.__module__ == module.name and theirs(kind):
                    yield kind


def used(kind: type) -> set[str]:
    """What a class defines, and what it asks of itself or of its bases."""
    asked = {
        node.attr
        for node in ast.walk(parsed(kind))
        if isinstance(node, ast.Attribute)
        and (
            (isinstance(node.value, ast.Name) and node.value.id == "self")
            or (isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "super")
        )
    }
    return asked | given_names(kind)


@pytest.mark.parametrize("package", RANGES)
def test_a_range_is_the_one_that_the_internals_were_read_for(package: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    asked = [
        Requirement(line).specifier
        for line in (*project["optional-dependencies"]["grading"], *lines)
        if line.startswith(package)
    ]
    assert set(asked) == {Requirement(f"{package}{RANGES[package]}").specifier}, (
        f"{package}'s range has moved to {', '.join(map(str, asked))}. Read each entry of"
        f" {INTERNALS.name} against the new sources, and write the range there."
    )


@pytest.mark.parametrize("kind", MEMBERS, ids=lambda kind: kind.__name__)
def test_each_member_is_there(kind: type) -> None:
    for names, why in MEMBERS[kind].items():
        for name in names.split():
            assert name in theirs(kind), (
                f"{HERE} has no {kind.__name__}.{name} any more. We need it: {why}."
            )


@pytest.mark.parametrize("words", WORDS)
def test_nbgrader_says_these_words(words: str) -> None:
    sources = Path(nbgrader.__file__).parent.rglob("*.py")
    assert any(words in path.read_text(encoding="utf-8") for path in sources), (
        f"{HERE} does not say {words!r} any more, by which we know what happened."
    )


def test_nbgraders_templates_are_there() -> None:
    assert (TEMPLATES / "feedback").is_dir(), f"{HERE} has no templates in {TEMPLATES} any more."


def test_every_member_that_our_classes_use_is_named() -> None:
    known = {(kind, name) for kind in MEMBERS for names in MEMBERS[kind] for name in names.split()}
    for kind in ours():
        options = set(kind.class_trait_names(config=True))
        for name in used(kind) & theirs(kind).keys() - options - {"__init__"}:
            if theirs(kind)[name].__module__.startswith(IN_THE_MANUAL):
                continue
            assert any((base, name) in known for base in kind.__mro__), (
                f"{kind.__name__} uses {name} of {theirs(kind)[name].__name__}, and MEMBERS of"
                f" {INTERNALS.name} does not say why."
            )


def test_what_we_override_is_called_as_we_expect() -> None:
    for kind in ours():
        for name in given_names(kind) & theirs(kind).keys() - {"__init__"}:
            mine, their = (vars(each).get(name) for each in (kind, theirs(kind)[name]))
            if not inspect.isfunction(mine) or not inspect.isfunction(their):
                continue
            asked, there = (inspect.signature(each).parameters for each in (their, mine))
            takes_all = any(each.kind is each.VAR_POSITIONAL for each in there.values())
            assert takes_all or list(asked) == list(there), (
                f"{HERE} calls {kind.__name__}.{name} with {', '.join(asked)}, and ours takes"
                f" {', '.join(there)}."
            )


def test_the_rest_of_nbgrader_is_imported_in_one_file() -> None:
    for path in (ROOT / "autograder").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [each.name for each in node.names] if isinstance(node, ast.Import) else []
            beyond = {name for name in names if name and name.partition(".")[0] == "nbgrader"}
            assert path == INTERNALS or beyond <= set(IN_THE_MANUAL), (
                f"{path.relative_to(ROOT)} imports {', '.join(beyond)}, which is not in nbgrader's"
                f" manual: import it in {INTERNALS.name}, and say there what it is for."
            )
