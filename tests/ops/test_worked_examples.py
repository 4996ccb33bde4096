"""The worked examples of the textbook, with their numbers: what a reader can redo by hand.

The costs of dense, local and shared layers as formulas, and receptive fields, are in tests/geometry.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import toeplitz
from sklearn.datasets import load_digits

import oracles
from lenrek import nn, ops

IMAGE = [[3, 3, 2, 1, 0], [0, 0, 1, 3, 1], [3, 1, 2, 2, 3], [2, 0, 0, 2, 2], [2, 0, 0, 0, 1]]
KERNEL = [[0, 1, 2], [2, 2, 0], [0, 1, 2]]
CIRCLE = {"padding": "same", "boundary": "circular"}


def one_channel(values) -> torch.Tensor:
    """Nested lists as an input of one channel, or as a weight from one channel to one once more."""
    return torch.as_tensor(values)[None]


def random(*shape) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(len(shape)))


def test_a_correlation_on_an_image_of_5x5():
    expected = [[12, 12, 17], [10, 17, 19], [9, 6, 14]]
    x, weight = one_channel(IMAGE), one_channel(KERNEL)[None]
    assert ops.correlate(x, weight)[0].tolist() == expected
    assert ops.convolve(x, weight.flip(2, 3))[0].tolist() == expected
    assert ops.convolve(x, weight)[0].tolist() == [[18, 20, 19], [10, 9, 17], [11, 8, 14]]  # the kernel reversed
    layer = nn.Conv2d(1, 1, 3, bias=False)
    layer.load_state_dict({"weight": weight.float()})
    assert layer(x.float())[0].tolist() == expected


def test_a_feature_map_of_6x6_and_its_maxima():
    corner = [[3, 3, 2, 1, 0, 0]] * 3 + [[3, 3, 3, 2, 0, 0], [3, 3, 2, 1, 0, 0], [3, 2, 1, 1, 0, 0]]
    cross = one_channel([[1, 0, 1], [0, 1, 0], [1, 0, 1]])[None]
    feature_map = ops.convolve(one_channel(corner), cross, padding="same")
    assert feature_map[0].tolist() == [
        [6, 8, 6, 3, 1, 0],
        [9, 13, 10, 5, 2, 0],
        [9, 14, 11, 6, 3, 0],
        [9, 13, 11, 6, 2, 0],
        [8, 13, 10, 5, 3, 0],
        [6, 7, 5, 3, 1, 0],
    ]
    assert ops.max_pool(feature_map, (2, 2))[0].tolist() == [[13, 10, 2], [14, 11, 3], [13, 10, 3]]
    assert ops.correlate(one_channel(corner), cross, padding="same").equal(feature_map)  # the cross is symmetric


def test_an_input_of_3x5_with_padding_2_1_and_stride_2_2():
    x, weight = torch.arange(15).reshape(1, 3, 5), torch.arange(1, 16).reshape(1, 1, 3, 5)
    y = ops.correlate(x, weight, stride=(2, 2), padding=(2, 1))
    assert y[0].tolist() == [[86, 130], [878, 890], [166, 130]]
    assert nn.Conv2d(1, 1, (3, 5), (2, 2), (2, 1))(x.float()).shape == (1, 3, 2)
    expected = oracles.correlate(x[None].numpy(), weight.numpy(), None, (2, 2), ((2, 2), (1, 1)), (1, 1), 1)
    np.testing.assert_array_equal(y[None], expected)


@pytest.mark.parametrize(("padding", "size"), [("valid", 6 - 3 + 1), ("same", 6), ("full", 6 + 3 - 1)])
def test_convolution_and_correlation_as_sums(padding, size):
    f, g = [1.0, 4, 0, 2, 1, 3], [1.0, -2, 3]
    convolved = ops.convolve(one_channel(f), one_channel(g)[None], padding=padding)[0]
    correlated = ops.correlate(one_channel(f), one_channel(g)[None], padding=padding)[0]
    assert len(convolved) == size
    np.testing.assert_allclose(convolved, np.convolve(f, g, padding))
    np.testing.assert_allclose(correlated, np.correlate(f, g, padding))


def test_a_filter_of_3_on_a_signal_of_5_is_a_toeplitz_matrix():
    g = [7.0, 8.0, 9.0]  # g[−1], g[0], g[1]
    weight = one_channel(g)[None]
    A = ops.filter_matrix(weight, (5,), padding="same", operation="convolve").to_dense()
    assert A.tolist() == [[8, 7, 0, 0, 0], [9, 8, 7, 0, 0], [0, 9, 8, 7, 0], [0, 0, 9, 8, 7], [0, 0, 0, 9, 8]]
    np.testing.assert_array_equal(A, toeplitz([8, 9, 0, 0, 0], [8, 7, 0, 0, 0]))
    f = torch.tensor([1.0, 2, 3, 4, 5])
    assert (A @ f).tolist() == ops.convolve(f[None], weight, padding="same")[0].tolist() == [22, 46, 70, 94, 76]
    transposed = ops.convolve_transposed(f[None], weight, padding=1)[0]
    assert transposed.tolist() == (A.T @ f).tolist() == [26, 50, 74, 98, 68]


def test_every_row_of_the_matrix_reads_the_kernel_backwards():
    kernel = torch.tensor([ord(letter) for letter in "kernel"])
    rows = ops.filter_matrix(kernel[None, None], (9,), operation="convolve").to_dense()
    assert ["".join(chr(code) if code else " " for code in row) for row in rows.tolist()] == [
        "lenrek   ",
        " lenrek  ",
        "  lenrek ",
        "   lenrek",
    ]


def test_the_data_as_a_toeplitz_matrix():
    """The other way round: yᵀ = (h_m … h_1)·X, in 1-D, and with channels and axes one matrix product."""
    x, h = torch.tensor([[1, 4, 0, 2, 1, 3]]), torch.tensor([5, 6, 7])
    X = ops.data_matrix(x, (3,), padding=1)
    assert X.tolist() == [[0, 1, 4, 0, 2, 1], [1, 4, 0, 2, 1, 3], [4, 0, 2, 1, 3, 0]]
    assert X.flip(0).tolist() == toeplitz([4, 1, 0], [4, 0, 2, 1, 3, 0]).tolist()
    assert (h.flip(0) @ X).tolist() == ops.convolve(x, h[None, None], padding="same")[0].tolist()
    x, weight = torch.arange(120).reshape(2, 3, 4, 5), torch.arange(72).reshape(4, 3, 3, 2)
    product = weight.flatten(1) @ ops.data_matrix(x, (3, 2), stride=(1, 2))
    assert product.reshape(2, 4, 2, 2).equal(ops.correlate(x, weight, stride=(1, 2)))


def test_channels_are_summed_and_every_output_has_its_bias():
    images, kernels, bias = random(2, 3, 6, 7), random(4, 3, 3, 2), random(4)
    y = ops.correlate(images, kernels, bias)
    for out in range(4):
        total = sum(ops.correlate(images[:, [k]], kernels[out : out + 1, [k]]) for k in range(3))
        torch.testing.assert_close(y[:, [out]], total + bias[out])
    assert sum(p.numel() for p in nn.Conv2d(3, 8, 5).parameters()) == (5 * 5 * 3 + 1) * 8
    assert nn.Conv2d(3, 8, 5, stride=3, padding=2)(torch.zeros(1, 3, 32, 32)).shape[2] == (32 - 5 + 2 * 2) // 3 + 1


def test_what_dense_local_and_shared_weights_cost():
    image = {"in_size": (250, 250), "padding": "same", "bias": False, "device": "meta"}
    assert nn.LocallyConnected2d(1, 1, 5, **image).weight.numel() == 1_562_500
    assert nn.Conv2d(1, 1, 5, bias=False).weight.numel() == 25
    assert torch.nn.Linear(250**2, 250**2, bias=False, device="meta").weight.numel() == 250**4 == 3_906_250_000
    colour = torch.nn.Linear(256 * 256 * 3, 256 * 256 * 3, bias=False, device="meta").weight
    assert colour.numel() == 38_654_705_664
    assert round(colour.nbytes / 1e9) == 155  # GB in single precision: 144 GiB, "about 150 GB"


def test_convolution_is_commutative_and_correlation_is_not():
    for f, g in ((random(6), random(3)), (random(4, 5), random(3, 2))):
        left, right = (
            {
                operation: operation(a[None], b[None, None], padding="full")
                for operation in (ops.convolve, ops.correlate)
            }
            for a, b in ((f, g), (g, f))
        )
        torch.testing.assert_close(left[ops.convolve], right[ops.convolve])
        torch.testing.assert_close(left[ops.correlate], right[ops.correlate].flip(tuple(range(1, f.ndim + 1))))
        assert not torch.allclose(left[ops.correlate], right[ops.correlate])


@pytest.mark.parametrize("operation", [ops.convolve, ops.correlate])
def test_convolution_is_linear(operation):
    f, h, g = random(1, 2, 6, 7), random(2, 6, 7)[None] ** 3, random(3, 2, 3, 2)
    torch.testing.assert_close(operation(-2.5 * f, g), -2.5 * operation(f, g))
    torch.testing.assert_close(operation(f + h, g), operation(f, g) + operation(h, g))
    torch.testing.assert_close(operation(f, 3 * g + g**2), 3 * operation(f, g) + operation(f, g**2))


@pytest.mark.parametrize("shift", [(1, 0), (0, 1), (2, -3)])
def test_convolution_commutes_with_shifts(shift):
    """C(Tf) = T(Cf): exactly around a circle, with zeros outside where no window meets an edge, with a stride not."""
    f, g = random(1, 2, 9, 10), random(3, 2, 3, 2)
    moved = f.roll(shift, (2, 3))
    torch.testing.assert_close(ops.convolve(moved, g, **CIRCLE), ops.convolve(f, g, **CIRCLE).roll(shift, (2, 3)))
    inside = (..., slice(3, -3), slice(4, -4))
    padded, shifted = (ops.convolve(h, g, padding="same") for h in (f, moved))
    torch.testing.assert_close(shifted[inside], padded.roll(shift, (2, 3))[inside])
    assert not torch.allclose(shifted, padded.roll(shift, (2, 3)))
    strided, by_one = (ops.convolve(h, g, stride=3, **CIRCLE) for h in (f, f.roll(1, 2)))
    assert not any(torch.allclose(by_one, strided.roll(s, 2)) for s in range(3))


def test_only_convolutions_are_linear_and_commute_with_shifts():
    M = random(6, 6)
    shifts = [ops.shift_matrix(6, s, dtype=torch.float64).to_dense() for s in range(6)]
    equivariant = sum(T.T @ M @ T for T in shifts) / 6
    assert not torch.allclose(M @ shifts[1], shifts[1] @ M)
    torch.testing.assert_close(equivariant @ shifts[1], shifts[1] @ equivariant)
    assert not ops.from_dense(M, (6,), 6, **CIRCLE).is_convolution
    found = ops.from_dense(equivariant, (6,), 6, **CIRCLE)
    assert found.is_convolution
    f = random(6)
    torch.testing.assert_close(equivariant @ f, ops.correlate(f[None], found.weight, **CIRCLE)[0])


def test_circulant_matrices_commute_and_the_shift_is_one():
    C, D = ops.circulant(torch.tensor([1.0, 2, 3, 0])), ops.circulant(torch.tensor([5.0, 0, -1, 2]))
    S = ops.shift_matrix(4).to_dense()
    assert C.tolist() == [[1, 0, 3, 2], [2, 1, 0, 3], [3, 2, 1, 0], [0, 3, 2, 1]]
    assert S.equal(ops.circulant(torch.tensor([0.0, 1, 0, 0])))
    assert (C @ D).equal(D @ C)
    assert (C @ S).equal(S @ C)
    w, x = torch.tensor([[[1.0, 2, 3]]]), torch.tensor([4.0, 5, 6, 7])
    sides = [(2, 0)]  # C[p, q] = w[(p − q) mod 4]: the kernel's first sample meets x[p]
    assert ops.convolve(x[None], w, padding=sides, boundary="circular")[0].equal(C @ x)
    A = C + torch.diag(torch.tensor([1.0, 0, 0, 0]))
    assert not (A @ S).equal(S @ A)


def test_with_a_symmetric_kernel_convolution_is_correlation():
    x, kernel = random(1, 1, 8, 9), random(1, 1, 3, 5)
    symmetric = kernel + kernel.flip(2, 3)
    torch.testing.assert_close(ops.convolve(x, symmetric), ops.correlate(x, symmetric))
    assert not torch.allclose(ops.convolve(x, kernel), ops.correlate(x, kernel))


@pytest.mark.parametrize("size", [(7,), (3, 5)])
def test_learned_kernels_come_out_flipped_and_nothing_else_changes(size):
    wanted = random(*size)[None, None]
    wanted[(0, 0, *[-1] * len(size))] = 1.2  # g[3] = 1.2 with correlation will be g[−3] = 1.2 with convolution
    x = random(8, 1, *[20] * len(size))
    target = ops.correlate(x, wanted, padding="same")
    learned, losses = {}, {}
    for operation in (ops.correlate, ops.convolve):
        weight = torch.zeros_like(wanted, requires_grad=True)
        losses[operation] = []
        for _ in range(60):
            loss = (operation(x, weight, padding="same") - target).square().mean()
            (gradient,) = torch.autograd.grad(loss, weight)
            weight = (weight - 0.3 * gradient).detach().requires_grad_()
            losses[operation].append(loss.item())
        learned[operation] = weight.detach()
    axes = tuple(range(2, wanted.ndim))
    assert losses[ops.convolve] == pytest.approx(losses[ops.correlate])
    torch.testing.assert_close(learned[ops.convolve], learned[ops.correlate].flip(axes))
    torch.testing.assert_close(learned[ops.correlate], wanted, rtol=1e-3, atol=1e-3)
    assert learned[ops.convolve][(0, 0, *[0] * len(size))].item() == pytest.approx(1.2, abs=1e-3)


def test_plain_correlation_answers_amplitude_and_bias_and_the_normalised_one_only_shape():
    g = torch.tensor([1.0, 3.0, 2.0])
    segments = torch.stack([g, 10 * g, g + 5, torch.tensor([4.0, 4, 4]), torch.tensor([9.0, 0, 9]), -g])
    plain, normalised = (
        operation(segments[:, None], g[None, None]).flatten().tolist()
        for operation in (ops.correlate, ops.normalized_correlate)
    )
    assert plain == [
        14,
        140,
        44,
        24,
        27,
        -14,
    ]  # a flat line, and a valley: 24 and 27
    assert normalised == pytest.approx([1, 1, 1, 0, -(3**0.5) / 2, -1], abs=1e-6)


def test_a_stride_keeps_every_second_output_and_a_dilation_reads_every_second_sample():
    x, weight = random(1, 2, 11, 12), random(3, 2, 3, 2)
    torch.testing.assert_close(ops.correlate(x, weight, stride=2), ops.correlate(x, weight)[..., ::2, ::2])
    holes = torch.zeros(3, 2, 5, 3, dtype=torch.float64)
    holes[..., ::2, ::2] = weight
    torch.testing.assert_close(ops.correlate(x, weight, dilation=2), ops.correlate(x, holes))


def test_the_gradient_of_a_maximum_is_1_there_and_0_elsewhere():
    x = torch.tensor([[[1.0, 3.0, 2.0, 0.0], [0.0, 2.0, 5.0, 4.0]]], requires_grad=True)
    ops.max_pool(x, (2, 2)).sum().backward()
    assert x.grad.tolist() == [[[0, 1, 0, 0], [0, 0, 1, 0]]]


def test_after_a_shift_every_detector_changes_but_only_half_of_the_maxima():
    """Goodfellow, Bengio & Courville 2016, Deep Learning, figure 9.8."""
    detectors, shifted = (torch.tensor([[values]]) for values in ([0.1, 1, 0.2, 0.1], [0.3, 0.1, 1, 0.2]))
    before, after = (ops.max_pool(x, 3, stride=1, padding=1) for x in (detectors, shifted))
    assert before.flatten().equal(torch.tensor([1, 1, 1, 0.2]))
    assert after.flatten().equal(torch.tensor([0.3, 1, 1, 1]))
    assert ((detectors != shifted).sum(), (before != after).sum()) == (4, 2)


def test_pooling_makes_features_of_digits_less_sensitive_to_a_shift_of_one_pixel():
    """‖F(Tx) − F(x)‖/‖F(x)‖ over 1797 handwritten digits, framed so that nothing is lost."""
    x = torch.nn.functional.pad(torch.from_numpy(load_digits().images)[:, None], (2, 2, 2, 2))
    edges = torch.tensor([[[-1.0, 0, 1]] * 3], dtype=torch.float64)
    weight = torch.stack([edges, -edges, edges.mT, -edges.mT])

    def change(pool) -> float:
        before, after = (pool(ops.correlate(h, weight, padding="same").relu()) for h in (x, x.roll(1, 3)))
        return ((after - before).flatten(1).norm(dim=1) / before.flatten(1).norm(dim=1)).mean().item()

    changes = [change(pool) for pool in (lambda y: y, lambda y: ops.max_pool(y, 2), lambda y: ops.max_pool(y, 4),
                                         ops.global_max_pool)]  # fmt: skip
    assert changes == pytest.approx([0.835, 0.605, 0.484, 0], abs=1e-3)  # as they are, 2×2, 4×4, whole map
