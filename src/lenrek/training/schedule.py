"""Learning-rate schedules as plain functions of the share of training done."""

from __future__ import annotations

import math

WARM_SHARE = 0.25


def rate_factor(schedule: str, step: int, num_steps: int) -> float:
    """Factor on the peak learning rate at `step` of `num_steps` (0-based).

    onecycle rises linearly over the first quarter and falls linearly to zero (after Smith & Topin 2017,
    arXiv:1708.07120); cosine falls along half a cosine (Loshchilov & Hutter 2016, arXiv:1608.03983, one cycle).

    >>> [round(rate_factor("onecycle", step, 8), 3) for step in range(8)]
    [0.25, 0.75, 0.917, 0.75, 0.583, 0.417, 0.25, 0.083]
    >>> [round(rate_factor("cosine", step, 4), 3) for step in range(4)]
    [0.962, 0.691, 0.309, 0.038]
    """
    done = (step + 0.5) / num_steps  # the middle of the step: neither the first nor the last step is wasted at zero
    if schedule == "onecycle":
        return done / WARM_SHARE if done < WARM_SHARE else (1 - done) / (1 - WARM_SHARE)
    if schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * done))
    return 1.0
