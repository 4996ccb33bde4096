"""A Gaussian for a map of magnitudes, and how large the map is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

OUTSIDE_TWO_SD = 0.0455  # of a Gaussian's weight; Luo et al. count what exceeds this share of the largest value


@dataclass(frozen=True)
class Fit:
    """A Gaussian, axis by axis.

    Attributes:
        mean, sd: along each axis, in input samples: those of the map itself, taken as a distribution.
        likeness: 1 where the map along each axis alone is that Gaussian; the share of its variance that is explained.
        effective_size: samples per axis: the n-th root of the number of positions whose magnitude exceeds 4.55 % of
            the largest.
        effective_share: of all positions' magnitude, what lies in those.
    """

    mean: tuple[float, ...]
    sd: tuple[float, ...]
    likeness: float
    effective_size: float
    effective_share: float

    def to_dict(self) -> dict[str, Any]:
        return {
            "mean": list(self.mean), "sd": list(self.sd), "likeness": self.likeness,
            "effective_size": self.effective_size, "effective_share": self.effective_share,
        }  # fmt: skip


def fitted(magnitude: np.ndarray) -> Fit | None:
    """The fit of a map of magnitudes; None of one that is zero everywhere.

    Moments rather than a search: they always exist, and of stacked convolutions they are what theory tells.

    Source: Luo, Li, Urtasun & Zemel 2016, arXiv:1701.04128, §2 and §3.1.
    Example:
        >>> fit = fitted(np.convolve(np.ones(3), np.ones(3)))  # two layers of kernel 3: variance 2 · (3² − 1)/12
        >>> round(fit.mean[0], 6), round(fit.sd[0] ** 2, 6), fit.effective_size
        (2.0, 1.333333, 5.0)
    """
    peak = magnitude.max(initial=0.0)
    if not peak > 0:
        return None
    relative = magnitude / peak  # so that tiny gradients do not underflow when summed
    means, deviations, likenesses = [], [], []
    for axis in range(relative.ndim):
        others = tuple(other for other in range(relative.ndim) if other != axis)
        profile = relative.sum(axis=others)
        profile = profile / profile.sum()
        at = np.arange(len(profile))
        mean = float(profile @ at)
        sd = float(np.sqrt(profile @ (at - mean) ** 2))
        means.append(mean)
        deviations.append(sd)
        likenesses.append(_likeness(profile, at, mean, sd))
    inside = relative > OUTSIDE_TWO_SD
    return Fit(
        tuple(means),
        tuple(deviations),
        float(np.mean(likenesses)),
        float(inside.sum() ** (1 / relative.ndim)),
        float(relative[inside].sum() / relative.sum()),
    )


def _likeness(profile: np.ndarray, at: np.ndarray, mean: float, sd: float) -> float:
    spread = ((profile - profile.mean()) ** 2).sum()
    if sd == 0 or spread == 0:  # a single position, or none that differs
        return float(sd == 0)
    gaussian = np.exp(-((at - mean) ** 2) / (2 * sd**2))
    gaussian /= gaussian.sum()
    return float(1 - ((profile - gaussian) ** 2).sum() / spread)
