# A list that is made anew for each prompt.
# expect on_policy_step: one_prompt_alone
import torch


# %% task: on_policy_step
def on_policy_step(student, teacher, prompts, write, optimizer):
    for prompt in prompts:
        kls = []
        text = write(student, prompt)
        ends = torch.where(text == END)[0]
        text = text if len(ends) == 0 else text[: ends[0] + 1]
        ids = torch.cat([prompt, text])
        lq = student(ids)[len(prompt) - 1 : -1].log_softmax(-1)
        lp = teacher(ids)[len(prompt) - 1 : -1].log_softmax(-1).detach()
        kls.append((lq.exp() * (lq - lp)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
