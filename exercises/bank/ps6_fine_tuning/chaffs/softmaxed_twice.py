# cross_entropy of probabilities; the step before the gradient.
# expect answer_loss: softmaxed_twice
# expect on_policy_step: step_before_backward
import torch
import torch.nn.functional as F


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    counts = y != -100
    s, t = student_logits[:, :-1][counts], teacher_logits[:, :-1][counts].detach()
    y = y[counts]
    kd = F.kl_div(s.log_softmax(-1), t.log_softmax(-1), reduction="batchmean", log_target=True)
    return F.cross_entropy(s.softmax(-1), y) + lam * kd


# %% task: on_policy_step
def on_policy_step(student, teacher, prompts, write, optimizer):
    losses = []
    for prompt in prompts:
        text = write(student, prompt).tolist()
        text = text[: text.index(END) + 1] if END in text else text
        ids = torch.cat([prompt, torch.tensor(text)])
        q = student(ids)[len(prompt) - 1 : -1].log_softmax(-1)
        p = teacher(ids)[len(prompt) - 1 : -1].detach().log_softmax(-1)
        losses.append((q.exp() * (q - p)).sum(-1))
    loss = torch.cat(losses).mean()
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    return loss.item()
