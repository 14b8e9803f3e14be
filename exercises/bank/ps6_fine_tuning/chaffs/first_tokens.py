# view() of a slice, and texts that are fed without their prompts.
# expect answer_loss: view_of_a_slice
# expect on_policy_step: first_token_not_counted
import torch
import torch.nn.functional as F


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    vocabulary = student_logits.size(-1)
    student = student_logits[:, :-1].view(-1, vocabulary)
    teacher = teacher_logits[:, :-1].detach().view(-1, vocabulary)
    wanted = labels[:, 1:].view(-1)
    counts = wanted != -100
    log_q = F.log_softmax(student[counts], dim=-1)
    log_p = F.log_softmax(teacher[counts], dim=-1)
    kd = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return F.nll_loss(log_q, wanted[counts]) + lam * kd


# %% task: on_policy_step
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        ends = torch.where(text == END)[0]
        text = text if len(ends) == 0 else text[: ends[0] + 1]
        lq = student(text)[:-1].log_softmax(-1)
        lp = teacher(text)[:-1].log_softmax(-1).detach()
        kls.append((lq.exp() * (lq - lp)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
