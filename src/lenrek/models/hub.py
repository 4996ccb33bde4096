"""Public weights from the Hugging Face hub, under the key names of our architectures."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lenrek.errors import CheckpointError, OptionError
from lenrek.models.contract import InputContract
from lenrek.models.create import create_model
from lenrek.models.model_file import MODEL_FILE, load_model
from lenrek.models.weights import fill, read_weights

if TYPE_CHECKING:
    from torch import Tensor, nn

CONFIG_FILE = "config.json"
Tensors = dict[str, "Tensor"]


def load_from_hub(repository: str) -> nn.Module:
    """The network in `OWNER/NAME`: one that lenrek saved, or a ResNet, VGG or MobileNetV2 of timm.

    Files are downloaded once into the hub's own cache; only `config.json` and `model.safetensors` are read.

    Args:
        repository: with `@REVISION` behind it, a branch, tag or commit.
    Raises:
        OptionError: `huggingface_hub` is not installed.
        CheckpointError: no such repository, no network to reach it, or a network that is none of ours.
    Source: https://huggingface.co/docs/huggingface_hub; key names of timm 1.0.
    """
    repository, _, revision = repository.partition("@")
    config = json.loads(_file(repository, CONFIG_FILE, revision or None).read_text())
    weights = _file(repository, MODEL_FILE, revision or None)
    tensors, metadata = read_weights(weights)
    if "lenrek" in metadata:
        return load_model(weights)[0]
    theirs = str(config.get("architecture", config.get("model_type", "")))
    if theirs not in TIMM:
        raise CheckpointError(
            f"hub:{repository} holds a {theirs or 'network without a name'}, but only these are read: "
            f"{', '.join(sorted(TIMM))}."
        )
    name, renamed = TIMM[theirs]
    tensors = renamed(tensors)
    network = create_model(name, int(config["num_classes"]), ndim=2, in_channels=_channels(config))
    fill(network, tensors, f"hub:{repository}")
    network.contract = _contract(config)  # type: ignore[assignment]
    return network.eval()


def _file(repository: str, file: str, revision: str | None) -> Path:
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    except ImportError as error:
        raise OptionError(
            "hub: public weights need huggingface_hub, which is not installed.\n  Hint: pip install 'lenrek[hub]'"
        ) from error
    try:
        return Path(hf_hub_download(repository, file, revision=revision))
    except HFValidationError as error:
        raise CheckpointError(f"hub:{repository}: expected OWNER/NAME.") from error
    except LocalEntryNotFoundError as error:
        raise CheckpointError(
            f"hub:{repository}: {file} is not in the cache, and the hub cannot be reached.\n"
            "  Hint: download the file elsewhere and name it as ARCHITECTURE:FILE."
        ) from error
    except (HfHubHTTPError, OSError) as error:
        reason = str(error).strip().split("\n")[0]
        raise CheckpointError(f"hub:{repository}: {file} cannot be had: {reason}.") from error


def _pretrained(config: dict[str, Any]) -> dict[str, Any]:
    return config.get("pretrained_cfg", config)


def _channels(config: dict[str, Any]) -> int:
    return int(_pretrained(config).get("input_size", [3])[0])


def _contract(config: dict[str, Any]) -> InputContract:
    """What timm says about the input, in our words."""
    cfg = _pretrained(config)
    channels, *size = cfg["input_size"]
    classes = tuple(map(str, cfg.get("label_names") or config.get("label_names") or range(config["num_classes"])))
    return InputContract(
        channels, tuple(size), tuple(cfg["mean"]), tuple(cfg["std"]), classes, "crop", float(cfg.get("crop_pct", 1))
    )


def _same(tensors: Tensors) -> Tensors:
    return tensors


def _vgg(tensors: Tensors) -> Tensors:
    """timm's first two linear layers are convolutions over the 7×7 that is left."""
    layers = {"pre_logits.fc1": "classifier.0", "pre_logits.fc2": "classifier.3", "head.fc": "classifier.6"}
    renamed = {}
    for key, tensor in tensors.items():
        layer, _, kind = key.rpartition(".")
        is_kernel = layer in layers and tensor.ndim > 2
        renamed[f"{layers.get(layer, layer)}.{kind}"] = tensor.flatten(1) if is_kernel else tensor
    return renamed


# Where timm's MobileNetV2 counts stages and blocks, the original counts blocks alone.
_BLOCKS = (1, 2, 3, 4, 3, 3, 1)
_PARTS = (
    {"conv_dw": "conv.0.0", "bn1": "conv.0.1", "conv_pw": "conv.1", "bn2": "conv.2"},  # the first does not expand
    {
        "conv_pw": "conv.0.0", "bn1": "conv.0.1", "conv_dw": "conv.1.0", "bn2": "conv.1.1", "conv_pwl": "conv.2",
        "bn3": "conv.3",
    },
)  # fmt: skip
_ENDS = {
    "conv_stem": "features.0.0", "bn1": "features.0.1", "conv_head": "features.18.0", "bn2": "features.18.1",
    "classifier": "classifier.1",
}  # fmt: skip


def _mobilenet_v2(tensors: Tensors) -> Tensors:
    def renamed(key: str) -> str:
        layer, _, kind = key.rpartition(".")
        if found := re.fullmatch(r"blocks\.(\d+)\.(\d+)\.(\w+)", layer):
            stage, block, part = int(found[1]), int(found[2]), found[3]
            return f"features.{1 + sum(_BLOCKS[:stage]) + block}.{_PARTS[stage > 0].get(part, part)}.{kind}"
        return f"{_ENDS.get(layer, layer)}.{kind}"

    return {renamed(key): tensor for key, tensor in tensors.items()}


TIMM: dict[str, tuple[str, Callable[[Tensors], Tensors]]] = {
    **{name: (name, _same) for name in ("resnet18", "resnet34", "resnet50")},
    **{f"vgg{depth}{norm}": (f"vgg{depth}{norm}", _vgg) for depth in (11, 13, 16, 19) for norm in ("", "_bn")},
    "mobilenetv2_100": ("mobilenet_v2", _mobilenet_v2),
}
