# Entropies for log-ratios, arithmetic in place, inputs overwritten, a gradient left attached.
import torch


# %% task: forward_kl
def normalise_(logits):
    return logits.sub_(logits.logsumexp(-1, keepdim=True))


def forward_kl(student_logits, teacher_logits):
    q, p = normalise_(student_logits), normalise_(teacher_logits)
    weights = p.exp().requires_grad_()
    entropy = -torch.einsum("...v,...v->...", weights, p)
    cross_entropy = -torch.einsum("...v,...v->...", weights, q)
    return cross_entropy - entropy


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    return forward_kl(student_logits=teacher_logits, teacher_logits=student_logits)


# %% task: reverse_kl_choice
reverse_kl_answer = "C"
