"""Separable kernels: known factors, the best error, exactness with all terms, whole weights, messages."""

import numpy as np
import pytest
import torch

from lenrek.errors import OptionError, ShapeError
from lenrek.ops.factor import SeparableKernel, factor_kernel


def test_sobel_and_gaussian_are_one_term():
    sobel = torch.outer(torch.tensor([1.0, 2.0, 1.0]), torch.tensor([1.0, 0.0, -1.0])).double()
    bell = torch.exp(-(torch.linspace(-2, 2, 9, dtype=torch.float64) ** 2))
    for kernel in (sobel, torch.outer(bell, bell[2:]), torch.einsum("i,j,k->ijk", bell, bell[1:], bell[3:7])):
        found = factor_kernel(kernel)
        assert found.rank == 1
        assert [f.shape for f in found.factors] == [(1, k) for k in kernel.shape]
        assert found.error < 1e-14
        torch.testing.assert_close(found.kernel(), kernel)
    along = factor_kernel(sobel).factors[1][0]
    torch.testing.assert_close(along / along[0], torch.tensor([1.0, 0.0, -1.0], dtype=torch.float64))


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_in_two_axes_the_error_is_the_smallest_possible(rank):
    kernel = np.random.default_rng(0).standard_normal((5, 3))
    strengths = np.linalg.svd(kernel, compute_uv=False)
    found = factor_kernel(torch.from_numpy(kernel), rank)
    best = np.sqrt((strengths[rank:] ** 2).sum() / (strengths**2).sum())
    assert found.error.item() == pytest.approx(best, abs=1e-14)
    distance = np.linalg.norm(kernel - found.kernel().numpy()) / np.linalg.norm(kernel)
    assert distance == pytest.approx(best, abs=1e-14)


def test_beyond_two_axes_errors_fall_to_zero_with_all_terms():
    torch.manual_seed(0)
    kernel = torch.randn(2, 3, 4, 2, dtype=torch.float64)
    errors = [factor_kernel(kernel, rank).error.item() for rank in range(1, 13)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 0.5
    assert errors[-1] < 1e-14


def test_rank_one_is_within_its_bound_of_the_best():
    torch.manual_seed(0)
    for _ in range(20):
        kernel = torch.randn(3, 4, 2, dtype=torch.float64)
        best = 1.0
        for _ in range(5):  # alternating projections from random starts
            a, b, c = (torch.randn(n, dtype=torch.float64) for n in kernel.shape)
            for _ in range(60):
                a = torch.einsum("ijk,j,k->i", kernel, b, c)
                a = a / a.norm()
                b = torch.einsum("ijk,i,k->j", kernel, a, c)
                b = b / b.norm()
                c = torch.einsum("ijk,i,j->k", kernel, a, b)
                strength, c = c.norm(), c / c.norm()
            best = min(best, (1 - (strength / kernel.norm()) ** 2).sqrt().item())
        error = factor_kernel(kernel).error.item()
        assert best - 1e-9 <= error <= 2**0.5 * best


def test_each_kernel_of_a_weight_is_factored_alone():
    torch.manual_seed(0)
    weight = torch.randn(4, 3, 5, 2, dtype=torch.complex128)
    weight[1, 2] = 0
    found = factor_kernel(weight, ndim=2)
    assert found.error.shape == (4, 3)
    assert found.error[1, 2] == 0
    for o, i in [(0, 0), (3, 1), (1, 2)]:
        alone = factor_kernel(weight[o, i])
        torch.testing.assert_close(found.kernel()[o, i], alone.kernel())
        torch.testing.assert_close(found.error[o, i], alone.error)
    assert factor_kernel(torch.tensor([3.0, 4.0])).kernel().tolist() == pytest.approx([3.0, 4.0])


def test_the_kernel_is_the_sum_of_outer_products():
    factors = (torch.tensor([[1.0, 2.0], [0.0, 1.0]]), torch.tensor([[1.0, 0.0, -1.0], [5.0, 0.0, 0.0]]))
    assert SeparableKernel(factors, torch.tensor(0.0)).kernel().tolist() == [[1.0, 0.0, -1.0], [7.0, 0.0, -2.0]]


def test_messages():
    cases = {
        "factor_kernel: rank is 4, but a kernel of size (5, 3) has at most 3 terms.": (
            OptionError,
            lambda: factor_kernel(torch.ones(5, 3), 4),
        ),
        "factor_kernel: rank is 7, but a kernel of size (2, 3, 4) has at most 2 · 3 = 6 terms.": (
            OptionError,
            lambda: factor_kernel(torch.ones(2, 3, 4), 7),
        ),
        "factor_kernel: kernel is torch.int64, expected a floating type.\n  Hint: pass kernel.float().": (
            OptionError,
            lambda: factor_kernel(torch.ones(2, 3, dtype=torch.int64)),
        ),
        "factor_kernel: kernel (2, 3), expected at least 3 axes, none of them empty.": (
            ShapeError,
            lambda: factor_kernel(torch.ones(2, 3), ndim=3),
        ),
    }
    for message, (error, call) in cases.items():
        with pytest.raises(error) as raised:
            call()
        assert str(raised.value) == message
