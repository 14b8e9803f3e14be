"""Grades a whole class: its submissions, its gradebook, and the plug-ins for nbgrader."""

import sys

if sys.platform == "win32":
    raise ImportError(
        "Assignments are released and graded on Linux. Windows has it in WSL 2: install that with "
        "wsl --install and run the same command there."
    )
