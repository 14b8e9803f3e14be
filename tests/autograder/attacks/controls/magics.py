# Magics of every kind.
# %% cell
%matplotlib inline
%load_ext autoreload
%autoreload 2
%config InlineBackend.figure_format = "retina"
%time sum(range(10))
%timeit -n1 -r1 sum(range(10))
%precision 4
%pwd
%env A=1
# %% cell
%%capture out
print("hidden")
# %% cell
%%writefile mine.py
def twice(x): return 2 * x
# %% cell
from mine import twice
%run mine.py
%whos
# %% task: forward_kl
%%time
def forward_kl(student_logits, teacher_logits):
    log_q, log_p = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)
