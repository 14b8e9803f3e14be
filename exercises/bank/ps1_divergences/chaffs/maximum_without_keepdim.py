# A maximum that has lost its axis.
# expect softmax_with_temperature: maximum_without_keepdim


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=1.0):
    scaled = logits / temperature
    largest, _ = scaled.max(dim=-1)
    weights = (scaled - largest).exp()
    return weights / weights.sum(-1, keepdim=True)
