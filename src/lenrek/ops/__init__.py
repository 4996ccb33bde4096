"""Every convolution and pooling of the textbook, as a differentiable function on tensors with any number of axes."""

from lenrek.ops.boundary import pad
from lenrek.ops.correlate import choose_method, convolve, correlate
from lenrek.ops.transposed import convolve_transposed, correlate_transposed

__all__ = ["choose_method", "convolve", "convolve_transposed", "correlate", "correlate_transposed", "pad"]
