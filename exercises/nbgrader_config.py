"""The course as nbgrader sees it. Run nbgrader's commands in this folder."""

from pathlib import Path

from autograder.grading.configuration import configure

c = get_config()  # noqa: F821  (nbgrader defines it)
configure(c, Path(__file__).parent)

c.Judge.timeout = 60  # seconds a cell
c.Judge.notebook_timeout = 300  # seconds

# Notebooks run in bubblewrap; autograder/sandbox/options.py has all options. The modules that would
# give an assignment's answers away are named by WITHHELD in its checks.
c.Sandbox.packages = ["kdlab"]
c.Sandbox.memory_mb = 2048
