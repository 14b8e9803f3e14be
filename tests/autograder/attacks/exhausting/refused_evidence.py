# Evidence that is refused, as long as a message may be.
# %% cell
from IPython.display import display

from autograder.kernel import asking as module

KIND = "application/vnd.autograder.evidence"


def answer(name, value):
    for _ in range(8):
        display({KIND: "x" * (7 * 2**20), "text/plain": "4.0"}, raw=True)


module.check = answer

# %% every task
TASK = None
