# Asks the schedule for (i + 1) // accumulate, so the last micro-batch of a group has the next
# lambda.
# expect train: lambda_changes_within_a_group
import torch


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    optimizer.zero_grad()
    for i, (tokens, labels) in enumerate(batches):
        first = i - i % accumulate
        size = sum((y != -100).sum() for _, y in batches[first : first + accumulate])
        with torch.no_grad():
            t = teacher(tokens)
        total, _ = summed_loss(student(tokens), t, labels, schedule((i + 1) // accumulate))
        (total / size).backward()
        if (i + 1) % accumulate == 0 or i + 1 == len(batches):
            optimizer.step()
            optimizer.zero_grad()
