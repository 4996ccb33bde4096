"""Inner products of stored vectors, against NumPy in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lenrek.errors import ShapeError
from lenrek.kernels.similarities import similarities, similarities_reference


def problem(rows, dims, queries, dtype, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, dims)) * 10.0 ** rng.integers(-3, 2, (rows, 1))
    x = np.clip(x * 20, -127, 127).astype(np.int8) if dtype == np.int8 else x.astype(dtype)
    scales = rng.uniform(0.5, 2, rows).astype(np.float32)
    return x, scales, rng.standard_normal((queries, dims)).astype(np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int8])
@pytest.mark.parametrize(("rows", "dims", "queries"), [(1, 1, 1), (7, 33, 5), (130, 64, 1), (61, 515, 70), (4, 16, 4)])
def test_equal_to_float64(isa, threads, dtype, rows, dims, queries):
    x, scales, q = problem(rows, dims, queries, dtype)
    found = similarities(*map(torch.from_numpy, (x, scales, q))).numpy()
    exact = (q.astype(np.float64) @ x.astype(np.float64).T) * scales
    size = (np.abs(q).astype(np.float64) @ np.abs(x.astype(np.float64)).T) * scales
    assert (np.abs(found - exact) <= 1e-6 * size + 1e-12).all()


def test_every_half_is_widened_exactly(isa):
    bits = np.arange(1 << 16, dtype=np.uint16)
    x = bits.view(np.float16)
    x = x[np.isfinite(x)].reshape(-1, 1)
    found = similarities(torch.from_numpy(x), torch.ones(len(x)), torch.ones(1, 1))
    np.testing.assert_array_equal(found[0].numpy(), x[:, 0].astype(np.float32))


def test_every_byte_is_widened_exactly(isa):
    x = torch.arange(-128, 128, dtype=torch.int8).reshape(-1, 1)
    assert similarities(x, torch.ones(256), torch.ones(1, 1))[0].tolist() == list(range(-128, 128))


def test_a_row_does_not_depend_on_the_others(isa):
    x, scales, q = map(torch.from_numpy, problem(41, 77, 9, np.float16))
    whole = similarities(x, scales, q)
    for row in (0, 6, 40):
        assert torch.equal(similarities(x[row : row + 1], scales[row : row + 1], q)[:, 0], whole[:, row])
    assert torch.equal(similarities(x, scales, q[5:6])[0], whole[5])


def test_no_rows_and_no_queries(isa):
    x, scales, q = map(torch.from_numpy, problem(3, 5, 2, np.float32))
    assert similarities(x[:0], scales[:0], q).shape == (2, 0)
    assert similarities(x, scales, q[:0]).shape == (0, 3)


def test_the_twin_agrees():
    x, scales, q = map(torch.from_numpy, problem(20_000, 12, 3, np.int8))
    torch.testing.assert_close(similarities(x, scales, q), similarities_reference(x, scales, q), rtol=1e-4, atol=1e-3)


def test_shapes_that_do_not_fit():
    with pytest.raises(ShapeError, match=r"similarities: rows \(3, 5\) torch.float32, .* queries \(2, 4\)"):
        similarities(torch.zeros(3, 5), torch.zeros(3), torch.zeros(2, 4))
