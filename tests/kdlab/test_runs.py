"""One distillation from text to summary, by function and by command."""

import json
from dataclasses import replace
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from typer.testing import CliRunner

import kdlab.ingredients
import kdlab.runs
from kdlab import (
    Corpus,
    History,
    Ingredients,
    Recipe,
    TinyGPT,
    cache_teacher,
    distill,
    evaluate_run,
    load_corpus,
    load_student,
    train_tokenizer,
    trained_teacher,
)
from kdlab.cli import app
from kdlab.devices import own_accelerate_state
from kdlab.recipes import read_recipe
from kdlab.saving import save_student
from kdlab.schedules import SCHEDULES

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
    "eval_reverse_kl_to_teacher",
    "agreement_top1",
    "calibration_error",
    "tokens_per_second",
    "seconds",
    "path",
    "text_sha256",
    "device",
    "versions",
]


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """A corpus small enough to train on in seconds: counting, with a document for each number."""
    path = tmp_path_factory.mktemp("text") / "counting.txt"
    path.write_text(
        "\n\n".join(" ".join(f"{i} and {j}," for j in range(i, i + 60)) for i in range(100))
    )
    return str(path)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("KDLAB_CACHE", str(tmp_path_factory.getbasetemp() / "kdlab-cache"))


SHORT = {"vocab_size": 300, "teacher": "tiny-student", "teacher_steps": 12}
SHORT |= {"batch_size": 4, "eval_blocks": 8}
OPTIONS = [x for name, n in SHORT.items() for x in (f"--{name.replace('_', '-')}", n)]


def shortly(out, **fields):
    return distill(out, Recipe(**SHORT | fields), device="cpu")


def kdlab_(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def run(*options):
    return kdlab_("distill", *OPTIONS, *options)


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arm", "combination"),
    [
        ("lm", lambda record: record["lm_loss"]),
        ("kd", lambda record: record["kd_loss"]),
        ("combined", lambda record: record["lm_loss"] + 0.5 * record["kd_loss"]),
    ],
)
def test_each_arm_minimises_what_it_says(text, tmp_path, arm, combination):
    summary = shortly(tmp_path, corpus=text, arm=arm, lam=0.5, steps=3)
    assert summary["arm"] == arm
    for record in History.read(tmp_path / "metrics.jsonl").train:
        assert record["loss"] == pytest.approx(combination(record), rel=1e-6)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_summary(text, tmp_path):
    timed = {"tokens_per_second", "seconds"}
    first, second = (shortly(tmp_path / name, corpus=text, steps=3, seed=1) for name in "ab")
    assert {k: v for k, v in first.items() if k not in timed} == {
        k: v for k, v in second.items() if k not in timed
    }


def test_the_teacher_is_trained_once(text, monkeypatch):
    corpus = load_corpus(text)
    first = trained_teacher(corpus, steps=2, device="cpu")
    monkeypatch.setattr(
        kdlab.ingredients, "DistillationTrainer", lambda *a, **k: pytest.fail("again")
    )
    second = trained_teacher(corpus, steps=2, device="cpu")
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert one.equal(other)


def test_a_run_can_be_resumed(text, tmp_path):
    options = ("--corpus", text, "--steps", 4, "--checkpoint-every", 2, "--out", tmp_path, "--cpu")
    assert run(*options).exit_code == 0
    before = (tmp_path / "summary.json").read_text()
    found = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert run(*options, "--resume").exit_code == 0  # a finished run is not run again
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == found
    (tmp_path / "summary.json").unlink()
    again = run(*options, "--resume")
    assert again.exit_code == 0
    assert "no checkpoint" not in again.output
    after = (tmp_path / "summary.json").read_text()
    assert json.loads(after)["eval_perplexity"] == json.loads(before)["eval_perplexity"]
    new = run(*options[:-2], tmp_path / "new", "--cpu", "--resume")
    assert f"There is no checkpoint in {tmp_path / 'new'}: the run begins anew." in new.output


def test_the_speed_of_a_resumed_run_is_that_of_all_its_steps(text, tmp_path, monkeypatch):
    recipe = Recipe(corpus=text, **SHORT, steps=4)
    step = kdlab.runs.DistillationTrainer._train_step

    def fall(self, *arguments):
        if self.step == 3:
            raise RuntimeError("the lights went out")
        return step(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(kdlab.runs.DistillationTrainer, "_train_step", fall)
        with pytest.raises(RuntimeError, match="lights"):
            distill(tmp_path, recipe, checkpoint_every=3, device="cpu")
    summary = distill(tmp_path, recipe, resume=True, device="cpu")
    rates = History.read(tmp_path / "metrics.jsonl").column("tokens_per_second")
    assert len(rates) == 4
    assert min(rates) <= summary["tokens_per_second"] <= max(rates)
    assert summary["seconds"] * summary["tokens_per_second"] == pytest.approx(4 * 4 * 127)


def test_a_bench_serves_every_recipe_of_its_setting_and_no_other(text, tmp_path):
    recipe = Recipe(corpus=text, **SHORT, steps=2)
    ingredients = Ingredients.of(recipe, device="cpu")
    own = shortly(tmp_path / "own", corpus=text, steps=2, lam=2.0)
    other = replace(recipe, lam=2.0)
    shared = distill(tmp_path / "shared", other, ingredients=ingredients, device="cpu")
    assert shared["eval_perplexity"] == own["eval_perplexity"]
    with pytest.raises(ValueError, match=r"the ingredients are of .*train_fraction=1\.0"):
        distill(tmp_path / "no", replace(recipe, train_fraction=0.5), ingredients=ingredients)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"learning_rate": "1e-4"}, r"learning_rate must be a number, got '1e-4'"),
        ({"data": 3}, r"data must be text, got int 3"),
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"on_policy": 2.0}, "on_policy must be a share from 0 to 1, got 2.0"),
        ({"on_policy": 0.5, "arm": "lm"}, "on_policy asks a live teacher"),
        ({"on_policy": 0.5, "teacher_file": "k4.topk"}, "on_policy asks a live teacher"),
        ({"on_policy": 0.5, "prompt_tokens": 128}, "prompt_tokens 128 leave nothing to write"),
        ({"teacher": "gpt5"}, "unknown teacher 'gpt5'; known: tiny-teacher"),
    ],
)
def test_what_no_run_can_do_is_refused_before_anything_is_made(fields, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**fields)


@pytest.mark.parametrize(("command", "resumes"), [("distill", True), ("cache-teacher", False)])
def test_ctrl_c_names_what_goes_on_only_where_something_does(
    tmp_path, monkeypatch, command, resumes
):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(kdlab.runs.Ingredients, "of", stop)
    result = kdlab_(command, "--out", tmp_path / "out")
    assert result.exit_code == 130
    assert ("--resume" in result.output) == resumes


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


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_can_be_asked_for(text, tmp_path, schedule):
    shortly(tmp_path, corpus=text, schedule=schedule, lam=0.5, steps=10, eval_every=5)
    lam = History.read(tmp_path / "metrics.jsonl").column("lam")
    assert len(lam) == 10
    assert len(set(lam)) == 1 if schedule in ("constant", "plateau") else len(set(lam)) > 5


def test_a_plateau_needs_evaluations():
    with pytest.raises(ValueError, match="give eval_every"):
        Recipe(schedule="plateau")


def test_a_run_is_resumed_with_its_own_recipe_only(text, tmp_path):
    shortly(tmp_path, corpus=text, steps=2)
    with pytest.raises(ValueError, match=r"has lam 1\.0, not 2\.0; resume it as it was begun"):
        distill(tmp_path, Recipe(corpus=text, **SHORT, steps=2, lam=2.0), resume=True)


def test_a_run_finds_its_corpus_again_where_both_were_moved_to(text, tmp_path):
    for folder in ("old", "new"):
        (tmp_path / folder).mkdir()
    old, new = (tmp_path / folder / "a.txt" for folder in ("old", "new"))
    old.write_text(Path(text).read_text())
    summary = shortly(tmp_path / "old" / "run", corpus=str(old), steps=2)
    moved = Recipe(corpus=str(new), **SHORT, steps=2)
    new.write_text("there are two now")
    with pytest.raises(ValueError, match=r"has corpus .*a\.txt, not .*a\.txt"):
        distill(tmp_path / "old" / "run", moved, resume=True)
    old.replace(new)
    (tmp_path / "old" / "run").replace(tmp_path / "new" / "run")
    assert distill(tmp_path / "new" / "run", moved, resume=True) == summary
    again = evaluate_run(tmp_path / "new" / "run", device="cpu")
    assert again.perplexity == summary["eval_perplexity"]


def test_a_finished_run_can_be_measured_again(text, tmp_path):
    summary = shortly(tmp_path, corpus=text, steps=2)
    result = evaluate_run(tmp_path, device="cpu")
    assert result.perplexity == summary["eval_perplexity"]
    printed = kdlab_("evaluate", tmp_path, "--cpu", "--json")
    values = json.loads(printed.stdout)
    assert values["kl_to_teacher"] == summary["eval_kl_to_teacher"]
    assert values["calibration_error"] == result.calibration.expected_error
    assert f"{result.perplexity:.4f}" in kdlab_("evaluate", tmp_path, "--cpu").output
    missing = kdlab_("evaluate", tmp_path / "nothing")
    assert missing.exit_code == 1
    assert "holds no finished run" in missing.output


@pytest.mark.parametrize("arm", ["combined", "lm"])
def test_a_run_in_bf16_is_measured_in_bf16_by_whoever_measures_it(text, tmp_path, arm):
    """The trainer, the summary of a run without a live teacher, and `kdlab evaluate`."""
    options = {"steps": 2, "eval_every": 2, "mixed_precision": "bf16"}
    summary = shortly(tmp_path, corpus=text, arm=arm, **options)
    result = evaluate_run(tmp_path, device="cpu")
    assert result.perplexity == pytest.approx(summary["eval_perplexity"], rel=1e-6)
    assert result.kl_to_teacher == pytest.approx(summary["eval_kl_to_teacher"], rel=1e-6)
    (*_, last) = History.read(tmp_path / "metrics.jsonl").eval
    assert last["perplexity"] == pytest.approx(summary["eval_perplexity"], rel=1e-6)


@pytest.mark.slow
def test_a_student_learns_from_a_cached_teacher(text, tmp_path):
    store = tmp_path / "teacher.topk"
    options = ("--corpus", text, *OPTIONS[:6], "--cpu")
    written = kdlab_("cache-teacher", *options, "--k", 16, "--out", store)
    assert written.exit_code == 0, written.output
    assert "66 bytes each" in written.output
    short = ("--steps", 3, "--teacher-file", store, "--cpu")
    result = run("--corpus", text, *short, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    from_file = History.read(tmp_path / "metrics.jsonl").column("kd_loss")
    shortly(tmp_path / "live", corpus=text, steps=3)
    live = History.read(tmp_path / "live" / "metrics.jsonl").column("kd_loss")
    assert 0 < from_file[0] < live[0]  # 17 buckets say less than 300 tokens
    header = json.loads(
        kdlab_("cache-teacher", *options, "--k", 16, "--out", store, "--json").stdout
    )
    assert header["bytes"] == store.stat().st_size
    loud = tmp_path / "loud.txt"
    loud.write_text(Path(text).read_text().upper())
    other = run("--corpus", loud, *short, "--out", tmp_path / "other")
    assert other.exit_code == 1
    assert "written for another" in other.output


def test_the_file_of_another_teacher_is_refused(text, tmp_path):
    recipe = Recipe(corpus=text, **SHORT, steps=2)
    file = tmp_path / "teacher.topk"
    cache_teacher(file, replace(recipe, teacher_steps=1), k=8, device="cpu")
    with pytest.raises(ValueError, match=r"teacher\.topk was written for another model"):
        shortly(tmp_path / "run", corpus=text, steps=2, teacher_file=str(file))


@pytest.mark.parametrize("typed", ["~/a.txt", "hf:a.jsonl", "hf:a.jsonl@train[:90%]", "hf:a"])
def test_a_finished_run_notices_that_its_text_has_changed(tmp_path, monkeypatch, typed):
    """By whatever name; and a run of a data set that is on no disk is not read again."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("a.txt", "a.jsonl"):
        (tmp_path / name).touch()
    (tmp_path / "a").mkdir()
    monkeypatch.setattr(kdlab.runs, "text_of", lambda recipe: Corpus("a", ("another text",)))
    for corpus in (typed, "hf:org/a@train"):
        (tmp_path / "recipe.json").write_text(json.dumps({"corpus": corpus}))
        (tmp_path / "summary.json").write_text('{"text_sha256": "0123"}')
        if corpus == typed:
            with pytest.raises(ValueError, match="is another text than when the run in"):
                distill(tmp_path, Recipe(corpus=corpus), resume=True)
        else:
            assert distill(tmp_path, Recipe(corpus=corpus), resume=True)


@pytest.mark.parametrize(
    ("recipe", "why"), [('{"cake": 1}', ".*'cake'"), ("{}", ".*holds an empty object")]
)
def test_a_folder_with_a_recipe_of_something_else_is_left_as_it_is(tmp_path, recipe, why):
    for name, text in (("recipe.json", recipe), ("model.safetensors", "my weights")):
        (tmp_path / name).write_text(text)
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match=rf"recipe\.json is no recipe of this kdlab {why}"):
        distill(tmp_path, Recipe(), device="cpu")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


def test_what_is_no_run_is_told(tmp_path):
    for command in ("chat", "evaluate"):
        refused = kdlab_(command, tmp_path / "nothing")
        assert refused.exit_code == 1
        assert refused.output == f"kdlab: {tmp_path / 'nothing'} holds no finished run\n"
    (tmp_path / "recipe.json").write_text('{"steps": 7}')
    assert "finished run; it has not ended yet" in kdlab_("evaluate", tmp_path).output


def test_runs_of_one_name_are_both_drawn(tmp_path):
    runs = [tmp_path / folder / "run" for folder in ("a", "b")]
    for run in runs:
        run.mkdir(parents=True)
        (run / "metrics.jsonl").write_text(
            '{"kind": "eval", "step": 1, "perplexity": 9.0, "teacher_perplexity": 8.0}\n'
        )
    drawn = kdlab_("plot", *runs, "--show", "perplexity", "--out", tmp_path / "both.svg")
    assert drawn.exit_code == 0, drawn.output
    assert all(str(run) in (tmp_path / "both.svg").read_text() for run in runs)
    refused = kdlab_("plot", *runs, "--show", "perplexity", "--out", tmp_path / "both")
    assert "both says not what kind of picture" in refused.output


@pytest.mark.slow
def test_runs_are_drawn(text, tmp_path):
    for name in ("one", "two"):
        shortly(tmp_path / name, corpus=text, steps=4, eval_every=2)
    runs = (tmp_path / "one", tmp_path / "two")
    assert kdlab_("plot", runs[0], "--out", tmp_path / "losses.png").exit_code == 0
    drawn = kdlab_("plot", *runs, "--show", "perplexity", "--out", tmp_path / "both.svg")
    assert drawn.exit_code == 0, drawn.output
    assert "<svg" in (tmp_path / "both.svg").read_text()
    assert (tmp_path / "losses.png").read_bytes().startswith(b"\x89PNG")
    refused = kdlab_("plot", *runs, "--out", tmp_path / "no.png")
    assert refused.exit_code == 1
    assert "draws one run, not 2" in refused.output


def test_a_hugging_face_model_teaches(text, tmp_path):
    transformers = pytest.importorskip("transformers")
    tokenizer = train_tokenizer(load_corpus(text), 300)
    wrapped = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|endoftext|>"
    )
    size = tokenizer.get_vocab_size()
    config = transformers.LlamaConfig(
        vocab_size=size,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
    )
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "llama")
    wrapped.save_pretrained(tmp_path / "llama")
    shortly(tmp_path / "run", corpus=text, teacher=f"hf:{tmp_path}/llama", steps=2)
    assert load_student(tmp_path / "run").config.vocab_size == size
    assert evaluate_run(tmp_path / "run", device="cpu").agreement_top1 <= 1.0


def test_help_names_every_option_with_its_meaning():
    result = CliRunner().invoke(app, ["distill", "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    for option in ("--arm", "--schedule", "--lam", "--steps", "--seed", "--out", "--resume"):
        assert option in result.output


def test_a_letter_that_a_console_lacks_is_printed_by_its_number(monkeypatch):
    monkeypatch.setattr(kdlab.runs.Chat, "of", lambda *_, **named: kdlab.runs.Chat(None, None))
    monkeypatch.setattr(kdlab.runs.Chat, "say", lambda *_, **named: "λ·猫")
    result = CliRunner(charset="cp1252").invoke(app, ["chat", ".", "--say", "hello"])
    assert (result.exit_code, result.output) == (0, "\\u03bb·\\u732b\n")
    stream = TextIOWrapper(BytesIO(), "ascii", errors="surrogateescape")  # as in the locale C
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setenv("COLUMNS", "40")  # so that words are cut
    app(["distill", "--help"], standalone_mode=False)
    assert b"\\u2026" in stream.buffer.getvalue()
    assert stream.errors == "surrogateescape"


# --- a run whose text or folder is no longer what it was ---


def a_run(folder, text, steps=2):
    """With a corpus of its own beside it."""
    folder.mkdir()
    corpus = folder / "a.txt"
    corpus.write_text(Path(text).read_text())
    shortly(folder / "run", corpus=str(corpus), steps=steps)
    return folder / "run", corpus


def test_a_run_whose_corpus_was_moved_says_where_to_write_its_new_place(text, tmp_path):
    run, corpus = a_run(tmp_path / "old", text)
    expected = evaluate_run(run, device="cpu").perplexity
    new = corpus.replace(tmp_path / "b.txt")
    found = kdlab_("evaluate", run, "--cpu")
    assert found.exit_code == 1
    assert f"the corpus of the run in {run} was {corpus}, which is not there" in found.output
    recipe = run / "recipe.json"
    assert f"write its new place into {recipe}" in found.output
    recipe.write_text(recipe.read_text().replace(str(corpus), str(new)))
    assert evaluate_run(run, device="cpu").perplexity == expected


def test_a_run_is_not_measured_on_another_text_than_its_own(text, tmp_path, monkeypatch):
    """Its tokenizer and its teacher would be others, and so would all numbers, without a word."""
    run, corpus = a_run(tmp_path / "here", text)
    corpus.write_text(corpus.read_text() + "\n\n1000 and 1001, 1000 and 1002,")
    with pytest.raises(ValueError, match=r"a\.txt is another text than when the run in .*/run was"):
        evaluate_run(run, device="cpu")
    with pytest.raises(ValueError, match="a new run a folder of its own"):
        distill(run, read_recipe(run), resume=True, device="cpu")
    summary = json.loads((run / "summary.json").read_text())
    del summary["text_sha256"]  # as before there was one
    (run / "summary.json").write_text(json.dumps(summary))
    reads, load = [], kdlab.ingredients.load_corpus
    monkeypatch.setattr(kdlab.ingredients, "load_corpus", lambda n: reads.append(n) or load(n))
    assert evaluate_run(run, device="cpu").positions > 0
    assert reads == [str(corpus)]


def test_a_run_that_begins_while_another_reads_its_text_gives_way(text, tmp_path, monkeypatch):
    of = Ingredients.of

    def slowly(recipe, **options):
        found = of(recipe, **options)
        monkeypatch.setattr(Ingredients, "of", of)
        shortly(tmp_path, corpus=text, steps=2, seed=7)  # it began later, and was faster
        return found

    monkeypatch.setattr(Ingredients, "of", slowly)
    with pytest.raises(ValueError, match=r"another run has begun in .* while this one read"):
        shortly(tmp_path, corpus=text, steps=2, seed=1)
    assert json.loads((tmp_path / "recipe.json").read_text())["seed"] == 7
    assert json.loads((tmp_path / "summary.json").read_text())["seed"] == 7


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("{", '{"rotary": true, ', "its config.json has 'rotary', which this kdlab does not know"),
        ('"n_layer": 2', '"n_layer": 3', r"not those of its config\.json: blocks\.2"),
    ],
)
def test_a_student_that_is_not_as_its_config_says_is_one_sentence(tmp_path, before, after, message):
    save_student(TinyGPT("tiny-student", vocab_size=8), tmp_path)
    config = tmp_path / "config.json"
    config.write_text(config.read_text().replace(before, after, 1))
    with pytest.raises(ValueError, match=message):
        load_student(tmp_path)


def test_a_student_in_the_shards_that_accelerate_writes_is_loaded(tmp_path):
    model = TinyGPT("tiny-student", vocab_size=8)
    save_student(TinyGPT("tiny-student", vocab_size=8), tmp_path)
    with own_accelerate_state():
        Accelerator(cpu=True).save_model(model, tmp_path, max_shard_size="20KB")
    with pytest.raises(ValueError, match=r"the weights of two models, model\.safetensors and"):
        load_student(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    found = load_student(tmp_path).state_dict()
    assert all(torch.equal(found[name], weight) for name, weight in model.state_dict().items())
    max(tmp_path.glob("*-of-*.safetensors")).unlink()
    with pytest.raises(FileNotFoundError, match=r"-of-\d+\.safetensors"):
        load_student(tmp_path)
