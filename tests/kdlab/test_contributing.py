"""CONTRIBUTING's "To add a loss" is followed, line by line: what it leads to is the fast path."""

import re
from pathlib import Path

import pytest
import torch

from kdlab import CombinedObjective, DistillationTrainer, TinyGPT, TrainConfig, divergences

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "CONTRIBUTING.md"
TRITON = set(re.findall(r"\w+", (ROOT / "kdlab/kernels/triton_divergences.py").read_text("utf-8")))
SECTION = re.search(r"^## To add a loss$(.*?)^## ", PAGE.read_text("utf-8"), re.M | re.S)[1]
OWN, LIBRARY = re.findall(r"^```python\n(.*?)^```$", SECTION, re.M | re.S)


@pytest.fixture
def added(monkeypatch):
    """The second block, as if it stood in the module."""
    for table in ("DIVERGENCES", "_KERNELS"):
        monkeypatch.setattr(divergences, table, dict(getattr(divergences, table)))
    namespace = dict(vars(divergences))
    exec(LIBRARY, namespace)
    return namespace["hellinger"]


def own():
    namespace = {"torch": torch}
    exec(OWN, namespace)
    return namespace["hellinger"]


def fit(divergence):
    torch.manual_seed(0)
    models = [TinyGPT("tiny-student", vocab_size=30, block_size=8) for _ in range(2)]
    data = [{"input_ids": row, "labels": row} for row in torch.randint(30, (8, 8))]
    config = TrainConfig(steps=3, batch_size=4, warmup_steps=1, device="cpu")
    run = DistillationTrainer(*models, CombinedObjective(divergence), config=config)
    return run, run.fit(data)


def test_a_new_divergence_takes_the_fast_path(added):
    densely, expected = fit(own())
    assert densely.path.startswith("dense: hellinger has no closed-form gradient")
    fast, history = fit("hellinger")
    assert fast.path == "linear"
    for column in ("kd_loss", "loss", "grad_norm"):
        assert history.column(column) == pytest.approx(expected.column(column), rel=1e-4)


def test_its_kernel_keeps_the_contract(added):
    student, teacher = torch.randn(2, 5, 7, dtype=torch.float64, requires_grad=True)
    assert torch.allclose(added(student, teacher), own()(student, teacher))
    assert torch.autograd.gradcheck(lambda logits: added(logits, teacher, temperature=2.0), student)
    logits = torch.tensor([[2.0, 0.0, -torch.inf]], requires_grad=True)
    value = added(logits, logits.detach())
    value.sum().backward()
    assert value.item() == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_the_section_names_what_is_there():
    for name in re.findall(r"`(\w+)`", SECTION):
        places = (divergences, torch, CombinedObjective)
        known = {"trainer", "CombinedObjective", "LinearCombinedObjective", "__call__"}
        assert name in known or any(hasattr(place, name) for place in places) or name in TRITON
