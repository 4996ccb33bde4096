import pytest

from lenrek.errors import ModelError
from lenrek.models.registry import ARCHITECTURES, IMAGENET, Architecture, find_architecture, register


@pytest.fixture
def empty_registry(monkeypatch):
    for name in list(ARCHITECTURES):
        monkeypatch.delitem(ARCHITECTURES, name)
    yield
    ARCHITECTURES.clear()


def build(num_classes, in_channels, ndim):
    return (num_classes, in_channels, ndim)


@pytest.mark.usefixtures("empty_registry")
def test_what_is_registered_is_found():
    fields = {
        "ndims": (1, 2),
        "min_size": 5,
        "default_size": 32,
        "source": "A 1998",
        "learning_rate": 0.02,
        "published": IMAGENET,
    }
    assert register("net", **fields)(build) is build
    assert find_architecture("net") == Architecture(name="net", build=build, **fields)


@pytest.mark.usefixtures("empty_registry")
def test_a_name_is_registered_once():
    register("net", ndims=(2,), min_size=5, default_size=32, source="A 1998")(build)
    with pytest.raises(ModelError) as caught:
        register("net", ndims=(2,), min_size=5, default_size=32, source="B 2012")(build)
    assert str(caught.value) == "register: the name 'net' is taken by A 1998."
    assert find_architecture("net").source == "A 1998"
