"""Kernels written as sums of products of 1-D kernels, one per axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from lenrek.errors import OptionError, ShapeError
from lenrek.geometry.axes import per_axis
from lenrek.ops.layout import shape


@dataclass(frozen=True)
class SeparableKernel:
    """Σ_r factors[0][…, r, k₀] · factors[1][…, r, k₁] · …: a kernel, or a whole weight of kernels, in `rank` terms.

    Attributes:
        factors: per axis (*leading, rank, kernel_size); leading is () for one kernel, and
            (out_channels, in_channels/groups) for a weight.
        error: (*leading), the distance to what was factored, ‖kernel − self.kernel()‖ / ‖kernel‖ (Frobenius).
    """

    factors: tuple[Tensor, ...]
    error: Tensor

    @property
    def rank(self) -> int:
        return self.factors[0].shape[-2]

    def kernel(self) -> Tensor:
        """The kernel that the factors stand for: (*leading, *kernel_size)."""
        return _product(self.factors).sum(-len(self.factors) - 1)


def factor_kernel(kernel: Tensor, rank: int = 1, *, ndim: int | None = None) -> SeparableKernel:
    """Split a kernel into `rank` products of 1-D kernels, so that an N-D correlation becomes N short ones.

    In 2-D this is the singular value decomposition, and no other `rank` terms are nearer to the kernel (Eckart–Young).
    Beyond, the first axis is split from the rest by one decomposition, then every part in the same way; the terms are
    orthogonal, so keeping the largest is best among *these* terms, and all of them together are exact. They need not be
    the best terms there are: for rank 1 the error is at most √(N − 1) times the smallest possible, and a kernel of
    rank 1 is found exactly in any case.

    Args:
        kernel: (*leading, *kernel_size), floating or complex; each leading index is factored alone.
        rank: terms to keep; in 2-D there are as many as the shorter axis has samples.
        ndim: axes of the kernel, the last ones of the tensor; all of them by default, 2 for the weight of a 2-D layer.
    Raises:
        OptionError: integers, or more terms than there are.
        ShapeError: more axes than the tensor has.
    Source: Eckart & Young 1936; De Lathauwer et al. 2000, doi:10.1137/S0895479896305696.
    Example: Sobel's kernel is a smoothing across times a difference along.
        >>> sobel = torch.tensor([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]])
        >>> found = factor_kernel(sobel)
        >>> torch.allclose(found.kernel(), sobel, atol=1e-6), bool(found.error < 1e-6)
        (True, True)
    """
    who = "factor_kernel"
    if not (kernel.is_floating_point() or kernel.is_complex()):
        raise OptionError(f"{who}: kernel is {kernel.dtype}, expected a floating type.\n  Hint: pass kernel.float().")
    ndim = kernel.ndim if ndim is None else per_axis(ndim, 1, who, "ndim")[0]
    if not 1 <= ndim <= kernel.ndim or 0 in kernel.shape[kernel.ndim - ndim :]:
        raise ShapeError(f"{who}: kernel {shape(kernel)}, expected at least {max(ndim, 1)} axes, none of them empty.")
    (rank,) = per_axis(rank, 1, who, "rank")
    size = tuple(kernel.shape[kernel.ndim - ndim :])
    counts = [min(k, prod(size[axis + 1 :])) for axis, k in enumerate(size[:-1])]
    if rank > prod(counts):
        raise OptionError(
            f"{who}: rank is {rank}, but a kernel of size {size} has at most {' · '.join(map(str, counts)) or 1}"
            f"{f' = {prod(counts)}' if len(counts) > 1 else ''} terms."
        )
    strengths, factors = _terms(kernel, ndim)
    kept = strengths.topk(rank, -1).indices.unsqueeze(-1)
    factors = [f.gather(-2, kept.expand(*kept.shape[:-1], f.shape[-1])) for f in factors]
    scale = strengths.gather(-1, kept.squeeze(-1)).pow(1 / ndim).unsqueeze(-1)
    result = tuple(f * scale for f in factors)
    axes = tuple(range(-ndim, 0))
    distance = (kernel - _product(result).sum(-ndim - 1)).abs().square().sum(axes).sqrt()
    norm = kernel.abs().square().sum(axes).sqrt()
    return SeparableKernel(result, torch.where(norm == 0, 0.0, distance / torch.where(norm == 0, 1.0, norm)))


def _terms(kernel: Tensor, ndim: int) -> tuple[Tensor, list[Tensor]]:
    """Every term that splitting gives: strengths (*leading, terms), unit kernels (*leading, terms, k) per axis."""
    if ndim == 1:
        strength = torch.linalg.vector_norm(kernel, dim=-1, keepdim=True)
        unit = kernel / torch.where(strength == 0, 1.0, strength)
        return strength, [unit.unsqueeze(-2)]
    leading, size = kernel.shape[:-ndim], kernel.shape[-ndim:]
    first, strength, rest = torch.linalg.svd(kernel.reshape(*leading, size[0], -1), full_matrices=False)
    strengths, factors = _terms(rest.unflatten(-1, size[1:]), ndim - 1)  # (*leading, terms of the first, of the rest)
    first = first.mT.unsqueeze(-2).expand(*strengths.shape, size[0])
    strengths = strengths * strength.unsqueeze(-1)
    return strengths.flatten(-2), [f.flatten(-3, -2) for f in (first, *factors)]


def _product(factors: Sequence[Tensor]) -> Tensor:
    """(*leading, rank, *kernel_size): the outer product of each term."""
    product = factors[0]
    for axis, factor in enumerate(factors[1:], 1):
        product = product.unsqueeze(-1) * factor.reshape(*factor.shape[:-1], *[1] * axis, factor.shape[-1])
    return product
