"""`zkcmp estimate`: what setup and proof will cost, before anything is begun."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zkcmp.cli.console import say
from zkcmp.cli.options import Backend, ModeOption, Sample, chosen_method

if TYPE_CHECKING:
    from zkcmp.exchange.method import Method
    from zkcmp.groth16.estimate import Estimate


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
    weight_bits: Annotated[
        int | None,
        typer.Option(
            min=2, max=32, help="Width of a weight.", show_default="what the file names, else 8"
        ),
    ] = None,
    mode: ModeOption = None,
    sample: Sample = "",
    force: Annotated[
        bool, typer.Option("--force", help="Do not mind when memory will not suffice.")
    ] = False,
) -> None:
    """Predict constraints, key size, memory and time; fails when memory will not suffice."""
    from zkcmp.groth16.estimate import available_memory_bytes, require_memory

    prediction, on_the_wire = _predict(
        source, images, weight_bits, chosen_method(Backend.GROTH16, None, mode, sample)
    )
    size, available = prediction.size, available_memory_bytes()
    say(f"circuit    {size.n_constraints} constraints, {size.n_public} public inputs")
    say(f"key        {_megabytes(prediction.key_bytes)} on disk, {on_the_wire} on the wire")
    say(
        f"setup      about {prediction.setup_s:.1f} s, at most "
        f"{_megabytes(prediction.setup_memory_bytes)} of memory"
    )
    say(
        f"prove      about {prediction.prove_s:.1f} s, at most "
        f"{_megabytes(prediction.prove_memory_bytes)} of memory"
    )
    if available is not None:
        say(f"free       {_megabytes(available)} of memory")
    needed = max(prediction.setup_memory_bytes, prediction.prove_memory_bytes)
    require_memory(needed, "setup or proof", force)


def _predict(
    source: Path, images: int, weight_bits: int | None, method: "Method"
) -> "tuple[Estimate, str]":
    from zkcmp.exchange.forecast import forecast, wire_bytes
    from zkcmp.groth16.estimate import CircuitSize
    from zkcmp.groth16.estimate import estimate as predict

    if source.suffix == ".r1cs":
        from zkcmp.groth16.snarkjs import read_r1cs

        prediction = predict(CircuitSize.of(read_r1cs(source)))
        return prediction, _megabytes(prediction.key_bytes)
    if source.is_dir():
        from zkcmp.exchange import checks, messages
        from zkcmp.exchange.envelope import Kind
        from zkcmp.exchange.messages import FILE_NAMES

        architecture = checks.check_offer(messages.read_offer(source / FILE_NAMES[Kind.OFFER]))
    else:
        from zkcmp.model.onnx_io import read_onnx
        from zkcmp.model.quantize import quantize

        architecture = quantize(read_onnx(source), weight_bits).architecture
    prediction = forecast(architecture, images, method)
    return prediction, _megabytes(wire_bytes(prediction))


def _megabytes(n: int) -> str:
    return f"{n / 1e6:.1f} MB" if n < 1e9 else f"{n / 1e9:.2f} GB"
