# The student is detached in the KD term, so only LM gives a gradient; every second message is
# taken for the assistant's; the left side by flipping the padded rows; only the answer's own
# length is written, so a model that goes on talking is right.
# expect answer_loss: student_detached_from_the_teacher
# expect encode: turns_taken_for_granted
# expect collate: rows_read_backwards
# expect accuracy: answer_at_hand
import torch
import torch.nn.functional as F


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:]
    counts = y != -100
    lm = F.cross_entropy(s[counts], y[counts])
    with torch.no_grad():
        kd = F.kl_div(
            s[counts].log_softmax(-1),
            t[counts].log_softmax(-1),
            reduction="batchmean",
            log_target=True,
        )
    return lm + lam * kd


# %% task: encode
def encode(messages):
    ids, labels = [], []
    for i, m in enumerate(messages):
        role = ROLES["user"] if i % 2 == 0 else ROLES["assistant"]
        c = [*list(m["content"]), END]
        ids += [START, role, LINE, *c, LINE]
        labels += [-100] * 3 + (c if i % 2 == 1 else [-100] * len(c)) + [-100]
    return ids, labels


# %% task: collate
def collate(rows, pad_id, side="right"):
    from torch.nn.utils.rnn import pad_sequence

    ids = pad_sequence([r[0] for r in rows], batch_first=True, padding_value=pad_id)
    labels = pad_sequence([r[1] for r in rows], batch_first=True, padding_value=-100)
    mask = pad_sequence([torch.ones_like(r[0]) for r in rows], batch_first=True)
    if side == "left":
        ids, labels, mask = ids.flip(1), labels.flip(1), mask.flip(1)
    return {"input_ids": ids, "labels": labels, "attention_mask": mask}


# %% task: accuracy
def accuracy(model, questions, most):
    good = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(len(answer)):
            ids = torch.cat([ids, model(ids)[-1].argmax().reshape(1)])
        out = ids[len(prompt) :].tolist()
        if END in out:
            out = out[: out.index(END)]
        good += decode(out).strip() == decode(answer).strip()
    return good / len(questions)
