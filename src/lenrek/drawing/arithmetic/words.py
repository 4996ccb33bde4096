"""What stands beside the cells: the sum of one output, and what the operation is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lenrek.drawing.arithmetic.values import axes_words, written
from lenrek.drawing.arithmetic.work import Step, Term, Work
from lenrek.drawing.scene.shapes import Said

TITLES = {
    "correlate": "Correlation",
    "convolve": "Convolution: the kernel is laid over the input flipped",
    "correlate_transposed": "Transposed correlation",
    "convolve_transposed": "Transposed convolution: the kernel is flipped once more",
    "max": "Max pooling",
    "average": "Average pooling",
    "norm": "Norm pooling",
}
AXES = {1: ("",), 2: ("rows ", "columns "), 3: ("depth ", "rows ", "columns ")}
MOST_TERMS = 54  # of a sum that is written out


def subtitle(work: Work) -> str:
    """Sizes and what was asked."""
    ins, outs = axes_words(work.in_size), axes_words(work.y.shape[1:])
    if len(work.x) > 1 or len(work.y) > 1:
        ins, outs = f"{len(work.x)} × {ins}", f"{len(work.y)} × {outs}"
    return " · ".join([f"{ins} → {outs}", *work.facts])


def size_sums(work: Work) -> list[str]:
    """How the output's size comes about, a line for each axis."""
    return [f"{name}{text}" for name, text in zip(AXES[work.ndim], work.sums, strict=True)]


def sum_lines(work: Work, step: Step, letters: int) -> list[tuple[Said, ...]]:
    """The sum of one output in lines of about so many letters, a row of the kernel on each where they fit."""
    terms = work.products(step)
    opening, joint, closing = _frame(work, len(terms))
    if not terms and work.bias is None:
        return [(Said("no sample is read: ", "soft"), Said(written(step.value), "green"))]
    pieces = [_term(work, term, number == step.chosen) for number, term in enumerate(terms)]
    if len(pieces) > MOST_TERMS:
        hidden = len(pieces) - MOST_TERMS
        pieces = [*pieces[:MOST_TERMS], (Said(f"… {hidden} more", "soft"),)]
    if work.bias is not None:
        pieces.append((Said(written(float(work.bias[step.output[0]])), "ink"),))
    shown: list[tuple[Said, ...]] = []
    for number, piece in enumerate(pieces):
        before = Said(opening if not number else joint, "soft")
        shown.append((before, *piece) if before.text else piece)
    end = (Said(f"{closing} = ", "soft"), Said(written(step.value), "green"))
    return list(_broken(shown, _row_length(work, terms), letters, end))


def in_words(work: Work, step: Step) -> str:
    """The same for those who hear it."""
    lines = sum_lines(work, step, 10_000)
    at = ", ".join(map(str, step.output[1:]))
    channel = f"channel {step.output[0]}, " if len(work.y) > 1 else ""
    return f"Output {channel}{at}: " + " ".join("".join(piece.text for piece in line) for line in lines)


def _frame(work: Work, count: int) -> tuple[str, str, str]:
    """What stands before, between and after the terms."""
    if work.kind == "max":
        return "max(", ", ", ")"
    if work.kind == "average":
        return "(", " + ", f") / {count}"
    if work.kind == "norm":
        return "(", " + ", f")^(1/{written(work.norm_type)})"
    return "", " + ", ""


def _term(work: Work, term: Term, chosen: bool) -> tuple[Said, ...]:
    sample = written(term.sample)
    if work.weight is None:
        if work.kind == "norm":
            return (Said(f"|{sample}|^{written(work.norm_type)}", "blue"),)
        return (Said(sample, "orange" if chosen else "blue"),)
    return (Said(_bracketed(sample), "blue"), Said("·", "soft"), Said(_bracketed(written(term.weight)), "orange"))


def _bracketed(number: str) -> str:
    return f"({number})" if number.startswith("−") else number


def _row_length(work: Work, terms: Sequence[Term]) -> int:
    """How many terms lie in the first row of the window."""
    same = [term for term in terms if term.cell[:-1] == terms[0].cell[:-1]] if terms else []
    return len(same) or 1


def _broken(
    pieces: Sequence[tuple[Said, ...]], row: int, letters: int, end: tuple[Said, ...]
) -> Iterator[tuple[Said, ...]]:
    """Lines with as many whole rows as fit, or where not even one does, as many terms."""
    longest = max((_letters(piece) for piece in pieces), default=1)
    fit = max(1, letters // longest)
    per_line = fit // row * row if fit >= row else fit
    starts = range(0, len(pieces), per_line)
    for start in starts:
        line = [said for piece in pieces[start : start + per_line] for said in piece]
        yield (*line, *(end if start == starts[-1] else ()))


def _letters(piece: Sequence[Said]) -> int:
    return sum(len(said.text) for said in piece)
