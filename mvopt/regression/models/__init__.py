"""Named models with automatic first guesses; `NAMED` maps each name to its model."""

from mvopt.regression.models._model import Model
from mvopt.regression.models.exponentials import (
    biexponential,
    exponential_decay,
    exponential_decay_offset,
    exponential_growth,
)
from mvopt.regression.models.growth import (
    asymptotic,
    michaelis_menten,
    power_law,
    weibull_growth,
)
from mvopt.regression.models.peaks import (
    gaussian,
    gaussian2d,
    gaussian_offset,
    lorentzian,
    lorentzian_offset,
)
from mvopt.regression.models.pharmacokinetics import first_order_compartment
from mvopt.regression.models.polynomials import cubic, linear, polynomial, quadratic
from mvopt.regression.models.sigmoids import gompertz, logistic3, logistic4

NAMED: dict[str, Model] = {
    model.name: model
    for model in (
        linear,
        quadratic,
        cubic,
        exponential_decay,
        exponential_decay_offset,
        exponential_growth,
        biexponential,
        gaussian,
        gaussian_offset,
        gaussian2d,
        lorentzian,
        lorentzian_offset,
        logistic3,
        logistic4,
        gompertz,
        michaelis_menten,
        asymptotic,
        weibull_growth,
        power_law,
        first_order_compartment,
    )
}

__all__ = [
    "NAMED",
    "Model",
    "asymptotic",
    "biexponential",
    "cubic",
    "exponential_decay",
    "exponential_decay_offset",
    "exponential_growth",
    "first_order_compartment",
    "gaussian",
    "gaussian2d",
    "gaussian_offset",
    "gompertz",
    "linear",
    "logistic3",
    "logistic4",
    "lorentzian",
    "lorentzian_offset",
    "michaelis_menten",
    "polynomial",
    "power_law",
    "quadratic",
    "weibull_growth",
]
