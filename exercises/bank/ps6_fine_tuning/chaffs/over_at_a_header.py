# A header ends an answer, as its end does.
# expect accuracy: over_at_a_header
import torch


# %% task: accuracy
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            token = model(ids)[-1].argmax()
            if token in (START, END):
                break
            ids = torch.cat([ids, token[None]])
        right += decode(ids[len(prompt) :]).strip() == decode(answer).strip()
    return right / len(questions)
