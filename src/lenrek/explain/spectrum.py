"""Singular values of a linear layer: all of them through the Fourier transform, or the largest by Lanczos."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from lenrek.errors import OptionError, ShapeError
from lenrek.geometry import windows
from lenrek.geometry.axes import is_integer, sizes_of

WHO = "singular_values"
AFFINE = 1e-9  # relative, in float64


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Singular values of a linear layer.

    Attributes:
        values: float64, the largest first.
        method: "fourier" (all of them, exactly) or "lanczos" (the largest).
        in_shape: (channels, *size) of the input they belong to.
    """

    values: Tensor
    method: Literal["fourier", "lanczos"]
    in_shape: tuple[int, ...]

    @property
    def norm(self) -> float:
        """The spectral norm: by how much the layer can stretch a difference of two inputs, its Lipschitz constant."""
        return self.values[0].item()


def singular_values(layer: Callable[[Tensor], Tensor], in_shape: Sequence[int], count: int | None = None) -> Spectrum:
    """Singular values of a convolution, or of any affine layer without its bias.

    A convolution on a circle is diagonal in the Fourier basis but for its channels: at each frequency a small matrix
    remains, and with a stride the frequencies that it folds onto each other stand side by side in it. So all singular
    values come from small decompositions. Other layers (another boundary, transposed, several layers in a row) are
    multiplied with vectors, forward and by their exact adjoint, and Lanczos iteration finds the largest.

    Args:
        layer: a module, or a function that works in float64.
        in_shape: (channels, *size) of one input.
        count: of the largest values; None is all of them on a circle, else 1.
    Raises:
        OptionError: a layer that is not affine, a count that there is not.
        ShapeError: an input that the layer does not take.
    Source: Sedghi, Gupta & Long 2019, "The Singular Values of Convolutional Layers", arXiv:1805.10408.
    Example: a moving average passes constants as they are.
        >>> layer = nn.Conv1d(1, 1, 3, padding=1, padding_mode="circular")
        >>> with torch.no_grad(): _ = layer.weight.fill_(1 / 3)
        >>> singular_values(layer, (1, 4)).values
        tensor([1.0000, 0.3333, 0.3333, 0.3333], dtype=torch.float64)
    """
    shape = sizes_of(in_shape, WHO, "in_shape")
    if count is not None and (not is_integer(count) or count < 1):
        raise OptionError(f"{WHO}: count is {count!r}, expected a number of at least 1, or None.")
    if isinstance(layer, _ConvNd) and _is_circular(layer, shape):
        values = _fourier(layer, shape[1:])
        return Spectrum(values[:count], "fourier", shape)
    return Spectrum(_lanczos(layer, shape, count or 1), "lanczos", shape)


def _is_circular(layer: _ConvNd, shape: tuple[int, ...]) -> bool:
    """Whether nothing but the input itself, around the circle, is ever read, at every stride-th place."""
    if layer.transposed or len(shape) != layer.weight.ndim - 1 or shape[0] != layer.in_channels:
        return False
    padding: Any = layer.padding  # of our own layers also (before, after) per axis
    found = windows(
        shape[1:], layer.kernel_size, stride=layer.stride, padding=padding, dilation=layer.dilation, who=WHO
    )
    closed = layer.padding_mode == "circular" or not any(w.before or w.after for w in found)
    return closed and all(w.out_size * w.stride == w.in_size for w in found)


@torch.no_grad()
def _fourier(layer: _ConvNd, size: tuple[int, ...]) -> Tensor:
    weight, axes = layer.weight.detach().cpu().to(torch.float64), range(len(size))
    for axis, n in enumerate(size):  # taps to their places on the circle, on each other where the kernel is longer
        places = torch.arange(weight.shape[2 + axis]) * layer.dilation[axis] % n
        shape = [*weight.shape]
        shape[2 + axis] = n
        weight = weight.new_zeros(shape).index_add(2 + axis, places, weight)
    blocks = weight.unflatten(0, (layer.groups, -1))
    spectra = torch.fft.fftn(blocks, dim=[3 + axis for axis in axes])
    for axis, step in enumerate(layer.stride):  # frequencies that fall together: f = a · (n / step) + b for every a
        spectra = spectra.unflatten(3 + 2 * axis, (step, -1))
    folded, kept = [3 + 2 * axis for axis in axes], [4 + 2 * axis for axis in axes]
    kept_once = prod(layer.stride)
    matrices = spectra.permute(0, *kept, 1, 2, *folded).reshape(-1, blocks.shape[1], blocks.shape[2] * kept_once)
    return torch.linalg.svdvals(matrices / kept_once**0.5).flatten().sort(descending=True).values


def _lanczos(layer: Callable[[Tensor], Tensor], shape: tuple[int, ...], count: int) -> Tensor:
    from scipy.sparse.linalg import LinearOperator, svds

    run = copy.deepcopy(layer).to("cpu", torch.float64).eval() if isinstance(layer, nn.Module) else layer
    if isinstance(run, nn.Module):
        run.requires_grad_(False)
    zero = torch.zeros(1, *shape, dtype=torch.float64)
    try:
        offset = run(zero)
    except (RuntimeError, ValueError) as error:
        raise ShapeError(f"{WHO}: the layer does not take an input {(1, *shape)}: {error}") from error
    if not isinstance(offset, Tensor):
        raise ShapeError(f"{WHO}: the layer returned {type(offset).__name__}, expected a tensor.")

    def forward(x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return (run(torch.from_numpy(x.reshape(1, *shape))) - offset).numpy().ravel()

    def adjoint(y: np.ndarray) -> np.ndarray:
        x = zero.clone().requires_grad_()
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(run(x), x, torch.from_numpy(y.reshape(offset.shape)))
        return gradient.numpy().ravel()

    random = np.random.default_rng(0)
    x = random.standard_normal(zero.numel())
    once, often = forward(x), forward(1024 * x)
    if np.linalg.norm(often - 1024 * once) > AFFINE * np.linalg.norm(often):
        raise OptionError(
            f"{WHO}: the layer is not affine: 1024 times the input does not give 1024 times the output.\n"
            "  Hint: only affine layers have singular values; ask for one layer, or leave out the activation."
        )
    rows, columns = offset.numel(), zero.numel()
    if count > min(rows, columns):
        raise OptionError(
            f"{WHO}: count is {count}, but a matrix of {rows} × {columns} has {min(rows, columns)} values."
        )
    if min(rows, columns) <= max(count + 1, 8):  # too small to iterate: written down
        one_by_one, number = (forward, columns) if columns <= rows else (adjoint, rows)
        narrow = np.stack([one_by_one(basis) for basis in np.eye(number)])
        values = np.linalg.svd(narrow, compute_uv=False)[:count]
    else:
        operator = LinearOperator((rows, columns), matvec=forward, rmatvec=adjoint, dtype=np.float64)
        start = random.standard_normal(min(rows, columns))
        values = svds(operator, k=count, v0=start, return_singular_vectors=False)
    return torch.from_numpy(np.sort(np.abs(values))[::-1].copy())
