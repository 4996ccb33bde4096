"""Convolution arithmetic: windows from `lenrek.geometry`, products that are drawn as they are summed."""
