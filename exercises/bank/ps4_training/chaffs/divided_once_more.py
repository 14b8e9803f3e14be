# Divides by count and accumulate.
# expect train: divided_once_more
import torch


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, first in enumerate(range(0, len(batches), accumulate)):
        group = batches[first : first + accumulate]
        count = sum((labels != -100).sum() for _, labels in group)
        lam = schedule(n)
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                teacher_logits = teacher(tokens)
            total, _ = summed_loss(student(tokens), teacher_logits, labels, lam)
            (total / count / accumulate).backward()
        optimizer.step()
