"""Labelled samples as commands name them: a file or folder, or a set that is known by name."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zkcmp.cli.terminal.console import count, say
from zkcmp.errors import ZkcmpError

if TYPE_CHECKING:
    from zkcmp.model.architecture import Architecture
    from zkcmp.model.dataset import TestSet

_KNOWN = ("digits", "mnist")

TestSetName = Annotated[
    str,
    typer.Option(
        help="Labelled images: .npz, .npy, IDX, .csv, a folder with one folder a class (see "
        "docs/models.md); or digits, or mnist."
    ),
]
Labels = Annotated[
    Path | None, typer.Option(help="The file of the labels, where they have one of their own.")
]


def offered_architecture(deal: Path) -> "Architecture | None":
    """That of the offer in a deal folder, to arrange images by; None when it cannot be read.

    Nothing about it is checked here.
    """
    from zkcmp.exchange.messages.contents import read_offer
    from zkcmp.exchange.messages.envelope import Kind
    from zkcmp.exchange.party import taking_in
    from zkcmp.model.architecture import Architecture

    try:
        with (
            tempfile.TemporaryDirectory() as private,
            taking_in(deal, Path(private), Kind.OFFER) as copy,
        ):
            return Architecture.from_bytes(read_offer(copy).architecture)
    except (ZkcmpError, OSError):
        return None


def refuse_shared_samples(name: str, labels: Path | None, deal: Path) -> None:
    """Raise DealError for samples that lie where the seller reads them before they are sent."""
    from zkcmp.exchange.shared_places import refuse_shared

    if name not in _KNOWN:
        refuse_shared(Path(name), deal)
    if labels is not None:
        refuse_shared(labels, deal)


def load_samples(
    name: str,
    images: int,
    skip: int,
    data: Path | None,
    labels: Path | None = None,
    architecture: "Architecture | None" = None,
) -> "TestSet":
    """`images` samples (0: all) after the first `skip` of a set.

    name: a file or folder (sample_files.py), `digits`, or `mnist`, which is looked for in `data`.
    labels: the file of the labels, where they have one. architecture: of the network that will
    read the images, in whose shape they are arranged.
    Raises DecodeError, and ZkcmpError that says how many samples there are.
    """
    from zkcmp.model import data_files, sample_files

    if name == "digits":
        samples = data_files.load_digits_test()
    elif name == "mnist":
        samples = data_files.load_mnist("t10k", data)
    elif architecture is None:
        samples = sample_files.read_samples(name, labels)
    else:
        shape, n_classes = architecture.input_shape, architecture.n_classes
        samples = sample_files.read_samples(name, labels, shape, n_classes)
    stop = skip + images if images else len(samples)
    if not skip < stop <= len(samples):
        wanted = f"{images} more" if images else "others"
        asked = f"--images {images}" if not skip else f"--skip {skip} and {wanted}"
        raise ZkcmpError(
            f"{name} has only {len(samples)} images, and {asked} were asked for; ask for fewer"
        )
    return samples.take(slice(skip, stop))


def say_repeated(samples: "TestSet") -> None:
    """Images that are in a set more than once count more than once."""
    repeated = len(samples) - len(set(samples.sample_digests()))
    if repeated:
        say(f"caution    {count(repeated, 'image')} of the set repeat others, and count again")
