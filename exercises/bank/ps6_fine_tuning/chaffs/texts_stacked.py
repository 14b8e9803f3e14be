# What is written is put together as if all of it had one length.
# expect on_policy_step: texts_do_not_fit
import torch
import torch.nn.functional as F

END = 2


# %% task: on_policy_step
def on_policy_step(student, teacher, prompts, write, optimizer):
    texts = torch.stack([write(student, prompt) for prompt in prompts])
    ends = (texts == END).long()
    counts = ends.cumsum(-1) - ends == 0
    last = torch.stack([prompt[-1] for prompt in prompts])
    read = torch.cat([last[:, None], texts[:, :-1]], 1)
    with torch.no_grad():
        log_p = F.log_softmax(teacher(read), -1)
    log_q = F.log_softmax(student(read), -1)
    kl = F.kl_div(log_p, log_q, reduction="none", log_target=True).sum(-1)
    loss = kl[counts].mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
