# All code in the one cell that was there first, whose text is put back.
# %% tamper
code = [cell for cell in notebook.cells if cell.cell_type == "code"]
code[0].source = "\n\n".join(cell.source for cell in code)
notebook.cells = [cell for cell in notebook.cells if cell not in code[1:]]
