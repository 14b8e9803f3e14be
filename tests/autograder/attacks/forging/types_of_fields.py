# Every field of every other type.
# %% cell
k = get_ipython().kernel
import json
k.session.pack = lambda c: json.dumps(c, default=str).encode()
bad = [None, True, 10**400, -1, 1e308, float("nan"), "\ud800", "x" * 10**6, [], [[]] * 1000, {}, {"a": {"b": {}}}, "\x00", "\u202e", {"\ud800": "\ud800"}]
for b in bad:
    for kind in ("stream", "display_data", "execute_result", "error", "execute_reply", "status", "clear_output", "update_display_data"):
        for content in (b, {"name": b, "text": b, "data": b, "metadata": b, "execution_count": b, "ename": b, "evalue": b, "traceback": b, "execution_state": b, "status": b, "transient": b}, {"data": {"text/plain": b, "image/png": b, "application/vnd.autograder.evidence": b, "application/vnd.autograder.verdict": b}}, {"traceback": [b] * 200, "ename": b, "evalue": b}):
            try: k.session.send(k.iopub_socket, kind, content, parent=k.get_parent())
            except Exception: pass
# %% every task
def TASK(student_logits, teacher_logits):
    return 0
