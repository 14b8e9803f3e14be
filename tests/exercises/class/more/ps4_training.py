# More answers of the same manner; benchmarks/hints.py --folder judges them.


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


# %% task="train" right="no" mistake="the modulo is asked with i counted from 0, so the optimiser steps after the first micro-batch of each group; and the student's mode is not set"
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


# %% task="evaluate" right="no" mistake="switches gradients off for good with set_grad_enabled(False), so training cannot go on afterwards" named="left_frozen"
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


# %% task="which_change" right="no" mistake="drops the teacher altogether, though the run with λ = 0 ended worse" named="chose_c"
which_change = 'c'
