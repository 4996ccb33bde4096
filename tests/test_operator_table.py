"""The table of operators in the guide: every mark is an identity that holds, everything unmarked does not exist."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lenrek import nn, ops
from lenrek.errors import OptionError
from lenrek.geometry import output_size

GUIDE = Path(__file__).resolve().parents[1] / "docs" / "operators.md"
OPTIONS = ("stride", "dilation", "groups", "method")  # columns that are arguments of the same name
MARKS = {"✓": True, "–": False}

SIZE, KERNEL, CHANNELS = (7, 6, 5, 4), (3, 2, 2, 2), 4
STRIDE, DILATION, SIDES = (2, 3, 1, 2), (2, 3, 2, 1), ((2, 1), (0, 3), (1, 0), (1, 2))


def table() -> dict[str, dict[str, str]]:
    """Of each operation the cell of every column."""
    rows = [re.split(r"\s*\|\s*", line.strip("| \n")) for line in GUIDE.read_text().splitlines() if line[:1] == "|"]
    start = next(place for place, row in enumerate(rows) if row[0] == "operation")
    names = rows[start]
    found = {}
    for row in rows[start + 2 :]:
        if len(row) != len(names):
            break
        found[row[0].strip("`")] = dict(zip(names, row, strict=True))
    return found


TABLE = table()


def weight(kernel: tuple[int, ...], like: Tensor, groups: int = 1) -> Tensor:
    """Whole numbers, no two kernels or axes alike."""
    shape = (CHANNELS, CHANNELS // groups, *kernel)
    return (torch.arange(torch.Size(shape).numel()).reshape(shape) * 7 % 11 - 4).to(like.dtype)


Call = Callable[..., Tensor]


def convolution(name: str) -> Call:
    def call(x: Tensor, kernel: tuple[int, ...], w: Tensor | None = None, **options: Any) -> Tensor:
        w = weight(kernel, x, options.get("groups", 1)) if w is None else w
        return getattr(ops, name)(x, w, **options)

    return call


def at_every_position(x: Tensor, w: Tensor, **options: Any) -> Tensor:
    """`w` as the weight of a local correlation of x."""
    geometry = {name: value for name, value in options.items() if name in ("stride", "padding", "dilation")}
    positions = output_size(x.shape[2:], w.shape[2:], **geometry)
    return w.expand(*positions, *w.shape)


def local(x: Tensor, kernel: tuple[int, ...], w: Tensor | None = None, **options: Any) -> Tensor:
    w = weight(kernel, x, options.get("groups", 1)) if w is None else w
    return ops.local_correlate(x, at_every_position(x, w, **options), **options)


def depthwise(x: Tensor, kernel: tuple[int, ...], **options: Any) -> Tensor:
    return ops.depthwise_correlate(x, weight(kernel, x, CHANNELS), **options)


def depthwise_separable(x: Tensor, kernel: tuple[int, ...], **options: Any) -> Tensor:
    mix = weight((1,) * len(kernel), x)
    return ops.depthwise_separable_correlate(x, weight(kernel, x, CHANNELS), mix, **options)


def spatially_separable(x: Tensor, kernel: tuple[int, ...], w: Tensor | None = None, **options: Any) -> Tensor:
    w = weight(kernel, x, options.get("groups", 1)) if w is None else w
    return ops.spatially_separable_correlate(x, ops.factor_kernel(w, ndim=len(kernel)), **options)


def pointwise(x: Tensor, kernel: tuple[int, ...], w: Tensor | None = None, **options: Any) -> Tensor:
    w = weight(kernel, x, options.get("groups", 1)) if w is None else w
    return ops.pointwise_correlate(x, w[(..., *[slice(1)] * len(kernel))], **options)


def through_filter_matrix(x: Tensor, kernel: tuple[int, ...], w: Tensor | None = None, **options: Any) -> Tensor:
    w = weight(kernel, x, options.get("groups", 1)) if w is None else w
    matrix = ops.filter_matrix(w, x.shape[2:], **options)
    geometry = {name: value for name, value in options.items() if name in ("stride", "padding", "dilation")}
    out_size = output_size(x.shape[2:], kernel, **geometry)
    return (matrix @ x.flatten(1).T.to(matrix.dtype)).T.reshape(len(x), -1, *out_size)


def through_projection(x: Tensor, kernel: tuple[int, ...], w: Tensor | None = None, **options: Any) -> Tensor:
    w = weight(kernel, x, options.get("groups", 1)) if w is None else w
    matrix = ops.filter_matrix(w, x.shape[2:], **options).to(x.dtype)
    return ops.correlate(x, ops.from_dense(matrix, x.shape[2:], kernel, **options).weight, **options)


def through_data_matrix(x: Tensor, kernel: tuple[int, ...], **options: Any) -> Tensor:
    columns = ops.data_matrix(x, kernel, **options)
    geometry = {name: value for name, value in options.items() if name in ("stride", "padding", "dilation")}
    return (weight(kernel, x).flatten(1) @ columns).unflatten(2, output_size(x.shape[2:], kernel, **geometry))


def through_windows(x: Tensor, kernel: tuple[int, ...], **options: Any) -> Tensor:
    return ops.windows_of(x, kernel, **options).flatten(-len(kernel)) @ weight(kernel, x)[0, 0].flatten()


def halves(x: Tensor, kernel: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(max(1, n // 2) for n in x.shape[2:])


CALLS: dict[str, Call] = {
    "correlate": convolution("correlate"),
    "convolve": convolution("convolve"),
    "normalized_correlate": convolution("normalized_correlate"),
    "depthwise_correlate": depthwise,
    "pointwise_correlate": pointwise,
    "depthwise_separable_correlate": depthwise_separable,
    "spatially_separable_correlate": spatially_separable,
    "local_correlate": local,
    "filter_matrix": through_filter_matrix,
    "data_matrix": through_data_matrix,
    "from_dense": through_projection,
    "windows_of": through_windows,
    "max_pool": lambda x, kernel, **options: ops.max_pool(x, kernel, **options),
    "average_pool": lambda x, kernel, **options: ops.average_pool(x, kernel, **options),
    "lp_pool": lambda x, kernel, **options: ops.lp_pool(x, 3, kernel, **options),
    "pool": lambda x, kernel, **options: ops.pool(x, kernel, torch.sum, **options),
    "stochastic_pool": lambda x, kernel, **options: ops.stochastic_pool(x, kernel, training=False, **options),
    "spectral_pool": lambda x, kernel: ops.spectral_pool(x, halves(x, kernel)),
    "adaptive_max_pool": lambda x, kernel: ops.adaptive_max_pool(x, halves(x, kernel)),
    "adaptive_average_pool": lambda x, kernel: ops.adaptive_average_pool(x, halves(x, kernel)),
    "global_max_pool": lambda x, kernel: ops.global_max_pool(x, keepdim=True),
    "global_average_pool": lambda x, kernel: ops.global_average_pool(x, keepdim=True),
}
POOLS_SIDE_BY_SIDE = {"max_pool", "average_pool", "lp_pool", "pool", "stochastic_pool"}  # stride: the kernel's size


def transposed_convolution(name: str) -> Call:
    def call(y: Tensor, x: Tensor, kernel: tuple[int, ...], **options: Any) -> Tensor:
        w = weight(kernel, x, options.get("groups", 1))
        if name == "local_correlate_transposed":
            w = at_every_position(x, w, **options)
        return getattr(ops, name)(y, w, output_size=x.shape[2:], **options)

    return call


def transposed_matrix(y: Tensor, x: Tensor, kernel: tuple[int, ...], **options: Any) -> Tensor:
    w = weight(kernel, x, options.get("groups", 1))
    matrix = ops.filter_matrix_transposed(w, y.shape[2:], output_size=x.shape[2:], **options)
    return (matrix @ y.flatten(1).T).T.reshape(x.shape)


def data_matrix_adjoint(y: Tensor, x: Tensor, kernel: tuple[int, ...], **options: Any) -> Tensor:
    return ops.data_matrix_adjoint(weight(kernel, x).flatten(1).T @ y.flatten(2), x.shape[2:], kernel, **options)


ADJOINTS: dict[str, Call] = {
    "correlate_transposed": transposed_convolution("correlate_transposed"),
    "convolve_transposed": transposed_convolution("convolve_transposed"),
    "local_correlate_transposed": transposed_convolution("local_correlate_transposed"),
    "filter_matrix_transposed": transposed_matrix,
    "data_matrix_adjoint": data_matrix_adjoint,
}


def marked(column: str) -> list[Any]:
    """(operation, N) for each number of axes where the operation has the column's mark."""
    return [
        pytest.param(name, ndim, id=f"{name}-{ndim}-D")
        for name, row in TABLE.items()
        for ndim, axes in enumerate(("1-D", "2-D", "3-D", "N-D"), 1)
        if row[column] != "–" and row[axes] == "✓"
    ]


def unmarked(column: str) -> list[str]:
    return [name for name, row in TABLE.items() if row[column] == "–"]


def problem(ndim: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, tuple[int, ...]]:
    """Whole numbers, of which sums are exact."""
    shape = (2, CHANNELS, *SIZE[:ndim])
    x = (torch.arange(torch.Size(shape).numel()).reshape(shape) * 5 % 13 - 3).to(dtype)
    return x, KERNEL[:ndim]


def every(steps: tuple[int, ...]) -> tuple[Any, ...]:
    return (..., *[slice(None, None, step) for step in steps])


def apart(name: str) -> dict[str, int]:
    """What asks an operation for a window at every sample."""
    return {"stride": 1} if name in POOLS_SIDE_BY_SIDE else {}


def test_the_table_lists_every_operation_with_windows() -> None:
    windowed = {
        name
        for name in ops.__all__
        if inspect.isfunction(getattr(ops, name)) and "stride" in inspect.signature(getattr(ops, name)).parameters
    }
    assert windowed - set(ADJOINTS) - {"choose_method"} <= set(TABLE)
    assert set(TABLE) == set(CALLS)
    assert {row["transposed"].strip("`") for row in TABLE.values()} == {*ADJOINTS, "–"}


@pytest.mark.parametrize("column", [*OPTIONS, "boundary"])
def test_what_is_not_marked_is_no_argument(column: str) -> None:
    for name, row in TABLE.items():
        assert (column in inspect.signature(getattr(ops, name)).parameters) == MARKS[row[column]], name


def test_the_layers_exist() -> None:
    for row in TABLE.values():
        if row["layer"] != "–":
            assert issubclass(getattr(nn, row["layer"].strip("`")), torch.nn.Module)
    named = {name for name in nn.__all__ if name[-2:] not in ("1d", "2d", "3d")}
    assert named == {row["layer"].strip("`") for row in TABLE.values()} - {"–"} | {"ConvTranspose", "MaxUnpool"}


@pytest.mark.parametrize("operation", TABLE)
def test_the_adjoint_takes_what_the_operation_takes(operation: str) -> None:
    if (adjoint := TABLE[operation]["transposed"].strip("`")) != "–":
        ours, others = (inspect.signature(getattr(ops, name)).parameters for name in (operation, adjoint))
        for option in {*OPTIONS, "padding", "boundary"} & set(ours):
            assert ours[option].default == others[option].default, option


@pytest.mark.parametrize(("name", "ndim"), marked("operation"))
def test_axes(name: str, ndim: int) -> None:
    x, kernel = problem(ndim)
    y = CALLS[name](x, kernel, **apart(name))
    assert y.ndim == ndim + 2
    torch.testing.assert_close(CALLS[name](x[1:], kernel, **apart(name)), y[1:])


@pytest.mark.parametrize(("name", "ndim"), marked("boundary"))
def test_a_boundary_is_padding_done_before(name: str, ndim: int) -> None:
    x, kernel = problem(ndim)
    for boundary in ("zeros", "reflect", "symmetric", "replicate", "circular", 2.0):
        if boundary == 2.0 and name in ("filter_matrix", "from_dense"):
            with pytest.raises(OptionError, match=r"boundary is 2\.0"):
                CALLS[name](x, kernel, padding=SIDES[:ndim], boundary=boundary)
            continue
        found = CALLS[name](x, kernel, padding=SIDES[:ndim], boundary=boundary, **apart(name))
        expected = CALLS[name](ops.pad(x, SIDES[:ndim], boundary), kernel, **apart(name))
        torch.testing.assert_close(found, expected, msg=lambda text, b=boundary: f"{b}: {text}")


@pytest.mark.parametrize(("name", "ndim"), marked("stride"))
def test_a_stride_keeps_every_sth(name: str, ndim: int) -> None:
    x, kernel = problem(ndim)
    found = CALLS[name](x, kernel, stride=STRIDE[:ndim])
    torch.testing.assert_close(found, CALLS[name](x, kernel, **apart(name))[every(STRIDE[:ndim])])


@pytest.mark.parametrize(("name", "ndim"), marked("dilation"))
def test_dilation_reads_every_dth(name: str, ndim: int) -> None:
    x, kernel = problem(ndim)
    d = DILATION[:ndim]
    found = CALLS[name](x, kernel, dilation=d, **apart(name))
    torch.testing.assert_close(found[every(d)], CALLS[name](x[every(d)], kernel, **apart(name)))


@pytest.mark.parametrize(("name", "ndim"), marked("groups"))
def test_groups_are_computed_apart(name: str, ndim: int) -> None:
    x, kernel = problem(ndim)
    parts = zip(x.chunk(2, 1), weight(kernel, x, 2).chunk(2), strict=True)
    expected = torch.cat([CALLS[name](part, kernel, w) for part, w in parts], 1)
    torch.testing.assert_close(CALLS[name](x, kernel, groups=2), expected)


@pytest.mark.parametrize(("name", "ndim"), marked("transposed"))
def test_the_transposed_form_is_the_adjoint(name: str, ndim: int) -> None:
    x, kernel = problem(ndim)
    row = TABLE[name]
    options = {"stride": STRIDE[:ndim], "dilation": DILATION[:ndim], "padding": SIDES[:ndim]}
    if row["groups"] == "✓":
        options["groups"] = 2
    for boundary in ("zeros", "reflect", "symmetric", "replicate", "circular"):
        y = CALLS[name](x, kernel, boundary=boundary, **options)
        other = (torch.arange(y.numel()).reshape(y.shape) * 3 % 7 - 2).to(y)
        back = ADJOINTS[row["transposed"].strip("`")](other, x, kernel, boundary=boundary, **options)
        torch.testing.assert_close((y * other).sum(), (x * back).sum(), msg=lambda text, b=boundary: f"{b}: {text}")


@pytest.mark.parametrize(("name", "ndim"), marked("method"))
def test_methods_agree(name: str, ndim: int) -> None:
    x, kernel = problem(ndim)
    options = {"stride": STRIDE[:ndim], "dilation": DILATION[:ndim], "padding": SIDES[:ndim]}
    expected = CALLS[name](x, kernel, **options)
    for method in ("direct", "gemm", "fft", "matrix"):
        found = CALLS[name](x, kernel, method=method, **options)
        torch.testing.assert_close(found, expected, msg=lambda text, m=method: f"{m}: {text}")


@pytest.mark.parametrize(("name", "ndim"), marked("integers"))
def test_integers_are_exact(name: str, ndim: int) -> None:
    x, kernel = problem(ndim, torch.int16)
    found = CALLS[name](x, kernel)
    torch.testing.assert_close(found.double(), CALLS[name](x.double(), kernel), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("name", "ndim"), marked("complex"))
def test_complex_numbers_turn_with_their_input(name: str, ndim: int) -> None:
    x, kernel = problem(ndim)
    found = CALLS[name](1j * x, kernel)
    torch.testing.assert_close(found.abs(), CALLS[name](x, kernel).abs())


@pytest.mark.parametrize("name", unmarked("integers"))
def test_integers_are_refused(name: str) -> None:
    x, kernel = problem(2, torch.int16)
    with pytest.raises(OptionError, match="expected a floating"):
        CALLS[name](x, kernel)


@pytest.mark.parametrize("name", unmarked("complex"))
def test_complex_numbers_are_refused(name: str) -> None:
    x, kernel = problem(2, torch.complex128)
    with pytest.raises(OptionError, match="complex"):
        CALLS[name](x, kernel)
