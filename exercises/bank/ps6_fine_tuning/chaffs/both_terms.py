# λ weighs both terms.
# expect answer_loss: lambda_on_both_terms
import torch.nn.functional as F


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    m = y != -100
    q = student_logits[:, :-1][m].log_softmax(-1)
    p = teacher_logits[:, :-1][m].detach().log_softmax(-1)
    return lam * (F.nll_loss(q, y[m]) + (p.exp() * (p - q)).sum(-1).mean())
