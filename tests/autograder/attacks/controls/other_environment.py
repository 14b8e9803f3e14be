# Written in an environment with another name, with outputs from there.
# %% tamper
from nbformat.v4 import new_output

notebook.metadata.kernelspec = {"name": "conda-env-dl", "display_name": "dl", "language": "python"}
for cell in notebook.cells:
    if cell.cell_type == "code":
        cell.execution_count = 7
        cell.outputs = [new_output("stream", name="stderr", text="DeprecationWarning: old")]
