"""`zkcmp estimate`: what setup and proof will cost, before anything is begun."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zkcmp.cli.options import (
    Backend,
    BackendOption,
    CommitmentOption,
    ModeOption,
    Sample,
    chosen_method,
)
from zkcmp.cli.terminal.console import say

if TYPE_CHECKING:
    from zkcmp.exchange.method import Method
    from zkcmp.groth16.estimate import Estimate
    from zkcmp.model.architecture import Architecture

WeightBits = Annotated[
    int | None,
    typer.Option(
        min=2, max=32, help="Width of a weight.", show_default="what the file names, else 8"
    ),
]
InputBits = Annotated[
    int | None,
    typer.Option(
        min=1, max=16, help="Width of a pixel, as 8 for 0 to 255.", show_default="as in the file"
    ),
]


def estimate(
    source: Annotated[
        Path,
        typer.Argument(
            help="A network (.onnx), a deal folder with an offer, or a circuit (.r1cs)."
        ),
    ],
    images: Annotated[
        int, typer.Option(min=1, help="Test images; a circuit has its own.", show_default="1")
    ] = 1,
    weight_bits: WeightBits = None,
    input_bits: InputBits = None,
    backend: BackendOption = Backend.GROTH16,
    commitment: CommitmentOption = None,
    mode: ModeOption = None,
    sample: Sample = "",
    force: Annotated[
        bool, typer.Option("--force", help="Do not mind when memory will not suffice.")
    ] = False,
) -> None:
    """Predict constraints, key size, memory and time; fails when memory will not suffice."""
    from zkcmp.machine import available_memory_bytes, require_memory

    method = chosen_method(backend, commitment, mode, sample)
    if source.suffix == ".r1cs" and method.backend == "libra":
        raise typer.BadParameter("a circuit (.r1cs) goes with --backend groth16")
    if source.suffix == ".r1cs":
        needed = _circuit(source)
    else:
        architecture = _architecture(source, weight_bits, input_bits)
        say(f"images     {images}, by --images")
        predict = _libra if method.backend == "libra" else _groth16
        needed = predict(architecture, images, method)
    available = available_memory_bytes()
    if available is not None:
        say(f"free       {megabytes(available)} of memory")
    require_memory(needed, "setup or proof", force)


def _architecture(source: Path, weight_bits: int | None, input_bits: int | None) -> "Architecture":
    if source.is_dir():
        from zkcmp.exchange import checks
        from zkcmp.exchange.messages import contents as messages
        from zkcmp.exchange.messages.contents import FILE_NAMES
        from zkcmp.exchange.messages.envelope import Kind

        return checks.check_offer(messages.read_offer(source / FILE_NAMES[Kind.OFFER]))
    from zkcmp.model.bounds import check_no_wrap
    from zkcmp.model.onnx import read_onnx
    from zkcmp.model.quantize import quantize

    architecture = quantize(read_onnx(source), weight_bits, input_bits).architecture
    check_no_wrap(architecture)
    return architecture


def _circuit(source: Path) -> int:
    from zkcmp.groth16.estimate import CircuitSize
    from zkcmp.groth16.estimate import estimate as predict
    from zkcmp.groth16.snarkjs import read_r1cs

    prediction = predict(CircuitSize.of(read_r1cs(source)))
    return _say_groth16(prediction, prediction.key_bytes)


def _groth16(architecture: "Architecture", images: int, method: "Method") -> int:
    from zkcmp.exchange.costs.forecast import forecast, wire_bytes

    prediction = forecast(architecture, images, method)
    return _say_groth16(prediction, wire_bytes(prediction))


def _say_groth16(prediction: "Estimate", wire_bytes: int) -> int:
    """Say it; returns the memory that the larger of setup and proof needs."""
    size = prediction.size
    say(f"circuit    {size.n_constraints} constraints, {size.n_public} public inputs")
    say(
        f"key        {megabytes(prediction.key_bytes)} on disk, {megabytes(wire_bytes)} on the wire"
    )
    say(
        f"setup      about {prediction.setup_s:.1f} s, at most "
        f"{megabytes(prediction.setup_memory_bytes)} of memory"
    )
    say(f"audit      about {prediction.audit_s:.1f} s, by the prover, before it proves")
    say(
        f"prove      about {prediction.prove_s:.1f} s, at most "
        f"{megabytes(prediction.prove_memory_bytes)} of memory"
    )
    return max(prediction.setup_memory_bytes, prediction.prove_memory_bytes)


def _libra(architecture: "Architecture", images: int, method: "Method") -> int:
    """The same for sumchecks."""
    from zkcmp.exchange.costs.forecast import libra_memory_bytes, libra_setup_memory_bytes
    from zkcmp.exchange.costs.proof_size import check_proof_size
    from zkcmp.exchange.messages.encryption import encrypted_length
    from zkcmp.libra.estimate import estimate as predict

    check_proof_size(architecture, images, method)
    prediction = predict(architecture, images, zkvpd=method.has_key_material)
    proving = libra_memory_bytes(architecture, images, method)
    needed = proving
    say(f"committed  {1 << prediction.n_vars} values")
    if method.has_key_material:
        from zkcmp.commitments.srs import file_bytes

        making = libra_setup_memory_bytes(architecture, images)
        key_bytes = file_bytes(prediction.n_vars)
        wire = megabytes(encrypted_length(key_bytes))
        say(f"key        {megabytes(key_bytes)} on disk, {wire} on the wire")
        say(f"setup      about {prediction.setup_s:.1f} s, at most {megabytes(making)} of memory")
        say(f"audit      about {prediction.audit_s:.1f} s")
        needed = max(needed, making)
    else:
        say("key        none: there is nothing to set up or to audit")
    say(f"prove      about {prediction.prove_s:.1f} s, at most {megabytes(proving)} of memory")
    say(f"verify     about {prediction.verify_s:.2f} s")
    say(f"proof      about {prediction.proof_bytes / 1000:.0f} KB")
    return needed


def megabytes(n: int) -> str:
    """Such as `12.3 MB` or `1.23 GB`."""
    return f"{n / 1e6:.1f} MB" if n < 1e9 else f"{n / 1e9:.2f} GB"
