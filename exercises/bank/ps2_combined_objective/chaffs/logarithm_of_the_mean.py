# The logarithm of a mean for the mean of logarithms; KD leaves out the first token.
# expect lm_loss: logarithm_of_the_mean
# expect kd_loss: one_token_left_out
import torch


# %% task: lm_loss
def lm_loss(student_logits, labels):
    counts = labels != -100
    if not counts.any():
        return torch.tensor(0.0)
    q = student_logits[counts].softmax(-1)
    return -q.gather(-1, labels[counts][:, None]).mean().log()


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    keep = labels != -100
    log_q = (student_logits[keep] / temperature).log_softmax(-1)
    log_p = (teacher_logits[keep] / temperature).log_softmax(-1)
    shares = (log_p.exp() * (log_p - log_q))[:, 1:]
    return temperature**2 * shares.sum() / keep.sum().clamp(min=1)
