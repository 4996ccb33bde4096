"""A trained network as a file for other engines: samples as they are stored in, posteriors out."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from lenrek import __version__
from lenrek.errors import ModelError, OptionError
from lenrek.models.contract import InputContract
from lenrek.models.tensor_file import write_bytes_atomically
from lenrek.optimization.program import export_program
from lenrek.optimization.to_onnx import OnnxRunner, to_onnx
from lenrek.optimization.to_openvino import OpenVinoRunner, openvino_core, to_openvino

if TYPE_CHECKING:
    from lenrek.training.classifier import Classifier

KEY = "lenrek"  # of the metadata
AGREEMENT = 1e-3  # of a posterior: engines round differently, and approximate tanh and exp
SAMPLES = 5

Files = dict[str, bytes]  # by suffix


@dataclass(frozen=True)
class Exported:
    """A file that `export_classifier` wrote.

    Attributes:
        files: the first is the one to open; OpenVINO's weights lie in a second one beside it.
        about: what its metadata says.
        difference: the largest, of a posterior, between the file run by its engine and PyTorch.
    """

    files: tuple[Path, ...]
    about: dict[str, Any]
    difference: float


def export_classifier(classifier: Classifier, path: str | Path, format: str = "onnx") -> Exported:
    """Write `classifier` as a file that another engine runs, after running it there and comparing.

    The file takes "input", float32 (batch, channels, *size), any batch: samples fitted to the contract's size, with the
    values they are stored with, 0 to `full_scale`; it normalises them itself. It gives "output", float32 (batch,
    classes): posteriors. Its metadata, under "lenrek", hold lenrek's version, the architecture and the contract with
    the classes, as JSON.

    Args:
        path: with the format's suffix; nothing may be there.
        format: "onnx" (.onnx), "openvino" (.xml, with a .bin beside it) or "torch-export" (.pt2).
    Raises:
        OptionError: another format or suffix, a file is in the way, or the format's engine is not installed.
        ModelError: the format cannot express the network, or its engine does not agree with PyTorch.
        CheckpointError: the file cannot be written.
    Example:
        >>> from lenrek import train
        >>> run = train("digits", epochs=1, out=getfixture("tmp_path") / "run", progress=False)
        >>> exported = export_classifier(run.classifier, run.path / "model.pt2", "torch-export")
        >>> network = torch.export.load(exported.files[0]).module()
        >>> network(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])
    """
    path = free_path(path, format)
    chosen = FORMATS[format]
    contract = classifier.contract
    about = {"version": __version__, "architecture": classifier.architecture, "contract": contract.to_json()}
    device = next(classifier.network.parameters()).device
    deployed = Deployed(classifier.network, contract).cpu().eval()
    try:
        program = export_program(deployed, (contract.channels, *contract.size))
        files = chosen.write(program, json.dumps(about))
        difference = _difference(chosen.run(files), deployed, contract)
    finally:
        classifier.network.to(device)
    if not difference <= AGREEMENT:
        raise ModelError(
            f"export: as {format} the network's posteriors differ from PyTorch's by {difference:.2g}, and at most "
            f"{AGREEMENT:g} is accepted; nothing was written."
        )
    paths = tuple(path.with_suffix(suffix) for suffix in files)
    for one, data in reversed(list(zip(paths, files.values(), strict=True))):  # the one to open last
        write_bytes_atomically(one, data)
    return Exported(paths, about, difference)


def free_path(path: str | Path, format: str) -> Path:
    """`path`, after making sure that it is one for the format and that no file would be lost.

    Raises:
        OptionError: it is not, or one would.
    """
    if format not in FORMATS:
        raise OptionError(f"export: format is {format!r}, but must be one of {', '.join(FORMATS)}.")
    path, suffixes = Path(path), FORMATS[format].suffixes
    if path.suffix != suffixes[0]:
        raise OptionError(f"export: {path} is not named as {format} files are: its name must end in {suffixes[0]}.")
    for taken in (path.with_suffix(suffix) for suffix in suffixes):
        if taken.exists():
            raise OptionError(
                f"export: {taken} already exists, and would be lost.\n"
                "  Hint: remove it, or name another file with --output."
            )
    return path


class Deployed(nn.Module):
    """The network with the normalisation before it and the softmax after it.

    Args:
        contract: its `full_scale` is the stored value that becomes 1.
    """

    factor: Tensor
    shift: Tensor

    def __init__(self, network: nn.Module, contract: InputContract) -> None:
        super().__init__()
        self.network = network
        mean, std = torch.tensor([contract.mean, contract.std], dtype=torch.float64)
        shape = (-1, *(1 for _ in contract.size))
        self.register_buffer("factor", (1 / (std * contract.full_scale)).reshape(shape).float())
        self.register_buffer("shift", (-mean / std).reshape(shape).float())

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x * self.factor + self.shift).softmax(1)


def _difference(run: Callable[[Tensor], Tensor], deployed: nn.Module, contract: InputContract) -> float:
    """The largest difference of a posterior on noise, for one sample and for several."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(SAMPLES, contract.channels, *contract.size, generator=generator) * contract.full_scale
    with torch.no_grad():
        expected = deployed(x)
        return max((run(x[:n]) - expected[:n]).abs().max().item() for n in (SAMPLES, 1))


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes:
        suffixes: of the file to open, then of others that belong to it.
        write: (program, metadata as JSON) → contents by suffix.
        run: contents by suffix → what the format's engine makes of them.
    """

    suffixes: tuple[str, ...]
    write: Callable[[ExportedProgram, str], Files]
    run: Callable[[Files], Callable[[Tensor], Tensor]]


def _write_onnx(program: ExportedProgram, about: str) -> Files:
    model = to_onnx(program)
    model.metadata_props.add(key=KEY, value=about)
    return {".onnx": model.SerializeToString()}


def _write_openvino(program: ExportedProgram, about: str) -> Files:
    model = to_openvino(program)
    import openvino  # only now: where it is not installed, the line above says so

    model.set_rt_info(about, KEY)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "model.xml")
        openvino.serialize(model, file, file.with_suffix(".bin"))
        return {suffix: file.with_suffix(suffix).read_bytes() for suffix in (".xml", ".bin")}


def _run_openvino(files: Files) -> Callable[[Tensor], Tensor]:
    return OpenVinoRunner(openvino_core().read_model(files[".xml"], files[".bin"]), torch.float32)


def _write_torch(program: ExportedProgram, about: str) -> Files:
    written = io.BytesIO()
    torch.export.save(program, written, extra_files={KEY: about})
    return {".pt2": written.getvalue()}


def _run_torch(files: Files) -> Callable[[Tensor], Tensor]:
    return torch.export.load(io.BytesIO(files[".pt2"])).module()


FORMATS = {
    "onnx": Format((".onnx",), _write_onnx, lambda files: OnnxRunner(files[".onnx"])),
    "openvino": Format((".xml", ".bin"), _write_openvino, _run_openvino),
    "torch-export": Format((".pt2",), _write_torch, _run_torch),
}
