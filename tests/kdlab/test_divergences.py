"""Divergences: closed forms, limits, a slow float64 reference, properties, edges, errors."""

import math
from dataclasses import dataclass, field
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kdlab.divergences import (
    DIVERGENCES,
    divergence_name,
    forward_kl,
    jensen_shannon,
    kernel_of,
    resolve_divergence,
    reverse_kl,
    skew_forward_kl,
    skew_reverse_kl,
    total_variation,
)

CASES = {
    **DIVERGENCES,
    "jensen_shannon_.1": partial(jensen_shannon, beta=0.1),
    "jensen_shannon_.9": partial(jensen_shannon, beta=0.9),
    "skew_forward_kl_.5": partial(skew_forward_kl, alpha=0.5),
    "skew_reverse_kl_.5": partial(skew_reverse_kl, alpha=0.5),
    "jensen_shannon_1e-5": partial(jensen_shannon, beta=1e-5),
    "skew_forward_kl_1e-5": partial(skew_forward_kl, alpha=1e-5),
    "skew_reverse_kl_1e-5": partial(skew_reverse_kl, alpha=1e-5),
    "skew_forward_kl_0": partial(skew_forward_kl, alpha=0.0),
    "skew_reverse_kl_0": partial(skew_reverse_kl, alpha=0.0),
}
every = pytest.mark.parametrize("divergence", CASES.values(), ids=CASES.keys())
LN2 = math.log(2)


def logits_of(*probabilities, dtype=torch.float64):
    return torch.tensor(probabilities, dtype=dtype).log()


def random_logits(*shape, seed=0, scale=3.0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    student, teacher = torch.randn(2, *shape, generator=generator, dtype=torch.float64) * scale
    return student.to(dtype), teacher.to(dtype)


def gradient(divergence, student, teacher, **options):
    student = student.clone().requires_grad_()
    divergence(student, teacher, **options).sum().backward()
    return student.grad


# --- an independent reference: one position, one token at a time, float64 -------------------------


def log_sum_exp(*logs):
    top = max(logs)
    if top == -math.inf:
        return top
    return top + math.log(math.fsum(math.exp(x - top) for x in logs))


def log_softmax_by_hand(logits, temperature):
    logits = [z / temperature for z in logits.double().tolist()]
    total = log_sum_exp(*logits)
    return [z - total for z in logits]


def kl_by_hand(log_a, log_b):
    pairs = zip(log_a, log_b, strict=True)
    return math.fsum(math.exp(x) * (x - y) for x, y in pairs if x > -math.inf)


def mix(weight, log_a, log_b):
    if weight == 0:
        return log_b
    by = math.log(weight), math.log(1 - weight)
    return [log_sum_exp(by[0] + x, by[1] + y) for x, y in zip(log_a, log_b, strict=True)]


def reference(divergence, student, teacher, temperature=1.0):
    """The textbook formula of a divergence (or of a partial of one) for one position."""
    options = {}
    if isinstance(divergence, partial):
        divergence, options = divergence.func, divergence.keywords
    p, q = (log_softmax_by_hand(x, temperature) for x in (teacher, student))
    beta, alpha = options.get("beta", 0.5), options.get("alpha", 0.1)
    m = mix(beta, p, q)
    gaps = (abs(math.exp(x) - math.exp(y)) for x, y in zip(p, q, strict=True))
    return {
        "forward_kl": lambda: kl_by_hand(p, q),
        "reverse_kl": lambda: kl_by_hand(q, p),
        "total_variation": lambda: 0.5 * math.fsum(gaps),
        "jensen_shannon": lambda: beta * kl_by_hand(p, m) + (1 - beta) * kl_by_hand(q, m),
        "skew_forward_kl": lambda: kl_by_hand(p, mix(alpha, p, q)),
        "skew_reverse_kl": lambda: kl_by_hand(q, mix(alpha, q, p)),
    }[divergence.__name__]()


@st.composite
def logit_pairs(draw, largest=30.0):
    size = draw(st.integers(2, 9))
    row = st.lists(
        st.floats(-largest, largest, allow_subnormal=False), min_size=size, max_size=size
    )
    return tuple(torch.tensor(draw(row), dtype=torch.float64) for _ in range(2))


temperatures = st.sampled_from([0.05, 0.5, 1.0, 2.0, 20.0])


# --- closed forms ---------------------------------------------------------------------------------


def test_two_tokens_by_hand():
    student, teacher = logits_of(0.5, 0.5), logits_of(0.8, 0.2)
    m = (0.65, 0.35)
    js = 0.5 * (0.8 * math.log(0.8 / m[0]) + 0.2 * math.log(0.2 / m[1]))
    js += 0.5 * (0.5 * math.log(0.5 / m[0]) + 0.5 * math.log(0.5 / m[1]))
    expected = {
        "forward_kl": 0.8 * math.log(1.6) + 0.2 * math.log(0.4),
        "reverse_kl": 0.5 * math.log(0.625) + 0.5 * math.log(2.5),
        "total_variation": 0.3,
        "jensen_shannon": js,
        "skew_forward_kl": 0.8 * math.log(0.8 / 0.53) + 0.2 * math.log(0.2 / 0.47),
        "skew_reverse_kl": 0.5 * math.log(0.5 / 0.77) + 0.5 * math.log(0.5 / 0.23),
    }
    got = {name: f(student, teacher).item() for name, f in DIVERGENCES.items()}
    assert got == pytest.approx(expected, rel=1e-12)


@every
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_nothing_between_a_distribution_and_itself(divergence, dtype):
    logits, _ = random_logits(5, 300, dtype=dtype)
    assert torch.equal(divergence(logits, logits), torch.zeros(5).to(divergence(logits, logits)))
    assert torch.equal(gradient(divergence, logits, logits), torch.zeros_like(logits))


def test_disjoint_supports_reach_the_bounds():
    student, teacher = torch.tensor([400.0, 0.0]), torch.tensor([0.0, 400.0])
    assert total_variation(student, teacher).item() == 1.0
    for beta in (0.1, 0.5, 0.9):
        bound = -beta * math.log(beta) - (1 - beta) * math.log(1 - beta)
        assert jensen_shannon(student, teacher, beta=beta).item() == pytest.approx(bound, rel=1e-6)
    for alpha in (0.01, 0.1, 0.9):
        for skew in (skew_forward_kl, skew_reverse_kl):
            got = skew(student, teacher, alpha=alpha).item()
            assert got == pytest.approx(-math.log(alpha), rel=1e-6)
    assert forward_kl(student, teacher).item() == 400.0
    assert reverse_kl(student, teacher).item() == 400.0


def test_uniform_student_leaves_log_v_minus_the_teachers_entropy():
    _, teacher = random_logits(50)
    p = teacher.softmax(-1)
    expected = math.log(50) + (p * p.log()).sum()
    torch.testing.assert_close(forward_kl(torch.zeros_like(teacher), teacher), expected)


@pytest.mark.parametrize(
    ("divergence", "factor"),
    [
        (forward_kl, 1.0),
        (reverse_kl, 1.0),
        (jensen_shannon, 0.25),
        (partial(jensen_shannon, beta=0.1), 0.09),
        (skew_forward_kl, 0.81),
        (skew_reverse_kl, 0.81),
    ],
)
def test_hot_limit_is_half_the_mean_square_of_the_centred_logit_difference(divergence, factor):
    student, teacher = random_logits(7, 40, scale=1.0)
    temperature = 1e4
    gap = student - teacher
    gap = gap - gap.mean(-1, keepdim=True)
    got = temperature**2 * divergence(student, teacher, temperature=temperature)
    torch.testing.assert_close(got, factor * 0.5 * (gap**2).mean(-1), rtol=1e-3, atol=0.0)


def test_hot_limit_of_total_variation_is_linear():
    student, teacher = random_logits(7, 40, scale=1.0)
    gap = student - teacher
    expected = 0.5 * (gap - gap.mean(-1, keepdim=True)).abs().mean(-1)
    got = 1e5 * total_variation(student, teacher, temperature=1e5)
    torch.testing.assert_close(got, expected, rtol=1e-3, atol=0.0)


def test_cold_limit_is_what_the_loser_lacks_at_the_winners_choice():
    student, teacher = random_logits(6, 30)
    temperature = 1e-3
    choice = teacher.argmax(-1, keepdim=True)
    lacking = student.amax(-1) - student.gather(-1, choice).squeeze(-1)
    got = temperature * forward_kl(student, teacher, temperature=temperature)
    torch.testing.assert_close(got, lacking, atol=1e-9, rtol=1e-9)
    agree = student.argmax(-1) == teacher.argmax(-1)
    tv = total_variation(student, teacher, temperature=temperature)
    torch.testing.assert_close(tv, (~agree).double())


def test_jensen_shannon_divided_by_its_weight_goes_to_each_kl():
    student, teacher = random_logits(6, 30, scale=1.0)
    for beta in (1e-4, 1e-6):
        js = jensen_shannon(student, teacher, beta=beta) / beta
        torch.testing.assert_close(js, forward_kl(student, teacher), rtol=100 * beta, atol=0.0)
        js = jensen_shannon(student, teacher, beta=1 - beta) / beta
        torch.testing.assert_close(js, reverse_kl(student, teacher), rtol=100 * beta, atol=0.0)


def test_skewed_kls_go_to_the_plain_ones():
    student, teacher = random_logits(6, 30, scale=1.0)
    for skew, plain in ((skew_forward_kl, forward_kl), (skew_reverse_kl, reverse_kl)):
        exact = plain(student, teacher)
        torch.testing.assert_close(skew(student, teacher, alpha=1e-7), exact, rtol=1e-5, atol=0.0)
        assert torch.equal(skew(student, teacher, alpha=0.0), exact)


def test_mirror_images():
    s, t = random_logits(6, 30)
    close = partial(torch.testing.assert_close, rtol=1e-12, atol=1e-15)
    close(reverse_kl(s, t, temperature=2), forward_kl(t, s, temperature=2))
    close(skew_reverse_kl(s, t, alpha=0.3), skew_forward_kl(t, s, alpha=0.3))
    close(jensen_shannon(s, t, beta=0.2), jensen_shannon(t, s, beta=0.8))
    close(total_variation(s, t), total_variation(t, s))


# --- against the reference, and properties --------------------------------------------------------


@every
@given(pair=logit_pairs(), temperature=temperatures)
def test_agrees_with_the_slow_reference(divergence, pair, temperature):
    got = divergence(*pair, temperature=temperature).item()
    assert got == pytest.approx(reference(divergence, *pair, temperature), rel=1e-9, abs=1e-13)


@every
@given(pair=logit_pairs(), temperature=temperatures)
def test_never_negative_and_bounded(divergence, pair, temperature):
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        student, teacher = (x.to(dtype) for x in pair)
        value = divergence(student, teacher, temperature=temperature).item()
        assert value >= 0
        name = (divergence.func if isinstance(divergence, partial) else divergence).__name__
        if name == "total_variation":
            assert value <= 1 + 1e-6
        if name == "jensen_shannon":
            assert value <= LN2 + 1e-6


@every
@given(pair=logit_pairs(), shift=st.floats(-100, 100), seed=st.integers(0, 99))
def test_logit_shifts_and_the_order_of_the_vocabulary_do_not_matter(divergence, pair, shift, seed):
    student, teacher = pair
    value = divergence(student, teacher)
    order = torch.randperm(len(student), generator=torch.Generator().manual_seed(seed))
    other = divergence(student[order] + shift, teacher[order] - shift)
    torch.testing.assert_close(other, value, rtol=1e-9, atol=1e-12)


@every
@given(pair=logit_pairs(largest=8.0), other=st.integers(0, 99), share=st.floats(0.05, 0.95))
def test_convex_in_the_students_distribution(divergence, pair, other, share):
    first, teacher = pair
    second = random_logits(len(first), seed=other)[0]
    mixed = (share * first.softmax(-1) + (1 - share) * second.softmax(-1)).log()
    chord = share * divergence(first, teacher) + (1 - share) * divergence(second, teacher)
    assert divergence(mixed, teacher) <= chord + 1e-10


@given(pair=logit_pairs())
def test_pinsker(pair):
    tv = total_variation(*pair).item()
    for kl in (forward_kl, reverse_kl):
        assert 2 * tv**2 <= kl(*pair).item() + 1e-12


@every
@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_gradient_is_the_derivative(divergence, temperature):
    student, teacher = random_logits(2, 3, 5, scale=1.5)
    student.requires_grad_()
    torch.autograd.gradcheck(lambda s: divergence(s, teacher, temperature=temperature), student)


@every
@given(pair=logit_pairs(), temperature=temperatures)
def test_gradient_sums_to_zero_over_the_vocabulary(divergence, pair, temperature):
    grad = gradient(divergence, *pair, temperature=temperature)
    assert abs(grad.sum().item()) <= 1e-10 * max(1.0, grad.abs().sum().item())


def test_forward_kl_gradient_is_q_minus_p_over_t():
    student, teacher = random_logits(4, 30)
    expected = ((student / 2).softmax(-1) - (teacher / 2).softmax(-1)) / 2
    torch.testing.assert_close(gradient(forward_kl, student, teacher, temperature=2.0), expected)


@every
def test_gradient_is_scaled_by_what_comes_from_above(divergence):
    student, teacher = random_logits(4, 30)
    student.requires_grad_()
    weights = torch.tensor([0.0, 1.0, -2.0, 5.0], dtype=torch.float64)
    (divergence(student, teacher) * weights).sum().backward()
    expected = gradient(divergence, student.detach(), teacher) * weights.unsqueeze(-1)
    torch.testing.assert_close(student.grad, expected)


@every
def test_no_gradient_reaches_the_teacher(divergence):
    student, teacher = (x.requires_grad_() for x in random_logits(4, 30))
    divergence(student, teacher).sum().backward()
    assert teacher.grad is None
    assert student.grad.abs().sum() > 0


# --- precision ------------------------------------------------------------------------------------


@every
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("temperature", [0.05, 1.0, 20.0])
def test_low_precision_logits_are_within_a_thousandth(divergence, dtype, temperature):
    student, teacher = random_logits(20, 1000, scale=2.0, dtype=dtype)
    got = divergence(student, teacher, temperature=temperature)
    pairs = zip(student, teacher, strict=True)
    exact = torch.tensor([reference(divergence, s, t, temperature) for s, t in pairs])
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, exact, rtol=1e-3, atol=0.0)


@every
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_nearly_equal_distributions(divergence, dtype):
    """Where the divergence is far below the rounding of its terms, it is still right."""
    teacher, noise = random_logits(20, 2000, scale=2.0)
    teacher = teacher.to(dtype)
    student = (teacher.double() + 0.01 * noise).to(dtype)
    exact = [reference(divergence, s, t) for s, t in zip(student, teacher, strict=True)]
    got = divergence(student, teacher)
    assert (got > 0).all()
    torch.testing.assert_close(got, torch.tensor(exact), rtol=1e-3, atol=0.0)


@every
@pytest.mark.parametrize("temperature", [0.05, 1.0, 20.0])
def test_huge_logits(divergence, temperature):
    student, teacher = random_logits(8, 50)
    student, teacher = 1e4 * student.sign(), 1e4 * teacher.sign()
    student, teacher = student.float().requires_grad_(), teacher.float()
    value = divergence(student, teacher, temperature=temperature)
    value.sum().backward()
    assert value.isfinite().all()
    assert (value >= 0).all()
    assert student.grad.isfinite().all()


# --- edges ----------------------------------------------------------------------------------------


@every
@pytest.mark.parametrize("temperature", [0.05, 1.0, 20.0])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_token_that_both_rule_out_changes_nothing(divergence, temperature, dtype):
    student, teacher = random_logits(4, 30, scale=1.0, dtype=dtype)
    wide = [
        torch.cat([x, torch.full((4, 3), -torch.inf, dtype=dtype)], -1) for x in (student, teacher)
    ]
    torch.testing.assert_close(
        divergence(*wide, temperature=temperature),
        divergence(student, teacher, temperature=temperature),
    )
    grad = gradient(divergence, *wide, temperature=temperature)
    assert torch.equal(grad[:, 30:], torch.zeros(4, 3, dtype=dtype))
    expected = gradient(divergence, student, teacher, temperature=temperature)
    rounding = 1e-10 if dtype == torch.float64 else 1e-3  # at T=0.05, log-ratios reach 100
    torch.testing.assert_close(grad[:, :30], expected, rtol=rounding, atol=rounding)


def test_a_token_that_only_one_rules_out():
    student = logits_of(0.5, 0.5, 0.0).requires_grad_()
    teacher = logits_of(0.5, 0.25, 0.25)
    assert forward_kl(student, teacher).item() == math.inf
    assert reverse_kl(student, teacher).item() == pytest.approx(0.5 * LN2)
    assert total_variation(student, teacher).item() == pytest.approx(0.25)
    for bounded in (reverse_kl, total_variation, jensen_shannon, skew_forward_kl, skew_reverse_kl):
        assert bounded(student, teacher).isfinite()
        assert gradient(bounded, student.detach(), teacher).isfinite().all()
    assert reverse_kl(teacher, student).item() == math.inf
    assert gradient(forward_kl, student.detach(), teacher).isfinite().all()


@every
def test_nan_is_passed_on_not_hidden(divergence):
    student, teacher = random_logits(2, 5)
    broken = student.clone()
    broken[0, 2] = math.nan
    assert divergence(broken, teacher).isnan().tolist() == [True, False]
    assert gradient(divergence, broken, teacher).isnan().any(-1).tolist() == [True, False]
    assert divergence(student, torch.full_like(teacher, math.nan)).isnan().all()


@every
def test_shapes(divergence):
    student, teacher = random_logits(2, 3, 7)
    value = divergence(student, teacher)
    assert value.shape == (2, 3)
    torch.testing.assert_close(value[1, 2], divergence(student[1, 2], teacher[1, 2]))
    assert divergence(student[:0], teacher[:0]).shape == (0, 3)
    across = student.transpose(0, 1), teacher.transpose(0, 1)
    torch.testing.assert_close(divergence(*across), value.T)


def test_no_second_derivative_rather_than_a_wrong_one():
    student, teacher = (x.requires_grad_() for x in random_logits(5))
    loss = forward_kl(student, teacher) + student.pow(3).sum()  # of which there is a second one
    with pytest.raises(RuntimeError, match="have no second derivative"):
        torch.autograd.grad(loss, student, create_graph=True)


# --- errors ---------------------------------------------------------------------------------------


@every
@pytest.mark.parametrize("temperature", [0.0, -1.0, math.inf, math.nan])
def test_temperature_must_be_positive(divergence, temperature):
    with pytest.raises(ValueError, match=f"temperature.*{temperature}"):
        divergence(*random_logits(3), temperature=temperature)


@every
def test_logits_must_fit(divergence):
    student, teacher = random_logits(4, 6)
    with pytest.raises(ValueError, match=r"6 entries.* 5;.*truncate"):
        divergence(student, teacher[:, :5])
    with pytest.raises(ValueError, match=r"\(4, 6\).*\(3, 6\)"):
        divergence(student, teacher[:3])
    with pytest.raises(ValueError, match=r"student_logits.*int64"):
        divergence(student.long(), teacher)
    with pytest.raises(ValueError, match=r"teacher_logits.*int64"):
        divergence(student, teacher.long())
    with pytest.raises(ValueError, match="scalar"):
        divergence(student[0, 0], teacher[0, 0])


@pytest.mark.parametrize("beta", [0.0, 1.0, -0.1, 1.1, math.nan])
def test_beta_must_lie_inside(beta):
    with pytest.raises(ValueError, match=f"beta.*{beta}"):
        jensen_shannon(*random_logits(3), beta=beta)


@pytest.mark.parametrize("skew", [skew_forward_kl, skew_reverse_kl])
@pytest.mark.parametrize("alpha", [1.0, -0.1, math.nan])
def test_alpha_must_lie_inside(skew, alpha):
    with pytest.raises(ValueError, match=f"alpha.*{alpha}"):
        skew(*random_logits(3), alpha=alpha)


# --- names ----------------------------------------------------------------------------------------


def test_names():
    assert resolve_divergence("reverse_kl") is reverse_kl
    assert resolve_divergence(math.dist) is math.dist
    with pytest.raises(ValueError, match=r"'kl'.*forward_kl, reverse_kl"):
        resolve_divergence("kl")


@every
def test_every_divergence_has_its_kernel(divergence):
    student, teacher = random_logits(3, 8)
    log_p, log_q = teacher.log_softmax(-1), student.log_softmax(-1)
    value, grad = kernel_of(divergence)(log_p - log_q, log_p.exp(), log_q.exp(), True)
    assert torch.equal(value, divergence(student, teacher))
    assert torch.equal(grad, gradient(divergence, student, teacher))
    value, grad = kernel_of(divergence)(log_p - log_q, log_p.exp(), log_q.exp(), False)
    assert torch.equal(value, divergence(student, teacher))
    assert grad is None


def test_options_travel_through_nested_partials():
    kernel = kernel_of(partial(partial(jensen_shannon, beta=0.1, temperature=3), beta=0.2))
    log_p, log_q = (x.log_softmax(-1) for x in random_logits(8))
    value, _ = kernel(log_p - log_q, log_p.exp(), log_q.exp(), False)
    assert torch.equal(value, jensen_shannon(log_q, log_p, beta=0.2))


def test_what_has_no_kernel_says_so():
    with pytest.raises(ValueError, match=r"mse_loss.*CombinedObjective"):
        kernel_of(torch.nn.functional.mse_loss)


@dataclass(frozen=True)
class Mixed:
    """A divergence that is an object, and that Python cannot hash."""

    share: float = 0.5
    weights: list = field(default_factory=list)

    def __call__(self, student_logits, teacher_logits, *, temperature=1.0):
        vars(self)["calls"] = 1
        pair = student_logits, teacher_logits
        forward = forward_kl(*pair, temperature=temperature)
        return (1 - self.share) * forward + self.share * reverse_kl(*pair, temperature=temperature)


def test_a_divergence_may_be_an_object_with_options():
    with pytest.raises(ValueError, match=r"Mixed\(share=0.5\) has no closed-form gradient here"):
        kernel_of(Mixed())
    mixed = Mixed(0.25)
    mixed(torch.zeros(2), torch.zeros(2))
    assert divergence_name(mixed) == "Mixed(share=0.25)"  # a run with another is not resumed
    with pytest.raises(ValueError, match="keywords"):
        kernel_of(partial(forward_kl, torch.zeros(3)))
    with pytest.raises(ValueError, match=r"beta.*1\.5"):
        kernel_of(partial(jensen_shannon, beta=1.5))
