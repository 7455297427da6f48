"""Steps of ceremonies by hand: what multiplied the file, and what it holds, as a cheat likes it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from forged_keys import element, forge, plus, small_order_point, with_entry

from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.reference import G1, G2
from zkcmp.groth16 import ProvingKey
from zkcmp.groth16.ceremony import Ceremony
from zkcmp.groth16.ceremony import powers as phase1
from zkcmp.groth16.ceremony.circuit_phase import multiply_deltas
from zkcmp.groth16.ceremony.contribution import Record, make_factor
from zkcmp.groth16.ceremony.files import Copies
from zkcmp.groth16.ceremony.powers import Powers, multiply_powers
from zkcmp.groth16.ceremony.private_files import private_directory
from zkcmp.groth16.ceremony.steps import transcript
from zkcmp.groth16.key_file import KeyFile, create_key_file
from zkcmp.groth16.keys import COMMITMENT_SECTIONS, POWER_SECTIONS, SECTIONS

LAYOUTS = (
    phase1.SECTIONS,
    SECTIONS,
    SECTIONS + POWER_SECTIONS,
    SECTIONS + COMMITMENT_SECTIONS + POWER_SECTIONS,
)


def append(
    ceremony: Ceremony,
    in_file: list[int],
    in_record: list[int] | None = None,
    edit: Callable[[Path], object] = lambda path: None,
    spoil: Callable[[Record], Record] = lambda record: record,
) -> None:
    """A contribution by hand: what multiplied the file may differ from what the record says."""
    phase = ceremony.phase
    k = ceremony.count(phase) + 1
    with private_directory() as private:
        copies = Copies(ceremony, private)
        before, labels = transcript(copies), copies.labels(phase)
    path, last = ceremony.file(phase, k), ceremony.file(phase, k - 1)
    if phase == "powers":
        multiply_powers(Powers.open(last), path, *in_file)
    else:
        multiply_deltas(ProvingKey.open(last), path, in_file)
    edit(path)
    digest = KeyFile(path, *LAYOUTS).digest  # whatever the points are
    factors = tuple(
        make_factor(x, label, before) for x, label in zip(in_record or in_file, labels, strict=True)
    )
    record = spoil(Record(before, digest, factors))
    ceremony.record_file(phase, k).write_bytes(record.to_bytes())


def edit_powers(**changed: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        powers = Powers.open(path)
        n = powers.domain_size
        content = {name: np.array(getattr(powers, name)) for name in phase1.SECTIONS}
        content.update({name: change(content[name]) for name, change in changed.items()})
        with create_key_file(path, phase1._shape(n), len(content)) as writer:
            for name, points in content.items():
                writer.section(name, [points])

    return edit


def moved(index: int) -> Callable[[np.ndarray], np.ndarray]:
    def change(points: np.ndarray) -> np.ndarray:
        one = G1.generator if points.ndim == 3 else G2.generator
        return with_entry(points, index, plus(points[index][None], one))

    return change


def swapped(points: np.ndarray) -> np.ndarray:
    return points[[1, 0, *range(2, len(points))]]


def set_to(index: int, point: Any) -> Callable[[np.ndarray], np.ndarray]:
    def change(points: np.ndarray) -> np.ndarray:
        encode: Any = g2.from_affine_ints if points.ndim == 4 else g1.from_affine_ints
        return with_entry(points, index, encode([point]))

    return change


def edit_key(change: Callable[[ProvingKey], dict[str, np.ndarray]]) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        kept = path.with_name("kept")
        path.rename(kept)
        key = ProvingKey.open(kept)
        forge(key, path, **change(key))
        kept.unlink()

    return edit


def entry_moved(name: str, index: int = 0) -> Callable[[Path], None]:
    """This element of an array plus the generator."""
    return edit_key(lambda key: {name: moved(index)(element(key, name))})


def small_order_at(index: int) -> Callable[[np.ndarray], np.ndarray]:
    """A component of order 10069 in one point of G2."""

    def change(points: np.ndarray) -> np.ndarray:
        return with_entry(points, index, plus(points[index : index + 1], small_order_point()))

    return change


def off_the_curve(index: int) -> Callable[[np.ndarray], np.ndarray]:
    """A point of another curve y² = x³ + b', x and y canonical."""
    return set_to(index, (G1.generator[0], 5))


def tree(directory: Path) -> dict[str, bytes]:
    """The files of a directory."""
    return {path.name: path.read_bytes() for path in directory.iterdir()}
