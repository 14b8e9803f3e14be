# Messages sent past IPython: replies, idle states, results.
# %% cell
from autograder.kernel import asking as module


def answer(name, value):
    kernel = get_ipython().kernel
    parent = kernel.get_parent()
    content = {"data": {"text/plain": "4.0"}, "metadata": {}, "execution_count": 1}
    send = kernel.session.send
    send(kernel.iopub_socket, "execute_result", content, parent=parent)
    send(kernel.iopub_socket, "status", {"execution_state": "idle"}, parent=parent)
    send(kernel.iopub_socket, "execute_result", {"data": [1], "metadata": 7}, parent=parent)
    send(kernel.iopub_socket, "display_data", {}, parent=parent)
    send(kernel.iopub_socket, "no_such_type", {"data": None}, parent=parent)


module.check = answer


# %% every task
TASK = None
