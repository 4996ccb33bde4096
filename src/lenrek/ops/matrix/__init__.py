"""Convolutions as matrices: of the filter, of the data, circulant ones, and the way from a layer to one and back."""

from lenrek.ops.matrix.circulant import circulant, shift_matrix
from lenrek.ops.matrix.data import data_matrix, data_matrix_adjoint
from lenrek.ops.matrix.dense import to_dense
from lenrek.ops.matrix.filter import filter_matrix, filter_matrix_transposed
from lenrek.ops.matrix.order import Order, flatten_volume, unflatten_volume
from lenrek.ops.matrix.projection import Projection, from_dense

__all__ = [
    "Order",
    "Projection",
    "circulant",
    "data_matrix",
    "data_matrix_adjoint",
    "filter_matrix",
    "filter_matrix_transposed",
    "flatten_volume",
    "from_dense",
    "shift_matrix",
    "to_dense",
    "unflatten_volume",
]
