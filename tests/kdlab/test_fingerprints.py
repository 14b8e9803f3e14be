"""By what models are known again, whatever their weights are made of."""

import torch
import torch.nn as nn
from torch.testing._internal.two_tensor import TwoTensor

from kdlab.fingerprints import model_sha256


def made_of(*parts):
    """A layer whose weight is made of two tensors, as torchao's quantised ones are."""
    layer = nn.Linear(3, 2, bias=False)
    layer.weight = nn.Parameter(TwoTensor(*parts), requires_grad=False)
    return layer


def test_a_weight_made_of_several_tensors_is_known_by_each_of_them():
    one, other = torch.ones(2, 3), torch.zeros(2, 3)
    found = model_sha256(made_of(one, other))
    assert found == model_sha256(made_of(one.clone(), other.clone()), at_most=6)
    assert found not in {model_sha256(made_of(one, one)), model_sha256(made_of(other, other))}
