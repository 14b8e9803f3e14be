"""`python -m autograder`."""

import gc
import sys

gc.disable()  # nothing of what is imported is garbage, and to find that out takes a while
# jsonschema compiles a grammar of addresses when it can, for a check that no notebook's schema asks
# for; that takes longer than loading torch.
sys.modules.setdefault("rfc3987_syntax", None)

try:
    from autograder.commands.cli import app
except KeyboardInterrupt:  # Ctrl-C before there is a command that could end
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
    raise SystemExit(f"autograder: {error}") from None  # a system on which it does not run

gc.freeze()  # nor is it later, or at the end
gc.enable()
if __name__ == "__main__":
    app(prog_name="python -m autograder")
