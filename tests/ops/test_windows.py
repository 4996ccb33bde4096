"""Windows as a view: every sample against a plain loop, and nothing copied."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lenrek.errors import OptionError, ShapeError
from lenrek.ops.windows import windows_of
from oracles import windows_of as loop


@st.composite
def cases(draw):
    axes = draw(st.integers(1, 4))
    per_axis = st.lists(st.tuples(*[st.integers(1, 3)] * 3, st.integers(0, 3)), min_size=axes, max_size=axes)
    kernel, stride, dilation, spare = zip(*draw(per_axis), strict=True)
    leading = draw(st.sampled_from([(), (2,), (2, 3), (0, 2)]))
    size = [d * (k - 1) + 1 + more for k, d, more in zip(kernel, dilation, spare, strict=True)]
    return (*leading, *size), kernel, stride, dilation


@given(cases())
@settings(max_examples=60, deadline=None)
def test_windows_hold_the_samples_of_the_loop(case):
    shape, kernel, stride, dilation = case
    x = np.random.default_rng(0).normal(size=shape)
    np.testing.assert_array_equal(
        windows_of(torch.from_numpy(x), kernel, stride, dilation), loop(x, kernel, stride, dilation)
    )


def test_windows_share_the_memory_of_x():
    x = torch.zeros(2, 6, 7)
    view = windows_of(x, (2, 3), (2, 1), (3, 2))
    assert view.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()
    x[1, 5, 6] = 7  # window (1, 2) starts at (2, 2) and reads rows 2, 5 and columns 2, 4, 6
    assert view[1, 1, 2].tolist() == [[0, 0, 0], [0, 0, 7]]


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.float16, torch.complex64])
def test_any_type_is_read(dtype):
    assert windows_of(torch.tensor([1, 0, 1]).to(dtype), (2,)).equal(torch.tensor([[1, 0], [0, 1]]).to(dtype))


def test_gradients_to_second_order():
    x = torch.randn(2, 5, 4, dtype=torch.float64, requires_grad=True)

    def view(x):
        return windows_of(x, (2, 3), (1, 1), (2, 1)) ** 2

    assert torch.autograd.gradcheck(view, x)
    assert torch.autograd.gradgradcheck(view, x)


def test_compiled_in_one_graph():
    torch.compiler.reset()
    compiled = torch.compile(lambda x: windows_of(x, (2, 3), (2, 1), (1, 2)), fullgraph=True, backend="eager")
    x = torch.randn(2, 5, 6)
    torch.testing.assert_close(compiled(x), windows_of(x, (2, 3), (2, 1), (1, 2)))


def test_every_window_is_counted_on_the_meta_device():
    view = windows_of(torch.empty(1, 3, 224, 224, device="meta"), (7, 5), (2, 3))
    assert view.shape == (1, 3, 109, 74, 7, 5)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (((5,), (2, 2)), ShapeError, "windows_of: kernel_size (2, 2) is for 2 axes, but x has 1."),
        (
            ((5,), (4,), 1, 2),
            ShapeError,
            "windows_of: on axis 0 the window covers 2·(4 − 1) + 1 = 7 samples, but the padded input has 0 + 5 + 0 = 5."
            "\n  Hint: give the input 2 more samples or as much padding, or make the kernel smaller.",
        ),
        (((5,), 2), OptionError, "windows_of: kernel_size is 2, expected a sequence with one size per axis."),
        (((5,), (2,), 0), OptionError, "windows_of: stride (0,) is 0 on axis 0, expected at least 1."),
    ],
)
def test_what_does_not_fit_is_refused(arguments, error, message):
    shape, *rest = arguments
    with pytest.raises(error) as raised:
        windows_of(torch.zeros(shape), *rest)
    assert str(raised.value) == message


def test_the_loop_of_the_oracle_by_hand():
    got = loop(np.arange(6.0).reshape(2, 3), (1, 2), (1, 1), (1, 2))
    assert [got[p].tolist() for p in product(range(2), range(1))] == [[[0, 2]], [[3, 5]]]
