# A sum, also in the log; sums over the number of micro-batches.
# expect training_step: loss_not_divided
# expect train: divided_by_micro_batches
import torch


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    total, _ = summed_loss(student(tokens), teacher_logits, labels, lam)
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return total.item()


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for step, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                teacher_logits = teacher(tokens)
            total, _ = summed_loss(student(tokens), teacher_logits, labels, schedule(step))
            (total / len(group)).backward()
        optimizer.step()
