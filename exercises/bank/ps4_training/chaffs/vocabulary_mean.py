# A mean over the vocabulary.
# expect training_step: kd_vocabulary_mean
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
    lm = F.cross_entropy(student_logits[counts], labels[counts])
    log_q = student_logits.log_softmax(-1)
    p = teacher_logits.softmax(-1)
    kl = F.kl_div(log_q[counts], p[counts])
    loss = lm + lam * kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
