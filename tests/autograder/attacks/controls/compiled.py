# torch.compile, which needs a compiler where there is none.
# %% task: forward_kl
import torch


@torch.compile
def forward_kl(student_logits, teacher_logits):
    log_q, log_p = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)
