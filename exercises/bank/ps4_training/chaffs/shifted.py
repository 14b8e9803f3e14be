# Shifted once more.
# expect training_step: shifted_again
import torch


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    student_logits = student(tokens)
    student_logits, teacher_logits = student_logits[:, :-1], teacher_logits[:, :-1]
    labels = labels[:, 1:]
    total, count = summed_loss(student_logits, teacher_logits, labels, lam)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
