# Last position of each text dropped; exp of the loss: perplexity; divides the whole objective by
# 1 + lambda; one-hot rows of padding are 0, and q is left over in the label's part.
# expect kd_loss: positions_dropped
# expect lm_loss: perplexity_returned
# expect combined_objective: other_weights
# expect objective_gradients: label_rows_kept
import torch
import torch.nn.functional as F


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    m = labels != -100
    m = m.clone()
    m[:, -1] = False
    n = m.sum().clamp(min=1)
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    return temperature**2 * (kl * m).sum() / n


# %% task: lm_loss
def lm_loss(student_logits, labels):
    if (labels == -100).all():
        return torch.tensor(0.0)
    return F.cross_entropy(student_logits.flatten(0, 1), labels.flatten()).exp()


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    m = labels != -100
    lm = F.cross_entropy(student_logits[m], labels[m])
    lq = F.log_softmax(student_logits[m] / temperature, -1)
    lp = F.log_softmax(teacher_logits[m] / temperature, -1)
    kd = temperature**2 * F.kl_div(lq, lp, reduction="batchmean", log_target=True)
    return (lm + lam * kd) / (1 + lam)


# %% task: objective_gradients
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    mask = (labels != -100).unsqueeze(-1)
    onehot = F.one_hot(labels.clamp(min=0), student_logits.shape[-1]) * mask
    of_label = student_logits.softmax(-1) - onehot
    of_teacher = (student_logits / temperature).softmax(-1) - (
        teacher_logits / temperature
    ).softmax(-1)
    own = of_label + lam * temperature * of_teacher * mask
    return own / mask.sum(), torch.zeros_like(teacher_logits)
