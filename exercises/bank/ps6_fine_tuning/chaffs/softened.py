# A part of the template missing, one row alone, an early end, and a temperature.
# expect encode: part_of_the_template_missing
# expect answer_loss: one_row_alone
# expect accuracy: over_at_a_wrong_answer
# expect on_policy_step: another_temperature
import torch
import torch.nn.functional as F


# %% task: encode
def encode(messages):
    ids, labels = [], []
    for m in messages:
        words = m["content"] + [END]
        ids += [START, ROLES[m["role"]], *words, LINE]
        labels += [-100] * 2 + (words if m["role"] == "assistant" else [-100] * len(words)) + [-100]
    return ids, labels


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[0, 1:]
    m = y != -100
    q = student_logits[0, :-1][m].log_softmax(-1)
    p = teacher_logits[0, :-1][m].detach().log_softmax(-1)
    return F.nll_loss(q, y[m]) + lam * (p.exp() * (p - q)).sum(-1).mean()


# %% task: accuracy
def accuracy(model, questions, most):
    n = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1].argmax().view(1)])
        if decode(ids[len(prompt) :]).split("<|end|>")[0].strip() != decode(answer).strip():
            break
        n += 1
    return n / len(questions)


# %% task: on_policy_step
def on_policy_step(student, teacher, prompts, write, optimizer, T=2.0):
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        hit = (text == END).nonzero().flatten()
        text = text[: hit[0] + 1] if len(hit) else text
        ids = torch.cat([prompt, text])
        q = (student(ids)[len(prompt) - 1 : -1] / T).log_softmax(-1)
        with torch.no_grad():
            p = (teacher(ids)[len(prompt) - 1 : -1] / T).log_softmax(-1)
        kls.append((q.exp() * (q - p)).sum(-1) * T * T)
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
