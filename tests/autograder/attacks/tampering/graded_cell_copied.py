# A second graded cell of the same name, which passes.
# %% every task
TASK = lambda *args: 0
# %% tamper
import copy

for cell in list(notebook.cells):
    if cell.metadata.get("nbgrader", {}).get("grade"):
        twin = copy.deepcopy(cell)
        twin.source, twin.id = "4.0", twin.id + "x"
        notebook.cells.append(twin)
        notebook.cells.insert(0, copy.deepcopy(twin))
