"""What page 2.2 defines is compared with kdlab, TRL and Liger."""

import re
from pathlib import Path

import matplotlib
import pytest
import torch

from kdlab import CombinedObjective

PAGE = Path(__file__).parents[2] / "book/combined/the-formula.md"


@pytest.fixture(scope="module")
def formula() -> dict:
    """The names that the page defines, after all its cells have run."""
    matplotlib.use("Agg")
    cells = re.findall(
        r"^```\{code-cell\} ipython3\n(?:---\n.*?\n---\n)?(.*?)^```$",
        PAGE.read_text(encoding="utf8"),
        re.MULTILINE | re.DOTALL,
    )
    namespace: dict = {}
    for cell in cells:
        exec(cell, namespace)
    return namespace


@pytest.mark.parametrize("seed", range(5))
def test_loss_from_scratch_is_kdlabs(formula, seed):
    torch.manual_seed(seed)
    student, teacher = torch.randn(2, 3, 7, 11, dtype=torch.float64)
    labels = torch.randint(11, (3, 7)).masked_fill(torch.rand(3, 7) < 0.3, -100)
    lam, temperature = 3 * torch.rand(()).item(), 0.5 + 3 * torch.rand(()).item()
    theirs = CombinedObjective(lam=lam, temperature=temperature)(student, teacher, labels).loss
    ours = formula["combined_loss"](student, teacher, labels, lam, temperature)
    torch.testing.assert_close(ours, theirs)


def test_trl_computes_what_the_page_says(formula):
    trainer = pytest.importorskip("trl.experimental.gkd").GKDTrainer
    student, teacher, labels = (formula[name] for name in ("student", "teacher", "labels"))
    theirs = trainer.generalized_jsd_loss(
        student, teacher, labels=labels, beta=0.0, temperature=formula["T"]
    )
    torch.testing.assert_close(formula["trl_gkd"](), theirs)


def test_liger_computes_what_the_page_says(formula):
    from liger_kernel.chunked_loss import LigerFusedLinearJSDLoss

    loss = LigerFusedLinearJSDLoss(
        weight_hard_loss=0.0,
        weight_soft_loss=1.0,
        beta=0.0,
        temperature=formula["T"],
        ignore_index=-100,
        compiled=False,
    )
    head = torch.eye(8, dtype=torch.float64)  # the hidden states are the logits
    theirs = loss(
        formula["student"].reshape(-1, 8),
        head,
        formula["teacher"].reshape(-1, 8),
        head,
        formula["labels"].reshape(-1),
    )
    torch.testing.assert_close(formula["liger_jsd"]().float(), theirs)  # Liger sums in float32
