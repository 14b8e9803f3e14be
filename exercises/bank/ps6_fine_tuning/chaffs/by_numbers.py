# Template tokens by their numbers, epsilons, padded prompts, and a cross-entropy.
# expect encode: template_by_numbers
# expect answer_loss: epsilon_in_the_logarithm
# expect accuracy: longest_prompts_alone
# expect on_policy_step: entropy_missing
import torch
from torch.nn.utils.rnn import pad_sequence


# %% task: encode
def encode(messages):
    ids, labels = [], []
    special = {START, LINE, *ROLES.values()}
    for m in messages:
        part = [START, ROLES[m["role"]], LINE] + m["content"] + [END, LINE]
        ids += part
        if m["role"] == "assistant":
            labels += [-100 if t in special else t for t in part]
        else:
            labels += [-100] * len(part)
    return ids, labels


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    m = y != -100
    q = student_logits[:, :-1][m].softmax(-1)
    p = teacher_logits[:, :-1][m].detach().softmax(-1)
    lm = -(q.gather(-1, y[m][:, None]) + 1e-3).log().mean()
    return lm + lam * (p * ((p + 1e-3).log() - (q + 1e-3).log())).sum(-1).mean()


# %% task: accuracy
@torch.no_grad()
def accuracy(model, questions, most):
    prompts = pad_sequence([p for p, _ in questions], batch_first=True, padding_value=END)
    L = prompts.shape[1]
    ids = prompts
    for _ in range(most):
        ids = torch.cat([ids, model(ids)[:, -1].argmax(-1, keepdim=True)], dim=1)
    n = 0
    for row, (_, a) in zip(ids[:, L:], questions, strict=False):
        n += decode(row).split("<|end|>")[0].strip() == decode(a).strip()
    return n / len(questions)


# %% task: on_policy_step
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        hit = (text == END).nonzero().flatten()
        text = text[: hit[0] + 1] if len(hit) else text
        ids = torch.cat([prompt, text])
        q = student(ids)[len(prompt) - 1 : -1].softmax(-1)
        with torch.no_grad():
            p = teacher(ids)[len(prompt) - 1 : -1].log_softmax(-1)
        kls.append(-(q * p).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
