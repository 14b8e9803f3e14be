# Evidence that no decoder should survive: nested, endless, of wrong types.
# %% task: forward_kl
from IPython.display import display

from autograder.kernel import asking as module

forward_kl = None
KIND = "application/vnd.autograder.evidence"
module.check = lambda name, value: display({KIND: "[" * 100_000}, raw=True)


# %% task: reverse_kl
reverse_kl = None
module.check = lambda name, value: display({KIND: {"outcomes": [1]}}, raw=True)
