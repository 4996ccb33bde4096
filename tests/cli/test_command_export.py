"""`lenrek export`: files that run in their engines, from stored samples to the posteriors of `predict`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import Cli

import lenrek
from lenrek.errors import ModelError, OptionError
from lenrek.optimization import program
from lenrek.training import export

SUFFIX = {"onnx": ".onnx", "openvino": ".xml", "torch-export": ".pt2"}
Run = Callable[[np.ndarray], np.ndarray]


def run_onnx(path: Path) -> tuple[Run, str]:
    """By ONNX Runtime alone; and the metadata."""
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(path)
    (x,), (y,) = session.get_inputs(), session.get_outputs()
    assert (x.name, x.shape[0], y.name, y.shape[0]) == ("input", "batch", "output", "batch")
    return lambda x: session.run(None, {"input": x})[0], session.get_modelmeta().custom_metadata_map["lenrek"]


def run_openvino(path: Path) -> tuple[Run, str]:
    openvino = pytest.importorskip("openvino")
    model = openvino.Core().read_model(path)
    compiled = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda x: compiled({"input": x})["output"], model.get_rt_info("lenrek").astype(str)


def run_torch(path: Path) -> tuple[Run, str]:
    files = {"lenrek": ""}
    network = torch.export.load(path, extra_files=files).module()
    return lambda x: network(torch.from_numpy(x)).detach().numpy(), files["lenrek"]


RUN = {"onnx": run_onnx, "openvino": run_openvino, "torch-export": run_torch}


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("digits") / "run"
    lenrek.train("digits", out=path, epochs=2, batch_size=64, precision="fp32", progress=False)
    return path


@pytest.mark.parametrize("format", SUFFIX)
def test_the_file_gives_the_posteriors_of_predict_for_any_batch(cli: Cli, digits: Path, tmp_path: Path, format: str):
    if format != "torch-export":
        pytest.importorskip({"onnx": "onnxscript"}.get(format, format))
    file = tmp_path / f"digits{SUFFIX[format]}"
    outcome = cli("export", digits, "--format", format, "--output", file)
    assert (outcome.status, outcome.err) == (0, "")
    run, metadata = RUN[format](file)
    x = np.random.default_rng(0).integers(0, 256, (7, 1, 28, 28), np.uint8)
    classifier = lenrek.load(digits)
    expected = np.array([list(p.posterior.values()) for p in classifier.predict(x)])
    assert expected.max(1).min() < 0.9  # far enough from 1 to mean something
    for batch in (1, 7):
        np.testing.assert_allclose(run(x[:batch].astype(np.float32)), expected[:batch], atol=1e-5)
    about = json.loads(metadata)
    assert about == json.loads(json.dumps({
        "version": lenrek.__version__, "architecture": "lenet5", "contract": classifier.contract.to_json(),
    }))  # fmt: skip


def test_by_default_onnx_beside_the_model_and_what_is_printed(cli: Cli, digits: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    run = shutil.copytree(digits, tmp_path / "run")
    outcome = cli("export", run)
    assert (outcome.status, outcome.err) == (0, "")
    file, given, made, agreement = outcome.out.splitlines()
    assert file == f"file       {run}/model.onnx"
    assert given == "input      float32, batch × 1 × 28 × 28, values 0 to 255 as stored"
    assert made == "output     posteriors of 10 classes"
    assert float(agreement.removeprefix("agreement  with PyTorch to ")) < 1e-5


def test_json_of_a_model_file(cli: Cli, digits: Path, tmp_path: Path) -> None:
    model = shutil.copy(digits / "model.safetensors", tmp_path / "mine.safetensors")
    pytest.importorskip("openvino")
    outcome = cli("export", model, "--format", "openvino", "--json")
    assert (outcome.status, outcome.err) == (0, "")
    found = json.loads(outcome.out)
    assert found["path"] == f"{tmp_path}/mine.xml"
    assert found["files"] == [f"{tmp_path}/mine.xml", f"{tmp_path}/mine.bin"]
    assert found["format"] == "openvino"
    assert found["metadata"]["contract"]["classes"] == list("0123456789")
    assert 0 <= found["difference"] < 1e-5
    assert sorted(file.name for file in tmp_path.iterdir()) == ["mine.bin", "mine.safetensors", "mine.xml"]


@pytest.mark.parametrize("taken", ["mine.xml", "mine.bin"])
def test_no_file_is_lost(cli: Cli, digits: Path, tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).write_text("mine")
    outcome = cli("export", digits, "--format", "openvino", "--output", tmp_path / "mine.xml")
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err == (
        f"lenrek: export: {tmp_path}/{taken} already exists, and would be lost.\n"
        "  Hint: remove it, or name another file with --output.\n"
    )
    assert [file.read_text() for file in tmp_path.iterdir() if not file.is_dir()] == ["mine"]


def test_a_name_of_another_format(cli: Cli, digits: Path) -> None:
    outcome = cli("export", digits, "--format", "torch-export", "--output", "model.onnx")
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err == (
        "lenrek: export: model.onnx is not named as torch-export files are: its name must end in .pt2.\n"
    )
    with pytest.raises(OptionError) as caught:
        lenrek.load(digits).export("model.onnx", "tflite")
    assert str(caught.value) == "export: format is 'tflite', but must be one of onnx, openvino, torch-export."


@pytest.mark.parametrize(
    ("format", "message"),
    [
        (
            "onnx",
            "ONNX needs onnx, onnxscript, onnxruntime, which are not installed.\n  Hint: pip install 'lenrek[onnx]'",
        ),
        ("openvino", "OpenVINO needs openvino, which is not installed.\n  Hint: pip install 'lenrek[openvino]'"),
    ],
)
def test_an_engine_that_is_not_installed(cli: Cli, digits: Path, tmp_path: Path, monkeypatch, format, message) -> None:
    monkeypatch.setattr(program, "find_spec", lambda name: None)
    outcome = cli("export", digits, "--format", format, "--output", tmp_path / f"m{SUFFIX[format]}")
    assert (outcome.status, outcome.out, outcome.err) == (1, "", f"lenrek: {message}\n")


def test_a_file_that_does_not_agree_is_not_written(digits: Path, tmp_path: Path, monkeypatch) -> None:
    wrong = export.Format(
        (".pt2",), export.FORMATS["torch-export"].write, lambda files: lambda x: torch.ones(len(x), 10)
    )
    monkeypatch.setitem(export.FORMATS, "torch-export", wrong)
    with pytest.raises(ModelError) as caught:
        lenrek.load(digits).export(tmp_path / "model.pt2", "torch-export")
    start, _, end = str(caught.value).partition(" by ")
    assert start == "export: as torch-export the network's posteriors differ from PyTorch's"
    assert end.endswith(", and at most 0.001 is accepted; nothing was written.")
    assert list(tmp_path.iterdir()) == []


def test_volumes_and_floats(tmp_path: Path) -> None:
    """In three dimensions, with unequal axes; stored floats go in as they are."""
    pytest.importorskip("onnxscript")
    x = np.random.default_rng(0).normal(3, 2, (24, 2, 12, 13, 14)).astype(np.float32)
    x[::2, :, :6] += 1
    run = lenrek.train((x, np.arange(24) % 2), out=tmp_path / "run", epochs=1, precision="fp32", progress=False)
    exported = run.classifier.export(tmp_path / "volumes.onnx")
    found = run_onnx(exported.files[0])[0](x[:3])
    expected = [list(p.posterior.values()) for p in run.classifier.predict(x[:3])]
    np.testing.assert_allclose(found, expected, atol=1e-5)
