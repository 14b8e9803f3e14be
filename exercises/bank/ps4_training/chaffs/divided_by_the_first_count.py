# Divides by accumulate times the count of the group's first micro-batch.
# expect train: divided_by_the_first_count
import torch


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    update = 0
    optimizer.zero_grad()
    for i, (tokens, labels) in enumerate(batches):
        if i % accumulate == 0:
            size = accumulate * (labels != -100).sum().clamp(min=1)
        with torch.no_grad():
            t = teacher(tokens)
        total, _ = summed_loss(student(tokens), t, labels, schedule(update))
        (total / size).backward()
        if i % accumulate == accumulate - 1 or i == len(batches) - 1:
            optimizer.step()
            optimizer.zero_grad()
            update += 1
