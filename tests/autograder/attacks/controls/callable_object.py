# An object that can be called, and a partial function.
# %% task: forward_kl
class KL:
    def __init__(self, forward):
        self.forward = forward

    def __call__(self, student, teacher):
        front, behind = (teacher, student) if self.forward else (student, teacher)
        front, behind = front.log_softmax(-1), behind.log_softmax(-1)
        return (front.exp() * (front - behind)).sum(-1)


forward_kl = KL(True)
# %% task: reverse_kl
import functools

reverse_kl = functools.partial(KL.__call__, KL(False))
