"""Each operation as plain NumPy float64 loops over its definition; nothing here knows lenrek, PyTorch or SciPy."""

from __future__ import annotations

from itertools import product

import numpy as np


def source(position: int, size: int, boundary: str | float) -> int | None:
    """The sample that a position outside the axis repeats, None for zeros or a number: by walking there."""
    if boundary == "circular":
        while position < 0:
            position += size
        while position >= size:
            position -= size
    elif boundary == "replicate":
        position = 0 if position < 0 else size - 1 if position >= size else position
    elif boundary == "reflect":
        position = -position if position < 0 else position if position < size else size - 1 - (position - (size - 1))
    elif boundary == "symmetric":
        position = -position - 1 if position < 0 else position if position < size else size - 1 - (position - size)
    return position if 0 <= position < size else None


def sample(x: np.ndarray, position: tuple[int, ...], boundary: str | float) -> np.ndarray:
    """x (…, *size) read at one position, inside or outside, for all leading axes."""
    places = [source(p, n, boundary) for p, n in zip(position, x.shape[x.ndim - len(position) :], strict=True)]
    if None in places:
        return np.full(x.shape[: x.ndim - len(position)], 0.0 if isinstance(boundary, str) else boundary)
    return x[(..., *places)]


def correlate(x, weight, bias, stride, sides, dilation, groups, boundary="zeros"):
    """y[b,o,p] = bias[o] + Σ_{i,k} weight[o,i,k] · x[b, group(o)·I + i, stride·p + dilation·k − before], per axis."""
    kernel, per_group = weight.shape[2:], weight.shape[1]
    size = [
        (n + before + after - d * (k - 1) - 1) // s + 1
        for n, (before, after), d, k, s in zip(x.shape[2:], sides, dilation, kernel, stride, strict=True)
    ]
    y = np.zeros((x.shape[0], weight.shape[0], *size), dtype=np.result_type(x, weight, np.float64))
    for p in product(*map(range, size)):
        for k in product(*map(range, kernel)):
            position = tuple(
                s * q + d * j - before for s, q, d, j, (before, _) in zip(stride, p, dilation, k, sides, strict=True)
            )
            value = sample(x, position, boundary)  # (batch, in_channels)
            for o in range(weight.shape[0]):
                first = o // (weight.shape[0] // groups) * per_group
                for i in range(per_group):
                    y[(slice(None), o, *p)] += weight[(o, i, *k)] * value[:, first + i]
    return y if bias is None else y + bias.reshape(-1, *[1] * len(size))


def windows_of(x, kernel, stride, dilation):
    """w[…, *p, *k] = x[…, stride·p + dilation·k]; all per axis, over the last axes of x."""
    leading, size = x.shape[: x.ndim - len(kernel)], x.shape[x.ndim - len(kernel) :]
    out = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(size, kernel, stride, dilation, strict=True)]
    w = np.zeros((*leading, *out, *kernel), dtype=x.dtype)
    for p in product(*map(range, out)):
        for k in product(*map(range, kernel)):
            place = tuple(s * q + d * j for s, q, d, j in zip(stride, p, dilation, k, strict=True))
            w[(..., *p, *k)] = x[(..., *place)]
    return w


def filter_matrix(weight, in_size, stride, sides, dilation, groups, boundary="zeros", order="C"):
    """A[(o,p), (group(o)·I + i, source(stride·p + dilation·k − before))] += weight[o,i,k]; order as in NumPy."""
    outs, per_group, *kernel = weight.shape
    out_size = [
        (n + before + after - d * (k - 1) - 1) // s + 1
        for n, (before, after), d, k, s in zip(in_size, sides, dilation, kernel, stride, strict=True)
    ]
    P, Q = int(np.prod(out_size)), int(np.prod(in_size))
    A = np.zeros((outs * P, groups * per_group * Q), dtype=weight.dtype)
    for o, i in product(range(outs), range(per_group)):
        channel = o // (outs // groups) * per_group + i
        for p, k in product(product(*map(range, out_size)), product(*map(range, kernel))):
            place = [
                source(s * q + d * j - before, n, boundary)
                for s, q, d, j, (before, _), n in zip(stride, p, dilation, k, sides, in_size, strict=True)
            ]
            if None not in place:
                row = o * P + np.ravel_multi_index(p, out_size, order=order)
                column = channel * Q + np.ravel_multi_index(place, in_size, order=order)
                A[row, column] += weight[(o, i, *k)]
    return A


def data_matrix(x, kernel, stride, sides, dilation, boundary="zeros"):
    """D[b, (c, k), p] = x[b, c, stride·p + dilation·k − before], kernel and output numbered row-major."""
    out_size = [
        (n + before + after - d * (k - 1) - 1) // s + 1
        for n, (before, after), d, k, s in zip(x.shape[2:], sides, dilation, kernel, stride, strict=True)
    ]
    taps = int(np.prod(kernel))
    D = np.zeros((x.shape[0], x.shape[1] * taps, int(np.prod(out_size))), dtype=x.dtype)
    for column, p in enumerate(product(*map(range, out_size))):
        for tap, k in enumerate(product(*map(range, kernel))):
            position = tuple(
                s * q + d * j - before for s, q, d, j, (before, _) in zip(stride, p, dilation, k, sides, strict=True)
            )
            D[:, tap::taps, column] = sample(x, position, boundary)
    return D


def local_correlate(x, weight, bias, stride, sides, dilation, groups, boundary="zeros"):
    """As `correlate`, with weight (*out_size, out_channels, in_channels/groups, *kernel_size), bias (out, *out)."""
    ndim = x.ndim - 2
    size, (outputs, per_group), kernel = weight.shape[:ndim], weight.shape[ndim : ndim + 2], weight.shape[ndim + 2 :]
    y = np.zeros((x.shape[0], outputs, *size), dtype=np.result_type(x, weight, np.float64))
    for p in product(*map(range, size)):
        for k in product(*map(range, kernel)):
            position = tuple(
                s * q + d * j - before for s, q, d, j, (before, _) in zip(stride, p, dilation, k, sides, strict=True)
            )
            value = sample(x, position, boundary)  # (batch, in_channels)
            for o in range(outputs):
                first = o // (outputs // groups) * per_group
                for i in range(per_group):
                    y[(slice(None), o, *p)] += weight[(*p, o, i, *k)] * value[:, first + i]
    return y if bias is None else y + bias


def pooled(x, kernel, stride, sides, dilation, boundary, ceil_mode, reduce):
    """reduce(samples, places) of every window of x (*size): in row-major order the samples that take part, and where
    each lies in x (None for a constant). Nothing beyond the padding takes part; with "ignore" nothing outside x."""
    starts = []
    for n, k, s, (before, after), d in zip(x.shape, kernel, stride, sides, dilation, strict=True):
        found = [q for q in range(-before, n + after, s) if q + d * (k - 1) < n + after]
        following = found[-1] + s
        if ceil_mode and found[-1] + d * (k - 1) < n + after - 1 and following < n:
            found.append(following)
        starts.append(found)
    y = [[] for _ in range(2)]
    for corner in product(*starts):
        samples, places = [], []
        for k in product(*map(range, kernel)):
            position = tuple(q + d * j for q, d, j in zip(corner, dilation, k, strict=True))
            if any(q >= n + after for q, n, (_, after) in zip(position, x.shape, sides, strict=True)):
                continue
            found = [source(q, n, boundary) for q, n in zip(position, x.shape, strict=True)]
            if None in found and boundary == "ignore":
                continue
            samples.append(sample(x, position, boundary)[()])
            places.append(None if None in found else int(np.ravel_multi_index(found, x.shape)))
        for results, result in zip(y, reduce(samples, places), strict=True):
            results.append(result)
    size = [len(found) for found in starts]
    return [np.array(results).reshape(size) for results in y]


def max_pool(x, kernel, stride, sides, dilation, boundary, ceil_mode):
    """Of x (*size): the largest sample of each window, and where the first such one lies (−1 for a constant)."""

    def first_largest(samples, places):
        best = 0
        for i in range(len(samples)):
            if samples[i] > samples[best]:
                best = i
        return samples[best], -1 if places[best] is None else places[best]

    return pooled(x, kernel, stride, sides, dilation, boundary, ceil_mode, first_largest)


def average_pool(x, kernel, stride, sides, dilation, boundary, ceil_mode):
    """Of x (*size): the mean of each window, and how many samples it has."""
    return pooled(x, kernel, stride, sides, dilation, boundary, ceil_mode, lambda s, _: (sum(s) / len(s), len(s)))


def lp_pool(x, norm_type, kernel, stride, sides, dilation, boundary, ceil_mode):
    """Of x (*size): the p-norm of each window."""

    def norm(samples, _):
        sizes = [abs(value) for value in samples]
        return max(sizes) if norm_type == np.inf else sum(s**norm_type for s in sizes) ** (1 / norm_type), 0

    return pooled(x, kernel, stride, sides, dilation, boundary, ceil_mode, norm)[0]


def adaptive_pool(x, out_size, reduce):
    """Of x (*size): reduce of the samples ⌊p·n/m⌋ … ⌈(p + 1)·n/m⌉ − 1 along every axis."""
    y = np.empty(out_size)
    for p in product(*map(range, out_size)):
        bounds = [(q * n // m, ((q + 1) * n + m - 1) // m) for q, n, m in zip(p, x.shape, out_size, strict=True)]
        y[p] = reduce(x[tuple(slice(a, b) for a, b in bounds)])
    return y


def spectral_pool(x, out_size):
    """Of x (*size): the sum over all waves of the input, by the definition of the discrete Fourier transform, at p·n/m;
    of a wave that the size n or m cannot tell from its mirror image both are taken, with half the weight each."""
    y = np.asarray(x, dtype=complex)
    for axis, (n, m) in enumerate(zip(x.shape, out_size, strict=True)):
        low, matrix = min(n, m), np.zeros((m, n), dtype=complex)
        for f in range(-(low // 2), low // 2 + 1):
            weight = 0.5 if 2 * abs(f) == n and n < m else 1.0
            if n == m and f == -n / 2:
                weight = 0.0
            for p in range(m):
                for i in range(n):
                    matrix[p, i] += weight * np.exp(2j * np.pi * f * (p / m - i / n)) / n
        y = np.moveaxis(np.tensordot(matrix, y, (1, axis)), 0, axis)
    return y


def normalized_correlate(x, template, stride, sides, dilation, groups, boundary="zeros"):
    """Pearson's coefficient of every window, all channels of the group together, with every template, or 0."""
    kernel, per_group, outputs = template.shape[2:], template.shape[1], template.shape[0]
    size = [
        (n + before + after - d * (k - 1) - 1) // s + 1
        for n, (before, after), d, k, s in zip(x.shape[2:], sides, dilation, kernel, stride, strict=True)
    ]
    y = np.zeros((x.shape[0], outputs, *size))
    for p in product(*map(range, size)):
        window = np.stack(
            [
                sample(
                    x,
                    tuple(s * q + d * j - b for s, q, d, j, (b, _) in zip(stride, p, dilation, k, sides, strict=True)),
                    boundary,
                )
                for k in product(*map(range, kernel))
            ],
            -1,
        )  # (batch, in_channels, ∏kernel)
        for b, o in product(range(x.shape[0]), range(outputs)):
            first = o // (outputs // groups) * per_group
            read, wanted = window[b, first : first + per_group].ravel(), template[o].ravel()
            if np.ptp(read) > 0 and np.ptp(wanted) > 0:
                y[(b, o, *p)] = np.corrcoef(read, wanted)[0, 1]
    return y
