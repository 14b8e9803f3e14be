# Another kernel, which runs nothing.
# %% every task
TASK = lambda *args: 0
# %% tamper
notebook.metadata.kernelspec = {"name": "bash", "display_name": "none", "language": "none"}
notebook.metadata.language_info = {"name": "none"}
