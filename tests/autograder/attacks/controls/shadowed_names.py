# Uses names that mean something elsewhere.
# %% cell
list = [1, 2]
sum = 3
input = "x"
name = value = text = json = "mine"
check = None
F = 96485
# %% last
del torch
