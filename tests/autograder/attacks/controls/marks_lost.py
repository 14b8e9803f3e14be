# Went through a program that keeps no metadata of cells.
# %% tamper
for cell in notebook.cells:
    cell.metadata = {}
notebook.metadata = {}
