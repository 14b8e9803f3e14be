# Logits are brought to mean 0 and standard deviation 1.
# expect softmax_with_temperature: logits_rescaled


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=1.0):
    center, spread = logits.mean(-1, keepdim=True), logits.std(-1, keepdim=True)
    return F.softmax((logits - center) / spread / temperature, -1)
