# The smallest logit wins.
# expect softmax_with_temperature: order_turned_round


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=1.0):
    return F.softmin(logits / temperature, dim=-1)
