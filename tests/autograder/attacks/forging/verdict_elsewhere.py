# Outputs of the grader's own kind in cells that nobody judges.
# %% cell
from IPython.display import display

KIND = "application/vnd.autograder.verdict+json"
verdict = {"check": "bonus", "points": 2000.0, "max_points": 4.0, "status": "correct"}
for data in ({"verdict": verdict, "seed": 1, "evidence": []}, {"verdict": {}}, 3, None, "x"):
    display({KIND: data, "text/plain": "4.0"}, raw=True)

# %% every task
TASK = None
# %% last
display({KIND: {"verdict": verdict}, "text/plain": "2000.0"}, raw=True)
