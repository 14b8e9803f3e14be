# Something small is added to each probability before its logarithm is taken.
# expect evaluate: epsilon_in_the_logarithm
import math

import torch


# %% task: evaluate
def evaluate(model, data):
    mode = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            counts = labels != -100
            q = model(tokens)[counts].softmax(-1).gather(-1, labels[counts][:, None])
            total -= torch.log(q + 1e-8).sum().item()
            count += counts.sum().item()
    model.train(mode)
    return math.exp(total / count)
