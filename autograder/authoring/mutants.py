"""Makes small changes to a right answer, which the cases of a check must notice."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from typing import Any

from autograder.judging.agreement import agrees
from autograder.judging.evidence import Refused, decode_outcome
from autograder.judging.rubric import Rubric
from autograder.kernel.asking import observe
from autograder.kernel.evidence import encode_outcome
from autograder.questions import question
from autograder.spec import Case, FunctionCheck

SWAPPED_OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}
SWAPPED_NAMES = {
    "log_softmax": "softmax",
    "softmax": "log_softmax",
    "sum": "mean",
    "mean": "sum",
    "max": "min",
    "exp": "abs",
    "cos": "sin",
}


def mutants(text: str) -> Iterator[tuple[str, str]]:
    """Yields what was changed, with a number if it occurred before, and the changed source."""
    tree = ast.parse(text)
    seen: Counter[str] = Counter()
    for index, node in enumerate(ast.walk(tree)):
        for change in changes(node):
            mutant = deepcopy(tree)
            target = next(n for i, n in enumerate(ast.walk(mutant)) if i == index)
            change(target)
            before, after = ast.unparse(tree).splitlines(), ast.unparse(mutant).splitlines()
            differ = [(old.strip(), new.strip()) for old, new in zip(before, after) if old != new]  # noqa: B905
            if differ:
                what = " → ".join(differ[0])
                seen[what] += 1
                yield what if seen[what] == 1 else f"{what} ({seen[what]})", ast.unparse(mutant)


def changes(node: ast.AST) -> Iterator[Callable[[ast.AST], None]]:
    """Yields functions that each change a node like this one in place."""

    def put(name: str, value: Callable[[ast.AST], object]) -> Callable[[ast.AST], None]:
        return lambda target: setattr(target, name, value(target))

    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in SWAPPED_OPERATORS:
        yield put("op", lambda t: SWAPPED_OPERATORS[type(t.op)]())
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPPED_OPERATORS:
        yield put("ops", lambda t: [SWAPPED_OPERATORS[type(t.ops[0])]()])
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield put("op", lambda t: ast.UAdd())
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield put("value", lambda t: not t.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield put("value", lambda t: t.value + 1)
    if isinstance(node, ast.Attribute) and node.attr in SWAPPED_NAMES:
        yield put("attr", lambda t: SWAPPED_NAMES[t.attr])
    if isinstance(node, ast.Call):
        if len(node.args) >= 2:
            yield put("args", lambda t: [t.args[1], t.args[0], *t.args[2:]])
        for dropped in range(len(node.keywords)):
            yield put(
                "keywords", lambda t, d=dropped: [k for i, k in enumerate(t.keywords) if i != d]
            )
    if isinstance(node, ast.IfExp):
        yield lambda t: (
            body := t.body,
            put("body", lambda t: t.orelse)(t),
            setattr(t, "orelse", body),
        )
    if isinstance(node, ast.If):
        yield put("test", lambda t: ast.UnaryOp(ast.Not(), t.test))
    if isinstance(node, ast.FunctionDef | ast.If | ast.For):
        for line, statement in enumerate(node.body):
            if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
                yield lambda t, line=line: t.body.__setitem__(line, ast.Pass())


def noticed(
    check: FunctionCheck,
    cases: list[Case],
    rubric: Rubric,
    given: list[str],
    asked_for: str,
    text: str,
) -> bool:
    """Whether some case tells a mutant from the right answer, or the mutant defines no answer.

    The cells `given` run anew for each mutant, because it may change what they make. After one that
    raises, the next is run, as in grading.
    """
    namespace: dict[str, Any] = {}
    for cell in given:
        with suppress(Exception):
            exec(compile(cell, "<given>", "exec"), namespace)
    try:
        exec(compile(text, "<mutant>", "exec"), namespace)
    except Exception:
        return True
    if asked_for not in namespace:
        return True
    value = namespace[asked_for]
    asked = question(check, cases)
    for case, expectation in zip(asked["cases"], rubric.expectations, strict=True):
        (outcome,) = observe(value, asked | {"cases": [case]})
        try:
            outcome = decode_outcome(encode_outcome(outcome))
        except Refused:  # such as a value that is nested too deep
            return True
        if not agrees(outcome, expectation.outcome, expectation.tolerance):
            return True
    return False
