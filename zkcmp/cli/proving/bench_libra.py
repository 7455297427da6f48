"""`zkcmp bench libra`: the whole statement about n images of the paper's network, by sumchecks.

With --model and --data it is a trained network on MNIST's test set, else random weights and random
images, which cost the same.
"""

import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import typer

from zkcmp.cli.proving.bench import Json, Record, Repeats, app, record, report
from zkcmp.commitments.hyrax import Hyrax
from zkcmp.commitments.scheme import Scheme
from zkcmp.commitments.srs import make_srs
from zkcmp.commitments.srs_audit import audit
from zkcmp.commitments.zkvpd import Zkvpd
from zkcmp.libra.prove import prove, verify
from zkcmp.libra.statement import Statement
from zkcmp.model.data_files import load_mnist
from zkcmp.model.dataset import TestSet
from zkcmp.model.network import Architecture, Conv, Dense, Flatten, Network, Square
from zkcmp.model.onnx import read_onnx
from zkcmp.model.quantize import quantize
from zkcmp.seal import seal

Commitment = Literal["hyrax", "zkvpd"]


@app.command()
def libra(
    images: Annotated[int, typer.Option(min=0, max=1 << 16, help="0: the seal only.")] = 1000,
    commitment: Annotated[Commitment, typer.Option(help="The commitment scheme.")] = "hyrax",
    model: Annotated[Path | None, typer.Option(help="A trained network, ONNX.")] = None,
    data: Annotated[Path | None, typer.Option(help="Directory with MNIST.")] = None,
    as_json: Json = False,
    repeats: Repeats = 3,
) -> None:
    """Prove and verify S1–S5 for CryptoNets on so many images."""
    network = random_network() if model is None else quantize(read_onnx(model))
    chosen = test_set(network, images, data)
    report(measure_libra(network, chosen, commitment, repeats), as_json)


def measure_libra(
    network: Network, images: TestSet | None, commitment: Commitment, repeats: int
) -> Iterator[Record]:
    sealed, preimage = seal(network)
    n, threshold = 0, 0
    if images is not None:
        n = len(images)
        threshold = int((network.predict(images.images) == images.labels).sum())
    statement = Statement(
        network.architecture, sealed.ciphertext, sealed.commitment, images, threshold, bytes(32)
    )
    more: Record = {"commitment": commitment, "committed": 1 << statement.layout.n_vars}
    scheme: Scheme = Hyrax()
    if commitment == "zkvpd":
        make_srs(3)  # compiles
        start = time.perf_counter()
        parameters = make_srs(statement.layout.n_vars)
        yield record("libra/setup", n, time.perf_counter() - start, **more)
        start = time.perf_counter()
        audit(parameters)
        yield record("libra/audit", n, time.perf_counter() - start, **more)
        scheme = Zkvpd(parameters)
    proving, verifying, proof = [], [], b""
    for _ in range(1 + repeats):
        start = time.perf_counter()
        proof = prove(statement, statement.secret(network, preimage), scheme)
        proving.append(time.perf_counter() - start)
        start = time.perf_counter()
        verify(statement, scheme, proof)
        verifying.append(time.perf_counter() - start)
    more |= {"proof_bytes": len(proof), "threshold": threshold}
    yield record("libra/prove", n, statistics.median(proving[1:]), **more)
    yield record("libra/verify", n, statistics.median(verifying[1:]), **more)


def random_network(bits: int = 8) -> Network:
    """The paper's CryptoNets for MNIST with random weights."""
    architecture = Architecture(
        (1, 28, 28),
        8,
        (
            Conv(1, 5, (5, 5), (2, 2), (1, 1, 0, 0), bits, 2 * bits),
            Square(),
            Flatten(),
            Dense(845, 100, bits, 4 * bits),
            Square(),
            Dense(100, 10, bits, 4 * bits),
        ),
    )
    rng = np.random.default_rng(1)
    return Network(
        architecture, [rng.integers(s.low, s.high + 1, s.shape) for s in architecture.tensors()]
    )


def test_set(network: Network, n: int, data: Path | None) -> TestSet | None:
    """MNIST's first n test images, or n random ones that the network gets right."""
    if n == 0:
        return None
    if data is not None:
        images = load_mnist("t10k", data)
        return TestSet(images.images[:n], images.labels[:n])
    rng = np.random.default_rng(2)
    pixels = rng.integers(0, 256, (n, *network.architecture.input_shape))
    return TestSet(pixels, network.predict(pixels))
