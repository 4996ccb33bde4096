"""The matrix of a filter: every entry against a plain loop, every product against the correlation itself."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import convolution_matrix, toeplitz
from scipy.signal import convolve2d
from torch.nn import functional as F

from lenrek.errors import OptionError, ShapeError
from lenrek.ops.matrix import filter_matrix, filter_matrix_transposed, flatten_volume
from oracles import correlate as correlate_loop
from oracles import filter_matrix as loop

CSR_BETA = pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning")  # PyTorch's own, once a process


@st.composite
def cases(draw):
    """A weight and everything that ties it to an input, unequal per axis."""
    axes = draw(st.integers(1, 3))
    groups, outs, ins = draw(st.tuples(*[st.integers(1, 2)] * 3))
    boundary = draw(st.sampled_from(["zeros", "reflect", "symmetric", "replicate", "circular", 0.0]))
    kernel, stride, dilation, sides, size = [], [], [], [], []
    for _ in range(axes):
        k, s, d, n = draw(st.tuples(*[st.integers(1, 3)] * 3, st.integers(2, 4)))
        most = n - 1 if boundary == "reflect" else n
        before, after = draw(st.tuples(st.integers(0, most), st.integers(0, most)))
        n = max(n, d * (k - 1) + 1 - before - after)
        for values, value in zip((kernel, stride, dilation, sides, size), (k, s, d, (before, after), n), strict=True):
            values.append(value)
    weight = np.random.default_rng(0).normal(size=(groups * outs, ins, *kernel))
    return weight, tuple(size), tuple(stride), tuple(sides), tuple(dilation), groups, boundary


def options(stride, sides, dilation, groups, boundary):
    return {"stride": stride, "padding": sides, "dilation": dilation, "groups": groups, "boundary": boundary}


@given(cases(), st.sampled_from([("row_major", "C"), ("column_major", "F")]), st.booleans())
@settings(max_examples=60, deadline=None)
def test_every_entry_is_that_of_the_loop(case, order, flipped):
    weight, size, *rest = case
    order, letter = order
    A = filter_matrix(
        torch.from_numpy(weight),
        size,
        **options(*rest),
        order=order,
        operation="convolve" if flipped else "correlate",
    )
    read = np.flip(weight, tuple(range(2, weight.ndim))) if flipped else weight
    np.testing.assert_allclose(A.to_dense(), loop(read, size, *rest, letter), atol=1e-14)
    again = torch.sparse_coo_tensor(A.indices(), A.values(), A.shape, check_invariants=True)  # in bounds
    assert again.coalesce().indices().equal(A.indices())  # sorted, and no place twice


@given(cases(), st.sampled_from(["row_major", "column_major"]))
@settings(max_examples=30, deadline=None)
def test_a_product_with_it_is_the_correlation(case, order):
    weight, size, stride, sides, dilation, groups, boundary = case
    x = np.random.default_rng(1).normal(size=(2, groups * weight.shape[1], *size))
    A = filter_matrix(torch.from_numpy(weight), size, **options(*case[2:]), order=order)
    y = torch.from_numpy(correlate_loop(x, weight, None, stride, sides, dilation, groups, boundary))
    torch.testing.assert_close((A @ flatten_volume(torch.from_numpy(x), order).T).T, flatten_volume(y, order))


@CSR_BETA
@given(cases())
@settings(max_examples=30, deadline=None)
def test_both_layouts_hold_the_same(case):
    weight, size, *rest = case
    coo, csr = (
        filter_matrix(torch.from_numpy(weight), size, **options(*rest), layout=layout)
        for layout in (torch.sparse_coo, torch.sparse_csr)
    )
    torch.sparse_csr_tensor(csr.crow_indices(), csr.col_indices(), csr.values(), csr.shape, check_invariants=True)
    assert (coo.layout, csr.layout) == (torch.sparse_coo, torch.sparse_csr)
    assert csr.to_dense().equal(coo.to_dense())


@given(cases(), st.sampled_from(["row_major", "column_major"]), st.sampled_from(["correlate", "convolve"]))
@settings(max_examples=30, deadline=None)
def test_the_transposed_one_is_the_transpose(case, order, operation):
    weight, size, *rest = case
    weight, same = torch.from_numpy(weight), {**options(*rest), "order": order, "operation": operation}
    A = filter_matrix(weight, size, **same)
    stride, sides, dilation, *_ = rest
    out = [
        (n + b + a - d * (k - 1) - 1) // s + 1
        for n, (b, a), d, k, s in zip(size, sides, dilation, weight.shape[2:], stride, strict=True)
    ]
    B = filter_matrix_transposed(weight, out, **same, output_size=size)
    assert B.is_coalesced()
    assert B.to_dense().equal(A.to_dense().T)


def test_the_transposed_one_computes_what_pytorch_does():
    weight, x = torch.randn(4, 3, 3, 2, dtype=torch.float64), torch.randn(1, 4, 4, 3, dtype=torch.float64)
    # An output padding beyond the stride: one more window would fit into the output than the input has samples.
    given = {"stride": (2, 1), "padding": (1, 2), "output_padding": (1, 2), "groups": 2, "dilation": (2, 3)}
    B = filter_matrix_transposed(weight, (4, 3), **given)
    torch.testing.assert_close((B @ x.flatten(1).T).T, F.conv_transpose2d(x, weight, **given).flatten(1))


def test_filter_of_3_on_signal_of_5():
    g = torch.tensor([[[1, 2, 3]]])  # g[−1], g[0], g[1]
    same = filter_matrix(g, (5,), padding="same", operation="convolve").to_dense()
    assert same.tolist() == [[2, 1, 0, 0, 0], [3, 2, 1, 0, 0], [0, 3, 2, 1, 0], [0, 0, 3, 2, 1], [0, 0, 0, 3, 2]]
    np.testing.assert_array_equal(same, toeplitz([2, 3, 0, 0, 0], [2, 1, 0, 0, 0]))
    for padding in ("full", "valid", "same"):
        A = filter_matrix(g, (5,), padding=padding, operation="convolve")
        np.testing.assert_array_equal(A.to_dense(), convolution_matrix([1, 2, 3], 5, mode=padding))


def test_in_2d_it_is_toeplitz_of_toeplitz_blocks():
    g = np.arange(1.0, 7.0).reshape(2, 3)
    A = filter_matrix(torch.from_numpy(g)[None, None], (3, 4), padding="full", operation="convolve").to_dense().numpy()
    blocks = A.reshape(4, 6, 3, 4).transpose(0, 2, 1, 3)
    for row in range(4):
        for column in range(3):
            expected = convolution_matrix(g[row - column], 4) if 0 <= row - column < 2 else np.zeros((6, 4))
            np.testing.assert_array_equal(blocks[row, column], expected)
    image = np.random.default_rng(0).normal(size=(3, 4))
    np.testing.assert_allclose((A @ image.ravel()).reshape(4, 6), convolve2d(image, g))


def test_weights_are_shared_between_the_rows_and_most_entries_are_none():
    weight = torch.arange(1.0, 5.0).reshape(1, 1, 2, 2)
    A = filter_matrix(weight, (4, 5), order="column_major")
    assert A.shape == (12, 20)
    assert A.values().tolist() == [1, 3, 2, 4] * 12  # down the first column of the kernel, then down the second
    assert A.indices()[1, :8].tolist() == [0, 1, 4, 5, 1, 2, 5, 6]


@pytest.mark.parametrize("boundary", ["zeros", "replicate"])
def test_gradients_flow_to_the_weight_to_second_order(boundary):
    weight = torch.randn(4, 1, 2, 3, dtype=torch.float64, requires_grad=True)
    x = torch.randn(2 * 12, 2, dtype=torch.float64, requires_grad=True)

    def product(weight, x):
        return filter_matrix(weight, (3, 4), padding=(1, 0), groups=2, boundary=boundary) @ x

    assert torch.autograd.gradcheck(product, (weight, x))
    assert torch.autograd.gradgradcheck(product, (weight, x))


@CSR_BETA
def test_gradients_flow_through_the_rows_too():
    weight = torch.randn(2, 1, 3, dtype=torch.float64, requires_grad=True)
    x = torch.randn(5, 2, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda w: filter_matrix(w, (5,), layout=torch.sparse_csr) @ x, weight)


def test_integers_are_summed_in_int64_and_complex_weights_are_not_conjugated():
    loud = filter_matrix(torch.tensor([[[200, 100]]], dtype=torch.uint8), (1,), padding=[(1, 0)], boundary="replicate")
    assert (loud.dtype, loud.to_dense().tolist()) == (torch.int64, [[300]])
    assert (loud @ torch.tensor([[3]])).tolist() == [[900]]
    turned = filter_matrix(torch.tensor([[[1 + 2j, 1j]]]), (2,))
    assert turned.to_dense().tolist() == [[1 + 2j, 1j]]


def test_taps_that_read_only_the_padding_leave_an_empty_matrix():
    A = filter_matrix(torch.ones(1, 1, 2), (1,), padding=1, dilation=2)
    assert (A.shape, A.values().numel()) == ((1, 1), 0)


@CSR_BETA
def test_the_meta_device_counts_the_entries():
    weight = torch.empty(8, 3, 3, 3, device="meta")
    for layout in (torch.sparse_coo, torch.sparse_csr):
        A = filter_matrix(weight, (16, 16), layout=layout)
        assert (A.device.type, A.shape, A.values().shape) == ("meta", (8 * 196, 3 * 256), (8 * 3 * 9 * 196,))


@pytest.mark.parametrize(
    ("shape", "size", "given", "error", "message"),
    [
        (
            (2, 3),
            (5,),
            {},
            ShapeError,
            "filter_matrix: weight is (2, 3), expected (channels, channels/groups, *kernel_size).",
        ),
        (
            (1, 1, 3),
            (5, 6),
            {},
            ShapeError,
            "filter_matrix: in_size (5, 6) is for 2 axes, but weight (1, 1, 3) has 3 − 2 = 1.",
        ),
        (
            (3, 1, 3),
            (5,),
            {"groups": 2},
            ShapeError,
            "filter_matrix: weight (3, 1, 3) has 3 channels first, expected a multiple of groups=2.",
        ),
        (
            (1, 1, 4),
            (2,),
            {"padding": [(0, 1)]},
            ShapeError,
            "filter_matrix: on axis 0 the window covers 1·(4 − 1) + 1 = 4 samples, but the padded input has "
            "0 + 2 + 1 = 3.\n  Hint: give the input 1 more sample or as much padding, or make the kernel smaller.",
        ),
        (
            (1, 1, 3),
            (2,),
            {"padding": 2, "boundary": "reflect"},
            ShapeError,
            'filter_matrix: on axis 0 padding (2, 2) with boundary="reflect" needs at least as many samples to mirror, '
            'but 2 samples give 2 − 1 = 1.\n  Hint: boundary="circular" and boundary="replicate" reach as far as '
            "wanted.",
        ),
        (
            (1, 1, 3),
            (5,),
            {"boundary": 0.5},
            OptionError,
            "filter_matrix: boundary is 0.5, which adds a constant to the output, and a matrix alone has none.\n"
            "  Hint: to_dense(layer, in_shape) gives the matrix and the bias.",
        ),
        (
            (1, 1, 3),
            (5,),
            {"operation": "flip"},
            OptionError,
            "filter_matrix: operation is 'flip', expected one of correlate, convolve.",
        ),
        (
            (1, 1, 3),
            (5,),
            {"order": "F"},
            OptionError,
            "filter_matrix: order is 'F', expected one of row_major, column_major.",
        ),
        (
            (1, 1, 3),
            (5,),
            {"layout": torch.strided},
            OptionError,
            "filter_matrix: layout is torch.strided, expected torch.sparse_coo or torch.sparse_csr.",
        ),
    ],
)
def test_what_does_not_fit_is_refused(shape, size, given, error, message):
    with pytest.raises(error) as raised:
        filter_matrix(torch.zeros(shape), size, **given)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("weight", "given", "message"),
    [
        (
            torch.zeros(1, 1, 2, dtype=torch.bool),
            {},
            "filter_matrix: weight is torch.bool, expected a floating, complex or integer type.\n"
            "  Hint: pass weight.to(torch.uint8).",
        ),
        (
            torch.zeros(1, 1, 2, dtype=torch.complex64, requires_grad=True),
            {"layout": torch.sparse_csr},
            "filter_matrix: layout is torch.sparse_csr and weight a complex tensor that requires grad, for which "
            "PyTorch has no gradient.\n  Hint: pass layout=torch.sparse_coo.",
        ),
    ],
)
def test_types_without_a_meaning_are_refused(weight, given, message):
    with pytest.raises(OptionError) as raised:
        filter_matrix(weight, (3,), **given)
    assert str(raised.value) == message
