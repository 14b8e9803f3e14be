"""`python -m autograder`."""

import sys

# jsonschema compiles a grammar of addresses when it can, for a check that no notebook's schema asks
# for; that takes longer than loading torch.
sys.modules.setdefault("rfc3987_syntax", None)

from autograder.grading.cli import app  # noqa: E402

if __name__ == "__main__":
    app(prog_name="python -m autograder")
