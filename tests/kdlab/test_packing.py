"""Rows that others have packed: several texts in each, told by position_ids that begin anew."""

import pytest
import torch

from kdlab import (
    CombinedObjective,
    DistillationTrainer,
    TinyGPT,
    TrainConfig,
    collate,
    evaluate,
    write_topk_store,
)
from kdlab.packing import check_packing
from tests.kdlab.tiny_models import V, rows, tiny

TEXTS = rows(6)
MAMBA = "MambaForCausalLM"


def joined(texts, *, first=0, width=0):
    """Texts in one row, as transformers' DataCollatorWithFlattening joins them; perhaps padded."""
    ids = torch.cat([text["input_ids"] for text in texts])
    positions = [torch.arange(first, first + len(text["input_ids"])) for text in texts]
    row = {"input_ids": ids, "labels": ids, "position_ids": torch.cat(positions)}
    if width:
        row["attention_mask"] = torch.ones_like(ids)
    padding = (0, max(0, width - len(ids)))
    return {name: torch.nn.functional.pad(values, padding) for name, values in row.items()}


FORMS = {
    "two lengths": [joined(TEXTS[:2]), joined(TEXTS[2:])],
    "a mask of ones": [joined(TEXTS, width=1)],
    "padded": [joined(TEXTS[:2], width=50), joined(TEXTS[2:], width=50)],
    "positions from 1": [joined(TEXTS, first=1)],
    "the first row is one text": [joined(TEXTS[:1]), joined(TEXTS[1:])],
}


def models(name):
    if name == "TinyGPT":
        for seed in range(2):
            torch.manual_seed(seed)
            yield TinyGPT("tiny-student", vocab_size=V, block_size=64)
    else:
        yield from (tiny(name), tiny(name, 1))


def losses(data, name):
    student, teacher = models(name)
    config = TrainConfig(steps=1, batch_size=len(data), device="cpu")
    (record,) = (
        DistillationTrainer(student, teacher, CombinedObjective(), config=config).fit(data).train
    )
    return [record[name] for name in ("lm_loss", "kd_loss", "grad_norm", "num_items")]


@pytest.mark.parametrize("name", ["TinyGPT", "Llama"])
def test_texts_are_read_as_if_alone_however_their_rows_were_made(name):
    """A mask, given or of rows that kdlab pads, is not to hide where the texts begin."""
    expected = losses(TEXTS, name)
    student, teacher = models(name)
    measured = evaluate(student, TEXTS, teacher)
    for form, data in FORMS.items():
        if form != "positions from 1" or name == "Llama":  # TinyGPT's positions are learned
            assert losses(data, name) == pytest.approx(expected, rel=1e-4), form
            found = evaluate(student, data, teacher)
            assert found.positions == measured.positions, form
            assert found.kl_to_teacher == pytest.approx(measured.kl_to_teacher, rel=1e-4), form


@pytest.mark.parametrize("form", FORMS)
def test_a_model_that_lets_them_see_each_other_is_refused(form, tmp_path):
    config = TrainConfig(steps=1, batch_size=1, device="cpu")
    run = DistillationTrainer(tiny("Mamba"), None, CombinedObjective(lam=0.0), config=config)
    for used in (
        lambda data: run.fit(data),
        lambda data: evaluate(tiny("Mamba"), data),
        lambda data: write_topk_store(tiny("Mamba"), data, tmp_path / "t.topk", 3),
    ):
        with pytest.raises(ValueError, match=f"{MAMBA} takes no 'position_ids', so that packed"):
            used(FORMS[form])


def test_the_first_token_of_a_text_is_asked_of_nobody():
    batch = collate(FORMS["two lengths"])
    labels, positions = batch["labels"][:, 1:], batch["position_ids"][:, 1:]
    assert (labels[positions == 0] == -100).all()
    assert (labels != -100).sum() == sum(len(text["labels"]) - 1 for text in TEXTS)


def test_packed_rows_are_padded_on_the_right():
    packed = joined(TEXTS[:2], width=1)
    row = {name: torch.nn.functional.pad(values, (3, 0)) for name, values in packed.items()}
    with pytest.raises(ValueError, match="packed texts are padded on the left; pad on the right"):
        losses([row], "Llama")


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("seq_idx", "give position_ids that begin anew with each text, and remove"),
        ("cu_seq_lens_q", "give position_ids that begin anew with each text, and remove"),
        ("completion_mask", "put −100 into labels where it is 0, and remove"),
        ("length", "remove"),
    ],
)
def test_what_a_column_of_another_program_says_is_not_lost_with_it(name, first):
    row = TEXTS[0] | {name: torch.ones_like(TEXTS[0]["input_ids"])}
    with pytest.raises(ValueError, match=f"LlamaForCausalLM does not take; {first} that column"):
        losses([row], "Llama")


def test_what_rows_were_made_of_is_to_be_removed():
    """As TRL leaves it beside the tokens that it made of it."""
    row = {"messages": [{"role": "user"}], "input_ids": [1, 2], "labels": [1, 2]}
    with pytest.raises(ValueError, match=r"'messages' holds list that .*; remove that column"):
        collate([row])


def test_labels_come_of_a_mask_where_there_is_one():
    row = {"input_ids": [1, 2], "assistant_masks": [0, 1]}
    with pytest.raises(ValueError, match="copy of input_ids, with −100 where 'assistant_masks' is"):
        collate([row])


@pytest.mark.parametrize("logit", [-torch.inf, torch.finfo(torch.float32).min])
@pytest.mark.parametrize("apart", [True, False])
def test_tokens_that_are_ruled_out_do_not_hide_whether_texts_see_each_other(apart, logit):
    class RulesOut(TinyGPT):
        def forward(self, input_ids, past=None, attention_mask=None, position_ids=None):
            position_ids = position_ids if apart else None
            logits = super().forward(input_ids, past, attention_mask, position_ids).clone()
            logits[..., 2] = logit
            return logits

    torch.manual_seed(0)
    model = RulesOut("tiny-student", vocab_size=V, block_size=64)
    if apart:
        check_packing(model)
    else:
        with pytest.raises(ValueError, match="packed texts see each other in RulesOut"):
            check_packing(model)
