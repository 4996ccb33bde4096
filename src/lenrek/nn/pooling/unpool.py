"""Max-unpooling as modules."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from lenrek.geometry import transposed_output_size
from lenrek.nn.pooling.module import PoolingModule
from lenrek.ops.pooling import max_unpool


class MaxUnpool(PoolingModule):
    """`ops.pooling.max_unpool` to the size that a `MaxPool` with these arguments came from.

    Several sizes pool to the same one; without an `output_size`, forward takes the smallest:
    (in − 1)·stride − 2·padding + kernel_size.

    Example:
        >>> import torch
        >>> from lenrek.nn.pooling import MaxPool1d
        >>> x = torch.tensor([[3.0, 1.0, 2.0, 5.0, 4.0]])
        >>> MaxUnpool1d(2)(*MaxPool1d(2, return_indices=True)(x), output_size=(5,))
        tensor([[3., 0., 0., 5., 0.]])
    """

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
    ):
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding

    def forward(self, x: Tensor, indices: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """`output_size`: the size of what was pooled, per axis; batch and channels may stand before it."""
        kernel = self.per_axis(self.kernel_size)
        ndim = x.ndim - 2 if isinstance(kernel, int) else len(kernel)
        if output_size is None:
            output_size = transposed_output_size(
                x.shape[-ndim:], kernel, stride=self.stride, padding=self.padding, who=type(self).__name__
            )
        return max_unpool(x, indices, tuple(output_size[-ndim:]))


class MaxUnpool1d(MaxUnpool, nn.MaxUnpool1d):
    """`MaxUnpool` of (batch, channels, length)."""

    ndim = 1


class MaxUnpool2d(MaxUnpool, nn.MaxUnpool2d):
    """`MaxUnpool` of (batch, channels, height, width)."""

    ndim = 2


class MaxUnpool3d(MaxUnpool, nn.MaxUnpool3d):
    """`MaxUnpool` of (batch, channels, depth, height, width)."""

    ndim = 3
