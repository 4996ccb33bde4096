"""The matrix of the data and its adjoint: against plain loops, PyTorch's unfold and fold, and SciPy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import hankel, toeplitz
from torch.nn import functional as F

from lenrek.errors import OptionError, ShapeError
from lenrek.ops.matrix import data_matrix, data_matrix_adjoint
from oracles import correlate as correlate_loop
from oracles import data_matrix as loop


@st.composite
def cases(draw, boundaries=("zeros", "reflect", "symmetric", "replicate", "circular", 0.5)):
    boundary = draw(st.sampled_from(boundaries))
    kernel, stride, dilation, sides, size = [], [], [], [], []
    for _ in range(draw(st.integers(1, 4))):
        k, s, d, n = draw(st.tuples(*[st.integers(1, 3)] * 3, st.integers(2, 3)))
        most = n - 1 if boundary == "reflect" else n
        before, after = draw(st.tuples(st.integers(0, most), st.integers(0, most)))
        n = max(n, d * (k - 1) + 1 - before - after)
        for values, value in zip((kernel, stride, dilation, sides, size), (k, s, d, (before, after), n), strict=True):
            values.append(value)
    channels, batch = draw(st.integers(1, 2)), draw(st.integers(0, 2))
    return np.random.default_rng(0).normal(size=(batch, channels, *size)), kernel, stride, sides, dilation, boundary


def options(stride, sides, dilation, boundary):
    return {"stride": stride, "padding": sides, "dilation": dilation, "boundary": boundary}


@given(cases())
@settings(max_examples=60, deadline=None)
def test_every_entry_is_that_of_the_loop(case):
    x, kernel, *rest = case
    D = data_matrix(torch.from_numpy(x), kernel, **options(*rest))
    np.testing.assert_array_equal(D, loop(x, kernel, *rest))
    if len(x):
        assert data_matrix(torch.from_numpy(x[0]), kernel, **options(*rest)).equal(D[0])


@given(cases())
@settings(max_examples=30, deadline=None)
def test_the_filter_times_it_is_the_correlation(case):
    x, kernel, stride, sides, dilation, boundary = case
    weight = np.random.default_rng(1).normal(size=(2, x.shape[1], *kernel))
    y = torch.from_numpy(weight).flatten(1) @ data_matrix(torch.from_numpy(x), kernel, **options(*case[2:]))
    expected = correlate_loop(x, weight, None, stride, sides, dilation, 1, boundary)
    np.testing.assert_allclose(y, expected.reshape(y.shape), atol=1e-12)


@given(cases(("zeros", "reflect", "symmetric", "replicate", "circular")))
@settings(max_examples=60, deadline=None)
def test_the_adjoint_sums_what_was_read(case):
    x, kernel, *rest = case
    D = loop(x, kernel, *rest)
    columns = np.random.default_rng(2).normal(size=D.shape)
    back = data_matrix_adjoint(torch.from_numpy(columns), x.shape[2:], kernel, **options(*rest)).numpy()
    assert back.shape == x.shape
    # ⟨D(x), columns⟩ = ⟨x, back⟩, and for every single sample, that is every basis vector in place of x:
    np.testing.assert_allclose((D * columns).sum(), (x * back).sum(), atol=1e-10)
    basis = np.eye(int(np.prod(x.shape[2:]))).reshape(-1, 1, *x.shape[2:])
    taps = int(np.prod(kernel))
    read = loop(basis, kernel, *rest).reshape(len(basis), -1)
    np.testing.assert_allclose(
        columns.reshape(len(x), x.shape[1], taps * columns.shape[2]) @ read.T,
        back.reshape(len(x), x.shape[1], len(basis)),
        atol=1e-10,
    )


def test_rows_and_columns_are_those_of_pytorch():
    x = torch.randn(2, 3, 8, 9)
    D = data_matrix(x, (2, 3), stride=(2, 1), padding=(1, 2), dilation=(3, 2))
    assert D.equal(F.unfold(x, (2, 3), dilation=(3, 2), padding=(1, 2), stride=(2, 1)))
    back = data_matrix_adjoint(D, (8, 9), (2, 3), stride=(2, 1), padding=(1, 2), dilation=(3, 2))
    torch.testing.assert_close(back, F.fold(D, (8, 9), (2, 3), dilation=(3, 2), padding=(1, 2), stride=(2, 1)))


def test_of_a_signal_it_is_hankel_and_upside_down_toeplitz():
    x = torch.arange(1, 6)
    D = data_matrix(x[None], (3,))
    np.testing.assert_array_equal(D, hankel([1, 2, 3], [3, 4, 5]))
    np.testing.assert_array_equal(D.flip(0), toeplitz([3, 2, 1], [3, 4, 5]))


def test_without_overlap_the_adjoint_undoes_it():
    x = torch.arange(24).reshape(1, 1, 4, 6)
    assert data_matrix_adjoint(data_matrix(x, (2, 3), stride=(2, 3)), (4, 6), (2, 3), stride=(2, 3)).equal(x)


def test_integers_are_summed_in_int64_and_complex_numbers_stay_themselves():
    total = data_matrix_adjoint(torch.full((3, 3), 100, dtype=torch.uint8), (5,), (3,))
    assert (total.dtype, total.tolist()) == (torch.int64, [[100, 200, 300, 200, 100]])
    assert data_matrix_adjoint(torch.full((2, 2), 1j), (3,), (2,)).tolist() == [[1j, 2j, 1j]]
    assert data_matrix(torch.tensor([[True, False]]), (1,)).dtype == torch.bool


@pytest.mark.parametrize("boundary", ["zeros", "circular"])
def test_gradients_to_second_order(boundary):
    given = {"stride": (1, 2), "padding": (1, 2), "dilation": (2, 1), "boundary": boundary}
    x = torch.randn(1, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    columns = torch.randn(1, 8, 3 * 4, dtype=torch.float64, requires_grad=True)

    def there(x):
        return data_matrix(x, (2, 2), **given) ** 2

    def back(columns):
        return data_matrix_adjoint(columns, (3, 4), (2, 2), **given) ** 2

    for function, value in ((there, x), (back, columns)):
        assert torch.autograd.gradcheck(function, value)
        assert torch.autograd.gradgradcheck(function, value)


def test_compiled_in_one_graph():
    torch.compiler.reset()

    def there_and_back(x):
        columns = data_matrix(x, (2, 3), padding=(1, 0), boundary="reflect")
        return data_matrix_adjoint(columns, (4, 5), (2, 3), padding=(1, 0), boundary="reflect")

    x = torch.randn(2, 3, 4, 5)
    compiled = torch.compile(there_and_back, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x), there_and_back(x))


def test_the_meta_device_knows_the_shapes():
    D = data_matrix(torch.empty(2, 3, 224, 224, device="meta"), (7, 5), stride=2, padding=(3, 2))
    assert D.shape == (2, 3 * 35, 112 * 112)
    assert data_matrix_adjoint(D, (224, 224), (7, 5), stride=2, padding=(3, 2)).shape == (2, 3, 224, 224)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: data_matrix(torch.zeros(5), (3,)),
            ShapeError,
            "data_matrix: x is (5,), expected (batch, channels, *size) or (channels, *size) with 1 axis for "
            "kernel_size (3,).",
        ),
        (
            lambda: data_matrix(torch.zeros(1, 5), (7,), padding=[(0, 1)]),
            ShapeError,
            "data_matrix: on axis 0 the window covers 1·(7 − 1) + 1 = 7 samples, but the padded input has 0 + 5 + 1 = "
            "6.\n  Hint: give the input 1 more sample or as much padding, or make the kernel smaller.",
        ),
        (
            lambda: data_matrix_adjoint(torch.zeros(2, 9, 12), (4, 5), (2, 2)),
            ShapeError,
            "data_matrix_adjoint: columns is (2, 9, 12), expected (batch, rows, columns) or (rows, columns) with a "
            "multiple of 2 · 2 = 4 rows and 3 · 4 = 12 columns.",
        ),
        (
            lambda: data_matrix_adjoint(torch.zeros(3, 4), (5,), (3,)),
            ShapeError,
            "data_matrix_adjoint: columns is (3, 4), expected (batch, rows, columns) or (rows, columns) with a "
            "multiple of 3 rows and 3 columns.",
        ),
        (
            lambda: data_matrix_adjoint(torch.ones(3, 3, dtype=torch.bool), (5,), (3,)),
            OptionError,
            "data_matrix_adjoint: columns is torch.bool, expected a floating, complex or integer type.\n"
            "  Hint: pass columns.to(torch.uint8).",
        ),
        (
            lambda: data_matrix_adjoint(torch.ones(3, 8), (5,), (3,), padding=[(0, 5)], boundary="reflect"),
            ShapeError,
            'data_matrix_adjoint: on axis 0 padding (0, 5) with boundary="reflect" needs at least as many samples to '
            "mirror, but 5 samples give 5 − 1 = 4.\n"
            '  Hint: boundary="circular" and boundary="replicate" reach as far as wanted.',
        ),
    ],
)
def test_what_does_not_fit_is_refused(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message
