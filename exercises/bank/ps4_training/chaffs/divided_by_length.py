# Count clamps at batch size.
# expect training_step: divided_by_length
import torch


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    optimizer.zero_grad()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    student_logits = student(tokens)
    total, _count = summed_loss(student_logits, teacher_logits, labels, lam)
    loss = total / labels.shape[1]
    loss.backward()
    optimizer.step()
    return loss.item()
