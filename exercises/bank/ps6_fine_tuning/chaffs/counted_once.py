# Results are kept by what was asked.
# expect accuracy: asked_twice_counted_once
import torch


# %% task: accuracy
def accuracy(model, questions, most):
    right = {}
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            token = model(ids)[-1].argmax()
            if token == END:
                break
            ids = torch.cat([ids, token[None]])
        same = decode(ids[len(prompt) :]).strip() == decode(answer).strip()
        right[tuple(prompt.tolist())] = same
    return sum(right.values()) / len(right)
