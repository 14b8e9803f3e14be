"""Lab 4.6: a reduced form points where the recorded runs do, and the page shows the same losses."""

import ast
import inspect
import math
import re
from functools import partial
from pathlib import Path

import pytest
import torch

from benchmarks.experiments import bug_clinic
from benchmarks.experiments.bug_clinic import BUGS, SWEEP, train_student
from kdlab import CombinedObjective, SweepResults, jensen_shannon
from tests.documentation import same_text

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "book/labs/bug-clinic.md").read_text(encoding="utf8")
TESTS = {patient.test for patient in BUGS.values()}
INVARIANT = ("itself", "twice", "padded", "longer", "larger", "oracle")  # known for every loss
CAUGHT = {
    "vocabulary_mean": {"larger"},
    "divided_by_texts": {"longer"},
    "padding_counted": {"padded"},
    "logarithm_missing": {"itself"},
    "shifted_twice": {"oracle"},
    "parts_added_up": {"twice"},
}


@pytest.fixture(scope="module")
def recorded() -> SweepResults:
    return SweepResults.read(ROOT / "book/labs/results/bug_clinic.json")


@pytest.fixture(scope="module")
def reduced(tmp_path_factory) -> SweepResults:
    """Every arm once, for twenty steps."""
    small = SWEEP.reduced(list(SWEEP.arms), seeds=1, steps=20)
    return small.results(tmp_path_factory.mktemp("clinic"), threads=1)


@pytest.fixture(
    scope="module", params=["recorded", pytest.param("reduced", marks=pytest.mark.slow)]
)
def results(request) -> SweepResults:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def batch():
    """Two models on sixteen rows of 24 tokens, the last nine of them padding."""
    generator = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(2, 16, 24, 7, generator=generator)
    ids = torch.randint(7, (16, 24), generator=generator)
    labels = ids.clone()
    labels[:, 0] = labels[:, -9:] = -100
    return student, teacher, ids, labels


# --- The runs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BUGS)
def test_the_reported_loss_falls(results, name):
    for run in results.of(name):
        curve = run["curve"]["reported"]
        assert curve[-1] < 0.9 * curve[0]
        assert run["final"]["reported_last"] == curve[-1]


@pytest.mark.parametrize("name", BUGS)
def test_the_decisive_test_tells_the_bug_from_what_was_meant(results, name):
    for run in results.of(name):
        found, should = run["final"]["found"], run["final"]["should"]
        if BUGS[name].test in INVARIANT:
            known = 0.0 if BUGS[name].test in ("itself", "oracle") else 1.0
            assert should == pytest.approx(known, abs=1e-3)
            assert abs(found - known) > 0.1
        else:
            assert max(found / should, should / found) > 3.5


def test_what_the_page_says_of_the_students(recorded):
    """Which students are worse beyond chance, which cannot be told, and what surprised us."""

    def less(arm, other):
        return recorded.difference(arm, other, "lm_loss")

    worse = {name for name in BUGS if less(name, BUGS[name].meant).mean > 0}
    told = {name for name in worse if not less(name, BUGS[name].meant).includes_zero}
    unclear = {"logarithms_mixed", "beta_swapped", "parts_added_up", "t_squared_lost"}
    assert told == set(BUGS) - unclear
    assert worse == set(BUGS) - {"t_squared_lost"}
    assert less("right_heated", "labels_alone").mean > 0
    assert not less("right_heated", "labels_alone").includes_zero
    assert less("t_squared_lost", "labels_alone").includes_zero
    assert less("padding_counted", "labels_alone").includes_zero
    assert less("vocabulary_mean", "labels_alone").includes_zero
    for name in ("divided_by_texts", "logarithm_missing"):
        assert less(name, "labels_alone").mean < 0
    assert less("beta_swapped", "right_jsd").mean > less("logarithm_missing", "right").mean
    ends = {name: recorded.mean(name, "reported_last").mean for name in recorded.arms}
    assert min(ends, key=ends.get) == "logarithm_missing"
    assert ends["logarithm_missing"] < 0
    assert ends["parts_added_up"] == pytest.approx(4 * ends["right"], rel=0.05)
    near = {name: recorded.mean(name, "kl_to_teacher").mean for name in recorded.arms}
    assert min(near, key=near.get) == "divided_by_texts"


@pytest.mark.slow
def test_recorded_and_reduced_have_the_same_arms(recorded, reduced):
    assert list(recorded.arms) == list(reduced.arms)
    assert len(recorded.runs) == SWEEP.size


def test_the_page_and_the_file_name_the_command(recorded):
    assert recorded.command == "make experiments EXPERIMENT=bug_clinic"
    assert set(recorded.versions) >= {"torch"}


def test_which_curves_give_themselves_away(recorded):
    """By log V alone: three, of which the page says how."""
    uniform = torch.tensor(257.0).log().item()
    curves = {name: recorded.curve(name, "reported")[1] for name in BUGS}
    first, last = ({name: curve[i].mean for name, curve in curves.items()} for i in (0, -1))
    odd = {"logarithm_missing", "divided_by_texts", "parts_added_up"}
    assert {name for name in BUGS if not 0.9 < first[name] / uniform < 2} == odd
    assert first["logarithm_missing"] < 0.5 * uniform
    assert last["logarithm_missing"] < 0
    assert min(first["divided_by_texts"], first["parts_added_up"]) > 5 * uniform
    assert last["parts_added_up"] > 2 * uniform
    assert all(0 < last[name] < uniform for name in set(BUGS) - odd)


# --- The losses ---------------------------------------------------------------------------------


def test_right_losses_are_kdlabs(batch):
    student, teacher, ids, labels = batch
    for name, objective in {
        "right": CombinedObjective(),
        "right_heated": CombinedObjective(temperature=4.0),
        "right_jsd": CombinedObjective(partial(jensen_shannon, beta=0.1)),
    }.items():
        theirs = objective(student[:, :-1], teacher[:, :-1], labels[:, 1:])
        ours = getattr(bug_clinic, name)(student, teacher, ids, labels)
        torch.testing.assert_close(ours, (theirs.lm_loss, theirs.kd_loss))


@pytest.mark.parametrize("name", [*BUGS, "right", "right_jsd", "right_heated"])
def test_what_each_test_catches(batch, name):
    loss, caught = getattr(bug_clinic, name), set()
    for test in INVARIANT:
        known = 0.0 if test in ("itself", "oracle") else 1.0
        if abs(float(getattr(bug_clinic, test)(loss, batch)) - known) > 0.01:
            caught.add(test)
    assert caught == CAUGHT.get(name, set())


def test_the_eleventh_bug_of_the_page_passes_all_and_its_own_test_catches_it(batch):
    names = dict(vars(bug_clinic))
    exec(re.search(r"^```python\n(.*?)^```$", PAGE, re.M | re.S)[1], names)
    for test in INVARIANT:
        known = 0.0 if test in ("itself", "oracle") else 1.0
        found = float(getattr(bug_clinic, test)(names["one_late"], batch))
        assert found == pytest.approx(known, abs=0.01)
    assert abs(float(names["after_the_end"](names["one_late"], batch)) - 1) > 0.05
    assert float(names["after_the_end"](bug_clinic.right, batch)) == pytest.approx(1)


@same_text
@pytest.mark.slow
def test_a_factor_of_four_shows_without_adamw_and_the_clip():
    """What the page says one should see under "Try it"."""
    source = re.sub(r"AdamW\(.*\)", "SGD(student.parameters())", inspect.getsource(train_student))
    source = re.sub(r"nn.utils.clip_grad_norm_.*", "pass", source)
    teacher, train, *_ = bug_clinic.ward()

    def lm(loss, rate):
        names = dict(vars(bug_clinic))
        exec(source.replace("4e-3", str(rate)), names)
        return [lm for _, lm, _ in names["train_student"](loss, teacher, train, steps=60)[1]]

    first, last, by = re.search(
        r"falls from\s+(\S+) to (\S+), and that of `parts_added_up` is not a number after (\d+) st",
        PAGE,
    ).groups()
    falls = lm(bug_clinic.right, 0.3)
    assert (falls[0], falls[-1]) == pytest.approx((float(first), float(last)), abs=0.05)
    assert math.isnan(lm(bug_clinic.parts_added_up, 0.3)[int(by)])
    for loss in (bug_clinic.right, bug_clinic.parts_added_up):  # the second reports four parts
        reported = lm(loss, 0.1)
        assert reported[-1] < 0.7 * reported[0]
    assert math.isnan(lm(bug_clinic.right, 1.0)[-1])


def test_logarithms_mixed_is_both_kls(batch):
    """β(1−β) times the sum of both KLs, as the page says."""
    student, teacher, ids, labels = batch
    _, kd = bug_clinic.logarithms_mixed(student, teacher, ids, labels, beta=0.3)
    _, forward = bug_clinic.right(student, teacher, ids, labels)
    _, reverse = bug_clinic.arguments_swapped(student, teacher, ids, labels)
    torch.testing.assert_close(kd, 0.3 * 0.7 * (forward + reverse))


def test_near_zero_the_swapped_beta_is_the_reverse_kl(batch):
    student, teacher, ids, labels = batch
    _, kd = bug_clinic.beta_swapped(student, teacher, ids, labels, beta=1e-4)
    _, reverse = bug_clinic.arguments_swapped(student, teacher, ids, labels)
    torch.testing.assert_close(kd, reverse, rtol=5e-3, atol=0)


# --- The page -----------------------------------------------------------------------------------


def functions(source: str) -> dict[str, str]:
    tree = ast.parse(source)
    return {node.name: ast.dump(node) for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_page_shows_what_the_experiment_ran():
    cells = re.findall(
        r"^```\{code-cell\} ipython3\n(?:---\n.*?\n---\n)?(?::.*?\n)*(.*?)^```$",
        PAGE,
        re.MULTILINE | re.DOTALL,
    )
    shown = functions("\n".join(cells))
    ran = functions(inspect.getsource(bug_clinic))
    needed = {*BUGS, *TESTS, "right", "right_jsd", "right_heated", "train_student", "rows"}
    assert needed <= set(shown)
    for name in set(shown) & set(ran):
        assert shown[name] == ran[name], f"{name} differs between the page and the experiment"
