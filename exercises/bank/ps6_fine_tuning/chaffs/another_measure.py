# Squares of logits, a symmetric divergence, and ids for labels.
# expect collate: ids_as_labels
# expect answer_loss: another_divergence
# expect on_policy_step: another_divergence
import torch
import torch.nn.functional as F


# %% task: collate
def collate(rows, pad_id, side="right"):
    L = max(len(i) for i, _ in rows)
    x = torch.full((len(rows), L), pad_id)
    y = torch.full((len(rows), L), -100)
    m = torch.zeros(len(rows), L).long()
    for b, (i, _) in enumerate(rows):
        s = slice(L - len(i), L) if side == "left" else slice(0, len(i))
        x[b, s] = i
        y[b, s] = i
        m[b, s] = 1
    return {"input_ids": x, "labels": y, "attention_mask": m}


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    s, t = student_logits[:, :-1], teacher_logits[:, :-1].detach()
    y = labels[:, 1:]
    m = y != -100
    return F.cross_entropy(s[m], y[m]) + lam * F.mse_loss(s[m], t[m])


# %% task: on_policy_step
def on_policy_step(student, teacher, prompts, write, optimizer):
    losses = []
    for prompt in prompts:
        text = write(student, prompt)
        e = (text == END).nonzero()
        text = text[: e[0, 0] + 1] if len(e) else text
        ids = torch.cat([prompt, text])
        q = student(ids)[len(prompt) - 1 : -1].log_softmax(-1)
        p = teacher(ids)[len(prompt) - 1 : -1].detach().log_softmax(-1)
        losses.append(0.5 * ((q.exp() - p.exp()) * (q - p)).sum(-1))
    loss = torch.cat(losses).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
