# The square root of T.
# expect softmax_with_temperature: another_temperature


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=1.0):
    return F.softmax(logits / temperature**0.5, -1)
