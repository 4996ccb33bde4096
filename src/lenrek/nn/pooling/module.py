"""What pooling modules share: how many axes they are for, and how they show themselves."""

from __future__ import annotations

from inspect import signature
from typing import Any, ClassVar

from torch import nn


class PoolingModule(nn.Module):
    """A module that keeps each argument under its own name.

    Attributes:
        ndim: the axes it pools over, None where its sizes say it.
    """

    ndim: ClassVar[int | None] = None
    # wider than in PyTorch's classes, which the checker would not allow: names and sides for the padding, and any ndim
    kernel_size: Any
    stride: Any
    padding: Any
    dilation: Any
    output_size: Any

    def __init__(self) -> None:
        nn.Module.__init__(self)  # not super(): PyTorch's class of the same name would want its own arguments

    def per_axis(self, sizes: Any) -> Any:
        """A number as one entry per axis, where the axes are known: so (channels, *size) is told from a batch."""
        return sizes if self.ndim is None or isinstance(sizes, tuple | list) else (sizes,) * self.ndim

    def extra_repr(self) -> str:
        parameters = list(signature(type(self).__init__).parameters.values())[1:]
        values = ((p.name, getattr(self, p.name), p.default) for p in parameters)
        return ", ".join(f"{name}={value!r}" for name, value, default in values if value != default)
