# The labels are shifted, and the logits are not.
# The loss is returned with its count.
# expect answer_loss: lengths_do_not_fit
# expect on_policy_step: loss_is_no_number
import torch
import torch.nn.functional as F


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    """LM + λ·KL(teacher‖student), each a mean over the tokens of answers: one number."""
    wanted = labels[:, 1:]
    counts = wanted != -100
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts].detach(), dim=-1)
    lm = F.nll_loss(log_q, wanted[counts])
    kd = (log_p.exp() * (log_p - log_q)).sum(-1).mean()
    return lm + lam * kd


# %% task: on_policy_step
def on_policy_step(student, teacher, prompts, write, optimizer):
    losses = []
    for prompt in prompts:
        text = write(student, prompt)
        ends = (text == END).nonzero()
        text = text[: ends[0, 0] + 1] if len(ends) else text
        ids = torch.cat([prompt, text])
        log_q = student(ids)[len(prompt) - 1 : -1].log_softmax(-1)
        log_p = teacher(ids)[len(prompt) - 1 : -1].detach().log_softmax(-1)
        losses.append((log_q.exp() * (log_q - log_p)).sum(-1))
    loss = torch.cat(losses).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item(), len(torch.cat(losses))
