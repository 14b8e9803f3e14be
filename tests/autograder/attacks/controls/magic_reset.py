# Clears everything at the end, and the last task's cell again defines what it needs.
# %% cell
%reset -f
# %% task: forward_kl
%reset -f
import torch
from autograder.check import check
def forward_kl(student_logits, teacher_logits):
    log_q, log_p = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)
