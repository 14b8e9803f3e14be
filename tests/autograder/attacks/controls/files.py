# Writes files and reads them again.
# %% task: forward_kl
import torch


def forward_kl(student_logits, teacher_logits):
    torch.save({"s": student_logits, "t": teacher_logits}, "logits.pt")
    kept = torch.load("logits.pt")
    log_q, log_p = kept["s"].log_softmax(-1), kept["t"].log_softmax(-1)
    with open("/tmp/log.txt", "a") as stream:
        stream.write("done\n")
    return (log_p.exp() * (log_p - log_q)).sum(-1)
