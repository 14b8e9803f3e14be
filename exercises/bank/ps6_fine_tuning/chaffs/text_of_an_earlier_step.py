# What was once written after a prompt is kept with the student.
# expect on_policy_step: text_of_an_earlier_step
import torch


# %% task: on_policy_step
def on_policy_step(student, teacher, prompts, write, optimizer):
    total, count = 0.0, 0
    for prompt in prompts:
        written = student.__dict__.setdefault("written", {})
        key = tuple(prompt.tolist())
        if key not in written:
            written[key] = write(student, prompt)
        text = written[key]
        ends = (text == END).nonzero()
        if len(ends):
            text = text[: int(ends[0]) + 1]
        seen = torch.cat([prompt[-1:], text[:-1]])
        log_q = student(seen).log_softmax(-1)
        with torch.no_grad():
            log_p = teacher(seen).log_softmax(-1)
        total = total + (log_q.exp() * (log_q - log_p)).sum()
        count += len(text)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
