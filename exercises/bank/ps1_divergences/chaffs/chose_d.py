# Option d of the choice.
# expect reverse_kl_choice: chose_d


# %% task: reverse_kl_choice
reverse_kl_answer = "d"
