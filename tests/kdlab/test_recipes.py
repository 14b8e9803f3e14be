"""A recipe in a folder says the same from any other one; and says it if it cannot be read."""

import json
from dataclasses import asdict, replace

import pytest
import torch

from kdlab import Corpus, PackedDataset, Recipe, distill, train_tokenizer
from kdlab.folders import was_moved
from kdlab.ingredients import Ingredients
from kdlab.recipes import read_recipe


def test_paths_are_those_of_where_they_were_typed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("owls.txt", "chat.jsonl", "t.topk", "pydocs", "tiny-teacher"):
        (tmp_path / name).touch()
    (tmp_path / "model").mkdir()
    typed = Recipe(corpus="owls.txt", teacher="hf:model", student="hf:./model", data="chat.jsonl")
    found = typed.absolute()
    assert found == Recipe(
        corpus=f"{tmp_path}/owls.txt",
        teacher=f"hf:{tmp_path}/model",
        student=f"hf:{tmp_path}/model",
        data=f"{tmp_path}/chat.jsonl",
    )
    assert Recipe(teacher_file="t.topk").absolute().teacher_file == f"{tmp_path}/t.topk"
    for no_path in (Recipe(), Recipe(corpus="hf:some/corpus", teacher="hf:org/name")):
        assert no_path.absolute() == no_path


def test_a_run_is_gone_on_with_from_another_folder(tmp_path, monkeypatch):
    """It is finished: what differs would be told before anything is trained."""
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    (tmp_path / "project" / "owls.txt").touch()
    recipe = Recipe(corpus="owls.txt")
    run = tmp_path / "run"
    run.mkdir()
    (run / "recipe.json").write_text(json.dumps(asdict(recipe.absolute())))
    (run / "summary.json").write_text('{"steps": 200}')
    assert distill(run, recipe, resume=True) == {"steps": 200}
    monkeypatch.chdir(tmp_path)
    again = replace(recipe, corpus="project/owls.txt")
    assert distill(run, again, resume=True) == {"steps": 200}
    (tmp_path / "owls.txt").touch()  # of the same name, and not the same
    with pytest.raises(ValueError, match=r"has corpus .*project.owls\.txt, not .*owls\.txt"):
        distill(run, recipe, resume=True)


def test_text_of_the_teacher_s_is_as_long_as_the_recipe_s_blocks(tmp_path, monkeypatch):
    """What was written for shorter blocks, from the same prompts, was read for longer ones."""
    monkeypatch.setenv("KDLAB_CACHE", str(tmp_path / "cache"))
    corpus = tmp_path / "owls.txt"
    corpus.write_text("\n\n".join(f"Owl {i} sees mouse {i * 7 % 90}." for i in range(900)))
    for size in (24, 32, 24):
        recipe = Recipe(
            corpus=str(corpus), teacher_steps=1, teacher_texts=1, block_size=size, vocab_size=300
        )
        (row,) = Ingredients.of(recipe, device="cpu").teacher_text(recipe, device="cpu")
        assert row["input_ids"].shape == row["labels"].shape == (size,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"recipe\.json is no JSON, which knows no comments: .* line 1 column 2"),
        ('{\n  "steps": 7  // fewer\n}', "which knows no comments: .* line 2 "),
        ("[]", r"recipe\.json holds a list, not an object"),
        ('{"from_tomorrow": 1}', r"recipe\.json has 'from_tomorrow', which this version"),
        ("{}", r"recipe\.json holds an empty object, and a recipe has"),
    ],
)
def test_a_recipe_that_cannot_be_read_is_one_sentence(tmp_path, text, message):
    (tmp_path / "recipe.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_recipe(tmp_path)


def test_a_recipe_is_read_as_windows_editors_save_it(tmp_path):
    text = json.dumps(asdict(Recipe(steps=7)), indent=2).replace("\n", "\r\n")
    (tmp_path / "recipe.json").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_recipe(tmp_path).steps == 7


def test_a_split_of_a_data_set_stays_one_wherever_its_file_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owls.jsonl").touch()
    (tmp_path / "me@home").mkdir()
    split, folder = "owls.jsonl@train[:90%]", "me@home"
    assert Recipe(corpus=f"hf:{split}").absolute().corpus == f"hf:{tmp_path}/{split}"
    assert Recipe(teacher=f"hf:{folder}").absolute().teacher == f"hf:{tmp_path}/{folder}"
    for nowhere in ("hf:", "hf:org/owls@train"):
        assert Recipe(corpus=nowhere).absolute().corpus == nowhere
    assert was_moved(f"hf:/nowhere/{split}", f"hf:{tmp_path}/{split}")
    assert was_moved(f"hf:/nowhere/{folder}", f"hf:{tmp_path}/{folder}")
    assert not was_moved(f"hf:/nowhere/{split}", f"hf:{tmp_path}/owls.jsonl@train")
    assert not was_moved(f"hf:{tmp_path}/{split}", f"hf:/nowhere/{split}")


def test_text_of_the_teacher_s_has_a_mask_if_some_of_it_ends_early(tmp_path, monkeypatch):
    """It is written 64 texts at a time, and not each time does one end before its block does."""
    transformers = pytest.importorskip("transformers")
    monkeypatch.setenv("KDLAB_CACHE", str(tmp_path))
    corpus = Corpus(
        "owls", tuple(f"Owl {i} sees mouse {i * 7 % 90} and {i * 13 % 71}." for i in range(900))
    )
    data = PackedDataset(corpus.train, train_tokenizer(corpus, 300), 20)
    shape = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    torch.manual_seed(1)
    teacher = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(vocab_size=300, num_attention_heads=2, eos_token_id=2, **shape)
    )
    recipe = Recipe(teacher_texts=192, prompt_tokens=15, block_size=20)
    ingredients = Ingredients(recipe.setting(), teacher, data, data, 300)
    texts = ingredients.teacher_text(recipe, device="cpu")
    assert len(texts) == 192
    short = [int(row["attention_mask"].sum()) < 20 for row in texts]
    assert {any(short[i : i + 64]) for i in (0, 64, 128)} == {True, False}
    ends = [bool((row["input_ids"][15:-1] == 2).any()) for row in texts]
    assert short == ends
    teacher.generation_config.eos_token_id = None
    teacher.config.eos_token_id = None
    whole = ingredients.teacher_text(recipe, device="cpu")  # not what was kept of the other
    assert "attention_mask" not in whole[0]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"eval_blocks": 0}, "eval_blocks must be at least 1, got 0"),
        ({"teacher_texts": 0}, "teacher_texts must be at least 1, got 0"),
        ({"teacher_steps": -1}, "teacher_steps must be at least 1, got -1"),
        ({"block_size": 1}, "block_size must be at least 2, got 1"),
        ({"vocab_size": 3}, "vocab_size must be at least 257, .* tokenizer .*, got 3"),
        ({"vocab_size": 257, "data": "reckoning"}, "vocab_size must be at least 263, .*, got 257"),
        ({"vocab_size": 0, "teacher": "hf:a"}, "vocab_size must be at least 1, got 0"),
        ({"block_size": 256}, "block_size 256 is longer than the 128 tokens that tiny-teacher"),
    ],
)
def test_numbers_that_no_run_could_use_are_refused_before_a_teacher_is_trained(fields, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**fields)


def test_a_schedule_that_its_arm_does_not_use_needs_nothing():
    for arm in ("lm", "kd"):
        assert Recipe(arm=arm, schedule="plateau").lambda_schedule().value >= 0
