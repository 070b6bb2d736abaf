"""`Regression`: a model with its data, to be fitted and then asked how sure the parameters are."""

from collections.abc import Callable, Mapping
from copy import copy
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mvopt import _tree
from mvopt._entry import check_bounds
from mvopt._types import Array, Status
from mvopt.iteration.axes import split_given
from mvopt.iteration.blocks import in_blocks
from mvopt.iteration.protocol import Solver
from mvopt.least_squares import DEFAULT_MAX_STEPS
from mvopt.losses import Loss, loss_of
from mvopt.regression import arguments, inference
from mvopt.regression.dataset import Given, Setup
from mvopt.regression.fit import Fit, check_level
from mvopt.regression.fitting import fit_rows
from mvopt.regression.inference import Band, Intervals
from mvopt.regression.parameters import roles_of
from mvopt.regression.quantiles import (
    fisher_quantile,
    normal_quantile,
    scheffe_quantile,
    student_quantile,
)

ROBUST = ("Huber", "SoftL1", "Cauchy", "Tukey")


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
        precision: str | None = None,
    ):
        arguments.check_precision(precision)
        start, fill = arguments.start_of(model, p0)
        names = arguments.names_of(model, start)
        roles = roles_of(names, fixed, tied)
        settled, estimated = arguments.resolved(loss_of(loss), sigma, absolute_sigma)
        bounds, prior = check_bounds(bounds), arguments.prior_of(prior, names, start)
        given = Given(x, y, start, sigma, mask, bounds, prior, settled, sigma_x)
        arguments.check_sigma_x(given)
        if separable and not (bounds is None and sigma_x is None and settled is None):
            raise ValueError("separable is for least squares without bounds and errors in x")
        layout, rows, shared, size = split_given(
            tuple(given), arguments.axes_over(given, in_axes), arguments.NAMES
        )
        self._setup = Setup(
            model, layout, fill, roles, absolute_sigma, precision, estimated, separable
        )
        self._rows, self._shared, self._size = rows, shared, size
        self._has_sigma = sigma is not None

    def fit(self, *, solver: Solver | None = None, max_steps: int = DEFAULT_MAX_STEPS) -> Fit:
        """The fit of each data set; see `curve_fit`."""

        def run(rows: list[Array], count: int) -> Fit:
            return fit_rows(self._setup, solver, rows, self._shared, max_steps, count)

        return run([], 1) if self._size is None else in_blocks(run, self._rows, self._size)

    def take(self, index: Any) -> "Regression":
        """The regression of some data sets of the batch, (k,) indices; it is a batch of k."""
        some = copy(self)
        index = np.asarray(index)
        some._rows, some._size = [leaf[index] for leaf in self._rows], index.size
        return some

    def data(self, index: int | None = None) -> tuple[Any, Array, Array | None, Array | None]:
        """x, y, sigma and mask of one data set, of a batch that of this index; None: not given."""
        rows = [] if index is None else [leaf[index] for leaf in self._rows]
        given = Given(*self._setup.layout.join(rows, self._shared))
        return given.x, given.y, given.sigma, given.mask

    def intervals(self, fit: Fit, level: float = 0.95, max_steps: int = 1000) -> Intervals:
        """Profile-likelihood intervals of this confidence level, of every free parameter.

        The ends are where the least χ² with the parameter held there has risen by z², or by t²
        times the reduced χ² where the scale is not known (Bates and Watts 1988, section 6.1). An
        end is at a bound where χ² has not risen enough before; it is infinite (UNBOUNDED) where χ²
        never does. max_steps: evaluations for each end. ValueError for a robust loss, which is no
        likelihood.
        """
        check_level(level)
        free = self._free(fit)
        rays = [((j,), (sign,)) for j in range(len(free)) for sign in (-1.0, 1.0)]
        known = fit.about.known_scale
        quantile = normal_quantile(level) if known else student_quantile(level, fit.dof)
        ends, status, lowest = self._profile(fit, rays, quantile**2, max_steps)
        flat = self._flat(fit)
        low, high = jnp.array(flat), jnp.array(flat)
        for j, index in enumerate(free):
            endless = status[..., 2 * j : 2 * j + 2] == Status.UNBOUNDED
            low = low.at[..., index].set(
                jnp.where(endless[..., 0], -jnp.inf, ends[..., 2 * j, index])
            )
            high = high.at[..., index].set(
                jnp.where(endless[..., 1], jnp.inf, ends[..., 2 * j + 1, index])
            )
        return Intervals(
            lower=self._unflat(fit, low),
            upper=self._unflat(fit, high),
            status=status.reshape(*status.shape[:-1], len(free), 2),
            lower_minimum=jnp.any(lowest < -1e-3, axis=-1),
        )

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
        check_level(level)
        free = self._free(fit)
        whole = [fit.names.index(each) if isinstance(each, str) else int(each) for each in pair]
        if len(set(whole)) != 2 or not set(whole) <= set(free):
            raise ValueError(f"pair={pair!r} must be two different free parameters of {fit.names}")
        index = tuple(free.index(each) for each in whole)
        angles = np.linspace(0, 2 * np.pi, num, endpoint=False)
        rays = [(index, (float(np.cos(a)), float(np.sin(a)))) for a in angles]
        dof = jnp.full(jnp.shape(fit.dof), jnp.inf) if fit.about.known_scale else fit.dof
        ends, status, _ = self._profile(fit, rays, fisher_quantile(level, dof), max_steps)
        return ends[..., np.array(whole)], status

    def sandwich(self, fit: Fit, kind: str = "HC3") -> Array:
        """Covariance (…, n, n) that holds where the errors of the points are not those of sigma.

        kind: "HC0" (White 1980), "HC1", "HC2", or "HC3", which MacKinnon and White (1985) found
        best for few points.
        """
        if kind not in inference.SANDWICHES:
            raise ValueError(f"kind={kind!r} is not known: use HC0, HC1, HC2 or HC3")
        return self._ask(inference.SANDWICHES[kind], fit)

    def residuals(self, fit: Fit) -> Array:
        """(y − model)/sigma, (…, m), zero for points left out."""
        return self._ask(inference.residuals, fit)

    def runs_test(self, fit: Fit) -> tuple[Array, Array]:
        """Runs of residuals of one sign in the order of x, and the p-value of their number.

        A small p-value says that the residuals are not independent: a wrong model, mostly (Wald and
        Wolfowitz 1940, in the normal approximation).
        """
        number, z = self._ask(inference.runs, fit)
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
        values, variance = self._ask(inference.band, fit, (fit.covariance, *own), shared)
        known = fit.about.known_scale
        if kind == "prediction":
            variance = variance + self._variance_of_one(fit, sigma)
        if kind == "simultaneous":
            count = len(self._free(fit))
            dof = jnp.full(jnp.shape(fit.dof), jnp.inf) if known else fit.dof
            quantile = jnp.sqrt(scheffe_quantile(level, count, dof))
        else:
            quantile = normal_quantile(level) if known else student_quantile(level, fit.dof)
        half = jnp.expand_dims(quantile, tuple(range(jnp.ndim(quantile), values.ndim)))
        half = half * jnp.sqrt(variance)
        return Band(values, values - half, values + half)

    def _variance_of_one(self, fit: Fit, sigma: Any) -> Array:
        """Of a further measurement."""
        if fit.about.loss in ("Poisson", "Binomial"):
            raise ValueError(
                "a prediction band is for measurements with normal errors, not for counts"
            )
        if self._has_sigma != (sigma is not None):
            raise ValueError("give sigma for the prediction if, and only if, the fit had one")
        scale = jnp.asarray(1.0) if fit.about.known_scale else fit.reduced_chi2[..., None]
        return scale * (1.0 if sigma is None else jnp.asarray(sigma) ** 2)

    def _flat(self, fit: Fit) -> Array:
        """The params of the fit as vectors, (n,) or (N, n)."""
        flat = lambda params: _tree.ravel(params)[0]
        return flat(fit.params) if self._size is None else jax.vmap(flat)(fit.params)

    def _unflat(self, fit: Fit, flat: Array) -> Any:
        """Vectors as params like those of the fit."""
        one = fit.params if self._size is None else _tree.take(fit.params, 0)
        unravel = _tree.ravel(one)[1]
        return unravel(flat) if self._size is None else jax.vmap(unravel)(flat)

    def _free(self, fit: Fit) -> list[int]:
        """Indices of the free parameters."""
        free = self._setup.roles.free
        return list(range(fit.covariance.shape[-1])) if free is None else list(free)

    def _ask(self, question: Any, fit: Fit, own: tuple = (), common: tuple = ()) -> Any:
        """The answer for each data set."""
        setup, shared = self._setup, self._shared

        def run(batch: Any, count: int) -> Any:
            del count
            rows, own = batch
            return inference.answer(setup, question, rows, shared, own, common)

        own = (self._flat(fit), *own)
        if self._size is None:
            own = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], own)
            return run(([], own), 1)
        return in_blocks(run, (self._rows, own), self._size)

    def _profile(self, fit: Fit, rays: list, quantile: Array, max_steps: int) -> Any:
        """Ends (…, K, n), statuses and least costs of rays, where χ² rises by quantile·scale."""
        if fit.about.loss in ROBUST:
            raise ValueError("a robust loss is no likelihood and has no profile: use bootstrap")
        scale = 1.0 if fit.about.known_scale else fit.reduced_chi2
        rises = jnp.broadcast_to(0.5 * quantile * scale, jnp.shape(fit.chi2))
        setup, shared, held = self._setup, self._shared, tuple(rays)

        def run(batch: Any, count: int) -> Any:
            return inference.profile_ends(
                setup, held, batch[0], shared, *batch[1:], max_steps, count
            )

        batch = (self._rows, self._flat(fit), rises)
        if self._size is None:
            batch = ([], batch[1][None], batch[2][None])
            return run(batch, 1)
        return in_blocks(run, batch, self._size)
