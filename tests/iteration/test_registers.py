"""A problem for each thread: functions taken apart into single numbers, and whole solvers."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import mvopt
from mvopt import LevenbergMarquardt, Status
from mvopt.families.linearization import LeastSquaresProblem
from mvopt.iteration import work
from mvopt.iteration.method import Method
from mvopt.iteration.registers import kernel, plan
from mvopt.iteration.registers.emit import emit
from mvopt.iteration.registers.graph import Graph, NotTakenApartError
from mvopt.iteration.registers.index import indices
from mvopt.iteration.registers.scope import Rare, Scope, deep

LANES = 3
VECTOR = np.linspace(-1.5, 2.0, 30)
MATRIX = np.random.default_rng(0).normal(size=(3, 30))


def taken_apart(function, *arrays, inside=True):
    """The results of a function in each of several lanes, computed number by number."""
    closed = jax.make_jaxpr(function)(*arrays)
    graph = Graph(10_000)
    # The lanes differ, so that a number of another lane would be noticed.
    lanes = [jnp.stack([array * (1 + k) for k in range(LANES)], -1) for array in arrays]
    inputs = [
        partial(lambda which, dtype, at: graph.leaf(which, at, dtype), k, array.dtype)
        for k, array in enumerate(arrays)
    ]
    rare = Rare(inside)
    with deep():
        scope = Scope(graph, closed, inputs, None, rare, plan._RULES)
        shapes = [var.aval.shape for var in scope.jaxpr.outvars]
        roots = [scope.output(k, at) for k, shape in enumerate(shapes) for at in indices(shape)]
    values = iter(emit(roots, lambda which, at: lanes[which][at], LANES))
    return [
        np.stack([next(values) for _ in indices(shape)]).reshape(*shape, LANES) for shape in shapes
    ]


def directly(function, *arrays):
    """The same by the function itself, one lane after the other."""
    each = [jax.tree.leaves(function(*(a * (1 + k) for a in arrays))) for k in range(LANES)]
    return [np.stack(parts, -1) for parts in zip(*each, strict=True)]


def nested(x):
    """A sum within a sum, and a maximum that is needed for the next sum."""
    differences = x[:, None] - x[None, :]
    kernel = jnp.exp(-(differences**2)).sum(axis=1)
    weights = jnp.exp(x - x.max())
    return (kernel * weights).sum() / weights.sum()


def stepped(x):
    """A loop that hands on numbers, over data that it goes along."""

    def step(carry, value):
        position, speed = carry
        return (position + 0.1 * speed, speed - 0.1 * jnp.sin(position) + 0.01 * value), None

    return lax.scan(step, (x[0], x[1]), x)[0]


def integrated(x):
    """A loop for each point, that of a differential equation."""

    def one(t):
        step = lambda k, u: u + 0.01 * t * (jnp.cos(u) - 0.1 * k)
        return lax.fori_loop(0, 25, step, jnp.sin(t))

    return jax.jvp(lambda s: (jax.vmap(one)(s * x) ** 2).sum(), (1.0,), (1.0,))[1]


def filtered(x):
    """A loop whose rounds each change all data."""
    return lax.fori_loop(0, 3, lambda k, y: y - y.mean() * (k + 1), x).sum()


def shaped(m):
    """Nothing but entries at other places."""
    flat = m.T.reshape(2, 45)[::-1]
    joined = jnp.concatenate([flat[:, 3:20], jnp.pad(flat[:, 20:30:2], ((0, 0), (1, 1)))], axis=1)
    return (joined * jnp.arange(24.0)).sum(), m[1, 7], jnp.stack([m[0], m[2]])[1, 4:9].sum()


FUNCTIONS = {
    "elementwise": (lambda x: (jnp.tanh(x) ** 3 / (1 + x**2)).sum(), VECTOR),
    "several sums": (lambda x: (x.sum(), (x**2).sum(), x.max(), x.min(), (x > 5).any()), VECTOR),
    "product": (lambda m: m @ m.T, MATRIX),
    "along the other axis": (lambda m: jnp.sum(jnp.exp(-(m[0] ** 2)) * m[1] - m[2]), MATRIX),
    "nested": (nested, VECTOR),
    "a loop": (stepped, VECTOR),
    "a loop for each point": (integrated, VECTOR),
    "turned": (lambda x: lax.fori_loop(0, 40, lambda k, y: jnp.roll(y, 1) + k, x), VECTOR),
    "pieces": (lambda x: (jnp.concatenate([x[:2], x, x[4:5]]) ** 2 * jnp.arange(33)).sum(), VECTOR),
    "rounds written out": (filtered, VECTOR),
    "places": (shaped, MATRIX),
    "a jump": (lambda x: jnp.where(x > 0, jnp.sqrt(jnp.abs(x)), -x).sum(), VECTOR),
    "largest": (lambda x: jnp.argmax(x[:5] * jnp.array([1.0, 3.0, 9.0, 2.0, 1.0])), VECTOR[::-1]),
    "smallest": (lambda x: jnp.argmin(jnp.abs(x[:9] - 0.1)), VECTOR),
    "rounded": (lambda x: jnp.round(jnp.concatenate([x, 5 * x, x - x + 2.5])).sum(), VECTOR),
    "of tanh": (jax.grad(lambda x: jnp.tanh(x).sum()), VECTOR),
    "gathered": (lambda x: x[jnp.array([3, 1, 2])] * x[::10], VECTOR),
    "written": (lambda x: lax.dynamic_update_slice(x[:4], x[20:22], (1,)), VECTOR),
    "chosen": (
        lambda x: lax.cond(x[0] < -2, lambda: filtered(x), lambda: x.sum()),
        VECTOR,
    ),
    "long": (lambda x: (x[:, None] + x[None, :]).sum(), VECTOR),
    "no data": (lambda x: x[:3] + jnp.ones(40).sum() + jnp.eye(3)[1], VECTOR),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_taken_apart_gives_the_same(name):
    function, array = FUNCTIONS[name]
    for got, expected in zip(taken_apart(function, array), directly(function, array), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_nan_goes_the_same_ways(seed):
    array = np.where(np.random.default_rng(seed).random(30) < 0.05, np.nan, VECTOR)
    array[seed] = np.nan
    function = lambda x: (
        x.max(),
        x.sum(),
        jnp.nanmax(x),
        jnp.maximum(x, 0.5).sum(),
        x[9],
        lax.clamp(-1.0, x, 0.5),
    )
    for got, expected in zip(taken_apart(function, array), directly(function, array), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: jnp.sort(x).sum(),
        lambda x: lax.while_loop(lambda c: c[0] < 3, lambda c: c + x[:1], x[:1]),
        lambda x: lax.fori_loop(0, 40, lambda k, y: y - y.mean(), x),
        lambda x: x[jnp.argmax(x[:3])],
        lambda x: jnp.argmax(x),
        lambda x: jax.scipy.special.erf(x).sum(),
    ],
)
def test_what_cannot_be_taken_apart_says_so(function):
    with pytest.raises(NotTakenApartError):
        taken_apart(function, VECTOR)


def test_a_costly_branch_can_be_left_out():
    function = lambda x: lax.cond(x[0] < -2, lambda: filtered(x), lambda: x.sum())
    got = taken_apart(function, VECTOR, inside=False)[0]
    np.testing.assert_allclose(got, [k * VECTOR.sum() for k in (1, 2, 3)])


X = np.linspace(0.0, 4.0, 21)


def decays(dtype, size=70):
    """Decays, one of them with a NaN, one hopeless, one whose parameters tell nothing apart."""
    rng = np.random.default_rng(3)
    true = rng.uniform([0.5, 0.3], [4.0, 2.0], (size, 2))
    y = true[:, :1] * np.exp(-true[:, 1:] * X) + 0.02 * rng.standard_normal((size, len(X)))
    y[3, 4] = np.nan
    y[5] = 0.0
    start = np.tile([1.0, 1.0], (size, 1))
    start[7] = [1.0, 60.0]
    return jnp.asarray(y, dtype), jnp.asarray(start, dtype)


def decay_method(dtype, bounds=None, max_steps=60):
    x = jnp.asarray(X, dtype)

    def problem(y):
        return LeastSquaresProblem(lambda p: p[0] * jnp.exp(-p[1] * x) - y, bounds)

    return Method(LevenbergMarquardt(), problem, max_steps)


def by_lanes(method, starts, data, count):
    return jax.jit(lambda s, d: work._drive(method, s, d, lanes=32, count=count))(starts, data)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_kernel_takes_the_steps_of_the_lanes(dtype):
    y, start = decays(dtype)
    method, count = decay_method(dtype), 66
    outcome, left = jax.jit(lambda s, d: kernel.run(method, s, d, count))(start, y)
    expected = by_lanes(method, start, y, count)
    assert left is None
    got, expected = (jax.tree.map(lambda leaf: leaf[:count], each) for each in (outcome, expected))
    np.testing.assert_array_equal(got.status, expected.status)
    assert got.status[3] == Status.NONFINITE
    assert (np.delete(got.status, 3) != Status.NONFINITE).all()
    assert np.mean(got.num_steps == expected.num_steps) > 0.95
    well = np.asarray(got.status) == Status.CONVERGED
    assert well.sum() >= 60
    rtol = 200 * float(jnp.finfo(dtype).eps) ** 0.75
    np.testing.assert_allclose(got.params[well], expected.params[well], rtol=rtol, atol=rtol)
    np.testing.assert_allclose(got.value[well], expected.value[well], rtol=rtol)


def test_what_the_kernel_leaves_is_solved_by_the_lanes(monkeypatch):
    y, start = decays("float64")
    bounds = (jnp.array([0.0, 0.0]), jnp.array([10.0, 1.5]))
    method = decay_method("float64", bounds)
    real = plan.Rare
    monkeypatch.setattr(plan, "Rare", lambda inside: real(False))
    outcome, left = jax.jit(lambda s, d: kernel.run(method, s, d, len(s)))(start, y)
    assert left is not None
    assert 0 < left.sum() < 10
    expected = by_lanes(method, start, y, len(start))
    whole = work._with_rest(method, start, y, 32, outcome, left)
    np.testing.assert_array_equal(whole.status, expected.status)
    well = np.asarray(whole.status) != Status.NONFINITE
    np.testing.assert_allclose(whole.params[well], expected.params[well], rtol=1e-8, atol=1e-8)
    assert (whole.params[well] <= bounds[1]).all()


def test_a_model_that_goes_along_its_points_is_not_for_a_kernel():
    def problem(y):
        return LeastSquaresProblem(lambda p: jnp.sort(p[0] * jnp.asarray(X)) - y)

    y, start = decays("float64")
    method = Method(LevenbergMarquardt(), problem, 50)
    assert kernel.run(method, start[:, :1], y, 4) is None


def test_a_fit_by_a_kernel_is_the_fit(monkeypatch):
    y, start = decays("float32", 64)
    model = lambda x, p: p[0] * jnp.exp(-p[1] * x)
    x = X.astype("float32")
    fit = lambda: mvopt.curve_fit(model, x, y, start, in_axes=(None, 0, 0))
    expected = fit()
    used = []
    run = kernel.run
    monkeypatch.setattr(kernel, "run", lambda *args: used.append(1) or run(*args))
    monkeypatch.setattr(work, "FEW", 64)
    monkeypatch.setattr(work, "kernels", lambda: kernel)
    jax.clear_caches()
    got = fit()
    assert used
    np.testing.assert_array_equal(got.status, expected.status)
    well = np.asarray(got.status) == Status.CONVERGED
    np.testing.assert_allclose(got.params[well], expected.params[well], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(got.stderr[well], expected.stderr[well], rtol=1e-2)


MANY = 4096


def valley(p, shift):
    """Rosenbrock's, moved."""
    a, b = p - shift
    return (1 - a) ** 2 + 100 * (b - a * a) ** 2


def parts(p, shift):
    a, b = p - shift
    return jnp.stack([1 - a, 10 * (b - a * a)])


def quadratic(p, shift):
    a, b = p - shift
    return a**2 + 3 * b**2 + a**4


def crossing(p, shift):
    return jnp.stack([p[0] ** 2 + p[1] - 2 - shift[0], jnp.exp(p[0] / 4) - p[1] * (1 + shift[1])])


def fixed(p, shift):
    return 0.5 * jnp.cos(p) + shift


SOLVERS = {
    "dogleg": (mvopt.least_squares, parts, mvopt.Dogleg()),
    "gauss-newton": (mvopt.least_squares, parts, mvopt.GaussNewton()),
    "levenberg-marquardt": (mvopt.least_squares, parts, mvopt.LevenbergMarquardt()),
    "bfgs": (mvopt.minimize, valley, mvopt.BFGS()),
    "lbfgs": (mvopt.minimize, valley, mvopt.LBFGS()),
    "trust-region newton": (mvopt.minimize, valley, mvopt.TrustRegionNewton()),
    "nonlinear cg": (mvopt.minimize, quadratic, mvopt.NonlinearCG()),
    "gradient descent": (mvopt.minimize, quadratic, mvopt.GradientDescent()),
    "nelder-mead": (mvopt.minimize, quadratic, mvopt.NelderMead()),
    "newton-raphson": (mvopt.root, crossing, mvopt.NewtonRaphson()),
    "broyden": (mvopt.root, crossing, mvopt.Broyden()),
    "fixed point": (mvopt.root, lambda p, s: fixed(p, s) - p, mvopt.FixedPoint()),
}


@pytest.mark.skipif(jax.default_backend() != "gpu", reason="needs a GPU: the interpreter is slow")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", SOLVERS)
def test_every_solver_in_a_kernel(name, dtype, monkeypatch):
    solve, function, solver = SOLVERS[name]
    rng = np.random.default_rng(5)
    start = rng.uniform(-1.5, 1.5, (MANY, 2)).astype(dtype)
    shift = rng.uniform(-0.5, 0.5, (MANY, 2)).astype(dtype)
    start[11] = np.nan
    made = []
    run = kernel.run
    monkeypatch.setattr(kernel, "run", lambda *args: made.append(run(*args)) or made[-1])
    got = solve(function, start, args=(shift,), in_axes=0, solver=solver)
    monkeypatch.setattr(work, "kernels", lambda: None)
    jax.clear_caches()
    expected = solve(function, start, args=(shift,), in_axes=0, solver=solver)
    same = np.asarray(got.status) == np.asarray(expected.status)
    assert np.mean(same) > 0.99
    assert same[11]
    well = same & (np.asarray(got.status) == Status.CONVERGED)
    apart = np.abs(np.asarray(got.params) - np.asarray(expected.params))[well].max(axis=1)
    assert np.mean(apart < 50 * float(jnp.finfo(dtype).eps) ** 0.5) > 0.99
