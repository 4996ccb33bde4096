"""`compile_inference`: PyTorch's outputs from the fastest engine that has them, and PyTorch where none has."""

from __future__ import annotations

import copy
import logging
import os
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from networks import ValueDependent
from torch import Tensor, nn
from torch.export import ExportedProgram

import lenrek
from lenrek.errors import ModelError, OptionError, ShapeError
from lenrek.optimization import inference, program, race
from lenrek.optimization.engines import Engine, Run
from lenrek.optimization.inference import compile_inference
from lenrek.optimization.module import optimize
from lenrek.optimization.program import NotConvertedError, export_program
from lenrek.optimization.to_onnx import OnnxRunner, to_onnx
from lenrek.optimization.to_openvino import OpenVinoRunner, has_bfloat16, to_openvino

SIZE = (2, 9, 7)


@pytest.fixture(autouse=True)
def measured_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "MOST_S", 1e9)
    monkeypatch.setattr(race, "MEASURE_S", 0.0)
    monkeypatch.setattr(race, "BURST_S", 1e-9)
    monkeypatch.setattr(race, "MIN_BURSTS", 1)


@pytest.fixture
def net() -> nn.Module:
    """Small, with what changes between training and evaluation."""
    torch.manual_seed(0)
    layers = nn.Conv2d(2, 5, (3, 2), padding=1), nn.BatchNorm2d(5), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout()
    made = nn.Sequential(*layers, nn.Flatten(), nn.Linear(5 * 4 * 4, 3))
    made(torch.randn(20, *SIZE))  # running statistics that are not 0 and 1
    return made


def in_float64(net: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        return copy.deepcopy(net).double().eval()(x.double())


def runners() -> list:
    return [
        pytest.param("openvino", torch.float32, 1e-5, id="openvino-float32"),
        pytest.param("openvino", torch.bfloat16, 3e-2, id="openvino-bfloat16"),
        pytest.param("onnx", torch.float32, 1e-5, id="onnx"),
    ]


@pytest.fixture(
    scope="module",
    params=[
        ("lenet5", 1, (28, 30)), ("lenet5", 2, (20, 21, 22)), ("resnet20", 3, (17, 14)), ("m5", 1, (1200,)),
        ("tcn", 2, (65,)), ("aspp", 3, (19, 24)),
    ],
    ids=lambda case: f"{case[0]}-{len(case[2])}d",
)  # fmt: skip
def exported(request: pytest.FixtureRequest) -> tuple[nn.Module, tuple[int, ...], ExportedProgram]:
    name, channels, size = request.param
    torch.manual_seed(1)
    network = lenrek.create_model(name, 4, channels, len(size)).eval()
    return network, (channels, *size), export_program(network, (channels, *size))


@pytest.mark.parametrize(("engine", "dtype", "tolerance"), runners())
def test_every_engine_computes_what_pytorch_does_for_any_batch(exported, engine, dtype, tolerance):
    for package in ("openvino",) if engine == "openvino" else ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    if dtype == torch.bfloat16 and not has_bfloat16():
        pytest.skip("OpenVINO has no bfloat16 on this processor")
    network, input_size, graph = exported
    if engine == "openvino":
        run = OpenVinoRunner(to_openvino(graph), dtype)
    else:
        run = OnnxRunner(to_onnx(graph).SerializeToString())
    for batch in (1, 3):
        x = torch.randn(batch, *input_size)
        expected, got = in_float64(network, x), run(x)
        assert got.shape == expected.shape
        assert (got - expected).abs().max() <= tolerance * expected.abs().max()


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
@pytest.mark.parametrize("optimized", [False, True])
def test_outputs_are_those_of_the_model_in_evaluation(net, dtype, tolerance, optimized):
    given = optimize(net, dtype, keep_memory_mapped=False) if optimized else net
    fast = compile_inference(given, SIZE, dtype=dtype)
    assert "cannot" not in fast.reason
    for batch in (1, 5, 70):
        x = torch.randn(batch, *SIZE)
        expected = in_float64(net, x)
        y = fast(x)
        assert (y.dtype, y.requires_grad) == (torch.float32, False)
        assert (y - expected).abs().max() <= tolerance * expected.abs().max()
    assert fast(torch.zeros(0, *SIZE)).shape == (0, 3)


def test_inputs_of_every_kind(net):
    fast = compile_inference(net, SIZE, dtype=torch.float32)
    x = torch.randn(4, *SIZE)
    expected = in_float64(net, x)
    wide = torch.randn(4, 2, 9, 14)
    wide[..., ::2] = x
    for same in (x.double(), x.requires_grad_(), x.contiguous(memory_format=torch.channels_last), wide[..., ::2]):
        torch.testing.assert_close(fast(same), expected.float(), atol=1e-5, rtol=1e-5)
    y = fast(x)
    y += 1  # an ordinary tensor


def test_the_model_stays_as_it_was_and_the_compiled_one_too(net):
    net.train()
    net[0].weight.requires_grad_(False)
    before = copy.deepcopy(net)
    state = torch.get_rng_state()
    fast = compile_inference(net, SIZE, dtype=torch.float32)
    assert torch.equal(torch.get_rng_state(), state)
    assert net.training
    assert [p.requires_grad for p in net.parameters()] == [p.requires_grad for p in before.parameters()]
    assert net[0].weight.stride() == before[0].weight.stride()
    x = torch.randn(3, *SIZE)
    expected = fast(x)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(1)
    assert torch.equal(fast(x), expected)


def installed_runner(engine: str, net: nn.Module) -> Run:
    pytest.importorskip({"openvino": "openvino", "onnx": "onnxscript"}[engine])
    graph = export_program(net.eval(), SIZE)
    if engine == "openvino":
        return OpenVinoRunner(to_openvino(graph), torch.float32)
    return OnnxRunner(to_onnx(graph).SerializeToString())


@pytest.mark.parametrize("engine", ["openvino", "onnx"])
def test_several_threads_get_their_own_answers(net, engine):
    run = installed_runner(engine, net)
    inputs = [torch.randn(40, *SIZE) for _ in range(60)]
    with ThreadPoolExecutor(4) as pool:
        outputs = list(pool.map(run, inputs))
    for x, y in zip(inputs, outputs, strict=True):
        torch.testing.assert_close(y, in_float64(net, x).float(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("engine", ["openvino", "onnx"])
def test_no_engine_writes_its_next_result_where_the_last_one_lies(net, engine):
    run = installed_runner(engine, net)
    x = torch.randn(4, *SIZE)
    y = run(x)
    before = y.clone()
    run(x + 1)
    assert torch.equal(y, before)


def with_engines(monkeypatch: pytest.MonkeyPatch, *engines: Engine, seconds: dict[str, tuple[float, float]]) -> None:
    """Compile with these engines besides PyTorch, which take so long for one sample and for many."""
    monkeypatch.setattr(inference, "other_engines", lambda *_: [(engine, "") for engine in engines])

    def measured(candidates: list[Engine], x: Tensor) -> None:
        for engine in candidates:
            engine.times_s |= dict(zip((1, len(x)), seconds[engine.name], strict=True))

    monkeypatch.setattr(inference, "race", measured)


def test_the_fastest_engine_serves_small_batches_and_the_fastest_large_ones(net, monkeypatch):
    def tagged(number: int) -> Engine:
        return Engine(f"engine {number}", torch.float32, lambda x: torch.full((len(x), 3), float(number)))

    monkeypatch.setattr(inference, "disagreement", lambda *_: "")
    with_engines(
        monkeypatch, tagged(1), tagged(2),
        seconds={"PyTorch": (4.0, 9.0), "engine 1": (1.0, 8.8), "engine 2": (2.0, 3.0)},
    )  # fmt: skip
    fast = compile_inference(net, SIZE)
    assert [fast(torch.zeros(n, *SIZE))[0, 0].item() for n in (1, 7, 8, 9, 64, 500)] == [1, 1, 1, 2, 2, 2]
    assert fast.reason == (
        "engine 1 in float32 for 1 sample "
        "(PyTorch in float32 1.00×, engine 1 in float32 4.00×, engine 2 in float32 2.00×); "
        "engine 2 in float32 for 64 samples "
        "(PyTorch in float32 1.00×, engine 1 in float32 1.02×, engine 2 in float32 3.00×)"
    )
    assert repr(fast) == f"CompiledInference(input_size=(2, 9, 7), {fast.reason})"


def test_an_engine_that_is_hardly_faster_is_not_worth_another_rounding(net, monkeypatch):
    same = Engine("other", torch.float32, copy.deepcopy(net).eval())
    with_engines(monkeypatch, same, seconds={"PyTorch": (1.0, 1.0), "other": (0.97, 0.97)})
    assert {engine.name for engine in compile_inference(net, SIZE).engines.values()} == {"PyTorch"}


@pytest.mark.parametrize(
    ("dtype", "wrong", "complaint"),
    [
        (torch.float32, lambda y: y + 1e-3 * y.abs().max(), "differs from PyTorch by "),
        (torch.bfloat16, lambda y: y.roll(1, 0), "differs from PyTorch by "),
        (torch.float32, lambda y: y.where(y != y.max(), torch.nan), "differs from PyTorch by nan where outputs reach "),
        (torch.float32, lambda y: y[:, :2], "returns (64, 2) instead of (64, 3)"),
        (torch.float32, lambda y: y if len(y) > 1 else -y, "differs from PyTorch by "),
    ],
    ids=["inaccurate", "samples mixed up", "nan", "shape", "wrong for one sample only"],
)
def test_an_engine_that_disagrees_is_never_used(net, monkeypatch, dtype, wrong, complaint):
    right = copy.deepcopy(net).eval()
    with_engines(
        monkeypatch, Engine("liar", dtype, lambda x: wrong(right(x))), seconds={"PyTorch": (1, 1), "liar": (0.1, 0.1)}
    )
    fast = compile_inference(net, SIZE, dtype=dtype)
    assert {engine.name for engine in fast.engines.values()} == {"PyTorch"}
    kind = str(dtype).removeprefix("torch.")
    assert f"; liar in {kind} {complaint}" in fast.reason
    x = torch.randn(6, *SIZE)
    torch.testing.assert_close(fast(x), in_float64(net, x).float(), atol=1e-5, rtol=1e-5)


def test_an_engine_is_compared_on_the_example(net, monkeypatch):
    seen = []

    def run(x: Tensor) -> Tensor:
        seen.append(x)
        return right(x)

    right = copy.deepcopy(net).eval()
    with_engines(monkeypatch, Engine("other", torch.float32, run), seconds={"PyTorch": (1, 1), "other": (2, 2)})
    example = torch.randn(5, *SIZE)
    compile_inference(net, SIZE, example=example)
    assert torch.equal(seen[0], example[torch.arange(64) % 5])
    assert torch.equal(seen[1], example[:1])


def test_a_slow_network_is_measured_on_fewer_samples(net, monkeypatch):
    monkeypatch.setattr(inference, "MOST_S", 0.5)
    monkeypatch.setattr(inference, "burst", lambda run, x: 0.04 * len(x))  # 12 samples in half a second
    with_engines(monkeypatch, seconds={"PyTorch": (1, 1)})
    assert list(compile_inference(net, SIZE).engines) == [1, 12]


def test_what_is_not_installed_is_said(net, monkeypatch):
    monkeypatch.setattr(program, "find_spec", lambda name: None)
    fast = compile_inference(net, SIZE)
    assert fast.reason.endswith(
        "; OpenVINO needs openvino, which is not installed. Hint: pip install 'lenrek[openvino]'"
        "; ONNX needs onnx, onnxscript, onnxruntime, which are not installed. Hint: pip install 'lenrek[onnx]'"
    )


def test_a_network_without_a_graph_runs_in_pytorch():
    torch.manual_seed(0)
    network = ValueDependent()
    size = (3, 8, 8)
    fast = compile_inference(network, size, dtype=torch.float32)
    assert "; torch.export cannot follow the network: " in fast.reason
    for x in (torch.ones(4, *size), -torch.ones(4, *size)):
        torch.testing.assert_close(fast(x), in_float64(network, x).float(), atol=1e-5, rtol=1e-5)


def test_a_batch_cannot_be_baked_into_the_graph():
    class OfTwo(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.reshape(2, -1)

    with pytest.raises(NotConvertedError, match=r"^torch\.export cannot follow the network: \w+: .*batch"):
        export_program(OfTwo().eval(), SIZE)


def test_converting_says_nothing_and_leaves_warnings_and_logging_alone(net, capfd, caplog):
    pytest.importorskip("onnxruntime")
    filters, disabled = list(warnings.filters), logging.root.manager.disable
    to_onnx(export_program(net.eval(), SIZE))
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert (list(warnings.filters), logging.root.manager.disable) == (filters, disabled)


class Pair(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"model": "lenet5"}, OptionError,
            "compile_inference: model is str, expected a torch.nn.Module.",
        ),
        (
            {"dtype": torch.float16}, OptionError,
            "compile_inference: dtype is torch.float16, expected one of torch.float32, torch.bfloat16.",
        ),
        (
            {"input_size": (2, 0, 7)}, ShapeError,
            "compile_inference: input_size is (2, 0, 7), expected (channels, *size), each at least 1.",
        ),
        (
            {"example": torch.zeros(3, 2, 9, 8)}, ShapeError,
            "compile_inference: example is (3, 2, 9, 8), but input_size asks for (at least 1, 2, 9, 7).",
        ),
        (
            {"model": Pair()}, ModelError,
            "compile_inference: the network returns tuple for 2 samples, expected one tensor (2, …).",
        ),
        (
            {"model": nn.Flatten(0)}, ModelError,
            "compile_inference: the network returns shape (252,) for 2 samples, expected one tensor (2, …).",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_compiled_says_why(net, arguments, error, message):
    with pytest.raises(error) as caught:
        compile_inference(**{"model": net, "input_size": SIZE} | arguments)
    assert str(caught.value) == message


def test_an_input_of_another_size_or_type(net, monkeypatch):
    with_engines(monkeypatch, seconds={"PyTorch": (1, 1)})
    fast = compile_inference(net, SIZE)
    with pytest.raises(ShapeError) as caught:
        fast(torch.zeros(4, 2, 9, 8))
    assert str(caught.value) == (
        "compile_inference: x is (4, 2, 9, 8), but the network was compiled for (batch, 2, 9, 7).\n"
        "  Hint: compile it once for every size."
    )
    with pytest.raises(OptionError) as caught:
        fast(torch.zeros(4, *SIZE, dtype=torch.uint8))
    assert str(caught.value) == (
        "compile_inference: x is torch.uint8, expected a floating type.\n  Hint: scale and normalise it as in training."
    )


INTERRUPTED = """
import os, signal, time
import torch
from lenrek.optimization.program import export_program
from lenrek.optimization.to_openvino import OpenVinoRunner, has_bfloat16, to_openvino
model = to_openvino(export_program(torch.nn.Conv2d(2, 3, 3).eval(), (2, 9, 7)))
has_bfloat16()
runners = [OpenVinoRunner(model, torch.float32) for _ in range(2)]
del runners[0]
has_bfloat16()
del runners[0]
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.skipif(os.name != "posix", reason="a signal to this process alone")
def test_ctrl_c_is_taken_on_a_stack_that_is_still_there():
    pytest.importorskip("openvino")
    ran = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (0, "interrupted\n"), ran.stderr
