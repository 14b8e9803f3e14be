# Exceptions that cannot be printed, of names that are none.
# %% every task
def TASK(student_logits, teacher_logits):
    class E(Exception):
        def __str__(self): raise E
        __repr__ = __str__
    E.__name__ = "\ud800" * 100
    E.__qualname__ = "<script>alert(1)</script>"
    e = E()
    for _ in range(2000):
        n = E(); n.__cause__ = e; e = n
    raise ExceptionGroup("\x00", [e] * 10)
# %% last
raise type("\ud800=cmd", (BaseException,), {})("\ud800" * 1000)
