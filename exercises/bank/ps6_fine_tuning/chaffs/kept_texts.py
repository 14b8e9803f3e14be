# All rows in one before the shift; what is written is kept by its prompt, within one step.
# expect answer_loss: shifted_while_flat
# expect on_policy_step: prompt_twice_counted_once
import torch
import torch.nn.functional as F


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    student = student_logits.flatten(0, 1)[:-1]
    teacher = teacher_logits.detach().flatten(0, 1)[:-1]
    wanted = labels.flatten()[1:]
    counts = wanted != -100
    log_q = F.log_softmax(student[counts], dim=-1)
    log_p = F.log_softmax(teacher[counts], dim=-1)
    kd = (log_p.exp() * (log_p - log_q)).sum(-1).mean()
    return F.nll_loss(log_q, wanted[counts]) + lam * kd


# %% task: on_policy_step
def on_policy_step(student, teacher, prompts, write, optimizer):
    losses = {}
    for prompt in prompts:
        text = write(student, prompt)
        ends = (text == END).nonzero()
        if len(ends):
            text = text[: ends[0, 0] + 1]
        read = torch.cat([prompt, text])[:-1]
        log_q = F.log_softmax(student(read), dim=-1)
        with torch.no_grad():
            log_p = F.log_softmax(teacher(read), dim=-1)
        kl = (log_q.exp() * (log_q - log_p)).sum(-1)
        losses[tuple(prompt.tolist())] = kl[-len(text) :]
    loss = torch.cat(list(losses.values())).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
