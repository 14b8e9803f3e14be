"""The optimiser of a run."""

from __future__ import annotations

import torch
import torch.nn as nn

from kdlab.config import TrainConfig

FUSED = ("cpu", "cuda")  # devices on which AdamW has a fused kernel


def adamw(student: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW over a student's trainable weights, with weight decay on matrices only."""
    parameters = [p for p in student.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    fused = all(map(_in_one_pass, parameters))
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas, fused=fused)


def _in_one_pass(weight: nn.Parameter) -> bool:
    """Whether AdamW's fused kernel can be trusted with a weight.

    The kernel takes a tenth of the time, and makes no copy of a weight. But it refuses sharded
    weights beside whole ones, and treats a weight with gaps in memory as if it had none.
    """
    if type(weight) is not nn.Parameter or weight.device.type not in FUSED:
        return False
    return torch.empty_like(weight, device="meta").stride() == weight.stride()
