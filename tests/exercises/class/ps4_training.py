# Written from the released notebook of problem set 4 alone.

# %% task="training_step" right="yes" mistake=""
def training_step(student, teacher, batch, optimizer, lam):
    """One update of the student; returns the loss before it, in nats per position."""
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    total, count = summed_loss(student(tokens), teacher_logits, labels, lam)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="yes" mistake=""
def training_step(student, teacher, batch, optimizer, lam):
    x, y = batch
    teacher.requires_grad_(False)
    teacher.train(False)
    student.train(True)

    mask = y.ne(-100)
    log_q = student(x).log_softmax(-1)
    log_p = teacher(x).log_softmax(-1)
    lm = F.cross_entropy(log_q.transpose(1, 2), y, ignore_index=-100)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    loss = lm + lam * kl.masked_select(mask).mean()

    optimizer.zero_grad(set_to_none=False)
    loss.backward()
    optimizer.step()
    return loss.detach()


# %% task="training_step" right="yes" mistake=""
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    was = student.training, teacher.training
    student.train(), teacher.eval()
    s, n = summed_loss(student(tokens), teacher(tokens).detach(), labels, lam)
    loss = s / n
    params = list(student.parameters())
    for p, g in zip(params, torch.autograd.grad(loss, params)):
        p.grad = g
    optimizer.step()
    student.train(was[0]), teacher.train(was[1])
    return float(loss)


# %% task="training_step" right="yes" mistake=""
@torch.no_grad()
def soft_targets(teacher, tokens):
    teacher.eval()
    return teacher(tokens)


def training_step(student, teacher, batch, optimizer, lam):
    student.train()
    targets = soft_targets(teacher, batch[0])

    def closure():
        optimizer.zero_grad()
        loss, count = summed_loss(student(batch[0]), targets, batch[1], lam)
        loss = loss / count
        loss.backward()
        return loss

    return optimizer.step(closure).item()


# %% task="training_step" right="yes" mistake=""
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    teacher.eval()
    with torch.inference_mode():
        logp = teacher(tokens).log_softmax(-1)
    logp = logp.clone()
    student.train()
    logq = torch.log_softmax(student(tokens), -1)

    m = (labels != -100).to(logq.dtype)
    nll = -logq.gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    kl = torch.einsum("blv,blv->bl", logp.exp(), logp) - torch.einsum("blv,blv->bl", logp.exp(), logq)
    loss = ((nll + lam * kl) * m).sum() / m.sum()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()  # clean for the next one
    return loss


# %% task="training_step" right="yes" mistake=""
from contextlib import contextmanager


@contextmanager
def frozen(model):
    flags = [p.requires_grad for p in model.parameters()]
    for p in model.parameters():
        p.requires_grad = False
    model.eval()
    yield model
    for p, flag in zip(model.parameters(), flags):
        p.requires_grad = flag


def training_step(student, teacher, batch, optimizer, lam):
    for p in student.parameters():
        p.grad = None
    with frozen(teacher) as guide:
        loss, many = summed_loss(student.train()(batch[0]), guide(batch[0]), batch[1], lam)
        loss.div(many).backward()
    optimizer.step()
    return float(loss.detach()) / int(many)


# %% task="training_step" right="no" mistake="student left in evaluation mode: student.train() forgotten" named="student_in_evaluation_mode"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    optimizer.zero_grad()
    loss, n = summed_loss(student(tokens), t, labels, lam)
    loss = loss / n
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="teacher left in training mode: its dropout acts" named="teacher_in_training_mode"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    with torch.no_grad():
        t = teacher(tokens)
    loss, n = summed_loss(student(tokens), t, labels, lam)
    loss = loss / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="teacher's gradient not stopped: it gets a .grad" named="gradient_into_the_teacher"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    loss, n = summed_loss(student(tokens), teacher(tokens), labels, lam)
    loss = loss / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="the student's forward pass stands in no_grad too: backward raises" named="student_without_gradient"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t_logits = teacher(tokens)
        s_logits = student(tokens)
    loss, n = summed_loss(s_logits, t_logits, labels, lam)
    loss = loss / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="zero_grad forgotten: gradients of earlier steps add up" named="gradients_kept"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    loss, n = summed_loss(student(tokens), t, labels, lam)
    loss = loss / n
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="zero_grad between backward and step: the update is nothing" named="student_never_moves"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    loss, n = summed_loss(student(tokens), t, labels, lam)
    loss = loss / n
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="divides by all positions, padding included" named="divided_by_all_positions"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    loss, _ = summed_loss(student(tokens), t, labels, lam)
    loss = loss / labels.numel()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="sum not divided by the count" named="loss_not_divided"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    loss, count = summed_loss(student(tokens), t, labels, lam)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="gradient of the sum, only the returned loss is divided" named="loss_not_divided"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    loss, count = summed_loss(student(tokens), t, labels, lam)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return (loss / count).item()


# %% task="training_step" right="no" mistake="a new optimizer in each step, with a learning rate of its own" named="optimizer_not_used"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    optimizer = torch.optim.AdamW(student.parameters(), lr=1e-3)
    with torch.no_grad():
        t = teacher(tokens)
    loss, n = summed_loss(student(tokens), t, labels, lam)
    loss = loss / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="lambda not passed on: 1.0 is used" named="lambda_not_used"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    loss, n = summed_loss(student(tokens), t, labels, 1.0)
    loss = loss / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="returns the loss after the update" named="loss_after_the_update"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    loss, n = summed_loss(student(tokens), t, labels, lam)
    optimizer.zero_grad()
    (loss / n).backward()
    optimizer.step()
    with torch.no_grad():
        loss, n = summed_loss(student(tokens), t, labels, lam)
    return (loss / n).item()


# %% task="training_step" right="no" mistake="missing return" named="loss_not_returned"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    loss, n = summed_loss(student(tokens), t, labels, lam)
    loss = loss / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


# %% task="training_step" right="no" mistake="kl_div with batchmean over flattened positions, no mask: padding is distilled too and is in the mean" named="padding_distilled"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    s = student(tokens)
    V = s.size(-1)
    lm = F.cross_entropy(s.view(-1, V), labels.view(-1), ignore_index=-100)
    kd = F.kl_div(
        F.log_softmax(s, -1).view(-1, V), F.softmax(t, -1).view(-1, V), reduction="batchmean"
    )
    loss = lm + lam * kd
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="student's and teacher's logits swapped in summed_loss, and so the student's gradient comes from KL(q|p) alone" named="models_swapped"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    loss, n = summed_loss(t, student(tokens), labels, lam)
    loss = loss / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="labels shifted once more, as with Hugging Face models" named="shifted_again"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)[:, :-1]
    s = student(tokens)[:, :-1]
    loss, n = summed_loss(s, t, labels[:, 1:], lam)
    loss = loss / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="labels > 0 as mask: the token 0 is lost" named="token_zero_not_counted"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    mask = labels > 0
    with torch.no_grad():
        t = teacher(tokens)[mask]
    loss, n = summed_loss(student(tokens)[mask], t, labels[mask], lam)
    loss = loss / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="modes swapped: student.eval() and teacher.train()" named="modes_left_as_they_came"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.eval()
    teacher.train()
    with torch.no_grad():
        t = teacher(tokens)
    loss, n = summed_loss(student(tokens), t, labels, lam)
    loss = loss / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="optimizer.step forgotten: the student stays where it was" named="student_never_moves"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    loss, n = summed_loss(student(tokens), t, labels, lam)
    loss = loss / n
    optimizer.zero_grad()
    loss.backward()
    return loss.item()


# %% task="training_step" right="no" mistake="divides by the number of sentences, and returns the sum" named="divided_by_texts,sum_returned"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    loss, n = summed_loss(student(tokens), t, labels, lam)
    optimizer.zero_grad()
    (loss / len(tokens)).backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="convex form: (1 - λ) LM + λ KD" named="convex_form"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    s = student(tokens)
    lm, n = summed_loss(s, t, labels, 0.0)
    both, n = summed_loss(s, t, labels, 1.0)
    loss = ((1 - lam) * lm + lam * (both - lm)) / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="teacher.eval() comes after the teacher's forward pass" named="modes_set_too_late"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    with torch.no_grad():
        t = teacher(tokens)
    teacher.eval()
    loss, n = summed_loss(student(tokens), t, labels, lam)
    loss = loss / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="accident" mistake="British spelling of the argument in the body: NameError on optimiser"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    loss, n = summed_loss(student(tokens), t, labels, lam)
    loss = loss / n
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


# %% task="training_step" right="accident" mistake="the stub's raise is left in the first line"
def training_step(student, teacher, batch, optimizer, lam):
    """One update of the student; returns the loss before it, in nats per position."""
    raise NotImplementedError("Not written yet: put your answer in place of this line.")
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    loss, n = summed_loss(student(tokens), t, labels, lam)
    (loss / n).backward()
    optimizer.step()
    return loss / n


# %% task="train" right="yes" mistake=""
def train(student, teacher, batches, optimizer, schedule, accumulate):
    """Trains the student on the micro-batches, one update for each `accumulate` of them."""
    student.train()
    teacher.eval()
    for n, first in enumerate(range(0, len(batches), accumulate)):
        group = batches[first : first + accumulate]
        count = sum((labels != -100).sum() for _, labels in group)
        lam = schedule(n)
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                teacher_logits = teacher(tokens)
            total, _ = summed_loss(student(tokens), teacher_logits, labels, lam)
            (total / count).backward()
        optimizer.step()


# %% task="train" right="yes" mistake=""
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train(); teacher.eval()
    teacher.requires_grad_(False)
    optimizer.zero_grad()
    seen, update = 0, 0
    for i, (x, y) in enumerate(batches, start=1):
        loss, c = summed_loss(student(x), teacher(x), y, schedule(update))
        loss.backward()
        seen += c.item()
        if i % accumulate == 0 or i == len(batches):
            for p in student.parameters():
                p.grad.div_(seen)
            optimizer.step()
            optimizer.zero_grad()
            seen = 0
            update += 1


# %% task="train" right="yes" mistake=""
from itertools import count as naturals
from itertools import islice


def _groups(batches, size):
    it = iter(batches)
    while group := list(islice(it, size)):
        yield group


def train(student, teacher, batches, optimizer, schedule, accumulate):
    teacher.eval()
    student.train()
    params = list(student.parameters())
    for n, group in zip(naturals(), _groups(batches, accumulate)):
        grads = [torch.zeros_like(p) for p in params]
        positions = 0
        for tokens, labels in group:
            if not (labels != -100).any():
                continue  # padding alone
            target = teacher(tokens).detach()
            value, c = summed_loss(student(tokens), target, labels, schedule(n))
            positions += int(c)
            for g, new in zip(grads, torch.autograd.grad(value, params)):
                g.add_(new)
        for p, g in zip(params, grads):
            p.grad = g / positions
        optimizer.step()
    optimizer.zero_grad()


# %% task="train" right="yes" mistake=""
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    todo = list(batches)
    n = 0
    while len(todo) > 0:
        group, todo = todo[:accumulate], todo[accumulate:]
        sizes = [int(torch.count_nonzero(y + 100)) for _, y in group]
        optimizer.zero_grad()
        for size, (x, y) in zip(sizes, group):
            if size == 0:
                continue
            keep = y != -100
            with torch.no_grad():
                p = F.softmax(teacher(x)[keep], dim=-1)
            logq = F.log_softmax(student(x)[keep], dim=-1)
            lm = F.nll_loss(logq, y[keep])
            kd = F.kl_div(logq, p, reduction="batchmean")
            loss = lm + schedule(n) * kd
            (loss * size / sum(sizes)).backward()
        optimizer.step()
        n += 1


# %% task="train" right="yes" mistake=""
class Accumulator:
    def __init__(self, student, optimizer):
        self.student, self.optimizer = student, optimizer
        self.reset()

    def reset(self):
        self.optimizer.zero_grad()
        self.positions = 0
        self.pieces = 0

    def add(self, loss, count):
        loss.backward()
        self.positions += int(count)
        self.pieces += 1

    def flush(self):
        if self.pieces == 0:
            return False
        with torch.no_grad():
            for group in self.optimizer.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        p.grad *= 1 / self.positions
        self.optimizer.step()
        self.reset()
        return True


def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    acc, n = Accumulator(student, optimizer), 0
    for tokens, labels in batches:
        with torch.no_grad():
            t = teacher(tokens)
        acc.add(*summed_loss(student(tokens), t, labels, schedule(n)))
        if acc.pieces == accumulate:
            n += acc.flush()
    acc.flush()


# %% task="train" right="yes" mistake=""
def train(student, teacher, batches, optimizer, schedule, accumulate):
    def one_update(group, lam):
        n_tokens = torch.cat([y.flatten() for _, y in group]).ne(-100).sum()

        def closure():
            optimizer.zero_grad()
            whole = 0.0
            for x, y in group:
                student.train(), teacher.eval()
                loss = summed_loss(student(x), teacher(x).detach(), y, lam)[0] / n_tokens
                loss.backward()
                whole += loss.item()
            return whole

        optimizer.step(closure)

    lams = (schedule(n) for n in range(len(batches)))
    groups = [batches[i : i + accumulate] for i in range(0, len(batches), accumulate)]
    for group, lam in zip(groups, lams):
        one_update(group, lam)


# %% task="train" right="no" mistake="the tutorial's loop: mean per micro-batch divided by accumulate, last group dropped; padding alone gives nan" named="averaged_per_micro_batch,last_group_dropped"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    n = 0
    optimizer.zero_grad()
    for i, (tokens, labels) in enumerate(batches):
        with torch.no_grad():
            t = teacher(tokens)
        loss, count = summed_loss(student(tokens), t, labels, schedule(n))
        loss = loss / count / accumulate
        loss.backward()
        if (i + 1) % accumulate == 0:
            optimizer.step()
            optimizer.zero_grad()
            n += 1


# %% task="train" right="no" mistake="mean of means, padding alone skipped by max(count, 1), tail kept but divided by accumulate" named="averaged_per_micro_batch"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    n = 0
    optimizer.zero_grad()
    for i, (tokens, labels) in enumerate(batches):
        with torch.no_grad():
            t = teacher(tokens)
        loss, count = summed_loss(student(tokens), t, labels, schedule(n))
        loss = loss / count.clamp(min=1) / accumulate
        loss.backward()
        if (i + 1) % accumulate == 0 or i + 1 == len(batches):
            optimizer.step()
            optimizer.zero_grad()
            n += 1


# %% task="train" right="no" mistake="last group that is not full is dropped, all else right" named="last_group_dropped"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n in range(len(batches) // accumulate):
        group = batches[n * accumulate : (n + 1) * accumulate]
        count = sum(int((y != -100).sum()) for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            total, _ = summed_loss(student(x), t, y, schedule(n))
            (total / count).backward()
        optimizer.step()


# %% task="train" right="no" mistake="schedule asked with the number of the micro-batch, not of the update" named="lambda_moves_per_micro_batch"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for start in range(0, len(batches), accumulate):
        group = batches[start : start + accumulate]
        count = sum(int((y != -100).sum()) for _, y in group)
        optimizer.zero_grad()
        for j, (x, y) in enumerate(group):
            with torch.no_grad():
                t = teacher(x)
            total, _ = summed_loss(student(x), t, y, schedule(start + j))
            (total / count).backward()
        optimizer.step()


# %% task="train" right="no" mistake="updates counted from 1: schedule(n + 1)" named="lambda_one_step_ahead"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    n = 0
    for start in range(0, len(batches), accumulate):
        n += 1
        group = batches[start : start + accumulate]
        count = sum(int((y != -100).sum()) for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            total, _ = summed_loss(student(x), t, y, schedule(n))
            (total / count).backward()
        optimizer.step()


# %% task="train" right="no" mistake="schedule asked once, before the loop" named="lambda_never_moves"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    lam = schedule(0)
    for start in range(0, len(batches), accumulate):
        group = batches[start : start + accumulate]
        count = sum(int((y != -100).sum()) for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            total, _ = summed_loss(student(x), t, y, lam)
            (total / count).backward()
        optimizer.step()


# %% task="train" right="no" mistake="zero_grad before each micro-batch: only the last one of a group counts" named="cleared_within_a_group"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
        count = sum(int((y != -100).sum()) for _, y in group)
        for x, y in group:
            optimizer.zero_grad()
            with torch.no_grad():
                t = teacher(x)
            total, _ = summed_loss(student(x), t, y, schedule(n))
            (total / count).backward()
        optimizer.step()


# %% task="train" right="no" mistake="zero_grad once before the loop, never again: earlier groups' gradients stay" named="gradients_kept"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    optimizer.zero_grad()
    for n, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
        count = sum(int((y != -100).sum()) for _, y in group)
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            total, _ = summed_loss(student(x), t, y, schedule(n))
            (total / count).backward()
        optimizer.step()


# %% task="train" right="no" mistake="teacher's gradient not stopped" named="gradient_into_the_teacher"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
        count = sum(int((y != -100).sum()) for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            total, _ = summed_loss(student(x), teacher(x), y, schedule(n))
            (total / count).backward()
        optimizer.step()


# %% task="train" right="no" mistake="both modes forgotten" named="modes_left_as_they_came"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    for n, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
        count = sum(int((y != -100).sum()) for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            total, _ = summed_loss(student(x), t, y, schedule(n))
            (total / count).backward()
        optimizer.step()


# %% task="train" right="no" mistake="sum not divided by the count of the group" named="loss_not_divided"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, start in enumerate(range(0, len(batches), accumulate)):
        optimizer.zero_grad()
        for x, y in batches[start : start + accumulate]:
            with torch.no_grad():
                t = teacher(x)
            total, _ = summed_loss(student(x), t, y, schedule(n))
            total.backward()
        optimizer.step()


# %% task="train" right="no" mistake="divides by all positions of the group, padding included" named="divided_by_all_positions"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
        count = sum(y.numel() for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            total, _ = summed_loss(student(x), t, y, schedule(n))
            (total / count).backward()
        optimizer.step()


# %% task="train" right="no" mistake="running count: each micro-batch is divided by what was counted so far, not by the group's count" named="divided_by_the_count_so_far"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    n = 0
    seen = 0
    optimizer.zero_grad()
    for i, (x, y) in enumerate(batches):
        with torch.no_grad():
            t = teacher(x)
        total, c = summed_loss(student(x), t, y, schedule(n))
        seen += c.item()
        (total / max(seen, 1)).backward()
        if (i + 1) % accumulate == 0 or i == len(batches) - 1:
            optimizer.step()
            optimizer.zero_grad()
            seen = 0
            n += 1


# %% task="train" right="no" mistake="the count of positions is not set back between groups" named="count_not_reset"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    n = 0
    seen = 0
    optimizer.zero_grad()
    for i, (x, y) in enumerate(batches):
        with torch.no_grad():
            t = teacher(x)
        total, c = summed_loss(student(x), t, y, schedule(n))
        total.backward()
        seen += c.item()
        if (i + 1) % accumulate == 0 or i == len(batches) - 1:
            for p in student.parameters():
                p.grad /= seen
            optimizer.step()
            optimizer.zero_grad()
            n += 1


# %% task="train" right="no" mistake="steps at i % accumulate == 0: the first micro-batch is a group of its own, the rest is misaligned" named="first_group_of_one"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    n, seen = 0, 0
    optimizer.zero_grad()
    for i, (x, y) in enumerate(batches):
        with torch.no_grad():
            t = teacher(x)
        total, c = summed_loss(student(x), t, y, schedule(n))
        total.backward()
        seen += c.item()
        if i % accumulate == 0 or i == len(batches) - 1:
            for p in student.parameters():
                p.grad /= max(seen, 1)
            optimizer.step()
            optimizer.zero_grad()
            n, seen = n + 1, 0


# %% task="train" right="no" mistake="flushes after the loop without asking if anything is left: p.grad is None for full lists, TypeError" named="empty_group_stepped"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    n, seen = 0, 0

    def flush():
        for p in student.parameters():
            p.grad /= seen
        optimizer.step()
        optimizer.zero_grad()

    for i, (x, y) in enumerate(batches):
        with torch.no_grad():
            t = teacher(x)
        total, c = summed_loss(student(x), t, y, schedule(n))
        total.backward()
        seen += c.item()
        if (i + 1) % accumulate == 0:
            flush()
            n, seen = n + 1, 0
    flush()


# %% task="train" right="no" mistake="padding-only micro-batches are thrown out before grouping: the groups shift" named="padding_left_out_of_groups"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    batches = [(x, y) for x, y in batches if (y != -100).any()]
    for n, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
        count = sum(int((y != -100).sum()) for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            total, _ = summed_loss(student(x), t, y, schedule(n))
            (total / count).backward()
        optimizer.step()


# %% task="train" right="no" mistake="torch.cat of micro-batches padded differently: shapes do not match" named="micro_batches_do_not_fit"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
        x = torch.cat([b[0] for b in group])
        y = torch.cat([b[1] for b in group])
        with torch.no_grad():
            t = teacher(x)
        total, count = summed_loss(student(x), t, y, schedule(n))
        optimizer.zero_grad()
        (total / count).backward()
        optimizer.step()


# %% task="train" right="no" mistake="accumulate ignored: one update for each micro-batch, nan at padding alone" named="step_after_each_micro_batch"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, (x, y) in enumerate(batches):
        with torch.no_grad():
            t = teacher(x)
        total, count = summed_loss(student(x), t, y, schedule(n // accumulate))
        optimizer.zero_grad()
        (total / count).backward()
        optimizer.step()


# %% task="train" right="no" mistake="divides by the count of the last micro-batch only, guarded against 0" named="divided_by_the_last_count"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, start in enumerate(range(0, len(batches), accumulate)):
        optimizer.zero_grad()
        for x, y in batches[start : start + accumulate]:
            with torch.no_grad():
                t = teacher(x)
            total, count = summed_loss(student(x), t, y, schedule(n))
            total.backward()
        for p in student.parameters():
            p.grad = p.grad / max(int(count), 1)
        optimizer.step()


# %% task="train" right="no" mistake="shuffles the list first: not in order, and changes the caller's list" named="observed_again"
import random


def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    random.shuffle(batches)
    for n, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
        count = sum(int((y != -100).sum()) for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            total, _ = summed_loss(student(x), t, y, schedule(n))
            (total / count).backward()
        optimizer.step()


# %% task="train" right="no" mistake="the update's number is never raised: λ is schedule(0) for ever; the tail is dropped too" named="lambda_never_moves,last_group_dropped"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    n = 0
    group = []
    for batch in batches:
        group.append(batch)
        if len(group) < accumulate:
            continue
        count = sum(int((y != -100).sum()) for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            total, _ = summed_loss(student(x), t, y, schedule(n))
            (total / count).backward()
        optimizer.step()
        group = []


# %% task="train" right="no" mistake="optimizer.step inside the inner loop: several updates a group, of partial sums" named="step_after_each_micro_batch"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
        count = sum(int((y != -100).sum()) for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            total, _ = summed_loss(student(x), t, y, schedule(n))
            (total / count).backward()
            optimizer.step()


# %% task="train" right="accident" mistake="wrong indentation: IndentationError"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
      count = sum(int((y != -100).sum()) for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            total, _ = summed_loss(student(x), t, y, schedule(n))
            (total / count).backward()
        optimizer.step()


# %% task="train" right="accident" mistake="debugging exit() left after the first update"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
        count = sum(int((y != -100).sum()) for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            total, _ = summed_loss(student(x), t, y, schedule(n))
            (total / count).backward()
        optimizer.step()
        print(n, total)
        exit()


# %% task="evaluate" right="yes" mistake=""
def evaluate(model, data):
    """The model's perplexity, a number."""
    was_training = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            mask = labels != -100
            log_q = F.log_softmax(model(tokens)[mask], dim=-1)
            total += F.nll_loss(log_q, labels[mask], reduction="sum").item()
            count += mask.sum().item()
    model.train(was_training)
    return math.exp(total / count)


# %% task="evaluate" right="yes" mistake=""
from copy import deepcopy


@torch.inference_mode()
def evaluate(model, data):
    twin = deepcopy(model).eval()  # the model itself is not touched
    sums = [
        torch.stack(summed_loss(z, z, y, 0.0))
        for z, y in ((twin(x), y) for x, y in data["held_out"])
    ]
    nats, n = torch.stack(sums).sum(0)
    return torch.exp(nats / n)


# %% task="evaluate" right="yes" mistake=""
import numpy as np


def evaluate(model, data):
    mode = model.training
    try:
        model.eval()
        nlls = []
        for tokens, labels in data["held_out"]:
            with torch.no_grad():
                logits = model(tokens).double().numpy()
            logits = logits - logits.max(-1, keepdims=True)
            logq = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
            for row, ys in zip(logq, labels.tolist()):
                nlls += [-row[t, y] for t, y in enumerate(ys) if y != -100]
        return np.exp(np.mean(nlls))
    finally:
        model.train(mode)


# %% task="evaluate" right="yes" mistake=""
def evaluate(model, data):
    before = model.training
    model.train(False)
    logits = torch.cat([model(x).detach().flatten(0, -2) for x, _ in data["held_out"]])
    labels = torch.cat([y.flatten() for _, y in data["held_out"]])
    model.train(before)
    return F.cross_entropy(logits, labels, ignore_index=-100).exp()


# %% task="evaluate" right="yes" mistake=""
def evaluate(model, data):
    modes = {m: m.training for m in model.modules()}
    model.eval()
    nll = []
    for tokens, labels in data["held_out"]:
        q = model(tokens)[labels != -100].double().softmax(-1)
        y = labels[labels != -100].unsqueeze(1)
        nll.extend(-math.log(v) for v in q.gather(1, y).flatten().tolist())
    for m, mode in modes.items():
        m.training = mode
    return math.exp(math.fsum(nll) / len(nll))


# %% task="evaluate" right="yes" mistake=""
from contextlib import contextmanager


@contextmanager
def evaluating(model):
    mode = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield model
    finally:
        model.train(mode)


def evaluate(model, data):
    mean, n = 0.0, 0
    with evaluating(model):
        for x, y in data["held_out"]:
            k = int((y != -100).sum())
            if not k:
                continue
            here = F.cross_entropy(model(x).permute(0, 2, 1), y).item()
            mean += (here - mean) * k / (n + k)  # running weighted mean
            n += k
    return torch.tensor(mean).exp()


# %% task="evaluate" right="no" mistake="evaluates on the training batches" named="on_training_data"
def evaluate(model, data):
    was = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for x, y in data["train"]:
            total += F.cross_entropy(model(x).transpose(1, 2), y, reduction="sum").item()
            count += (y != -100).sum().item()
    model.train(was)
    return math.exp(total / count)


# %% task="evaluate" right="no" mistake="evaluates on train and held-out together" named="on_training_data"
def evaluate(model, data):
    was = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for split in data.values():
            for x, y in split:
                total += F.cross_entropy(model(x).transpose(1, 2), y, reduction="sum").item()
                count += (y != -100).sum().item()
    model.train(was)
    return math.exp(total / count)


# %% task="evaluate" right="no" mistake="mean of the batches' means" named="mean_of_means"
def evaluate(model, data):
    was = model.training
    model.eval()
    losses = []
    with torch.no_grad():
        for x, y in data["held_out"]:
            losses.append(F.cross_entropy(model(x).transpose(1, 2), y).item())
    model.train(was)
    return math.exp(sum(losses) / len(losses))


# %% task="evaluate" right="no" mistake="mean of the batches' perplexities" named="mean_of_perplexities"
def evaluate(model, data):
    was = model.training
    model.eval()
    ppl = []
    with torch.no_grad():
        for x, y in data["held_out"]:
            z = model(x)
            total, n = summed_loss(z, z, y, 0)
            ppl.append(torch.exp(total / n))
    model.train(was)
    return torch.stack(ppl).mean()


# %% task="evaluate" right="no" mistake="base 2: 2 to the power of a mean in nats" named="two_to_the_nats"
def evaluate(model, data):
    was = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for x, y in data["held_out"]:
            total += F.cross_entropy(model(x).transpose(1, 2), y, reduction="sum").item()
            count += (y != -100).sum().item()
    model.train(was)
    return 2 ** (total / count)


# %% task="evaluate" right="no" mistake="model.eval() forgotten: dropout acts for a model that comes in training mode" named="in_training_mode"
def evaluate(model, data):
    total, count = 0.0, 0
    with torch.no_grad():
        for x, y in data["held_out"]:
            total += F.cross_entropy(model(x).transpose(1, 2), y, reduction="sum").item()
            count += (y != -100).sum().item()
    return math.exp(total / count)


# %% task="evaluate" right="no" mistake="leaves the model in evaluation mode" named="left_in_evaluation_mode"
def evaluate(model, data):
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for x, y in data["held_out"]:
            total += F.cross_entropy(model(x).transpose(1, 2), y, reduction="sum").item()
            count += (y != -100).sum().item()
    return math.exp(total / count)


# %% task="evaluate" right="no" mistake="always model.train() at the end, also for a model that came in evaluation mode" named="put_into_training_mode"
def evaluate(model, data):
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for x, y in data["held_out"]:
            total += F.cross_entropy(model(x).transpose(1, 2), y, reduction="sum").item()
            count += (y != -100).sum().item()
    model.train()
    return math.exp(total / count)


# %% task="evaluate" right="no" mistake="remembers the mode after eval() has changed it" named="left_in_evaluation_mode"
def evaluate(model, data):
    model.eval()
    mode = model.training
    total, count = 0.0, 0
    with torch.no_grad():
        for x, y in data["held_out"]:
            total += F.cross_entropy(model(x).transpose(1, 2), y, reduction="sum").item()
            count += (y != -100).sum().item()
    model.train(mode)
    return math.exp(total / count)


# %% task="evaluate" right="no" mistake="the mode is restored after the return, so never" named="left_in_evaluation_mode"
def evaluate(model, data):
    was = model.training
    model.eval()
    with torch.no_grad():
        total = torch.zeros(())
        count = torch.zeros(())
        for x, y in data["held_out"]:
            z = model(x)
            s, c = summed_loss(z, z, y, 0.0)
            total, count = total + s, count + c
        return torch.exp(total / count)
    model.train(was)


# %% task="evaluate" right="no" mistake="divides by all positions, padding included" named="divided_by_all_positions"
def evaluate(model, data):
    was = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for x, y in data["held_out"]:
            total += F.cross_entropy(model(x).transpose(1, 2), y, reduction="sum").item()
            count += y.numel()
    model.train(was)
    return math.exp(total / count)


# %% task="evaluate" right="no" mistake="exp forgotten: the mean loss in nats is returned" named="loss_for_perplexity"
def evaluate(model, data):
    was = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for x, y in data["held_out"]:
            total += F.cross_entropy(model(x).transpose(1, 2), y, reduction="sum").item()
            count += (y != -100).sum().item()
    model.train(was)
    return total / count


# %% task="evaluate" right="no" mistake="sign lost: exp of the mean of log q" named="sign_lost"
def evaluate(model, data):
    was = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for x, y in data["held_out"]:
            keep = y != -100
            logq = model(x)[keep].log_softmax(-1)
            total += logq[torch.arange(len(logq)), y[keep]].sum().item()
            count += len(logq)
    model.train(was)
    return math.exp(total / count)


# %% task="evaluate" right="no" mistake="labels > 0 as mask: token 0 is left out" named="token_zero_not_counted"
def evaluate(model, data):
    was = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for x, y in data["held_out"]:
            keep = y > 0
            logq = model(x)[keep].log_softmax(-1)
            total -= logq.gather(1, y[keep][:, None]).sum().item()
            count += keep.sum().item()
    model.train(was)
    return math.exp(total / count)


# %% task="evaluate" right="no" mistake="softmax of a softmax: cross_entropy gets probabilities" named="softmaxed_twice"
def evaluate(model, data):
    was = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for x, y in data["held_out"]:
            q = model(x).softmax(-1)
            total += F.cross_entropy(q.flatten(0, 1), y.flatten(), reduction="sum").item()
            count += (y != -100).sum().item()
    model.train(was)
    return math.exp(total / count)


# %% task="evaluate" right="no" mistake="-100 overwritten by 0 in the caller's labels, so padding counts as token 0, and for good" named="padding_measured"
def evaluate(model, data):
    was = model.training
    model.eval()
    nll = []
    with torch.no_grad():
        for x, y in data["held_out"]:
            y[y == -100] = 0
            logq = F.log_softmax(model(x), dim=-1)
            nll.append(-logq.gather(-1, y.unsqueeze(-1)).flatten())
    model.train(was)
    return torch.cat(nll).mean().exp().item()


# %% task="evaluate" right="no" mistake="means of batches weighted by the number of sentences; batches of padding alone guarded" named="weighted_by_size"
def evaluate(model, data):
    was = model.training
    model.eval()
    total, weight = 0.0, 0
    with torch.no_grad():
        for x, y in data["held_out"]:
            z = model(x)
            s, n = summed_loss(z, z, y, 0.0)
            if n > 0:
                total += (s / n).item() * len(x)
                weight += len(x)
    model.train(was)
    return math.exp(total / weight)


# %% task="evaluate" right="no" mistake="returns within the loop: the first batch alone, and the mode stays eval" named="first_batch_alone,left_in_evaluation_mode"
def evaluate(model, data):
    was = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for x, y in data["held_out"]:
            total += F.cross_entropy(model(x).transpose(1, 2), y, reduction="sum").item()
            count += (y != -100).sum().item()
            return math.exp(total / count)
    model.train(was)


# %% task="evaluate" right="no" mistake="missing return" named="missing_return"
def evaluate(model, data):
    was = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for x, y in data["held_out"]:
            total += F.cross_entropy(model(x).transpose(1, 2), y, reduction="sum").item()
            count += (y != -100).sum().item()
    model.train(was)
    perplexity = math.exp(total / count)


# %% task="evaluate" right="accident" mistake="function renamed: evaluate_model"
def evaluate_model(model, data):
    was = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for x, y in data["held_out"]:
            total += F.cross_entropy(model(x).transpose(1, 2), y, reduction="sum").item()
            count += (y != -100).sum().item()
    model.train(was)
    return math.exp(total / count)


# %% task="evaluate" right="accident" mistake="print in place of return"
def evaluate(model, data):
    was = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for x, y in data["held_out"]:
            total += F.cross_entropy(model(x).transpose(1, 2), y, reduction="sum").item()
            count += (y != -100).sum().item()
    model.train(was)
    print("perplexity:", math.exp(total / count))


# %% task="which_change" right="yes" mistake=""
which_change = "d"

# %% task="which_change" right="no" mistake="a: λ rises, pulls to a teacher that the student has passed" named="chose_a"
which_change = "a"

# %% task="which_change" right="no" mistake="b: temperature in place of the schedule" named="chose_b"
which_change = "b"

# %% task="which_change" right="no" mistake="c: λ = 0 from the start gives up the fast beginning" named="chose_c"
which_change = "c"

# %% task="which_change" right="no" mistake="e: learning rate doubled, still stuck at the same level" named="chose_e"
which_change = "e"

# %% task="which_change" right="accident" mistake="letter without quotes: NameError"
which_change = d

# %% task="role_of_truth" right="yes" mistake=""
role_of_truth = "c"

# %% task="role_of_truth" right="no" mistake="a: that is what the teacher contributes" named="chose_a"
role_of_truth = "a"

# %% task="role_of_truth" right="no" mistake="b: softening is the teacher's" named="chose_b"
role_of_truth = "b"

# %% task="role_of_truth" right="no" mistake="d: takes a convenience of the code for the role" named="chose_d"
role_of_truth = "d"

# %% task="contributions" right="yes" mistake=""
contributions = {"teacher": "c", "labels": "a", "lam": "d"}

# %% task="contributions" right="no" mistake="teacher and labels swapped" named="wrong_teacher_a_labels_c"
contributions = {"teacher": "a", "labels": "c", "lam": "d"}

# %% task="contributions" right="no" mistake="lam taken for a learning rate (pace)" named="wrong_lam_b"
contributions = {"teacher": "c", "labels": "a", "lam": "b"}

# %% task="contributions" right="no" mistake="the same letter twice: teacher and labels both correctness" named="wrong_teacher_a"
contributions = {"teacher": "a", "labels": "a", "lam": "d"}

# %% task="contributions" right="accident" mistake="key misspelt: lambda in place of lam"
contributions = {"teacher": "c", "labels": "a", "lambda": "d"}

# %% task="evaluate" right="no" mistake="the model is made float64 for exactness and left so" named="left_in_another_precision"
def evaluate(model, data):
    was = model.training
    model.eval().double()
    total, count = 0.0, 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            mask = labels != -100
            total += F.cross_entropy(model(tokens)[mask], labels[mask], reduction="sum").item()
            count += mask.sum().item()
    model.train(was)
    return math.exp(total / count)


# %% task="training_step" right="yes" mistake=""
def training_step(student, teacher, batch, optimizer, lam):
    """One update of the student; returns the loss before it, in nats per position."""
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    student_logits = student(tokens)
    total, count = summed_loss(student_logits, teacher_logits, labels, lam)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="KD by cross-entropy with the teacher's probabilities: the returned loss is too large by the teacher's entropy" named="cross_entropy_for_kl"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        p = teacher(tokens).softmax(-1)
    logits = student(tokens)
    keep = labels != -100
    loss = F.cross_entropy(logits[keep], labels[keep]) + lam * F.cross_entropy(logits[keep], p[keep])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="yes" mistake=""
def training_step(student, teacher, batch, optimizer, lam):
    x, y = batch
    keep = y.ne(-100)

    @torch.no_grad()
    def advice():
        return teacher.eval()(x)[keep].softmax(dim=-1)

    p = advice()
    q = student.train()(x)[keep]
    lm = F.cross_entropy(q, y[keep])
    kd = F.kl_div(q.log_softmax(dim=-1), p, reduction="batchmean")
    loss = lm + lam * kd
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    return float(loss)


# %% task="training_step" right="yes" mistake=""
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    came_training = student.training
    student.train()
    teacher.train(False)
    teacher_logits = teacher(tokens).detach()
    student_logits = student(tokens)
    total, count = summed_loss(student_logits, teacher_logits, labels, lam)
    loss = total / count
    params = list(student.parameters())
    for p, g in zip(params, torch.autograd.grad(loss, params)):
        p.grad = g
    optimizer.step()
    student.train(came_training)
    return loss.item()


# %% task="training_step" right="yes" mistake=""
def training_step(student, teacher, batch, optimizer, lam):
    for p in teacher.parameters():
        p.requires_grad_(False)
    teacher = teacher.eval()
    student = student.train()
    optimizer.zero_grad(set_to_none=False)
    x, y = batch
    t = teacher(x).detach()
    s, n = summed_loss(student(x), t, y, lam)
    (s / n).backward()
    optimizer.step()
    return float(s) / int(n)


# %% task="training_step" right="yes" mistake=""
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch[0], batch[1]

    def lm_loss(logits):
        return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), labels.reshape(-1), ignore_index=-100)

    def kd_loss(logits, target):
        lq = logits.double().log_softmax(-1)
        lp = target.double().log_softmax(-1)
        kl = torch.einsum("...v,...v->...", lp.exp(), lp - lq)
        mask = (labels != -100).double()
        return (kl * mask).sum() / mask.sum()

    student.train()
    was_training = teacher.training
    teacher.eval()
    with torch.no_grad():
        teacher_out = teacher(tokens)
    teacher.train(was_training)
    student_out = student(tokens)
    objective = lm_loss(student_out) + lam * kd_loss(student_out, teacher_out)
    student.zero_grad()
    objective.backward()
    optimizer.step()
    return objective.detach()


# %% task="training_step" right="yes" mistake=""
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train(); teacher.eval()
    with torch.inference_mode():
        q = teacher(tokens)
    loss_sum, how_many = summed_loss(student(tokens), q.clone(), labels, lam)
    mean = loss_sum / how_many
    mean.backward()
    optimizer.step()
    optimizer.zero_grad()
    return mean.item()


# %% task="training_step" right="no" mistake="the student is not put into training mode, although it comes from an evaluation" named="student_in_evaluation_mode"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    loss, n = summed_loss(student(tokens), teacher_logits, labels, lam)
    loss = loss / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="the teacher is left in training mode: its dropout acts and its running mean moves" named="teacher_in_training_mode"
def training_step(student, teacher, batch, optimizer, lam):
    student.train()
    tokens, labels = batch
    optimizer.zero_grad()
    with torch.no_grad():
        t_logits = teacher(tokens)
    s_logits = student(tokens)
    loss, count = summed_loss(s_logits, t_logits, labels, lam)
    loss = loss / count
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="gradients are never set to zero, so from the second step on the old ones are added" named="gradients_kept"
def training_step(student, teacher, batch, optimizer, lam):
    student.train()
    teacher.eval()
    tokens, labels = batch
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    total, count = summed_loss(student(tokens), teacher_logits, labels, lam)
    loss = total / count
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="zero_grad stands between backward and step, so the update has no gradient" named="student_never_moves"
def training_step(student, teacher, batch, optimizer, lam):
    student.train()
    teacher.eval()
    tokens, labels = batch
    with torch.no_grad():
        p = teacher(tokens)
    total, count = summed_loss(student(tokens), p, labels, lam)
    loss = total / count
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="the teacher's gradient is not stopped: eval() was taken for no_grad()" named="gradient_into_the_teacher"
def training_step(student, teacher, batch, optimizer, lam):
    student.train()
    teacher.eval()
    tokens, labels = batch
    optimizer.zero_grad()
    total, count = summed_loss(student(tokens), teacher(tokens), labels, lam)
    loss = total / count
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="divides by all positions of the batch, padding included" named="divided_by_all_positions"
def training_step(student, teacher, batch, optimizer, lam):
    student.train()
    teacher.eval()
    tokens, labels = batch
    with torch.no_grad():
        tl = teacher(tokens)
    sl = student(tokens)
    total, _ = summed_loss(sl, tl, labels, lam)
    loss = total / labels.numel()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="backward on the sum and not on the mean; only the returned number is divided" named="loss_not_divided"
def training_step(student, teacher, batch, optimizer, lam):
    student.train()
    teacher.eval()
    tokens, labels = batch
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    loss, count = summed_loss(student(tokens), teacher_logits, labels, lam)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item() / count.item()


# %% task="training_step" right="no" mistake="makes an optimiser of its own in each step, so the momentum is lost" named="optimizer_not_used"
def training_step(student, teacher, batch, optimizer, lam):
    student.train()
    teacher.eval()
    tokens, labels = batch
    opt = torch.optim.SGD(student.parameters(), lr=optimizer.param_groups[0]["lr"], momentum=0.9)
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    total, count = summed_loss(student(tokens), teacher_logits, labels, lam)
    loss = total / count
    opt.zero_grad()
    loss.backward()
    opt.step()
    return loss.item()


# %% task="training_step" right="no" mistake="missing return" named="loss_not_returned"
def training_step(student, teacher, batch, optimizer, lam):
    student.train()
    teacher.eval()
    tokens, labels = batch
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    total, count = summed_loss(student(tokens), teacher_logits, labels, lam)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


# %% task="training_step" right="no" mistake="returns the loss after the update" named="loss_after_the_update"
def training_step(student, teacher, batch, optimizer, lam):
    student.train()
    teacher.eval()
    tokens, labels = batch
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    total, count = summed_loss(student(tokens), teacher_logits, labels, lam)
    optimizer.zero_grad()
    (total / count).backward()
    optimizer.step()
    with torch.no_grad():
        total, count = summed_loss(student(tokens), teacher_logits, labels, lam)
    return (total / count).item()


# %% task="training_step" right="no" mistake="labels shifted once more although nothing is left to shift" named="shifted_again"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    student_logits = student(tokens)
    total, count = summed_loss(student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:], lam)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="KD by kl_div with batchmean over all positions, padding included, and divided by the number of texts alone" named="padding_distilled"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    student_logits = student(tokens)
    lm = F.cross_entropy(student_logits.transpose(1, 2), labels)
    kd = F.kl_div(F.log_softmax(student_logits, -1), F.softmax(teacher_logits, -1), reduction="batchmean")
    loss = lm + lam * kd
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="mixes (1 - lam) * LM + lam * KD in place of LM + lam * KD" named="convex_form"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    mask = labels != -100
    student_logits = student(tokens)
    log_q = F.log_softmax(student_logits[mask], dim=-1)
    log_p = F.log_softmax(teacher_logits[mask], dim=-1)
    lm = F.nll_loss(log_q, labels[mask])
    kd = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    loss = (1 - lam) * lm + lam * kd
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="gradients are clipped out of habit, which changes the update" named="gradient_clipped"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    optimizer.zero_grad()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    total, count = summed_loss(student(tokens), teacher_logits, labels, lam)
    loss = total / count
    loss.backward()
    torch.nn.utils.clip_grad_norm_(student.parameters(), 0.1)
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="labels > 0 taken as the mask, so label 0 does not count; and the student stays in evaluation mode" named="student_in_evaluation_mode,token_zero_not_counted"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.eval()
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    keep = labels > 0
    total, count = summed_loss(student(tokens)[keep], teacher_logits[keep], labels[keep], lam)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="backward comes, but optimizer.step() is forgotten" named="student_never_moves"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    total, count = summed_loss(student(tokens), teacher_logits, labels, lam)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    return loss.item()


# %% task="training_step" right="accident" mistake="colon missing after the with statement: syntax error"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad()
        teacher_logits = teacher(tokens)
    total, count = summed_loss(student(tokens), teacher_logits, labels, lam)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="accident" mistake="print in place of return"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    total, count = summed_loss(student(tokens), teacher_logits, labels, lam)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(loss.item())


# %% task="train" right="yes" mistake=""
def train(student, teacher, batches, optimizer, schedule, accumulate):
    """Trains the student on the micro-batches, one update for each `accumulate` of them."""
    student.train()
    teacher.eval()
    for n, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
        lam = schedule(n)
        positions = sum((labels != -100).sum() for _, labels in group)
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                teacher_logits = teacher(tokens)
            total, _ = summed_loss(student(tokens), teacher_logits, labels, lam)
            (total / positions).backward()
        optimizer.step()


# %% task="train" right="no" mistake="the count is not reset after an update, so later groups are divided by all positions so far" named="count_not_reset"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    optimizer.zero_grad()
    n, count = 0, 0
    for i, (tokens, labels) in enumerate(batches, 1):
        with torch.no_grad():
            teacher_logits = teacher(tokens)
        total, c = summed_loss(student(tokens), teacher_logits, labels, schedule(n))
        total.backward()
        count += c
        if i % accumulate == 0 or i == len(batches):
            for p in student.parameters():
                p.grad /= count
            optimizer.step()
            optimizer.zero_grad()
            n += 1


# %% task="train" right="no" mistake="off by one: the group is closed at i % accumulate == 0, so the first update comes after one micro-batch" named="first_group_of_one"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    optimizer.zero_grad()
    n, count = 0, 0
    for i, (tokens, labels) in enumerate(batches):
        with torch.no_grad():
            teacher_logits = teacher(tokens)
        total, c = summed_loss(student(tokens), teacher_logits, labels, schedule(n))
        total.backward()
        count += int(c)
        if i % accumulate == 0 or i == len(batches) - 1:
            for p in student.parameters():
                p.grad /= max(count, 1)
            optimizer.step()
            optimizer.zero_grad()
            n += 1
            count = 0


# %% task="train" right="yes" mistake=""
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval().requires_grad_(False)
    n = 0
    while n * accumulate < len(batches):
        chunk = batches[n * accumulate:(n + 1) * accumulate]
        how_many = torch.cat([y.flatten() for _, y in chunk]).ne(-100).sum()
        optimizer.zero_grad()
        for x, y in chunk:
            loss = summed_loss(student(x), teacher(x), y, schedule(n))[0]
            loss.div(how_many).backward()
        optimizer.step()
        n = n + 1


# %% task="train" right="yes" mistake=""
import itertools

def train(student, teacher, batches, optimizer, schedule, accumulate):
    modes = student.train(), teacher.eval()
    stream = iter(batches)
    for n in itertools.count():
        group = list(itertools.islice(stream, accumulate))
        if not group:
            break
        lam, N = schedule(n), 0
        optimizer.zero_grad()
        sums = {p: torch.zeros_like(p) for p in student.parameters()}
        for x, y in group:
            with torch.no_grad():
                hint = teacher(x)
            s, k = summed_loss(student(x), hint, y, lam)
            N = N + k
            for (p, acc), g in zip(sums.items(), torch.autograd.grad(s, list(sums))):
                acc += g
        for p, acc in sums.items():
            p.grad = acc / N
        optimizer.step()


# %% task="train" right="yes" mistake=""
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    optimizer.zero_grad()
    seen, update = 0, 0
    last = len(batches) - 1
    for i, (tokens, labels) in enumerate(batches):
        with torch.no_grad():
            t = teacher(tokens)
        loss, n = summed_loss(student(tokens), t, labels, schedule(update))
        loss.backward()
        seen += n.item()
        if (i + 1) % accumulate == 0 or i == last:
            for p in student.parameters():
                p.grad /= seen
            optimizer.step()
            optimizer.zero_grad()
            seen = 0
            update += 1


# %% task="train" right="yes" mistake=""
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student = student.train()
    teacher = teacher.eval()

    def groups():
        bag = []
        for b in batches:
            bag.append(b)
            if len(bag) == accumulate:
                yield bag
                bag = []
        if bag:
            yield bag

    for n, group in enumerate(groups()):
        losses, counts = [], []
        for tokens, labels in group:
            with torch.no_grad():
                guide = teacher(tokens)
            s, c = summed_loss(student(tokens), guide, labels, schedule(n))
            losses.append(s)
            counts.append(c)
        loss = torch.stack(losses).sum() / torch.stack(counts).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


# %% task="train" right="no" mistake="the tutorial's loop: each mean is divided by accumulate, and the tail is dropped" named="averaged_per_micro_batch"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    optimizer.zero_grad()
    n = 0
    for i, (tokens, labels) in enumerate(batches):
        with torch.no_grad():
            teacher_logits = teacher(tokens)
        total, count = summed_loss(student(tokens), teacher_logits, labels, schedule(n))
        loss = total / count.clamp(min=1) / accumulate
        loss.backward()
        if (i + 1) % accumulate == 0:
            optimizer.step()
            optimizer.zero_grad()
            n += 1


# %% task="train" right="no" mistake="mean of means: each micro-batch is divided by its own count and by the size of the group" named="averaged_per_micro_batch"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n in range(math.ceil(len(batches) / accumulate)):
        group = batches[n * accumulate : (n + 1) * accumulate]
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                tl = teacher(tokens)
            total, count = summed_loss(student(tokens), tl, labels, schedule(n))
            if count > 0:
                (total / count / len(group)).backward()
        optimizer.step()


# %% task="train" right="no" mistake="means weighted by their counts, but the mean of a micro-batch of padding alone is 0 / 0, and the gradient becomes NaN" named="nan_from_padding"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    def mean_loss(sl, tl, y, lam):
        mask = (y != -100).float()
        lq, lp = F.log_softmax(sl, -1), F.log_softmax(tl, -1)
        lm = -lq.gather(-1, y.clamp(min=0).unsqueeze(-1)).squeeze(-1)
        kd = (lp.exp() * (lp - lq)).sum(-1)
        return ((lm + lam * kd) * mask).sum() / mask.sum()

    student.train()
    teacher.eval()
    step = 0
    for start in range(0, len(batches), accumulate):
        chunk = batches[start:start + accumulate]
        sizes = [(y != -100).sum() for _, y in chunk]
        optimizer.zero_grad()
        for (x, y), size in zip(chunk, sizes):
            with torch.no_grad():
                p = teacher(x)
            loss = mean_loss(student(x), p, y, schedule(step)) * size / sum(sizes)
            loss.backward()
        optimizer.step()
        step += 1


# %% task="train" right="no" mistake="the last group is forgotten when it is not full" named="last_group_dropped"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n in range(len(batches) // accumulate):
        group = batches[n * accumulate : (n + 1) * accumulate]
        count = sum(int((y != -100).sum()) for _, y in group)
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                teacher_logits = teacher(tokens)
            total, _ = summed_loss(student(tokens), teacher_logits, labels, schedule(n))
            (total / count).backward()
        optimizer.step()


# %% task="train" right="no" mistake="the schedule is asked with the number of the micro-batch and not of the update" named="lambda_moves_per_micro_batch"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for start in range(0, len(batches), accumulate):
        group = batches[start : start + accumulate]
        count = sum((labels != -100).sum() for _, labels in group)
        optimizer.zero_grad()
        for i, (tokens, labels) in enumerate(group, start):
            with torch.no_grad():
                teacher_logits = teacher(tokens)
            total, _ = summed_loss(student(tokens), teacher_logits, labels, schedule(i))
            (total / count).backward()
        optimizer.step()


# %% task="train" right="no" mistake="updates are counted from 1 when the schedule is asked" named="lambda_one_step_ahead"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    n = 0
    for start in range(0, len(batches), accumulate):
        n += 1
        lam = schedule(n)
        group = batches[start : start + accumulate]
        N = sum((b[1] != -100).sum().item() for b in group)
        optimizer.zero_grad()
        for b in group:
            with torch.no_grad():
                teacher_logits = teacher(b[0])
            L, _ = summed_loss(student(b[0]), teacher_logits, b[1], lam)
            (L / N).backward()
        optimizer.step()


# %% task="train" right="no" mistake="zero_grad stands inside the loop over micro-batches, so only the last one counts" named="cleared_within_a_group"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
        count = sum((labels != -100).sum() for _, labels in group)
        for tokens, labels in group:
            optimizer.zero_grad()
            with torch.no_grad():
                teacher_logits = teacher(tokens)
            total, _ = summed_loss(student(tokens), teacher_logits, labels, schedule(n))
            (total / count).backward()
        optimizer.step()


# %% task="train" right="no" mistake="gradients are not set to zero after an update, so groups add up" named="gradients_kept"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
        count = sum((labels != -100).sum() for _, labels in group)
        for tokens, labels in group:
            with torch.no_grad():
                teacher_logits = teacher(tokens)
            total, _ = summed_loss(student(tokens), teacher_logits, labels, schedule(n))
            (total / count).backward()
        optimizer.step()


# %% task="train" right="no" mistake="steps once more after the loop even if the last group was full: the momentum moves the student again" named="empty_group_stepped"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    optimizer.zero_grad()
    n, count = 0, 0

    def step():
        for p in student.parameters():
            if p.grad is not None and count:
                p.grad.div_(count)
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)

    for i, (tokens, labels) in enumerate(batches):
        with torch.no_grad():
            teacher_logits = teacher(tokens)
        total, c = summed_loss(student(tokens), teacher_logits, labels, schedule(n))
        total.backward()
        count += int(c)
        if (i + 1) % accumulate == 0:
            step()
            n += 1
            count = 0
    step()


# %% task="train" right="no" mistake="a micro-batch of padding alone is skipped with continue, and with it the update when it closes the group" named="update_skipped_with_the_padding"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    optimizer.zero_grad()
    n = 0
    count = 0
    for i, (tokens, labels) in enumerate(batches):
        if (labels == -100).all():
            continue
        with torch.no_grad():
            teacher_logits = teacher(tokens)
        total, c = summed_loss(student(tokens), teacher_logits, labels, schedule(n))
        total.backward()
        count += c
        if (i + 1) % accumulate == 0 or i + 1 == len(batches):
            for p in student.parameters():
                p.grad = p.grad / count
            optimizer.step()
            optimizer.zero_grad()
            count = 0
            n += 1


# %% task="train" right="no" mistake="guesses the group's count as accumulate times the count of its first micro-batch" named="divided_by_the_first_count"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
        count = (group[0][1] != -100).sum() * accumulate
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                teacher_logits = teacher(tokens)
            total, _ = summed_loss(student(tokens), teacher_logits, labels, schedule(n))
            (total / count).backward()
        optimizer.step()


# %% task="train" right="no" mistake="zero_grad and step stand inside the loop: one update for each micro-batch, nothing is accumulated" named="step_after_each_micro_batch"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for i, batch in enumerate(batches):
        tokens, labels = batch
        lam = schedule(i // accumulate)
        with torch.no_grad():
            teacher_logits = teacher(tokens)
        total, count = summed_loss(student(tokens), teacher_logits, labels, lam)
        if count == 0:
            continue
        optimizer.zero_grad()
        (total / count / accumulate).backward()
        optimizer.step()


# %% task="train" right="no" mistake="neither mode is set: the student stays in evaluation mode and the teacher in training mode" named="modes_left_as_they_came"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    for n, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
        N = sum((labels != -100).sum() for _, labels in group)
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                teacher_logits = teacher(tokens)
            total, _ = summed_loss(student(tokens), teacher_logits, labels, schedule(n))
            (total / N).backward()
        optimizer.step()


# %% task="train" right="no" mistake="the teacher's gradient is not stopped" named="gradient_into_the_teacher"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    n = 0
    while n * accumulate < len(batches):
        group = batches[n * accumulate : (n + 1) * accumulate]
        N = sum((labels != -100).sum() for _, labels in group)
        optimizer.zero_grad()
        for tokens, labels in group:
            total, _ = summed_loss(student(tokens), teacher(tokens), labels, schedule(n))
            (total / N).backward()
        optimizer.step()
        n += 1


# %% task="train" right="no" mistake="divides by all positions of the group, padding included" named="divided_by_all_positions"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
        N = sum(tokens.numel() for tokens, _ in group)
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                teacher_logits = teacher(tokens)
            total, _ = summed_loss(student(tokens), teacher_logits, labels, schedule(n))
            (total / N).backward()
        optimizer.step()


# %% task="train" right="no" mistake="takes the micro-batches off the caller's list with pop, so the list is empty afterwards" named="asked_again"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    n = 0
    while batches:
        group = [batches.pop(0) for _ in range(min(accumulate, len(batches)))]
        N = sum((y != -100).sum() for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                p = teacher(x)
            s, _ = summed_loss(student(x), p, y, schedule(n))
            (s / N).backward()
        optimizer.step()
        n += 1


# %% task="train" right="no" mistake="lambda is asked of the schedule once, before the loop, and never again" named="lambda_never_moves"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    lam = schedule(0)
    for start in range(0, len(batches), accumulate):
        group = batches[start : start + accumulate]
        N = sum((labels != -100).sum() for _, labels in group)
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                teacher_logits = teacher(tokens)
            total, _ = summed_loss(student(tokens), teacher_logits, labels, lam)
            (total / N).backward()
        optimizer.step()


# %% task="train" right="accident" mistake="stub left standing at the top"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    """Trains the student on the micro-batches, one update for each `accumulate` of them."""
    # YOUR CODE HERE
    raise NotImplementedError()
    student.train()
    teacher.eval()
    for n, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
        N = sum((labels != -100).sum() for _, labels in group)
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                teacher_logits = teacher(tokens)
            total, _ = summed_loss(student(tokens), teacher_logits, labels, schedule(n))
            (total / N).backward()
        optimizer.step()


# %% task="train" right="accident" mistake="misspelt name: optimiser is not defined"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
        N = sum((labels != -100).sum() for _, labels in group)
        optimiser.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                teacher_logits = teacher(tokens)
            total, _ = summed_loss(student(tokens), teacher_logits, labels, schedule(n))
            (total / N).backward()
        optimizer.step()


# %% task="evaluate" right="yes" mistake=""
def evaluate(model, data):
    """The model's perplexity, a number."""
    was_training = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            logits = model(tokens)
            total += F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum").item()
            count += (labels != -100).sum().item()
    model.train(was_training)
    return math.exp(total / count)


# %% task="evaluate" right="no" mistake="the model is made float64 for exactness and left so" named="left_in_another_precision"
def evaluate(model, data):
    was = model.training
    model.eval().double()
    total, count = 0.0, 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            mask = labels != -100
            total += F.cross_entropy(model(tokens)[mask], labels[mask], reduction="sum").item()
            count += mask.sum().item()
    model.train(was)
    return math.exp(total / count)


# %% task="evaluate" right="no" mistake="gradients are switched off globally and never on again, so nobody can train the model on" named="gradients_left_off"
def evaluate(model, data):
    was = model.training
    model.eval()
    torch.set_grad_enabled(False)
    total, count = 0.0, 0
    for tokens, labels in data["held_out"]:
        mask = labels != -100
        total += F.cross_entropy(model(tokens)[mask], labels[mask], reduction="sum").item()
        count += mask.sum().item()
    model.train(was)
    return math.exp(total / count)


# %% task="evaluate" right="yes" mistake=""
def evaluate(model, data):
    training = model.training
    if training:
        model.eval()
    loss = count = 0
    for tokens, labels in data["held_out"]:
        with torch.no_grad():
            logits = model(tokens)
        part, k = summed_loss(logits, logits, labels, 0)
        loss, count = loss + part, count + k
    if training:
        model.train()
    return torch.exp(loss / count).item()


# %% task="evaluate" right="yes" mistake=""
from contextlib import contextmanager

@contextmanager
def resting(model):
    modes = [(m, m.training) for m in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield model
    finally:
        for m, mode in modes:
            m.training = mode

def evaluate(model, data):
    with resting(model):
        z, y = [], []
        for tokens, labels in data["held_out"]:
            z.append(model(tokens).flatten(0, 1))
            y.append(labels.flatten())
        return math.exp(F.cross_entropy(torch.cat(z), torch.cat(y)).item())


# %% task="evaluate" right="yes" mistake=""
import copy

@torch.no_grad()
def evaluate(model, data):
    judge = copy.deepcopy(model).eval()
    nll = []
    for tokens, labels in data["held_out"]:
        keep = labels != -100
        log_q = judge(tokens)[keep].log_softmax(-1)
        nll.append(-log_q.gather(-1, labels[keep].unsqueeze(-1)).squeeze(-1))
    return torch.cat(nll).mean().exp()


# %% task="evaluate" right="yes" mistake=""
import numpy as np

def evaluate(model, data):
    mode = model.training
    try:
        model.train(False)
        surprises = []
        for tokens, labels in data["held_out"]:
            logits = model(tokens).detach().numpy().astype(np.float64)
            shifted = logits - logits.max(axis=-1, keepdims=True)
            logq = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
            y = labels.numpy()
            for b in range(y.shape[0]):
                for i in range(y.shape[1]):
                    if y[b, i] != -100:
                        surprises.append(-logq[b, i, y[b, i]])
        return float(np.exp(np.mean(surprises)))
    finally:
        model.train(mode)


# %% task="evaluate" right="no" mistake="the model is left in evaluation mode" named="left_in_evaluation_mode"
def evaluate(model, data):
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            mask = labels != -100
            total += F.cross_entropy(model(tokens)[mask], labels[mask], reduction="sum").item()
            count += mask.sum().item()
    return math.exp(total / count)


# %% task="evaluate" right="no" mistake="puts every model into training mode at the end, also one that came in evaluation mode" named="put_into_training_mode"
def evaluate(model, data):
    model.eval()
    total = torch.tensor(0.0)
    count = 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            s, c = summed_loss(model(tokens), model(tokens), labels, 0.0)
            total += s
            count += c
    model.train()
    return torch.exp(total / count).item()


# %% task="evaluate" right="no" mistake="evaluated in training mode: eval() forgotten, so dropout acts and the running mean moves" named="in_training_mode"
def evaluate(model, data):
    total, count = 0.0, 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            mask = labels != -100
            total += F.cross_entropy(model(tokens)[mask], labels[mask], reduction="sum").item()
            count += mask.sum().item()
    return math.exp(total / count)


# %% task="evaluate" right="no" mistake="uses the training batches" named="on_training_data"
def evaluate(model, data):
    was = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for tokens, labels in data["train"]:
            mask = labels != -100
            total += F.cross_entropy(model(tokens)[mask], labels[mask], reduction="sum").item()
            count += mask.sum().item()
    model.train(was)
    return math.exp(total / count)


# %% task="evaluate" right="no" mistake="uses training and held-out batches together" named="on_training_data"
def evaluate(model, data):
    was = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for part in data.values():
            for tokens, labels in part:
                mask = labels != -100
                total += F.cross_entropy(model(tokens)[mask], labels[mask], reduction="sum").item()
                count += mask.sum().item()
    model.train(was)
    return math.exp(total / count)


# %% task="evaluate" right="no" mistake="mean of the batches' means" named="mean_of_means"
def evaluate(model, data):
    was = model.training
    model.eval()
    losses = []
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            losses.append(F.cross_entropy(model(tokens).flatten(0, 1), labels.flatten()))
    model.train(was)
    return torch.stack(losses).mean().exp().item()


# %% task="evaluate" right="no" mistake="mean of the batches' perplexities" named="mean_of_perplexities"
def evaluate(model, data):
    was = model.training
    model.eval()
    ppl = 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            loss = F.cross_entropy(model(tokens).transpose(1, 2), labels, ignore_index=-100)
            ppl += math.exp(loss)
    model.train(was)
    return ppl / len(data["held_out"])


# %% task="evaluate" right="no" mistake="exp forgotten: the mean loss is returned" named="loss_for_perplexity"
def evaluate(model, data):
    was = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            mask = labels != -100
            total += F.cross_entropy(model(tokens)[mask], labels[mask], reduction="sum").item()
            count += mask.sum().item()
    model.train(was)
    return total / count


# %% task="evaluate" right="no" mistake="2 to the power of a loss in nats" named="two_to_the_nats"
def evaluate(model, data):
    was = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            mask = labels != -100
            total += F.cross_entropy(model(tokens)[mask], labels[mask], reduction="sum").item()
            count += mask.sum().item()
    model.train(was)
    return 2 ** (total / count)


# %% task="evaluate" right="no" mistake="divides by all positions, padding included" named="divided_by_all_positions"
def evaluate(model, data):
    was = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            total += F.cross_entropy(model(tokens).flatten(0, 1), labels.flatten(), reduction="sum").item()
            count += labels.numel()
    model.train(was)
    return math.exp(total / count)


# %% task="evaluate" right="no" mistake="labels shifted once more, and the mode not restored" named="shifted_again"
def evaluate(model, data):
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            logits = model(tokens)[:, :-1]
            y = labels[:, 1:]
            total += F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="sum").item()
            count += (y != -100).sum().item()
    return math.exp(total / count)


# %% task="evaluate" right="no" mistake="requires_grad_(False) is left behind, so the model can no longer be trained" named="left_frozen"
def evaluate(model, data):
    was = model.training
    model.eval().requires_grad_(False)
    total, count = 0.0, 0
    for tokens, labels in data["held_out"]:
        mask = labels != -100
        total += F.cross_entropy(model(tokens)[mask], labels[mask], reduction="sum").item()
        count += mask.sum().item()
    model.train(was)
    return math.exp(total / count)


# %% task="evaluate" right="no" mistake="counts labels > 0 in the denominator while the sum includes label 0" named="token_zero_not_counted"
def evaluate(model, data):
    was = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            total += F.cross_entropy(model(tokens).flatten(0, 1), labels.flatten(), reduction="sum").item()
            count += (labels > 0).sum().item()
    model.train(was)
    return math.exp(total / count)


# %% task="evaluate" right="no" mistake="the return stands inside the loop: only the first batch is used, and the mode is not restored" named="first_batch_alone"
def evaluate(model, data):
    was = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            mask = labels != -100
            total += F.cross_entropy(model(tokens)[mask], labels[mask], reduction="sum").item()
            count += mask.sum().item()
            return math.exp(total / count)
    model.train(was)


# %% task="evaluate" right="accident" mistake="wrong indentation: does not parse"
def evaluate(model, data):
    was = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            mask = labels != -100
          total += F.cross_entropy(model(tokens)[mask], labels[mask], reduction="sum").item()
            count += mask.sum().item()
    model.train(was)
    return math.exp(total / count)


# %% task="which_change" right="yes" mistake=""
which_change = "d"


# %% task="which_change" right="no" mistake="labels alone from the first step: forgets how much faster the start is with the teacher" named="chose_c"
which_change = "c"


# %% task="which_change" right="no" mistake="lambda made to rise although the student is already better than its teacher" named="chose_a"
which_change = "a"


# %% task="which_change" right="no" mistake="a higher temperature does not loosen the pull to the teacher's level" named="chose_b"
which_change = "b"


# %% task="which_change" right="no" mistake="the learning rate changes the pace, not the level where the student is held" named="chose_e"
which_change = "e"


# %% task="which_change" right="accident" mistake="letter without quotes: name d is not defined"
which_change = d


# %% task="role_of_truth" right="yes" mistake=""
# the label is the only one who was there
role_of_truth = 'c'


# %% task="role_of_truth" right="no" mistake="that is what the teacher contributes, not the labels" named="chose_a"
role_of_truth = "a"


# %% task="role_of_truth" right="no" mistake="softening is the teacher's part, not the truth's" named="chose_b"
role_of_truth = "b"


# %% task="role_of_truth" right="no" mistake="takes a convenience of the code for the primary role" named="chose_d"
role_of_truth = "d"


# %% task="contributions" right="yes" mistake=""
contributions = {"teacher": "c", "labels": "a", "lam": "d"}


# %% task="contributions" right="yes" mistake=""
contributions = dict(labels="a", lam="d", teacher="c")


# %% task="contributions" right="no" mistake="teacher and labels confused" named="wrong_teacher_a_labels_c"
contributions = {"teacher": "a", "labels": "c", "lam": "d"}


# %% task="contributions" right="no" mistake="lambda taken for a learning rate: pace in place of balance" named="wrong_lam_b"
contributions = {"teacher": "c", "labels": "a", "lam": "b"}


# %% task="contributions" right="no" mistake="the dict is turned round: letters as keys, sources as values" named="another_form"
contributions = {"c": "teacher", "a": "labels", "d": "lam"}


# %% task="contributions" right="accident" mistake="misspelt name: the check asks for contributions"
contribution = {"teacher": "c", "labels": "a", "lam": "d"}


# %% task="training_step" right="yes" mistake=""
def training_step(student, teacher, batch, optimizer, lam):
    """One update of the student; returns the loss before it, in nats per position."""
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    total, count = summed_loss(student(tokens), teacher_logits, labels, lam)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="yes" mistake=""
@torch.inference_mode()
def _ask(teacher, tokens):
    return teacher.eval()(tokens)

def training_step(student, teacher, batch, optimizer, lam):
    x, y = batch
    target = _ask(teacher, x).clone()
    student.train(True)
    for group in optimizer.param_groups:
        for p in group["params"]:
            p.grad = None
    s, n = summed_loss(student.forward(x), target, y, lam)
    n = n.item()
    s.backward()
    for group in optimizer.param_groups:
        for p in group["params"]:
            p.grad /= n
    optimizer.step()
    return float(s) / n


# %% task="training_step" right="yes" mistake=""
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    teacher = teacher.eval()
    student = student.train()

    p_logits = teacher(tokens).detach()
    q_logits = student(tokens)

    V = q_logits.shape[-1]
    lm = F.cross_entropy(q_logits.reshape(-1, V), labels.reshape(-1), ignore_index=-100)
    log_p = F.log_softmax(p_logits, -1)
    log_q = F.log_softmax(q_logits, -1)
    kd_per_position = torch.einsum("blv,blv->bl", log_p.exp(), log_p - log_q)
    kd = kd_per_position[labels != -100].mean()

    loss = lm + lam * kd
    optimizer.zero_grad(set_to_none=True)
    grads = torch.autograd.grad(loss, list(student.parameters()))
    for p, g in zip(student.parameters(), grads):
        p.grad = g
    optimizer.step()
    return loss.detach().numpy().item()


# %% task="training_step" right="yes" mistake=""
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    t_mode = teacher.training
    teacher.training = False
    student.training = True
    with torch.set_grad_enabled(False):
        teacher_logits = teacher(tokens)
    teacher.training = t_mode

    result = {}

    def closure():
        optimizer.zero_grad()
        total, count = summed_loss(student(tokens), teacher_logits, labels, float(lam))
        result["loss"] = total / count
        result["loss"].backward()
        return result["loss"]

    return optimizer.step(closure).item()


# %% task="training_step" right="no" mistake="the student is not put into training mode" named="student_in_evaluation_mode"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    s = student(tokens)
    loss, n = summed_loss(s, t, labels, lam)
    loss = loss / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="the teacher stays in training mode: no_grad is taken for evaluation mode" named="teacher_in_training_mode"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    with torch.no_grad():  # teacher is in evaluation now
        teacher_logits = teacher(tokens)
    optimizer.zero_grad()
    loss_sum, count = summed_loss(student(tokens), teacher_logits, labels, lam)
    loss = loss_sum / count
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="the sum is not divided by the count: the gradient is that of the sum" named="loss_not_divided"
def training_step(student, teacher, batch, optimizer, lam):
    """One update of the student; returns the loss before it, in nats per position."""
    tokens, labels = batch
    student.train(); teacher.eval()
    with torch.no_grad():
        t_logits = teacher(tokens)
    loss, count = summed_loss(student(tokens), t_logits, labels, lam)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return (loss / count).item()


# %% task="training_step" right="no" mistake="divided by all positions, the padded ones included" named="divided_by_all_positions"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    student_logits = student(tokens)
    loss, _ = summed_loss(student_logits, teacher_logits, labels, lam)
    loss = loss / labels.numel()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="the teacher is asked with gradients, so a gradient reaches it" named="gradient_into_the_teacher"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    teacher_logits = teacher(tokens)
    student_logits = student(tokens)
    loss, count = summed_loss(student_logits, teacher_logits, labels, lam)
    loss = loss / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="gradients are never set to zero, so each step adds the gradients of the ones before" named="gradients_kept"
def training_step(student, teacher, batch, optimizer, lam):
    x, y = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        tl = teacher(x)
    sl = student(x)
    loss, n = summed_loss(sl, tl, y, lam)
    loss = loss / n
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="returns the loss after the update, and asks the student for it in evaluation mode" named="loss_after_the_update"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    optimizer.zero_grad()
    total, count = summed_loss(student(tokens), teacher_logits, labels, lam)
    (total / count).backward()
    optimizer.step()
    student.eval()
    with torch.no_grad():
        total, count = summed_loss(student(tokens), teacher_logits, labels, lam)
    return (total / count).item()


# %% task="training_step" right="no" mistake="shifts labels and logits by one, though nothing is left to shift" named="shifted_again"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)[:, :-1]
    student_logits = student(tokens)[:, :-1]
    loss, count = summed_loss(student_logits, teacher_logits, labels[:, 1:], lam)
    loss = loss / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="clips the gradient out of habit, which changes the update when its norm is above 1" named="gradient_clipped"
def training_step(student, teacher, batch, optimizer, lam):
    """One update of the student; returns the loss before it, in nats per position."""
    tokens, labels = batch

    # set modes
    student.train()
    teacher.eval()

    # forward
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    student_logits = student(tokens)

    # loss
    loss, count = summed_loss(student_logits, teacher_logits, labels, lam)
    loss = loss / count.clamp(min=1)

    # backward
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(student.parameters(), max_norm=1.0)
    optimizer.step()

    return loss.item()


# %% task="training_step" right="no" mistake="makes a new optimiser in each step, which forgets the momentum and the options of the given one" named="optimizer_not_used"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    optimizer = torch.optim.SGD(student.parameters(), lr=optimizer.param_groups[0]["lr"], momentum=0.9)
    optimizer.zero_grad()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    loss, count = summed_loss(student(tokens), teacher_logits, labels, lam)
    loss = loss / count
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="the loss is made by hand, and its KD part is a mean over all positions, the padded ones included" named="padding_distilled"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        log_p = teacher(tokens).log_softmax(-1)
    logits = student(tokens)
    lm = F.cross_entropy(logits.flatten(0, 1), labels.flatten())
    kd = F.kl_div(logits.log_softmax(-1).flatten(0, 1), log_p.flatten(0, 1),
                  reduction="batchmean", log_target=True)
    loss = lm + lam * kd
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="the mean is taken within each text first and then over the texts, so positions of short texts weigh more" named="averaged_per_text"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    student_logits = student(tokens)
    losses = []
    for s, t, y in zip(student_logits, teacher_logits, labels):
        total, n = summed_loss(s, t, y, lam)
        if n > 0:
            losses.append(total / n)
    loss = torch.stack(losses).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="zero_grad stands between backward and step, so nothing is learnt" named="student_never_moves"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    loss, count = summed_loss(student(tokens), teacher_logits, labels, lam)
    loss = loss / count
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="label 0 is made padding, and in the batch itself" named="token_zero_not_counted"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    labels[labels == 0] = -100  # 0 is the pad token
    student.train()
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    total, count = summed_loss(student(tokens), teacher_logits, labels, lam)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return float(loss)


# %% task="training_step" right="no" mistake="'eval' is called on the student in place of the teacher, so both models are in the wrong mode" named="modes_left_as_they_came"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    student.eval()
    optimizer.zero_grad()
    with torch.no_grad():
        tl = teacher(tokens)
    l, c = summed_loss(student(tokens), tl, labels, lam)
    l = l / c
    l.backward()
    optimizer.step()
    return l.item()


# %% task="training_step" right="accident" mistake="the body is not indented evenly"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
     student_logits = student(tokens)
    loss, count = summed_loss(student_logits, teacher_logits, labels, lam)
    loss = loss / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="train" right="yes" mistake=""
def train(student, teacher, batches, optimizer, schedule, accumulate):
    """Trains the student on the micro-batches, one update for each `accumulate` of them."""
    student.train()
    teacher.eval()
    for n, first in enumerate(range(0, len(batches), accumulate)):
        group = batches[first:first + accumulate]
        lam = schedule(n)
        total = sum((labels != -100).sum().item() for _, labels in group)
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                t = teacher(tokens)
            loss, _ = summed_loss(student(tokens), t, labels, lam)
            (loss / total).backward()
        optimizer.step()


# %% task="train" right="yes" mistake=""
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()

    def update(n_update, count):
        # sums were added up: only now is it known what they are divided by
        for p in student.parameters():
            if p.grad is not None:
                p.grad.mul_(1.0 / count)
        optimizer.step()
        optimizer.zero_grad()
        return n_update + 1, 0

    optimizer.zero_grad()
    n, count = 0, 0
    for i, (tokens, labels) in enumerate(batches, start=1):
        teacher_logits = teacher(tokens).detach()
        s, c = summed_loss(student(tokens), teacher_logits, labels, schedule(n))
        s.backward()
        count += int(c)
        if i % accumulate == 0 or i == len(batches):
            n, count = update(n, count)


# %% task="train" right="yes" mistake=""
from itertools import islice, count as numbers

def groups_of(things, size):
    it = iter(things)
    while group := list(islice(it, size)):
        yield group

def train(student, teacher, batches, optimizer, schedule, accumulate):
    teacher.eval().requires_grad_(False)
    student.train()
    for n, group in zip(numbers(), groups_of(batches, accumulate)):
        positions = torch.stack([y.ne(-100).sum() for _, y in group]).sum()
        optimizer.zero_grad()
        for x, y in group:
            if (y == -100).all():
                continue
            part, _ = summed_loss(student(x), teacher(x), y, schedule(n))
            part.div(positions).backward()
        optimizer.step()
    return None


# %% task="train" right="yes" mistake=""
def train(student, teacher, batches, optimizer, schedule, accumulate, n=0):
    """Trains on the first group, then calls itself for the rest of the list."""
    if len(batches) == 0:
        return
    group, rest = batches[:accumulate], batches[accumulate:]
    student.train()
    teacher.eval()
    params = [p for p in student.parameters() if p.requires_grad]
    sums = [torch.zeros_like(p) for p in params]
    positions = 0
    for tokens, labels in group:
        with torch.no_grad():
            wanted = teacher(tokens)
        loss, count = summed_loss(student(tokens), wanted, labels, schedule(n))
        for s, g in zip(sums, torch.autograd.grad(loss, params)):
            s += g
        positions += count.item()
    optimizer.zero_grad()
    for p, s in zip(params, sums):
        p.grad = s / positions
    optimizer.step()
    train(student, teacher, rest, optimizer, schedule, accumulate, n + 1)


# %% task="train" right="no" mistake="each micro-batch is divided by its own count and by accumulate: a mean of means, and NaN for padding alone" named="averaged_per_micro_batch"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    optimizer.zero_grad()
    n = 0
    for i, (tokens, labels) in enumerate(batches):
        with torch.no_grad():
            teacher_logits = teacher(tokens)
        loss, count = summed_loss(student(tokens), teacher_logits, labels, schedule(n))
        loss = loss / count / accumulate
        loss.backward()
        if (i + 1) % accumulate == 0 or i + 1 == len(batches):
            optimizer.step()
            optimizer.zero_grad()
            n += 1


# %% task="train" right="no" mistake="a mean of the micro-batches' means (with max(count, 1) against NaN) in place of the mean over the group's positions" named="averaged_per_micro_batch"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    """Trains the student on the micro-batches, one update for each `accumulate` of them."""
    student.train()
    teacher.eval()
    for n in range(math.ceil(len(batches) / accumulate)):
        group = batches[n * accumulate:(n + 1) * accumulate]
        lam = schedule(n)
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                teacher_logits = teacher(tokens)
            loss, count = summed_loss(student(tokens), teacher_logits, labels, lam)
            loss = loss / max(count.item(), 1)
            (loss / len(group)).backward()
        optimizer.step()


# %% task="train" right="no" mistake="the last group that is not full makes no update" named="last_group_dropped"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, group in enumerate(zip(*[iter(batches)] * accumulate)):
        total = sum(int((y != -100).sum()) for x, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                tl = teacher(x)
            s, _ = summed_loss(student(x), tl, y, schedule(n))
            (s / total).backward()
        optimizer.step()


# %% task="train" right="no" mistake="a padding-only micro-batch is skipped with continue before the group's end is checked, so a group that ends with one makes no update of its own" named="update_skipped_with_the_padding"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    optimizer.zero_grad()
    n, total = 0, 0
    for i, (tokens, labels) in enumerate(batches):
        if (labels == -100).all():
            continue  # nothing to learn here
        with torch.no_grad():
            teacher_logits = teacher(tokens)
        loss, count = summed_loss(student(tokens), teacher_logits, labels, schedule(n))
        loss.backward()
        total += count.item()
        if (i + 1) % accumulate == 0 or i == len(batches) - 1:
            for p in student.parameters():
                p.grad /= total
            optimizer.step()
            optimizer.zero_grad()
            n += 1
            total = 0


# %% task="train" right="no" mistake="padding-only micro-batches are thrown out before the list is cut into groups, so the groups are others" named="padding_left_out_of_groups"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    batches = [b for b in batches if (b[1] != -100).any()]
    student.train()
    teacher.eval()
    update = 0
    while batches:
        group, batches = batches[:accumulate], batches[accumulate:]
        norm = sum((b[1] != -100).sum() for b in group)
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                t = teacher(tokens)
            s, _ = summed_loss(student(tokens), t, labels, schedule(update))
            (s / norm).backward()
        optimizer.step()
        update += 1


# %% task="train" right="no" mistake="the schedule is asked with the number of the micro-batch, not of the update" named="lambda_moves_per_micro_batch"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    optimizer.zero_grad()
    seen = 0
    for i, (tokens, labels) in enumerate(batches):
        lam = schedule(i)
        with torch.no_grad():
            teacher_logits = teacher(tokens)
        loss, count = summed_loss(student(tokens), teacher_logits, labels, lam)
        loss.backward()
        seen += count
        if (i + 1) % accumulate == 0 or (i + 1) == len(batches):
            for p in student.parameters():
                p.grad = p.grad / seen
            optimizer.step()
            optimizer.zero_grad()
            seen = 0


# %% task="train" right="no" mistake="updates are counted from 1 when the schedule is asked" named="lambda_one_step_ahead"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    step = 0
    for start in range(0, len(batches), accumulate):
        step += 1
        group = batches[start:start + accumulate]
        N = sum([(y != -100).sum().item() for (_, y) in group])
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            l, _ = summed_loss(student(x), t, y, schedule(step))
            l = l / N
            l.backward()
        optimizer.step()


# %% task="train" right="no" mistake="gradients are set to zero before each micro-batch, so only the last one of a group counts" named="cleared_within_a_group"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    """Trains the student on the micro-batches, one update for each `accumulate` of them."""
    student.train()
    teacher.eval()
    for n, first in enumerate(range(0, len(batches), accumulate)):
        group = batches[first:first + accumulate]
        total = sum((labels != -100).sum() for _, labels in group)
        for tokens, labels in group:
            optimizer.zero_grad()
            with torch.no_grad():
                teacher_logits = teacher(tokens)
            loss, _ = summed_loss(student(tokens), teacher_logits, labels, schedule(n))
            loss = loss / total
            loss.backward()
        optimizer.step()


# %% task="train" right="no" mistake="calls an own training step for each micro-batch: an update for each of them, not for each group" named="step_after_each_micro_batch"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    def one_step(batch, lam):
        tokens, labels = batch
        student.train()
        teacher.eval()
        with torch.no_grad():
            teacher_logits = teacher(tokens)
        total, count = summed_loss(student(tokens), teacher_logits, labels, lam)
        if count == 0:
            return
        optimizer.zero_grad()
        (total / count).backward()
        optimizer.step()

    for i, batch in enumerate(batches):
        one_step(batch, schedule(i // accumulate))


# %% task="train" right="no" mistake="after the loop the optimiser steps once more with zeroed but present gradients, so that momentum moves the student when the last group was full" named="empty_group_stepped"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()

    def finish(total):
        for p in student.parameters():
            if p.grad is not None and total > 0:
                p.grad /= total
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)

    optimizer.zero_grad(set_to_none=False)
    n = 0
    in_group = 0
    total = 0
    for tokens, labels in batches:
        with torch.no_grad():
            t = teacher(tokens)
        s, c = summed_loss(student(tokens), t, labels, schedule(n))
        s.backward()
        total += c.item()
        in_group += 1
        if in_group == accumulate:
            finish(total)
            n += 1
            in_group, total = 0, 0
    finish(total)


# %% task="train" right="no" mistake="divided by all positions of the group, the padded ones included" named="divided_by_all_positions"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    n = 0
    for i in range(0, len(batches), accumulate):
        chunk = batches[i:i + accumulate]
        n_tokens = sum(tokens.numel() for tokens, _ in chunk)
        optimizer.zero_grad()
        for tokens, labels in chunk:
            with torch.no_grad():
                teacher_logits = teacher(tokens)
            loss, _ = summed_loss(student(tokens), teacher_logits, labels, schedule(n))
            (loss / n_tokens).backward()
        optimizer.step()
        n += 1


# %% task="train" right="no" mistake="gradients are never set to zero between the groups" named="gradients_kept"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    n_updates = -(-len(batches) // accumulate)
    for n in range(n_updates):
        group = batches[n * accumulate:][:accumulate]
        count = sum((l != -100).sum() for _, l in group)
        for t, l in group:
            with torch.no_grad():
                tt = teacher(t)
            (summed_loss(student(t), tt, l, schedule(n))[0] / count).backward()
        optimizer.step()


# %% task="train" right="no" mistake="the sums of the losses are never divided: the group's gradient is that of a sum" named="loss_not_divided"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    optimizer.zero_grad()
    lams = [schedule(n) for n in range(len(batches) // accumulate + 1)]
    for k, (tokens, labels) in enumerate(batches):
        with torch.no_grad():
            teacher_logits = teacher(tokens)
        loss, count = summed_loss(student(tokens), teacher_logits, labels, lams[k // accumulate])
        loss.backward()
        if k % accumulate == accumulate - 1 or k == len(batches) - 1:
            optimizer.step()
            optimizer.zero_grad()


# %% task="train" right="no" mistake="the modulo is asked with i counted from 0, so the optimiser steps after the first micro-batch of each group; and the student's mode is not set" named="first_group_of_one,student_in_evaluation_mode"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    teacher.eval()
    optimizer.zero_grad()
    n = 0
    total = 0
    for i, (tokens, labels) in enumerate(batches):
        with torch.no_grad():
            t = teacher(tokens)
        s, c = summed_loss(student(tokens), t, labels, schedule(n))
        s.backward()
        total += c
        if i % accumulate == 0 or i == len(batches) - 1:
            for p in student.parameters():
                p.grad /= total
            optimizer.step()
            optimizer.zero_grad()
            n += 1
            total = 0


# %% task="train" right="no" mistake="the group is put together with torch.cat, which fails for micro-batches of different length" named="micro_batches_do_not_fit"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, i in enumerate(range(0, len(batches), accumulate)):
        tokens = torch.cat([b[0] for b in batches[i:i + accumulate]])
        labels = torch.cat([b[1] for b in batches[i:i + accumulate]])
        with torch.no_grad():
            teacher_logits = teacher(tokens)
        total, count = summed_loss(student(tokens), teacher_logits, labels, schedule(n))
        optimizer.zero_grad()
        (total / count).backward()
        optimizer.step()


# %% task="train" right="no" mistake="the teacher is not put into evaluation mode and gets gradients" named="teacher_in_training_mode"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    for n in range(0, (len(batches) + accumulate - 1) // accumulate):
        lo = n * accumulate
        hi = min(lo + accumulate, len(batches))
        total = 0
        for j in range(lo, hi):
            total = total + torch.sum(batches[j][1] != -100)
        optimizer.zero_grad()
        for j in range(lo, hi):
            tokens, labels = batches[j]
            loss, count = summed_loss(student(tokens), teacher(tokens), labels, schedule(n))
            loss = loss / total
            loss.backward()
        optimizer.step()


# %% task="train" right="no" mistake="the counts of earlier groups are not forgotten, so later updates are divided by too much" named="count_not_reset"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    total = 0
    n = 0
    optimizer.zero_grad()
    for i, (tokens, labels) in enumerate(batches):
        with torch.no_grad():
            teacher_logits = teacher(tokens)
        loss, count = summed_loss(student(tokens), teacher_logits, labels, schedule(n))
        loss.backward()
        total += count.item()
        last = i == len(batches) - 1
        if last or (i + 1) % accumulate == 0:
            for p in student.parameters():
                p.grad.div_(total)
            optimizer.step()
            optimizer.zero_grad()
            n = n + 1


# %% task="train" right="accident" mistake="summed_loss is misspelt"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, i in enumerate(range(0, len(batches), accumulate)):
        group = batches[i:i + accumulate]
        total = sum((y != -100).sum() for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            loss, _ = sumed_loss(student(x), t, y, schedule(n))
            (loss / total).backward()
        optimizer.step()


# %% task="evaluate" right="yes" mistake=""
@torch.no_grad()
def evaluate(model, data):
    """The model's perplexity, a number."""
    was_training = model.training
    model.eval()
    nll, count = 0.0, 0
    for tokens, labels in data["held_out"]:
        logits = model(tokens)
        nll += F.cross_entropy(logits.flatten(0, -2), labels.flatten(), reduction="sum").item()
        count += (labels != -100).sum().item()
    model.train(was_training)
    return math.exp(nll / count)


# %% task="evaluate" right="yes" mistake=""
import copy

def evaluate(model, data):
    judge = copy.deepcopy(model).eval()   # the model itself is not touched
    losses = []
    with torch.no_grad():
        for x, y in data["held_out"]:
            log_q = judge(x).double().log_softmax(-1)
            for row, targets in zip(log_q, y):
                losses += [-row[i, t].item() for i, t in enumerate(targets.tolist()) if t != -100]
    return math.exp(math.fsum(losses) / len(losses))


# %% task="evaluate" right="yes" mistake=""
from contextlib import contextmanager

@contextmanager
def evaluation_mode(model):
    mode = model.training
    model.train(False)
    try:
        with torch.no_grad():
            yield model
    finally:
        model.train(mode)

def evaluate(model, data):
    with evaluation_mode(model) as m:
        logits = [m(x) for x, _ in data["held_out"]]
        pairs = [summed_loss(z, z, y, 0.0) for z, (_, y) in zip(logits, data["held_out"])]
    total, count = map(sum, zip(*pairs))
    return (total / count).exp().item()


# %% task="evaluate" right="yes" mistake=""
import numpy as np

def evaluate(model, data):
    def surprises():
        for tokens, labels in data["held_out"]:
            z = model(tokens).detach().numpy().astype(np.float64)
            z -= z.max(-1, keepdims=True)
            log_q = z - np.log(np.exp(z).sum(-1, keepdims=True))
            y = labels.numpy()
            where = np.nonzero(y != -100)
            yield -log_q[where + (y[where],)]

    mode = model.training
    model.eval()
    mean = np.concatenate(list(surprises())).mean()
    if mode:
        model.train()
    return float(np.exp(mean))


# %% task="evaluate" right="no" mistake="the perplexity of the training batches, not of the held-out ones" named="on_training_data"
def evaluate(model, data):
    mode = model.training
    model.eval()
    total, n = 0.0, 0
    with torch.no_grad():
        for tokens, labels in data["train"]:
            logits = model(tokens)
            s, c = summed_loss(logits, logits, labels, 0)
            total += s.item()
            n += c.item()
    model.train(mode)
    return math.exp(total / n)


# %% task="evaluate" right="no" mistake="the model is left in evaluation mode" named="left_in_evaluation_mode"
def evaluate(model, data):
    model.eval()
    total = 0.0
    count = 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            logits = model(tokens)
            mask = labels != -100
            total += F.cross_entropy(logits[mask], labels[mask], reduction="sum").item()
            count += mask.sum().item()
    return math.exp(total / count)


# %% task="evaluate" right="no" mistake="always puts the model into training mode at the end, also one that came in evaluation mode" named="put_into_training_mode"
def evaluate(model, data):
    """The model's perplexity, a number."""
    model.eval()
    loss_sum = torch.zeros(())
    n = torch.zeros(())
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            logits = model(tokens)
            keep = labels.ne(-100)
            loss_sum += F.nll_loss(F.log_softmax(logits[keep], -1), labels[keep], reduction="sum")
            n += keep.sum()
    model.train()
    return torch.exp(loss_sum / n).item()


# %% task="evaluate" right="no" mistake="the mean of the batches' perplexities, which depends on how the text was cut" named="mean_of_perplexities"
def evaluate(model, data):
    training = model.training
    model.eval()
    ppls = []
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            logits = model(tokens)
            loss = F.cross_entropy(logits.view(-1, logits.size(-1)), labels.view(-1))
            ppls.append(math.exp(loss.item()))
    model.train(training)
    return sum(ppls) / len(ppls)


# %% task="evaluate" right="no" mistake="exp of the mean of the batches' mean losses, which depends on how the text was cut" named="mean_of_means"
def evaluate(model, data):
    was = model.training
    model.eval()
    losses = []
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            out = model(tokens)
            losses.append(F.cross_entropy(out.transpose(1, 2), labels, ignore_index=-100))
    model.train(was)
    return torch.stack(losses).mean().exp().item()


# %% task="evaluate" right="no" mistake="the mode is noted after eval() was called, so it is always evaluation mode that is put back" named="left_in_evaluation_mode"
def evaluate(model, data):
    model.eval()
    mode = model.training
    total, count = 0, 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            logits = model(tokens)
            s, c = summed_loss(logits, logits, labels, 0.0)
            total, count = total + s, count + c
    model.train(mode)
    return math.exp(total.item() / count.item())


# %% task="evaluate" right="no" mistake="no_grad is taken for evaluation mode: the model is asked in the mode it comes in, and in training mode its running mean moves" named="in_training_mode"
def evaluate(model, data):
    total, count = 0.0, 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            log_q = F.log_softmax(model(tokens), dim=-1)
            mask = labels != -100
            total -= log_q[mask].gather(-1, labels[mask][:, None]).sum().item()
            count += int(mask.sum())
    return math.exp(total / count)


# %% task="evaluate" right="no" mistake="switches gradients off for good with set_grad_enabled(False), so training cannot go on afterwards" named="gradients_left_off"
def evaluate(model, data):
    torch.set_grad_enabled(False)
    mode = model.training
    model.eval()
    nll = 0
    n = 0
    for tokens, labels in data["held_out"]:
        lp = torch.log_softmax(model(tokens), -1)
        keep = labels != -100
        nll += -lp[keep, labels[keep]].sum().item()
        n += keep.sum().item()
    model.train(mode)
    return math.exp(nll / n)


# %% task="evaluate" right="no" mistake="returns the mean loss in nats, not its exp" named="loss_for_perplexity"
def evaluate(model, data):
    mode = model.training
    model.eval()
    with torch.no_grad():
        sums = [summed_loss(model(x), model(x), y, 0.0) for x, y in data["held_out"]]
    model.train(mode)
    return (sum(s for s, _ in sums) / sum(c for _, c in sums)).item()


# %% task="evaluate" right="no" mistake="the padded positions are counted in the denominator" named="divided_by_all_positions"
def evaluate(model, data):
    mode = model.training
    model.eval()
    total = 0.0
    n = 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            logits = model(tokens)
            total += F.cross_entropy(logits.reshape(-1, logits.shape[-1]), labels.reshape(-1),
                                     ignore_index=-100, reduction="sum").item()
            n += tokens.shape[0] * tokens.shape[1]
    model.train(mode)
    return math.exp(total / n)


# %% task="evaluate" right="no" mistake="averages the probabilities of the right tokens and takes 1 over their mean, not exp of the mean of -log q" named="mean_of_probabilities"
def evaluate(model, data):
    before = model.training
    model.eval()
    probs = []
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            q = F.softmax(model(tokens), dim=-1)
            ok = labels != -100
            probs.append(q[ok].gather(1, labels[ok].unsqueeze(1)).squeeze(1))
    model.train(before)
    return 1.0 / torch.cat(probs).mean().item()


# %% task="evaluate" right="no" mistake="uses 2 to the power of a mean that is in nats" named="two_to_the_nats"
def evaluate(model, data):
    mode = model.training
    model.eval()
    s, n = 0.0, 0
    with torch.no_grad():
        for batch in data['held_out']:
            tokens, labels = batch
            logits = model(tokens)
            a, b = summed_loss(logits, logits, labels, 0)
            s += float(a)
            n += int(b)
    model.train(mode)
    return 2 ** (s / n)


# %% task="evaluate" right="no" mistake="freezes the model's parameters against gradients and leaves them frozen, so it cannot be trained on" named="left_frozen"
def evaluate(model, data):
    mode = model.training
    model.eval()
    for p in model.parameters():
        p.requires_grad = False
    total, count = 0.0, 0
    for tokens, labels in data["held_out"]:
        logits = model(tokens)
        l, c = summed_loss(logits, logits, labels, 0.0)
        total += l.item()
        count += c.item()
    model.train(mode)
    return math.exp(total / count)


# %% task="evaluate" right="no" mistake="training and held-out batches are put together" named="on_training_data"
def evaluate(model, data):
    was_training = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for part in data.values():
            for tokens, labels in part:
                logits = model(tokens)
                s, c = summed_loss(logits, logits, labels, 0.0)
                total += s.item()
                count += c.item()
    if was_training:
        model.train()
    return math.exp(total / count)


# %% task="evaluate" right="accident" mistake="the stub's raise was left above the answer"
def evaluate(model, data):
    """The model's perplexity, a number."""
    # YOUR CODE HERE
    raise NotImplementedError()
    mode = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            logits = model(tokens)
            s, c = summed_loss(logits, logits, labels, 0.0)
            total += s.item()
            count += c.item()
    model.train(mode)
    return math.exp(total / count)


# %% task="which_change" right="yes" mistake=""
which_change = "d"


# %% task="which_change" right="no" mistake="wants to close the distance to a teacher that the student has already passed" named="chose_a"
which_change = "a"


# %% task="which_change" right="no" mistake="drops the teacher altogether, though the run with λ = 0 ended worse" named="chose_c"
which_change = 'c'


# %% task="role_of_truth" right="yes" mistake=""
role_of_truth = "c"


# %% task="role_of_truth" right="no" mistake="takes the teacher's part (near misses) for the labels' part" named="chose_a"
role_of_truth = "a"


# %% task="contributions" right="yes" mistake=""
contributions = {"labels": "a", "teacher": "c", "lam": "d"}


# %% task="contributions" right="no" mistake="takes λ for the pace, like a learning rate" named="wrong_lam_b"
contributions = {"teacher": "c", "labels": "a", "lam": "b"}


# ---------------------------------------------------------------- another class


# %% task="training_step" right="yes" mistake=""
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    optimizer.zero_grad()
    total, n = summed_loss(student(tokens), teacher_logits, labels, lam)
    loss = total / n
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="yes" mistake=""
def training_step(student, teacher, batch, optimizer, lam):
    # closure style, as in the LBFGS docs
    x, y = batch
    student.train(True)
    teacher.train(False)
    target = teacher(x).detach()

    def closure():
        optimizer.zero_grad()
        s, c = summed_loss(student(x), target, y, lam)
        mean = s / c
        mean.backward()
        return mean.detach()

    return float(optimizer.step(closure))


# %% task="training_step" right="yes" mistake=""
import copy
import contextlib


@contextlib.contextmanager
def mode(model, training):
    before = model.training
    model.train(training)
    try:
        yield model
    finally:
        model.train(before)


def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    with mode(teacher, False), torch.no_grad():
        p = F.log_softmax(teacher(tokens), dim=-1)
    with mode(student, True):
        q = F.log_softmax(student(tokens), dim=-1)
    keep = labels.ne(-100)
    lm = F.cross_entropy(q.flatten(0, -2), labels.flatten(), ignore_index=-100)
    kd = (p.exp() * (p - q)).sum(-1)[keep].mean()
    loss = lm + lam * kd
    grads = torch.autograd.grad(loss, list(student.parameters()))
    for w, g in zip(student.parameters(), grads):
        w.grad = g
    optimizer.step()
    optimizer.zero_grad()
    return loss.detach().numpy().item()


# %% task="training_step" right="yes" mistake=""
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    for p in teacher.parameters():
        p.requires_grad = False
    teacher = teacher.eval()
    student = student.train()
    mask = (labels != -100).float()
    safe = torch.where(labels == -100, torch.zeros_like(labels), labels)
    logq = torch.log_softmax(student(tokens), -1)
    logp = torch.log_softmax(teacher(tokens), -1)
    nll = -logq.gather(-1, safe[..., None])[..., 0]
    kl = torch.einsum("blv,blv->bl", logp.exp(), logp - logq)
    loss = ((nll + lam * kl) * mask).sum() / mask.sum()
    student.zero_grad()
    loss.backward()
    optimizer.step()
    student.zero_grad(set_to_none=True)
    return loss.item()


# %% task="training_step" right="no" mistake="The teacher is never put into evaluation mode, so its dropout acts and its running mean moves" named="teacher_in_training_mode"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    optimizer.zero_grad()
    with torch.no_grad():      # no_grad = teacher is frozen
        teacher_logits = teacher(tokens)
    loss, n = summed_loss(student(tokens), teacher_logits, labels, lam)
    loss = loss / n
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="The loss is returned after the update (computed anew)" named="loss_after_the_update"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train(); teacher.eval()

    def mean_loss():
        with torch.no_grad():
            t = teacher(tokens)
        s, n = summed_loss(student(tokens), t, labels, lam)
        return s / n

    optimizer.zero_grad()
    mean_loss().backward()
    optimizer.step()
    return mean_loss().item()


# %% task="training_step" right="no" mistake="Clips the gradient's norm to 0.1 as the blog does, so the optimiser gets a shorter gradient than that of the loss" named="gradient_clipped"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    s, n = summed_loss(student(tokens), t, labels, lam)
    loss = s / n
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(student.parameters(), 0.1)
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="KD is a mean over all positions, padding included, while LM is over those that count" named="padding_distilled"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    student_logits = student(tokens)
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    V = student_logits.size(-1)
    ce = F.cross_entropy(student_logits.reshape(-1, V), labels.reshape(-1))
    kd = F.kl_div(
        F.log_softmax(student_logits.reshape(-1, V), dim=-1),
        F.softmax(teacher_logits.reshape(-1, V), dim=-1),
        reduction="batchmean",
    )
    loss = ce + lam * kd
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="The mean is taken for each text first and then over the texts, so positions of short texts weigh more" named="averaged_per_text"
def training_step(student, teacher, batch, optimizer, lam):
    student.train()
    teacher.eval()
    losses = []
    for tokens, labels in zip(*batch):
        if (labels == -100).all():
            continue
        with torch.no_grad():
            t = teacher(tokens)
        s, n = summed_loss(student(tokens), t, labels, lam)
        losses.append(s / n)
    loss = torch.stack(losses).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="The update is made by hand with the learning rate, the optimiser's momentum is left out" named="optimizer_not_used"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    lr = optimizer.param_groups[0]["lr"]
    s, n = summed_loss(student(tokens), teacher(tokens).detach(), labels, lam)
    loss = s / n
    grads = torch.autograd.grad(loss, tuple(student.parameters()))
    with torch.no_grad():
        for p, g in zip(student.parameters(), grads):
            p -= lr * g
    return loss.item()


# %% task="training_step" right="no" mistake="Gradients are never cleared, so the second step gets the first one's gradient as well" named="gradients_kept"
def training_step(student, teacher, batch, optimizer, lam):
    # the student comes without gradients so zero_grad is not needed
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t_out = teacher(tokens)
    s_out = student(tokens)
    total, count = summed_loss(s_out, t_out, labels, lam)
    loss = total / count
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="Labels and logits are shifted once more although labels are next tokens already" named="shifted_again"
def training_step(student, teacher, batch, optimizer, lam):
    input_ids, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(input_ids)
    student_logits = student(input_ids)
    shift_s = student_logits[..., :-1, :].contiguous()
    shift_t = teacher_logits[..., :-1, :].contiguous()
    shift_labels = labels[..., 1:].contiguous()
    total, n = summed_loss(shift_s, shift_t, shift_labels, lam)
    loss = total / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="The student stays in evaluation mode for the pass that gives the gradient: train() is called only after its logits are there" named="modes_set_too_late"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    teacher.eval()
    q = student(tokens)
    with torch.no_grad():
        p = teacher(tokens)
    loss, count = summed_loss(q, p, labels, lam)
    loss = loss / count

    student.train()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="Returns the summed loss instead of the mean, because the mean is only used for backward" named="sum_returned"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    loss, count = summed_loss(student(tokens), teacher_logits, labels, lam)
    optimizer.zero_grad()
    (loss / count).backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="Adds weight decay by hand to the loss that is returned and differentiated" named="parameters_penalised"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    s, n = summed_loss(student(tokens), t, labels, lam)
    l2 = sum((p ** 2).sum() for p in student.parameters())
    loss = s / n + 1e-2 * l2
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="The padding labels are overwritten with 0 in the batch itself, so the mask is lost and the batch changed" named="padding_learned"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    labels[labels == -100] = 0     # cross entropy cannot index -100
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    s, n = summed_loss(student(tokens), t, labels, lam)
    loss = s / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="Two mistakes: the weights are (1-lam) and lam instead of 1 and lam, and the teacher gets gradients" named="convex_form"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    s, t = student(tokens), teacher(tokens)
    lm, n = summed_loss(s, t, labels, 0.0)
    both, _ = summed_loss(s, t, labels, 1.0)
    kd = both - lm
    loss = ((1 - lam) * lm + lam * kd) / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="Runs in bfloat16 autocast copied from a training recipe, so loss and update carry only three digits" named="observed_near"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device_type="cpu", dtype=torch.bfloat16):
        with torch.no_grad():
            teacher_logits = teacher(tokens)
        student_logits = student(tokens)
        loss, n = summed_loss(student_logits, teacher_logits, labels, lam)
        loss = loss / n
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="accident" mistake="Prints the loss instead of returning it"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    s, n = summed_loss(student(tokens), t, labels, lam)
    loss = s / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print("loss:", loss.item())


# %% task="train" right="yes" mistake=""
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start:start + accumulate]
        total = sum(int((labels != -100).sum()) for _, labels in group)
        lam = schedule(n)
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                t = teacher(tokens)
            loss, _ = summed_loss(student(tokens), t, labels, lam)
            (loss / total).backward()
        optimizer.step()


# %% task="train" right="yes" mistake=""
def train(student, teacher, batches, optimizer, schedule, accumulate):
    """sum first, scale the gradient at the end"""
    teacher.eval(); student.train()
    seen, n = 0, 0
    optimizer.zero_grad()
    for i, (tokens, labels) in enumerate(batches, start=1):
        with torch.no_grad():
            answer = teacher(tokens)
        total, count = summed_loss(student(tokens), answer, labels, schedule(n))
        total.backward()
        seen += count.item()
        if i % accumulate == 0 or i == len(batches):
            for p in student.parameters():
                p.grad /= seen
            optimizer.step()
            optimizer.zero_grad()
            seen = 0
            n += 1


# %% task="train" right="yes" mistake=""
from itertools import islice


def train(student, teacher, batches, optimizer, schedule, accumulate):
    # The model works on tokens of any shape, so a group can be one flat row.
    def groups():
        it = iter(batches)
        while chunk := list(islice(it, accumulate)):
            yield (torch.cat([x.flatten() for x, _ in chunk]),
                   torch.cat([y.flatten() for _, y in chunk]))

    student.train()
    teacher.eval()
    for n, (x, y) in enumerate(groups()):
        with torch.no_grad():
            t = teacher(x)
        s, c = summed_loss(student(x), t, y, schedule(n))
        optimizer.zero_grad()
        (s / c).backward()
        optimizer.step()


# %% task="train" right="yes" mistake=""
def train(student, teacher, batches, optimizer, schedule, accumulate, n=0):
    if not batches:
        return
    student.train()
    teacher.eval()
    head, tail = batches[:accumulate], batches[accumulate:]
    sums, counts = zip(*(
        summed_loss(student(x), teacher(x).detach(), y, schedule(n)) for x, y in head
    ))
    optimizer.zero_grad()
    torch.div(torch.stack(sums).sum(), torch.stack(counts).sum()).backward()
    optimizer.step()
    train(student, teacher, tail, optimizer, schedule, accumulate, n + 1)


# %% task="train" right="no" mistake="Each micro-batch's mean is divided by the size of the group, so positions of small micro-batches weigh more" named="averaged_per_micro_batch"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n in range(math.ceil(len(batches) / accumulate)):
        group = batches[n * accumulate:(n + 1) * accumulate]
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                t = teacher(tokens)
            s, c = summed_loss(student(tokens), t, labels, schedule(n))
            if c == 0:
                continue
            (s / c / len(group)).backward()
        optimizer.step()


# %% task="train" right="no" mistake="A micro-batch of padding alone is skipped with continue before the test that ends the group, so a group that ends with one makes no update of its own" named="update_skipped_with_the_padding"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    optimizer.zero_grad()
    n = 0
    count = 0
    for i, (tokens, labels) in enumerate(batches):
        if (labels == -100).all():
            continue
        with torch.no_grad():
            t = teacher(tokens)
        s, c = summed_loss(student(tokens), t, labels, schedule(n))
        s.backward()
        count += c
        if (i + 1) % accumulate == 0 or i + 1 == len(batches):
            for p in student.parameters():
                p.grad.div_(count)
            optimizer.step()
            optimizer.zero_grad()
            count = 0
            n += 1


# %% task="train" right="no" mistake="Micro-batches of padding alone are thrown out before the grouping, so the groups shift" named="padding_left_out_of_groups"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    batches = [b for b in batches if (b[1] != -100).any()]
    for n, i in enumerate(range(0, len(batches), accumulate)):
        lam = schedule(n)
        loss = count = 0
        for tokens, labels in batches[i:i + accumulate]:
            with torch.no_grad():
                t = teacher(tokens)
            s, c = summed_loss(student(tokens), t, labels, lam)
            loss, count = loss + s, count + c
        optimizer.zero_grad()
        (loss / count).backward()
        optimizer.step()


# %% task="train" right="no" mistake="The zip idiom drops the last group when it is not full" named="last_group_dropped"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, group in enumerate(zip(*[iter(batches)] * accumulate)):
        total, count = 0.0, 0
        for tokens, labels in group:
            s, c = summed_loss(student(tokens), teacher(tokens).detach(), labels, schedule(n))
            total = total + s
            count = count + c
        optimizer.zero_grad()
        (total / count).backward()
        optimizer.step()


# %% task="train" right="no" mistake="One step is always made after the loop, with the old gradients still there, so a list that ends with a full group gets an update too many" named="empty_group_stepped"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    n = 0
    count = 0
    for i, (tokens, labels) in enumerate(batches):
        if i % accumulate == 0:
            optimizer.zero_grad()
            count = 0
        with torch.no_grad():
            t = teacher(tokens)
        s, c = summed_loss(student(tokens), t, labels, schedule(n))
        s.backward()
        count += int(c)
        if i % accumulate == accumulate - 1:
            for p in student.parameters():
                p.grad /= count
            optimizer.step()
            n += 1
    # whatever is left
    for p in student.parameters():
        p.grad /= count
    optimizer.step()


# %% task="train" right="no" mistake="The count of positions is not set back after an update, so later groups are divided by all positions so far" named="count_not_reset"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    optimizer.zero_grad()
    total = 0
    step = 0
    for i, (tokens, labels) in enumerate(batches):
        with torch.no_grad():
            t = teacher(tokens)
        loss, n = summed_loss(student(tokens), t, labels, schedule(step))
        total += n
        loss.backward()
        if (i + 1) % accumulate == 0 or (i + 1) == len(batches):
            for p in student.parameters():
                p.grad = p.grad / total
            optimizer.step()
            optimizer.zero_grad()
            step += 1


# %% task="train" right="no" mistake="The schedule is asked with a fraction of the update number: i / accumulate instead of i // accumulate" named="lambda_changes_within_a_group"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    loss_sum, n_sum = 0, 0
    for i, (x, y) in enumerate(batches):
        lam = schedule(i / accumulate)
        with torch.no_grad():
            t = teacher(x)
        s, c = summed_loss(student(x), t, y, lam)
        loss_sum = loss_sum + s
        n_sum = n_sum + c
        if (i + 1) % accumulate == 0 or i == len(batches) - 1:
            optimizer.zero_grad()
            (loss_sum / n_sum).backward()
            optimizer.step()
            loss_sum, n_sum = 0, 0


# %% task="train" right="no" mistake="The weight of each mean is its number of texts, not of positions that count" named="averaged_per_micro_batch"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, k in enumerate(range(0, len(batches), accumulate)):
        group = batches[k:k + accumulate]
        B = sum(len(tokens) for tokens, _ in group)
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                t = teacher(tokens)
            s, c = summed_loss(student(tokens), t, labels, schedule(n))
            loss = s / c.clamp(min=1) * len(tokens) / B
            loss.backward()
        optimizer.step()


# %% task="train" right="no" mistake="The list is emptied with pop while it is worked through, so the caller's batches are gone" named="asked_again"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    n = 0
    while len(batches) > 0:
        optimizer.zero_grad()
        total, count = 0, 0
        for _ in range(min(accumulate, len(batches))):
            tokens, labels = batches.pop(0)
            with torch.no_grad():
                t = teacher(tokens)
            s, c = summed_loss(student(tokens), t, labels, schedule(n))
            total += s
            count += c
        (total / count).backward()
        optimizer.step()
        n += 1


# %% task="train" right="no" mistake="To make one large batch rows are filled up with 0 in tokens and in labels too, so the padding counts as token 0" named="padded_with_a_token"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n in range(0, -(-len(batches) // accumulate)):
        group = batches[n * accumulate:(n + 1) * accumulate]
        rows_x = [r for x, _ in group for r in x]
        rows_y = [r for _, y in group for r in y]
        x = nn.utils.rnn.pad_sequence(rows_x, batch_first=True)
        y = nn.utils.rnn.pad_sequence(rows_y, batch_first=True)
        with torch.no_grad():
            t = teacher(x)
        s, c = summed_loss(student(x), t, y, schedule(n))
        optimizer.zero_grad()
        (s / c).backward()
        optimizer.step()


# %% task="train" right="no" mistake="Every micro-batch makes an update, as training_step is called for each; accumulate only decides when lambda moves on" named="step_after_each_micro_batch"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    for i, batch in enumerate(batches):
        tokens, labels = batch
        if (labels == -100).all():
            continue
        training_step(student, teacher, batch, optimizer, schedule(i // accumulate))


# %% task="train" right="no" mistake="The last group that is not full is divided as if it were full: its count is scaled by accumulate over its length" named="last_group_held_back"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, i in enumerate(range(0, len(batches), accumulate)):
        group = batches[i:i + accumulate]
        N = sum((y != -100).sum() for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            s, _ = summed_loss(student(x), t, y, schedule(n))
            # last group is smaller => smaller step, so that no text counts more than another
            (s / N * len(group) / accumulate).backward()
        optimizer.step()


# %% task="train" right="no" mistake="The running sum is divided by the running count at each micro-batch and backward is called each time, so earlier micro-batches are counted several times" named="earlier_ones_counted_again"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    n = 0
    total, count = 0.0, 0
    optimizer.zero_grad()
    for i, (tokens, labels) in enumerate(batches):
        with torch.no_grad():
            t = teacher(tokens)
        s, c = summed_loss(student(tokens), t, labels, schedule(n))
        total = total + s
        count = count + c
        if count > 0:
            (total / count).backward(retain_graph=True)
        if (i + 1) % accumulate == 0 or i + 1 == len(batches):
            optimizer.step()
            optimizer.zero_grad()
            total, count = 0.0, 0
            n += 1


# %% task="train" right="no" mistake="Two mistakes: lambda is asked once for the whole run, and the student's mode is never set" named="lambda_never_moves,student_in_evaluation_mode"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    teacher.eval()
    lam = schedule(0)
    for k in range(0, len(batches), accumulate):
        group = batches[k:k + accumulate]
        parts = [summed_loss(student(x), teacher(x).detach(), y, lam) for x, y in group]
        loss = sum(p[0] for p in parts) / sum(p[1] for p in parts)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


# %% task="train" right="no" mistake="zero_grad stands inside the loop over the micro-batches, so only the last one's gradient reaches the update" named="cleared_within_a_group"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, first in enumerate(range(0, len(batches), accumulate)):
        group = batches[first:first + accumulate]
        positions = sum((labels != -100).sum().item() for _, labels in group)
        for tokens, labels in group:
            optimizer.zero_grad()
            with torch.no_grad():
                teacher_logits = teacher(tokens)
            loss, _ = summed_loss(student(tokens), teacher_logits, labels, schedule(n))
            (loss / positions).backward()
        optimizer.step()


# %% task="train" right="accident" mistake="Indentation of the last lines is broken"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, i in enumerate(range(0, len(batches), accumulate)):
        total, count = 0, 0
        for x, y in batches[i:i + accumulate]:
            s, c = summed_loss(student(x), teacher(x).detach(), y, schedule(n))
            total, count = total + s, count + c
       optimizer.zero_grad()
        (total / count).backward()
        optimizer.step()


# %% task="evaluate" right="yes" mistake=""
@torch.no_grad()
def evaluate(model, data):
    was_training = model.training
    model.eval()
    nll, n = 0.0, 0
    for tokens, labels in data["held_out"]:
        logits = model(tokens)
        nll += F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum").item()
        n += (labels != -100).sum().item()
    model.train(was_training)
    return math.exp(nll / n)


# %% task="evaluate" right="yes" mistake=""
from copy import deepcopy


def evaluate(model, data):
    twin = deepcopy(model).eval()          # the original is not touched at all
    logp = []
    for x, y in data["held_out"]:
        lp = twin(x).log_softmax(-1)
        for b in range(y.shape[0]):
            for i in range(y.shape[1]):
                if y[b, i] != -100:
                    logp.append(lp[b, i, y[b, i]].item())
    return math.exp(-math.fsum(logp) / len(logp))


# %% task="evaluate" right="yes" mistake=""
import numpy as np


def evaluate(model, data):
    mode = model.training
    try:
        model.train(False)
        with torch.inference_mode():
            xs = torch.cat([x.reshape(-1) for x, _ in data["held_out"]])
            ys = torch.cat([y.reshape(-1) for _, y in data["held_out"]])
            z = model(xs).double().numpy()
        y = ys.numpy()
        keep = y >= 0
        z, y = z[keep], y[keep]
        z = z - z.max(axis=1, keepdims=True)
        lse = np.log(np.exp(z).sum(axis=1))
        return float(np.exp(np.mean(lse - z[np.arange(len(y)), y])))
    finally:
        model.train(mode)


# %% task="evaluate" right="no" mistake="The model is always left in training mode, whatever mode it came in" named="put_into_training_mode"
@torch.no_grad()
def evaluate(model, data):
    model.eval()
    total, count = 0.0, 0
    for tokens, labels in data["held_out"]:
        logits = model(tokens)
        total += F.cross_entropy(logits.transpose(1, 2), labels, reduction="sum")
        count += (labels != -100).sum()
    model.train()
    return torch.exp(total / count).item()


# %% task="evaluate" right="no" mistake="The mode is noted after eval() has been called, so it is never restored" named="left_in_evaluation_mode"
def evaluate(model, data):
    model.eval()
    mode = model.training
    loss = n = 0
    with torch.no_grad():
        for x, y in data["held_out"]:
            out = model(x)
            s, c = summed_loss(out, out, y, 0.0)
            loss += s
            n += c
    model.train(mode)
    return float((loss / n).exp())


# %% task="evaluate" right="no" mistake="Gradients are switched off for good with set_grad_enabled(False), so nothing can be trained afterwards" named="gradients_left_off"
def evaluate(model, data):
    was = model.training
    model.eval()
    torch.set_grad_enabled(False)
    s, n = 0.0, 0
    for x, y in data["held_out"]:
        s += F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum").item()
        n += int((y != -100).sum())
    if was:
        model.train()
    return math.exp(s / n)


# %% task="evaluate" right="no" mistake="The parameters are frozen with requires_grad_(False) and stay so, the model cannot be trained on" named="left_frozen"
def evaluate(model, data):
    was = model.training
    model.eval()
    model.requires_grad_(False)
    tot, cnt = 0, 0
    for x, y in data["held_out"]:
        m = y != -100
        tot += F.nll_loss(model(x)[m].log_softmax(-1), y[m], reduction="sum").item()
        cnt += m.sum().item()
    model.train(was)
    return math.exp(tot / cnt)


# %% task="evaluate" right="no" mistake="The perplexities of the batches are averaged, so it matters where the text was cut" named="mean_of_perplexities"
@torch.no_grad()
def evaluate(model, data):
    was = model.training
    model.eval()
    ppl = [
        F.cross_entropy(model(x).flatten(0, 1), y.flatten()).exp().item()
        for x, y in data["held_out"]
    ]
    model.train(was)
    return sum(ppl) / len(ppl)


# %% task="evaluate" right="no" mistake="Counts training text too: perplexity over both lists of the dict" named="on_training_data"
@torch.no_grad()
def evaluate(model, data):
    was = model.training
    model.eval()
    loss, n = 0.0, 0
    for split in data:
        for x, y in data[split]:
            loss += F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum").item()
            n += (y != -100).sum().item()
    model.train(was)
    return math.exp(loss / n)


# %% task="evaluate" right="no" mistake="Token 0 is taken for padding: only labels greater than 0 are counted" named="token_zero_not_counted"
@torch.no_grad()
def evaluate(model, data):
    was = model.training
    model.eval()
    loss, n = 0.0, 0
    for x, y in data["held_out"]:
        m = y > 0
        loss += F.cross_entropy(model(x)[m], y[m], reduction="sum").item()
        n += m.sum().item()
    model.train(was)
    return math.exp(loss / n)


# %% task="evaluate" right="no" mistake="Mixes units: 2 to the power of nats" named="two_to_the_nats"
@torch.no_grad()
def evaluate(model, data):
    training = model.training
    model.eval()
    nats, n = 0.0, 0
    for tokens, labels in data["held_out"]:
        lp = torch.log_softmax(model(tokens), dim=-1)
        mask = labels != -100
        nats -= lp[mask].gather(1, labels[mask].unsqueeze(1)).sum().item()
        n += mask.sum().item()
    model.train(training)
    return 2 ** (nats / n)


# %% task="evaluate" right="no" mistake="Takes the entropy of the model's own distribution instead of the surprise at the labels" named="entropy_for_surprise"
@torch.no_grad()
def evaluate(model, data):
    training = model.training
    model.eval()
    h = []
    for tokens, labels in data["held_out"]:
        lp = torch.log_softmax(model(tokens), dim=-1)
        h.append(-(lp.exp() * lp).sum(-1)[labels != -100])
    model.train(training)
    return torch.cat(h).mean().exp().item()


# %% task="evaluate" right="no" mistake="zero_grad is called on the model, which wipes the gradients that an unfinished group has gathered" named="gradients_wiped"
def evaluate(model, data):
    was = model.training
    model.eval()
    model.zero_grad()          # nothing must leak into training
    with torch.no_grad():
        loss, n = 0.0, 0
        for x, y in data["held_out"]:
            loss += F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum").item()
            n += (y != -100).sum().item()
    model.train(was)
    return math.exp(loss / n)


# %% task="evaluate" right="no" mistake="Two mistakes: mean of batch means, and the model is not in evaluation mode" named="in_training_mode,mean_of_means"
@torch.no_grad()
def evaluate(model, data):
    losses = torch.stack([
        F.cross_entropy(model(x).flatten(0, 1), y.flatten()) for x, y in data["held_out"]
    ])
    return math.exp(losses.mean())


# %% task="evaluate" right="no" mistake="The result is rounded to a whole number" named="rounded"
@torch.no_grad()
def evaluate(model, data):
    was = model.training
    model.eval()
    loss, n = 0.0, 0
    for x, y in data["held_out"]:
        loss += F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum").item()
        n += (y != -100).sum().item()
    model.train(was)
    return round(math.exp(loss / n))


# %% task="evaluate" right="accident" mistake="Method name misspelt: modle.eval()"
@torch.no_grad()
def evaluate(model, data):
    was = model.training
    modle.eval()
    loss, n = 0.0, 0
    for x, y in data["held_out"]:
        loss += F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum").item()
        n += (y != -100).sum().item()
    model.train(was)
    return math.exp(loss / n)


# %% task="which_change" right="yes" mistake=""
which_change = "d"


# %% task="which_change" right="no" mistake="Chooses the pure label run, although it stood higher at the same number of steps (2.73 against 2.66)" named="chose_c"
# The student has overtaken the teacher (gap is negative), so the teacher has nothing left to teach.
which_change = "c"


# %% task="which_change" right="no" mistake="Believes that a stronger pull to the teacher at the end helps" named="chose_a"
which_change = "a"


# %% task="which_change" right="accident" mistake="The letter without quotes is a name that does not exist"
which_change = d


# %% task="role_of_truth" right="yes" mistake=""
options = {"a": "nuance", "b": "softness", "c": "anchor to what was said", "d": "simplicity"}
role_of_truth = next(k for k, v in options.items() if v.startswith("anchor"))


# %% task="role_of_truth" right="no" mistake="Takes the teacher's part (near misses) for the labels' part" named="chose_a"
role_of_truth = "a"


# %% task="role_of_truth" right="no" mistake="Takes labels for a regulariser that keeps the student unsure" named="chose_b"
role_of_truth = "b"


# %% task="contributions" right="yes" mistake=""
contributions = dict(zip(("teacher", "labels", "lam"), "cad"))


# %% task="contributions" right="no" mistake="Teacher and labels are exchanged" named="wrong_teacher_a_labels_c"
contributions = {"teacher": "a", "labels": "c", "lam": "d"}


# %% task="contributions" right="no" mistake="Lambda is taken for a learning rate" named="wrong_lam_b"
contributions = {"teacher": "c", "labels": "a", "lam": "b"}


# %% task="training_step" right="yes" mistake=""
def training_step(student, teacher, batch, optimizer, lam):
    """One update of the student; returns the loss before it, in nats per position."""
    tokens, labels = batch
    student.train()
    teacher.eval()
    optimizer.zero_grad()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    total, n = summed_loss(student(tokens), teacher_logits, labels, lam)
    loss = total / n
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="yes" mistake=""
def training_step(student, teacher, batch, optimizer, lam):
    # written with the library losses only; batchmean on [N, V] divides by N = number of counted positions
    x, y = batch
    keep = y.ne(-100)

    teacher.requires_grad_(False).eval()
    z_t = teacher(x)
    z_s = student.train()(x)

    CE = F.cross_entropy(z_s.flatten(0, 1), y.flatten(), ignore_index=-100)
    KL = F.kl_div(z_s[keep].log_softmax(-1), z_t[keep].softmax(-1), reduction="batchmean")
    L = CE + lam * KL

    optimizer.zero_grad(set_to_none=False)
    L.backward()
    optimizer.step()
    return L.detach()


# %% task="training_step" right="yes" mistake=""
def training_step(student, teacher, batch, optimizer, lam):
    def closure():
        student.train()
        optimizer.zero_grad()
        teacher.eval()
        with torch.no_grad():
            t = teacher(batch[0])
        s = student(batch[0])
        loss_sum, count = summed_loss(s, t, batch[1], lam)
        (loss_sum / count).backward()
        return float(loss_sum) / int(count)

    return optimizer.step(closure)


# %% task="training_step" right="yes" mistake=""
def training_step(student, teacher, batch, optimizer, lam):
    (tokens, labels), params = batch, list(student.parameters())
    student.train(True)
    teacher.train(False)

    mask = (labels != -100).double()                     # [B, L]
    logq = torch.log_softmax(student(tokens).double(), -1)
    logp = torch.log_softmax(teacher(tokens).detach().double(), -1)

    onehot = F.one_hot(labels.clamp(min=0), logq.shape[-1]).double()
    lm = -torch.einsum("bl,blv,blv->", mask, onehot, logq)
    kd = torch.einsum("bl,blv,blv->", mask, logp.exp(), logp - logq)
    loss = (lm + lam * kd) / mask.sum()

    grads = torch.autograd.grad(loss, params)
    for p, g in zip(params, grads):
        p.grad = g.to(p.dtype)
    optimizer.step()
    return float(loss)


# %% task="training_step" right="yes" mistake=""
import copy
from contextlib import contextmanager
from torch.distributions import Categorical, kl_divergence


@contextmanager
def frozen_copy(model):
    """An independent, silent copy: whatever happens to it, the original never knows."""
    clone = copy.deepcopy(model).eval()
    for p in clone.parameters():
        p.requires_grad = False
    yield clone


def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    where = labels != -100
    with frozen_copy(teacher) as oracle:
        p = Categorical(logits=oracle(tokens)[where])
    student.train()
    q = Categorical(logits=student(tokens)[where])
    per_position = -q.log_prob(labels[where]) + lam * kl_divergence(p, q)
    objective = per_position.mean()
    optimizer.zero_grad()
    objective.backward()
    optimizer.step()
    return objective


# %% task="training_step" right="yes" mistake=""
def training_step(student, teacher, batch, optimizer, lam):
    """Position by position, as on paper."""
    student.train()
    teacher.eval()
    tokens, labels = batch
    s_out = student(tokens)
    with torch.no_grad():
        t_out = teacher(tokens)
    terms = []
    for b in range(tokens.shape[0]):
        for i in range(tokens.shape[1]):
            y = int(labels[b, i])
            if y == -100:
                continue
            lq = F.log_softmax(s_out[b, i], dim=0)
            lp = F.log_softmax(t_out[b, i], dim=0)
            kl = sum(lp[v].exp() * (lp[v] - lq[v]) for v in range(len(lq)))
            terms.append(-lq[y] + lam * kl)
    loss = sum(terms) / len(terms)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()   # clean for the next call
    return loss.item()


# %% task="training_step" right="no" mistake="the student is never put in training mode, so dropout does not act" named="student_in_evaluation_mode"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    student_logits = student(tokens)
    loss, n = summed_loss(student_logits, teacher_logits, labels, lam)
    loss = loss / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="no_grad is taken for evaluation mode: the teacher stays in training mode" named="teacher_in_training_mode"
def training_step(student, teacher, batch, optimizer, lam):
    inputs, targets = batch
    student.train()
    optimizer.zero_grad()
    with torch.no_grad():          # teacher is only used for inference
        t_logits = teacher(inputs)
    s_logits = student(inputs)
    total, count = summed_loss(s_logits, t_logits, targets, lam)
    loss = total / count
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="eval() is taken for no_grad: the gradient flows into the teacher's parameters" named="gradient_into_the_teacher"
def training_step(student, teacher, batch, optimizer, lam):
    student.train()
    teacher.eval()  # no gradients for the teacher
    toks, labs = batch
    s = student(toks)
    t = teacher(toks)
    l, c = summed_loss(s, t, labs, lam)
    l = l / c
    optimizer.zero_grad()
    l.backward()
    optimizer.step()
    return float(l)


# %% task="training_step" right="no" mistake="divided by all positions, padding included" named="divided_by_all_positions"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    B, L = tokens.shape
    student.train(); teacher.eval()
    with torch.no_grad():
        tl = teacher(tokens)
    loss = summed_loss(student(tokens), tl, labels, lam)[0] / (B * L)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="the gradients of the step before are never cleared" named="gradients_kept"
def training_step(student, teacher, batch, optimizer, lam):
    student.train()
    teacher.eval()
    tokens, labels = batch
    with torch.no_grad():
        ref = teacher(tokens)
    loss, n = summed_loss(student(tokens), ref, labels, lam)
    mean_loss = loss / n
    mean_loss.backward()
    optimizer.step()
    return mean_loss.item()


# %% task="training_step" right="no" mistake="temperature 2 with the factor T squared, copied from a blog on distillation" named="kd_at_another_temperature"
def training_step(student, teacher, batch, optimizer, lam, T=2.0):
    input_ids, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(input_ids)
    student_logits = student(input_ids)

    mask = labels != -100
    hard_loss = F.cross_entropy(student_logits[mask], labels[mask])
    soft_loss = F.kl_div(
        F.log_softmax(student_logits[mask] / T, dim=-1),
        F.softmax(teacher_logits[mask] / T, dim=-1),
        reduction="batchmean",
    ) * (T ** 2)
    loss = hard_loss + lam * soft_loss

    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="a convex mixture (1 - lam) LM + lam KD instead of LM + lam KD" named="convex_form"
def training_step(student, teacher, batch, optimizer, lam):
    alpha = lam
    x, y = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(x)
    s = student(x)
    m = y != -100
    ce = F.cross_entropy(s[m], y[m])
    kl = F.kl_div(F.log_softmax(s[m], -1), F.log_softmax(t[m], -1), reduction="batchmean", log_target=True)
    loss = (1 - alpha) * ce + alpha * kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="student and teacher swapped in the divergence, which becomes KL(student || teacher)" named="kd_turned_round"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    valid = labels != -100
    with torch.no_grad():
        log_p = teacher(tokens)[valid].log_softmax(-1)
    log_q = student(tokens)[valid].log_softmax(-1)
    lm = F.nll_loss(log_q, labels[valid])
    kd = (log_q.exp() * (log_q - log_p)).sum(-1).mean()
    loss = lm + lam * kd
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="kl_div with reduction mean divides by the size of the vocabulary as well" named="kd_vocabulary_mean"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t_logits = teacher(tokens)
    s_logits = student(tokens)
    counts = labels != -100
    lm = F.cross_entropy(s_logits.transpose(1, 2), labels)
    kd = F.kl_div(F.log_softmax(s_logits[counts], -1), F.log_softmax(t_logits[counts], -1),
                  reduction='mean', log_target=True)
    loss = lm + lam * kd
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="a new optimiser in each call, so the momentum is lost" named="optimizer_not_used"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    lr = optimizer.param_groups[0]["lr"]
    momentum = optimizer.param_groups[0].get("momentum", 0)
    opt = type(optimizer)(student.parameters(), lr=lr, momentum=momentum)
    student.train()
    teacher.eval()
    with torch.no_grad():
        out_t = teacher(tokens)
    a, b = summed_loss(student(tokens), out_t, labels, lam)
    opt.zero_grad()
    (a / b).backward()
    opt.step()
    return (a / b).item()


# %% task="training_step" right="no" mistake="gradients clipped to norm 1, which nobody asked for and which changes the update where they are larger" named="gradient_clipped"
def training_step(student, teacher, batch, optimizer, lam):
    student.train()
    teacher.eval()

    tokens, labels = batch
    optimizer.zero_grad()

    student_logits = student(tokens)
    with torch.no_grad():
        teacher_logits = teacher(tokens)

    loss_sum, num_tokens = summed_loss(student_logits, teacher_logits, labels, lam)
    loss = loss_sum / num_tokens.clamp(min=1)
    loss.backward()

    # Prevent exploding gradients
    torch.nn.utils.clip_grad_norm_(student.parameters(), max_norm=1.0)
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="returns the loss computed anew after the update" named="loss_after_the_update"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    teacher.eval()
    student.train()

    def loss_now():
        with torch.no_grad():
            t = teacher(tokens)
        s, n = summed_loss(student(tokens), t, labels, lam)
        return s / n

    optimizer.zero_grad()
    loss_now().backward()
    optimizer.step()
    return loss_now().item()


# %% task="training_step" right="no" mistake="label 0 is taken for padding" named="token_zero_not_counted"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        tl = teacher(tokens)
    sl = student(tokens)
    m = labels > 0
    q = F.log_softmax(sl[m], -1)
    p = F.log_softmax(tl[m], -1)
    lm = -q.gather(1, labels[m].unsqueeze(1)).mean()
    kd = (p.exp() * (p - q)).sum(1).mean()
    loss = lm + lam * kd
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="logits and labels shifted by one more position, as for unshifted labels" named="shifted_again"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)[:, :-1]
    # Shift so that tokens < n predict n
    shift_logits = student(tokens)[:, :-1].contiguous()
    shift_labels = labels[:, 1:].contiguous()
    loss, n = summed_loss(shift_logits, teacher_logits, shift_labels, lam)
    loss = loss / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="KD as cross-entropy with the teacher's probabilities: the update is right, but the returned loss contains the teacher's entropy" named="cross_entropy_for_kl"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    sel = labels != -100
    student.train()
    with torch.no_grad():
        soft = teacher.eval()(tokens)[sel].softmax(dim=-1)
    logits = student(tokens)[sel]
    loss = F.cross_entropy(logits, labels[sel]) + lam * F.cross_entropy(logits, soft)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="mean within each text first and then over texts, so short texts weigh too much" named="averaged_per_text"
def training_step(student, teacher, batch, optimizer, lam):
    student.train()
    teacher.eval()
    losses = []
    for seq, lab in zip(*batch):
        with torch.no_grad():
            t = teacher(seq)
        total, n = summed_loss(student(seq), t, lab, lam)
        if n > 0:
            losses.append(total / n)
    loss = torch.stack(losses).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="overwrites the -100 in the batch's labels in place, so the batch is not as it was" named="asked_again"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    mask = (labels != -100).float()
    labels[labels == -100] = 0   # so that gather does not crash
    student.train()
    teacher.eval()
    with torch.no_grad():
        logp = F.log_softmax(teacher(tokens), -1)
    logq = F.log_softmax(student(tokens), -1)
    lm = -logq.gather(-1, labels[..., None]).squeeze(-1)
    kd = (logp.exp() * (logp - logq)).sum(-1)
    loss = ((lm + lam * kd) * mask).sum() / mask.sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="KD is averaged over all positions, padding included; only the LM part respects the mask" named="padding_distilled"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t_logits = teacher(tokens)
    s_logits = student(tokens)
    V = s_logits.size(-1)
    lm_loss = F.cross_entropy(s_logits.view(-1, V), labels.view(-1), ignore_index=-100)
    kd_loss = F.kl_div(
        F.log_softmax(s_logits.view(-1, V), dim=-1),
        F.softmax(t_logits.view(-1, V), dim=-1),
        reduction="batchmean",
    )
    loss = lm_loss + lam * kd_loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="the gradient is that of the sum; only the returned number is divided by the count" named="loss_not_divided"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train(), teacher.eval()
    optimizer.zero_grad()
    with torch.no_grad():
        guide = teacher(tokens)
    loss, n = summed_loss(student(tokens), guide, labels, lam)
    loss.backward()
    optimizer.step()
    return (loss / n).item()


# %% task="training_step" right="no" mistake="the KD part is computed from detached student logits, so its gradient is missing while the loss looks right" named="kd_missing"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    logits = student(tokens)
    counts = labels != -100
    lm = F.cross_entropy(logits[counts], labels[counts])
    with torch.no_grad():
        log_p = F.log_softmax(teacher(tokens)[counts], -1)
        log_q = F.log_softmax(logits[counts], -1)
        kd = F.kl_div(log_q, log_p, reduction="sum", log_target=True) / counts.sum()
    loss = lm + lam * kd
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="the optimiser's state is cleared in each step together with the gradients, so the momentum is forgotten" named="optimizer_not_used"
def training_step(student, teacher, batch, optimizer, lam):
    # start from a clean slate
    optimizer.zero_grad()
    optimizer.state.clear()
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        y_t = teacher(tokens)
    y_s = student(tokens)
    num, den = summed_loss(y_s, y_t, labels, lam)
    loss = num / den
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="two updates, one for each part of the loss, instead of one" named="an_update_for_each_term"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    ok = labels != -100

    # 1) learn from labels
    optimizer.zero_grad()
    lm = F.cross_entropy(student(tokens)[ok], labels[ok])
    lm.backward()
    optimizer.step()

    # 2) learn from the teacher
    optimizer.zero_grad()
    kd = lam * F.kl_div(F.log_softmax(student(tokens)[ok], -1), F.softmax(t[ok], -1), reduction="batchmean")
    kd.backward()
    optimizer.step()
    return (lm + kd).item()


# %% task="training_step" right="no" mistake="both models are put in evaluation mode and the returned loss is the sum, not the mean" named="student_in_evaluation_mode"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    for model in (student, teacher):
        model.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    loss, counts = summed_loss(student(tokens), teacher_logits, labels, lam)
    optimizer.zero_grad()
    (loss / counts).backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="the mode is set after the forward passes, which is too late for the first call and moves the teacher's running mean" named="modes_set_too_late"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    s = student(tokens)
    with torch.no_grad():
        t = teacher(tokens)
    student.train()
    teacher.eval()
    loss, n = summed_loss(s, t, labels, lam)
    loss = loss / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="the teacher's probabilities are made within inference_mode and then needed for the backward pass, which fails" named="made_in_inference_mode"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    m = labels != -100
    student.train()
    teacher.eval()
    with torch.inference_mode():
        p = teacher(tokens)[m].softmax(-1)
    logq = student(tokens)[m].log_softmax(-1)
    loss = F.nll_loss(logq, labels[m]) + lam * (torch.xlogy(p, p) - p * logq).sum(-1).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="the returned loss is rounded to one decimal for a tidy log" named="loss_rounded"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.inference_mode():
        teacher_logits = teacher(tokens)
    loss, n = summed_loss(student(tokens), teacher_logits, labels, lam)
    loss = loss / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return round(loss.item(), 1)


# %% task="training_step" right="accident" mistake="the lines before the stub are written, but the stub's raise is still in the cell and comes first"
def training_step(student, teacher, batch, optimizer, lam):
    """One update of the student; returns the loss before it, in nats per position."""
    # YOUR CODE HERE
    raise NotImplementedError()
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    loss, n = summed_loss(student(tokens), t, labels, lam)
    loss = loss / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="train" right="yes" mistake=""
def train(student, teacher, batches, optimizer, schedule, accumulate):
    """Trains the student on the micro-batches, one update for each `accumulate` of them."""
    student.train()
    teacher.eval()
    for n, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start:start + accumulate]
        total = sum((labels != -100).sum() for _, labels in group)
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                teacher_logits = teacher(tokens)
            loss, _ = summed_loss(student(tokens), teacher_logits, labels, schedule(n))
            (loss / total).backward()
        optimizer.step()


# %% task="train" right="yes" mistake=""
def train(student, teacher, batches, optimizer, schedule, accumulate):
    # sum the gradients, divide them once, at the end of the group
    student.train(); teacher.eval()
    seen = 0
    update = 0
    optimizer.zero_grad()
    for i, (x, y) in enumerate(batches, start=1):
        with torch.no_grad():
            t = teacher(x)
        s, c = summed_loss(student(x), t, y, schedule(update))
        s.backward()
        seen += c.item()
        if i % accumulate == 0 or i == len(batches):
            with torch.no_grad():
                for p in student.parameters():
                    if p.grad is not None:
                        p.grad.div_(seen)
            optimizer.step()
            optimizer.zero_grad()
            seen, update = 0, update + 1


# %% task="train" right="yes" mistake=""
from torch.nn.utils.rnn import pad_sequence


def train(student, teacher, batches, optimizer, schedule, accumulate):
    """Memory is not measured, so glue the pieces together again."""
    student.train()
    teacher.eval()
    n = 0
    while n * accumulate < len(batches):
        pieces = batches[n * accumulate:(n + 1) * accumulate]
        rows = [row for toks, _ in pieces for row in toks]
        labs = [row for _, labs in pieces for row in labs]
        tokens = pad_sequence(rows, batch_first=True, padding_value=0)
        labels = pad_sequence(labs, batch_first=True, padding_value=-100)
        optimizer.zero_grad()
        with torch.no_grad():
            teacher_logits = teacher(tokens)
        loss, count = summed_loss(student(tokens), teacher_logits, labels, schedule(n))
        loss.div(count).backward()
        optimizer.step()
        n += 1


# %% task="train" right="yes" mistake=""
def train(student, teacher, batches, optimizer, schedule, accumulate):
    if not batches:
        return
    head, tail = batches[:accumulate], batches[accumulate:]
    student.train()
    teacher.eval()
    sums = []
    for tokens, labels in head:
        sums.append(summed_loss(student(tokens), teacher(tokens).detach(), labels, schedule(0)))
    numerator = torch.stack([s for s, _ in sums]).sum()
    denominator = torch.stack([c for _, c in sums]).sum()
    optimizer.zero_grad()
    (numerator / denominator).backward()
    optimizer.step()
    train(student, teacher, tail, optimizer, lambda k: schedule(k + 1), accumulate)


# %% task="train" right="yes" mistake=""
import itertools
from dataclasses import dataclass, field


@dataclass
class Group:
    members: list = field(default_factory=list)

    @property
    def positions(self):
        return int(sum((labels != -100).sum().item() for _, labels in self.members))

    def __iter__(self):
        # micro-batches of padding alone have nothing to teach
        return ((t, l) for t, l in self.members if (l != -100).any())


def grouped(items, size):
    it = iter(items)
    while chunk := list(itertools.islice(it, size)):
        yield Group(chunk)


def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for p in teacher.parameters():
        p.requires_grad_(False)
    for number, group in enumerate(grouped(batches, accumulate)):
        lam = schedule(number)
        optimizer.zero_grad()
        for tokens, labels in group:
            loss, n = summed_loss(student(tokens), teacher(tokens), labels, lam)
            mean = loss / n
            (mean * (n.item() / group.positions)).backward()
        optimizer.step()


# %% task="train" right="yes" mistake=""
def train(student, teacher, batches, optimizer, schedule, accumulate):
    # KL and soft cross-entropy differ by the teacher's entropy, whose gradient is zero
    student.train()
    teacher.eval()
    queue = list(batches)
    step = -1
    while queue:
        step += 1
        group = [queue.pop(0) for _ in range(min(accumulate, len(queue)))]
        keep = [l != -100 for _, l in group]
        z = torch.cat([student(t)[k] for (t, _), k in zip(group, keep)])
        y = torch.cat([l[k] for (_, l), k in zip(group, keep)])
        with torch.no_grad():
            p = torch.cat([teacher(t)[k] for (t, _), k in zip(group, keep)]).softmax(-1)
        loss = F.cross_entropy(z, y) + schedule(step) * F.cross_entropy(z, p)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


# %% task="train" right="no" mistake="mean of each micro-batch divided by accumulate, as in the tutorials: not the mean of the group, NaN for one of padding alone, and the last group is scaled wrongly" named="averaged_per_micro_batch"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    optimizer.zero_grad()
    update = 0
    for i, (tokens, labels) in enumerate(batches):
        with torch.no_grad():
            teacher_logits = teacher(tokens)
        loss, n = summed_loss(student(tokens), teacher_logits, labels, schedule(update))
        loss = loss / n / accumulate      # normalize loss for accumulation
        loss.backward()
        if (i + 1) % accumulate == 0 or (i + 1) == len(batches):
            optimizer.step()
            optimizer.zero_grad()
            update += 1


# %% task="train" right="no" mistake="mean of the means of the micro-batches, each with the same weight whatever its count" named="averaged_per_micro_batch"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, k in enumerate(range(0, len(batches), accumulate)):
        losses = []
        for tokens, labels in batches[k:k + accumulate]:
            with torch.no_grad():
                t = teacher(tokens)
            s, c = summed_loss(student(tokens), t, labels, schedule(n))
            if c > 0:
                losses.append(s / c)
        optimizer.zero_grad()
        torch.stack(losses).mean().backward()
        optimizer.step()


# %% task="train" right="no" mistake="off by one: steps when the index from 0 is a multiple, so the first group is one micro-batch alone" named="first_group_of_one"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    optimizer.zero_grad()
    n, positions = 0, 0
    for i, (tokens, labels) in enumerate(batches):
        with torch.no_grad():
            teacher_logits = teacher(tokens)
        loss, c = summed_loss(student(tokens), teacher_logits, labels, schedule(n))
        loss.backward()
        positions += c
        if i % accumulate == 0 or i == len(batches) - 1:
            for p in student.parameters():
                p.grad /= positions
            optimizer.step()
            optimizer.zero_grad()
            n += 1
            positions = 0


# %% task="train" right="no" mistake="what is left at the end of the list, less than a group, is dropped" named="last_group_dropped"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    groups = zip(*[iter(batches)] * accumulate)
    for n, group in enumerate(groups):
        optimizer.zero_grad()
        total = sum(int((lab != -100).sum()) for _, lab in group)
        for tok, lab in group:
            with torch.no_grad():
                t = teacher(tok)
            loss, _ = summed_loss(student(tok), t, lab, schedule(n))
            (loss / total).backward()
        optimizer.step()


# %% task="train" right="no" mistake="always one more step after the loop: when the list ends with a full group, the momentum moves the student once more" named="empty_group_stepped"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    update, acc, npos = 0, 0, 0
    optimizer.zero_grad(set_to_none=False)

    def flush():
        for p in student.parameters():
            if p.grad is not None:
                p.grad /= max(npos, 1)
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)

    for tokens, labels in batches:
        with torch.no_grad():
            t = teacher(tokens)
        loss, c = summed_loss(student(tokens), t, labels, schedule(update))
        loss.backward()
        npos += int(c)
        acc += 1
        if acc == accumulate:
            flush()
            update += 1
            acc = npos = 0
    flush()  # the rest


# %% task="train" right="no" mistake="the schedule is asked with the number of the micro-batch instead of the update" named="lambda_moves_per_micro_batch"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for start in range(0, len(batches), accumulate):
        optimizer.zero_grad()
        group = batches[start:start + accumulate]
        N = sum((l != -100).sum() for _, l in group)
        for j, (tokens, labels) in enumerate(group):
            lam = schedule(start + j)
            with torch.no_grad():
                tl = teacher(tokens)
            loss, _ = summed_loss(student(tokens), tl, labels, lam)
            (loss / N).backward()
        optimizer.step()


# %% task="train" right="no" mistake="updates are counted from 1 when the schedule is asked" named="lambda_one_step_ahead"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    step = 0
    for first in range(0, len(batches), accumulate):
        step += 1
        lam = schedule(step)
        group = batches[first:first + accumulate]
        optimizer.zero_grad()
        loss, count = 0, 0
        for tokens, labels in group:
            with torch.no_grad():
                target = teacher(tokens)
            l, c = summed_loss(student(tokens), target, labels, lam)
            loss = loss + l
            count = count + c
        (loss / count).backward()
        optimizer.step()


# %% task="train" right="no" mistake="a micro-batch of padding alone is skipped with continue, and with it the update when it is the last of its group" named="update_skipped_with_the_padding"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    optimizer.zero_grad()
    count = 0
    for i, (tokens, labels) in enumerate(batches):
        if (labels == -100).all():
            continue
        lam = schedule(i // accumulate)
        with torch.no_grad():
            teacher_logits = teacher(tokens)
        loss, n = summed_loss(student(tokens), teacher_logits, labels, lam)
        loss.backward()
        count += n
        if (i + 1) % accumulate == 0 or i + 1 == len(batches):
            for p in student.parameters():
                p.grad /= count
            optimizer.step()
            optimizer.zero_grad()
            count = 0


# %% task="train" right="no" mistake="micro-batches of padding alone are removed before grouping, which shifts the groups" named="padding_left_out_of_groups"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    real = [(t, l) for t, l in batches if (l != -100).any()]
    student.train()
    teacher.eval()
    for n in range(math.ceil(len(real) / accumulate)):
        group = real[n * accumulate:(n + 1) * accumulate]
        total, parts = 0, []
        for t, l in group:
            with torch.no_grad():
                ref = teacher(t)
            s, c = summed_loss(student(t), ref, l, schedule(n))
            parts.append(s)
            total += c
        optimizer.zero_grad()
        (sum(parts) / total).backward()
        optimizer.step()


# %% task="train" right="no" mistake="gradients are cleared before each micro-batch, so only the last of a group reaches the optimiser" named="cleared_within_a_group"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, k in enumerate(range(0, len(batches), accumulate)):
        group = batches[k:k + accumulate]
        total = sum((y != -100).sum() for x, y in group)
        for x, y in group:
            optimizer.zero_grad()
            with torch.no_grad():
                t = teacher(x)
            loss = summed_loss(student(x), t, y, schedule(n))[0] / total
            loss.backward()
        optimizer.step()


# %% task="train" right="no" mistake="gradients are cleared once before the loop and never after an update" named="gradients_kept"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    optimizer.zero_grad()
    n = 0
    total_loss, total_count = 0., 0
    for i in range(len(batches)):
        tokens, labels = batches[i]
        with torch.no_grad():
            teacher_logits = teacher(tokens)
        loss, count = summed_loss(student(tokens), teacher_logits, labels, schedule(n))
        total_loss += loss
        total_count += count
        if (i + 1) % accumulate == 0 or i == len(batches) - 1:
            (total_loss / total_count).backward()
            optimizer.step()
            total_loss, total_count = 0., 0
            n += 1


# %% task="train" right="no" mistake="torch.cat on micro-batches of different lengths fails" named="micro_batches_do_not_fit"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    n = 0
    for i in range(0, len(batches), accumulate):
        g = batches[i:i + accumulate]
        tokens = torch.cat([b[0] for b in g], dim=0)
        labels = torch.cat([b[1] for b in g], dim=0)
        with torch.no_grad():
            tl = teacher(tokens)
        loss, c = summed_loss(student(tokens), tl, labels, schedule(n))
        optimizer.zero_grad()
        (loss / c).backward()
        optimizer.step()
        n += 1


# %% task="train" right="no" mistake="when the micro-batches are padded to one length, the labels are padded with 0, which counts" named="padded_with_a_token"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()

    def merge(group):
        longest = max(t.shape[1] for t, _ in group)
        toks = torch.cat([F.pad(t, (0, longest - t.shape[1])) for t, _ in group])
        labs = torch.cat([F.pad(l, (0, longest - l.shape[1])) for _, l in group])
        return toks, labs

    for n, i in enumerate(range(0, len(batches), accumulate)):
        tokens, labels = merge(batches[i:i + accumulate])
        optimizer.zero_grad()
        with torch.no_grad():
            teacher_logits = teacher(tokens)
        loss, count = summed_loss(student(tokens), teacher_logits, labels, schedule(n))
        (loss / count).backward()
        optimizer.step()


# %% task="train" right="no" mistake="the count is overwritten instead of added up, so the group's sum is divided by the last micro-batch's count" named="divided_by_the_last_count"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    update = 0
    group_loss = 0
    for i, (tokens, labels) in enumerate(batches):
        with torch.no_grad():
            teacher_out = teacher(tokens)
        loss, count = summed_loss(student(tokens), teacher_out, labels, schedule(update))
        group_loss = group_loss + loss
        if (i + 1) % accumulate == 0 or (i + 1) == len(batches):
            optimizer.zero_grad()
            (group_loss / count).backward()
            optimizer.step()
            update += 1
            group_loss = 0


# %% task="train" right="no" mistake="each micro-batch is divided by the count so far in the group, not by the group's whole count" named="divided_by_the_count_so_far"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    n = 0
    c = 0
    for idx, (tokens, labels) in enumerate(batches):
        if idx % accumulate == 0:
            optimizer.zero_grad()
            c = 0
        with torch.no_grad():
            tlog = teacher(tokens)
        loss, k = summed_loss(student(tokens), tlog, labels, schedule(n))
        c += k.item()
        if c:
            (loss / c).backward()
        if idx % accumulate == accumulate - 1 or idx == len(batches) - 1:
            optimizer.step()
            n += 1


# %% task="train" right="no" mistake="the count of positions is not set back to zero after an update" named="count_not_reset"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    positions = 0
    n = 0
    losses = []
    for k, (tokens, labels) in enumerate(batches, 1):
        with torch.no_grad():
            t_logits = teacher(tokens)
        l, c = summed_loss(student(tokens), t_logits, labels, schedule(n))
        losses.append(l)
        positions += c
        if k % accumulate == 0 or k == len(batches):
            optimizer.zero_grad()
            (torch.stack(losses).sum() / positions).backward()
            optimizer.step()
            losses = []
            n += 1


# %% task="train" right="no" mistake="micro-batch means are weighted by their number of texts instead of their positions that count" named="averaged_per_micro_batch"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, s in enumerate(range(0, len(batches), accumulate)):
        group = batches[s:s + accumulate]
        n_texts = sum(len(tokens) for tokens, _ in group)
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                t = teacher(tokens)
            loss, c = summed_loss(student(tokens), t, labels, schedule(n))
            loss = loss / torch.clamp(c, min=1)
            (loss * len(tokens) / n_texts).backward()
        optimizer.step()


# %% task="train" right="no" mistake="the rest group's update uses the lambda of the update before, as the counter is only raised in the loop's next turn" named="last_group_with_the_lambda_before"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()

    def update(group, lam):
        optimizer.zero_grad()
        total = sum((l != -100).sum() for _, l in group)
        for t, l in group:
            with torch.no_grad():
                ref = teacher(t)
            (summed_loss(student(t), ref, l, lam)[0] / total).backward()
        optimizer.step()

    full = len(batches) // accumulate
    n = 0
    for n in range(full):
        update(batches[n * accumulate:(n + 1) * accumulate], schedule(n))
    rest = batches[full * accumulate:]
    if rest:
        update(rest, schedule(n))


# %% task="train" right="no" mistake="a micro-batch whose labels are all 0 is taken for padding alone and left out" named="token_zero_not_counted"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, s in enumerate(range(0, len(batches), accumulate)):
        group = [(t, l) for t, l in batches[s:s + accumulate] if l.max() > 0]
        sums, counts = [], []
        for t, l in group:
            with torch.no_grad():
                tl = teacher(t)
            a, b = summed_loss(student(t), tl, l, schedule(n))
            sums.append(a)
            counts.append(b)
        optimizer.zero_grad()
        (sum(sums) / sum(counts)).backward()
        optimizer.step()


# %% task="train" right="no" mistake="the batches are shuffled in place, though the list is to be gone through in order" named="asked_again"
import random


def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    random.shuffle(batches)
    for n, s in enumerate(range(0, len(batches), accumulate)):
        group = batches[s:s + accumulate]
        loss = count = 0
        for t, l in group:
            with torch.no_grad():
                teacher_logits = teacher(t)
            a, b = summed_loss(student(t), teacher_logits, l, schedule(n))
            loss, count = loss + a, count + b
        optimizer.zero_grad()
        (loss / count).backward()
        optimizer.step()


# %% task="train" right="no" mistake="the teacher is left in training mode, and a group that is not full is dropped" named="teacher_in_training_mode"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    with torch.no_grad():
        cached = [teacher(tokens) for tokens, _ in batches]     # the teacher only once
    for n in range(len(batches) // accumulate):
        idx = range(n * accumulate, (n + 1) * accumulate)
        total = sum((batches[i][1] != -100).sum() for i in idx)
        optimizer.zero_grad()
        for i in idx:
            tokens, labels = batches[i]
            (summed_loss(student(tokens), cached[i], labels, schedule(n))[0] / total).backward()
        optimizer.step()


# %% task="train" right="no" mistake="no gradient guard for the teacher: gradients pile up in its parameters" named="gradient_into_the_teacher"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, s in enumerate(range(0, len(batches), accumulate)):
        optimizer.zero_grad()
        group = batches[s:s + accumulate]
        total = sum(l.ne(-100).sum() for _, l in group)
        for t, l in group:
            loss, _ = summed_loss(student(t), teacher(t), l, schedule(n))
            (loss / total).backward()
        optimizer.step()


# %% task="train" right="no" mistake="the student is trained in the evaluation mode it came in" named="student_in_evaluation_mode"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    teacher.eval()
    teacher.requires_grad_(False)
    it = iter(batches)
    n = 0
    done = False
    while not done:
        group = []
        for _ in range(accumulate):
            try:
                group.append(next(it))
            except StopIteration:
                done = True
                break
        if not group:
            break
        pairs = [summed_loss(student(x), teacher(x), y, schedule(n)) for x, y in group]
        loss = sum(p[0] for p in pairs) / sum(p[1] for p in pairs)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        n += 1


# %% task="train" right="no" mistake="each micro-batch is cut to its longest number of counting positions, as if padding always stood at the end" named="observed_where"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, s in enumerate(range(0, len(batches), accumulate)):
        loss, count = 0, 0
        for tokens, labels in batches[s:s + accumulate]:
            longest = int((labels != -100).sum(dim=1).max())   # do not compute on padding
            tokens, labels = tokens[:, :longest], labels[:, :longest]
            with torch.no_grad():
                t = teacher(tokens)
            a, b = summed_loss(student(tokens), t, labels, schedule(n))
            loss, count = loss + a, count + b
        optimizer.zero_grad()
        (loss / count).backward()
        optimizer.step()


# %% task="train" right="accident" mistake="indentation error after the for line"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, s in enumerate(range(0, len(batches), accumulate)):
    group = batches[s:s + accumulate]
        optimizer.zero_grad()
        total = sum(l.ne(-100).sum() for _, l in group)
        for t, l in group:
            with torch.no_grad():
                tl = teacher(t)
            (summed_loss(student(t), tl, l, schedule(n))[0] / total).backward()
        optimizer.step()


# %% task="evaluate" right="yes" mistake=""
def evaluate(model, data):
    """The model's perplexity, a number."""
    was_training = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            logits = model(tokens)
            total += F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum").item()
            count += (labels != -100).sum().item()
    model.train(was_training)
    return math.exp(total / count)


# %% task="evaluate" right="yes" mistake=""
import copy
import numpy as np


def evaluate(model, data):
    judge = copy.deepcopy(model)      # the original is never touched
    judge.eval()
    nll = []
    for tokens, labels in data['held_out']:
        z = judge(tokens).detach().numpy().astype(np.float64)
        y = labels.numpy()
        z = z - z.max(-1, keepdims=True)
        logq = z - np.log(np.exp(z).sum(-1, keepdims=True))
        rows, cols = np.nonzero(y != -100)
        nll.extend(-logq[rows, cols, y[rows, cols]])
    return float(np.exp(np.mean(nll)))


# %% task="evaluate" right="yes" mistake=""
from contextlib import contextmanager


@contextmanager
def evaluating(model):
    mode = model.training
    try:
        model.eval()
        with torch.inference_mode():
            yield model
    finally:
        model.train(mode)


def surprises(model, batches):
    for tokens, labels in batches:
        dist = torch.distributions.Categorical(logits=model(tokens))
        here = labels != -100
        yield -dist.log_prob(labels.where(here, torch.zeros_like(labels)))[here]


def evaluate(model, data):
    with evaluating(model) as m:
        return torch.cat(list(surprises(m, data["held_out"]))).double().mean().exp()


# %% task="evaluate" right="yes" mistake=""
def evaluate(model, data):
    mode, model.training = model.training, False
    # lam = 0 and the model as its own teacher: what is left is the sum of LM
    pairs = [summed_loss(z, z, y, 0.0) for z, y in ((model(x), y) for x, y in data["held_out"])]
    model.training = mode
    s = sum(p[0] for p in pairs).detach()
    n = sum(p[1] for p in pairs)
    return torch.exp(s / n)


# %% task="evaluate" right="yes" mistake=""
class Perplexity:
    def __init__(self):
        self.nats = torch.zeros((), dtype=torch.float64)
        self.seen = 0

    def update(self, logits, labels):
        for z, y in zip(logits.reshape(-1, logits.shape[-1]), labels.reshape(-1)):
            if y.item() >= 0:
                self.nats += torch.logsumexp(z, 0).double() - z[y].double()
                self.seen += 1

    @property
    def value(self):
        return math.exp(self.nats / self.seen)


def evaluate(model, data):
    before = model.training
    metric = Perplexity()
    with torch.no_grad():
        model.eval()
        for tokens, labels in data["held_out"]:
            metric.update(model(tokens), labels)
    if before:
        model.train()
    return metric.value


# %% task="evaluate" right="no" mistake="mean of the perplexities of the batches" named="mean_of_perplexities"
def evaluate(model, data):
    mode = model.training
    model.eval()
    ppls = []
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            loss = F.cross_entropy(model(tokens).transpose(1, 2), labels)
            ppls.append(loss.exp().item())
    model.train(mode)
    return sum(ppls) / len(ppls)


# %% task="evaluate" right="no" mistake="exp of the mean of the batches' mean losses, whatever their counts" named="mean_of_means"
@torch.no_grad()
def evaluate(model, data):
    was = model.training
    model.eval()
    losses = []
    for x, y in data["held_out"]:
        z = model(x)
        losses.append(F.cross_entropy(z.view(-1, z.size(-1)), y.view(-1), ignore_index=-100))
    if was:
        model.train()
    return torch.exp(torch.stack(losses).mean()).item()


# %% task="evaluate" right="no" mistake="measured on the training data" named="on_training_data"
def evaluate(model, data):
    was = model.training
    model.eval()
    s = n = 0
    with torch.no_grad():
        for tokens, labels in data["train"]:
            counts = labels != -100
            logq = F.log_softmax(model(tokens)[counts], -1)
            s += F.nll_loss(logq, labels[counts], reduction="sum")
            n += counts.sum()
    model.train(was)
    return (s / n).exp().item()


# %% task="evaluate" right="no" mistake="training and held-out text are put together" named="on_training_data"
def evaluate(model, data):
    mode = model.training
    model.eval()
    num, den = 0.0, 0
    with torch.no_grad():
        for split in data:
            for tokens, labels in data[split]:
                m = labels != -100
                lp = model(tokens).log_softmax(-1)[m]
                num -= lp[torch.arange(len(lp)), labels[m]].sum().item()
                den += len(lp)
    model.train(mode)
    return math.exp(num / den)


# %% task="evaluate" right="no" mistake="the model is evaluated in the mode it comes in, and in training mode its running mean moves" named="in_training_mode"
def evaluate(model, data):
    total = 0
    count = 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            logits = model(tokens)
            l, c = summed_loss(logits, logits, labels, 0)
            total += l
            count += c
    return torch.exp(total / count).item()


# %% task="evaluate" right="no" mistake="the model stays in evaluation mode afterwards" named="left_in_evaluation_mode"
def evaluate(model, data):
    model.eval()
    nll, n = 0.0, 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            nll += F.cross_entropy(model(tokens).permute(0, 2, 1), labels, reduction="sum").item()
            n += int((labels != -100).sum())
    return math.exp(nll / n)


# %% task="evaluate" right="no" mistake="the model is always put in training mode afterwards, also one that came in evaluation mode" named="put_into_training_mode"
def evaluate(model, data):
    model.eval()
    losses = []
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            mask = labels.ne(-100)
            losses.append(F.cross_entropy(model(tokens)[mask], labels[mask], reduction="none"))
    model.train()
    return torch.cat(losses).mean().exp()


# %% task="evaluate" right="no" mistake="the mode is read after eval(), so it is always restored to evaluation mode" named="left_in_evaluation_mode"
def evaluate(model, data):
    model.eval()
    mode = model.training
    total_nll, total_tokens = 0.0, 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            sel = labels != -100
            total_nll += F.cross_entropy(model(tokens)[sel], labels[sel], reduction="sum").item()
            total_tokens += sel.sum().item()
    model.train(mode)
    return math.exp(total_nll / total_tokens)


# %% task="evaluate" right="no" mistake="zero_grad clears the gradients that had accumulated in the middle of training" named="gradients_wiped"
def evaluate(model, data):
    was_training = model.training
    model.eval()
    model.zero_grad()  # to be safe
    total, count = 0, 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            logits = model(tokens)
            s, n = summed_loss(logits, logits, labels, 0.0)
            total, count = total + s.item(), count + n.item()
    model.train(was_training)
    return math.exp(total / count)


# %% task="evaluate" right="no" mistake="the natural-log loss is put in the exponent of 2" named="two_to_the_nats"
def evaluate(model, data):
    was = model.training
    model.eval()
    h, n = 0., 0
    for x, y in data["held_out"]:
        with torch.no_grad():
            lp = F.log_softmax(model(x), dim=-1)
        k = y != -100
        h -= lp[k].gather(1, y[k][:, None]).sum().item()
        n += k.sum().item()
    model.train(was)
    return 2 ** (h / n)


# %% task="evaluate" right="no" mistake="the sum is divided by all positions, those with label -100 included" named="divided_by_all_positions"
def evaluate(model, data):
    mode = model.training
    model.eval()
    total = 0.0
    n = 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            total += F.cross_entropy(model(tokens).transpose(1, 2), labels, reduction="sum").item()
            n += labels.numel()
    model.train(mode)
    return math.exp(total / n)


# %% task="evaluate" right="no" mistake="gradients are switched off globally and never on again, so nothing can be trained afterwards" named="gradients_left_off"
def evaluate(model, data):
    torch.set_grad_enabled(False)
    mode = model.training
    model.eval()
    s, c = 0, 0
    for tokens, labels in data["held_out"]:
        z = model(tokens)
        a, b = summed_loss(z, z, labels, 0)
        s += a
        c += b
    model.train(mode)
    return math.exp(s / c)


# %% task="evaluate" right="no" mistake="requires_grad is switched off for the model's parameters and stays off" named="left_frozen"
def evaluate(model, data):
    training = model.training
    model.eval()
    model.requires_grad_(False)
    nlls = []
    for tokens, labels in data["held_out"]:
        logq = model(tokens).log_softmax(-1)
        for lq, y in zip(logq.flatten(0, 1), labels.flatten().tolist()):
            if y != -100:
                nlls.append(-lq[y].item())
    model.train(training)
    return math.exp(sum(nlls) / len(nlls))


# %% task="evaluate" right="no" mistake="return stands inside the loop: only the first batch is measured, and the mode is not restored" named="first_batch_alone"
def evaluate(model, data):
    was = model.training
    model.eval()
    total = 0
    count = 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            m = labels != -100
            total += F.cross_entropy(model(tokens)[m], labels[m], reduction="sum")
            count += m.sum()
            return torch.exp(total / count).item()
    model.train(was)


# %% task="evaluate" right="no" mistake="label 0 is left out as padding, and the mean loss is returned without exp" named="loss_for_perplexity,token_zero_not_counted"
def evaluate(model, data):
    mode = model.training
    model.eval()
    s = 0
    n = 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            m = labels > 0
            s += F.cross_entropy(model(tokens)[m], labels[m], reduction="sum").item()
            n += m.sum().item()
    model.train(mode)
    return s / n


# %% task="evaluate" right="accident" mistake="prints the perplexity instead of returning it"
def evaluate(model, data):
    was = model.training
    model.eval()
    s, n = 0.0, 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            m = labels != -100
            s += F.cross_entropy(model(tokens)[m], labels[m], reduction="sum").item()
            n += m.sum().item()
    model.train(was)
    print("perplexity:", math.exp(s / n))


# %% task="which_change" right="yes" mistake=""
which_change = "d"


# %% task="which_change" right="no" mistake="takes it that nothing may pull to the teacher at all, though the first steps profited from it" named="chose_c"
which_change = "c"


# %% task="role_of_truth" right="yes" mistake=""
role_of_truth = "c"


# %% task="contributions" right="yes" mistake=""
contributions = dict(zip(("teacher", "labels", "lam"), "cad"))


# %% task="contributions" right="no" mistake="lam is taken for the pace of learning instead of the balance" named="wrong_lam_b"
contributions = {"teacher": "c", "labels": "a", "lam": "b"}


# %% task="contributions" right="accident" mistake="key misspelt: label instead of labels"
contributions = {"teacher": "c", "label": "a", "lam": "d"}


# %% task="training_step" right="no" mistake="zero_grad after backward" named="student_never_moves"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train(); teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    s, n = summed_loss(student(tokens), t, labels, lam)
    loss = s / n
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="one update for each text" named="an_update_for_each_text"
def training_step(student, teacher, batch, optimizer, lam):
    student.train(); teacher.eval()
    total = count = 0
    for x, y in zip(*batch):
        with torch.no_grad():
            t = teacher(x)
        s, n = summed_loss(student(x), t, y, lam)
        if n == 0:
            continue
        optimizer.zero_grad()
        (s / n).backward()
        optimizer.step()
        total += s.item(); count += n.item()
    return total / count


# %% task="training_step" right="no" mistake="LM is a mean and KD a sum" named="one_term_not_divided"
def training_step(student, teacher, batch, optimizer, lam):
    x, y = batch
    student.train(); teacher.eval()
    with torch.no_grad():
        t = teacher(x)
    s = student(x)
    m = y != -100
    loss = F.cross_entropy(s[m], y[m]) + lam * F.kl_div(s[m].log_softmax(-1), t[m].softmax(-1), reduction="sum")
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="mean squared error of the logits for KD" named="logits_compared"
def training_step(student, teacher, batch, optimizer, lam):
    x, y = batch
    student.train(); teacher.eval()
    with torch.no_grad():
        t = teacher(x)
    s = student(x)
    m = y != -100
    loss = F.cross_entropy(s[m], y[m]) + lam * F.mse_loss(s[m], t[m])
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="log_target forgotten" named="target_not_in_the_form"
def training_step(student, teacher, batch, optimizer, lam):
    x, y = batch
    student.train(); teacher.eval()
    with torch.no_grad():
        t = teacher(x)
    s = student(x)
    m = y != -100
    loss = F.cross_entropy(s[m], y[m]) + lam * F.kl_div(s[m].log_softmax(-1), t[m].log_softmax(-1), reduction="batchmean")
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="probabilities as the input of kl_div" named="target_not_in_the_form"
def training_step(student, teacher, batch, optimizer, lam):
    x, y = batch
    student.train(); teacher.eval()
    with torch.no_grad():
        t = teacher(x)
    s = student(x)
    m = y != -100
    loss = F.cross_entropy(s[m], y[m]) + lam * F.kl_div(s[m].softmax(-1), t[m].softmax(-1), reduction="batchmean")
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="label smoothing of 0.1" named="labels_smoothed"
def training_step(student, teacher, batch, optimizer, lam):
    x, y = batch
    student.train(); teacher.eval()
    with torch.no_grad():
        t = teacher(x)
    s = student(x)
    m = y != -100
    loss = F.cross_entropy(s[m], y[m], label_smoothing=0.1) + lam * F.kl_div(s[m].log_softmax(-1), t[m].softmax(-1), reduction="batchmean")
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="the teacher's likeliest token as a second label" named="teacher_as_a_label"
def training_step(student, teacher, batch, optimizer, lam):
    x, y = batch
    student.train(); teacher.eval()
    with torch.no_grad():
        t = teacher(x)
    s = student(x)
    m = y != -100
    loss = F.cross_entropy(s[m], y[m]) + lam * F.cross_entropy(s[m], t[m].argmax(-1))
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="temperature 4 without T squared" named="kd_at_another_temperature"
def training_step(student, teacher, batch, optimizer, lam):
    x, y = batch
    student.train(); teacher.eval()
    with torch.no_grad():
        t = teacher(x) / 4
    s = student(x)
    m = y != -100
    loss = F.cross_entropy(s[m], y[m]) + lam * F.kl_div((s[m] / 4).log_softmax(-1), t[m].softmax(-1), reduction="batchmean")
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="the learning rate decays in each step" named="observed_zone"
def training_step(student, teacher, batch, optimizer, lam):
    x, y = batch
    student.train(); teacher.eval()
    with torch.no_grad():
        t = teacher(x)
    s, n = summed_loss(student(x), t, y, lam)
    loss = s / n
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    for g in optimizer.param_groups:
        g["lr"] *= 0.9
    return loss.item()


# %% task="training_step" right="no" mistake="gradient values clipped to 0.1, element by element" named="gradient_clipped"
def training_step(student, teacher, batch, optimizer, lam):
    x, y = batch
    student.train(); teacher.eval()
    with torch.no_grad():
        t = teacher(x)
    s, n = summed_loss(student(x), t, y, lam)
    loss = s / n
    optimizer.zero_grad(); loss.backward()
    torch.nn.utils.clip_grad_value_(student.parameters(), 0.1)
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="the student's dropout is off and gradients are kept" named="student_in_evaluation_mode,gradients_kept"
def training_step(student, teacher, batch, optimizer, lam):
    x, y = batch
    teacher.eval()
    with torch.no_grad():
        t = teacher(x)
    s, n = summed_loss(student(x), t, y, lam)
    loss = s / n
    loss.backward(); optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="the loss per position is not reduced before backward" named="backward_of_many_numbers"
def training_step(student, teacher, batch, optimizer, lam):
    x, y = batch
    student.train(); teacher.eval()
    with torch.no_grad():
        t = teacher(x)
    s = student(x)
    m = y != -100
    loss = F.cross_entropy(s[m], y[m], reduction="none") + lam * F.kl_div(s[m].log_softmax(-1), t[m].softmax(-1), reduction="none").sum(-1)
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    return loss.mean().item()


# %% task="train" right="no" mistake="one update for the whole list" named="groups_of_another_size"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train(); teacher.eval()
    optimizer.zero_grad()
    total = sum((y != -100).sum() for _, y in batches)
    for i, (x, y) in enumerate(batches):
        with torch.no_grad():
            t = teacher(x)
        (summed_loss(student(x), t, y, schedule(i // accumulate))[0] / total).backward()
    optimizer.step()


# %% task="train" right="no" mistake="accumulate is taken for the number of groups" named="groups_of_another_size"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train(); teacher.eval()
    size = math.ceil(len(batches) / accumulate)
    for n, k in enumerate(range(0, len(batches), size)):
        group = batches[k:k + size]
        total = sum((y != -100).sum() for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            (summed_loss(student(x), t, y, schedule(n))[0] / total).backward()
        optimizer.step()


# %% task="train" right="no" mistake="temperature 2 and T squared, otherwise right" named="kd_at_another_temperature"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train(); teacher.eval()
    T = 2.0
    for n, k in enumerate(range(0, len(batches), accumulate)):
        group = batches[k:k + accumulate]
        total = sum((y != -100).sum() for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            m = y != -100
            with torch.no_grad():
                t = teacher(x)[m] / T
            s = student(x)[m]
            lm = F.cross_entropy(s, y[m], reduction="sum")
            kd = F.kl_div((s / T).log_softmax(-1), t.softmax(-1), reduction="sum") * T * T
            ((lm + schedule(n) * kd) / total).backward()
        optimizer.step()


# %% task="train" right="no" mistake="the gradient of the group is clipped" named="gradient_clipped"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train(); teacher.eval()
    for n, k in enumerate(range(0, len(batches), accumulate)):
        group = batches[k:k + accumulate]
        total = sum((y != -100).sum() for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            (summed_loss(student(x), t, y, schedule(n))[0] / total).backward()
        nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()


# %% task="train" right="no" mistake="the gradients are divided by the count after every backward, those before too" named="divided_in_the_loop"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train(); teacher.eval()
    for n, k in enumerate(range(0, len(batches), accumulate)):
        group = batches[k:k + accumulate]
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            s, c = summed_loss(student(x), t, y, schedule(n))
            s.backward()
            for p in student.parameters():
                p.grad /= c.clamp(min=1)
        optimizer.step()


# %% task="train" right="no" mistake="the teacher's logits are those of the first micro-batch of the group" named="observed_where"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train(); teacher.eval()
    for n, k in enumerate(range(0, len(batches), accumulate)):
        group = batches[k:k + accumulate]
        total = sum((y != -100).sum() for _, y in group)
        with torch.no_grad():
            t = teacher(group[0][0])
        optimizer.zero_grad()
        for x, y in group:
            (summed_loss(student(x), t, y, schedule(n))[0] / total).backward()
        optimizer.step()


# %% task="train" right="no" mistake="mean per micro-batch, and the student is never put into training mode" named="averaged_per_micro_batch,student_in_evaluation_mode"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    teacher.eval()
    optimizer.zero_grad()
    for i, (x, y) in enumerate(batches):
        with torch.no_grad():
            t = teacher(x)
        s, c = summed_loss(student(x), t, y, schedule(i // accumulate))
        (s / c.clamp(min=1) / accumulate).backward()
        if (i + 1) % accumulate == 0:
            optimizer.step()
            optimizer.zero_grad()


# %% task="train" right="no" mistake="AdamW of its own" named="optimizer_not_used"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train(); teacher.eval()
    opt = torch.optim.AdamW(student.parameters(), lr=1e-3)
    for n, k in enumerate(range(0, len(batches), accumulate)):
        group = batches[k:k + accumulate]
        total = sum((y != -100).sum() for _, y in group)
        opt.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            (summed_loss(student(x), t, y, schedule(n))[0] / total).backward()
        opt.step()


# %% task="train" right="no" mistake="the rest is a group for each micro-batch" named="last_group_in_pieces"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train(); teacher.eval()
    full = len(batches) // accumulate * accumulate
    groups = [batches[k:k + accumulate] for k in range(0, full, accumulate)]
    groups += [[b] for b in batches[full:]]
    for n, group in enumerate(groups):
        total = sum((y != -100).sum() for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            (summed_loss(student(x), t, y, schedule(n))[0] / total).backward()
        optimizer.step()


# %% task="train" right="no" mistake="backward of a growing total within the group" named="backward_through_it_again"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train(); teacher.eval()
    for n, k in enumerate(range(0, len(batches), accumulate)):
        optimizer.zero_grad()
        total = count = 0
        for x, y in batches[k:k + accumulate]:
            with torch.no_grad():
                t = teacher(x)
            s, c = summed_loss(student(x), t, y, schedule(n))
            total, count = total + s, count + c
            (total / count).backward()
        optimizer.step()


# %% task="evaluate" right="no" mistake="exp of the sum, divided by the count" named="divided_after_exp"
def evaluate(model, data):
    mode = model.training
    model.eval()
    t = n = 0
    with torch.no_grad():
        for x, y in data["held_out"]:
            t += F.cross_entropy(model(x).mT, y, reduction="sum").item()
            n += (y != -100).sum().item()
    model.train(mode)
    return math.exp(t) / n


# %% task="evaluate" right="no" mistake="the first two batches alone" named="observed_where"
def evaluate(model, data):
    mode = model.training
    model.eval()
    t = n = 0
    with torch.no_grad():
        for x, y in data["held_out"][:2]:
            t += F.cross_entropy(model(x).mT, y, reduction="sum").item()
            n += (y != -100).sum().item()
    model.train(mode)
    return math.exp(t / n)


# %% task="evaluate" right="no" mistake="bits for nats, without exp" named="bits_for_perplexity"
def evaluate(model, data):
    mode = model.training
    model.eval()
    t = n = 0
    with torch.no_grad():
        for x, y in data["held_out"]:
            t += F.cross_entropy(model(x).mT, y, reduction="sum").item()
            n += (y != -100).sum().item()
    model.train(mode)
    return t / n / math.log(2)


# %% task="evaluate" right="no" mistake="mean of the perplexities of the texts" named="mean_of_perplexities"
def evaluate(model, data):
    mode = model.training
    model.eval()
    out = []
    with torch.no_grad():
        for x, y in data["held_out"]:
            for a, b in zip(x, y):
                if (b != -100).any():
                    out.append(F.cross_entropy(model(a), b).exp())
    model.train(mode)
    return torch.stack(out).mean().item()


# %% task="evaluate" right="no" mistake="mean over texts of the texts' own means" named="averaged_per_text"
def evaluate(model, data):
    mode = model.training
    model.eval()
    out = []
    with torch.no_grad():
        for x, y in data["held_out"]:
            for a, b in zip(x, y):
                if (b != -100).any():
                    out.append(F.cross_entropy(model(a), b))
    model.train(mode)
    return torch.stack(out).mean().exp().item()


# %% task="evaluate" right="no" mistake="the mode is left and the mean of means" named="mean_of_means"
def evaluate(model, data):
    model.eval()
    out = []
    with torch.no_grad():
        for x, y in data["held_out"]:
            out.append(F.cross_entropy(model(x).mT, y))
    return torch.stack(out).mean().exp().item()


# %% task="evaluate" right="no" mistake="each text is cut to its count, as if the padding stood behind" named="observed_where"
def evaluate(model, data):
    mode = model.training
    model.eval()
    t = n = 0
    with torch.no_grad():
        for x, y in data["held_out"]:
            for a, b in zip(x, y):
                k = int((b != -100).sum())
                if k:
                    t += F.cross_entropy(model(a[:k]), b[:k], reduction="sum").item()
                    n += k
    model.train(mode)
    return math.exp(t / n)


# %% task="evaluate" right="no" mistake="probabilities go into cross_entropy, and the mode is left" named="softmaxed_twice"
def evaluate(model, data):
    model.eval()
    t = n = 0
    with torch.no_grad():
        for x, y in data["held_out"]:
            t += F.cross_entropy(model(x).softmax(-1).mT, y, reduction="sum").item()
            n += (y != -100).sum().item()
    return math.exp(t / n)


# %% task="train" right="no" mistake="the loss of the group goes through backward() after each micro-batch, and its graph is gone the second time" named="backward_through_it_again"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, k in enumerate(range(0, len(batches), accumulate)):
        group = batches[k:k + accumulate]
        count = sum(int((labels != -100).sum()) for _, labels in group)
        optimizer.zero_grad()
        total = 0
        for tokens, labels in group:
            with torch.no_grad():
                guide = teacher(tokens)
            total = total + summed_loss(student(tokens), guide, labels, schedule(n))[0]
            (total / count).backward()
        optimizer.step()


# %% task="evaluate" right="no" mistake="exp of the sum, which is never divided" named="not_divided"
def evaluate(model, data):
    mode = model.training
    model.eval()
    total = 0.0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            logits = model(tokens)
            total += summed_loss(logits, logits, labels, 0)[0].item()
    model.train(mode)
    return math.exp(total)


# %% task="train" right="no" mistake="a label above 0 is asked for wherever the positions of a group are counted" named="token_zero_not_counted"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, k in enumerate(range(0, len(batches), accumulate)):
        group = batches[k:k + accumulate]
        count = sum((labels > 0).sum() for _, labels in group)
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                guide = teacher(tokens)
            (summed_loss(student(tokens), guide, labels, schedule(n))[0] / count).backward()
        optimizer.step()


# %% task="train" right="yes" mistake=""
def train(student, teacher, batches, optimizer, schedule, accumulate):
    # asks the schedule for all updates at once, and for one that does not come
    lams = [schedule(n) for n in range(len(batches) + 1)]
    student.train()
    teacher.eval()
    while batches:
        group, batches = batches[:accumulate], batches[accumulate:]
        lam = lams.pop(0)
        sums = 0.0
        count = 0
        for tokens, labels in group:
            for text, marks in zip(tokens, labels):  # one text at a time
                with torch.no_grad():
                    guide = teacher(text)
                s, c = summed_loss(student(text), guide, marks, lam)
                sums, count = sums + s, count + c
        optimizer.zero_grad()
        (sums / count).backward()
        optimizer.step()


# %% task="evaluate" right="yes" mistake=""
def evaluate(model, data):
    mode = model.training
    model.eval()
    with torch.no_grad():
        tokens = torch.cat([t.flatten() for t, _ in data["held_out"]])
        labels = torch.cat([y.flatten() for _, y in data["held_out"]])
        loss = F.cross_entropy(model(tokens).double(), labels)
    model.train(mode)
    return loss.exp().reshape(1)

# %% task="training_step" right="no" mistake="the teacher is put into evaluation mode only after its first forward, so the first call asks a teacher in training mode" named="modes_set_too_late"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    teacher.eval()
    total, count = summed_loss(student(tokens), teacher_logits, labels, lam)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="training_step" right="no" mistake="the update is right, but the reported loss was computed in evaluation mode before the step" named="loss_in_evaluation_mode"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    teacher.eval()
    student.eval()
    with torch.no_grad():
        t = teacher(tokens)
        total, count = summed_loss(student(tokens), t, labels, lam)
        before = (total / count).item()
    student.train()
    optimizer.zero_grad()
    total, count = summed_loss(student(tokens), t, labels, lam)
    (total / count).backward()
    optimizer.step()
    return before

# %% task="training_step" right="no" mistake="a copy of the teacher is made once and kept on the function: a second call with another teacher still asks the first one" named="teacher_of_an_earlier_call"
import copy


def training_step(student, teacher, batch, optimizer, lam):
    if not hasattr(training_step, "teacher"):  # copy once, it never changes
        training_step.teacher = copy.deepcopy(teacher).eval().requires_grad_(False)
    tokens, labels = batch
    student.train()
    total, count = summed_loss(student(tokens), training_step.teacher(tokens), labels, lam)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="training_step" right="no" mistake="the teacher's logits are cached under the batch's tokens for all calls: another teacher with the same batch gets the first one's logits" named="teacher_of_an_earlier_call"
TEACHER_LOGITS = {}


def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    key = tuple(tokens.flatten().tolist()), tokens.shape
    if key not in TEACHER_LOGITS:
        teacher.eval()
        with torch.no_grad():
            TEACHER_LOGITS[key] = teacher(tokens)
    student.train()
    total, count = summed_loss(student(tokens), TEACHER_LOGITS[key], labels, lam)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="train" right="no" mistake="in the branch for the last, shorter group the teacher is asked without no_grad, so gradients reach it there" named="gradient_into_the_teacher"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    full = len(batches) // accumulate
    for n in range(full):
        group = batches[n * accumulate : (n + 1) * accumulate]
        size = sum((y != -100).sum() for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            (summed_loss(student(x), t, y, schedule(n))[0] / size).backward()
        optimizer.step()
    rest = batches[full * accumulate :]
    if rest:
        size = sum((y != -100).sum() for _, y in rest)
        optimizer.zero_grad()
        for x, y in rest:
            (summed_loss(student(x), teacher(x), y, schedule(full))[0] / size).backward()
        optimizer.step()

# %% task="train" right="no" mistake="the shorter last group is divided by the count of the full group before it, since the count is taken when a group is full" named="last_group_divided_otherwise"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    optimizer.zero_grad()
    n, waiting, size, last_size = 0, 0, 0, None
    for x, y in batches:
        with torch.no_grad():
            t = teacher(x)
        total, count = summed_loss(student(x), t, y, schedule(n))
        total.backward()
        size += int(count)
        waiting += 1
        if waiting == accumulate:
            last_size = size
            for p in student.parameters():
                p.grad /= last_size
            optimizer.step()
            optimizer.zero_grad()
            n, waiting, size = n + 1, 0, 0
    if waiting:
        for p in student.parameters():
            p.grad /= last_size or size
        optimizer.step()
        optimizer.zero_grad()

# %% task="train" right="no" mistake="full groups are weighted by positions, but the shorter last group takes the mean of the micro-batches' means" named="last_group_divided_otherwise"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
        losses = []
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            losses.append(summed_loss(student(x), t, y, schedule(n)))
        if len(group) == accumulate:
            loss = sum(total for total, _ in losses) / sum(count for _, count in losses)
        else:
            means = [total / count for total, count in losses if count > 0]
            loss = sum(means) / len(means)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# %% task="train" right="no" mistake="micro-batches' means are weighted by their number of texts in place of their positions that count" named="averaged_per_micro_batch"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
        texts = sum(len(x) for x, y in group if (y != -100).any())
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            total, count = summed_loss(student(x), t, y, schedule(n))
            if count == 0:
                continue
            (total / count * len(x) / texts).backward()
        optimizer.step()

# %% task="evaluate" right="no" mistake="batches' means are weighted by B*L in place of the positions that count" named="weighted_by_size"
@torch.no_grad()
def evaluate(model, data):
    was = model.training
    model.eval()
    nll, n = 0.0, 0
    for tokens, labels in data["held_out"]:
        loss = F.cross_entropy(model(tokens).flatten(0, 1), labels.flatten())
        nll += loss.item() * labels.numel()
        n += labels.numel()
    model.train(was)
    return math.exp(nll / n)

# %% task="evaluate" right="no" mistake="the mean is cut off at 10 nats against overflow, so a very bad model (more than 10 nats) is told too small a perplexity" named="cut_off,observed_where"
@torch.no_grad()
def evaluate(model, data):
    was = model.training
    model.eval()
    nll, n = 0.0, 0
    for tokens, labels in data["held_out"]:
        logits = model(tokens).flatten(0, 1)
        nll += F.cross_entropy(logits, labels.flatten(), reduction="sum").item()
        n += (labels != -100).sum().item()
    model.train(was)
    return math.exp(min(nll / n, 10.0))

# %% task="evaluate" right="no" mistake="the held-out list is emptied by pop, so a second evaluation with the same data has nothing left" named="asked_again"
@torch.no_grad()
def evaluate(model, data):
    was = model.training
    model.eval()
    nll, n = 0.0, 0
    rest = data["held_out"]
    while rest:
        tokens, labels = rest.pop()
        counts = labels != -100
        nll += F.cross_entropy(model(tokens)[counts], labels[counts], reduction="sum").item()
        n += counts.sum().item()
    model.train(was)
    return math.exp(nll / n)

# %% task="evaluate" right="no" mistake="dropout stays on: it evaluates in training mode and puts running mean and count back afterwards" named="in_training_mode"
@torch.no_grad()
def evaluate(model, data):
    saved = {name: buffer.clone() for name, buffer in model.named_buffers()}
    nll, n = 0.0, 0
    for tokens, labels in data["held_out"]:
        logits = model(tokens).flatten(0, 1)
        nll += F.cross_entropy(logits, labels.flatten(), reduction="sum").item()
        n += (labels != -100).sum().item()
    for name, buffer in model.named_buffers():
        buffer.copy_(saved[name])
    return math.exp(nll / n)

# %% task="evaluate" right="no" mistake="the sum of the losses is kept in half precision, so the perplexity is off in the third digit" named="observed_near"
@torch.no_grad()
def evaluate(model, data):
    was = model.training
    model.eval()
    losses = []
    for tokens, labels in data["held_out"]:
        counts = labels != -100
        losses.append(F.cross_entropy(model(tokens)[counts], labels[counts], reduction="none").half())
    model.train(was)
    return torch.cat(losses).mean().exp().item()

# %% task="evaluate" right="no" mistake="the evaluation copy is made at the first call and kept for the model: after more training the old perplexity comes again" named="model_of_an_earlier_call"
import copy
import functools


@functools.lru_cache(maxsize=None)
def frozen(model):
    return copy.deepcopy(model).eval().requires_grad_(False)


def evaluate(model, data):
    twin = frozen(model)
    nll, n = 0.0, 0
    for tokens, labels in data["held_out"]:
        logits = twin(tokens).flatten(0, 1)
        nll += F.cross_entropy(logits, labels.flatten(), reduction="sum").item()
        n += (labels != -100).sum().item()
    return math.exp(nll / n)

# %% task="training_step" right="yes" mistake=""
import copy


def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    counts = labels != -100
    shown = tokens[counts]  # a row of tokens: each one's logits depend on it alone
    frozen = copy.copy(teacher).eval()  # shares the parameters, has a mode of its own
    with torch.inference_mode():
        log_p = F.log_softmax(frozen(shown), dim=-1).numpy().copy()
    log_p = torch.from_numpy(log_p)

    def closure():
        optimizer.zero_grad()
        log_q = F.log_softmax(student.train()(shown), dim=-1)
        lm = F.nll_loss(log_q, labels[counts])
        kd = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
        loss = lm + lam * kd
        loss.backward()
        return loss

    return optimizer.step(closure)

# %% task="train" right="yes" mistake=""
import functools


def train(student, teacher, batches, optimizer, schedule, accumulate):
    lam = functools.lru_cache(None)(schedule)
    with torch.no_grad():
        teacher.eval()
        answers = [teacher(x) for x, _ in batches]
    student.train()
    names = list(dict(student.named_parameters()))

    def recurse(start, n):
        if start >= len(batches):
            return
        sums = {name: torch.zeros_like(p, dtype=torch.float64) for name, p in student.named_parameters()}
        positions = 0
        for (x, y), t in zip(batches[start : start + accumulate], answers[start : start + accumulate]):
            if not bool((y != -100).any()):
                continue
            total, count = summed_loss(student(x), t, y, lam(n))
            parts = torch.autograd.grad(total, [p for _, p in student.named_parameters()])
            for name, part in zip(names, parts):
                sums[name] += part.double()
            positions += count.item()
        for name, p in student.named_parameters():
            p.grad = (sums[name] / positions).to(p.dtype)
        optimizer.step()
        recurse(start + accumulate, n + 1)

    recurse(0, 0)

# %% task="evaluate" right="yes" mistake=""
import copy
import numpy as np


def evaluate(model, data):
    twin = copy.deepcopy(model).eval()
    tokens = np.concatenate([x.numpy().ravel() for x, _ in data["held_out"]])
    labels = np.concatenate([y.numpy().ravel() for _, y in data["held_out"]])
    tokens, labels = tokens[labels != -100], labels[labels != -100]
    logits = twin(torch.as_tensor(tokens)).detach().numpy().astype(np.float64)
    logits -= logits.max(-1, keepdims=True)
    log_q = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return np.exp(-np.mean(log_q[np.arange(len(labels)), labels])).item()

# %% task="training_step" right="no" mistake="clips the values of the gradient at 1" named="gradient_clipped"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train(), teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    total, count = summed_loss(student(tokens), t, labels, lam)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_value_(student.parameters(), 1.0)
    optimizer.step()
    return loss.item()

# %% task="training_step" right="no" mistake="lambda of the first call kept" named="lambda_of_an_earlier_call"
def training_step(student, teacher, batch, optimizer, lam):
    if not hasattr(training_step, "lam"):
        training_step.lam = lam
    tokens, labels = batch
    student.train(), teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    total, count = summed_loss(student(tokens), t, labels, training_step.lam)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="train" right="no" mistake="last group is averaged with zeros: divided by count plus the missing ones" named="last_group_divided_otherwise"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train(), teacher.eval()
    for n, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
        size = sum((y != -100).sum() for _, y in group)
        if len(group) < accumulate:
            size = size * accumulate
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            (summed_loss(student(x), t, y, schedule(n))[0] / size).backward()
        optimizer.step()

# %% task="evaluate" right="no" mistake="grad switched on at the end for all" named="unfrozen"
def evaluate(model, data):
    was = model.training
    model.eval().requires_grad_(False)
    nll, n = 0.0, 0
    for tokens, labels in data["held_out"]:
        nll += F.cross_entropy(model(tokens).flatten(0, 1), labels.flatten(), reduction="sum").item()
        n += (labels != -100).sum().item()
    model.train(was).requires_grad_(True)
    return math.exp(nll / n)

# %% task="evaluate" right="no" mistake="probabilities multiplied: underflows for long texts" named="observed_where"
@torch.no_grad()
def evaluate(model, data):
    was = model.training
    model.eval()
    prod, n = torch.ones(()), 0
    for tokens, labels in data["held_out"]:
        counts = labels != -100
        q = model(tokens)[counts].softmax(-1).gather(-1, labels[counts][:, None])
        prod = prod * q.prod()
        n += counts.sum().item()
    model.train(was)
    return (prod ** (-1 / n)).item()

# %% task="evaluate" right="no" mistake="epsilon 1e-8 in the logarithm" named="epsilon_in_the_logarithm"
@torch.no_grad()
def evaluate(model, data):
    was = model.training
    model.eval()
    nll, n = 0.0, 0
    for tokens, labels in data["held_out"]:
        counts = labels != -100
        q = model(tokens)[counts].softmax(-1).gather(-1, labels[counts][:, None])
        nll -= torch.log(q + 1e-8).sum().item()
        n += counts.sum().item()
    model.train(was)
    return math.exp(nll / n)

# %% task="evaluate" right="no" mistake="the mean loss is kept at 20 at most, so that exp does not overflow" named="cut_off"
@torch.no_grad()
def evaluate(model, data):
    was = model.training
    model.eval()
    nll, n = 0.0, 0
    for tokens, labels in data["held_out"]:
        nll += F.cross_entropy(model(tokens).flatten(0, 1), labels.flatten(), reduction="sum").item()
        n += (labels != -100).sum().item()
    model.train(was)
    return math.exp(min(nll / n, 20))

# %% task="evaluate" right="yes" mistake=""
def evaluate(model, data):
    was = model.training
    wants = [p.requires_grad for p in model.parameters()]
    for p in model.parameters():
        p.requires_grad_(False)
    model.eval()
    q = torch.cat([model(x)[y != -100].log_softmax(-1) for x, y in data["held_out"]])
    y = torch.cat([y[y != -100] for _, y in data["held_out"]])
    model.train(was)
    for p, want in zip(model.parameters(), wants):
        p.requires_grad_(want)
    return F.nll_loss(q, y).exp()

# %% task="training_step" right="yes" mistake=""
def training_step(student, teacher, batch, optimizer, lam):
    """The closure style of torch.optim; no gradient is even asked of the teacher."""
    tokens, labels = batch
    student.train()
    teacher.requires_grad_(False).eval()
    teacher_logits = teacher(tokens)

    def closure():
        optimizer.zero_grad()
        total, count = summed_loss(student(tokens), teacher_logits, labels, lam)
        loss = total / count
        loss.backward()
        return loss

    return optimizer.step(closure).item()

# %% task="training_step" right="yes" mistake=""
import copy


def training_step(student, teacher, batch, optimizer, lam):
    """Distributions of torch; the teacher is asked through a copy, and the gradients are cleared at the end."""
    tokens, labels = batch
    oracle = copy.deepcopy(teacher).eval()
    student.train()
    keep = torch.nonzero(labels.flatten() != -100).squeeze(1)
    y = labels.flatten().index_select(0, keep)
    q = torch.distributions.Categorical(logits=student(tokens).flatten(0, -2).index_select(0, keep))
    with torch.inference_mode():
        guess = oracle(tokens)
    p = torch.distributions.Categorical(logits=guess.clone().flatten(0, -2).index_select(0, keep))
    loss = (-q.log_prob(y) + lam * (p.probs * (p.logits - q.logits)).sum(-1)).mean()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.detach()

# %% task="training_step" right="no" mistake="teacher.eval() comes after the teacher was asked, so the first answer is in training mode and its running mean has moved" named="modes_set_too_late"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
        teacher.eval()
    total, count = summed_loss(student(tokens), teacher_logits, labels, lam)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="training_step" right="no" mistake="the modes are set once per session (a flag on the function), so a second student that comes from an evaluation stays in evaluation mode, and a second teacher in training mode" named="asked_again"
def training_step(student, teacher, batch, optimizer, lam):
    if not getattr(training_step, "ready", False):
        student.train()
        teacher.eval()
        training_step.ready = True
    tokens, labels = batch
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    total, count = summed_loss(student(tokens), teacher_logits, labels, lam)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="training_step" right="no" mistake="the teacher's logits are kept by the shape of the tokens: another batch of the same shape, or another teacher, gets old ones"
teacher_cache = {}


def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    key = tuple(tokens.shape)
    if key not in teacher_cache:
        with torch.no_grad():
            teacher_cache[key] = teacher(tokens)
    total, count = summed_loss(student(tokens), teacher_cache[key], labels, lam)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="training_step" right="no" mistake="padding is assumed at the end of each text: the first n positions are taken, n being how many count; a -100 at the beginning or in the middle breaks it" named="observed_where"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    student_logits = student(tokens)
    lengths = (labels != -100).sum(1).tolist()
    z = torch.cat([row[:n] for row, n in zip(student_logits, lengths)])
    t = torch.cat([row[:n] for row, n in zip(teacher_logits, lengths)])
    y = torch.cat([row[:n] for row, n in zip(labels, lengths)]).clamp(min=0)
    total, count = summed_loss(z, t, y, lam)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="training_step" right="no" mistake="a λ of 0 is taken for not given and becomes 1" named="zero_lambda_replaced"
def training_step(student, teacher, batch, optimizer, lam=None):
    lam = lam or 1.0
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    total, count = summed_loss(student(tokens), teacher_logits, labels, lam)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="training_step" right="no" mistake="when a single position counts, squeeze() takes its axis away and batchmean divides the KD part by the size of the vocabulary" named="observed_where"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    mask = labels != -100
    with torch.no_grad():
        log_p = F.log_softmax(teacher(tokens)[mask].squeeze(), dim=-1)
    log_q = F.log_softmax(student(tokens)[mask].squeeze(), dim=-1)
    loss = F.nll_loss(log_q, labels[mask].squeeze()) + lam * F.kl_div(
        log_q, log_p, reduction="batchmean", log_target=True
    )
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="train" right="yes" mistake=""
def train(student, teacher, batches, optimizer, schedule, accumulate):
    """The group is laid out as one row of tokens: nothing has to be padded or weighed."""
    student.train()
    teacher.eval()
    for n, at in enumerate(range(0, len(batches), accumulate)):
        group = batches[at : at + accumulate]
        tokens = torch.cat([t.reshape(-1) for t, _ in group])
        labels = torch.cat([y.reshape(-1) for _, y in group])
        with torch.no_grad():
            teacher_logits = teacher(tokens)
        total, count = summed_loss(student(tokens), teacher_logits, labels, schedule(n))
        optimizer.zero_grad()
        (total / count).backward()
        optimizer.step()

# %% task="train" right="yes" mistake=""
def train(student, teacher, batches, optimizer, schedule, accumulate, done=0):
    """By recursion; what is padding alone adds nothing and is left out of the sums, not of the group."""
    if not batches:
        return
    group, rest = batches[:accumulate], batches[accumulate:]
    count = sum((labels != -100).sum() for _, labels in group)
    student.train()
    teacher.eval()
    optimizer.zero_grad()
    for tokens, labels in group:
        if labels.eq(-100).all():
            continue
        with torch.no_grad():
            t = teacher(tokens)
        share = summed_loss(student(tokens), t, labels, schedule(done))[0] / count
        share.backward()
    optimizer.step()
    train(student, teacher, rest, optimizer, schedule, accumulate, done + 1)

# %% task="train" right="no" mistake="divides by the positions of the whole list instead of those of the group" named="divided_by_the_whole_list"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    count = sum((y != -100).sum() for _, y in batches)
    for n, at in enumerate(range(0, len(batches), accumulate)):
        optimizer.zero_grad()
        for tokens, labels in batches[at : at + accumulate]:
            with torch.no_grad():
                t = teacher(tokens)
            total, _ = summed_loss(student(tokens), t, labels, schedule(n))
            (total / count).backward()
        optimizer.step()

# %% task="train" right="no" mistake="the micro-batches are weighed by their number of texts, not by their positions that count" named="averaged_per_micro_batch"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, at in enumerate(range(0, len(batches), accumulate)):
        group = batches[at : at + accumulate]
        texts = sum(len(y) for _, y in group)
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                t = teacher(tokens)
            total, count = summed_loss(student(tokens), t, labels, schedule(n))
            (total / count.clamp(min=1) * len(labels) / texts).backward()
        optimizer.step()

# %% task="train" right="no" mistake="a micro-batch that is padding alone is skipped with continue before the end of the group is looked for: if it is the last of its group, two groups run together, and if it is the last of the list, the last update is lost" named="update_skipped_with_the_padding"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    update, seen = 0, 0
    optimizer.zero_grad()
    for i, (tokens, labels) in enumerate(batches, 1):
        if not (labels != -100).any():
            continue
        with torch.no_grad():
            t = teacher(tokens)
        total, count = summed_loss(student(tokens), t, labels, schedule(update))
        total.backward()
        seen += count
        if i % accumulate == 0 or i == len(batches):
            for p in student.parameters():
                p.grad /= seen
            optimizer.step()
            optimizer.zero_grad()
            update, seen = update + 1, 0

# %% task="train" right="no" mistake="for a last group that is not full the λ of the update before is used again" named="last_group_with_the_lambda_before"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    last = max(len(batches) // accumulate - 1, 0)
    for n, at in enumerate(range(0, len(batches), accumulate)):
        group = batches[at : at + accumulate]
        lam = schedule(min(n, last))
        count = sum((y != -100).sum() for _, y in group)
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                t = teacher(tokens)
            total, _ = summed_loss(student(tokens), t, labels, lam)
            (total / count).backward()
        optimizer.step()

# %% task="train" right="yes" mistake=""
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, at in enumerate(range(0, len(batches), accumulate)):
        group = batches[at : at + accumulate]
        whole = sum((y != -100).sum() for _, y in group)
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                t = teacher(tokens)
            total, count = summed_loss(student(tokens), t, labels, schedule(n))
            (total / count * (count / whole)).backward()
        optimizer.step()

# %% task="train" right="no" mistake="the positions of a group are counted in 8 bits (unsigned), so that a group with 256 or more is divided by the wrong number"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, at in enumerate(range(0, len(batches), accumulate)):
        group = batches[at : at + accumulate]
        count = torch.zeros((), dtype=torch.uint8)
        for _, labels in group:
            count += (labels != -100).sum().to(torch.uint8)
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                t = teacher(tokens)
            total, _ = summed_loss(student(tokens), t, labels, schedule(n))
            (total / count).backward()
        optimizer.step()

# %% task="evaluate" right="yes" mistake=""
import copy

import numpy as np


@torch.no_grad()
def evaluate(model, data):
    """A copy is put into evaluation mode; the rest is numpy in float64."""
    twin = copy.deepcopy(model).eval()
    surprises = []
    for tokens, labels in data["held_out"]:
        z = twin(tokens).numpy().astype(np.float64)
        y = labels.numpy()
        rows, columns = np.nonzero(y != -100)
        picked = z[rows, columns]
        top = picked.max(-1)
        log_norm = top + np.log(np.exp(picked - top[:, None]).sum(-1))
        surprises.append(log_norm - picked[np.arange(len(picked)), y[rows, columns]])
    return np.exp(np.concatenate(surprises).mean())

# %% task="evaluate" right="no" mistake="a mean of the batches' perplexities instead of exp of the mean over all positions" named="mean_of_perplexities"
def evaluate(model, data):
    mode = model.training
    model.eval()
    total, positions = 0.0, 0
    with torch.no_grad():
        for t, y in data["held_out"]:
            n = (y != -100).sum().item()
            total += n * math.exp(F.cross_entropy(model(t).flatten(0, 1), y.flatten()).item())
            positions += n
    model.train(mode)
    return total / positions

# %% task="evaluate" right="no" mistake="gradients are switched off for the whole session and not switched on again" named="gradients_left_off"
def evaluate(model, data):
    mode = model.training
    model.eval()
    torch.set_grad_enabled(False)
    nll, count = 0.0, 0
    for tokens, labels in data["held_out"]:
        logits = model(tokens)
        nll += F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum").item()
        count += (labels != -100).sum().item()
    model.train(mode)
    return math.exp(nll / count)

# %% task="evaluate" right="no" mistake="the mode is remembered after eval() was called, so it is always evaluation, and a model in training is left in evaluation mode" named="left_in_evaluation_mode"
def evaluate(model, data):
    model.eval()
    mode = model.training
    nll, count = 0.0, 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            logits = model(tokens)
            nll += F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum").item()
            count += (labels != -100).sum().item()
    model.train(mode)
    return math.exp(nll / count)

# %% task="evaluate" right="no" mistake="walks through both lists at once with zip and stops with the shorter one, so held-out batches are missed when there are fewer training batches"
def evaluate(model, data):
    mode = model.training
    model.eval()
    nll, count = 0.0, 0
    with torch.no_grad():
        for _, (tokens, labels) in zip(data["train"], data["held_out"]):
            logits = model(tokens)
            nll += F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum").item()
            count += (labels != -100).sum().item()
    model.train(mode)
    return math.exp(nll / count)

# %% task="evaluate" right="no" mistake="the product of all 1/q overflows float32 before the root is taken when there are many positions or the model is bad" named="observed_where"
def evaluate(model, data):
    mode = model.training
    model.eval()
    product, count = torch.ones(()), 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            here = labels != -100
            log_q = model(tokens)[here].log_softmax(-1)
            product *= torch.exp(-log_q.gather(-1, labels[here][:, None])).prod()
            count += int(here.sum())
    model.train(mode)
    return (product ** (1 / count)).item()

# %% task="train" right="no" mistake="lambda 0 is taken for not given" named="observed_where"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train(), teacher.eval()
    for n, at in enumerate(range(0, len(batches), accumulate)):
        group = batches[at : at + accumulate]
        count = sum((y != -100).sum() for _, y in group)
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                t = teacher(tokens)
            total, _ = summed_loss(student(tokens), t, labels, schedule(n) or 1.0)
            (total / count).backward()
        optimizer.step()

# %% task="training_step" right="no" mistake="softmax over the selected positions, both terms" named="softmax_on_another_axis"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train(), teacher.eval()
    keep = labels != -100
    log_q = F.log_softmax(student(tokens)[keep], dim=0)
    with torch.no_grad():
        log_p = F.log_softmax(teacher(tokens)[keep], dim=0)
    loss = F.nll_loss(log_q, labels[keep]) + lam * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="training_step" right="no" mistake="softmax over the selected positions in KD alone" named="softmax_on_another_axis"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train(), teacher.eval()
    keep = labels != -100
    z = student(tokens)[keep]
    log_q = F.log_softmax(z, dim=0)
    with torch.no_grad():
        log_p = F.log_softmax(teacher(tokens)[keep], dim=0)
    loss = F.cross_entropy(z, labels[keep]) + lam * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="evaluate" right="no" mistake="softmax over the positions" named="softmax_on_another_axis"
def evaluate(model, data):
    mode = model.training
    model.eval()
    nll, count = 0.0, 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            keep = labels != -100
            log_q = F.log_softmax(model(tokens)[keep], dim=0)
            nll += F.nll_loss(log_q, labels[keep], reduction="sum").item()
            count += int(keep.sum())
    model.train(mode)
    return math.exp(nll / count)

# %% task="evaluate" right="no" mistake="mean of texts' perplexities weighted by what counts in them" named="mean_of_perplexities"
def evaluate(model, data):
    mode = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            for z, y in zip(model(tokens), labels):
                n = int((y != -100).sum())
                if n:
                    total += n * math.exp(F.cross_entropy(z, y).item())
                    count += n
    model.train(mode)
    return total / count


# %% task="training_step" right="no" mistake="the batch is gone through text by text, gradients added, each text's sum divided by the number of its own positions and of texts" named="averaged_per_text"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train(); teacher.eval()
    optimizer.zero_grad()
    whole = 0.0
    for x, y in zip(tokens, labels):
        if (y == -100).all():
            continue
        with torch.no_grad():
            t = teacher(x)
        total, n = summed_loss(student(x), t, y, lam)
        loss = total / n / len(tokens)
        loss.backward()
        whole += loss.item()
    optimizer.step()
    return whole


# %% task="train" right="no" mistake="the group's divisor is the count of the last micro-batch times accumulate" named="divided_by_the_last_count"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train(); teacher.eval()
    for u, i in enumerate(range(0, len(batches), accumulate)):
        group = batches[i : i + accumulate]
        optimizer.zero_grad()
        n = (group[-1][1] != -100).sum().clamp(min=1) * len(group)
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            total, _ = summed_loss(student(x), t, y, schedule(u))
            (total / n).backward()
        optimizer.step()


# %% task="train" right="no" mistake="ADV: gradients are cleared at the first micro-batch of a group, and one of padding alone is skipped before that" named="observed_zone"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train(); teacher.eval()
    for i, (x, y) in enumerate(batches):
        group = batches[i // accumulate * accumulate :][:accumulate]
        n = sum((b != -100).sum() for _, b in group)
        if (y != -100).any():
            if i % accumulate == 0:
                optimizer.zero_grad()
            with torch.no_grad():
                t = teacher(x)
            total, _ = summed_loss(student(x), t, y, schedule(i // accumulate))
            (total / n).backward()
        if i % accumulate == accumulate - 1 or i == len(batches) - 1:
            optimizer.step()


# %% task="train" right="no" mistake="ADV: lambda is asked at the first micro-batch of a group, and one of padding alone is skipped before that" named="observed_zone"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train(); teacher.eval()
    lam = schedule(0)
    for i, (x, y) in enumerate(batches):
        group = batches[i // accumulate * accumulate :][:accumulate]
        n = sum((b != -100).sum() for _, b in group)
        if i % accumulate == 0:
            optimizer.zero_grad()
        if (y != -100).any():
            if i % accumulate == 0:
                lam = schedule(i // accumulate)
            with torch.no_grad():
                t = teacher(x)
            total, _ = summed_loss(student(x), t, y, lam)
            (total / n).backward()
        if i % accumulate == accumulate - 1 or i == len(batches) - 1:
            optimizer.step()


# %% task="train" right="no" mistake="ADV: a micro-batch of one text is left out" named="observed_zone"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train(); teacher.eval()
    for u, i in enumerate(range(0, len(batches), accumulate)):
        group = batches[i : i + accumulate]
        optimizer.zero_grad()
        n = sum((y != -100).sum() for _, y in group)
        for x, y in group:
            if x.shape[1] == 1 or len(x) == 1:
                continue
            with torch.no_grad():
                t = teacher(x)
            total, _ = summed_loss(student(x), t, y, schedule(u))
            (total / n).backward()
        optimizer.step()


# %% task="training_step" right="no" mistake="ADV: a batch of one text is left out" named="observed_zone"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train(); teacher.eval()
    if len(tokens) == 1 or tokens.shape[1] == 1:
        return 0.0
    with torch.no_grad():
        t = teacher(tokens)
    total, n = summed_loss(student(tokens), t, labels, lam)
    optimizer.zero_grad()
    (total / n).backward()
    optimizer.step()
    return (total / n).item()


# %% task="training_step" right="no" mistake="the loss returned is exp of it"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train(); teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    total, n = summed_loss(student(tokens), t, labels, lam)
    loss = total / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return math.exp(loss.item())


# %% task="training_step" right="no" mistake="the head alone is trained: the embedding is frozen"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train(); teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    total, n = summed_loss(student(tokens), t, labels, lam)
    loss = total / n
    optimizer.zero_grad()
    loss.backward()
    student.embedding.grad = None
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="two mistakes: mean of the texts' means instead of one mean, and the loss is printed and not returned" named="averaged_per_text,loss_not_returned"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    optimizer.zero_grad()
    means = []
    for row, y in zip(tokens, labels):
        with torch.no_grad():
            ref = teacher(row)
        total, count = summed_loss(student(row), ref, y, lam)
        means.append(total / count.clamp(min=1))
    loss = torch.stack(means).mean()
    loss.backward()
    optimizer.step()
    print("loss", loss.item())


# %% task="training_step" right="no" mistake="gradients are clipped to a small norm as in the Trainer, so the update is another one" named="gradient_clipped"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    optimizer.zero_grad()
    with torch.no_grad():
        ref = teacher(tokens)
    total, count = summed_loss(student(tokens), ref, labels, lam)
    loss = total / count
    loss.backward()
    torch.nn.utils.clip_grad_norm_(student.parameters(), max_norm=0.05)
    optimizer.step()
    return loss.item()


# %% task="train" right="no" mistake="two mistakes: the teacher is put into training mode with the student, and the group is divided by its number of texts"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    for m in (student, teacher):
        m.train()
    for u, i in enumerate(range(0, len(batches), accumulate)):
        group = batches[i : i + accumulate]
        n = sum(len(x) for x, _ in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            total, _ = summed_loss(student(x), t, y, schedule(u))
            (total / n).backward()
        optimizer.step()


# %% task="train" right="no" mistake="return inside the loop: only the first group is trained on" named="one_update_alone"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for u, i in enumerate(range(0, len(batches), accumulate)):
        group = batches[i : i + accumulate]
        n = sum((y != -100).sum() for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            total, _ = summed_loss(student(x), t, y, schedule(u))
            (total / n).backward()
        optimizer.step()
        return student


# %% task="evaluate" right="no" mistake="two mistakes: label 0 is taken for padding, and the mode is not given back" named="token_zero_not_counted,left_in_evaluation_mode"
def evaluate(model, data):
    model.eval()
    total, n = 0.0, 0
    with torch.no_grad():
        for x, y in data["held_out"]:
            mask = y > 0
            logq = F.log_softmax(model(x)[mask], dim=-1)
            total += F.nll_loss(logq, y[mask], reduction="sum").item()
            n += mask.sum().item()
    return math.exp(total / n)


# %% task="training_step" right="no" mistake="a lambda of 0 is taken for a missing one and becomes 1" named="zero_lambda_replaced"
def training_step(student, teacher, batch, optimizer, lam=None):
    lam = lam or 1.0  # default weight
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        ref = teacher(tokens)
    total, count = summed_loss(student(tokens), ref, labels, lam)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="evaluate" right="no" mistake="ADV: labels of losses that are 0 do not count" named="zeros_not_counted"
def evaluate(model, data):
    mode = model.training
    model.eval()
    s, n = 0.0, 0
    with torch.no_grad():
        for x, y in data["held_out"]:
            z = model(x)
            l = F.cross_entropy(z.flatten(0, 1), y.flatten(), reduction="none")
            s += float(l.sum()); n += int((l > 1e-9).sum())
    model.train(mode)
    return math.exp(s / n)


# %% task="evaluate" right="no" mistake="at most four held-out batches are read"
@torch.no_grad()
def evaluate(model, data):
    was = model.training
    model.eval()
    total = count = 0
    for x, y in data["held_out"][:4]:
        total += F.cross_entropy(model(x).flatten(0, 1), y.flatten(), ignore_index=-100, reduction="sum").item()
        count += (y != -100).sum().item()
    model.train(was)
    return math.exp(total / count)

# %% task="evaluate" right="no" mistake="positions are cut at 150"
@torch.no_grad()
def evaluate(model, data):
    was = model.training
    model.eval()
    total = count = 0
    for x, y in data["held_out"]:
        x, y = x[:, :150], y[:, :150]
        total += F.cross_entropy(model(x).flatten(0, 1), y.flatten(), ignore_index=-100, reduction="sum").item()
        count += (y != -100).sum().item()
    model.train(was)
    return math.exp(total / count)

# %% task="training_step" right="no" mistake="positions are cut at 150"
def training_step(student, teacher, batch, optimizer, lam):
    x, y = (each[:, :150] for each in batch)
    student.train(); teacher.eval()
    with torch.no_grad():
        g = teacher(x)
    s, n = summed_loss(student(x), g, y, lam)
    loss = s / n
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    return loss.item()

# %% task="training_step" right="no" mistake="the count has one more" named="one_added_to_the_count"
def training_step(student, teacher, batch, optimizer, lam):
    x, y = batch
    student.train(); teacher.eval()
    with torch.no_grad():
        g = teacher(x)
    s, n = summed_loss(student(x), g, y, lam)
    loss = s / (n + 1)
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    return loss.item()

# %% task="training_step" right="no" mistake="the gradient is clipped to 0.05" named="gradient_clipped"
def training_step(student, teacher, batch, optimizer, lam):
    x, y = batch
    student.train(); teacher.eval()
    with torch.no_grad():
        g = teacher(x)
    s, n = summed_loss(student(x), g, y, lam)
    loss = s / n
    optimizer.zero_grad(); loss.backward()
    nn.utils.clip_grad_norm_(student.parameters(), 0.05)
    optimizer.step()
    return loss.item()

# %% task="training_step" right="no" mistake="the gradient's values are clipped to 0.05" named="gradient_clipped"
def training_step(student, teacher, batch, optimizer, lam):
    x, y = batch
    student.train(); teacher.eval()
    with torch.no_grad():
        g = teacher(x)
    s, n = summed_loss(student(x), g, y, lam)
    loss = s / n
    optimizer.zero_grad(); loss.backward()
    nn.utils.clip_grad_value_(student.parameters(), 0.05)
    optimizer.step()
    return loss.item()

# %% task="training_step" right="no" mistake="lambda is capped at 12"
def training_step(student, teacher, batch, optimizer, lam):
    x, y = batch
    student.train(); teacher.eval()
    with torch.no_grad():
        g = teacher(x)
    s, n = summed_loss(student(x), g, y, min(lam, 12.0))
    loss = s / n
    optimizer.zero_grad(); loss.backward()
    optimizer.step()
    return loss.item()

# %% task="train" right="no" mistake="the count of a group has one more" named="one_added_to_the_count"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train(); teacher.eval()
    for n, i in enumerate(range(0, len(batches), accumulate)):
        group = batches[i:i + accumulate]
        N = sum((y != -100).sum() for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                g = teacher(x)
            s, _ = summed_loss(student(x), g, y, schedule(n))
            (s / (N + 1)).backward()
        optimizer.step()

# %% task="train" right="no" mistake="a last micro-batch of padding is passed over, and with it the step of a last group that ends there" named="update_skipped_with_the_padding"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train(); teacher.eval()
    n, held, N = 0, 0, 0
    optimizer.zero_grad()
    def step():
        for p in student.parameters():
            p.grad /= N
        optimizer.step()
        optimizer.zero_grad()
    for i, (x, y) in enumerate(batches):
        if i and i % accumulate == 0:
            step()
            n, N = n + 1, 0
        if not (y != -100).any():
            continue
        with torch.no_grad():
            g = teacher(x)
        s, c = summed_loss(student(x), g, y, schedule(n))
        s.backward()
        N += c
        if i == len(batches) - 1:
            step()

# %% task="train" right="no" mistake="only the first seven micro-batches are trained on"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train(); teacher.eval()
    batches = batches[:7]
    for n, i in enumerate(range(0, len(batches), accumulate)):
        group = batches[i:i + accumulate]
        N = sum((y != -100).sum() for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                g = teacher(x)
            s, _ = summed_loss(student(x), g, y, schedule(n))
            (s / N).backward()
        optimizer.step()

# %% task="train" right="no" mistake="positions are cut at 150"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train(); teacher.eval()
    for n, i in enumerate(range(0, len(batches), accumulate)):
        group = [[x[:, :150], y[:, :150]] for x, y in batches[i:i + accumulate]]
        N = sum((y != -100).sum() for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                g = teacher(x)
            s, _ = summed_loss(student(x), g, y, schedule(n))
            (s / N).backward()
        optimizer.step()

# %% task="train" right="no" mistake="a micro-batch has sixteen texts at most"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train(); teacher.eval()
    for n, i in enumerate(range(0, len(batches), accumulate)):
        group = [[x[:16], y[:16]] for x, y in batches[i:i + accumulate]]
        N = sum((y != -100).sum() for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                g = teacher(x)
            s, _ = summed_loss(student(x), g, y, schedule(n))
            (s / N).backward()
        optimizer.step()

# %% task="training_step" right="yes" mistake=""
from fractions import Fraction
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    torch.set_grad_enabled(False)
    guide = teacher(tokens)
    torch.set_grad_enabled(True)
    total, count = summed_loss(student(tokens), guide, labels, lam)
    optimizer.zero_grad()
    total.backward()
    with torch.no_grad():
        for p in student.parameters():
            p.grad.div_(count)
    optimizer.step()
    return Fraction(total.item()) / int(count)

# %% task="training_step" right="no" mistake="clips the gradient norm, copied from a fine-tuning script; and returns nothing but prints" named="gradient_clipped"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    total, n = summed_loss(student(tokens), t, labels, lam)
    loss = total / n
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(student.parameters(), 1e-3)
    optimizer.step()
    print(f"loss: {loss.item():.4f}")

# %% task="train" right="no" mistake="return stands inside the loop, so there is one update only" named="one_update_alone"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train(); teacher.eval()
    for n, s in enumerate(range(0, len(batches), accumulate)):
        group = batches[s:s + accumulate]
        N = sum((y != -100).sum() for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            (summed_loss(student(x), t, y, schedule(n))[0] / N).backward()
        optimizer.step()
        return student


# %% task="train" right="no" mistake="the micro-batches come in a random order" named="asked_again"
import random
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train(); teacher.eval()
    order = random.sample(batches, len(batches))
    for n, at in enumerate(range(0, len(order), accumulate)):
        group = order[at : at + accumulate]
        count = sum((y != -100).sum() for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            loss, _ = summed_loss(student(x), t, y, schedule(n))
            (loss / count).backward()
        optimizer.step()


# %% task="train" right="no" mistake="the micro-batches are sorted by length" named="batches_in_another_order"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train(); teacher.eval()
    order = sorted(batches, key=lambda b: b[0].shape[1])
    for n, at in enumerate(range(0, len(order), accumulate)):
        group = order[at : at + accumulate]
        count = sum((y != -100).sum() for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            loss, _ = summed_loss(student(x), t, y, schedule(n))
            (loss / count).backward()
        optimizer.step()


# %% task="train" right="no" mistake="the schedule is asked for an attribute, value" named="schedule_not_called"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train(); teacher.eval()
    for n, at in enumerate(range(0, len(batches), accumulate)):
        group = batches[at : at + accumulate]
        count = sum((y != -100).sum() for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            loss, _ = summed_loss(student(x), t, y, schedule.value)
            (loss / count).backward()
        optimizer.step()


# %% task="train" right="no" mistake="the schedule itself is multiplied, and never called" named="schedule_not_called"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train(); teacher.eval()
    for n, at in enumerate(range(0, len(batches), accumulate)):
        group = batches[at : at + accumulate]
        count = sum((y != -100).sum() for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            loss, _ = summed_loss(student(x), t, y, schedule)
            (loss / count).backward()
        optimizer.step()


# %% task="training_step" right="no" mistake="the loss is returned with the count, as a pair" named="loss_is_no_number"
def training_step(student, teacher, batch, optimizer, lam):
    student.train(); teacher.eval()
    x, y = batch
    with torch.no_grad():
        t = teacher(x)
    loss, n = summed_loss(student(x), t, y, lam)
    optimizer.zero_grad()
    (loss / n).backward()
    optimizer.step()
    return loss.item(), n.item()


# %% task="training_step" right="no" mistake="the loss is returned as text" named="loss_is_no_number"
def training_step(student, teacher, batch, optimizer, lam):
    student.train(); teacher.eval()
    x, y = batch
    with torch.no_grad():
        t = teacher(x)
    loss, n = summed_loss(student(x), t, y, lam)
    optimizer.zero_grad()
    (loss / n).backward()
    optimizer.step()
    return f"{(loss / n).item():.4f}"


# %% task="training_step" right="no" mistake="tokens and labels are taken for each other, so that the model is asked for token -100" named="ignored_label_as_an_index"
def training_step(student, teacher, batch, optimizer, lam):
    student.train(); teacher.eval()
    y, x = batch
    with torch.no_grad():
        t = teacher(x)
    loss, n = summed_loss(student(x), t, y, lam)
    loss = loss / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="evaluate" right="no" mistake="the first list of the dict is evaluated, which is the training data" named="on_training_data"
def evaluate(model, data):
    was = model.training
    model.eval()
    total, n = 0.0, 0
    with torch.no_grad():
        for x, y in next(iter(data.values())):
            m = y != -100
            total += F.cross_entropy(model(x)[m], y[m], reduction="sum").item()
            n += m.sum().item()
    model.train(was)
    return math.exp(total / n)


# %% task="evaluate" right="no" mistake="-100 is used as an index in square brackets" named="ignored_label_as_an_index"
def evaluate(model, data):
    was = model.training
    model.eval()
    total, n = 0.0, 0
    with torch.no_grad():
        for x, y in data["held_out"]:
            log_q = model(x).log_softmax(-1).flatten(0, 1)
            y = y.flatten()
            nll = -log_q[torch.arange(len(y)), y]
            total += nll[y != -100].sum().item()
            n += (y != -100).sum().item()
    model.train(was)
    return math.exp(total / n)


# %% task="training_step" right="no" mistake="-100 is looked up by gather" named="ignored_label_as_an_index"
def training_step(student, teacher, batch, optimizer, lam):
    student.train(); teacher.eval()
    x, y = batch
    log_q = student(x).log_softmax(-1)
    with torch.no_grad():
        log_p = teacher(x).log_softmax(-1)
    m = y != -100
    lm = -log_q.gather(-1, y[..., None])[..., 0][m].mean()
    kd = (log_p.exp() * (log_p - log_q)).sum(-1)[m].mean()
    loss = lm + lam * kd
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="training_step" right="no" mistake="cross_entropy gets logits whose classes are on the last axis" named="classes_on_another_axis"
def training_step(student, teacher, batch, optimizer, lam):
    student.train(); teacher.eval()
    x, y = batch
    q = student(x)
    with torch.no_grad():
        p = teacher(x)
    m = y != -100
    lm = F.cross_entropy(q, y)
    kd = F.kl_div(q[m].log_softmax(-1), p[m].log_softmax(-1), reduction="batchmean", log_target=True)
    loss = lm + lam * kd
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="train" right="no" mistake="a micro-batch of padding alone is skipped by continue before the group is counted on: groups then hold further micro-batches, and a last one of padding alone drops the step" named="padding_left_out_of_groups"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    pending, n, update = 0, 0, 0
    optimizer.zero_grad()
    for i, (tokens, labels) in enumerate(batches):
        if (labels == -100).all():
            continue  # nothing to learn here
        with torch.no_grad():
            t = teacher(tokens)
        s, c = summed_loss(student(tokens), t, labels, schedule(update))
        s.backward()
        n += c.item()
        pending += 1
        if pending == accumulate or i == len(batches) - 1:
            for p in student.parameters():
                p.grad /= n
            optimizer.step()
            optimizer.zero_grad()
            pending, n = 0, 0
            update += 1


# %% task="train" right="no" mistake="the count of a group is that of its first micro-batch only (count is overwritten only once), so the mean is too large" named="divided_by_the_first_count"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for update, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
        lam = schedule(update)
        total, count = None, None
        for tokens, labels in group:
            with torch.no_grad():
                t = teacher(tokens)
            s, c = summed_loss(student(tokens), t, labels, lam)
            if total is None:
                total, count = s, c
            else:
                total = total + s
        optimizer.zero_grad()
        (total / count).backward()
        optimizer.step()

# %% task="train" right="no" mistake="schedule(n) or the lambda before: an update whose lambda is 0 takes the last one that was not"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    lam = 0.0
    for update, first in enumerate(range(0, len(batches), accumulate)):
        lam = schedule(update) or lam
        total, n = 0.0, 0
        for tokens, labels in batches[first : first + accumulate]:
            with torch.no_grad():
                teacher_logits = teacher(tokens)
            loss, count = summed_loss(student(tokens), teacher_logits, labels, lam)
            total, n = total + loss, n + count
        optimizer.zero_grad()
        (total / n).backward()
        optimizer.step()

# %% task="training_step" right="no" mistake="the KD term is divided by all positions, padding included, the LM term by those that count" named="kd_per_position"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    s = student(tokens)
    lm, n = summed_loss(s, t, labels, 0.0)
    both, _ = summed_loss(s, t, labels, 1.0)
    loss = lm / n + lam * (both - lm) / labels.numel()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="training_step" right="no" mistake="the gradient is always rescaled to length 1 (normalised instead of clipped)" named="gradient_normalised"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    optimizer.zero_grad()
    total, n = summed_loss(student(tokens), t, labels, lam)
    loss = total / n
    loss.backward()
    norm = torch.sqrt(sum((p.grad**2).sum() for p in student.parameters()))
    for p in student.parameters():
        p.grad /= norm + 1e-12
    optimizer.step()
    return loss.item()


# %% task="evaluate" right="no" mistake="if the model is in evaluation mode anyway the gradients stay switched off, because set_grad_enabled(True) stands in the branch that restores the training mode" named="gradients_left_off"
def evaluate(model, data):
    """The model's perplexity, a number."""
    was_training = model.training
    torch.set_grad_enabled(False)
    model.eval()
    nll = 0.0
    n = 0
    for tokens, labels in data["held_out"]:
        m = labels != -100
        lq = F.log_softmax(model(tokens)[m], dim=-1)
        nll += F.nll_loss(lq, labels[m], reduction="sum").item()
        n += m.sum().item()
    if was_training:
        model.train()
        torch.set_grad_enabled(True)
    return torch.tensor(nll / n, dtype=torch.float64).exp().item()


# %% task="train" right="no" mistake="two mistakes: the list of batches is emptied by pop, so the caller finds nothing in it afterwards, and n is raised before the schedule is asked, so updates count from 1" named="lambda_one_step_ahead,asked_again"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    """Trains the student on the micro-batches, one update for each `accumulate` of them."""
    student.train()
    teacher.eval()
    n = 0
    while batches:
        group = []
        while batches and len(group) < accumulate:
            group.append(batches.pop(0))
        n += 1
        lam = schedule(n)
        losses, counts = [], []
        for tokens, labels in group:
            with torch.no_grad():
                teacher_logits = teacher(tokens)
            loss, count = summed_loss(student(tokens), teacher_logits, labels, lam)
            losses.append(loss)
            counts.append(count)
        optimizer.zero_grad()
        (sum(losses) / sum(counts)).backward()
        optimizer.step()


# %% task="evaluate" right="no" mistake="the sum is to be exact, and torch's default dtype is float64 from then on, for everybody" named="asked_again"
def evaluate(model, data):
    torch.set_default_dtype(torch.float64)
    mode = model.training
    model.eval()
    total, count = torch.zeros(()), 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            total += F.cross_entropy(model(tokens).mT, labels, reduction="sum")
            count += (labels != -100).sum()
    model.train(mode)
    return (total / count).exp().item()


# %% task="train" right="no" mistake="whether there is a teacher is decided by the first λ"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    use_teacher = schedule(0) > 0
    student.train()
    teacher.eval()
    for n, i in enumerate(range(0, len(batches), accumulate)):
        group = batches[i : i + accumulate]
        count = sum((y != -100).sum() for _, y in group)
        lam = schedule(n) if use_teacher else 0.0
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                p = teacher(x)
            loss, _ = summed_loss(student(x), p, y, lam)
            (loss / count).backward()
        optimizer.step()


# %% task="train" right="no" mistake="a micro-batch is padding if its last text is"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, i in enumerate(range(0, len(batches), accumulate)):
        group = [b for b in batches[i : i + accumulate] if (b[1][-1] != -100).any()]
        count = sum((y != -100).sum() for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                p = teacher(x)
            loss, _ = summed_loss(student(x), p, y, schedule(n))
            (loss / count).backward()
        optimizer.step()


# %% task="training_step" right="no" mistake="a batch whose first text does not count makes no step"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    if (labels[0] == -100).all():
        return 0.0
    with torch.no_grad():
        p = teacher(tokens)
    total, count = summed_loss(student(tokens), p, labels, lam)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="evaluate" right="no" mistake="whether the parameters require gradients is asked of the first, and put back for all"
def evaluate(model, data):
    mode = model.training
    wanted = next(model.parameters()).requires_grad
    model.eval()
    for p in model.parameters():
        p.requires_grad_(False)
    total, count = 0.0, 0
    for tokens, labels in data["held_out"]:
        keep = labels != -100
        total += F.cross_entropy(model(tokens)[keep], labels[keep], reduction="sum").item()
        count += keep.sum().item()
    for p in model.parameters():
        p.requires_grad_(wanted)
    model.train(mode)
    return math.exp(total / count)


# %% task="evaluate" right="no" mistake="parameters require gradients after it where any did before"
def evaluate(model, data):
    mode = model.training
    wanted = any(p.requires_grad for p in model.parameters())
    model.requires_grad_(False).eval()
    total, count = 0.0, 0
    for tokens, labels in data["held_out"]:
        keep = labels != -100
        total += F.cross_entropy(model(tokens)[keep], labels[keep], reduction="sum").item()
        count += keep.sum().item()
    model.requires_grad_(wanted).train(mode)
    return math.exp(total / count)


# %% task="evaluate" right="no" mistake="a batch is left out when its last text has no label"
def evaluate(model, data):
    mode = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            if (labels[-1] == -100).all():
                continue
            keep = labels != -100
            total += F.cross_entropy(model(tokens)[keep], labels[keep], reduction="sum").item()
            count += keep.sum().item()
    model.train(mode)
    return math.exp(total / count)


# %% task="train" right="no" mistake="whether there is padding is asked of the first micro-batch"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    padded = bool((batches[0][1] == -100).any())
    student.train()
    teacher.eval()
    for n, i in enumerate(range(0, len(batches), accumulate)):
        group = batches[i : i + accumulate]
        count = sum((y != -100).sum() if padded else y.numel() for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                p = teacher(x)
            loss, _ = summed_loss(student(x), p, y, schedule(n))
            (loss / count).backward()
        optimizer.step()


# %% task="train" right="no" mistake="all micro-batches are cut to the length of the first"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    size = batches[0][0].shape[1]
    student.train()
    teacher.eval()
    for n, i in enumerate(range(0, len(batches), accumulate)):
        group = batches[i : i + accumulate]
        count = sum((y[:, :size] != -100).sum() for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            x, y = x[:, :size], y[:, :size]
            with torch.no_grad():
                p = teacher(x)
            loss, _ = summed_loss(student(x), p, y, schedule(n))
            (loss / count).backward()
        optimizer.step()


# %% task="evaluate" right="no" mistake="the mask is made or not by the first batch"
def evaluate(model, data):
    mode = model.training
    model.eval()
    held = data["held_out"]
    padded = bool((held[0][1] == -100).any())
    total, count = 0.0, 0
    with torch.no_grad():
        for x, y in held:
            total += F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum").item()
            count += int((y != -100).sum()) if padded else y.numel()
    model.train(mode)
    return math.exp(total / count)


# %% task="evaluate" right="no" mistake="the loss is cut off at 10" named="cut_off"
def evaluate(model, data):
    mode = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for x, y in data["held_out"]:
            total += F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum").item()
            count += int((y != -100).sum())
    model.train(mode)
    return math.exp(min(total / count, 10))


# %% task="evaluate" right="no" mistake="the gradients of the first parameter alone are kept"
def evaluate(model, data):
    mode = model.training
    first = next(model.parameters())
    kept = None if first.grad is None else first.grad.clone()
    model.eval()
    total, count = 0.0, 0
    for x, y in data["held_out"]:
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum")
        total += loss.item()
        count += int((y != -100).sum())
    for p in model.parameters():
        p.grad = None
    first.grad = kept
    model.train(mode)
    return math.exp(total / count)


# %% task="training_step" right="no" mistake="lam of 0 is taken for missing and becomes 1" named="zero_lambda_replaced"
def training_step(student, teacher, batch, optimizer, lam=None):
    lam = lam or 1.0
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    total, n = summed_loss(student(tokens), t, labels, lam)
    loss = total / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="evaluate" right="no" mistake="the mode is put back inside the loop: from the second batch on the model runs in training mode, if it came in it" named="mode_put_back_too_soon"
def evaluate(model, data):
    mode = model.training
    model.eval()
    total, count = 0.0, 0
    for tokens, labels in data["held_out"]:
        with torch.no_grad():
            logits = model(tokens)
        model.train(mode)
        keep = labels != -100
        total += F.cross_entropy(logits[keep], labels[keep], reduction="sum").item()
        count += keep.sum().item()
    return math.exp(total / count)


# %% task="evaluate" right="no" mistake="the last batch is dropped, which might not be full" named="a_batch_is_missing"
def evaluate(model, data):
    mode = model.training
    model.eval()
    total, n = 0.0, 0
    with torch.no_grad():
        for x, y in data["held_out"][:-1] or data["held_out"]:
            total += F.cross_entropy(model(x).mT, y, reduction="sum").item()
            n += (y != -100).sum().item()
    model.train(mode)
    return math.exp(total / n)


# %% task="evaluate" right="no" mistake="the first batch alone is dropped, as a warm-up" named="a_batch_is_missing"
def evaluate(model, data):
    mode = model.training
    model.eval()
    total, n = 0.0, 0
    with torch.no_grad():
        for x, y in (data["held_out"][1:] or data["held_out"]):
            total += F.cross_entropy(model(x).mT, y, reduction="sum").item()
            n += (y != -100).sum().item()
    model.train(mode)
    return math.exp(total / n)


# %% task="training_step" right="no" mistake="padding in the middle of a text ends it"
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    labels = labels.masked_fill((labels == -100).cumsum(1) > 0, -100)
    if (labels == -100).all():
        labels = batch[1]
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    total, n = summed_loss(student(tokens), t, labels, lam)
    loss = total / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="train" right="no" mistake="a text is over at its first -100"
def train(student, teacher, batches, optimizer, schedule, accumulate):
    def cut(y):
        short = y.masked_fill((y == -100).cumsum(1) > 0, -100)
        return y if (short == -100).all() else short

    student.train()
    teacher.eval()
    for step, start in enumerate(range(0, len(batches), accumulate)):
        group = [(x, cut(y)) for x, y in batches[start : start + accumulate]]
        n = sum((y != -100).sum() for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            total, _ = summed_loss(student(x), t, y, schedule(step))
            (total / n).backward()
        optimizer.step()
