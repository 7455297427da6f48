"""Labelled samples as commands name them: a file, or one of the sets that are known by name."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from zkcmp.model.dataset import TestSet


def load_samples(name: str, images: int, skip: int, data: Path | None) -> "TestSet":
    """`images` samples (0: all) after the first `skip` of a set.

    name: a .npz file, `digits`, or `mnist`, which is looked for in `data`.
    Raises DecodeError, ZkcmpError, BadParameter that says how many samples there are.
    """
    from zkcmp.model import data_files

    if name == "digits":
        samples = data_files.load_digits_test()
    elif name == "mnist":
        samples = data_files.load_mnist("t10k", data)
    else:
        samples = data_files.load_npz(name)
    stop = skip + images if images else len(samples)
    if not skip < stop <= len(samples):
        left_out = f" after the first {skip}" if skip else ""
        wanted = f"{images} images" if images else "images"
        raise typer.BadParameter(
            f"{name} has {len(samples)} images, and {wanted}{left_out} were asked for; ask for "
            "fewer, or leave --images out"
        )
    return samples.take(slice(skip, stop))
