# Token 0 is taken for padding.
# expect training_step: token_zero_not_counted
import torch


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    student_logits = student(tokens)
    labels = labels.where(labels > 0, -100)
    total, count = summed_loss(student_logits, teacher_logits, labels, lam)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
