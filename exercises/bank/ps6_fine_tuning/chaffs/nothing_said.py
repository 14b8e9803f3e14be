# Messages without words, a longest row that is lost, lines, and texts without an end.
# expect encode: empty_message_left_out
# expect collate: longest_row_lost
# expect answer_loss: everything_between
# expect accuracy: over_at_a_line_break
# expect on_policy_step: text_without_an_end
import torch
import torch.nn.functional as F


# %% task: encode
def encode(messages):
    ids, labels = [], []
    for m in messages:
        if not m["content"]:
            continue
        body = m["content"] + [END]
        ids += [START, ROLES[m["role"]], LINE, *body, LINE]
        labels += (
            [-100, -100, -100] + [t if m["role"] == "assistant" else -100 for t in body] + [-100]
        )
    return ids, labels


# %% task: collate
def collate(rows, pad_id, side="right"):
    L = max(len(i) for i, _ in rows)
    B = len(rows)
    x = torch.full((B, L), pad_id)
    y = torch.full((B, L), -100)
    m = torch.zeros((B, L), dtype=torch.long)
    for b, (i, own) in enumerate(rows):
        n = L - len(i)
        if side == "left":
            x[b, n:], y[b, n:], m[b, n:] = i, own, 1
        elif n:
            x[b, :-n], y[b, :-n], m[b, :-n] = i, own, 1
    return {"input_ids": x, "labels": y, "attention_mask": m}


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    has = y != -100
    span = (has.cumsum(1) > 0) & (has.flip(1).cumsum(1).flip(1) > 0)
    lq = student_logits[:, :-1].log_softmax(-1)
    lp = teacher_logits[:, :-1].detach().log_softmax(-1)
    lm = F.nll_loss(lq[has], y[has])
    kd = (lp.exp() * (lp - lq)).sum(-1)[span].mean()
    return lm + lam * kd


# %% task: accuracy
@torch.no_grad()
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1].argmax().reshape(1)])
        text = decode(ids[len(prompt) :]).split("<|end|>")[0].strip().split("\n")[0]
        right += text.strip() == decode(answer).strip()
    return right / len(questions)


# %% task: on_policy_step
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        text = text[: text.tolist().index(END) + 1]
        ids = torch.cat([prompt, text])
        lq = student(ids)[len(prompt) - 1 : -1].log_softmax(-1)
        lp = teacher(ids)[len(prompt) - 1 : -1].log_softmax(-1).detach()
        kls.append((lq.exp() * (lq - lp)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
