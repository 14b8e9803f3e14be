# cross_entropy of logits with the classes on the last axis.
# expect evaluate: classes_on_another_axis
import math

import torch
import torch.nn.functional as F


# %% task: evaluate
@torch.no_grad()
def evaluate(model, data):
    m = model.training
    model.eval()
    t = n = 0
    for x, y in data["held_out"]:
        t += F.cross_entropy(model(x), y, reduction="sum").item()
        n += (y != -100).sum().item()
    model.train(m)
    return math.exp(t / n)
