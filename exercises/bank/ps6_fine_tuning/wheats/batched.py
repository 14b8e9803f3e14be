# Lists of pairs, and whole batches at once: a causal model may be padded on the right.
import torch
from torch.distributions import Categorical, kl_divergence


# %% task: encode
def encode(messages):
    pairs = []
    for message in messages:
        mine = message["role"] == "assistant"
        pairs += [(token, False) for token in (START, ROLES[message["role"]], LINE)]
        pairs += [(token, mine) for token in (*message["content"], END)]
        pairs += [(LINE, False)]
    return [token for token, _ in pairs], [token if own else -100 for token, own in pairs]


# %% task: collate
def collate(rows, pad_id, side="right"):
    sizes = torch.tensor([len(ids) for ids, _ in rows])
    places = torch.arange(int(sizes.max()))
    there = places < sizes[:, None]
    if side == "left":
        there = there.flip(1)
    ids = torch.full(there.shape, pad_id).masked_scatter(there, torch.cat([r[0] for r in rows]))
    labels = torch.full(there.shape, -100).masked_scatter(there, torch.cat([r[1] for r in rows]))
    return {"input_ids": ids, "labels": labels, "attention_mask": there.long()}


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    counts = labels != -100
    counts[:, 0] = False
    where = counts.roll(-1, dims=1)
    q = Categorical(logits=student_logits[where])
    p = Categorical(logits=teacher_logits[where].detach())
    return (-q.log_prob(labels[counts]) + lam * kl_divergence(p, q)).mean()


# %% task: accuracy
def accuracy(model, questions, most):
    prompts = [prompt.tolist() for prompt, _ in questions]
    written = [[] for _ in prompts]
    for _ in range(most):
        rows = [a + b for a, b in zip(prompts, written, strict=False)]
        size = max(map(len, rows))
        logits = model(torch.tensor([row + [0] * (size - len(row)) for row in rows]))
        for i, row in enumerate(rows):
            written[i].append(int(logits[i, len(row) - 1].argmax()))
    right = 0
    for text, (_, answer) in zip(written, questions, strict=False):
        text = text[: text.index(END)] if END in text else text
        right += decode(text).strip() == decode(answer).strip()
    return right / len(questions)


# %% task: on_policy_step
def on_policy_step(student, teacher, prompts, write, optimizer):
    read = []
    for prompt in prompts:
        read.append(prompt[-1])  # what the first token is predicted from
        for token in write(student, prompt):
            if token == END:
                break
            read.append(token)
        else:
            read.pop()  # nothing is predicted from the last token
    read = torch.stack(read)
    q, p = Categorical(logits=student(read)), Categorical(logits=teacher(read).detach())
    loss = kl_divergence(q, p).mean()
    student.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task: where_the_teacher_counts
where_the_teacher_counts = {"right": "c"}["right"]


# %% task: signs
signs = {"side": "b", "padding": "e", "end": "a", "prompt": "d"}
