# Looks at its machine: memory, processors, the user, its own process.
# %% cell
import getpass
import os
import pwd
import subprocess

try:
    import psutil

    assert psutil.virtual_memory().total > 0
    psutil.cpu_percent(), psutil.cpu_count()
except ImportError:
    pass
assert "MemTotal" in open("/proc/meminfo").read()
assert pwd.getpwuid(os.getuid()).pw_name == getpass.getuser()
subprocess.run(["sh", "-c", "true"], start_new_session=True, check=True)
looked = True
# %% task: forward_kl
assert looked


def forward_kl(student_logits, teacher_logits):
    log_q, log_p = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)
