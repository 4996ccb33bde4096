"""A trained network as one file: safetensors with architecture and contract in its header, nothing that executes."""

from __future__ import annotations

import copy
import difflib
import json
import os
from pathlib import Path
from typing import Any

from torch import nn

from lenrek.errors import CheckpointError
from lenrek.models.contract import InputContract
from lenrek.models.create import create_model
from lenrek.models.head import Head, put_head
from lenrek.models.registry import ARCHITECTURES
from lenrek.models.tensor_file import read_tensors, write_tensors
from lenrek.models.weights import fill

MODEL_FILE = "model.safetensors"


def save_model(
    path: Path, network: nn.Module, architecture: str, contract: InputContract, about: dict[str, Any]
) -> None:
    """Write weights, architecture, contract and whatever JSON `about` holds to `path`, beside it first."""
    header = {"architecture": architecture, "contract": contract.to_json(), **about}
    if (head := getattr(network, "new_head", None)) is not None:
        header["head"] = head.to_json()
    write_tensors(path, network.state_dict(), {"lenrek": json.dumps(header)})


def load_model(path: str | Path, network: nn.Module | None = None) -> tuple[nn.Module, dict[str, Any]]:
    """The network in `path` (a file, or a run's folder), in evaluation mode, and the JSON it was saved with.

    A file of weights that other tools wrote will do if its metadata names a registered `architecture`.

    Args:
        network: of a network that is not registered: what it was before it was trained; a copy is filled.
    Raises:
        CheckpointError: missing, cut short, altered, of an architecture that is not told, or for another network.
    """
    file = Path(path)
    if not file.exists():
        near = difflib.get_close_matches(file.name, os.listdir(file.parent), n=1) if file.parent.is_dir() else []
        raise CheckpointError(f"load: there is no {path}." + (f"\n  Hint: did you mean {near[0]}?" if near else ""))
    if file.is_dir():
        file = file / MODEL_FILE
        if not file.exists():
            raise CheckpointError(f"load: the folder {path} holds no trained model: no {MODEL_FILE} is in it.")
    tensors, metadata = read_tensors(file)
    if "lenrek" not in metadata:
        architecture = metadata.get("architecture", "")
        if architecture not in ARCHITECTURES:
            raise CheckpointError(
                f"load: {file} has weights but no lenrek header, so its architecture is not known.\n"
                "  Hint: lenrek.create_model(NAME, weights=PATH) loads plain weight files."
            )
        return create_model(architecture, weights=file).eval(), {"architecture": architecture}
    header = json.loads(metadata["lenrek"])
    contract = InputContract.from_json(header["contract"])
    architecture = header["architecture"]
    if architecture in ARCHITECTURES:
        network = create_model(architecture, len(contract.classes), contract.channels, len(contract.size))
    elif network is None:
        raise CheckpointError(
            f"load: {file} holds a {architecture}, which is not one of lenrek's architectures.\n"
            "  Hint: pass the module that its training began with: lenrek.load(path, network)."
        )
    else:
        network = copy.deepcopy(network)
    if "head" in header:  # a new one, on a network that was trained before
        head = Head.from_json(header["head"])
        put_head(network, head, len(contract.classes))
        network.new_head = head  # type: ignore[assignment]
    fill(network, tensors, str(file))
    network.contract = contract  # type: ignore[assignment]
    return network.eval(), header
