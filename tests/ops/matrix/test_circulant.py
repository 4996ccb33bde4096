"""Circulant matrices and the shift: every entry, and what the algebra says of them."""

from itertools import product

import numpy as np
import pytest
import scipy.linalg
import torch
from scipy import ndimage

from lenrek.errors import OptionError, ShapeError
from lenrek.ops.matrix import circulant, filter_matrix, shift_matrix

SIZES = [(5,), (2, 3), (3, 1, 4), (2, 3, 1, 2)]


def random(size):
    return torch.from_numpy(np.random.default_rng(len(size)).normal(size=size))


def test_of_a_signal_it_is_scipys():
    column = random((6,))
    np.testing.assert_array_equal(circulant(column), scipy.linalg.circulant(column.numpy()))


@pytest.mark.parametrize("size", SIZES)
def test_every_entry_is_the_column_moved(size):
    column, C = random(size), circulant(random(size)).reshape(*size, *size)
    for p, q in product(np.ndindex(*size), np.ndindex(*size)):
        assert C[p][q] == column[tuple((a - b) % n for a, b, n in zip(p, q, size, strict=True))]


def test_it_is_circular_convolution():
    kernel, image = random((3, 4)), torch.from_numpy(np.random.default_rng(9).normal(size=(3, 4)))
    expected = ndimage.convolve(image.numpy(), kernel.numpy(), mode="wrap", origin=(-1, -2))
    np.testing.assert_allclose((circulant(kernel) @ image.flatten()).reshape(3, 4), expected, atol=1e-12)
    filtered = filter_matrix(kernel[None, None], (3, 4), padding="causal", boundary="circular", operation="convolve")
    np.testing.assert_allclose(circulant(kernel), filtered.to_dense(), atol=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_the_shift_rolls_and_is_circulant(size):
    x, shift = random(size), tuple(range(1, len(size) + 1))
    T = shift_matrix(size, shift, dtype=torch.float64)
    assert (T @ x.reshape(-1, 1)).reshape(size).equal(torch.roll(x, shift, tuple(range(len(size)))))
    one = torch.zeros(size, dtype=torch.float64)
    one[tuple(s % n for s, n in zip(shift, size, strict=True))] = 1
    assert T.to_dense().equal(circulant(one))
    assert T.is_coalesced()


@pytest.mark.parametrize("size", SIZES)
def test_circulant_matrices_commute_and_have_the_fourier_basis(size):
    a, b = random(size), random(size).flip(0) ** 2
    A, B, T = circulant(a), circulant(b), shift_matrix(size, dtype=torch.float64).to_dense()
    torch.testing.assert_close(A @ B, B @ A)
    torch.testing.assert_close(A @ T, T @ A)
    waves = torch.fft.ifftn(
        torch.eye(a.numel(), dtype=torch.complex128).reshape(-1, *size), dim=tuple(range(1, a.ndim + 1))
    )
    waves = waves.reshape(a.numel(), -1).T  # one in each column
    torch.testing.assert_close(A.to(waves) @ waves, waves * torch.fft.fftn(a).flatten())


def test_only_circulant_matrices_commute_with_the_shift():
    T = shift_matrix(5, dtype=torch.float64).to_dense()
    M = random((5, 5))
    assert not torch.allclose(M @ T, T @ M)
    # The matrices that commute form a space: the null space of M ↦ MT − TM. It has five dimensions, as the first
    # columns of the circulant ones have, so that there are no others.
    commutator = torch.stack([(E @ T - T @ E).flatten() for E in torch.eye(25, dtype=torch.float64).reshape(-1, 5, 5)])
    assert 25 - torch.linalg.matrix_rank(commutator) == 5


def test_shifts_add_up_and_come_around():
    T = shift_matrix((2, 3), (1, -1)).to_dense()
    assert torch.linalg.matrix_power(T, 6).equal(torch.eye(6))
    assert (T @ T).equal(shift_matrix((2, 3), (2, -2)).to_dense())
    assert T.T.equal(shift_matrix((2, 3), (-1, 1)).to_dense())


def test_gradients_reach_the_column():
    assert torch.autograd.gradcheck(circulant, torch.randn(2, 3, dtype=torch.float64, requires_grad=True))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: circulant(torch.tensor(1.0)),
            ShapeError,
            "circulant: the shape of column is (), expected at least 1 axis and at least 1 sample on each.",
        ),
        (
            lambda: shift_matrix((2, 3), (1, 2, 3)),
            ShapeError,
            "shift_matrix: shift (1, 2, 3) is for 3 axes, expected 2 axes.",
        ),
        (
            lambda: shift_matrix(4, 0.5),
            OptionError,
            "shift_matrix: shift is 0.5, expected an integer, or one per axis (1).",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message
