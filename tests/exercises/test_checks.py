"""The checks against the bank: what is right earns everything, what is wrong is named."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from autograder.check import find_public, observe
from autograder.evidence import read_evidence, write_evidence
from autograder.spec import Case, FunctionCheck, generator, load_checks, question, run
from autograder.verdict import Status, Verdict, judge
from exercises.bank import ANSWER, EXERCISES, Entry, entries, grade_id, source

ASSIGNMENTS = sorted(path.stem for path in (EXERCISES / "checks").glob("*.py"))
BANK = [(assignment, entry) for assignment in ASSIGNMENTS for entry in entries(assignment)]
CHECKS = {name: load_checks(EXERCISES / "checks" / f"{name}.py") for name in ASSIGNMENTS}
FUNCTION_CHECKS = [
    pytest.param(check, id=check.name)
    for checks in CHECKS.values()
    for check in checks.values()
    if isinstance(check, FunctionCheck)
]


def grade(assignment: str, answers: dict[str, str], seed: int) -> dict[str, Verdict]:
    """Runs a submission in this process and judges it as the grader would."""
    namespace: dict = {}
    for cell in source(assignment).cells:
        task = grade_id(cell).removesuffix(ANSWER)
        if cell.cell_type != "code" or task in CHECKS[assignment]:
            code = answers.get(task) if grade_id(cell).endswith(ANSWER) else None
        else:
            code = cell.source
        if code is not None:
            exec(compile(code, f"<{grade_id(cell)}>", "exec"), namespace)
    verdicts = {}
    for cell in source(assignment).cells:
        name = grade_id(cell)
        if name not in CHECKS[assignment]:
            continue
        check = CHECKS[assignment][name]
        cases = check.cases(generator(seed, check))
        value = namespace.get(cell.source.rsplit(",", 1)[1].strip(" )"))
        text = write_evidence(name, "n", observe(value, question(check, cases)))
        outcomes = read_evidence(text, check=name, nonce="n", count=len(cases))
        verdicts[name] = judge(check.rubric(cases), outcomes)
    return verdicts


@pytest.mark.filterwarnings("ignore:this is slow")
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    ("assignment", "entry"), [pytest.param(a, e, id=e.name) for a, e in BANK if e.name != "stub"]
)
def test_bank_entry_gets_what_it_deserves(assignment: str, entry: Entry, seed: int) -> None:
    for name, verdict in grade(assignment, entry.answers, seed).items():
        wrong = entry.expected.get(name)
        assert verdict.misconception == wrong
        assert (verdict.points == verdict.max_points) == (wrong is None)
        assert (verdict.status is Status.CORRECT) == (wrong is None)


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_bank_has_every_kind(assignment: str) -> None:
    found = [entry for name, entry in BANK if name == assignment]
    assert sum(entry.name.startswith("wheat-") for entry in found) >= 2
    chaffs = [entry for entry in found if entry.name.startswith("chaff-")]
    assert all(entry.expected for entry in chaffs)
    recognised = {name for entry in chaffs for name in entry.expected.values()}
    declared = {
        way.name
        for check in CHECKS[assignment].values()
        for way in check.rubric(check.cases()).wrong_ways
    }
    assert recognised == declared


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("check", FUNCTION_CHECKS)
def test_every_misconception_loses_and_gets_its_own_hint(check: FunctionCheck, seed: int) -> None:
    cases = check.cases(generator(seed, check))
    rubric = check.rubric(cases)
    for wrong in check.misconceptions:
        verdict = judge(rubric, [run(wrong.implementation, case) for case in cases])
        assert verdict.points < check.points
        assert verdict.misconception == wrong.name
        assert verdict.hint == wrong.hint
        assert verdict.section == wrong.section


@pytest.mark.parametrize("check", FUNCTION_CHECKS)
def test_public_cases_alone_name_every_misconception(check: FunctionCheck) -> None:
    """So that a student reads the hint before handing in."""
    cases, rubric = check.public()
    for wrong in check.misconceptions:
        verdict = judge(rubric, [run(wrong.implementation, case) for case in cases])
        assert verdict.misconception == wrong.name


@pytest.mark.parametrize("check", FUNCTION_CHECKS)
def test_reference_agrees_with_an_independent_sum(check: FunctionCheck) -> None:
    """Loops over positions and classes in extended precision, written from the definition."""
    for case in check.cases(generator(5, check)):
        student, teacher = (np.asarray(x.double(), dtype=np.longdouble) for x in case.args)
        front, behind = (teacher, student) if check.name == "forward_kl" else (student, teacher)
        expected = np.zeros(front.shape[:-1])
        for position in np.ndindex(*front.shape[:-1]):
            logs = [
                row - row.max() - np.log(np.exp(row - row.max()).sum())
                for row in (front[position], behind[position])
            ]
            expected[position] = sum(
                np.exp(f) * (f - b) for f, b in zip(logs[0], logs[1], strict=True)
            )
        np.testing.assert_allclose(run(check.reference, case).value, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("check", FUNCTION_CHECKS)
def test_reference_agrees_with_kdlab(check: FunctionCheck) -> None:
    from kdlab import divergences

    ours = replace(check, reference=getattr(divergences, check.name))
    cases = check.cases(generator(6, check))
    assert judge(check.rubric(cases), [run(ours.reference, case) for case in cases]).points == 4


@pytest.mark.parametrize("check", FUNCTION_CHECKS)
def test_constants_and_hard_coded_public_cases_earn_nothing(check: FunctionCheck) -> None:
    public = [(case.args, run(check.reference, case).value) for case in check.public()[0]]

    def table(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        for (known, _), value in public:
            if known.shape == student.shape and torch.equal(known, student):
                return torch.from_numpy(np.array(value))
        return torch.zeros(student.shape[:-1])

    cases = check.cases(generator(7, check))
    for cheat in (table, lambda s, t: torch.zeros(s.shape[:-1]), lambda s, t: 0.0):
        verdict = judge(check.rubric(cases), [run(cheat, case) for case in cases])
        assert verdict.points == 0
    assert "public" in judge(check.rubric(cases), [run(table, case) for case in cases]).message


@pytest.mark.parametrize("check", FUNCTION_CHECKS)
def test_random_cases_differ_by_seed_and_only_by_seed(check: FunctionCheck) -> None:
    def inputs(seed: int) -> list:
        return question(check, check.cases(generator(seed, check)))

    assert inputs(1) == inputs(1)
    assert inputs(1) != inputs(2)


def test_tolerance_separates_float32_from_a_wrong_formula() -> None:
    check = CHECKS["ps1_divergences"]["forward_kl"]
    for case in check.cases(generator(8, check)):
        scale = max(float(value.abs().max()) for value in case.args)
        assert check.tolerance(case) < 2e-5 * max(1.0, scale)
        single = Case(case.name, tuple(value.float() for value in case.args))
        difference = run(check.reference, case).value - run(check.reference, single).value
        assert np.abs(difference).max() <= check.tolerance(case)


def test_public_cases_are_found_beside_the_notebook(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="fetch the assignment again"):
        find_public("forward_kl")
