# torch.distributions knows KL, but says infinity where a probability underflows.
# expect forward_kl: underflow
# expect reverse_kl: underflow
from torch.distributions import Categorical, kl_divergence


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    return kl_divergence(Categorical(logits=teacher_logits), Categorical(logits=student_logits))


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    return kl_divergence(Categorical(logits=student_logits), Categorical(logits=teacher_logits))
