"""Every convolution and pooling of the textbook, as a differentiable function on tensors with any number of axes."""

from lenrek.ops.boundary import pad
from lenrek.ops.correlate import choose_method, convolve, correlate
from lenrek.ops.depthwise import depthwise_correlate, depthwise_separable_correlate, pointwise_correlate
from lenrek.ops.factor import SeparableKernel, factor_kernel
from lenrek.ops.local import local_correlate, local_correlate_transposed
from lenrek.ops.matrix import (
    Projection,
    circulant,
    data_matrix,
    data_matrix_adjoint,
    filter_matrix,
    filter_matrix_transposed,
    flatten_volume,
    from_dense,
    shift_matrix,
    to_dense,
    unflatten_volume,
)
from lenrek.ops.normalized import normalized_correlate
from lenrek.ops.pooling import (
    adaptive_average_pool,
    adaptive_max_pool,
    average_pool,
    global_average_pool,
    global_max_pool,
    lp_pool,
    max_pool,
    max_unpool,
    pool,
    spectral_pool,
    stochastic_pool,
)
from lenrek.ops.separable import spatially_separable_correlate
from lenrek.ops.transposed import convolve_transposed, correlate_transposed
from lenrek.ops.windows import windows_of

__all__ = [
    "Projection",
    "SeparableKernel",
    "adaptive_average_pool",
    "adaptive_max_pool",
    "average_pool",
    "choose_method",
    "circulant",
    "convolve",
    "convolve_transposed",
    "correlate",
    "correlate_transposed",
    "data_matrix",
    "data_matrix_adjoint",
    "depthwise_correlate",
    "depthwise_separable_correlate",
    "factor_kernel",
    "filter_matrix",
    "filter_matrix_transposed",
    "flatten_volume",
    "from_dense",
    "global_average_pool",
    "global_max_pool",
    "local_correlate",
    "local_correlate_transposed",
    "lp_pool",
    "max_pool",
    "max_unpool",
    "normalized_correlate",
    "pad",
    "pointwise_correlate",
    "pool",
    "shift_matrix",
    "spatially_separable_correlate",
    "spectral_pool",
    "stochastic_pool",
    "to_dense",
    "unflatten_volume",
    "windows_of",
]
