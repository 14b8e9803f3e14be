# One mistake.
# expect answer_loss: first_label_in_the_divisor
import torch.nn.functional as F


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    wanted = labels[:, 1:]
    counts = wanted != -100
    log_q = F.log_softmax(student_logits[:, :-1], dim=-1)
    log_p = F.log_softmax(teacher_logits[:, :-1].detach(), dim=-1)
    lm = F.nll_loss(log_q.mT, wanted, reduction="none")
    kd = (log_p.exp() * (log_p - log_q)).sum(-1)
    return (lm + lam * kd * counts).sum() / (labels != -100).sum()
