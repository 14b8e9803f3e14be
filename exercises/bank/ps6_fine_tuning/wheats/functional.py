# torch.nn.functional wherever it has something: cross_entropy, kl_div, pad_sequence, where.
import torch
import torch.nn.functional as F


# %% task: encode
def encode(messages):
    ids, own = [], []
    for message in messages:
        words = message["content"]
        ids += [START, ROLES[message["role"]], LINE, *words, END, LINE]
        speaks = message["role"] == "assistant"
        own += [False] * 3 + [speaks] * (len(words) + 1) + [False]
    ids = torch.tensor(ids)
    return ids, torch.where(torch.tensor(own), ids, -100)


# %% task: collate
def collate(rows, pad_id, side="right"):
    pad = torch.nn.utils.rnn.pad_sequence
    options = {"batch_first": True, "padding_side": side}
    return {
        "input_ids": pad([ids for ids, _ in rows], padding_value=pad_id, **options),
        "labels": pad([labels for _, labels in rows], padding_value=-100, **options),
        "attention_mask": pad([torch.ones(len(ids)).long() for ids, _ in rows], **options),
    }


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    q = student_logits[:, :-1].flatten(0, 1)
    p = teacher_logits[:, :-1].flatten(0, 1).detach()
    y = labels[:, 1:].flatten()
    lm = F.cross_entropy(q, y, ignore_index=-100)
    kept = y.ne(-100)
    kd = F.kl_div(q[kept].log_softmax(-1), p[kept].softmax(-1), reduction="batchmean")
    return lm + lam * kd


# %% task: accuracy
@torch.no_grad()
def accuracy(model, questions, most):
    def answer_to(prompt):
        ids = prompt[None]
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[:, -1].argmax(-1, keepdim=True)], dim=1)
        written = ids[0, len(prompt) :]
        before_end = (written == END).cumsum(0) == 0
        return decode(written[before_end]).strip()

    right = [answer_to(prompt) == decode(answer).strip() for prompt, answer in questions]
    return torch.tensor(right).float().mean()


# %% task: on_policy_step
def on_policy_step(student, teacher, prompts, write, optimizer):
    q, p = [], []
    for prompt in prompts:
        text = write(student, prompt)
        is_end = (text == END).long()
        text = text[is_end.cumsum(0) - is_end == 0]
        read = torch.cat([prompt[-1:], text[:-1]])
        q.append(student(read))
        p.append(teacher(read).detach())
    q, p = torch.cat(q).log_softmax(-1), torch.cat(p).log_softmax(-1)
    loss = F.kl_div(p, q, reduction="batchmean", log_target=True)
    optimizer.zero_grad(set_to_none=False)
    loss.backward()
    optimizer.step()
    return loss


# %% task: where_the_teacher_counts
where_the_teacher_counts = "C".lower()


# %% task: signs
signs = {"end": "a", "side": "b"} | {"prompt": "d", "padding": "e"}
