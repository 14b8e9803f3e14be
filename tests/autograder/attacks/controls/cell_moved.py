# Cells in another order, with tags, and one copied to keep.
# %% tamper
import copy

answers = [c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("solution")]
twin = copy.deepcopy(answers[0])
twin.id += "x"
notebook.cells.insert(1, twin)
for cell in notebook.cells:
    cell.metadata.tags = ["important", "hide-input"]
notebook.cells.insert(0, notebook.cells.pop(1))
