"""A trained network, named in one line: a run, a model file, an architecture with weights, or a public repository."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lenrek.errors import ModelError
from lenrek.models.create import create_model
from lenrek.models.hub import load_from_hub
from lenrek.models.model_file import load_model
from lenrek.models.registry import ARCHITECTURES, find_architecture

if TYPE_CHECKING:
    from torch import nn

HUB = "hub:"
SHIPPED = Path(__file__).parent / "shipped"  # networks that we trained, one file each; see its README


def load_pretrained(name: str | Path) -> nn.Module:
    """The network that `name` stands for, in evaluation mode, with its `contract` and `architecture`.

    Args:
        name: a run's folder or a model file; `ARCHITECTURE:FILE`, such as `squeezenet1_1:weights.safetensors`, for
            plain weights (safetensors, or a `.pth` that holds nothing but tensors); `hub:OWNER/REPOSITORY` on
            Hugging Face, such as `hub:timm/resnet18.a1_in1k`; or `resnet9_small`, which comes with lenrek.
    Raises:
        ModelError: an unknown architecture, or a name of none of these forms.
        CheckpointError: a file that is missing, damaged or for another network; a repository that cannot be read.
    Example:
        >>> from lenrek.models.model_file import save_model
        >>> net, file = create_model("lenet5", 3, 1), getfixture("tmp_path") / "model.safetensors"
        >>> save_model(file, net, "lenet5", net.contract, {})
        >>> load_pretrained(file).contract.classes
        ('0', '1', '2')
    """
    text = str(name)
    if text.startswith(HUB):
        return load_from_hub(text.removeprefix(HUB))
    architecture, colon, file = text.partition(":")
    if colon and architecture and not Path(text).exists() and (architecture in ARCHITECTURES or len(architecture) > 1):
        return create_model(find_architecture(architecture).name, weights=file).eval()  # a drive, C:, has one letter
    if text in ARCHITECTURES and not Path(text).exists():
        shipped = SHIPPED / f"{text}.safetensors"
        if shipped.exists():
            return load_model(shipped)[0]
        raise ModelError(
            f"load_pretrained: {text} is an architecture without weights.\n"
            f"  Hint: {text}:FILE names a file of weights for it, hub:OWNER/REPOSITORY public ones; "
            f"{', '.join(sorted(file.stem for file in SHIPPED.glob('*.safetensors')))} comes with lenrek."
        )
    return load_model(name)[0]
