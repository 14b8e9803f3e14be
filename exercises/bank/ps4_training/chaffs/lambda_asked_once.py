# λ is asked for once.
# expect train: lambda_never_moves
import torch


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    lam = schedule(0)
    teacher.eval()
    for start in range(0, len(batches), accumulate):
        group = batches[start : start + accumulate]
        count = sum((labels != -100).sum() for _, labels in group)
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                teacher_logits = teacher(tokens)
            total, _ = summed_loss(student(tokens), teacher_logits, labels, lam)
            (total / count).backward()
        optimizer.step()
