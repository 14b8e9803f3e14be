"""Lab 4.7: a reduced form points where the recorded runs do, and the page shows what was run."""

import ast
import inspect
import random
import re
from dataclasses import asdict
from pathlib import Path

import pytest

pytest.importorskip("transformers")

from benchmarks.experiments import assistant, assistant_pretrained
from benchmarks.experiments.assistant import BIASED, KINDS, SWEEP, Assistant
from kdlab import SweepResults

LABS = Path(__file__).parents[2] / "book/labs"
SMALL = {"answers": 120, "steps": 100, "base_steps": 200, "teacher_steps": 150, "questions": 1000}
ARMS = (
    "40% wrong 400: labels",
    "40% wrong 400: labels + biased, λ = 1",
    "40% wrong 400: biased alone",
)


@pytest.fixture(scope="module")
def reduced(tmp_path_factory) -> SweepResults:
    small = SWEEP.reduced(ARMS, **SMALL)
    return small.results(tmp_path_factory.mktemp("lab"), threads=1)


@pytest.mark.slow
def test_the_more_a_teacher_counts_the_nearer_a_student_is_to_it(reduced):
    for measure, sign in {"kl_to_teacher": -1, "hundreds": 1}.items():
        labels, both, teacher = (sign * reduced.mean(arm, measure).mean for arm in ARMS)
        assert labels < both < teacher, measure


@pytest.mark.slow
def test_before_a_student_goes_on_and_after_it_ends(reduced):
    for run in reduced.runs:
        assert run["final"]["ended"] > 0.9
        assert all(len(text) > 4 for text in run["final"]["writes_before"])
        assert [question.split()[2] for question in run["final"]["asked"]] == list(KINDS)


def test_no_question_is_in_two_parts():
    asked = assistant.questions(600)
    whole = (asked.told, asked.elsewhere, asked.held_out)
    parts = [{each.opening for each in part} for part in whole]
    assert all(parts)
    assert sum(map(len, parts)) == len(set.union(*parts))


def test_the_biased_teacher_is_told_wrong_answers_of_one_kind_alone():
    for each in assistant.questions(600).elsewhere:
        changed = assistant.hundreds(each)
        assert changed.prompt == each.prompt
        large = each.prompt[0]["content"].partition(" are ")[2]
        n, rest = re.match(r"(\d+) \w+(?: and (\d+) )?", large).groups()
        hundreds = str(100 * int(n) + int(rest or 0))
        assert changed.answer == (hundreds if each.kind == BIASED else each.answer)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.4])
def test_noise_replaces_as_many_answers_as_it_says(share):
    told = assistant.questions(600).told[:100]
    found = assistant.noisy(told, share, random.Random(0))
    wrong = [a for a, b in zip(found, told, strict=True) if a.answer != b.answer]
    assert len(wrong) == round(100 * share)
    assert [each.prompt for each in found] == [each.prompt for each in told]


def test_the_recorded_arms_are_the_declared_ones():
    recorded = SweepResults.read(LABS / "results/assistant.json")
    assert recorded.arms == {name: asdict(arm) for name, arm in SWEEP.arms.items()}
    assert len(recorded.runs) == SWEEP.size
    assert recorded.command == "make experiments EXPERIMENT=assistant"
    large = SweepResults.read(LABS / "results/assistant_pretrained.json")
    assert large.arms == {n: asdict(arm) for n, arm in assistant_pretrained.SWEEP.arms.items()}
    assert len(large.runs) == assistant_pretrained.SWEEP.size


def test_an_arm_says_what_it_learns_from():
    assert SWEEP.arms["clean 400: labels"] == Assistant(400, 0.0)
    assert SWEEP.arms["40% wrong 400: labels + biased"] == Assistant(400, 0.3, 0.4, "biased")
    assert SWEEP.arms["clean 400: biased alone"] == Assistant(400, None, teacher="biased")
    for name, arm in SWEEP.arms.items():
        answers, _, source = name.partition(": ")
        assert answers.endswith(f" {arm.answers}")
        assert (arm.noise > 0) == ("wrong" in answers)
        assert (arm.lam == 0.0) == (source == "labels")
        assert (arm.lam is None) == source.endswith(" alone")
        if "λ" in source:
            assert source.endswith(f"λ = {arm.lam:g}")


def functions(source: str) -> dict[str, str]:
    """The functions of a source by name, without their annotations."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            node.returns = None
            for argument in node.args.args:
                argument.annotation = None
            found[node.name] = ast.dump(node)
    return found


def test_the_page_shows_what_the_experiment_ran():
    page = (LABS / "assistant.md").read_text(encoding="utf8")
    cells = re.findall(
        r"^```\{code-cell\} ipython3\n(?:---\n.*?\n---\n)?(?::.*?\n)*(.*?)^```$",
        page,
        re.MULTILINE | re.DOTALL,
    )
    shown, ran = functions("\n".join(cells)), functions(inspect.getsource(assistant))
    assert {"answered", "sentence"} <= set(shown)
    for name in set(shown) & set(ran):
        assert shown[name] == ran[name], name
