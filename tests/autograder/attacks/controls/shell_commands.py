# Shell commands and magics, where students have them.
# %% cell
!echo installing; pip --version
%pip --version
!nvidia-smi
# %% cell
%%time
%matplotlib inline
%config InlineBackend.figure_format = "svg"
# %% cell
%%bash
echo "hello"
# %% task: forward_kl
!echo "in the same cell"
def forward_kl(student_logits, teacher_logits):
    log_q, log_p = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)
%timeit -n 1 -r 1 sum(range(10))
