# Rounded probabilities.
# expect softmax_with_temperature: rounded


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=1.0):
    return F.softmax(logits / temperature, -1).round(decimals=4)
