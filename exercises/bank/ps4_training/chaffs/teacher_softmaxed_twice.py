# Teacher logits softmaxed.
# expect training_step: teacher_softmaxed_twice
import torch


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    optimizer.zero_grad()
    with torch.no_grad():
        teacher_logits = teacher(tokens).softmax(-1)
    student_logits = student(tokens)
    total, count = summed_loss(student_logits, teacher_logits, labels, lam)
    loss = total / count
    loss.backward()
    optimizer.step()
    return loss.item()
