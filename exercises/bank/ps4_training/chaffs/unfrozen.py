# Gradients are switched off for an evaluation, and on for whoever had them off.
# expect evaluate: unfrozen
import math

import torch.nn.functional as F


# %% task: evaluate
def evaluate(model, data):
    mode = model.training
    model.eval().requires_grad_(False)
    total, count = 0.0, 0
    for tokens, labels in data["held_out"]:
        total += F.cross_entropy(model(tokens).mT, labels, reduction="sum").item()
        count += (labels != -100).sum().item()
    model.train(mode).requires_grad_(True)
    return math.exp(total / count)
