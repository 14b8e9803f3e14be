# Debugging left in, hooks of IPython, a profile, a custom exception handler.
# %% cell
import sys, faulthandler, tracemalloc, gc
ip = get_ipython()
ip.events.register("pre_run_cell", lambda info: None)
ip.events.register("post_run_cell", lambda r: print("done"))
ip.set_custom_exc((Exception,), lambda self, *a, **k: print("oops"))
sys.excepthook = lambda *a: None
sys.settrace(None); gc.disable(); tracemalloc.start(); sys.setrecursionlimit(10**4)
ip.ast_node_interactivity = "all"
%xmode Minimal
# %% cell
breakpoint()
# %% cell
import pdb; pdb.set_trace()
