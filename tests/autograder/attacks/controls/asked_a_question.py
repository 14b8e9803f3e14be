# Waits for input that never comes, in scratch work.
# %% cell
answer = input("Are you there? ")
