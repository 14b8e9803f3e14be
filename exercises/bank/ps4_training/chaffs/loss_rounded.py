# The returned loss is rounded to one decimal for a tidy log.
# expect training_step: loss_rounded
import torch


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.inference_mode():
        teacher_logits = teacher(tokens)
    loss, n = summed_loss(student(tokens), teacher_logits, labels, lam)
    loss = loss / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return round(loss.item(), 1)
