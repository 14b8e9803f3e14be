"""By what models are known again, whatever their weights are made of."""

from types import SimpleNamespace

import torch
import torch.nn as nn
from torch.testing._internal.two_tensor import TwoTensor

from kdlab.fingerprints import model_sha256


def made_of(*parts):
    """A layer whose weight is made of two tensors, as torchao's quantised ones are."""
    layer = nn.Linear(3, 2, bias=False)
    layer.weight = nn.Parameter(TwoTensor(*parts), requires_grad=False)
    return layer


class InFourBits(nn.Linear):
    """As bitsandbytes' layer on a CPU with AVX512-BF16: asked, it turns its weight around."""

    support_avx512bf16_for_cpu = True

    def __init__(self):
        super().__init__(3, 3, bias=False)
        self.weight.requires_grad_(False).quant_state = SimpleNamespace(turned=False, scale=1.001)

    def turn(self, turned):
        state = self.weight.quant_state
        if state.turned != turned:
            self.weight.data, state.turned = self.weight.data.T.contiguous(), turned
            state.scale = float(torch.tensor(state.scale).bfloat16())  # there is no way back

    def forward(self, x):
        self.turn(True)
        return super().forward(x)

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        self.turn(False)
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[prefix + "weight.scale"] = torch.tensor(self.weight.quant_state.scale)


def test_a_fingerprint_leaves_four_bits_as_they_are_and_is_that_of_before():
    model = nn.Sequential(InFourBits())
    (weight,) = model.parameters()
    found = [model_sha256(model)]
    assert weight.quant_state.scale == 1.001
    model(torch.ones(3))
    data = weight.data
    found.append(model_sha256(model))
    assert weight.data is data or torch.equal(weight.data, data)
    assert weight.quant_state.turned
    assert found[0] == found[1]


def test_a_weight_made_of_several_tensors_is_known_by_each_of_them():
    one, other = torch.ones(2, 3), torch.zeros(2, 3)
    found = model_sha256(made_of(one, other))
    assert found == model_sha256(made_of(one.clone(), other.clone()), at_most=6)
    assert found not in {model_sha256(made_of(one, one)), model_sha256(made_of(other, other))}
