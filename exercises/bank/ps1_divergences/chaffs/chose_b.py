# Option b of the choice.
# expect reverse_kl_choice: chose_b


# %% task: reverse_kl_choice
reverse_kl_answer = "b"
