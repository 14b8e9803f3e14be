"""`python -m autograder`."""

import gc
import sys

gc.disable()  # the imports leave no garbage, and searching them for some takes a while
# Where rfc3987_syntax can be imported, jsonschema compiles its grammar of addresses, for a check
# that no notebook's schema asks for. That takes longer than loading torch.
sys.modules.setdefault("rfc3987_syntax", None)

try:
    from autograder.commands.cli import app
except KeyboardInterrupt:  # Ctrl-C during the imports, before any command can handle it
    raise SystemExit(130) from None
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] in ("autograder", "kdlab"):
        raise
    raise SystemExit(
        f"autograder: there is no {error.name} here, which grading needs. Install what is missing: "
        "pip install 'kdlab[grading]'"
    ) from None
except ImportError as error:
    if error.name is not None:
        raise
    raise SystemExit(f"autograder: {error}") from None  # the wrong system or nbgrader

gc.freeze()  # what was imported is never searched for garbage, not at the end either
gc.enable()
if __name__ == "__main__":
    app(prog_name="python -m autograder")
