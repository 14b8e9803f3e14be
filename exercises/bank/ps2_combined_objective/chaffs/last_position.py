# The loop replaces where it should add up; a temperature that is a factor alone.
# expect lm_loss: one_position_alone
# expect kd_loss: one_position_alone
# expect best_probability: below_both
# expect objective_gradients: temperature_in_front_alone
import torch
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    loss = torch.tensor(0.0)
    for logits, label in zip(student_logits.flatten(0, 1), labels.flatten(), strict=True):
        if label != -100:
            loss = -F.log_softmax(logits, dim=-1)[label]
    return loss


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    for text in range(len(labels)):
        for position in range(len(labels[text])):
            if labels[text, position] != -100:
                log_q = F.log_softmax(student_logits[text, position] / temperature, dim=-1)
                p = F.softmax(teacher_logits[text, position] / temperature, dim=-1)
                return temperature**2 * F.kl_div(log_q, p, reduction="sum")
    return 0.0


# %% task: best_probability
best_probability = 0.2


# %% task: objective_gradients
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    counts = (labels != -100)[..., None]
    q, p = student_logits.softmax(-1), teacher_logits.softmax(-1)
    rows = F.one_hot(labels.clamp(min=0), student_logits.shape[-1])
    gradient = (q - rows + lam * temperature * (q - p)) * counts / counts.sum()
    return gradient, torch.zeros_like(teacher_logits)
