"""The optimiser of a run."""

from __future__ import annotations

import torch
import torch.nn as nn

from kdlab.config import TrainConfig

FUSED = ("cpu", "cuda")  # devices on which AdamW is one kernel


def adamw(student: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW over what is trained of a student, with weight decay on its matrices."""
    parameters = [p for p in student.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    fused = all(map(_in_one_pass, parameters))
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas, fused=fused)


def _in_one_pass(weight: nn.Parameter) -> bool:
    """Whether AdamW's kernel, a tenth of the time and no copy of a weight, can be trusted with it.

    It takes no weights in pieces beside whole ones, and one with gaps in memory for one without.
    """
    if type(weight) is not nn.Parameter or weight.device.type not in FUSED:
        return False
    return torch.empty_like(weight, device="meta").stride() == weight.stride()
