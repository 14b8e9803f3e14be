"""``python -m kdlab`` is the command ``kdlab``."""

from kdlab.cli import app

app(prog_name="kdlab")
