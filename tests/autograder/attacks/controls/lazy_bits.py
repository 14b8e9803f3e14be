# Results of which torch has put off a sign, a conjugation or a copy.
# %% task: forward_kl
import torch


def forward_kl(student_logits, teacher_logits):
    log_q, log_p = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    return torch.complex(torch.zeros_like(kl), -kl).conj().imag


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    log_q, log_p = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    kl = (log_q.exp() * (log_q - log_p)).sum(-1)
    return torch.nn.Parameter(kl.unsqueeze(-1).expand(*kl.shape, 3)[..., 1])
