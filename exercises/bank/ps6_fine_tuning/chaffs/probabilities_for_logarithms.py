# kl_div that gets the student's probabilities; a place of 0 is taken for none.
# expect answer_loss: target_not_in_the_form
# expect on_policy_step: end_that_comes_first
import torch
import torch.nn.functional as F


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    counts = y != -100
    s, t = student_logits[:, :-1][counts], teacher_logits[:, :-1][counts].detach()
    y = y[counts]
    kd = F.kl_div(s.softmax(-1), t.softmax(-1), reduction="batchmean")
    return F.cross_entropy(s, y) + lam * kd


# %% task: on_policy_step
def on_policy_step(student, teacher, prompts, write, optimizer):
    losses = []
    for prompt in prompts:
        text = write(student, prompt).tolist()
        end = text.index(END) if END in text else None
        text = text[: end + 1] if end else text
        ids = torch.cat([prompt, torch.tensor(text)])
        q = student(ids)[len(prompt) - 1 : -1].log_softmax(-1)
        p = teacher(ids)[len(prompt) - 1 : -1].detach().log_softmax(-1)
        losses.append((q.exp() * (q - p)).sum(-1))
    loss = torch.cat(losses).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
