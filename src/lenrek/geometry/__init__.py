"""Sizes, positions, receptive fields and costs of layers: integers and fractions only, no tensors."""

from lenrek.geometry.axes import per_axis
from lenrek.geometry.boundary import Boundary, BoundaryName, Run, check_boundary, check_reach, runs, sources
from lenrek.geometry.cost import Cost, convolution_cost, dense_cost, local_cost
from lenrek.geometry.padding import AxisPadding, Padding, PaddingName, resolve_padding
from lenrek.geometry.receptive import ReceptiveField, Window, reached_inputs, receptive_field
from lenrek.geometry.transposed import TransposedAxisWindow, transposed_output_size, transposed_windows
from lenrek.geometry.window import AxisWindow, output_size, windows

__all__ = [
    "AxisPadding",
    "AxisWindow",
    "Boundary",
    "BoundaryName",
    "Cost",
    "Padding",
    "PaddingName",
    "ReceptiveField",
    "Run",
    "TransposedAxisWindow",
    "Window",
    "check_boundary",
    "check_reach",
    "convolution_cost",
    "dense_cost",
    "local_cost",
    "output_size",
    "per_axis",
    "reached_inputs",
    "receptive_field",
    "resolve_padding",
    "runs",
    "sources",
    "transposed_output_size",
    "transposed_windows",
    "windows",
]
