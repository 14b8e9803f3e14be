"""How the kernels that execute the pages draw: IPython's own configuration, see book_figures."""

c = get_config()  # noqa: F821  IPython gives it
c.InlineBackend.figure_formats = {"svg"}
c.InlineBackend.rc = {"svg.fonttype": "none", "svg.hashsalt": "book"}
c.InlineBackend.print_figure_kwargs = {"bbox_inches": "tight", "metadata": {"Date": None}}
# It warns that kernels listen on this machine's ports, once for each page.
c.IPKernelApp.log_level = "ERROR"
