# torch.nn.functional does the work, with targets as log-probabilities.
import torch.nn.functional as F


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    log_q = F.log_softmax(student_logits, -1)
    log_p = F.log_softmax(teacher_logits, -1)
    return F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1)


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    log_q = F.log_softmax(student_logits, -1)
    log_p = F.log_softmax(teacher_logits, -1)
    return F.kl_div(log_p, log_q, reduction="none", log_target=True).sum(-1)


# %% task: reverse_kl_choice
reverse_kl_answer = "c"
