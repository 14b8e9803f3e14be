# λ moves with each micro-batch.
# expect train: lambda_moves_per_micro_batch
import torch


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for start in range(0, len(batches), accumulate):
        group = enumerate(batches[start : start + accumulate], start=start)
        count = sum((labels != -100).sum() for _, labels in batches[start : start + accumulate])
        optimizer.zero_grad()
        for place, (tokens, labels) in group:
            with torch.no_grad():
                teacher_logits = teacher(tokens)
            total, _ = summed_loss(student(tokens), teacher_logits, labels, schedule(place))
            (total / count).backward()
        optimizer.step()
