# No temperature above 1.
# expect softmax_with_temperature: temperature_kept_in_bounds


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=1.0):
    if temperature > 1:
        temperature = 1.0
    return F.softmax(logits / temperature, -1)
