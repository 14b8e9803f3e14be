"""Models, and teachers that are none, that would read the labels."""

import pytest
import torch
import torch.nn as nn

from kdlab import (
    CombinedObjective,
    DistillationTrainer,
    PackedRows,
    TinyGPT,
    TopK,
    TrainConfig,
    collate,
    evaluate,
    write_topk_store,
)
from tests.kdlab.tiny_models import rows

V = 48
CONFIG = TrainConfig(steps=2, batch_size=4, warmup_steps=1, device="cpu")


def gpt(seed=0):
    torch.manual_seed(seed)
    return TinyGPT("tiny-student", vocab_size=V, block_size=16, d_model=32, n_layer=1)


def losses(data, student, teacher):
    run = DistillationTrainer(student, teacher, CombinedObjective(), config=CONFIG)
    return run.fit(data).column("loss")


class Passes(nn.Module):
    """A wrapper that passes on whatever it is given."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, **inputs):
        return self.model(input_ids, **inputs)


def with_an_encoder():
    transformers = pytest.importorskip("transformers")
    sizes = {"vocab_size": V, "d_model": 8, "max_position_embeddings": 16}
    sizes |= {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    config = transformers.BartConfig(encoder_layers=1, decoder_layers=1, **sizes)
    return transformers.BartForConditionalGeneration(config)


def that_looks_ahead(kind):
    transformers = pytest.importorskip("transformers")
    sizes = {"vocab_size": V, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    return getattr(transformers, kind)(transformers.BertConfig(intermediate_size=8, **sizes))


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (with_an_encoder, "BartForConditionalGeneration has an encoder"),
        (lambda: Passes(with_an_encoder()), "BartForConditionalGeneration has an encoder"),
        (lambda: that_looks_ahead("BertForMaskedLM"), "BertForMaskedLM sees what comes after"),
        (lambda: that_looks_ahead("BertLMHeadModel"), "BertLMHeadModel sees what comes after"),
    ],
)
def test_models_that_would_read_the_labels_are_refused_everywhere(made, message, tmp_path):
    for models in ((made(), gpt()), (gpt(), made())):
        with pytest.raises(ValueError, match=message):
            DistillationTrainer(*models, CombinedObjective())
        with pytest.raises(ValueError, match=message):
            evaluate(models[0], rows(), models[1])
    with pytest.raises(ValueError, match=message):
        write_topk_store(made(), rows(), tmp_path / "store", 4)


class Both(nn.Module):
    """Attention without a mask: nothing says so but what it answers."""

    def __init__(self, wide=True):
        super().__init__()
        self.token_embedding = nn.Embedding(V, 16)
        self.mixed = nn.TransformerEncoderLayer(16, 2, 16, batch_first=True)
        self.lm_head = nn.Linear(16, V)
        self.wide = wide

    def forward(self, input_ids):
        t = input_ids.shape[1]
        mask = None if self.wide else nn.Transformer.generate_square_subsequent_mask(t)
        return self.lm_head(self.mixed(self.token_embedding(input_ids), src_mask=mask))


class Noisy(nn.Embedding):
    """Drops some of its logits in evaluation mode too."""

    def __init__(self):
        super().__init__(V, V)

    def forward(self, input_ids):
        return nn.functional.dropout(super().forward(input_ids), 0.5, training=True)


class Backwards(nn.Module):
    """What comes next is read off the text itself."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(V, V)

    def forward(self, input_ids, attention_mask=None):
        return self.table(input_ids.roll(-1, 1))


def of_transformers(kind, **sizes):
    transformers = pytest.importorskip("transformers")
    model = getattr(transformers, kind)
    return model(model.config_class(vocab_size=V, **sizes))


@pytest.mark.parametrize(
    "made",
    [
        Both,
        Backwards,
        lambda: of_transformers("XLNetLMHeadModel", d_model=16, n_layer=1, n_head=2, d_inner=16),
        lambda: of_transformers("XLMWithLMHeadModel", emb_dim=16, n_layers=1, n_heads=2),
    ],
    ids=["encoder", "reader", "XLNet", "XLM"],
)
def test_a_model_that_reads_ahead_is_found_by_what_it_says(made, tmp_path):
    message = "sees what comes after a token: it would read the labels"
    for use in (
        lambda: losses(rows(), made(), gpt()),
        lambda: losses(rows(), gpt(), made()),
        lambda: evaluate(made(), rows()),
        lambda: evaluate(gpt(), rows(), made()),
        lambda: write_topk_store(made(), rows(), tmp_path / "store", 4),
    ):
        with pytest.raises(ValueError, match=message):
            use()
    assert losses(rows(), Both(wide=False), gpt())
    assert losses(rows(), Noisy(), Noisy())


class Asked:
    """A teacher that is no model; it answers for so many positions too far."""

    def __init__(self, ahead, noise=0.0):
        self.model, self.ahead, self.noise = gpt(1), ahead, noise
        self.draws = torch.Generator().manual_seed(0)  # a server's are nobody's to repeat

    @torch.no_grad()
    def targets(self, batch):
        places = torch.arange(batch["input_ids"].shape[1] - 1) + self.ahead
        logits = self.model(batch["input_ids"])[:, places.clamp_min(0)]
        return logits + self.noise * torch.randn(logits.shape, generator=self.draws)


def test_a_teacher_that_answers_for_the_wrong_positions_is_refused():
    """It has seen the token that it is asked to predict; or it is as if all were shifted twice."""
    with pytest.raises(ValueError, match="Asked sees what comes after a token"):
        losses(rows(), gpt(), Asked(1))
    with pytest.raises(ValueError, match="Asked answers one token late"):
        losses(rows(), gpt(), Asked(-1))
    expected = losses(rows(), gpt(), gpt(1))
    assert losses(rows(), gpt(), Asked(0)) == pytest.approx(expected, rel=1e-5)
    losses(rows(), gpt(), Asked(0, noise=1e-3))  # as a server has it


@pytest.mark.parametrize("noise", [0.003, 0.03])
def test_a_server_s_noise_in_nearly_flat_logits_is_no_sight_of_the_future(noise):
    assert losses(rows(), gpt(), Asked(0, noise))
    if noise < 0.01:
        with pytest.raises(ValueError, match="Asked sees what comes after a token"):
            losses(rows(), gpt(), Asked(1, noise))


@pytest.mark.parametrize(("k", "scale"), [(1, 40), (1, 5), (4, 1), (20, 1)])
def test_a_late_teacher_is_found_by_one_token_and_by_nearly_equal_ones(k, scale):
    class Served(Asked):
        def targets(self, batch):
            top = super().targets(batch).mul(scale).log_softmax(-1).topk(k)
            return TopK.of(top.indices, top.values)

    with pytest.raises(ValueError, match="Served answers one token late"):
        losses(rows(), gpt(), Served(-1))
    assert losses(rows(), gpt(), Served(0))


@pytest.mark.parametrize("k", [4, 8])
def test_likeliest_tokens_for_the_wrong_positions_are_refused_too(k):
    class Served(Asked):
        def targets(self, batch):
            top = super().targets(batch).mul(40).log_softmax(-1).topk(k)
            return TopK.of(top.indices, top.values)

    with pytest.raises(ValueError, match="Served sees what comes after a token"):
        losses(rows(), gpt(), Served(1))
    with pytest.raises(ValueError, match="Served answers one token late"):
        losses(rows(), gpt(), Served(-1))
    for noise in (0.0, 1e-3):
        assert losses(rows(), gpt(), Served(0, noise))


def test_a_teacher_that_knows_its_own_texts_alone_teaches_them():
    known = {tuple(row["input_ids"].tolist()) for row in rows()}
    there = {row[:n] for row in known for n in range(10, 13)}

    class OfRows(Asked):
        def targets(self, batch):
            mask = batch.get("attention_mask", torch.ones_like(batch["input_ids"])).bool()
            for ids, real in zip(batch["input_ids"], mask, strict=True):
                if tuple(ids[real].tolist()) not in there:
                    raise KeyError("no such text")
            return super().targets(batch)

    expected = losses(rows(), gpt(), gpt(1))
    assert losses(rows(), gpt(), OfRows(0)) == pytest.approx(expected, rel=1e-5)


UNTELLING = {
    "of one token": [{"input_ids": [1]}],
    "of one token behind padding": [{"input_ids": [0, 0, 1], "attention_mask": [0, 0, 1]}],
    "of one token, 64 times": [{"input_ids": [1]}] * 64,
    "of the same token": [{"input_ids": [1, 1, 1]}],
}


@pytest.mark.parametrize("first", UNTELLING)
def test_a_model_that_reads_ahead_is_found_whatever_the_first_row_is(first, tmp_path):
    data = [
        {"attention_mask": [1] * len(row["input_ids"])} | row | {"labels": row["input_ids"]}
        for row in [*UNTELLING[first], *({"input_ids": row["input_ids"]} for row in rows())]
    ]
    for use in (
        lambda: losses(data, Backwards(), gpt()),
        lambda: evaluate(Backwards(), data),
        lambda: evaluate(Backwards(), data, batch_size=1),
        lambda: write_topk_store(Backwards(), data, tmp_path / "store", 4),
    ):
        with pytest.raises(ValueError, match="Backwards sees what comes after a token"):
            use()
    assert losses(data, gpt(), gpt(1))


def test_of_rows_of_one_token_and_a_vocabulary_of_one_nothing_is_asked():
    (row,) = data = [{"input_ids": [0, 0, 0], "labels": [0, 0, 0]}]
    assert evaluate(nn.Embedding(1, 1), data).perplexity == 1
    with pytest.raises(ValueError, match="Backwards sees what comes after a token"):
        evaluate(Backwards(), [row])


class WithinTexts(Backwards):
    """Reads ahead, but not beyond the end of a packed text."""

    def forward(self, input_ids, position_ids):
        last = position_ids.roll(-1, 1) == 0
        return self.table(input_ids.roll(-1, 1).masked_fill(last, 0))


def test_a_packed_row_that_ends_with_a_text_of_one_token_hides_no_sight_of_the_future():
    data = PackedRows(rows(1), 13)  # one token fills it
    with pytest.raises(ValueError, match="WithinTexts sees what comes after a token"):
        evaluate(WithinTexts(), data)
    assert evaluate(gpt(), data).positions == 11


class RulesOut(nn.Module):
    """A TinyGPT that gives a few tokens no probability; where padded, it may count otherwise."""

    def __init__(self, model, logit, shift=0):
        super().__init__()
        self.model, self.logit, self.shift = model, logit, shift

    def forward(self, input_ids, attention_mask=None, position_ids=None):
        inputs = [] if isinstance(self.model, Backwards) else [None, attention_mask]
        inputs += [] if position_ids is None else [position_ids + self.shift]
        logits = self.model(input_ids, *inputs).clone()
        logits[..., -4:] = self.logit
        return logits


@pytest.mark.parametrize("logit", [-torch.inf, torch.finfo(torch.float32).min, -65504.0, -1e9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_logits_that_rule_tokens_out_hide_no_sight_of_the_future(logit, dtype):
    data = [{name: ids.clamp_max(40) for name, ids in row.items()} for row in rows()]
    with pytest.raises(ValueError, match="RulesOut sees what comes after a token"):
        evaluate(RulesOut(Backwards().to(dtype), logit), data)
    batch = collate(data, padding_side="left")
    padded = [{name: field[i] for name, field in batch.items()} for i in range(len(data))]
    assert evaluate(RulesOut(gpt().to(dtype), logit), padded).positions
    with pytest.raises(ValueError, match="RulesOut reads a text otherwise where it is padded"):
        evaluate(RulesOut(gpt().to(dtype), logit, shift=1), padded)


def test_a_teacher_that_is_no_model_is_measured_only_if_it_does_not_read_ahead():
    with pytest.raises(ValueError, match="Asked sees what comes after a token"):
        evaluate(gpt(), rows(), Asked(1))
    with pytest.raises(ValueError, match="Asked answers one token late"):
        evaluate(gpt(), rows(), Asked(-1))
    expected = evaluate(gpt(), rows(), gpt(1)).kl_to_teacher
    assert evaluate(gpt(), rows(), Asked(0)).kl_to_teacher == pytest.approx(expected, rel=1e-5)
