# Lambda is divided by the count as well: LM and KD are separated and the mean of KD is taken
# twice.
# expect training_step: one_term_divided_twice
import torch


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    n = (labels != -100).sum()
    total, count = summed_loss(student(tokens), teacher_logits, labels, lam / n)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()
