# Goes elsewhere, and changes its environment.
# %% cell
import os, sys, tempfile, shutil
os.makedirs("deep/er", exist_ok=True)
os.chdir("deep/er")
os.environ.clear()
sys.path.clear()
sys.argv[:] = []
tempfile.mkdtemp()
# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    log_q, log_p = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)
