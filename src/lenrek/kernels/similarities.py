"""Inner products of many stored vectors with some queries, read in the type they are kept in."""

from __future__ import annotations

from ctypes import c_int, c_int64, c_void_p

import torch
from torch import Tensor

from lenrek.errors import ShapeError
from lenrek.kernels.library import available, declare, kernel

_P, _L = c_void_p, c_int64
declare("similarities", c_int, _P, _L, _L, _P, _P, _L, _P, c_int)

TYPES = {torch.float32: 0, torch.float16: 1, torch.int8: 2}
BLOCK_ROWS = 8192  # of the twin in PyTorch, widened at once


def similarities(rows: Tensor, scales: Tensor, queries: Tensor) -> Tensor:
    """(queries, rows) float32: scales · ⟨row, query⟩; sums are in float32.

    Args:
        rows: (rows, dims), float32, float16 or int8, contiguous and finite.
        scales: (rows,) float32: of cosines, one over each row's length.
        queries: (queries, dims) float32, contiguous.
    Raises:
        ShapeError: shapes or types that do not fit.
    Example:
        >>> rows = torch.tensor([[3, 4], [0, -2]], dtype=torch.int8)
        >>> similarities(rows, torch.tensor([0.2, 0.5]), torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
        tensor([[ 0.6000,  0.0000],
                [ 0.8000, -1.0000]])
    """
    fits = rows.ndim == queries.ndim == 2 and rows.shape[1] == queries.shape[1] and scales.shape == rows.shape[:1]
    if not fits or rows.dtype not in TYPES or scales.dtype != torch.float32 or queries.dtype != torch.float32:
        raise ShapeError(
            f"similarities: rows {tuple(rows.shape)} {rows.dtype}, scales {tuple(scales.shape)} {scales.dtype} and "
            f"queries {tuple(queries.shape)} {queries.dtype}, expected (rows, dims) float32, float16 or int8, (rows,) "
            "and (queries, dims) float32."
        )
    if not available():
        return similarities_reference(rows, scales, queries)
    rows, scales, queries = rows.contiguous(), scales.contiguous(), queries.contiguous()
    found = torch.empty(len(queries), len(rows))
    kernel("similarities")(
        TYPES[rows.dtype], rows.data_ptr(), *rows.shape, scales.data_ptr(), queries.data_ptr(), len(queries),
        found.data_ptr(), torch.get_num_threads(),
    )  # fmt: skip
    return found


def similarities_reference(rows: Tensor, scales: Tensor, queries: Tensor) -> Tensor:
    """`similarities` in PyTorch's operators."""
    found = [queries @ block.float().T for block in rows.split(BLOCK_ROWS)]
    return (torch.cat(found, 1) if found else torch.empty(len(queries), 0)) * scales
