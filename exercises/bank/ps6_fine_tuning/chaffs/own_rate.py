# A pair turned round, bits, and a learning rate of one's own.
# expect encode: pair_turned_round
# expect answer_loss: in_bits
# expect on_policy_step: optimiser_ignored
import torch
import torch.nn.functional as F


# %% task: encode
def encode(messages):
    ids, labels = [], []
    for m in messages:
        words = m["content"] + [END]
        ids += [START, ROLES[m["role"]], LINE, *words, LINE]
        labels += [-100] * 3 + (words if m["role"] == "assistant" else [-100] * len(words)) + [-100]
    return labels, ids


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    m = y != -100
    q = student_logits[:, :-1][m].softmax(-1)
    p = teacher_logits[:, :-1][m].detach().softmax(-1)
    return F.nll_loss(q.log(), y[m]) + lam * (p * (p.log2() - q.log2())).sum(-1).mean()


# %% task: on_policy_step
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        hit = (text == END).nonzero().flatten()
        text = text[: hit[0] + 1] if len(hit) else text
        ids = torch.cat([prompt, text])
        q = student(ids)[len(prompt) - 1 : -1].log_softmax(-1)
        with torch.no_grad():
            p = teacher(ids)[len(prompt) - 1 : -1].log_softmax(-1)
        kls.append((q.exp() * (q - p)).sum(-1))
    loss = torch.cat(kls).mean()
    (g,) = torch.autograd.grad(loss, [student.table])
    with torch.no_grad():
        student.table -= 0.1 * g
    return loss.item()
