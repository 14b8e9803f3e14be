# label_smoothing from a recipe.
# expect answer_loss: labels_smoothed
import torch.nn.functional as F


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    counts = y != -100
    s, t = student_logits[:, :-1][counts], teacher_logits[:, :-1][counts].detach()
    y = y[counts]
    kd = F.kl_div(s.log_softmax(-1), t.log_softmax(-1), reduction="batchmean", log_target=True)
    return F.cross_entropy(s, y, label_smoothing=0.1) + lam * kd
