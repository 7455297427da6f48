"""What selling a network would cost by every sound method, beside each other.

    freivalds, full    forecast.py, which counts rows and wires in circuits/
    libra              zkcmp/libra/estimate.py

A method that cannot prove such a statement at all has a reason in the place of figures.
"""

from dataclasses import dataclass
from typing import Any

from zkcmp.errors import VerificationError
from zkcmp.exchange.costs.forecast import forecast, libra_memory_bytes, libra_setup_memory_bytes
from zkcmp.exchange.costs.proof_size import check_proof_size
from zkcmp.exchange.method import FREIVALDS, FULL, HYRAX, ZKVPD, Method
from zkcmp.libra import estimate as libra
from zkcmp.model.architecture import Architecture

SOUND_METHODS = (HYRAX, ZKVPD, FREIVALDS, FULL)
_GROTH16_PROOF_BYTES = {"full": 128, "freivalds": 160}


@dataclass(frozen=True)
class Cost:
    """One method's predicted costs: bytes, and seconds on the threads of this process.

    size: constraints (Groth16) or committed values (Libra); key_bytes and setup_s are 0 where
    there is no key material. `refused`: why the method cannot prove this, with all figures 0.
    """

    method: Method
    size: int = 0
    key_bytes: int = 0
    setup_s: float = 0.0
    prove_s: float = 0.0
    proof_bytes: int = 0
    memory_bytes: int = 0
    refused: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values, for json.dumps."""
        if self.refused:
            return {"method": self.method.title, "refused": self.refused}
        unit = "committed_values" if self.method.backend == "libra" else "constraints"
        return {
            "method": self.method.title,
            unit: self.size,
            "key_bytes": self.key_bytes,
            "setup_s": round(self.setup_s, 2),
            "prove_s": round(self.prove_s, 2),
            "proof_bytes": self.proof_bytes,
            "memory_bytes": self.memory_bytes,
        }


def predict(architecture: Architecture, n_images: int, method: Method) -> Cost:
    """The costs of a statement about so many images."""
    try:
        check_proof_size(architecture, n_images, method)
    except VerificationError as error:
        return Cost(method, refused=str(error))
    if method.backend == "libra":
        return _libra(architecture, n_images, method)
    predicted = forecast(architecture, n_images, method)
    return Cost(
        method,
        predicted.size.n_constraints,
        predicted.key_bytes,
        predicted.setup_s,
        predicted.prove_s,
        _GROTH16_PROOF_BYTES.get(method.mode, 128),
        max(predicted.setup_memory_bytes, predicted.prove_memory_bytes),
    )


def _libra(architecture: Architecture, n_images: int, method: Method) -> Cost:
    predicted = libra.estimate(architecture, n_images, zkvpd=method.has_key_material)
    memory = libra_memory_bytes(architecture, n_images, method)
    key_bytes = 0
    if method.has_key_material:
        from zkcmp.commitments.srs import file_bytes

        key_bytes = file_bytes(predicted.n_vars)
        memory = max(memory, libra_setup_memory_bytes(architecture, n_images))
    return Cost(
        method,
        1 << predicted.n_vars,
        key_bytes,
        predicted.setup_s,
        predicted.prove_s,
        predicted.proof_bytes,
        memory,
    )


def predict_all(architecture: Architecture, n_images: int) -> list[Cost]:
    """Every sound method, the cheapest for a seller with nothing to trust first."""
    return [predict(architecture, n_images, method) for method in SOUND_METHODS]
