"""Every instruction set that this machine has, each on one thread and on two."""

from collections.abc import Iterator

import pytest
import torch

from lenrek.kernels import library


@pytest.fixture(params=library.ISAS)
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param not in library.active().isas:
        pytest.skip(f"no {request.param} kernels here: {library.active()}")
    with library.using(request.param):
        yield request.param


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)
