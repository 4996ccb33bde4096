import numpy as np
import pytest
import torch

from lenrek.data.normalise import normalise
from lenrek.errors import DataError, ShapeError
from lenrek.models.contract import InputContract

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.mark.parametrize(("dtype", "full_scale"), [(torch.uint8, 255), (torch.int16, 32768), (torch.float32, 1)])
@pytest.mark.parametrize("size", [(11,), (4, 5), (2, 3, 4)])
def test_values(dtype, full_scale, size):
    contract = InputContract(3, size, MEAN, STD, ("a", "b"))
    x = (torch.rand(7, 3, *size) * full_scale * 0.99).to(dtype)
    before = x.clone()
    y = normalise(x, contract)
    assert y.dtype == torch.float32
    shape = (3, *(1 for _ in size))
    expected = (x.numpy().astype(np.float64) / full_scale - np.reshape(MEAN, shape)) / np.reshape(STD, shape)
    np.testing.assert_allclose(y.numpy(), expected, atol=1e-6)
    assert torch.equal(x, before)


def test_channels_last_memory_is_kept():
    x = torch.zeros(2, 3, 4, 5, dtype=torch.uint8).contiguous(memory_format=torch.channels_last)
    y = normalise(x, InputContract(3, (4, 5), MEAN, STD, ("a", "b")))
    assert y.is_contiguous(memory_format=torch.channels_last)


def test_what_does_not_fit_is_refused():
    contract = InputContract(3, (4, 5), MEAN, STD, ("a", "b"))
    with pytest.raises(ShapeError) as error:
        normalise(torch.zeros(2, 1, 4, 5), contract)
    assert str(error.value) == (
        "normalise: x is (2, 1, 4, 5), but the network expects 3 channels and 1 + 1 + 2 = 4 axes "
        "(batch, channels, *size)."
    )
    with pytest.raises(ShapeError) as error:
        normalise(torch.zeros(2, 3, 4, 5, dtype=torch.int64), contract)
    assert str(error.value) == "normalise: x is int64, but one of uint8, int16, float32 is expected."


def test_numbers_mean_what_they_meant_in_training():
    x = torch.tensor([[[0, 219]]])
    trained_on_floats = InputContract(1, (2,), (100.0,), (50.0,), ("a", "b"), full_scale=1)
    for dtype in (torch.uint8, torch.int16, torch.float32):  # beyond one: the same numbers, whatever they are stored as
        assert normalise(x.to(dtype), trained_on_floats).flatten().tolist() == pytest.approx([-2.0, 2.38])
    trained_up_to_one = InputContract(1, (2,), (0.5,), (0.25,), ("a", "b"), full_scale=1)
    assert normalise(x.to(torch.uint8), trained_up_to_one)[0, 0, 1].item() == pytest.approx((219 / 255 - 0.5) / 0.25)
    trained_on_bytes = InputContract(1, (2,), (0.5,), (0.25,), ("a", "b"))
    with pytest.raises(DataError) as error:
        normalise(x.float(), trained_on_bytes)
    assert str(error.value) == (
        "the samples are float32 with values up to 219, but this network was trained on whole numbers divided by 255, "
        "so that floats must lie within −1…1.\n  Hint: divide them by 255, or pass whole numbers."
    )
