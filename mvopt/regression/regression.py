"""`Regression`: a model with its data, to be fitted and then asked how sure the parameters are."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mvopt import _tree
from mvopt._entry import check_bounds
from mvopt._types import Array
from mvopt.iteration.axes import split_given
from mvopt.iteration.protocol import Solver
from mvopt.least_squares import DEFAULT_MAX_STEPS
from mvopt.losses import Loss, loss_of
from mvopt.regression import arguments, bootstrap, inference, intervals, shared_fit, starts
from mvopt.regression.batch import Batch
from mvopt.regression.bootstrap import Bootstrap
from mvopt.regression.data import omits_nan
from mvopt.regression.dataset import Given, Setup
from mvopt.regression.fit import Fit, check_level
from mvopt.regression.fitting import fit_batch
from mvopt.regression.inference import Band
from mvopt.regression.intervals import Intervals
from mvopt.regression.parameters import roles_of
from mvopt.regression.quantiles import normal_quantile, scheffe_quantile, student_quantile


class Regression:
    """A model with its data, one data set or a batch, and what is known of the parameters.

    The arguments are those of `curve_fit`, which is `Regression(…).fit()`. The methods that come
    after the fit take the `Fit` that it returned.
    """

    def __init__(
        self,
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
        absolute_sigma: bool = False,
        in_axes: Any = None,
        sigma_x: Any = None,
        separable: bool = False,
        nan_policy: str = "propagate",
        precision: str | None = None,
    ):
        arguments.check_precision(precision)
        x = arguments.seconds(x)
        x, y, sigma, mask, sigma_x = map(arguments.as_array, (x, y, sigma, mask, sigma_x))
        if y is None:
            raise ValueError("y is None: give the values that the model is fitted to")
        model = arguments.in_parts(model, y, sigma, loss, sigma_x)
        start, fill = arguments.start_of(model, p0)
        names = arguments.names_of(model, start)
        roles = roles_of(names, fixed, tied)
        settled, estimated = arguments.resolved(loss_of(loss), sigma, absolute_sigma)
        arguments.check_roles(start, fixed, tied, prior)
        bounds, prior = check_bounds(bounds, start), arguments.prior_of(prior, names, start)
        given = Given(x, y, start, sigma, mask, bounds, prior, settled, sigma_x)
        arguments.check_sigma_x(given)
        if separable and not (bounds is None and sigma_x is None and settled is None):
            raise ValueError("separable is for least squares without bounds and errors in x")
        layout, rows, shared, size = split_given(
            tuple(given), arguments.axes_over(given, in_axes), arguments.NAMES
        )
        setup = Setup(
            *(model, layout, fill, roles, absolute_sigma, precision, estimated, separable),
            omit_nan=omits_nan(nan_policy),
        )
        self._batch = Batch(setup, rows, shared, size)

    def fit(self, *, solver: Solver | None = None, max_steps: int = DEFAULT_MAX_STEPS) -> Fit:
        """The fit of each data set; see `curve_fit`."""
        return fit_batch(self._batch, solver, max_steps)

    def fit_shared(
        self, shared: Any, groups: Any = None, *, max_steps: int = DEFAULT_MAX_STEPS
    ) -> Fit:
        """Global fits: the data sets of each group have the parameters `shared` in common.

        shared: names (or indices) of free parameters, not all of them. groups: (N,) a label for
        each data set; None: all are one group. The time is linear in the number of data sets.

        Returns a `Fit` of all data sets in their order. chi2, dof and what follows from them are
        those of a data set's whole group. A shared parameter starts at the median of its starts.
        Raises ValueError with priors, `separable`, or a robust loss whose scale is to be estimated.
        """
        return shared_fit.fit_shared(self._batch, shared, groups, max_steps)

    def multi_start(
        self,
        lower: Any,
        upper: Any,
        num: int = 32,
        *,
        seed: int = 0,
        solver: Solver | None = None,
        max_steps: int = DEFAULT_MAX_STEPS,
    ) -> Fit:
        """The best fit of each data set from `num` starts spread over a box, and its own start.

        lower, upper: the finite ends of the box, each like the params of one data set, or a number.
        The starts are a Latin hypercube (McKay, Beckman and Conover 1979), the same for all data
        sets. The fits are worked off by the lanes as one batch.
        """
        return starts.multi_start(self._batch, lower, upper, num, seed, solver, max_steps)

    def data(self, index: int | None = None) -> tuple[Any, Array, Array | None, Array | None]:
        """x, y, sigma and mask of one data set, of a batch that of this index; None: not given."""
        given = self._batch.given(index)
        return given.x, given.y, given.sigma, given.mask

    def take(self, index: Any) -> "Regression":
        """The regression of some data sets of the batch, (k,) indices; it is a batch of k."""
        index = np.asarray(index)
        rows = [leaf[index] for leaf in self._batch.rows]
        return self._with(rows=rows, size=index.size, room=0)

    def with_room(self, size: int) -> "Regression":
        """The same regression, by the programs for a batch of that size, if it is larger.

        For blocks of a stream: a shorter one then compiles nothing, and has the same results.
        """
        return self._with(room=size)

    def _with(self, **changes: Any) -> "Regression":
        """The same with changes of its batch."""
        same = object.__new__(Regression)
        same._batch = replace(self._batch, **changes)
        return same

    def intervals(self, fit: Fit, level: float = 0.95, max_steps: int = 1000) -> Intervals:
        """Profile-likelihood intervals of this confidence level, of every free parameter.

        The ends are where the least χ² with the parameter held there has risen by z², or by t²
        times the reduced χ² where the scale is not known (Bates and Watts 1988, section 6.1). An
        end is at a bound where χ² has not risen enough before; it is infinite (UNBOUNDED) where χ²
        never does. max_steps: evaluations for each end. ValueError for a robust loss, which is no
        likelihood.
        """
        return intervals.intervals(self._batch, fit, level, max_steps)

    def contour(
        self,
        fit: Fit,
        pair: tuple[Any, Any],
        level: float = 0.95,
        num: int = 64,
        max_steps: int = 1000,
    ) -> tuple[Array, Array]:
        """Points (…, num, 2) around the joint confidence region of two parameters, and statuses.

        pair: names or indices of two free parameters. The region is where the profile of χ² has
        risen by less than the quantile of χ² (of 2 F where the scale is not known) with two degrees
        of freedom; for a linear model an ellipse. max_steps: evaluations for each point.
        """
        return intervals.contour(self._batch, fit, pair, level, num, max_steps)

    def bootstrap(
        self,
        fit: Fit,
        key: Array,
        num: int = 1000,
        *,
        kind: str = "residual",
        max_steps: int = DEFAULT_MAX_STEPS,
    ) -> Bootstrap:
        """Fits of `num` resampled data sets, each from the params of the fit.

        key: of `jax.random.key`. kind: "residual" adds residuals drawn with replacement to the
        fitted curve (for errors of one distribution, up to sigma), "case" draws whole points (for
        errors that differ), "parametric" draws errors from the normal distribution, or counts from
        that of the likelihood. Raises ValueError where sigma is a matrix, for errors in x, for a
        complex y, and for counts unless parametric.
        """
        return bootstrap.bootstrap(self._batch, fit, key, num, kind, max_steps)

    def sandwich(self, fit: Fit, kind: str = "HC3") -> Array:
        """Covariance (…, n, n) that holds where the errors of the points are not those of sigma.

        kind: "HC0" (White 1980), "HC1", "HC2", or "HC3", which MacKinnon and White (1985) found
        best for few points.
        """
        if kind not in inference.SANDWICHES:
            raise ValueError(f"kind={kind!r} is not known: use HC0, HC1, HC2 or HC3")
        return inference.ask(self._batch, inference.SANDWICHES[kind], fit)

    def residuals(self, fit: Fit) -> Array:
        """(y − model)/sigma, (…, m), zero for points left out; of complex data (…, 2m), the real
        parts first.
        """
        return inference.ask(self._batch, inference.residuals, fit)

    def runs_test(self, fit: Fit) -> tuple[Array, Array]:
        """Runs of residuals of one sign in the order of x, and the p-value of their number.

        A small p-value says that the residuals are not independent: a wrong model, mostly (Wald and
        Wolfowitz 1940, in the normal approximation).
        """
        number, z = inference.ask(self._batch, inference.runs, fit)
        return number, 2 * jax.scipy.stats.norm.sf(jnp.abs(z))

    def band(
        self,
        fit: Fit,
        x: Any,
        level: float = 0.95,
        *,
        kind: str = "confidence",
        sigma: Any = None,
        in_axes: Any = None,
    ) -> Band:
        """The fitted curve at new x with its band of this confidence level, each (…, k).

        kind: "confidence" for the curve at each x, "simultaneous" for all of it at once (Scheffé
        1953), "prediction" for a further measurement, of standard deviation `sigma` (a number or
        (…, k), in the units of the sigma of the fit; left out where that had none). in_axes: 0
        where each data set has its own x. The model is linearised at the fit.
        """
        check_level(level)
        if kind not in ("confidence", "simultaneous", "prediction"):
            raise ValueError(
                f"kind={kind!r} is not known: use confidence, simultaneous or prediction"
            )
        own, shared = ((x,), ()) if in_axes == 0 else ((), (x,))
        values, variance = inference.ask(
            self._batch, inference.band, fit, (fit.covariance, *own), shared
        )
        known = fit.about.known_scale
        if kind == "prediction":
            variance = variance + self._variance_of_one(fit, sigma)
        if kind == "simultaneous":
            variances = jnp.diagonal(fit.covariance, axis1=-2, axis2=-1)
            count = jnp.sum((variances > 0) & jnp.isfinite(variances), axis=-1)
            dof = jnp.full(jnp.shape(fit.dof), jnp.inf) if known else fit.dof
            quantile = jnp.sqrt(scheffe_quantile(level, count, dof))
        else:
            quantile = normal_quantile(level) if known else student_quantile(level, fit.dof)
        half = jnp.expand_dims(quantile, tuple(range(jnp.ndim(quantile), values.ndim)))
        half = half * jnp.sqrt(variance)
        band = Band(values, values - half, values + half)
        if not self._batch.setup.in_parts:
            return band
        halves = (jnp.split(each, 2, axis=-1) for each in band)
        return Band(*(_tree.whole(pair) for pair in halves))

    def _variance_of_one(self, fit: Fit, sigma: Any) -> Array:
        """Of a further measurement."""
        if fit.about.loss != "linear":
            raise ValueError("a prediction band needs least squares: its errors are normal ones")
        if (self._batch.given().sigma is None) != (sigma is None):
            raise ValueError("give sigma for the prediction if, and only if, the fit had one")
        scale = jnp.asarray(1.0) if fit.about.known_scale else fit.reduced_chi2[..., None]
        return scale * (1.0 if sigma is None else jnp.asarray(sigma) ** 2)
