"""Mutation score: small changes to the notebooks' own solutions, and whether the cases notice.

Run this file as a program to see the scores and the survivors.
"""

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy

import pytest

from autograder.judging.evidence import decode_outcome
from autograder.judging.verdict import agrees
from autograder.kernel.asking import observe
from autograder.kernel.evidence import encode_outcome
from autograder.spec import FunctionCheck, generator, load_checks, question
from exercises.bank import EXERCISES, grade_id, solution, source

LEAST = 0.98
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
# What cannot be noticed, and why: the first changed line, as `mutants` describes it.
STEPS = "another way to the same minimum, and the result is right"
FLAT = "the positions that count are a table, whose last axis is axis 1 and torch's default"
EXACT = "at count = steps the formula gives the end too"
FIRST = "the first gap is a gain, which starts the count anew"
EITHER = "the two summands change places"


def _equivalent() -> dict[tuple[str, str], str]:
    found = {
        ("fit_one_peak", change): STEPS
        for change in (
            "optimizer.zero_grad() → pass",
            "log_q = one_peak(center, log_width.exp(), len(teacher_logits))"
            ".log_softmax(-1).detach() → pass",
            "for _ in range(400): → for _ in range(401):",
            "optimizer = torch.optim.Adam([center, log_width], lr=0.1)"
            " → optimizer = torch.optim.Adam([center, log_width], lr=1.1)",
            "(front.exp() * (front - behind)).sum().backward()"
            " → (front.exp() * (front - behind)).mean().backward()",
            "log_width = torch.tensor(3.0).log().requires_grad_()"
            " → log_width = torch.tensor(4.0).log().requires_grad_()",
        )
    }
    of_tables = {
        "kd_loss": ("student_logits[counts]", "teacher_logits[counts]"),
        "combined_objective": ("student", "teacher"),
        "convex_objective": ("student", "teacher"),
        "objective_gradients": ("student[counts]", "teacher.detach()[counts]"),
    }
    for name, models in of_tables.items():
        for variable, model in zip(("log_q", "log_p"), models, strict=True):
            call = f"{variable} = F.log_softmax({model} / temperature"
            for other in (")", ", dim=+1)"):
                found[name, f"{call}, dim=-1) → {call}{other}"] = FLAT
    kl = "kd = (log_p.exp() * (log_p - log_q)).sum({}1).mean()"
    found["objective_gradients", f"{kl.format('-')} → {kl.format('+')}"] = FLAT
    for name in ("linear_lambda", "cosine_lambda"):
        found[name, "if self.count >= self.steps: → if self.count > self.steps:"] = EXACT
    found["plateau_lambda", "self.waited = 0 → self.waited = 1"] = FIRST
    of_teacher, of_student = "log_p + math.log(beta)", "log_q + math.log(1 - beta)"
    mixture = "log_m = torch.logaddexp({}, {})"
    change = f"{mixture.format(of_teacher, of_student)} → {mixture.format(of_student, of_teacher)}"
    found["jsd", change] = EITHER
    return found


EQUIVALENT = _equivalent()


def mutants(text: str) -> Iterator[tuple[str, str]]:
    """What was changed, numbered from the second time on, and the changed source."""
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
    """The ways to change one node in place."""

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
    check: FunctionCheck, cases: list, rubric, given: str, asked_for: str, text: str
) -> bool:
    """Whether some case tells a mutant from the right way.

    What is given runs anew each time: it may call what the mutant defines.
    """
    namespace: dict = {}
    exec(compile(given, "<given>", "exec"), namespace)
    try:
        exec(compile(text, "<mutant>", "exec"), namespace)
    except Exception:
        return True
    value = namespace[asked_for]
    asked = question(check, cases)
    for case, expectation in zip(asked["cases"], rubric.expectations, strict=True):
        (outcome,) = observe(value, asked | {"cases": [case]})
        outcome = decode_outcome(encode_outcome(outcome))
        if not agrees(outcome, expectation.outcome, expectation.tolerance):
            return True
    return False


def survivors(assignment: str, name: str) -> tuple[int, list[str]]:
    """How many mutants of a task there are that could be noticed, and those that were not."""
    check = load_checks(EXERCISES / "checks" / f"{assignment}.py")[name]
    notebook = source(assignment)
    cells = {grade_id(cell): cell.source for cell in notebook.cells}
    given = "\n".join(cells.get(part, "") for part in ("setup", f"{name}_given"))
    asked_for = cells[name].rsplit(",", 1)[1].strip(" )")
    text = solution(notebook)[name]
    cases = check.cases(generator(0, check))
    rubric = check.rubric(cases)
    assert not noticed(check, cases, rubric, given, asked_for, text), "the solution itself is wrong"
    tried, missed = 0, []
    for what, mutant in mutants(text):
        if (name, what) in EQUIVALENT:
            continue
        tried += 1
        if not noticed(check, cases, rubric, given, asked_for, mutant):
            missed.append(what)
    return tried, missed


TASKS = [
    (path.stem, name)
    for path in sorted((EXERCISES / "checks").glob("*.py"))
    for name, check in load_checks(path).items()
    if isinstance(check, FunctionCheck)
]


@pytest.mark.parametrize(
    ("assignment", "name"), [pytest.param(*task, id=task[1]) for task in TASKS]
)
def test_the_cases_notice_mutants(assignment: str, name: str) -> None:
    tried, missed = survivors(assignment, name)
    assert tried >= 5
    assert len(missed) <= (1 - LEAST) * tried, missed


def test_what_is_called_equivalent_still_exists() -> None:
    described = {
        (name, what)
        for assignment, name in TASKS
        for what, _ in mutants(solution(source(assignment))[name])
    }
    assert EQUIVALENT.keys() <= described


if __name__ == "__main__":
    total = caught = 0
    for assignment, name in TASKS:
        tried, missed = survivors(assignment, name)
        total, caught = total + tried, caught + tried - len(missed)
        print(f"{name}: {tried - len(missed)} of {tried}", flush=True)
        for what in missed:
            print("   ", what, flush=True)
    print(f"{caught} of {total} mutants noticed; {len(EQUIVALENT)} are equivalent")
