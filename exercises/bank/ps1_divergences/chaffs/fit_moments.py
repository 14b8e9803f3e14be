# The teacher's mean and standard deviation, whichever way round.
# expect fit_one_peak: moments_matched


# %% task: fit_one_peak
def fit_one_peak(teacher_logits, direction, start):
    p, tokens = teacher_logits.softmax(-1), torch.arange(len(teacher_logits))
    mean = (p * tokens).sum()
    width = (p * (tokens - mean) ** 2).sum().sqrt()
    log_q = one_peak(mean, width, len(p)).log_softmax(-1)
    return (log_q.exp() * tokens).sum(), -(log_q.exp() * log_q).sum()
