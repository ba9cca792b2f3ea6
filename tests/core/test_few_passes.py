"""Scores of very many samples by a few passes, beside those of a dense factor of all samples."""

import numpy as np
import pytest
from scipy.stats import spearmanr

import fmd_core as fmd
from fmd_core.data import ignore_progress
from fmd_core.heads import curvature as module
from fmd_core.heads import few_passes
from fmd_core.heads.fitting import ConvexProblem, fit_head

N, D, DAMPING = 6_000, 40, 1e-3


@pytest.fixture(scope="module", params=[2, 5])
def case(request):
    """A fitted head, its training set, and twins a step apart."""
    rng = np.random.default_rng(request.param)
    x = rng.standard_normal((N, D)).astype("float32")
    truth = rng.standard_normal((request.param, D)) / 3
    labels = np.argmax(x @ truth.T + rng.gumbel(size=(N, request.param)), axis=1)
    train = fmd.FeatureSet(x, labels, np.arange(N))
    zero = fmd.LinearHead(np.zeros_like(truth), np.zeros(request.param))
    head = fit_head(zero, ConvexProblem(x, labels, np.full(N, 1 / N), DAMPING))
    some = train.subset(slice(0, 200))
    other = fmd.FeatureSet(some.features + (truth[0] - truth[1]).astype("float32"), some.labels, some.rows)
    pairs = fmd.CounterfactualPairs("a", "generated", some, other, *(np.full(200, c) for c in (0, 1, 0)))
    return head, train, fmd.CounterfactualBias(pairs)


@pytest.fixture
def many(monkeypatch):
    """As if these were very many samples."""
    monkeypatch.setattr(module, "MANY_ROWS", N - 1)
    monkeypatch.setattr(module, "FEWEST_PARAMETERS", 1)
    monkeypatch.setattr(few_passes, "SAMPLE", 1_500)
    monkeypatch.setattr(few_passes, "NESTED_SAMPLE", 2_000)


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("most_dense", [1_100, 30], ids=["a factor of some", "nested"])
def test_scores_keep_their_order(case, monkeypatch, most_dense):
    head, train, bias = case
    exact = fmd.bias_influence(
        head, train, bias, fmd.fit_curvature(head, train, damping=DAMPING, solver="cholesky")
    )
    monkeypatch.setattr(module, "DENSE_PARAMETERS", most_dense)
    curvature = fmd.fit_curvature(head, train, damping=DAMPING)
    monkeypatch.setattr(module, "_cholesky", None)  # none of all samples is made
    monkeypatch.setattr(module, "_conjugate_gradient", None)
    found, again = (fmd.bias_influence(head, train, bias, curvature).removal_effect for _ in range(2))
    assert 1 - spearmanr(found, exact.removal_effect).statistic < 1e-5
    assert np.abs(found - exact.removal_effect).max() < 5e-3 * np.abs(exact.removal_effect).max()
    assert np.array_equal(found, again)  # whatever was known before


@pytest.mark.usefixtures("many")
def test_anything_else_is_solved_with_all_samples(case):
    head, train, bias = case
    curvature = fmd.fit_curvature(head, train, damping=DAMPING)
    rhs = bias.gradient(head)
    matrix = head.hessian(train.features, np.full(N, 1 / N)) + DAMPING * np.eye(head.n_parameters)
    np.testing.assert_allclose(curvature.solve(rhs), np.linalg.solve(matrix, rhs), rtol=1e-4, atol=1e-7)
    one_out = fmd.bias_influence(head, train, bias, curvature, method="leave-one-out")
    dense = fmd.fit_curvature(head, train, damping=DAMPING, solver="cholesky")
    exact = fmd.bias_influence(head, train, bias, dense, method="leave-one-out")
    np.testing.assert_allclose(one_out.removal_effect, exact.removal_effect, rtol=1e-4, atol=1e-9)


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("spoilt", ["too few products", "a rounded answer"])
def test_where_the_passes_do_not_suffice_all_samples_are_solved_with(case, monkeypatch, spoilt):
    head, train, bias = case
    rhs, curvature = bias.gradient(head), fmd.fit_curvature(head, train, damping=DAMPING)
    if spoilt == "too few products":
        monkeypatch.setattr(few_passes, "MOST_PRODUCTS", 1)
    else:
        solve = few_passes.conjugate_gradients
        monkeypatch.setattr(few_passes, "TRUSTED_DRIFT", 0.0)
        monkeypatch.setattr(
            few_passes, "conjugate_gradients", lambda *given, **more: 1.01 * solve(*given, **more)
        )
    with pytest.raises(few_passes.NotSolved):
        curvature.few_passes.gradient_products(rhs, train.labels, ignore_progress)
    found = curvature.gradient_products(head, train, rhs, ignore_progress)
    expected = head.gradient_products(train.features, train.labels, curvature.solve(rhs))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.usefixtures("many")
def test_other_samples_than_those_of_the_curvature_get_scores_of_their_own(case):
    """The passes give the products of the samples that they read, in their order."""
    head, train, bias = case
    rhs, curvature = bias.gradient(head), fmd.fit_curvature(head, train, damping=DAMPING)
    turned = np.random.default_rng(0).permutation(N)
    one_else = np.arange(N)
    one_else[N // 2 :] = turned[N // 2 :]  # the first of them are the same
    for others in (
        train.subset(turned), train.subset(one_else), train.subset(slice(0, 500)), train.subset(slice(0, N)),
    ):  # fmt: skip
        found = curvature.gradient_products(head, others, rhs, ignore_progress)
        expected = head.gradient_products(others.features, others.labels, curvature.solve(rhs))
        assert np.abs(found - expected).max() < 5e-3 * np.abs(expected).max()


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("size", [1e-60, 1e-30, 1.0, 1e30])
def test_however_small_the_gradient_is_scores_are_in_proportion_to_it(case, size):
    """Products are taken in float32, which ends at 1e-45."""
    head, train, bias = case
    rhs, curvature = bias.gradient(head), fmd.fit_curvature(head, train, damping=DAMPING)
    whole = curvature.gradient_products(head, train, rhs, ignore_progress)
    found = curvature.gradient_products(head, train, size * rhs, ignore_progress)
    np.testing.assert_allclose(found / size, whole, rtol=1e-6)
    assert not curvature.gradient_products(head, train, 0 * rhs, ignore_progress).any()


@pytest.mark.usefixtures("many")
def test_two_who_ask_at_once_get_what_each_gets_alone(case):
    """All visitors share a curvature: whoever comes in between changes nothing."""
    head, train, bias = case
    one = bias.gradient(head)
    two = np.random.default_rng(1).standard_normal(head.n_parameters)
    curvature = fmd.fit_curvature(head, train, damping=DAMPING)
    alone = [curvature.gradient_products(head, train, rhs, ignore_progress) for rhs in (one, two)]
    for asked in (curvature, fmd.fit_curvature(head, train, damping=DAMPING)):  # known before, and not
        between = []

        def comes_in(share, asked=asked, between=between):
            if share > 0.2 and not between:
                between.append(asked.gradient_products(head, train, two, ignore_progress))

        found = asked.gradient_products(head, train, one, comes_in)
        for told, expected in zip((found, *between), alone, strict=True):
            assert np.abs(told - expected).max() < 1e-6 * np.abs(expected).max()


@pytest.mark.usefixtures("many")
def test_a_stop_is_heard_between_the_passes(case):
    head, train, bias = case
    heard = []

    def stop(share):
        heard.append(share)
        if len(heard) == 4:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fmd.bias_influence(head, train, bias, fmd.fit_curvature(head, train, damping=DAMPING), progress=stop)
    assert heard == sorted(heard)


def test_sure_samples_keep_their_order(case):
    """Errors of sure samples are not what rounding leaves of p - 1."""
    head, train, _ = case
    sure, weights = head.rescaled(0.02), np.full(N, 1 / N)
    direction = np.random.default_rng(0).standard_normal(head.n_parameters)
    rows = few_passes._Rows(sure, train.features, weights, DAMPING)
    walked = few_passes._Walked()
    rows.product(direction, walked)
    walked.take(1.0)
    products = rows.loss_slopes(train.labels, walked)
    exact = sure.gradient_products(train.features.astype("float64"), train.labels, direction)
    told = np.abs(exact) > 1e-9  # below it float64 has the same trouble
    assert np.median(np.abs(products[told] / exact[told] - 1)) < 1e-3
    assert spearmanr(products[told], exact[told]).statistic > 0.9999


@pytest.mark.usefixtures("many")
def test_an_answer_that_rounding_may_have_led_off_is_put_back_in(case, monkeypatch):
    """Where features differ in size by much and damping is slight, the residual kept may not be the true one."""
    head, train, bias = case
    passes, product = [], few_passes._Rows.product

    def counted(self, direction, walked=None):
        passes.append(len(self.features))
        return product(self, direction, walked)

    monkeypatch.setattr(few_passes._Rows, "product", counted)
    usual = fmd.fit_curvature(head, train, damping=DAMPING).few_passes
    usual.gradient_products(bias.gradient(head), train.labels, ignore_progress)
    before = passes.count(N)
    monkeypatch.setattr(few_passes, "TRUSTED_DRIFT", 0.0)
    again = fmd.fit_curvature(head, train, damping=DAMPING).few_passes
    again.gradient_products(bias.gradient(head), train.labels, ignore_progress)
    assert passes.count(N) == 2 * before + 1  # the scores themselves took no pass


def test_few_or_small_problems_are_solved_as_they_were(case):
    head, train, _ = case
    assert fmd.fit_curvature(head, train, damping=DAMPING).few_passes is None


def test_float32_products_give_the_hessian(case):
    head, train, _ = case
    weights = np.full(N, 1 / N)
    exact, found = (head.hessian(train.features, weights, kind) for kind in ("float64", "float32"))
    assert found.dtype == "float64"
    assert np.abs(found - exact).max() < 2e-6 * np.abs(exact).max()
