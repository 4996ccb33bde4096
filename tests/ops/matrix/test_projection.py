"""The convolution nearest to a matrix: found again, nearest indeed, and the test of shift-equivariance."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lenrek.errors import OptionError, ShapeError
from lenrek.ops.matrix import circulant, filter_matrix, from_dense, shift_matrix, to_dense
from oracles import filter_matrix as loop

CIRCLE = {"padding": "same", "boundary": "circular"}


@st.composite
def geometries(draw):
    """(in_size, kernel_size, outs, ins per group, sides, and the options), unequal per axis."""
    boundary = draw(st.sampled_from(["zeros", "reflect", "symmetric", "replicate", "circular"]))
    kernel, stride, dilation, sides, size = [], [], [], [], []
    for _ in range(draw(st.integers(1, 2))):
        k, s, d, n = draw(st.tuples(*[st.integers(1, 3)] * 3, st.integers(2, 4)))
        most = n - 1 if boundary == "reflect" else n
        before, after = draw(st.tuples(st.integers(0, most), st.integers(0, most)))
        n = max(n, d * (k - 1) + 1 - before - after)
        for values, value in zip((kernel, stride, dilation, sides, size), (k, s, d, (before, after), n), strict=True):
            values.append(value)
    groups, outs, ins = draw(st.tuples(*[st.integers(1, 2)] * 3))
    return size, kernel, groups * outs, ins, stride, sides, dilation, groups, boundary


def matrices(size, kernel, outs, ins, *rest):
    """A matrix for every single weight, by the loop: the basis of all the convolutions with this geometry."""
    weights = np.eye(outs * ins * int(np.prod(kernel))).reshape(-1, outs, ins, *kernel)
    return np.stack([loop(weight, size, *rest) for weight in weights])


@given(geometries(), st.sampled_from(["row_major", "column_major"]), st.sampled_from(["correlate", "convolve"]))
@settings(max_examples=40, deadline=None)
def test_a_convolutions_matrix_is_a_convolution(geometry, order, operation):
    size, kernel, outs, ins, stride, sides, dilation, groups, boundary = geometry
    given = {
        "stride": stride,
        "padding": sides,
        "dilation": dilation,
        "groups": groups,
        "boundary": boundary,
        "order": order,
        "operation": operation,
    }
    weight = torch.from_numpy(np.random.default_rng(0).normal(size=(outs, ins, *kernel)))
    A = filter_matrix(weight, size, **given)
    found = from_dense(A, size, kernel, **given)
    assert found.is_convolution
    assert found.distance < 1e-12
    torch.testing.assert_close(filter_matrix(found.weight, size, **given).to_dense(), A.to_dense())


@given(geometries())
@settings(max_examples=40, deadline=None)
def test_it_is_the_least_squares_solution_and_the_smallest_one(geometry):
    size, kernel, _, _, stride, sides, dilation, groups, boundary = geometry
    basis = matrices(*geometry)
    M = np.random.default_rng(1).normal(size=basis.shape[1:])
    found = from_dense(
        torch.from_numpy(M),
        size,
        kernel,
        stride=stride,
        padding=sides,
        dilation=dilation,
        groups=groups,
        boundary=boundary,
    )
    columns = basis.reshape(len(basis), -1).T
    expected = np.linalg.lstsq(columns, M.ravel(), rcond=None)[0]
    np.testing.assert_allclose(found.weight.flatten(), expected, atol=1e-9)
    rest = M.ravel() - columns @ found.weight.flatten().numpy()
    np.testing.assert_allclose(columns.T @ rest, 0, atol=1e-9)  # orthogonal to every convolution
    np.testing.assert_allclose(found.distance, np.linalg.norm(rest) / np.linalg.norm(M))


def test_only_what_commutes_with_every_shift_is_a_convolution():
    generator = np.random.default_rng(0)
    M = torch.from_numpy(generator.normal(size=(12, 12)))
    C = circulant(torch.from_numpy(generator.normal(size=(3, 4))))
    shifts = [shift_matrix((3, 4), s, dtype=torch.float64).to_dense() for s in [(1, 0), (0, 1)]]
    for matrix, equivariant in ((C, True), (M, False), (C + 1e-3 * M, False)):
        assert all(torch.allclose(matrix @ T, T @ matrix) for T in shifts) is equivariant
        assert from_dense(matrix, (3, 4), (3, 4), **CIRCLE).is_convolution is equivariant


def test_the_projection_is_the_mean_over_all_shifts():
    M = torch.from_numpy(np.random.default_rng(3).normal(size=(12, 12)))
    moved = [shift_matrix((3, 4), (a, b), dtype=torch.float64).to_dense() for a in range(3) for b in range(4)]
    mean = torch.stack([T.T @ M @ T for T in moved]).mean(0)
    found = from_dense(M, (3, 4), (3, 4), **CIRCLE)
    torch.testing.assert_close(filter_matrix(found.weight, (3, 4), **CIRCLE).to_dense(), mean)
    torch.testing.assert_close(found.distance, ((M - mean).norm() / M.norm()).item())


def test_there_and_back_with_a_layer():
    layer = nn.Conv2d(4, 6, (2, 3), stride=(2, 1), padding=(1, 2), dilation=(2, 1), groups=2)
    geometry = {"stride": (2, 1), "padding": (1, 2), "dilation": (2, 1), "groups": 2}
    dense = to_dense(layer, (4, 5, 6))
    found = from_dense(dense, (5, 6), (2, 3), **geometry)
    torch.testing.assert_close(found.weight, layer.weight.detach(), rtol=0, atol=1e-6)
    torch.testing.assert_close(found.bias, layer.bias.detach(), rtol=0, atol=1e-6)
    assert found.is_convolution
    assert not from_dense(dense, (5, 6), (2, 3), **{**geometry, "dilation": (2, 2), "padding": (1, 3)}).is_convolution


def test_a_bias_that_differs_within_a_channel_is_none_of_a_convolution():
    layer = nn.Linear(3, 3)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(3))
        layer.bias.copy_(torch.tensor([3.0, 4.0, 5.0]))
    found = from_dense(layer, (3,), 1)
    assert (found.weight.tolist(), found.bias.tolist(), found.distance) == ([[[1]]], [4], 0)
    torch.testing.assert_close(found.bias_distance, (2 / 50) ** 0.5)
    assert not found.is_convolution
    assert from_dense(layer, (3,), 1, tolerance=0.25).is_convolution


def test_complex_matrices_and_zeros():
    A = filter_matrix(torch.tensor([[[1 + 2j, 3j]]]), (4,), padding=1, boundary="replicate").to_dense()
    assert from_dense(A, (4,), 2, padding=1, boundary="replicate").distance < 1e-6
    nothing = from_dense(torch.zeros(4, 4), (4,), 3, padding=1)
    assert (nothing.weight.tolist(), nothing.distance, nothing.is_convolution) == ([[[0, 0, 0]]], 0, True)


@pytest.mark.parametrize(
    ("matrix", "given", "error", "message"),
    [
        (
            torch.zeros(6, 7),
            {"groups": 2},
            ShapeError,
            "from_dense: matrix is (6, 7), expected a multiple of groups · ∏in_size = 2 · 5 = 10 columns.",
        ),
        (
            torch.zeros(4, 5),
            {},
            ShapeError,
            "from_dense: matrix is (4, 5), expected a multiple of groups · ∏out_size = 1 · 3 = 3 rows.",
        ),
        (torch.zeros(15), {}, ShapeError, "from_dense: matrix is (15,), expected (rows, columns)."),
        (
            torch.zeros(3, 5, dtype=torch.int64),
            {},
            OptionError,
            "from_dense: matrix is of type torch.int64, expected a floating or complex type.",
        ),
        (
            torch.zeros(3, 5),
            {"operation": "flip"},
            OptionError,
            "from_dense: operation is 'flip', expected one of correlate, convolve.",
        ),
        (
            torch.zeros(3, 5),
            {"boundary": 1},
            OptionError,
            "from_dense: boundary is 1, which adds a constant to the output, and a matrix alone has none.\n"
            "  Hint: to_dense(layer, in_shape) gives the matrix and the bias.",
        ),
    ],
)
def test_what_does_not_fit_is_refused(matrix, given, error, message):
    with pytest.raises(error) as raised:
        from_dense(matrix, (5,), 3, **given)
    assert str(raised.value) == message
