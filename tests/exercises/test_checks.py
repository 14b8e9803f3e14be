"""The checks against the bank: what is right earns everything, what is wrong is named."""

import ast
from functools import cache
from pathlib import Path
from types import CodeType

import numpy as np
import pytest
import torch

from autograder.authoring.proof import not_shown
from autograder.check import find_public
from autograder.judging.evidence import read_evidence
from autograder.judging.verdict import Rubric, Status, Verdict, judge, judge_either
from autograder.kernel.asking import observe, observe_with
from autograder.kernel.evidence import Outcome, encode, write_evidence
from autograder.questions import generator, question, right_versions, to_replace
from autograder.spec import AnswerCheck, Case, Check, FunctionCheck, run
from exercises.bank import ANSWER, EXERCISES, Entry, checks, entries, grade_id, solution, source

ASSIGNMENTS = sorted(path.stem for path in (EXERCISES / "checks").glob("*.py"))
BANK = [(assignment, entry) for assignment in ASSIGNMENTS for entry in entries(assignment)]
SEEDS = (0, 1)
NOTEBOOKS = {name: source(name) for name in ASSIGNMENTS}
SOLUTIONS = {name: solution(notebook) for name, notebook in NOTEBOOKS.items()}
CHECKS = {name: checks(name) for name in ASSIGNMENTS}
ALL_CHECKS = [
    pytest.param(check, id=f"{assignment[:3]}-{check.name}")
    for assignment, checks in CHECKS.items()
    for check in checks.values()
]
FUNCTION_CHECKS = [param for param in ALL_CHECKS if isinstance(param.values[0], FunctionCheck)]
ANSWER_CHECKS = [param for param in ALL_CHECKS if isinstance(param.values[0], AnswerCheck)]


def grade(assignment: str, entry: Entry) -> dict[str, list[Verdict]]:
    """Runs a submission in this process and judges it as the grader would, under each seed.

    The cases that are always the same are asked once. Tasks that the submission answers as the
    solution does are left out.
    """
    namespace: dict = {}
    verdicts: dict[str, list[Verdict]] = {}
    notebook, own = NOTEBOOKS[assignment], SOLUTIONS[assignment]
    for cell in notebook.cells:
        name = grade_id(cell)
        if cell.cell_type != "code":
            continue
        if name not in CHECKS[assignment]:
            task = name.removesuffix(ANSWER)
            code = entry.answers.get(task, "") if name.endswith(ANSWER) else cell.source
            exec(compiled(code, name), namespace)
        elif entry.name == "solution" or entry.answers[name] != own[name]:
            check = CHECKS[assignment][name]
            cases, seeds = asked(assignment, name, SEEDS)
            value = namespace.get(cell.source.rsplit(",", 1)[1].strip(" )"))
            seen = observe(value, question(check, cases))
            if replaced := to_replace(check, {task: each[0] for task, each in verdicts.items()}):
                right = right_versions(check, replaced)
                seen += observe_with(right, value, question(check, cases))
            text = write_evidence(name, "n", seen)
            outcomes = read_evidence(text, check=name, nonce="n", count=len(seen))
            own_ones, with_right = outcomes[: len(cases)], outcomes[len(cases) :]
            verdicts[name] = [
                judge_either(
                    rubric,
                    [each[at] for each in (own_ones, with_right) if each for at in places],
                    replaced,
                )
                for rubric, places in seeds
            ]
    return verdicts


@cache
def compiled(code: str, name: str) -> CodeType:
    """An answer or a cell, of which most submissions have the same."""
    return compile(code, f"<{name}>", "exec")


@cache
def asked(
    assignment: str, name: str, seeds: tuple[int, ...]
) -> tuple[list[Case], list[tuple[Rubric, list[int]]]]:
    """The cases of a check under all seeds, and of each seed the rubric and where its cases are."""
    check = CHECKS[assignment][name]
    cases: list[Case] = []
    found = []
    for seed in seeds:
        own = check.cases(generator(seed, check))
        cases += [case for case in own if all(case is not each for each in cases)]
        places = [next(n for n, each in enumerate(cases) if each is case) for case in own]
        found.append((check.rubric(own), places))
    return cases, found


@pytest.mark.filterwarnings(
    "ignore:this is slow", "ignore:reduction. 'mean' divides", "ignore:Converting a tensor with"
)
@pytest.mark.parametrize(
    ("assignment", "entry"),
    [
        # A second each in ps1, whose last task trains.
        pytest.param(a, e, id=f"{a[:3]}-{e.name}", marks=[pytest.mark.slow] * a.startswith("ps1"))
        for a, e in BANK
        if e.name != "stub"
    ],
)
def test_bank_entry_gets_what_it_deserves(assignment: str, entry: Entry) -> None:
    """Under some seeds; test_seeds.py, run as a program, tries more of them."""
    verdicts = grade(assignment, entry)
    assert entry.expected.keys() <= verdicts.keys()
    for name, verdict in ((name, each) for name, found in verdicts.items() for each in found):
        right = name not in entry.expected
        assert (verdict.points == verdict.max_points) == right, verdict
        assert (verdict.status is Status.CORRECT) == right, verdict
        if right or entry.expected[name]:
            assert verdict.misconception == entry.expected.get(name), verdict
    for found in verdicts.values():
        assert len({(verdict.points, verdict.misconception) for verdict in found}) == 1, found


@pytest.mark.parametrize("check", [param for param in FUNCTION_CHECKS if param.values[0].uses])
def test_right_versions_are_right(check: FunctionCheck) -> None:
    """Those that take the place of a student's functions, run by themselves as there."""
    assignment = next(name for name, checks in CHECKS.items() if check in checks.values())
    for task, (name, text) in right_versions(check, check.uses).items():
        space = {"torch": torch, "F": torch.nn.functional}
        exec(text, space)
        cases, [(rubric, _)] = asked(assignment, task, (3,))
        outcomes = observe(space[name], question(CHECKS[assignment][task], cases))
        outcomes = read_evidence(
            write_evidence(task, "", outcomes), check=task, nonce="", count=len(cases)
        )
        assert judge(rubric, outcomes).status is Status.CORRECT


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_bank_has_every_kind(assignment: str) -> None:
    found = [entry for name, entry in BANK if name == assignment]
    kinds = {
        kind: [entry for entry in found if entry.name.startswith(f"{kind}-")]
        for kind in ("wheat", "chaff", "compound")
    }
    for task in CHECKS[assignment]:
        if isinstance(CHECKS[assignment][task], FunctionCheck):
            styles = {ast.dump(ast.parse(entry.answers[task])) for entry in kinds["wheat"]}
            assert len(styles) >= 5, f"{task}: {len(styles)} different wheats"
            assert any(task in entry.expected for entry in kinds["compound"]), task
    assert all(not entry.expected for entry in kinds["wheat"])
    assert all(entry.expected for entry in kinds["chaff"] + kinds["compound"])
    for name, check in CHECKS[assignment].items():
        recognised = {entry.expected[name] for entry in kinds["chaff"] if name in entry.expected}
        # Several mistakes at once are known if each of them is.
        declared = {
            part for way in check.rubric(check.cases()).wrong_ways for part in way.name.split("+")
        }
        assert recognised <= declared
    assert not_shown(CHECKS[assignment], found) == []


@pytest.mark.slow
@pytest.mark.parametrize("check", FUNCTION_CHECKS)
def test_every_misconception_loses_and_gets_its_own_hint(check: FunctionCheck) -> None:
    rubric = check.rubric(check.cases(generator(1, check)))
    for wrong in rubric.wrong_ways:
        verdict = judge(rubric, list(wrong.outcomes))
        assert verdict.points < check.points
        assert verdict.misconception == wrong.name
        assert verdict.hint == wrong.hint
        assert verdict.section == wrong.section


def off_by_a_millionth(result: object) -> object:
    """A tensor, or several, each number larger by a millionth of itself."""
    if isinstance(result, tuple | list):
        return tuple(map(off_by_a_millionth, result))
    return torch.as_tensor(result, dtype=torch.float64).detach() * (1 + 1e-6)


@pytest.mark.parametrize("check", [p for p in FUNCTION_CHECKS if p.id.startswith(("ps1", "ps2"))])
def test_a_millionth_of_a_result_costs_nothing_where_the_notebook_says_so(
    check: FunctionCheck,
) -> None:
    cases = check.cases(generator(1, check))
    found = [
        run(lambda *args, **kwargs: off_by_a_millionth(check.reference(*args, **kwargs)), case)
        for case in cases
    ]
    assert judge(check.rubric(cases), found).points == check.points


@pytest.mark.slow
@pytest.mark.parametrize("check", ANSWER_CHECKS)
def test_every_mistake_gets_its_own_hint_and_no_points(check: AnswerCheck) -> None:
    rubric = check.rubric(check.cases())
    for mistake in check.mistakes:
        verdict = judge(rubric, [Outcome("returned", mistake.answer)])
        assert verdict.points == 0
        assert (verdict.misconception, verdict.hint) == (mistake.name, mistake.hint)
    assert judge(rubric, [Outcome("returned", check.answer)]).points == check.points


@pytest.mark.slow
@pytest.mark.parametrize("check", FUNCTION_CHECKS)
def test_public_cases_alone_name_every_misconception(check: FunctionCheck) -> None:
    """So that a student reads the hint before handing in; never a wrong one."""
    rubric = check.public()[1]
    named = set()
    for way in rubric.wrong_ways:
        verdict = judge(rubric, list(way.outcomes))
        # Where another way explains the public cases too, something may be observed.
        assert verdict.named in (way.name, None)
        assert verdict.misconception or verdict.status is Status.CORRECT
        named.add(verdict.named)
    assert {way.name for way in rubric.wrong_ways} <= named


@pytest.mark.parametrize("check", ALL_CHECKS)
def test_hints_differ_and_so_do_their_names(check: Check) -> None:
    hints: dict[str, str] = {}
    for way in check.rubric(check.cases()).wrong_ways:
        # Which pair is out of order differs; two mistakes at once have the hints of both.
        if way.name != "out_of_order" and "+" not in way.name:
            assert hints.setdefault(way.name, way.hint) == way.hint
    if isinstance(check, FunctionCheck):  # two answers to a question can be wrong alike
        assert len(set(hints.values())) == len(hints)


@pytest.mark.slow
@pytest.mark.parametrize("check", FUNCTION_CHECKS)
def test_hard_coded_public_cases_earn_nothing(check: FunctionCheck) -> None:
    known = {}
    public = check.public()[0]
    for case, asked in zip(public, question(check, public)["cases"], strict=True):
        known[str(asked)] = run(check.reference, case)
    cases = check.cases(generator(7, check))
    rubric = check.rubric(cases)
    fallback = next(iter(known.values()))
    outcomes = [known.get(str(asked), fallback) for asked in question(check, cases)["cases"]]
    verdict = judge(rubric, outcomes)
    assert verdict.points == 0
    assert verdict.message.startswith("Right on the public cases, wrong on others.")
    for value in (0.0, 1.0, torch.zeros(3), None):
        assert (
            judge(rubric, [run(lambda *_, _v=value, **__: _v, case) for case in cases]).points == 0
        )


@pytest.mark.parametrize("check", FUNCTION_CHECKS)
def test_random_cases_differ_by_seed_and_only_by_seed(check: FunctionCheck) -> None:
    def inputs(seed: int) -> list:
        return question(check, check.cases(generator(seed, check)))["cases"]

    assert inputs(1) == inputs(1)
    assert inputs(1) != inputs(2)


@pytest.mark.parametrize("check", FUNCTION_CHECKS)
def test_tolerance_allows_float32(check: FunctionCheck) -> None:
    """The right way in single precision differs by less than the tolerance, inputs rounded too."""

    def single(value):
        return (
            value.float()
            if isinstance(value, torch.Tensor) and value.is_floating_point()
            else value
        )

    for case in check.cases(generator(8, check)):
        rounded = type(case)(
            case.name, tuple(map(single, case.args)), dict(case.kwargs), calls=case.calls
        )
        before, after = run(check.reference, case), run(check.reference, rounded)
        assert encode(before.type) == encode(after.type)
        if isinstance(before.value, np.ndarray):
            difference = np.abs(np.nan_to_num(before.value - after.value))
            assert difference.max(initial=0.0) <= check.tolerance(case)


def test_public_cases_are_found_beside_the_notebook(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="fetch the assignment again"):
        find_public("forward_kl")
