# Powers of 2.
# expect softmax_with_temperature: another_base


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=1.0):
    z = logits / temperature
    powers = 2.0 ** (z - z.amax(-1, keepdim=True))
    return powers / powers.sum(-1, keepdim=True)
