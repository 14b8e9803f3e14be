# torch.distributions knows KL.
from torch.distributions import Categorical, kl_divergence


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    return kl_divergence(Categorical(logits=teacher_logits), Categorical(logits=student_logits))


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    return forward_kl(teacher_logits, student_logits)


# %% task: reverse_kl_choice
reverse_kl_answer = "abcd"[2]
