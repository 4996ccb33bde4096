"""lenrek: convolutional networks you can see through, at the full speed of the CPU you already have."""

__version__ = "0.1.0.dev0"
