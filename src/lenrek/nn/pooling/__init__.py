"""Pooling as modules, by PyTorch's names and arguments.

Those with 1d, 2d or 3d in their names are PyTorch's classes too; they take what PyTorch's take, and more. The same name
without a number pools over as many axes as its sizes have entries, or over all after the channels where that is a
number.
"""

from lenrek.nn.pooling.maximum import MaxPool, MaxPool1d, MaxPool2d, MaxPool3d
from lenrek.nn.pooling.mean import AvgPool, AvgPool1d, AvgPool2d, AvgPool3d
from lenrek.nn.pooling.norm import LPPool, LPPool1d, LPPool2d, LPPool3d
from lenrek.nn.pooling.resize import (
    AdaptiveAvgPool,
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveAvgPool3d,
    AdaptiveMaxPool,
    AdaptiveMaxPool1d,
    AdaptiveMaxPool2d,
    AdaptiveMaxPool3d,
    SpectralPool,
)
from lenrek.nn.pooling.stochastic import StochasticPool
from lenrek.nn.pooling.unpool import MaxUnpool, MaxUnpool1d, MaxUnpool2d, MaxUnpool3d
from lenrek.nn.pooling.whole import GlobalAvgPool, GlobalMaxPool

__all__ = [
    "AdaptiveAvgPool",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "AvgPool",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "LPPool",
    "LPPool1d",
    "LPPool2d",
    "LPPool3d",
    "MaxPool",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MaxUnpool",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "MaxUnpool3d",
    "SpectralPool",
    "StochasticPool",
]
