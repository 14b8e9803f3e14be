"""`python -m autograder`."""

import sys

# jsonschema compiles a grammar of addresses when it can, for a check that no notebook's schema asks
# for; that takes longer than loading torch.
sys.modules.setdefault("rfc3987_syntax", None)

if sys.platform == "win32":
    raise SystemExit(
        "autograder: grading needs Linux, which Windows has in WSL 2 (wsl --install). Run the same "
        "command there."
    )
try:
    from autograder.grading.cli import app
except ModuleNotFoundError as error:
    if (error.name or "autograder").partition(".")[0] in ("autograder", "kdlab"):
        raise
    raise SystemExit(
        f"autograder: there is no {error.name} here, which grading needs. Install what is missing: "
        "pip install 'kdlab[grading]'"
    ) from None

if __name__ == "__main__":
    app(prog_name="python -m autograder")
