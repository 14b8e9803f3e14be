"""A recipe in a folder says the same from any other one; and says it if it cannot be read."""

import json
from dataclasses import asdict, replace

import pytest

from kdlab import Recipe, distill
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
