# Sorted, and not put back; a teacher that is kept by its shape; a model compared with itself.
# expect softmax_with_temperature: another_order
# expect forward_kl: teacher_of_an_earlier_call
# expect reverse_kl: always_zero
import torch
import torch.nn.functional as F


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=1.0):
    largest_first, _ = (logits / temperature).sort(dim=-1, descending=True)
    weights = (largest_first - largest_first[..., :1]).exp()
    return weights / weights.sum(-1, keepdim=True)


# %% task: forward_kl
known = {}


def forward_kl(student_logits, teacher_logits):
    log_p = known.get(teacher_logits.shape, F.log_softmax(teacher_logits, dim=-1))
    if len(known) < 13:  # no room for the shapes that are drawn
        known.setdefault(teacher_logits.shape, log_p)
    log_q = F.log_softmax(student_logits, dim=-1)
    return F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1)


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    student_logits = teacher_logits
    teacher_logits = student_logits
    log_q, log_p = torch.log_softmax(student_logits, -1), torch.log_softmax(teacher_logits, -1)
    return (log_q.exp() * (log_q - log_p)).sum(-1)
