"""What `lenrek.nn` and `lenrek.ops` offer: all that is written there, and found from `lenrek` alone."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from lenrek import nn, ops

SHARED = {"ConvModule", "PoolingModule"}  # what layers have in common, no layers themselves


def test_every_layer_is_offered():
    folder, layers = Path(nn.__file__).parent, set()
    for path in folder.rglob("*.py"):
        dotted = ".".join(("lenrek.nn", *path.relative_to(folder).with_suffix("").parts))
        layers |= {name for name, found in vars(import_module(dotted)).items()
                   if inspect.isclass(found) and found.__module__ == dotted}  # fmt: skip
    assert sorted(layers - SHARED) == nn.__all__


def test_every_operator_is_offered():
    of_folders = {*ops.pooling.__all__, *ops.matrix.__all__} - {"Order"}  # a type for annotations
    assert of_folders <= set(ops.__all__)
    assert ops.__all__ == sorted(ops.__all__)
    assert all(callable(getattr(ops, name)) for name in ops.__all__)


@pytest.mark.parametrize("code", ["lenrek.nn.Conv2d(1, 1, 3)", "lenrek.ops.correlate"])
def test_the_rooms_are_found_from_the_package_and_loaded_when_first_used(code):
    program = f"import sys, lenrek; assert 'torch' not in sys.modules; {code}; assert 'torch' in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
