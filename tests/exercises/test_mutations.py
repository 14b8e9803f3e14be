"""Mutation score: small changes to the notebooks' own solutions, and whether the cases notice.

Run this file as a program to see the scores and the survivors.
"""

import pytest

from autograder.authoring.mutants import mutants, noticed
from autograder.spec import FunctionCheck, generator, load_checks
from exercises.bank import EXERCISES, grade_id, solution, source

LEAST = 0.98
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


@pytest.mark.slow
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
