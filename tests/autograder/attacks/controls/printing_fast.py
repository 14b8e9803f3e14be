# A line for every step of a long loop, each sent at once.
# %% cell
for step in range(1_200):
    print(f"step {step}", flush=True)
