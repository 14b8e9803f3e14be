# LM is taken of detached logits; the longest row is overwritten with padding.
# expect answer_loss: student_detached_from_the_labels
# expect collate: longest_row_lost
import torch
import torch.nn.functional as F


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1].detach(), labels[:, 1:]
    counts = y != -100
    lm = F.cross_entropy(s.detach()[counts], y[counts])
    log_q, log_p = s[counts].log_softmax(-1), t[counts].log_softmax(-1)
    return lm + lam * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task: collate
def collate(rows, pad_id, side="right"):
    L = max(len(ids) for ids, _ in rows)
    ii, ll, mm = [], [], []
    for ids, labels in rows:
        gap = L - len(ids)
        x = torch.cat([ids, torch.full((gap,), pad_id)])
        y = torch.cat([labels, torch.full((gap,), -100)])
        m = torch.cat([torch.ones(len(ids)), torch.zeros(gap)]).long()
        if side == "left":
            x, y, m = x.roll(gap), y.roll(gap), m.roll(gap)
        x[-gap:] = pad_id if side == "right" else x[-gap:]
        y[-gap:] = -100 if side == "right" else y[-gap:]
        ii.append(x)
        ll.append(y)
        mm.append(m)
    return {
        "input_ids": torch.stack(ii),
        "labels": torch.stack(ll),
        "attention_mask": torch.stack(mm),
    }
