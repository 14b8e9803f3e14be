# Names of builtins for its own things.
# %% cell
len = 3; list = [1]; dict = {}; str = "s"; type = 5; isinstance = None; getattr = 1; map = filter = zip = sum = any = all = open = repr = 0
# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    log_q, log_p = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)
