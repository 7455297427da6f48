"""The kept constraints of every image, cut out of `full` for one image (the paper's Fig. 4).

    template    the network's part of `full` about one image: N rows and their own wires
    kept        K of the rows, chosen for each image (sampling.py)
    used        the own wires of each image that a kept row mentions, and those of the logits

A kept row is the template's with wires renumbered; an own wire that nothing kept mentions does not
exist. So time and memory follow the n·K rows that are kept, never n·N. The order is that of `full`:
layer by layer, in each layer image by image, in each image by number. At u = 1 the two systems are
the same.

The logits always exist, for the accuracy constraints refer to them. But a logit is a sum whose
constraints were mostly dropped: it is then a wire that few constraints or none tie to the weights,
and a prover may set it as it likes (docs/sampling.md).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt

from circuits.full.statement import build
from zkcmp.bn254.field.fr import FrVector
from zkcmp.linear_combination import IntArray, LinearCombination
from zkcmp.model.architecture import Architecture
from zkcmp.r1cs import R1CS, Span, SparseMatrix
from zkcmp.r1cs_builder import ConstraintSystem

_CHUNK_CELLS = 1 << 22  # rows of whole images looked at together


@dataclass(frozen=True, eq=False)
class Template:
    """s_j, the same for every j: rows `first_row` … of `full` for one image.

    Rows and own wires are counted from 0. layers: the rows of each layer; runs: its own wires.
    """

    full: R1CS
    layers: list[Span]
    runs: list[Span]
    pixels: Span
    weights: IntArray
    first_row: int
    first_own: int
    logits: IntArray

    @classmethod
    def of(cls, architecture: Architecture) -> "Template":
        """Builds `full` for one image. Raises VerificationError when that is too large."""
        full = build(architecture, 1).r1cs
        names = {architecture.layer_name(i) for i in range(len(architecture.layers))}
        tensors = {spec.name for spec in architecture.tensors()}
        layers = [span for span in full.gadgets if span.name in names]
        runs = [span for span in full.wires if span.name.partition(" ")[0] in names]
        weights = [np.arange(s.first, s.last) for s in full.wires if s.name in tensors]
        sums = np.arange(runs[-1].first, runs[-1].last) - runs[0].first
        return cls(
            full,
            _from_zero(layers),
            _from_zero(runs),
            next(span for span in full.wires if span.name == "pixels"),
            np.concatenate(weights),
            layers[0].first,
            runs[0].first,
            sums.reshape(architecture.n_classes, -1)[:, -1],  # a logit is the last of its sums
        )

    def __repr__(self) -> str:
        return f"Template({self.n_rows} rows)"

    @property
    def n_rows(self) -> int:
        """N."""
        return self.layers[-1].last

    @property
    def n_own(self) -> int:
        """How many own wires an image has in `full`."""
        return self.runs[-1].last

    @cached_property
    def run_of_own(self) -> IntArray:
        """(n_own,) the number of the run that an own wire is in."""
        return np.repeat(np.arange(len(self.runs)), [run.last - run.first for run in self.runs])

    @cached_property
    def own_of_rows(self) -> IntArray:
        """(N, most) own wires in each row; a row with fewer repeats one."""
        rows, wires = [], []
        for matrix in self.full.matrices:
            entry, row = entries_of(matrix, self.first_row + np.arange(self.n_rows))
            own = matrix.indices[entry].astype(np.int64) - self.first_own
            rows.append(row[own >= 0])
            wires.append(own[own >= 0])
        row, wire = np.concatenate(rows), np.concatenate(wires)
        order = np.argsort(row, kind="stable")
        row, wire = row[order], wire[order]
        starts = np.searchsorted(row, np.arange(self.n_rows))  # each row defines an own wire
        place = np.arange(len(row)) - starts[row]
        table = np.repeat(wire[starts][:, None], int(place.max()) + 1, axis=1)
        table[row, place] = wire
        return table


@dataclass(frozen=True, eq=False)
class SampledRows:
    """kept: (n, K) rows, increasing. The used own wires of image j, increasing, are
    used[starts[j] : starts[j + 1]], of which counts[j, l] in run l.
    """

    template: Template
    kept: IntArray
    used: npt.NDArray[np.int32]
    starts: IntArray
    counts: IntArray

    @classmethod
    def of(cls, template: Template, kept: IntArray) -> "SampledRows":
        """Finds the used wires."""
        n = len(kept)
        counts = np.zeros((n, len(template.runs)), np.int64)
        used = []
        for a, b in chunks(n, template.n_own):
            mask = np.zeros((b - a, template.n_own), bool)
            touched = template.own_of_rows[kept[a:b]].reshape(b - a, -1)
            mask[np.arange(b - a)[:, None], touched] = True
            mask[:, template.logits] = True
            used.append(np.nonzero(mask)[1].astype(np.int32))
            for i, run in enumerate(template.runs):
                counts[a:b, i] = mask[:, run.first : run.last].sum(axis=1)
        starts = np.concatenate([[0], np.cumsum(counts.sum(axis=1))])
        return cls(template, kept, np.concatenate(used), starts, counts)

    def __repr__(self) -> str:
        return f"SampledRows({self.n_images} images, {self.kept.shape[1]} rows of each)"

    @property
    def n_images(self) -> int:
        """n."""
        return len(self.kept)

    def allocate(self, system: ConstraintSystem, values: list[FrVector] | None) -> IntArray:
        """Private wires for every run, with its values (values.py makes them).

        Returns (n, runs): what turns positions in `used` into wires of the system.
        """
        in_run = np.cumsum(self.counts, axis=0) - self.counts  # those of the images before
        in_image = np.cumsum(self.counts, axis=1) - self.counts  # those of the runs before
        shift = in_run - in_image - self.starts[:-1, None]
        for i, run in enumerate(self.template.runs):
            shift[:, i] += system.n_wires
            system.private(int(self.counts[:, i].sum()), run.name, partial(_run_of, values, i))
        return shift

    def wires(self, shift: IntArray, image: int, own: IntArray) -> IntArray:
        """Wires of the system for own wires of one image; -1 for those that do not exist."""
        start, stop = self.starts[image], self.starts[image + 1]
        here = self.used[start:stop]
        place = np.minimum(np.searchsorted(here, own), len(here) - 1)
        wires = start + place + shift[image, self.template.run_of_own[own]]
        return np.where(here[place] == own, wires, -1)

    def enforce(
        self, system: ConstraintSystem, pixels: IntArray, weights: IntArray, shift: IntArray
    ) -> None:
        """Every kept row. pixels: (n, inputs) wires; weights: (n_weights,) wires."""
        if system.with_values:
            return  # nothing is recorded, so spare the work
        full, first_row = self.template.full, self.template.first_row
        ids = system.table.ids_of(full.coefficients)
        for layer in self.template.layers:
            for a, b in chunks(self.n_images, self.template.n_own):
                kept = self.kept[a:b]
                image, column = np.nonzero((kept >= layer.first) & (kept < layer.last))
                if len(image) == 0:
                    continue
                renumbered = self._renumbering(a, b, pixels, weights, shift)
                sides = []
                for matrix in full.matrices:
                    entry, row = entries_of(matrix, first_row + kept[image, column])
                    wires = renumbered(image[row], matrix.indices[entry])
                    entry_ids = ids[matrix.coefficient_ids[entry]]
                    sides.append(LinearCombination(system.table, len(image), row, wires, entry_ids))
                system.enforce(layer.name, *sides)

    def _renumbering(
        self, a: int, b: int, pixels: IntArray, weights: IntArray, shift: IntArray
    ) -> Callable[[IntArray, npt.NDArray[np.uint32]], IntArray]:
        """For images a … b − 1: (image − a, wire of the template) to wires of the system."""
        template = self.template
        of_weight = np.zeros(template.first_own, np.int64)
        of_weight[template.weights] = weights
        positions = np.arange(self.starts[a], self.starts[b])
        owner = np.repeat(np.arange(b - a), np.diff(self.starts[a : b + 1]))
        own = self.used[positions]
        of_own = np.empty((b - a, template.n_own), np.int64)
        of_own[owner, own] = positions + shift[a + owner, template.run_of_own[own]]

        def renumbered(image: IntArray, wire: npt.NDArray[np.uint32]) -> IntArray:
            is_own = wire >= template.first_own
            is_pixel = (wire >= template.pixels.first) & (wire < template.pixels.last)
            out = of_weight[np.where(is_own, 0, wire)]
            out[is_own] = of_own[image[is_own], wire[is_own] - template.first_own]
            out[is_pixel] = pixels[a + image[is_pixel], wire[is_pixel] - template.pixels.first]
            return out

        return renumbered


def entries_of(matrix: SparseMatrix, rows: IntArray) -> tuple[IntArray, IntArray]:
    """The entries of the rows given, and for each of them which of those rows it is in."""
    counts = np.diff(matrix.indptr)[rows]
    row = np.repeat(np.arange(len(rows)), counts)
    before = np.cumsum(counts) - counts
    return np.arange(len(row)) + (matrix.indptr[rows] - before)[row], row


def chunks(n_images: int, n_cells: int) -> Iterator[tuple[int, int]]:
    """Ranges of images, so short that tables of n_cells an image stay small."""
    step = max(1, _CHUNK_CELLS // n_cells)
    for a in range(0, n_images, step):
        yield a, min(a + step, n_images)


def _from_zero(spans: list[Span]) -> list[Span]:
    first = spans[0].first
    return [Span(span.name, span.first - first, span.last - first) for span in spans]


def _run_of(values: list[FrVector] | None, run: int) -> FrVector:
    if values is None:
        raise ValueError("values are not available while constraints are recorded")
    return values[run]
