"""What a store knows beside its rows: the network, how it embeds, and where the samples are."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lenrek.data.cache import cache_folder
from lenrek.errors import StoreError
from lenrek.models.contract import InputContract
from lenrek.models.model_file import load_model, save_model
from lenrek.models.registry import ARCHITECTURES
from lenrek.models.tensor_file import read_tensors, write_bytes_atomically, write_tensors
from lenrek.search.embedding import EmbeddingConfig
from lenrek.search.projection import Projection

if TYPE_CHECKING:
    from torch import nn

VERSION = 2


@dataclass(frozen=True)
class Settings:
    """Attributes:
    fingerprint: of `Embedder`.
    config, contract: what it was made with.
    model: how the user named the network.
    data: how the user named the samples, absolute where that is a path; None for arrays.
    projection: None where vectors are kept as the network gives them.
    weights: the network as a model file's bytes; None where lenrek has no such architecture.
    """

    fingerprint: str
    config: EmbeddingConfig
    contract: InputContract
    model: str
    data: str | None
    dims: int
    projection: Projection | None
    weights: bytes | None

    def to_rows(self) -> list[dict[str, Any]]:
        """Name and bytes of each part."""
        about = {
            "version": VERSION,
            "fingerprint": self.fingerprint,
            "config": self.config.to_json(),
            "contract": self.contract.to_json(),
            "model": self.model,
            "data": self.data,
            "dims": self.dims,
        }
        parts = {"settings": json.dumps(about).encode()}
        if self.weights is not None:
            parts["model"] = self.weights
        if self.projection is not None:
            parts["projection"] = _projection_bytes(self.projection)
        return [{"name": name, "value": value} for name, value in parts.items()]

    @classmethod
    def from_parts(cls, parts: dict[str, bytes], uri: str) -> Settings:
        """The inverse of `to_rows`, of name and bytes."""
        try:
            about = json.loads(parts["settings"])
            if about["version"] != VERSION:
                raise StoreError(
                    f"{uri}: is a store of version {about['version']}, expected {VERSION}.\n"
                    "  Hint: make it anew with `lenrek index DATA --model MODEL --out STORE`."
                )
            return cls(
                about["fingerprint"],
                EmbeddingConfig.from_json(about["config"]),
                InputContract.from_json(about["contract"]),
                about["model"],
                about["data"],
                about["dims"],
                _projection(parts["projection"]) if "projection" in parts else None,
                parts.get("model"),
            )
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise StoreError(f"{uri}: its settings cannot be read: {error!r}.") from error

    def load_network(self) -> nn.Module:
        """The network that is kept in the store.

        Raises:
            StoreError: it is not kept.
        """
        if self.weights is None:
            raise StoreError(
                f"the store was made with a network that it cannot keep ({self.model}).\n"
                "  Hint: pass the network: lenrek.open_store(path, model=network)."
            )
        file = cache_folder() / "search" / f"{self.fingerprint}.safetensors"
        if not file.exists() or file.stat().st_size != len(self.weights):
            file.parent.mkdir(parents=True, exist_ok=True)
            write_bytes_atomically(file, self.weights)
        return load_model(file)[0]


def network_bytes(network: nn.Module) -> bytes | None:
    """`network` as a model file, where it is of an architecture that can be built by name."""
    architecture = getattr(network, "architecture", None)
    if architecture not in ARCHITECTURES:
        return None
    contract: Any = network.contract
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "model.safetensors")
        save_model(file, network, architecture, contract, {})
        return file.read_bytes()


def _projection_bytes(projection: Projection) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "projection.safetensors")
        write_tensors(file, {"mean": projection.mean, "matrix": projection.matrix}, {})
        return file.read_bytes()


def _projection(content: bytes) -> Projection:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "projection.safetensors")
        file.write_bytes(content)
        tensors, _ = read_tensors(file)
    return Projection(tensors["mean"], tensors["matrix"])
