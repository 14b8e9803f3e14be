# Half a float32.
# expect softmax_with_temperature: half_precision
import torch.nn.functional as F


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=1.0):
    return F.softmax(logits.bfloat16() / temperature, dim=-1)
