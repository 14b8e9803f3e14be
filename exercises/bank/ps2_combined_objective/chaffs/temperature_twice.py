# Divides both logits by T and passes T on as well, so KD is at T squared and LM at T.
# A text is over at its first ignored position.
# expect combined_objective: temperature_twice
# expect lm_loss: padding_only_at_the_end
import torch.nn.functional as F


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    student_logits = student_logits / temperature
    teacher_logits = teacher_logits / temperature
    return lm_loss(student_logits, labels) + lam * kd_loss(
        student_logits, teacher_logits, labels, temperature
    )


# %% task: lm_loss
def lm_loss(student_logits, labels):
    mask = (labels != -100).long().cumprod(dim=1).bool()  # up to the end of the text
    safe = labels.masked_fill(~mask, 0)
    nll = -F.log_softmax(student_logits, dim=-1).gather(-1, safe.unsqueeze(-1)).squeeze(-1)
    return (nll * mask).sum() / mask.sum().clamp(min=1)
