# A header in what somebody says, a mask one too long, a softmax over positions, headers that a
# model writes, and a model compared with itself.
# expect encode: header_looked_for_in_the_text
# expect collate: mask_off_by_one
# expect answer_loss: softmax_on_another_axis
# expect accuracy: answer_looked_for_in_the_text
# expect on_policy_step: loss_is_zero
import torch
import torch.nn.functional as F


# %% task: encode
def encode(messages):
    ids = []
    for m in messages:
        ids += [START, ROLES[m["role"]], LINE] + m["content"] + [END, LINE]

    labels = []
    speaking = False
    skip = False
    for tok in ids:
        if skip:  # the newline of the header
            labels.append(-100)
            skip, speaking = False, True
        elif speaking:
            labels.append(tok)
            if tok == END:
                speaking = False
        else:
            labels.append(-100)
            if tok == ROLES["assistant"]:
                skip = True
    return ids, labels


# %% task: collate
def collate(rows, pad_id, side="right"):
    L = max(len(r[0]) for r in rows)
    ids = torch.full((len(rows), L), pad_id)
    labels = torch.full((len(rows), L), -100)
    mask = torch.zeros(len(rows), L, dtype=torch.long)
    for b, (x, y) in enumerate(rows):
        n = len(x)
        if side == "right":
            ids[b, :n], labels[b, :n] = x, y
            mask[b, : n + 1] = 1
        else:
            ids[b, L - n :], labels[b, L - n :] = x, y
            mask[b, L - n :] = 1
    return {"input_ids": ids, "labels": labels, "attention_mask": mask}


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    m = y != -100
    p = teacher_logits[:, :-1].detach().softmax(1)[m]
    q = student_logits[:, :-1][m].log_softmax(-1)
    return F.nll_loss(q, y[m]) + lam * (p * (p.log() - q)).sum(-1).mean()


# %% task: accuracy
def accuracy(model, questions, most):
    ok = 0
    with torch.no_grad():
        for prompt, answer in questions:
            ids = prompt
            for _ in range(most):
                ids = torch.cat([ids, model(ids)[-1].argmax()[None]])
            full = decode(ids)
            reply = full.split("assistant\n")[-1].split("<|end|>")[0]
            ok += int(reply.strip() == decode(answer).strip())
    return ok / len(questions)


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
            p = student(ids)[len(prompt) - 1 : -1].log_softmax(-1)
        kls.append((q.exp() * (q - p)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
