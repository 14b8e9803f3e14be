# Adds one to the count, so that nothing is divided by 0.
# expect on_policy_step: one_added_to_the_count
import torch


# %% task: on_policy_step
def on_policy_step(student, teacher, prompts, write, optimizer):
    before = []
    for prompt in prompts:
        text = write(student, prompt).tolist()
        text = text[: text.index(END) + 1] if END in text else text
        before += [prompt[-1].item(), *text[:-1]]
    ids = torch.tensor(before)
    log_q = student(ids).log_softmax(-1)
    log_p = teacher(ids).detach().log_softmax(-1)
    loss = (log_q.exp() * (log_q - log_p)).sum() / (len(ids) + 1)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
