"""`curve_fit`: a model, data, and out come parameters with uncertainties."""

from collections.abc import Callable, Mapping
from typing import Any

from mvopt._types import Array
from mvopt.iteration.protocol import Solver
from mvopt.least_squares import DEFAULT_MAX_STEPS
from mvopt.losses import Loss
from mvopt.regression.fit import Fit
from mvopt.regression.regression import Regression


def curve_fit(
    model: Callable[[Any, Any], Array],
    x: Any,
    y: Any,
    p0: Any = None,
    sigma: Any = None,
    *,
    mask: Any = None,
    bounds: tuple[Any, Any] | None = None,
    fixed: Any = None,
    tied: Mapping[str, Any] | None = None,
    prior: Any = None,
    loss: str | Loss = "linear",
    sigma_x: Any = None,
    separable: bool = False,
    absolute_sigma: bool = False,
    nan_policy: str = "propagate",
    in_axes: Any = None,
    solver: Solver | None = None,
    max_steps: int = DEFAULT_MAX_STEPS,
    precision: str | None = None,
) -> Fit:
    """Fit `model(x, params)` to `y` by weighted least squares, for one data set or many at once.

    model: `model(x, params)` returns values of the shape of y; a model of `mvopt.models` or your
    own function.
    x: any pytree, such as (m,) or (k, m); dates are seconds since the earliest of them, durations
    seconds. y: (m,) or any shape. Of a complex y both parts are fitted: it counts as twice as many
    points; a real sigma is that of either part, a complex one holds one for each.
    p0: start, a pytree that gives the params their structure (a list of numbers is one array).
    None, NaN in it, or a mapping of some names to values: the model's own guess fills the rest.
    sigma: standard deviations of y, like y; or their covariance matrix (m, m); None: all one.
    mask: like y, True for the points to use; the others may hold anything.
    bounds: (lower, upper), each like the params or a number; None, or a name that is left out, is
    unbounded. With one axis more than the params of one data set, each data set of a batch has its
    own.
    fixed: names of parameters, or a pytree of Booleans like the params; these keep their start.
    tied: a mapping of names to expressions of the other parameters, such as `{"b": "2*a"}`, or to
    functions of a mapping of names to values.
    prior: (means, standard deviations), each like the params, of normal priors; an infinite
    deviation is none. Or a mapping of names to pairs. A prior counts as one more measurement.
    loss: "linear" is the square. "huber", "soft_l1", "cauchy" and "tukey" are robust against
    outliers, "poisson" and "binomial" maximise a likelihood; `mvopt.losses` has them with settings.
    sigma_x: standard deviations of x, like x or a number: orthogonal distance regression, for a
    model of each point by itself. They need sigma to be standard deviations too (or one).
    separable: variable projection: the parameters in which the model is linear follow from the
    others and need no start.
    absolute_sigma: as in SciPy: sigma is in units of y; if False only its ratios count, and the
    covariance is scaled by the reduced χ².
    nan_policy: "omit" leaves points out that have a NaN in x, y or a standard deviation; with
    "propagate" a data set that has one in a point that is used has the status NONFINITE.
    in_axes: as in `jax.vmap`, over `(x, y, p0, sigma, mask)`; None is one data set.
    solver: None: `LevenbergMarquardt()`, or for a model that is linear in its free parameters the
    solution in closed form.
    max_steps: evaluations of model and Jacobian for each data set.
    precision: "float32", "float64", or "mixed": a float32 fit finished in float64, covariance
    included, whose `num_steps` are those in float64; None: the dtype of the data. float64 and mixed
    need `jax.config` `jax_enable_x64`.

    Returns a `Fit`; `p_value` is NaN without sigma, for then χ² has no scale. No data set of a
    batch can harm another: what is not finite in x or y, too few points or a sigma that is not
    positive end in its status, with params and statistics of NaN.
    Differentiable with respect to the data, forward and reverse, by the implicit function theorem.
    Raises ValueError for a model, shapes, names or bounds that do not fit together, and for an
    unknown nan_policy.
    """
    regression = Regression(
        model,
        x,
        y,
        p0,
        sigma,
        mask=mask,
        bounds=bounds,
        fixed=fixed,
        tied=tied,
        prior=prior,
        loss=loss,
        sigma_x=sigma_x,
        separable=separable,
        absolute_sigma=absolute_sigma,
        nan_policy=nan_policy,
        in_axes=in_axes,
        precision=precision,
    )
    return regression.fit(solver=solver, max_steps=max_steps)
