# torch's cross-entropy with soft targets: the teacher's entropy is left in.
# expect forward_kl: cross_entropy
import torch.nn.functional as F


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    vocabulary = student_logits.shape[-1]
    loss = F.cross_entropy(
        student_logits.reshape(-1, vocabulary),
        teacher_logits.softmax(-1).reshape(-1, vocabulary),
        reduction="none",
    )
    return loss.reshape(student_logits.shape[:-1])
