# First tokens of answers are lost, and another mean is returned.
# expect answer_loss: both_must_count
# expect on_policy_step: another_loss_returned
import torch
import torch.nn.functional as F


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    wanted = labels[:, 1:]
    counts = (wanted != -100) & (labels[:, :-1] != -100)
    log_q = F.log_softmax(student_logits[:, :-1][counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[:, :-1][counts].detach(), dim=-1)
    kd = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return F.nll_loss(log_q, wanted[counts]) + lam * kd


# %% task: on_policy_step
def on_policy_step(student, teacher, prompts, write, optimizer):
    losses = []
    for prompt in prompts:
        text = write(student, prompt)
        ends = (text == END).nonzero()
        if len(ends):
            text = text[: ends[0, 0] + 1]
        read = torch.cat([prompt, text])[:-1]
        log_q = F.log_softmax(student(read), dim=-1)[-len(text) :]
        log_p = F.log_softmax(teacher(read), dim=-1)[-len(text) :].detach()
        losses.append((log_q.exp() * (log_q - log_p)).sum(-1))
    optimizer.zero_grad()
    torch.cat(losses).mean().backward()
    optimizer.step()
    return sum(each.mean().item() for each in losses) / len(losses)
