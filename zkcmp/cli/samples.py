"""Labelled samples as commands name them: a file, or one of the sets that are known by name."""

from pathlib import Path
from typing import TYPE_CHECKING

from zkcmp.errors import ZkcmpError

if TYPE_CHECKING:
    from zkcmp.model.dataset import TestSet


def load_samples(name: str, images: int, skip: int, data: Path | None) -> "TestSet":
    """`images` samples (0: all) after the first `skip` of a set.

    name: a .npz file, `digits`, or `mnist`, which is looked for in `data`.
    Raises DecodeError, and ZkcmpError that says how many samples there are.
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
        wanted = f"{images} more" if images else "others"
        asked = f"--images {images}" if not skip else f"--skip {skip} and {wanted}"
        raise ZkcmpError(
            f"{name} has only {len(samples)} images, and {asked} were asked for; ask for fewer"
        )
    return samples.take(slice(skip, stop))
