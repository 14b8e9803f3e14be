"""Fine-tuning from the command's recipe to a folder that transformers opens."""

import json
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from typer.testing import CliRunner

from kdlab import (
    Chat,
    ChatDataset,
    Conversation,
    PackedRows,
    Recipe,
    cache_teacher,
    distill,
    evaluate_run,
    runs,
)
from kdlab.cli import app
from kdlab.ingredients import Ingredients
from kdlab.pretrained import load_both
from tests.kdlab.tiny_models import tiny_pair

transformers = pytest.importorskip("transformers")
SMALL = {"steps": 2, "batch_size": 4, "eval_answers": 3, "new_tokens": 4}


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return tiny_pair(tmp_path_factory.mktemp("pair"))


@pytest.fixture(scope="module")
def recipe(pair):
    teacher, student = (f"hf:{pair[name]}" for name in ("teacher", "student"))
    return Recipe(data=str(pair["data"]), teacher=teacher, student=student, **SMALL)


def opened(folder):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    return model, transformers.AutoTokenizer.from_pretrained(folder)


def weights(model):
    return torch.cat([value.flatten() for value in model.state_dict().values()])


def test_what_a_run_leaves_opens_with_transformers_and_is_the_student_measured(recipe, tmp_path):
    summary = distill(tmp_path, recipe, device="cpu")
    model, tokenizer = opened(tmp_path)
    assert tokenizer.chat_template
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert evaluate_run(tmp_path, device="cpu").perplexity == pytest.approx(
        summary["eval_perplexity"], rel=1e-5
    )
    assert {"accuracy", "answers_ended", "answer_tokens", "examples"} <= summary.keys()


@pytest.mark.parametrize(
    "changes",
    [
        {"lora": 2},
        {"lora": 2, "dtype": "bfloat16", "gradient_checkpointing": True},
        {"gradient_checkpointing": True, "accumulation": 2},
        {"packed": True, "block_size": 64, "batch_size": 2},
        {"on_policy": 1.0, "divergence": "reverse_kl"},
        {"student": "layers:2"},
        {"student": "tiny-student"},
        {"arm": "lm"},
        {"train_fraction": 0.5},
    ],
    ids=" ".join,
)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_every_way_ends_in_a_student_that_can_be_opened(recipe, tmp_path, changes):
    summary = distill(tmp_path, replace(recipe, **changes), device="cpu")
    assert summary["path"] == "linear"
    assert Chat.of(tmp_path, device="cpu").say("Hi?", new_tokens=2) is not None
    if changes.get("student") != "tiny-student":
        opened(tmp_path)


def test_a_student_of_the_teacher_s_layers_is_in_float32_whatever_its_teacher_is_in(recipe):
    ingredients = Ingredients.of(replace(recipe, dtype="bfloat16", student="layers:2"))
    assert ingredients.teacher.dtype == torch.bfloat16
    for student in ("layers:2", "shape:2"):
        assert ingredients.student(student).dtype == torch.float32


def test_questions_whose_answer_calls_a_tool_are_left_out(recipe, pair):
    """Only at the end of a run would anyone hear that they cannot be judged."""
    ingredients = Ingredients.of(recipe, device="cpu")
    call = {"function": {"name": "look_up", "arguments": {}}}
    asked = ({"role": "user", "content": "?"}, {"role": "assistant", "tool_calls": [call]})
    student = ingredients.student(recipe.student)

    def found(*conversations):
        held_out = SimpleNamespace(conversations=conversations)
        return runs._of_conversations(student, replace(ingredients, validation=held_out), recipe)

    text = ingredients.validation.conversations[:1]
    assert found(Conversation(asked), *text) == found(*text)
    assert found(*text).keys() > found(Conversation(asked)).keys() == {"examples"}


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_adapters_are_merged_and_alone_are_trained(recipe, tmp_path, pair):
    peft = pytest.importorskip("peft")
    summary = distill(tmp_path, replace(recipe, lora=2, learning_rate=0.05), device="cpu")
    assert "merged" in summary["adapters"]
    merged, _ = opened(tmp_path)
    before = transformers.AutoModelForCausalLM.from_pretrained(pair["student"])
    assert merged.model.embed_tokens.weight.equal(before.model.embed_tokens.weight)
    assert not weights(merged).equal(weights(before))
    apart = peft.PeftModel.from_pretrained(before, tmp_path / "adapters").merge_and_unload()
    torch.testing.assert_close(weights(apart), weights(merged))


def test_the_program_of_the_page_on_conversations(pair, tmp_path, monkeypatch, capsys):
    """Two tiny models in folders stand in for those of the hub; all else is as it is told."""
    peft = pytest.importorskip("peft")
    page = Path(__file__).parents[2] / "book/reference/library-conversations.md"
    program = re.search(r"```python\n(import peft.*?)```", page.read_text("utf-8"), re.DOTALL)[1]
    for name, folder in (("NAME", "student"), ("TEACHER", "teacher")):
        program, found = re.subn(
            rf'^{name} = ".+"$', f"{name} = {str(pair[folder])!r}", program, flags=re.M
        )
        assert found == 1
    program = program.replace("steps=100", "steps=2")
    (tmp_path / "chat.jsonl").write_bytes(pair["data"].read_bytes())
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(program, names)
    assert "of them the assistant's" in capsys.readouterr().out
    assert names["trainer"].path == "linear"
    assert names["history"].eval[-1]["kl_to_teacher"] > 0
    before = transformers.AutoModelForCausalLM.from_pretrained(pair["student"])
    saved = peft.PeftModel.from_pretrained(before, tmp_path / "assistant")
    torch.testing.assert_close(
        weights(saved.merge_and_unload()), weights(names["student"].merge_and_unload().cpu())
    )


def test_a_store_of_the_teacher_trains_as_the_teacher_does(recipe, tmp_path):
    stored = cache_teacher(tmp_path / "t.topk", recipe, k=320, device="cpu")
    assert stored.header["items"] == len(Ingredients.of(recipe, device="cpu").train)
    live, filed = (
        distill(tmp_path / name, replace(recipe, teacher_file=file), device="cpu")
        for name, file in (("live", None), ("filed", str(tmp_path / "t.topk")))
    )
    assert filed["eval_perplexity"] == pytest.approx(live["eval_perplexity"], rel=1e-3)


def test_entries_that_no_token_has_are_cut_off(recipe, tmp_path, pair):
    model, tokenizer = load_both(str(pair["student"]))
    model.resize_token_embeddings(len(tokenizer) + 7)
    model.save_pretrained(tmp_path / "padded")
    tokenizer.save_pretrained(tmp_path / "padded")
    padded = replace(recipe, student=f"hf:{tmp_path / 'padded'}")
    summary = distill(tmp_path / "run", padded, device="cpu")
    assert evaluate_run(tmp_path / "run", device="cpu").kl_to_teacher == pytest.approx(
        summary["eval_kl_to_teacher"], rel=1e-5
    )


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "owls.txt"
    path.write_text("\n\n".join(f"{i} Owls met {i} more. " * 20 for i in range(40)))
    return str(path)


def other_student(pair, folder, change):
    """The pair's student, with another tokenizer of as many tokens."""
    shutil.copytree(pair["student"], folder, dirs_exist_ok=True)
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    change(tokenizer)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    return f"hf:{folder}"


def another(tokenizer):
    token = tokenizer["added_tokens"][-1] | {"id": 320, "content": "owl"}
    tokenizer["added_tokens"].append(token)


def permuted(tokenizer):
    ids = tokenizer["model"]["vocab"]
    ids["a"], ids["b"] = ids["b"], ids["a"]


@pytest.mark.parametrize("text", ["conversations", "corpus"])
@pytest.mark.parametrize(("change", "told"), [(another, "1 tokens, 'owl'"), (permuted, "2 tokens")])
def test_a_teacher_with_other_tokens_is_refused(recipe, tmp_path, pair, corpus, text, change, told):
    recipe = replace(recipe, student=other_student(pair, tmp_path, change))
    if text == "corpus":
        recipe = replace(recipe, data=None, corpus=corpus)
    with pytest.raises(ValueError, match=f"differ in {told}"):
        Ingredients.of(recipe, device="cpu")


@pytest.mark.parametrize("text", ["conversations", "corpus"])
@pytest.mark.parametrize(
    "change",
    [
        lambda tokenizer: tokenizer.update(normalizer={"type": "Lowercase"}),
        lambda tokenizer: tokenizer["model"].update(merges=[]),
    ],
    ids=["normalizer", "merges"],
)
def test_tokenizers_that_divide_text_otherwise_are_told(
    recipe, tmp_path, pair, corpus, text, change
):
    """They have the same tokens, so that nothing else shows it."""
    recipe = replace(recipe, student=other_student(pair, tmp_path, change))
    if text == "corpus":
        recipe = replace(recipe, data=None, corpus=corpus)
    with pytest.warns(UserWarning, match="have the same tokens, and divide text into others"):
        Ingredients.of(recipe, device="cpu")


def test_two_pretrained_models_share_the_first_part_of_a_vocabulary(recipe):
    ingredients = Ingredients.of(replace(recipe, vocab_size=300), device="cpu")
    student = ingredients.student(recipe.student)
    assert len(ingredients.tokenizer) == ingredients.vocab_size == 300
    assert student.config.vocab_size == 300


def test_a_model_without_its_tokenizer_is_told(recipe, tmp_path, pair):
    """As checkpoints of other trainers often are."""
    model, _ = load_both(str(pair["student"]))
    model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"holds no tokenizer; tokenizer\.save_pretrained"):
        Ingredients.of(replace(recipe, student=f"hf:{tmp_path}"), device="cpu")
    for whose in ("student", "teacher"):
        with pytest.raises(ValueError, match=f"unknown {whose} .* For the folder, hf:{tmp_path}"):
            replace(recipe, **{whose: str(tmp_path)})


def test_a_teacher_is_loaded_as_transformers_is_told(recipe, tmp_path):
    """Spread over memory and a disk: it is slow, and it teaches the same."""
    layers = {"model.layers.0": "cpu", "model.layers.1": "disk"}
    others = ("model.embed_tokens", "model.norm", "model.rotary_emb", "lm_head")
    places = dict.fromkeys(others, "cpu") | layers
    options = {"device_map": places, "offload_folder": str(tmp_path / "offloaded")}
    spread = replace(recipe, teacher_options=json.dumps(options))
    whole, parts = (
        distill(tmp_path / name, each, device="cpu")
        for name, each in (("whole", recipe), ("parts", spread))
    )
    assert parts["path"].startswith("dense: of the teacher")
    assert parts["eval_kl_to_teacher"] == pytest.approx(whole["eval_kl_to_teacher"], rel=1e-4)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_recipe_for_a_gpu_begins_on_tiny_models(pair, tmp_path):
    page = (Path(__file__).parents[2] / "book/labs/assistant.md").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"^kdlab (distill --out runs/larger .*?)\n```", page, re.S | re.M)
    words = shlex.split(recipe.replace("\\\n", " "))
    tiny = {"--teacher": f"hf:{pair['teacher']}", "--student": f"hf:{pair['student']}"}
    tiny |= {"--data": str(pair["data"]), "--steps": "2", "--out": str(tmp_path)}
    for option, value in tiny.items():
        words[words.index(option) + 1] = value
    result = CliRunner().invoke(app, [*words, "--cpu"])
    assert result.exit_code == 0, result.output
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["path"] == "linear"
    opened(tmp_path)


def test_a_small_student_needs_no_download(tmp_path):
    recipe = Recipe(data="reckoning", teacher_steps=2, train_fraction=0.1, **SMALL)
    summary = distill(tmp_path, recipe, device="cpu")
    assert " conversations, " in summary["examples"]
    assert Chat.of(tmp_path, device="cpu").tokenizer.chat_template


def test_a_conversation_too_long_is_cut_and_told(recipe):
    ingredients = Ingredients.of(replace(recipe, block_size=20, packed=True), device="cpu")
    assert isinstance(ingredients.train, PackedRows)
    assert isinstance(ingredients.validation, ChatDataset)
    report = ingredients.train.report
    assert report.longest > 20 >= len(ingredients.train[0]["input_ids"])
    assert report.truncated + report.left_out > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"student": "hf:x"}, "the student hf:x has another tokenizer than the teacher tiny-te"),
        ({"dtype": "int8"}, "dtype must be float32, bfloat16, float16, got 'int8'"),
        ({"dtype": "bfloat16"}, "are for a teacher from hf:, and tiny-teacher is none"),
        ({"teacher_options": '{"device_map": "auto"}'}, "and tiny-teacher is none"),
        ({"lora": 0}, "lora must be at least 1, got 0"),
        ({"packed": True}, "packed is for conversations"),
        ({"data": "x", "packed": True, "on_policy": 0.5}, "not for on_policy"),
        ({"data": "x", "teacher_texts": 3}, "teacher_texts are blocks of a corpus"),
        ({"teacher_options": "{"}, "teacher_options is no JSON"),
        ({"teacher_options": "[1]"}, r"must be an object of JSON, got \[1\]"),
        ({"eval_answers": -1}, "eval_answers must be at least 0, got -1"),
        ({"student": "tiny"}, "unknown student 'tiny'"),
    ],
)
def test_what_does_not_go_together_is_told(changes, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"student": "tiny-student", "lora": 2}, "TinyGPT is small enough"),
        ({"student": "tiny-student", "gradient_checkpointing": True}, "no gradient checkpointing"),
        ({"teacher_options": '{"nonsense": 1}'}, "cannot be loaded with the options"),
        ({"teacher_options": '{"device_map": ["cpu"]}'}, "cannot be loaded with the options"),
        ({"teacher_options": '{"quantization_config": "int8"}'}, "cannot be loaded with the op"),
        ({"teacher_options": '{"dtype": "bfloat16"}'}, "it is dtype of a recipe, and --dtype"),
    ],
)
def test_what_a_model_cannot_is_told(recipe, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        distill(tmp_path, replace(recipe, **changes), device="cpu")


def test_learning_rates_are_those_of_what_is_trained():
    pretrained = {"teacher": "hf:a", "student": "hf:b", "data": "c"}
    assert Recipe().learning_rate == 2e-3
    assert Recipe(**pretrained).learning_rate == 1e-4
    assert Recipe(**pretrained, lora=4).learning_rate == 5e-4
    assert Recipe(**pretrained, learning_rate=3e-5).learning_rate == 3e-5
    copied = replace(Recipe(**pretrained, lora=4), lora=None, learning_rate=None)
    assert copied.learning_rate == 1e-4
    with pytest.warns(UserWarning, match=r"a learning rate of 0\.002 is one for new weights"):
        replace(Recipe(teacher="hf:a"), student="hf:b")


def test_chat_reads_lines_until_an_empty_one(recipe, tmp_path):
    distill(tmp_path, recipe, device="cpu")
    words = ["chat", str(tmp_path), "--new-tokens", "2", "--cpu"]
    told = CliRunner().invoke(app, words, input="Hi?\nAnd?\n\nnever read\n")
    assert told.exit_code == 0
    assert len(told.stdout.splitlines()) == 2
    lost = CliRunner().invoke(app, ["chat", str(tmp_path / "nothing")])
    assert lost.exit_code == 1
