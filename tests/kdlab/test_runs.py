"""One distillation from text to summary, by function and by command."""

import json
from functools import partial

import pytest
from typer.testing import CliRunner

import kdlab.runs
from kdlab import History, distill, load_corpus, load_student, trained_teacher
from kdlab.cli import app

SUMMARY_KEYS = [
    "arm",
    "schedule",
    "seed",
    "steps",
    "student_params",
    "teacher_params",
    "eval_perplexity",
    "teacher_perplexity",
    "eval_kl_to_teacher",
    "agreement_top1",
    "tokens_per_second",
    "seconds",
    "device",
    "versions",
]


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """A corpus small enough to train on in seconds: counting, with a document for each number."""
    path = tmp_path_factory.mktemp("text") / "counting.txt"
    path.write_text(
        "\n\n".join(" ".join(f"{i} and {j}," for j in range(i, i + 60)) for i in range(400))
    )
    return str(path)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("KDLAB_CACHE", str(tmp_path_factory.getbasetemp() / "kdlab-cache"))


shortly = partial(distill, teacher_steps=12)


def run(*options):
    return CliRunner().invoke(app, ["distill", "--teacher-steps", "12", *map(str, options)])


def test_the_command_writes_a_summary_metrics_and_the_student(text, tmp_path):
    result = run("--corpus", text, "--steps", 6, "--schedule", "linear", "--out", tmp_path, "--cpu")
    assert result.exit_code == 0, result.output
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert list(summary) == SUMMARY_KEYS
    assert summary["schedule"] == "linear"
    assert f"perplexity {summary['eval_perplexity']:.2f}" in result.output
    history = History.read(tmp_path / "metrics.jsonl")
    assert history.column("lam") == pytest.approx([1 - i / 6 for i in range(6)])
    assert load_student(tmp_path).config.d_model == 64


@pytest.mark.parametrize(
    ("arm", "combination"),
    [
        ("lm", lambda record: record["lm_loss"]),
        ("kd", lambda record: record["kd_loss"]),
        ("combined", lambda record: record["lm_loss"] + 0.5 * record["kd_loss"]),
    ],
)
def test_each_arm_minimises_what_it_says(text, tmp_path, arm, combination):
    summary = distill(
        tmp_path, corpus=text, teacher_steps=12, arm=arm, lam=0.5, steps=3, device="cpu"
    )
    assert summary["arm"] == arm
    for record in History.read(tmp_path / "metrics.jsonl").train:
        assert record["loss"] == pytest.approx(combination(record), rel=1e-6)


def test_the_same_seed_gives_the_same_summary(text, tmp_path):
    timed = {"tokens_per_second", "seconds"}
    first, second = (
        distill(tmp_path / name, corpus=text, teacher_steps=12, steps=3, seed=1, device="cpu")
        for name in "ab"
    )
    assert {k: v for k, v in first.items() if k not in timed} == {
        k: v for k, v in second.items() if k not in timed
    }


def test_the_teacher_is_trained_once(text, monkeypatch):
    corpus = load_corpus(text)
    first = trained_teacher(corpus, steps=2, device="cpu")
    monkeypatch.setattr(kdlab.runs, "DistillationTrainer", lambda *a, **k: pytest.fail("again"))
    second = trained_teacher(corpus, steps=2, device="cpu")
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert one.equal(other)


def test_a_run_can_be_resumed(text, tmp_path):
    options = ("--corpus", text, "--steps", 4, "--checkpoint-every", 2, "--out", tmp_path, "--cpu")
    assert run(*options).exit_code == 0
    before = (tmp_path / "summary.json").read_text()
    assert run(*options, "--resume").exit_code == 0
    after = (tmp_path / "summary.json").read_text()
    assert json.loads(after)["eval_perplexity"] == json.loads(before)["eval_perplexity"]


def test_json_alone_is_printed_when_asked_for(text, tmp_path):
    result = run("--corpus", text, "--steps", 2, "--out", tmp_path, "--json", "--cpu")
    assert json.loads(result.stdout) == json.loads((tmp_path / "summary.json").read_text())


def test_errors_are_one_sentence_and_an_exit_code(tmp_path):
    result = run("--corpus", "no-such-corpus", "--out", tmp_path)
    assert result.exit_code == 1
    assert result.output.startswith("kdlab: unknown corpus 'no-such-corpus'")
    assert "Traceback" not in result.output
    assert run("--arm", "both", "--out", tmp_path).exit_code == 2
    result = run("--lam", "-1", "--out", tmp_path)
    assert result.exit_code == 1
    assert "lam must be at least 0" in result.output


def test_help_names_every_option_with_its_meaning():
    result = CliRunner().invoke(app, ["distill", "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    for option in ("--arm", "--schedule", "--lam", "--steps", "--seed", "--out", "--resume"):
        assert option in result.output
