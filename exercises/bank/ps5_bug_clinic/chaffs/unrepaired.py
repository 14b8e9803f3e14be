# Nothing was repaired, and nothing was named.
# expect zero_loss_choice: chose_a
# expect triage: wrong_a_texts_b_vocabulary_c_parts_d_logarithm
# expect kd_mean: vocabulary_mean
# expect how_much_too_small: padding_forgotten
# expect kd_masked: inputs_searched_for_the_mark
# expect next_token_losses: not_shifted
# expect jsd: both_bugs
# expect accumulated_loss: means_added


# %% task: zero_loss_choice
zero_loss = "a"


# %% task: triage
triage = {"a": "texts", "b": "vocabulary", "c": "parts", "d": "logarithm"}


# %% task: kd_mean
kd_mean = kd_mean_as_found


# %% task: how_much_too_small
factor = 32_000


# %% task: kd_masked
kd_masked = kd_masked_as_found


# %% task: next_token_losses
next_token_losses = next_token_losses_as_found


# %% task: jsd
jsd = jsd_as_found


# %% task: accumulated_loss
accumulated_loss = accumulated_loss_as_found
