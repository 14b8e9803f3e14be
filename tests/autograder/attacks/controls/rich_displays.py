# HTML, Markdown, LaTeX, widgets, progress bars.
# %% cell
from IPython.display import HTML, Latex, Markdown, clear_output, display

display(HTML("<b>bold</b>"), Markdown("*em*"), Latex("$x$"))
handle = display("one", display_id=True)
handle.update("two")
clear_output(wait=True)
try:
    from tqdm.notebook import tqdm
    for _ in tqdm(range(10)):
        pass
except ImportError:
    pass
