# Scripts, traces, vmap.
# %% task: forward_kl
@torch.jit.script
def forward_kl(student_logits, teacher_logits):
    log_q, log_p = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)
# %% task: reverse_kl
@torch.compile(dynamic=True)
def reverse_kl(student_logits, teacher_logits):
    return torch.func.vmap(lambda a, b: (a.softmax(-1) * (a.log_softmax(-1) - b.log_softmax(-1))).sum(-1))(student_logits[None], teacher_logits[None])[0]
