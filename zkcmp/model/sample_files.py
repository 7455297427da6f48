"""Labelled test sets from the files that people have, told apart by name.

    directory               images by class (image_folder.py)
    .npz                    arrays `images` and `labels`
    .npy                    images; labels in a file of their own
    .csv, .csv.gz           a label and pixels in each line (array_files.py)
    anything else           IDX, gzipped or not; labels in a file of their own

Where labels have a file of their own and it is not given, it is the one whose name has `labels` for
`images` (and `idx1` for `idx3`, as MNIST's do). Pixels are integers as the network reads them:
nothing is scaled. Channels come first; images given as (n, H, W, C) are turned round.
"""

from math import prod
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from zkcmp.errors import DecodeError, ZkcmpError
from zkcmp.model.array_files import decode_csv, read_npy, read_npz
from zkcmp.model.dataset import TestSet
from zkcmp.model.image_folder import read_folder

_NO_SAMPLES = (".onnx", ".zkcmp", ".zip", ".png", ".jpg", ".jpeg")


def read_samples(
    path: str | Path,
    labels: str | Path | None = None,
    shape: tuple[int, int, int] | None = None,
    n_classes: int | None = None,
) -> TestSet:
    """The test set of a file or directory; the caller must still `check` it against the network.

    labels: their file, where they have one of their own. shape: (C, H, W) that the network reads,
    in which the pixels are arranged. n_classes: how many the network has. Raises DecodeError that
    names the file, ZkcmpError when a library is missing.
    """
    path = Path(path)
    images, numbers = _read(path, None if labels is None else Path(labels), n_classes)
    images = arrange(images, shape)
    if numbers.ndim == 2 and numbers.shape[1] == 1:
        numbers = numbers.reshape(-1)
    try:
        return TestSet(images, numbers)
    except ZkcmpError as error:
        raise DecodeError(f"{path}: {error}") from None


def arrange(images: NDArray[Any], shape: tuple[int, int, int] | None) -> NDArray[Any]:
    """(n, H, W), (n, H, W, C) or (n, C·H·W) as (n, C, H, W) where that is `shape`; with four axes.

    Of what does not fit, the axes that are missing are put after n.
    """
    if shape is not None and images.shape[1:] != shape:
        if images.ndim == 4 and images.shape[1:] == (*shape[1:], shape[0]):
            return images.transpose(0, 3, 1, 2)
        if images.ndim == 2 and images.shape[1] == prod(shape):
            return images.reshape(-1, *shape)
    missing = (1,) * max(4 - images.ndim, 0)
    return images.reshape(*images.shape[:1], *missing, *images.shape[1:])


def _read(
    path: Path, labels: Path | None, n_classes: int | None
) -> tuple[NDArray[Any], NDArray[Any]]:
    from zkcmp.model.data_files import decode_idx, read_file

    if not path.exists():
        raise DecodeError(f"cannot read {path}: no such file or directory")
    if path.is_dir():
        return read_folder(path, n_classes)
    if path.suffix == ".npz":
        images, numbers = read_npz(path, ("images", "labels"))
        return images, numbers
    if path.name.endswith((".csv", ".csv.gz")):
        return decode_csv(read_file(path), str(path))
    if path.suffix in _NO_SAMPLES:
        raise DecodeError(f"{path} is no test set; give .npz, .npy, .csv, IDX or a folder")
    other = labels or label_file(path)
    if path.suffix == ".npy":
        return read_npy(path), read_npy(other)
    return decode_idx(read_file(path)), decode_idx(read_file(other))


def label_file(images: Path) -> Path:
    """Where the labels of a file of images are; raises DecodeError when that is not known."""
    name = images.name.replace("images", "labels").replace("idx3", "idx1")
    if name == images.name:
        raise DecodeError(f"{images}: name the file of its labels, too, with --labels")
    plain = name.removesuffix(".gz")
    found = [p for p in (images.with_name(n) for n in (name, plain, f"{plain}.gz")) if p.is_file()]
    if not found:
        raise DecodeError(
            f"{images}: its labels are not beside it in {name}; name their file with --labels"
        )
    return found[0]
