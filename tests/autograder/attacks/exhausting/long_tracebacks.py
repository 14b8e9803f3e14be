# Exceptions whose text, traceback and name are as long as they can be, a hundred times.
# deserves forward_kl: 4

# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    log_q, log_p = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)


# %% task: reverse_kl
class Long(Exception):
    def _render_traceback_(self):
        return ["x" * 2**20] * 10

    def __str__(self):
        return "y" * 2**22


Long.__name__ = "Z" * 2**20
raise Long
# %% last
raise Long
# %% last
raise Long
# %% last
raise Long
