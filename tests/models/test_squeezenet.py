import io
import tarfile

import numpy as np
import pytest
import torch
from network_checks import check_minimum, check_trains, count_parameters
from PIL import Image

from lenrek.models.create import create_model
from lenrek.models.squeezenet import SqueezeNet


def test_parameters_are_those_of_the_public_checkpoint():
    assert count_parameters(SqueezeNet(1000, 3, 2)) == 1_235_496


@pytest.mark.parametrize("size", [(40, 17), (50,), (17, 22, 30)])
def test_every_parameter_gets_a_gradient(size):
    check_trains("squeezenet1_1", size)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_minimum_is_true(ndim):
    check_minimum("squeezenet1_1", ndim)


@pytest.fixture(scope="module")
def daisies(real_data) -> list[Image.Image]:
    """The first 20 photos of daisies in the archive."""
    photos = []
    with tarfile.open(real_data / "flowers.tar.gz") as archive:
        for member in archive:
            if "/daisy/" in member.name and member.isfile():
                photos.append(Image.open(io.BytesIO(archive.extractfile(member).read())).convert("RGB"))
            if len(photos) == 20:
                return photos
    raise AssertionError(f"only {len(photos)} daisies in the archive")


def test_public_weights_name_real_photos(real_weights, daisies):
    """Measured: 15 of 20 are called daisies, without being told that they are flowers, among 1,000 classes."""
    network = create_model("squeezenet1_1", weights=real_weights / "squeezenet1_1-imagenet.safetensors").eval()
    contract = network.contract
    assert (contract.channels, contract.size, contract.fit) == (3, (227, 227), "crop")
    assert (contract.mean, contract.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    short_side = round(contract.size[0] / contract.crop_fraction)
    assert short_side == 256
    batch = []
    for photo in daisies:
        scale = short_side / min(photo.size)
        photo = photo.resize([round(side * scale) for side in photo.size], Image.Resampling.BILINEAR)
        left, top = ((side - 227) // 2 for side in photo.size)
        batch.append((np.asarray(photo.crop((left, top, left + 227, top + 227))) / 255 - contract.mean) / contract.std)
    with torch.inference_mode():
        best = network(torch.tensor(np.stack(batch), dtype=torch.float32).permute(0, 3, 1, 2)).argmax(1)
    names = [contract.classes[i] for i in best]
    assert len(names) == 20
    assert names.count("daisy") >= 14, names
