"""Pooling in any number of dimensions: one number for each window, or for each whole channel."""

from lenrek.ops.pooling.adaptive import adaptive_average_pool, adaptive_max_pool
from lenrek.ops.pooling.average import average_pool
from lenrek.ops.pooling.max import max_pool
from lenrek.ops.pooling.norm import lp_pool
from lenrek.ops.pooling.reduce import pool
from lenrek.ops.pooling.spectral import spectral_pool
from lenrek.ops.pooling.stochastic import stochastic_pool
from lenrek.ops.pooling.unpool import max_unpool
from lenrek.ops.pooling.whole import global_average_pool, global_max_pool

__all__ = [
    "adaptive_average_pool",
    "adaptive_max_pool",
    "average_pool",
    "global_average_pool",
    "global_max_pool",
    "lp_pool",
    "max_pool",
    "max_unpool",
    "pool",
    "spectral_pool",
    "stochastic_pool",
]
