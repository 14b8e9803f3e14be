# Thirty megabytes at once, by mistake.
# %% cell
print("0123456789" * 3_000_000)
