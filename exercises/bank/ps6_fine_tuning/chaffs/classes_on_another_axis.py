# Classes on the last axis; rows that are stacked as they are.
# expect answer_loss: classes_on_another_axis
# expect collate: rows_not_filled_up
import torch
import torch.nn.functional as F


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    """LM + λ·KL(teacher‖student), each a mean over the tokens of answers: one number."""
    wanted = labels[:, 1:]
    counts = wanted != -100
    log_q = F.log_softmax(student_logits[:, :-1][counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[:, :-1][counts].detach(), dim=-1)
    lm = F.cross_entropy(student_logits[:, :-1], wanted)
    kd = (log_p.exp() * (log_p - log_q)).sum(-1).mean()
    return lm + lam * kd


# %% task: collate
def collate(rows, pad_id, side="right"):
    """Rows of unequal length as one batch: input_ids, labels and attention_mask, each [B, L]."""
    length = max(len(ids) for ids, _ in rows)
    found = {"input_ids": [], "labels": [], "attention_mask": []}
    for ids, labels in rows:
        missing = length - len(ids)
        gap = (missing, 0) if side == "left" else (0, missing)
        found["input_ids"].append(F.pad(ids, gap, value=pad_id))
        found["labels"].append(labels)
        found["attention_mask"].append(F.pad(torch.ones_like(ids), gap))
    return {name: torch.stack(each) for name, each in found.items()}
