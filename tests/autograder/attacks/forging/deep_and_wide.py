# Deep, wide and broken JSON, frames that are none.
# %% cell
k = get_ipython().kernel
s = k.iopub_socket
head = json_head = None
import json
ok = [b"x", b"<IDS|MSG>", b"sig"]
hdr = json.dumps({"msg_type": "stream", "msg_id": "1"}).encode()
for parts in ([], [b""], [b"<IDS|MSG>"], ok, ok + [b"["*10**6]*4, ok + [hdr, b"{}", b"{}", b"["*10**6 + b"]"*10**6], ok + [hdr, b"{", b"}", b"\xff\xfe"], ok + [hdr, b"{}", b"{}", b'{"a":' * 10**5 + b"1" + b"}" * 10**5], ok + [hdr, b"{}", b"{}", b'{"text":' + b"9" * 10**6 + b"}"], ok + [hdr, b"{}", b"{}", b"{" + b",".join(b'"%d":1' % i for i in range(200000)) + b"}"], [b"z"] * 63):
    try: s.send_multipart(parts or [b""])
    except Exception as e: pass
# %% every task
def TASK(student_logits, teacher_logits):
    return 0
