# Takes the last accumulate micro-batches for the last group: a group that is not full is filled
# up with micro-batches from before it.
# expect train: last_group_filled_up
import math

import torch


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    updates = math.ceil(len(batches) / accumulate)
    for n in range(updates):
        end = min((n + 1) * accumulate, len(batches))
        group = batches[max(0, end - accumulate) : end]
        size = sum((y != -100).sum() for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            (summed_loss(student(x), t, y, schedule(n))[0] / size).backward()
        optimizer.step()
