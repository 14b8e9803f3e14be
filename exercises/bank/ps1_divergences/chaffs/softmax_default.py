# Another temperature where none is given.
# expect softmax_with_temperature: another_default


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=2.0):
    return F.softmax(logits / temperature, -1)
