"""Explains from the notebook's source alone why a task has no result.

An unclosed bracket, a leftover stub, a misspelt name, a missing return: each can be seen in what
the student wrote. Nothing that a kernel reports is used, because code that has received a hidden
case can choose how it fails. So the explanations reveal no hidden case, and students may see them.
"""

from __future__ import annotations

import ast
import builtins
import re
import sys
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import lru_cache

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from autograder.cells import ANSWER, asked_for, grade_id
from autograder.check import nearest

GIVEN = {*dir(builtins), "__name__", "__doc__", "get_ipython", "display", "In", "Out"}
GIVEN |= {"_", "__", "___", "_ih", "_oh", "_dh", "_exit_code", "__builtin__", "__builtins__"}
GIVEN |= {"__class__", "__module__", "__qualname__", "__annotations__"}  # within a class
HISTORY = re.compile(r"_i?\d+|_i{1,3}")  # IPython's names of earlier cells and their results
EXITS = re.compile(r"\b(?:exit|quit)\s*\(|\bos\._exit\b")
LAST_CALLS = {"exit", "quit", "_exit"}
MAX_SOURCE = 20_000  # characters of a cell that are examined
MAX_NOTEBOOK = 200_000  # characters of all code cells; beyond, only the task's own cell is examined
MAX_MAGICS = 20  # in a cell; IPython reads the whole cell again for each magic
MAGIC = re.compile(r"^[ \t]*[%!?/,;]|=[ \t]*[%!]|\?[ \t]*$", re.MULTILINE)
NAMING = {"run", "store", "pylab"}  # magics that define names in the notebook


def why_none(cells: Sequence[NotebookNode], index: int) -> str | None:
    """Explains a result of None by a missing return statement, if the source confirms it.

    Args:
        cells: The notebook's cells.
        index: The graded cell.
    """
    asks = asked_for(cells[index])
    answer = _answer_cell(cells, index, asks[0]) if asks else None
    tree = None if answer is None else _known_tree(cells[answer].source)
    return _no_return(asks[1], tree) if tree else None


def why_without_result(cells: Sequence[NotebookNode], index: int) -> str | None:
    """Explains from the source why a graded cell has no result; None where nothing explains it.

    Args:
        cells: The notebook's cells.
        index: The graded cell.
    """
    asks = asked_for(cells[index])
    if asks is None:
        return None
    task, name = asks
    answer = _answer_cell(cells, index, task)
    if answer is None:
        return f"`{name}` is not defined, and there is no cell before that could define it."
    source = cells[answer].source
    if len(source) > MAX_SOURCE:
        return None
    try:
        tree = _parsed(source)
    except SyntaxError as error:
        article = "an" if type(error).__name__[0] in "AEIOU" else "a"
        line = f" in line {error.lineno}" if error.lineno else ""
        return (
            f"The cell of this task could not be run, so `{name}` was never defined: it has"
            f" {article} {type(error).__name__}{line}."
        )
    if tree is None:
        return None
    for step, statement in enumerate(tree.body):
        if _is_stub(statement):
            if any(not _says_nothing(before) for before in tree.body[:step]):
                return (
                    "The cell of this task stops at `raise NotImplementedError`, which is left over"
                    " from the notebook."
                )
            return f"This task has not been written yet: its cell defines no `{name}`."
        if getattr(statement, "name", None) == name and any(map(_is_stub, statement.body)):
            return f"`{name}` is not written yet, or `raise NotImplementedError` is left over."
    code = [cell for cell in cells if cell.cell_type == "code"]
    if sum(len(cell.source) for cell in code) > MAX_NOTEBOOK:
        return None
    trees = [_known_tree(cell.source) for cell in code]
    return (
        _another_name(name, tree, trees, cells)
        or _unknown_name(name, tree, trees)
        or _ended_before(cells[:index])
        or _foreign_import(tree, cells)
    )


def where(cell: NotebookNode, index: int) -> str:
    """Names a cell, and says so if it calls exit() or quit()."""
    name = grade_id(cell)
    place = f"the cell `{name}`" if name else f"cell {index + 1} of the notebook"
    if EXITS.search(cell.source[:MAX_SOURCE]):
        return f"{place}, which calls exit() or quit(),"
    return place


def _answer_cell(cells: Sequence[NotebookNode], index: int, task: str) -> int | None:
    before = [i for i in range(index) if cells[i].cell_type == "code"]
    for i in before:
        if grade_id(cells[i]) == f"{task}{ANSWER}":
            return i
    return before[-1] if before else None


def _parsed(source: str) -> ast.Module | None:
    """A cell's syntax tree; None for a `%%` cell, for too many magics, or if nested too deeply.

    Raises:
        SyntaxError: When the cell is neither Python nor IPython's syntax.
    """
    above = len(source) - len(source.lstrip("\n"))  # IPython drops empty lines at the top
    if source.lstrip().startswith("%%"):
        return None
    try:
        try:
            return ast.parse(source)
        except SyntaxError:
            if len(MAGIC.findall(source)) > MAX_MAGICS:
                return None
        return ast.parse(TransformerManager().transform_cell(source))
    except SyntaxError as error:
        error.lineno = error.lineno and error.lineno + above
        raise
    except (RecursionError, MemoryError, ValueError):
        return None


@lru_cache(maxsize=64)
def _known_tree(source: str) -> ast.Module | None:
    """A cell's syntax tree: empty after a syntax error, None if unknown or overlong.

    It is cached, because each task of a notebook needs it.
    """
    try:
        return _parsed(source) if len(source) <= MAX_SOURCE else None
    except SyntaxError:
        return ast.Module([], [])


def _tells_all(tree: ast.Module | None) -> bool:
    """Whether a cell's source shows every name that the cell defines."""
    if tree is None:
        return False
    for node in ast.walk(tree):
        if isinstance(node, ast.alias) and node.name == "*":
            return False
        if isinstance(node, ast.Call):
            called = getattr(node.func, "id", getattr(node.func, "attr", ""))
            first = node.args[0] if node.args else None
            magic = getattr(first, "value", "") if called == "run_line_magic" else ""
            if called in ("exec", "globals") or magic in NAMING:
                return False
    return True


def _is_stub(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.Raise) or statement.exc is None:
        return False
    raised = statement.exc.func if isinstance(statement.exc, ast.Call) else statement.exc
    return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"


def _says_nothing(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _bound(tree: ast.AST) -> Iterator[str]:
    """All names that the code binds, in any scope."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name
        elif isinstance(node, ast.MatchMapping) and node.rest:
            yield node.rest


def _top_level(tree: ast.Module) -> list[str]:
    """Names that a cell defines at top level, in their order."""
    found: list[str] = []
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.append(statement.name)
        elif isinstance(statement, ast.Assign):
            found += (name for target in statement.targets for name in _bound(target))
        elif isinstance(statement, ast.AnnAssign):
            found += _bound(statement.target)
    return found


def _another_name(
    name: str,
    tree: ast.Module,
    trees: Sequence[ast.Module | None],
    cells: Sequence[NotebookNode],
) -> str | None:
    here = _top_level(tree)
    if name in here or name in _bound(tree):
        return None
    if here:
        (close, *_) = [*get_close_matches(name, here, 1, 0.0), here[-1]]
        return f"The cell of this task defines `{close}`, and the check asks for `{name}`."
    asked = {asks[1] for cell in cells if (asks := asked_for(cell))}
    others = {other for known in trees if known for other in _top_level(known)}
    if name in others:
        return None
    if near := nearest(name, others - asked):
        return f"Your notebook defines `{near}`, and the check asks for `{name}`."
    if not all(map(_tells_all, trees)):
        return None
    return f"`{name}` is not defined: no cell of the notebook sets it."


def _unknown_name(name: str, tree: ast.Module, trees: Sequence[ast.Module | None]) -> str | None:
    """Reports a name that the cell uses and that no cell of the notebook defines."""
    if not all(map(_tells_all, trees)):
        return None
    bound = {other for each in trees if each for other in _bound(each)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Name) or node.id in bound or node.id in GIVEN:
            continue
        if HISTORY.fullmatch(node.id):
            continue
        for statement in tree.body:
            if isinstance(statement, ast.Assign) and statement.value is node:
                return (
                    f"`{node.id}` is not defined anywhere in the notebook. If you mean the text,"
                    f' write it in quotes: {name} = "{node.id}".'
                )
        near = nearest(node.id, bound)
        return (
            f"The cell of this task uses `{node.id}`, which is not defined anywhere in the notebook"
            f"{f'; did you mean `{near}`?' if near else '.'}"
        )
    return None


def _no_return(name: str, tree: ast.Module) -> str | None:
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == name:
            gives = (ast.Return, ast.Yield, ast.YieldFrom)
            if not any(isinstance(n, gives) and n.value is not None for n in ast.walk(statement)):
                return f"`{name}` returns nothing. Is a return statement missing?"
    return None


def _ended_before(cells: Sequence[NotebookNode]) -> str | None:
    for index, cell in enumerate(cells):
        if cell.cell_type == "code" and (tree := _known_tree(cell.source)):
            for statement in tree.body:
                if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
                    called = statement.value.func
                    if getattr(called, "id", getattr(called, "attr", "")) in LAST_CALLS:
                        return f"Python may be ended by {where(cell, index)} before this task."
    return None


def _foreign_import(tree: ast.Module, cells: Sequence[NotebookNode]) -> str | None:
    """Reports a package that the answer imports outside any `try` and no locked cell imports."""
    given = (cell for cell in cells if cell.metadata.get("nbgrader", {}).get("locked"))
    known = {"numpy", *sys.stdlib_module_names}
    for cell in given:
        if cell.cell_type == "code" and (own := _known_tree(cell.source)):
            known |= set(_imported(own))
    for package in _imported(tree):
        if package not in known:
            return (
                f"The cell of this task imports `{package}`, which the notebook as it was handed"
                " out does not; it may not be there when work is graded."
            )
    return None


def _imported(tree: ast.AST) -> Iterator[str]:
    """The packages that are imported outside any `try` statement, in their order."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module and not node.level:
                yield node.module.partition(".")[0]
        elif not isinstance(node, ast.Try):
            waiting.extend(reversed(list(ast.iter_child_nodes(node))))
