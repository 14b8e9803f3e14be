# One mistake in each task.
# expect answer_loss: penalty_subtracted
# expect on_policy_step: student_cut_off
import torch
import torch.nn.functional as F


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    """LM + λ·KL(teacher‖student), each a mean over the tokens of answers: one number."""
    wanted = labels[:, 1:]
    counts = wanted != -100
    log_q = F.log_softmax(student_logits[:, :-1][counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[:, :-1][counts].detach(), dim=-1)
    lm = F.nll_loss(log_q, wanted[counts])
    kd = (log_p.exp() * (log_p - log_q)).sum(-1).mean()
    return lm - lam * kd


# %% task: on_policy_step
def on_policy_step(student, teacher, prompts, write, optimizer):
    """One update of the student on what it writes itself; returns the loss before it."""
    losses = []
    for prompt in prompts:
        text = write(student, prompt)
        ends = (text == END).nonzero()
        if len(ends):
            text = text[: ends[0, 0] + 1]
        read = torch.cat([prompt, text])[:-1]
        with torch.no_grad():
            log_q = F.log_softmax(student(read)[-len(text) :], dim=-1)
            log_p = F.log_softmax(teacher(read)[-len(text) :], dim=-1)
        losses.append((log_q.exp() * (log_q - log_p)).sum(-1))
    loss = torch.cat(losses).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
