# The loss after the update.
# expect training_step: loss_after_the_update
import torch


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    student_logits = student(tokens)
    total, count = summed_loss(student_logits, teacher_logits, labels, lam)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        total, count = summed_loss(student(tokens), teacher_logits, labels, lam)
    return (total / count).item()
