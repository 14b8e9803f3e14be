"""``python -m kdlab`` is the command ``kdlab``."""

from kdlab.cli import app

if __name__ == "__main__":
    app(prog_name="kdlab")
