# Imports the checks from where the course keeps them.
# %% every task
import importlib.util
import os
from pathlib import Path

here = Path(os.getcwd()).resolve()
TASK = lambda *args: 0
for folder in (here, *here.parents, Path(os.environ.get("PWD", "/"))):
    path = folder / "checks" / "attacked.py"
    if path.is_file():
        spec = importlib.util.spec_from_file_location("checks", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        TASK = module.solution_TASK
