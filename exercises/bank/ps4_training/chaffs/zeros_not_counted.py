# Positions are counted by their losses.
# expect evaluate: zeros_not_counted
import math

import torch
import torch.nn.functional as F


# %% task: evaluate
def evaluate(model, data):
    mode, total, count = model.training, 0.0, 0
    model.eval()
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            logits = model(tokens).flatten(0, 1)
            losses = F.cross_entropy(logits, labels.flatten(), reduction="none")
            total += losses.sum().item()
            count += int((losses != 0).sum())
    model.train(mode)
    return math.exp(total / count)
