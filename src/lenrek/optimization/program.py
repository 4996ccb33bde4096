"""A network as one graph for any batch: what every engine and file format is made from."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import torch
from torch import nn
from torch.export import Dim, ExportedProgram

from lenrek.errors import ModelError, OptionError
from lenrek.ops.pooling.adaptive import means_of_shares

INPUT, OUTPUT = "input", "output"  # their names in files of other engines


class MissingEngineError(OptionError):
    """An engine that is not installed: the message says how to install it."""


class NotConvertedError(ModelError):
    """A network that another engine cannot run: the message says which part of it."""


def export_program(network: nn.Module, input_size: tuple[int, ...]) -> ExportedProgram:
    """The graph of `network`, in evaluation mode, for float32 `(batch, *input_size)` with any batch, 0 included.

    It is made of PyTorch's core operators, those that other engines know.

    Args:
        network: takes one tensor and returns one; on the CPU.
        input_size: (channels, *size).
    Raises:
        NotConvertedError: what it does depends on the values of its input, or on how many samples there are.
    Example:
        >>> program = export_program(nn.Conv1d(2, 3, 4), (2, 9))
        >>> [tuple(program.module()(torch.zeros(batch, 2, 9)).shape) for batch in (0, 1, 5)]
        [(0, 3, 6), (1, 3, 6), (5, 3, 6)]
    """
    # Two samples: with one, the exporter would take the batch for an axis of length one everywhere.
    x = torch.zeros(2, *input_size)
    with converting("torch.export cannot follow the network"):
        program = torch.export.export(network, (x,), dynamic_shapes=({0: Dim("batch")},))
        table = torch.export.default_decompositions()
        # ONNX has no adaptive pooling; PyTorch itself puts it in other words in one and two dimensions only.
        table[torch.ops.aten._adaptive_avg_pool3d.default] = means_of_shares
        return program.run_decompositions(table)


@contextmanager
def converting(complaint: str) -> Iterator[None]:
    """Another library's conversion: whatever it raises becomes a `NotConvertedError`, and its warnings stay unsaid.

    They are about that library's own code (deprecations of PyTorch's in it), which nobody here can change.
    """
    logged = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        except Exception as error:
            raise NotConvertedError(f"{complaint}: {in_one_line(error)}") from error
        finally:
            logging.disable(logged)


def in_one_line(error: BaseException) -> str:
    """What began an exception: other libraries wrap it, and their messages go on for pages.

    >>> in_one_line(ValueError("\\n".join(["no such operator.", "See https://…"])))
    'ValueError: no such operator.'
    """
    while error.__cause__ is not None:
        error = error.__cause__
    return ": ".join((type(error).__name__, *str(error).strip().splitlines()[:1]))


def inputs_of(program: ExportedProgram) -> tuple[int, ...]:
    """(channels, *size) that the program was exported for.

    >>> inputs_of(export_program(nn.Conv1d(2, 3, 4), (2, 9)))
    (2, 9)
    """
    (name,) = program.graph_signature.user_inputs
    (node,) = [node for node in program.graph.nodes if node.name == name]
    return tuple(node.meta["val"].shape[1:])


def require(engine: str, extra: str, *packages: str) -> None:
    """Make sure that what an engine needs is installed.

    Raises:
        MissingEngineError: it is not.
    """
    absent = [package for package in packages if find_spec(package) is None]
    if absent:
        are = "is" if len(absent) == 1 else "are"
        raise MissingEngineError(
            f"{engine} needs {', '.join(absent)}, which {are} not installed.\n  Hint: pip install 'lenrek[{extra}]'"
        )
