# A mean divided twice, and one prediction too many.
# expect answer_loss: divided_twice
# expect on_policy_step: one_position_too_many
import torch
import torch.nn.functional as F


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    m = y != -100
    q = student_logits[:, :-1][m].log_softmax(-1)
    p = teacher_logits[:, :-1][m].detach().log_softmax(-1)
    return (F.nll_loss(q, y[m]) + lam * (p.exp() * (p - q)).sum(-1).mean()) / m.sum()


# %% task: on_policy_step
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        hit = (text == END).nonzero().flatten()
        text = text[: hit[0] + 1] if len(hit) else text
        ids = torch.cat([prompt, text])
        q = student(ids)[len(prompt) - 1 :].log_softmax(-1)
        with torch.no_grad():
            p = teacher(ids)[len(prompt) - 1 :].log_softmax(-1)
        kls.append((q.exp() * (q - p)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
