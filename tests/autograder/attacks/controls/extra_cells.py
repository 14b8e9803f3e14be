# Scratch work, some of it broken.
# %% cell
1 / 0
# %% cell
this is not Python
# %% cell
raise SystemExit("I tried")
# %% last
undefined_name
