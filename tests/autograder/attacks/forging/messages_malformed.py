# Displays whose contents break a program that expects the usual form.
# %% cell
import json

from autograder.kernel import asking as module


def answer(name, value):
    kernel = get_ipython().kernel
    parent = kernel.get_parent()
    # IPython's own packing refuses halves of surrogate pairs.
    kernel.session.pack = lambda content: json.dumps(content, default=str).encode()
    for content in (
        {"data": {"text/plain": ["\ud800", 7, None]}, "metadata": {}},
        {"data": {"application/vnd.autograder.evidence": ["x"]}, "metadata": {}},
        {"data": {"text/html": {"a": 1}}, "metadata": [], "transient": {"display_id": [1]}},
        {"name": 3, "text": {"b": 2}},
    ):
        for kind in ("display_data", "update_display_data", "stream", "error", "clear_output"):
            kernel.session.send(kernel.iopub_socket, kind, content, parent=parent)
    return 4.0


module.check = answer


# %% every task
TASK = None
