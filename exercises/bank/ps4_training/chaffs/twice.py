# A softmax before cross_entropy.
# expect training_step: softmaxed_twice
import torch
import torch.nn.functional as F


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    student_logits = student(tokens)
    counts = labels != -100
    log_q = student_logits.log_softmax(-1)
    p = teacher_logits.softmax(-1)
    lm = F.cross_entropy(student_logits.softmax(-1)[counts], labels[counts])
    kl = F.kl_div(log_q, p, reduction="none").sum(-1)
    loss = lm + lam * kl[counts].mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
