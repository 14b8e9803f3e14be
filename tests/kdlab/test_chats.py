"""Rows made of conversations: cut and counted, padded on either side, packed as if alone."""

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from kdlab import (
    ChatDataset,
    CombinedObjective,
    DistillationTrainer,
    Examples,
    PackedRows,
    TinyGPT,
    TopKTeacher,
    TrainConfig,
    collate,
    evaluate,
    load_corpus,
    logits_of,
    pydocs_qa,
    reckoning,
    train_chat_tokenizer,
    write_topk_store,
)
from kdlab.inputs import model_inputs
from kdlab.packing import check_packing
from tests.kdlab.chat_templates import family, said
from tests.kdlab.tiny_models import ARCHITECTURES, V, rows, tiny, with_adapters

transformers = pytest.importorskip("transformers")

HOLDS_NO_PACKING = {"Mamba", "Bloom", "OPT"}  # a state that runs on; no use of position_ids


@pytest.fixture(scope="module")
def tokenizer():
    return train_chat_tokenizer(reckoning(200), 400)


@pytest.fixture(scope="module")
def data(tokenizer):
    return ChatDataset(reckoning(40).conversations, tokenizer)


def gpt(tokenizer, seed=0, **changes):
    torch.manual_seed(seed)
    model = TinyGPT("tiny-student", vocab_size=len(tokenizer), **changes)
    with torch.no_grad():
        model.position_embedding.weight.mul_(30)  # so that a token at another place shows
    return model.eval()


def test_labels_are_the_ids_of_the_answers(data, tokenizer):
    for row, conversation in zip(data, data.conversations, strict=True):
        counts = row["labels"] != -100
        assert row["labels"][counts].equal(row["input_ids"][counts])
        assert tokenizer.decode(row["labels"][counts]) == f"{conversation.answer}<|end|>"
    assert data.report.answer_tokens == sum((row["labels"] != -100).sum() for row in data)
    assert data.report.tokens == sum(len(row["input_ids"]) for row in data)


def test_what_is_cut_is_reported():
    short, long = said("Q", "A"), said("Q", "A", "Q", "A" * 50)
    asked = said("Q" * 30, "A")
    conversations = [{"messages": each} for each in (short, long, asked)]
    whole = ChatDataset(conversations, family("ChatML"))
    cut = ChatDataset(conversations, family("ChatML"), max_length=30)
    assert (whole.report.truncated, whole.report.tokens_cut, whole.report.left_out) == (0, 0, 0)
    lengths = [len(row["input_ids"]) for row in whole]
    assert cut.report.truncated == 1
    assert cut.report.tokens_cut == lengths[1] - 30
    assert cut.report.left_out == 1
    assert cut.report.longest == max(lengths)
    assert [c.messages[0]["content"] for c in cut.conversations] == ["Q", "Q"]
    assert "1 was longer than its row" in str(cut.report)
    with pytest.raises(ValueError, match="nothing of an answer fits into max_length 5"):
        ChatDataset(conversations, family("ChatML"), max_length=5)
    with pytest.raises(ValueError, match="there are no conversations"):
        ChatDataset([], family("ChatML"))


def test_special_tokens_in_what_is_said_are_told():
    conversations = [{"messages": said("Q", "A")}, {"messages": said("Q<|im_end|>", "A")}]
    data = ChatDataset(conversations, family("ChatML"))
    assert data.report.odd == 1
    assert "1 holds special tokens in what is said, '<|im_end|>' for one" in str(data.report)
    assert ChatDataset(conversations[:1], family("ChatML")).report.odd == 0


def test_what_the_tokenizer_does_not_know_of_what_is_said_is_told():
    backend = Tokenizer(models.WordLevel({"?": 0, "Q": 1, "A": 2, "</s>": 3}, unk_token="?"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>")
    data = ChatDataset([{"prompt": "Q owl ", "completion": "A zebra lion"}], tokenizer)
    assert "Of their tokens, 3 are '?': the tokenizer does not know" in str(data.report)
    assert ChatDataset([{"prompt": "Q ?", "completion": " A"}], tokenizer).report.unknown == ""


def test_what_a_template_refuses_is_told_with_its_line(tmp_path):
    with pytest.raises(ValueError, match="row 1: the tokenizer's chat template refuses it: System"):
        ChatDataset(
            [{"messages": said("Q", "A")}, {"messages": said("Q", "A", system="S")}],
            family("Gemma"),
        )


def test_a_developer_speaks_as_the_system_does(tokenizer):
    """Each role has one token, and the tokenizer none for a developer."""
    messages = said("Q", "A", system="S")
    (row,) = ChatDataset([{"messages": messages}], tokenizer)
    messages[0] = messages[0] | {"role": "developer"}
    (other,) = ChatDataset([{"messages": messages}], tokenizer)
    assert other["input_ids"].tolist() == row["input_ids"].tolist()


def test_a_hugging_face_dataset_is_taken_as_it_is(tokenizer):
    datasets = pytest.importorskip("datasets")
    found = datasets.Dataset.from_list([{"messages": said("Q", "A")}] * 3)
    assert len(ChatDataset(found, tokenizer)) == 3


# --- padding ---


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("name", ["TinyGPT", *ARCHITECTURES])
def test_a_row_reads_the_same_on_either_side(name, side):
    model = (TinyGPT("tiny-student", vocab_size=V) if name == "TinyGPT" else tiny(name)).eval()
    data = rows(4, 10)
    batch = collate(data, padding_side=side)
    with torch.no_grad():
        found = logits_of(model, **model_inputs(model, batch))
        for row, logits, there in zip(data, found, batch["attention_mask"].bool(), strict=True):
            alone = logits_of(model, row["input_ids"][None])[0]
            torch.testing.assert_close(logits[there], alone, atol=1e-3, rtol=1e-3)


def test_there_are_two_sides():
    with pytest.raises(ValueError, match='padding_side must be "left" or "right", got \'top\''):
        collate(rows(2), padding_side="top")


# --- packing ---


def packed_and_alone(model, data, packed):
    """The logits of every row in its packed place, and of it alone."""
    for i, members in enumerate(packed.members):
        batch = collate([packed[i]])
        logits, at = logits_of(model, **model_inputs(model, batch))[0], 0
        for member in members:
            ids = data[member]["input_ids"]
            yield logits[at : at + len(ids)], logits_of(model, ids[None])[0]
            at += len(ids)


@torch.no_grad()
@pytest.mark.parametrize("name", ["TinyGPT", *ARCHITECTURES])
def test_packed_texts_do_not_see_each_other(name):
    model = (TinyGPT("tiny-student", vocab_size=V) if name == "TinyGPT" else tiny(name)).eval()
    if name in HOLDS_NO_PACKING:
        with pytest.raises(ValueError, match=f"{name}.*do not pack them"):
            check_packing(model)
        return
    check_packing(model)
    data = rows(8)
    packed = PackedRows(data, 30)
    assert len(packed) < len(data)
    pairs = list(packed_and_alone(model, data, packed))
    assert len(pairs) == len(data)
    for together, alone in pairs:
        torch.testing.assert_close(together, alone, atol=1e-3, rtol=1e-3)


@torch.no_grad()
def test_adapters_and_a_window_hold_too():
    sliding = transformers.MistralConfig(
        **ARCHITECTURES["Llama"][0] | {"sliding_window": 4}  # shorter than the texts
    )
    torch.manual_seed(0)
    models = [
        with_adapters("Llama", tiny("Llama")).eval(),
        transformers.AutoModelForCausalLM.from_config(sliding).eval(),
    ]
    for model in models:
        check_packing(model)
        data = rows(6)
        for together, alone in packed_and_alone(model, data, PackedRows(data, 30)):
            torch.testing.assert_close(together, alone, atol=1e-3, rtol=1e-3)


def test_a_hybrid_is_found_by_trying_it():
    """It takes position_ids, and mixes texts in its recurrent layers all the same."""
    options = ARCHITECTURES["Llama"][0] | {"num_experts": 2, "mamba_d_state": 4}
    options |= {"attn_layer_period": 2, "attn_layer_offset": 1, "use_mamba_kernels": False}
    model = transformers.AutoModelForCausalLM.from_config(transformers.JambaConfig(**options))
    with pytest.raises(ValueError, match="packed texts see each other in JambaForCausalLM"):
        check_packing(model)


@torch.no_grad()
@pytest.mark.parametrize("window", [4, 128])
def test_gpt_oss_is_refused_because_its_packed_texts_do_see_each_other(window):
    """Whatever its window: it takes position_ids, and makes its masks without them."""
    options = ARCHITECTURES["Llama"][0] | {"head_dim": 16, "num_local_experts": 2}
    options |= {"num_experts_per_tok": 1, "sliding_window": window, "rope_parameters": None}
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(transformers.GptOssConfig(**options))
    model.set_experts_implementation("eager")  # what is faster takes no float64
    model = model.double().eval()
    data = rows(6)
    pairs = packed_and_alone(model, data, PackedRows(data, 30))
    seen = max((together - alone).abs().max() / alone.std() for together, alone in pairs)
    assert seen > 0.1  # if it is next to 0, transformers has mended it: packing is to be taken
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        with pytest.raises(ValueError, match="packed texts see each other in GptOssForCausalLM"):
            check_packing(model.to(dtype))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("name", ["Llama", "Qwen2", "Gemma2", "Mixtral", "Phi3"])
def test_rounding_is_not_taken_for_texts_that_see_each_other(name, dtype):
    check_packing(tiny(name).to(dtype))


def test_every_row_is_packed_once_and_nothing_else_counts(data):
    packed = data.packed(100)
    assert sorted(i for members in packed.members for i in members) == list(range(len(data)))
    for i, members in enumerate(packed.members):
        row = packed[i]
        assert {len(field) for field in row.values()} == {100}
        labels = torch.cat([data[member]["labels"] for member in members])
        assert row["labels"][: len(labels)].equal(labels)
        assert (row["labels"][len(labels) :] == -100).all()
    assert sum((row["labels"] != -100).sum() for row in packed) == data.report.answer_tokens
    with pytest.raises(ValueError, match=r"does not fit a packed one of 10; take ChatDataset"):
        data.packed(10)


@pytest.mark.parametrize("linear_objective", [True, False])
def test_a_packed_step_is_the_step_of_its_rows(data, tokenizer, linear_objective):
    """The same loss and gradient, one text a row or several."""
    packed, found = data.packed(100), []
    for part, size in ((data, len(data)), (packed, len(packed))):
        student = gpt(tokenizer)
        config = TrainConfig(
            steps=1, batch_size=size, device="cpu", linear_objective=linear_objective
        )
        objective = CombinedObjective(lam=0.5)
        run = DistillationTrainer(student, gpt(tokenizer, 1), objective, config=config)
        (record,) = run.fit(part).train
        found.append(record)
    for name in ("loss", "lm_loss", "kd_loss", "grad_norm", "num_items"):
        assert found[0][name] == pytest.approx(found[1][name], rel=1e-4), name


def test_packed_rows_are_measured_as_they_are(data, tokenizer):
    models = gpt(tokenizer), gpt(tokenizer, 1)
    alone, packed = (evaluate(*[models[0], part, models[1]]) for part in (data, data.packed(100)))
    assert packed.positions == alone.positions == data.report.answer_tokens
    assert packed.lm_loss == pytest.approx(alone.lm_loss, rel=1e-5)
    assert packed.kl_to_teacher == pytest.approx(alone.kl_to_teacher, rel=1e-5)


def test_what_cannot_be_packed_is_refused_before_the_first_step():
    data = PackedRows(rows(8), 30)
    config = TrainConfig(steps=1, batch_size=2, device="cpu")
    run = DistillationTrainer(tiny("Mamba"), None, CombinedObjective(lam=0.0), config=config)
    with pytest.raises(ValueError, match="MambaForCausalLM takes no 'position_ids'"):
        run.fit(data)
    with pytest.raises(ValueError, match="MambaForCausalLM takes no 'position_ids'"):
        evaluate(tiny("Mamba"), data)
    config = TrainConfig(steps=1, batch_size=2, device="cpu", on_policy=1.0)
    run = DistillationTrainer(tiny("Llama"), tiny("Llama", 1), CombinedObjective(), config=config)
    with pytest.raises(ValueError, match="before they were packed"):
        run.fit(data)


# --- stores ---


@pytest.mark.parametrize("packed", [False, True])
def test_a_store_holds_rows_of_unequal_length(data, tokenizer, tmp_path, packed):
    part, teacher = data.packed(100) if packed else data, gpt(tokenizer, 1)
    write_topk_store(teacher, part, tmp_path / "t.topk", len(tokenizer))
    stored = TopKTeacher(tmp_path / "t.topk", part)
    found = []
    for each in (teacher, stored):
        config = TrainConfig(steps=2, batch_size=4, device="cpu")
        student = gpt(tokenizer)
        run = DistillationTrainer(student, each, CombinedObjective(lam=0.5), config=config)
        found.append(run.fit(part).column("kd_loss"))
    assert found[0] == pytest.approx(found[1], rel=2e-3)


# --- the tokenizer that is trained here ---


def test_a_tokenizer_of_conversations_survives_a_folder(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    again = transformers.AutoTokenizer.from_pretrained(tmp_path)
    messages = said("Which weekday is 12 days after Friday? λ", "Wednesday", system="S")
    ids = tokenizer.apply_chat_template(messages)["input_ids"]
    assert again.apply_chat_template(messages)["input_ids"] == ids
    assert again.eos_token == "<|end|>" != again.pad_token
    assert len(tokenizer.encode("2468", add_special_tokens=False)) == 4  # a token for each digit


def test_it_is_trained_on_a_corpus_too_and_never_on_what_is_held_out():
    corpus = load_corpus("pydocs")
    assert len(train_chat_tokenizer(corpus, 600)) == 600
    examples = Examples.of({"prompt": "q" * i, "completion": "zz" * i} for i in range(30))
    assert examples.validation
    first, second = (
        train_chat_tokenizer(each, 300)
        for each in (examples, Examples(examples.name, tuple(examples.train)))
    )
    assert first.get_vocab() == second.get_vocab()
    assert len(train_chat_tokenizer(pydocs_qa(), 512)) == 512


def test_padding_is_not_packed_and_nothing_of_a_row_is_lost():
    bare = [{"input_ids": [5, 6, 7], "labels": [5, 6, 7]}, {"input_ids": [8, 9], "labels": [8, 9]}]
    left = {"input_ids": [0, 5, 6, 7], "labels": [0, 5, 6, 7], "attention_mask": [0, 1, 1, 1]}
    right = {"input_ids": [8, 9, 0, 0], "labels": [8, 9, 0, 0], "attention_mask": [1, 1, 0, 0]}
    (expected,), (found,) = (list(PackedRows(rows, 6)) for rows in (bare, [left, right]))
    assert {name: row.tolist() for name, row in found.items()} == {
        name: row.tolist() for name, row in expected.items()
    }
    with pytest.raises(ValueError, match="a row has 'token_type_ids', which would be lost"):
        PackedRows([bare[0] | {"token_type_ids": [0, 0, 0]}], 6)
    with pytest.raises(ValueError, match="row 1 of data: its attention_mask hides every token"):
        PackedRows([bare[0], bare[1] | {"attention_mask": [0, 0]}], 6)
