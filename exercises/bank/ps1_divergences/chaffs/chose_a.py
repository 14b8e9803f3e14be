# Option a of the choice.
# expect reverse_kl_choice: chose_a


# %% task: reverse_kl_choice
reverse_kl_answer = "a"
