"""Networks cut at a layer, pooling, projection and the embedder: against PyTorch's hooks and NumPy's loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lenrek.errors import ModelError, OptionError
from lenrek.models.contract import InputContract
from lenrek.models.create import create_model
from lenrek.search.cut import CutNetwork
from lenrek.search.embedding import Embedder, EmbeddingConfig
from lenrek.search.pooling import Pool, regions
from lenrek.search.projection import fit_projection


class ValueDependent(nn.Module):
    """No graph: what it does depends on the values of its input. The second convolution must not run when cut."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 3, (2, 3)), nn.Conv2d(3, 4, 2)
        self.fc = nn.Linear(4, 5)
        self.ran = 0

    def forward(self, x):
        y = self.first(x) if x.sum() > -1e9 else x
        self.ran += 1
        return self.fc(self.second(y).mean((2, 3)))


def seen_by_hook(network, layer, x):
    seen = []
    hook = network.get_submodule(layer).register_forward_hook(lambda module, args, out: seen.append(out.clone()))
    with torch.inference_mode():
        network.eval()(x)
    hook.remove()
    return seen[-1]


@pytest.mark.parametrize(
    ("name", "size", "layer"),
    [
        ("squeezenet1_1", (3, 64, 79), "features.7"),
        ("resnet20", (3, 32, 30), "layer2"),
        ("resnet18", (3, 64, 65), "layer3.1.conv1"),
        ("mobilenet_v2", (3, 64, 66), "features.4.conv.0"),
        ("m5", (1, 3001), "features.1"),
    ],
)
def test_a_cut_network_returns_what_the_layer_does(name, size, layer):
    torch.manual_seed(0)
    network = create_model(name, 7, size[0], len(size) - 1).eval()
    x = torch.randn(2, *size)
    cut = CutNetwork(network, size, layer)
    expected = seen_by_hook(network, layer, x)
    torch.testing.assert_close(cut(x), expected)
    assert cut.features == tuple(expected.shape[1:])


@pytest.mark.parametrize(
    ("name", "size", "before", "features"),
    [
        ("squeezenet1_1", (3, 64, 79), "classifier.1", (512, 3, 4)),
        ("resnet18", (3, 64, 96), "fc", (512, 2, 3)),
        ("resnet20", (3, 32, 48), "linear", (64, 8, 12)),
        ("vgg11", (3, 64, 64), "classifier.6", (4096,)),
        ("lenet5", (1, 28, 28), "classifier.5", (84,)),
    ],
)
def test_by_default_the_last_features_before_the_classifier(name, size, before, features):
    cut = CutNetwork(create_model(name, 7, size[0], 2), size)
    assert (cut.layer, cut.features) == (f"before {before}", features)


def test_nothing_beyond_the_layer_is_computed_or_held():
    network = create_model("squeezenet1_1", 7, 3)
    held = CutNetwork(network, (3, 64, 64), "features.3").state_dict()
    assert len(held) > 4
    assert all("features.0." in name or "features.3." in name for name in held)
    assert not any("classifier" in name or "features.12" in name for name in held)


def test_a_network_without_a_graph_is_left_at_the_layer():
    network = ValueDependent()
    x = torch.randn(3, 2, 6, 7)
    cut = CutNetwork(network, (2, 6, 7), "first")
    network.second.forward = lambda x: pytest.fail("the layer after the cut ran")
    torch.testing.assert_close(cut(x), network.first(x))
    assert not network.first._forward_hooks


def test_a_network_without_a_graph_by_default():
    network = ValueDependent()
    x = torch.randn(3, 2, 6, 7)
    cut = CutNetwork(network, (2, 6, 7))
    assert cut.layer == "before fc"
    torch.testing.assert_close(cut(x), network.second(network.first(x)).mean((2, 3)))


def test_a_layer_that_is_not_there():
    with pytest.raises(ModelError, match=r"index: the network has no layer 'feature'.\n  Hint: did you mean features?"):
        CutNetwork(create_model("squeezenet1_1", 7, 3), (3, 64, 64), "feature")


def pooled_by_loops(x, kind, power):
    found = np.zeros(x.shape[:2])
    for b in range(x.shape[0]):
        for c in range(x.shape[1]):
            values = [float(v) for v in x[b, c].ravel()]
            if kind == "average":
                found[b, c] = sum(values) / len(values)
            elif kind == "max":
                found[b, c] = max(values)
            else:
                found[b, c] = (sum(max(v, 1e-6) ** power for v in values) / len(values)) ** (1 / power)
    return found


@pytest.mark.parametrize("kind", ["average", "gem", "max"])
@pytest.mark.parametrize("size", [(5,), (4, 7), (2, 3, 5)])
def test_pooling(kind, size, rng):
    x = rng.standard_normal((2, 3, *size)).astype(np.float32)
    found = Pool(kind, power=2.5)(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, pooled_by_loops(x, kind, 2.5), rtol=1e-5)


def test_regional_maxima(rng):
    x = rng.standard_normal((2, 3, 4, 6)).astype(np.float32)
    total = np.zeros((2, 3))
    for rows, columns in regions((4, 6)):
        for b in range(2):
            vector = np.array([x[b, c, rows, columns].max() for c in range(3)], np.float64)
            total[b] += vector / np.linalg.norm(vector)
    expected = total / np.linalg.norm(total, axis=1, keepdims=True)
    np.testing.assert_allclose(Pool("rmac")(torch.from_numpy(x)).numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (13, 13), (7, 30)])
def test_regions_cover_every_place(size):
    covered = np.zeros(size, int)
    for region in regions(size):
        assert covered[region].size == min(covered[region].shape) ** 2
        covered[region] += 1
    assert covered.min() >= 1


def test_projection_is_numpys(rng):
    x = rng.standard_normal((50, 7)) @ rng.standard_normal((7, 7))
    found = fit_projection(torch.from_numpy(x).float(), kept=3, whiten=1.0)
    centred = x - x.mean(0)
    variance, directions = np.linalg.eigh(np.cov(x.T, bias=True))
    expected = centred @ directions[:, :-4:-1] / np.sqrt(variance[:-4:-1])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    got = found(torch.from_numpy(x).float()).numpy()
    np.testing.assert_allclose(np.abs(got), np.abs(expected), atol=1e-4)
    np.testing.assert_allclose(got @ got.T, expected @ expected.T, atol=1e-4)


def small_network():
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 2)).eval()


CONTRACT = InputContract(3, (9, 12), (0.4, 0.5, 0.6), (0.2, 0.3, 0.4), ("a", "b"))


def test_an_embedding_by_hand(rng):
    network = small_network()
    x = rng.integers(0, 256, (4, 3, 9, 12), dtype=np.uint8)
    mean, std = (np.array(v).reshape(1, 3, 1, 1) for v in (CONTRACT.mean, CONTRACT.std))
    expected = np.zeros((4, 6))
    for view in (x, x[..., ::-1]):
        normal = torch.from_numpy((view / 255 - mean) / std).float()
        maps = network[1](network[0](normal)).detach().double().numpy()
        vector = np.sqrt((np.maximum(maps, 1e-6) ** 2).mean((2, 3)))
        expected += vector / np.linalg.norm(vector, axis=1, keepdims=True)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    found = Embedder(network, CONTRACT, EmbeddingConfig(flip=True))(torch.from_numpy(x))
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)


def test_several_scales_are_added_up(rng):
    network, x = small_network(), torch.from_numpy(rng.integers(0, 256, (2, 3, 18, 24), dtype=np.uint8))
    both = Embedder(network, CONTRACT, EmbeddingConfig(scales=(1.0, 2.0)))
    assert both.contract.size == (18, 24)
    large = Embedder(network, CONTRACT, EmbeddingConfig(size=(18, 24)))(x)
    small = nn.functional.interpolate(x.float(), (9, 12), mode="bilinear", antialias=True).round().to(torch.uint8)
    mixed = Embedder(network, CONTRACT, EmbeddingConfig())(small) + large
    torch.testing.assert_close(both(x), nn.functional.normalize(mixed), atol=1e-5, rtol=0)


def test_the_fingerprint_is_of_what_matters():
    network = small_network()
    first = Embedder(network, CONTRACT, EmbeddingConfig()).fingerprint
    with torch.no_grad():
        network[4].weight += 1  # the classifier is not looked at
    assert Embedder(network, CONTRACT, EmbeddingConfig(storage="int8")).fingerprint == first
    assert Embedder(network, CONTRACT, EmbeddingConfig(pooling="max")).fingerprint != first
    with torch.no_grad():
        network[0].bias[2] += 1e-3
    assert Embedder(network, CONTRACT, EmbeddingConfig()).fingerprint != first


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"pooling": "sum"}, "index: pooling is 'sum', expected one of average, gem, max, rmac."),
        ({"power": 0.5}, "index: power is 0.5, expected at least 1, which is the average."),
        ({"storage": "int4"}, "index: storage is 'int4', expected one of float32, float16, int8."),
        ({"scales": (1.0, 0.0)}, r"index: scales is \(1.0, 0.0\), expected one or more numbers above 0."),
        ({"pca": 0}, "index: pca is 0, expected at least 1, or None to keep vectors as they are."),
        ({"whiten": 2.0}, r"index: whiten is 2.0, expected 0 \(not at all\) to 1."),
        ({"whiten": 1.0, "pca": None}, "index: whiten has no effect without pca.\n  Hint: give pca, too."),
    ],
)
def test_options_out_of_range(options, said):
    with pytest.raises(OptionError, match=f"^{said}$"):
        EmbeddingConfig(**options)


def test_signals_are_not_mirrored():
    contract = InputContract(1, (3000,), (0.0,), (1.0,), ("a", "b"))
    with pytest.raises(OptionError, match="flip mirrors images, but this network takes 1-D samples"):
        Embedder(create_model("m5", 2, 1, 1), contract, EmbeddingConfig(flip=True))
