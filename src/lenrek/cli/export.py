"""`lenrek export RUN`: a trained network as a file for ONNX Runtime, OpenVINO or PyTorch alone."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lenrek.cli.console import emit
from lenrek.data.shown import counted, shown


class FileFormat(StrEnum):
    onnx = "onnx"
    openvino = "openvino"
    torch_export = "torch-export"


def export(
    run: Annotated[Path, typer.Argument(help="A run's folder, or a model file.")],
    format: Annotated[FileFormat, typer.Option(help="Of which engine.")] = FileFormat.onnx,
    output: Annotated[
        Path | None, typer.Option(help="The file. Default: beside the model, with the format's suffix.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Write a file that takes samples as they are stored and gives posteriors, and compare it with PyTorch."""
    from lenrek.models.model_file import MODEL_FILE
    from lenrek.training.classifier import load
    from lenrek.training.export import FORMATS

    classifier = load(run)
    model = run / MODEL_FILE if run.is_dir() else run
    path = output or model.with_suffix(FORMATS[format.value].suffixes[0])
    exported = classifier.export(path, format.value)
    if json:
        emit({
            "path": str(exported.files[0]), "files": [str(file) for file in exported.files], "format": format.value,
            "metadata": exported.about, "difference": exported.difference,
        })  # fmt: skip
        return
    contract = classifier.contract
    size = " × ".join(map(str, ("batch", contract.channels, *contract.size)))
    print(f"file       {', '.join(shown(file) for file in exported.files)}")
    print(f"input      float32, {size}, values 0 to {contract.full_scale} as stored")
    print(f"output     posteriors of {counted(len(contract.classes), 'class')}")
    print(f"agreement  with PyTorch to {exported.difference:.1g}")
