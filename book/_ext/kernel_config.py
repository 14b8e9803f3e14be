"""How the kernels of the pages draw and print: IPython's own configuration, see book_figures."""

from ipykernel.iostream import OutStream

c = get_config()  # noqa: F821  IPython gives it
c.InlineBackend.figure_formats = {"svg"}
# Letters so large that a figure as narrow as a phone can be read.
c.InlineBackend.rc = {
    "svg.fonttype": "none",
    "svg.hashsalt": "book",
    "font.size": 14,
    "axes.titlesize": "medium",
    "legend.fontsize": "small",
}
c.InlineBackend.print_figure_kwargs = {"bbox_inches": "tight", "metadata": {"Date": None}}
# It warns that kernels listen on this machine's ports, once for each page.
c.IPKernelApp.log_level = "ERROR"
# What a cell prints is sent whole when the cell ends. By default it is sent in parts, five times a
# second; MyST-NB ends each part with one line break, so empty lines came and went with the time.
OutStream.flush_interval = 3600  # seconds
