# A model that repeats itself is stopped.
# expect accuracy: over_at_a_repeated_token
import torch


# %% task: accuracy
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            token = model(ids)[-1].argmax()
            if token == END or (len(ids) > len(prompt) and token == ids[-1]):
                break
            ids = torch.cat([ids, token[None]])
        right += decode(ids[len(prompt) :]).strip() == decode(answer).strip()
    return right / len(questions)
