# nbgrader's marks are of the wrong type, and the ids of cells are gone.
# %% every task
TASK = lambda *args: 0
# %% tamper
for number, cell in enumerate(notebook.cells):
    if cell.metadata.get("nbgrader", {}).get("grade"):
        cell.metadata.nbgrader = ["grade", 4, None][number % 3]
