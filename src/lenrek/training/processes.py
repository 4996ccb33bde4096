"""Training in several processes under `torchrun`: who am I, and whose samples are mine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist

from lenrek.errors import LenrekError, OptionError

T = TypeVar("T")


@contextmanager
def joined() -> Iterator[None]:
    """Join the process group that `torchrun` announced (gloo on CPU, NCCL with one GPU each); alone, do nothing."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or dist.is_initialized():
        yield
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def world_size() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def is_first() -> bool:
    """The process that prints and writes."""
    return rank() == 0


def wait_for_all() -> None:
    if world_size() > 1:
        dist.barrier()


def from_first(decide: Callable[[], T]) -> T:
    """What `decide` returns in the first process, the only one that calls it, in every process; likewise its error."""
    if world_size() == 1:
        return decide()
    box: list[Any] = [None, None]
    if is_first():
        try:
            box[0] = decide()
        except LenrekError as error:
            box[1] = error
    dist.broadcast_object_list(box)
    if box[1] is not None:
        raise box[1]
    return box[0]


def summed(values: list[float], device: torch.device) -> list[float]:
    """Each of `values` summed over all processes."""
    if world_size() == 1:
        return values
    total = torch.tensor(values, dtype=torch.float64, device=device)
    dist.all_reduce(total)
    return total.tolist()


def my_share(order: np.ndarray, batch_size: int) -> tuple[np.ndarray, int]:
    """My samples of each whole batch in `order`, in the same number for every process, and my batch size.

    >>> my_share(np.arange(7), 2)
    (array([0, 1, 2, 3, 4, 5]), 2)
    """
    num_processes = world_size()
    if batch_size % num_processes:
        raise OptionError(
            f"train: a batch of {batch_size} samples cannot be shared equally by {num_processes} processes: "
            f"{batch_size} = {num_processes} · {batch_size // num_processes} + {batch_size % num_processes}.\n"
            f"  Hint: pass --batch-size {batch_size // num_processes * num_processes or num_processes}."
        )
    whole = order[: len(order) // batch_size * batch_size].reshape(-1, batch_size)
    return whole[:, rank() :: num_processes].reshape(-1), batch_size // num_processes
