"""A directory of images, a subdirectory a class, decoded by Pillow.

    digits/0/a.png   digits/0/b.png   digits/1/c.png   …

Subdirectories named 0, 1, 2, … are those labels; other names are numbered in alphabetical order.
PNG and JPEG only, all of one size and kind: 8-bit grey, 16-bit grey or 8-bit RGB. Nothing is
converted or scaled, for that would be another test set. Sizes are checked before decoding.
"""

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkcmp.errors import DecodeError, ZkcmpError
from zkcmp.model.dataset import MAX_IMAGES, MAX_PIXELS

_CHANNELS = {"L": 1, "I;16": 1, "RGB": 3}
_FORMATS = ("PNG", "JPEG")


def are_numbers(names: list[str]) -> bool:
    """Whether the names are labels themselves: 0, 1, 2, …, without zeros in front."""
    return all(re.fullmatch("0|[1-9][0-9]{0,4}", name) for name in names)


def class_labels(names: list[str]) -> list[int]:
    """The label of each name."""
    if are_numbers(names):
        return [int(name) for name in names]
    ordered = sorted(names)
    return [ordered.index(name) for name in names]


def read_folder(
    directory: Path, n_classes: int | None = None
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Images (n, C, H, W) and labels (n,), ordered by class and file name.

    n_classes: how many the network has; named classes must be as many, for a missing one would
    number the others wrongly. Raises DecodeError, ZkcmpError without Pillow.
    """
    classes = sorted(d.name for d in directory.iterdir() if d.is_dir() and not _is_hidden(d))
    if not classes:
        raise DecodeError(f"{directory} has no subdirectories; put the images of a class in each")
    labels = class_labels(classes)
    if not are_numbers(classes) and n_classes is not None and len(classes) != n_classes:
        raise DecodeError(
            f"{directory} has {len(classes)} classes, the network {n_classes}: name the "
            "subdirectories by their labels, 0, 1, 2, …"
        )
    files = [
        (path, label)
        for name, label in sorted(zip(classes, labels, strict=True), key=lambda pair: pair[1])
        for path in sorted((directory / name).iterdir())
        if not _is_hidden(path)
    ]
    if not 0 < len(files) <= MAX_IMAGES:
        raise DecodeError(f"{directory} has {len(files)} images, 1 to {MAX_IMAGES} are needed")
    first = _decode(files[0][0], None, len(files))
    images = [first] + [_decode(path, first, len(files)) for path, _ in files[1:]]
    return np.stack(images), np.array([label for _, label in files])


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(".")


def _decode(path: Path, like: NDArray[Any] | None, n_images: int) -> NDArray[Any]:
    """(C, H, W), of the shape and type of `like`."""
    image_module = _pillow()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with image_module.open(path, formats=_FORMATS) as image:
                mode, (width, height) = image.mode, image.size
                _check_kind(path, mode, (height, width), like, n_images)
                pixels = np.asarray(image)
    except ZkcmpError:
        raise
    except Exception as error:  # what a decoder may raise on hostile bytes is not documented
        reason = " ".join(str(error).split())[:100]
        raise DecodeError(f"{path} is no PNG or JPEG image that can be read: {reason}") from None
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _check_kind(
    path: Path, mode: str, size: tuple[int, int], like: NDArray[Any] | None, n_images: int
) -> None:
    if mode not in _CHANNELS:
        raise DecodeError(
            f"{path} has pixels of kind {mode}; convert all images to 8-bit grey or RGB"
        )
    shape = (_CHANNELS[mode], *size)
    if _CHANNELS[mode] * size[0] * size[1] * n_images > MAX_PIXELS:
        raise DecodeError(f"{path} is {size[1]}x{size[0]}; all images have more than {MAX_PIXELS}")
    kind = np.dtype(np.uint16 if mode == "I;16" else np.uint8)
    if like is not None and (shape != like.shape or kind.itemsize != like.dtype.itemsize):
        raise DecodeError(
            f"{path} is {'x'.join(map(str, shape))} of {8 * kind.itemsize} bits, the first image "
            f"{'x'.join(map(str, like.shape))} of {8 * like.dtype.itemsize}; make them alike"
        )


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise ZkcmpError(
            "a folder of images needs Pillow: `pip install zkcmp[images]`, or give an .npz file"
        ) from None
    return Image
