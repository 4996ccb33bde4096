"""Every convolution and pooling of the textbook, as a differentiable function on tensors with any number of axes."""
