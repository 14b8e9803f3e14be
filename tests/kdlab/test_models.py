"""TinyGPT against PyTorch's own transformer, and how any model is read."""

import copy
from types import SimpleNamespace

import pytest
import torch
import torch.nn as nn

from kdlab import PRESETS, KeyValues, TinyGPT, TinyGPTConfig, count_parameters, logits_of


def small(**changes):
    torch.manual_seed(0)
    return TinyGPT(
        TinyGPTConfig(vocab_size=50, block_size=16, n_layer=2, n_head=4, d_model=32), **changes
    )


def reference(model: TinyGPT) -> nn.TransformerEncoder:
    """The same network out of torch.nn.TransformerEncoder, with the model's weights."""
    config = model.config
    layer = nn.TransformerEncoderLayer(
        config.d_model,
        config.n_head,
        4 * config.d_model,
        dropout=0.0,
        activation=lambda x: nn.functional.gelu(x, approximate="tanh"),
        batch_first=True,
        norm_first=True,
    )
    encoder = nn.TransformerEncoder(layer, config.n_layer, enable_nested_tensor=False)
    for theirs, ours in zip(encoder.layers, model.blocks, strict=True):
        pairs = {
            theirs.norm1: ours.attention_norm,
            theirs.norm2: ours.mlp_norm,
            theirs.linear1: ours.mlp[0],
            theirs.linear2: ours.mlp[2],
            theirs.self_attn.out_proj: ours.attention.out,
        }
        for target, source in pairs.items():
            target.load_state_dict(source.state_dict())
        theirs.self_attn.in_proj_weight.data = ours.attention.qkv.weight.data
        theirs.self_attn.in_proj_bias.data = ours.attention.qkv.bias.data
    return encoder


def test_tiny_gpt_is_the_network_that_pytorch_builds():
    model = small()
    ids = torch.randint(0, 50, (3, 16))
    x = model.token_embedding(ids) + model.position_embedding(torch.arange(16))
    mask = nn.Transformer.generate_square_subsequent_mask(16)
    expected = model.norm(reference(model)(x, mask=mask)) @ model.token_embedding.weight.T
    torch.testing.assert_close(model(ids), expected, rtol=1e-4, atol=1e-5)


def test_a_position_does_not_see_what_comes_after_it():
    model = small()
    ids = torch.randint(0, 50, (1, 16))
    changed = ids.clone()
    changed[:, 10:] = (ids[:, 10:] + 1) % 50
    assert torch.equal(model(ids)[:, :10], model(changed)[:, :10])
    assert not torch.equal(model(ids)[:, 10:], model(changed)[:, 10:])


@pytest.mark.parametrize("parts", [(12,), (1,) * 12, (5, 1, 4, 2)])
def test_a_text_read_in_parts_is_the_text_read_at_once(parts):
    model, past = small().double(), KeyValues()
    text = torch.randint(0, 50, (3, 12))
    read = torch.cat([model(part, past) for part in text.split(parts, dim=1)], dim=1)
    torch.testing.assert_close(read, model(text), rtol=0, atol=1e-12)
    assert past.length == 12


def test_a_copy_of_a_past_goes_on_by_itself():
    model, past = small().double(), KeyValues()
    text = torch.randint(0, 50, (3, 12))
    model(text[:, :5], past)
    for copied in (copy.copy(past), copy.deepcopy(past)):
        read = model(text[:, 5:], copied)
        torch.testing.assert_close(read, model(text)[:, 5:], rtol=0, atol=1e-12)
        assert (past.length, copied.length) == (5, 12)


def test_a_past_counts_against_the_block_size():
    model, past = small(), KeyValues()
    model(torch.zeros(1, 10, dtype=torch.long), past)
    with pytest.raises(ValueError, match="17 tokens do not fit"):
        model(torch.zeros(1, 7, dtype=torch.long), past)


def test_an_untrained_model_knows_nothing():
    model = small()
    ids, labels = torch.randint(0, 50, (2, 8, 16))  # tied weights do know a token from itself
    loss = nn.functional.cross_entropy(model(ids).flatten(0, 1), labels.flatten())
    assert abs(loss.item() - torch.tensor(50.0).log().item()) < 0.1


def test_tied_weights_are_counted_once():
    model = small()
    assert model.lm_head.weight is model.token_embedding.weight
    d, v = 32, 50
    block = 4 * d * d + 8 * d * d + 4 * d + 5 * d + 4 * d  # matrices, biases, two norms
    assert count_parameters(model) == v * d + 16 * d + 2 * block + 2 * d


@pytest.mark.parametrize("name", PRESETS)
def test_presets_have_their_shape(name):
    model = TinyGPT(name)
    assert model.config == PRESETS[name]
    assert model(torch.zeros(1, 4, dtype=torch.long)).shape == (1, 4, PRESETS[name].vocab_size)


def test_errors_say_what_is_wrong():
    with pytest.raises(ValueError, match="unknown preset 'huge'; known: tiny-teacher"):
        TinyGPT("huge")
    with pytest.raises(ValueError, match="d_model 30 must be a multiple of n_head 4"):
        TinyGPTConfig(d_model=30)
    with pytest.raises(ValueError, match="17 tokens do not fit a model with block_size 16"):
        small()(torch.zeros(1, 17, dtype=torch.long))


def test_logits_are_found_in_a_tensor_or_in_an_attribute():
    ids, logits = torch.zeros(1, 2, dtype=torch.long), torch.zeros(1, 2, 5)
    assert logits_of(lambda input_ids: logits, ids) is logits
    assert logits_of(lambda input_ids: SimpleNamespace(logits=logits), ids) is logits
    for wrong in (logits[..., 0], logits[0, :, 0]):
        with pytest.raises(ValueError, match=r"they must be \[B, T, V\], one for each token"):
            logits_of(lambda input_ids, wrong=wrong: wrong, ids)
    with pytest.raises(TypeError, match=r"function returned tuple; it must return logits"):
        logits_of(lambda input_ids: (logits,), ids)
