"""How a block pools, per axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from lenrek.errors import OptionError, ShapeError
from lenrek.geometry import windows

Kind = Literal["max", "average", "global_average"]
CODES = {"max": 1, "average": 2, "global_average": 3}  # 1 and 2 are those of csrc/block.h


@dataclass(frozen=True)
class Pool:
    """A pooling over windows, one integer per axis; what PyTorch calls dilation, the kernels lack.

    Attributes:
        kind: `max`; `average`, in which samples of the padding count as zeros; `global_average`, of all samples.
        kernel_size, stride, padding: in samples, padding on both sides; stride defaults to kernel_size, padding to 0.
        ceil_mode: of `max`: a last window that reaches beyond the padding counts, if it starts before it.
    Raises:
        OptionError: an unknown kind, a size out of range, more padding than half the kernel.
        ShapeError: not one value per axis.
    Example:
        >>> Pool("max", (3, 2))
        Pool(kind='max', kernel_size=(3, 2), stride=(3, 2), padding=(0, 0), ceil_mode=False)
    """

    kind: Kind
    kernel_size: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    padding: tuple[int, ...] = ()
    ceil_mode: bool = False

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise OptionError(f"Pool: kind {self.kind!r}, expected one of {', '.join(get_args(Kind))}.")
        if self.ceil_mode and self.kind != "max":
            raise OptionError(f"Pool: ceil_mode is for max, but kind is {self.kind}.")
        if self.kind == "global_average":
            if self.kernel_size or self.stride or self.padding:
                raise OptionError("Pool: global_average reads all samples; it takes no kernel_size, stride or padding.")
            return
        object.__setattr__(self, "stride", self.stride or self.kernel_size)
        object.__setattr__(self, "padding", self.padding or (0,) * len(self.kernel_size))
        if not len(self.kernel_size) == len(self.stride) == len(self.padding) or not self.kernel_size:
            raise ShapeError(
                f"Pool: kernel_size {self.kernel_size}, stride {self.stride} and padding {self.padding}, "
                "expected one of each per axis."
            )
        for k, s, p in zip(self.kernel_size, self.stride, self.padding, strict=True):
            if k < 1 or s < 1 or not 0 <= p <= k // 2:
                raise OptionError(
                    f"Pool: kernel_size {k}, stride {s}, padding {p} on one axis, "
                    f"expected at least 1, at least 1, and 0 ≤ padding ≤ {k} // 2 = {k // 2}."
                )

    @property
    def code(self) -> list[int]:
        """As the operators take it: the kind's number, the mode, then kernel, stride and padding of each axis."""
        return [CODES[self.kind], int(self.ceil_mode), *self.kernel_size, *self.stride, *self.padding]


def axis_windows(
    code: Sequence[int], in_size: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Output size, kernel, stride and padding per axis of the pooling `code` (empty: none) on a volume of `in_size`.

    Raises:
        ShapeError: a window that does not fit, or not one value per axis.
    Example:
        >>> axis_windows(Pool("max", (3, 2), (2, 2), (1, 0)).code, (7, 8))
        ((4, 4), (3, 2), (2, 2), (1, 0))
    """
    n = len(in_size)
    ones, zeros = (1,) * n, (0,) * n
    if not code:
        return in_size, ones, ones, zeros
    if code[0] == CODES["global_average"]:
        return ones, in_size, ones, zeros
    _, ceil, *numbers = code
    axes = len(numbers) // 3
    kernel, stride, padding = (tuple(numbers[i * axes : (i + 1) * axes]) for i in range(3))
    out = tuple(
        _windows_on(size, k, s, p, bool(ceil)) for size, k, s, p in zip(in_size, kernel, stride, padding, strict=False)
    )
    if axes != n or min(out) < 1:
        windows(in_size, kernel, stride=stride, padding=padding, who="Pool")
    return out, kernel, stride, padding


def _windows_on(size: int, kernel: int, stride: int, padding: int, ceil: bool) -> int:
    """How many windows an axis has; in ceil mode none of them starts in the padding behind it."""
    room = size + 2 * padding - kernel
    if not ceil:
        return room // stride + 1
    count = -(-room // stride) + 1
    return count - 1 if (count - 1) * stride >= size + padding else count
