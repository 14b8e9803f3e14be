# The result hangs on a graph.
# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    student_logits = student_logits.clone().requires_grad_()
    log_q, log_p = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    loss = (log_p.exp() * (log_p - log_q)).sum(-1)
    loss.sum().backward(retain_graph=True)
    return loss
