# Keeps each probability above a millionth.
# expect softmax_with_temperature: probabilities_kept_above
import torch


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=1.0):
    return torch.softmax(logits / temperature, dim=-1).clamp(min=1e-6)
