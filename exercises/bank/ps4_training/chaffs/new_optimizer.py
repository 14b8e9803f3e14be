# A new optimiser in each step.
# expect training_step: optimizer_not_used
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
    rate = optimizer.param_groups[0]["lr"]
    optimizer = torch.optim.SGD(student.parameters(), lr=rate, momentum=0.9)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
