"""What `verify` refuses of a statement that fits its proof, and of bytes that only begin as one."""

from dataclasses import replace

import numpy as np
import pytest
from test_libra_statement import NETWORK, PREIMAGE, SCHEME, SEAL_ONLY, STATEMENT

from zkcmp.errors import DecodeError, VerificationError
from zkcmp.libra.prove import _HEAD, MAGIC, prove_unchecked, verify


def test_a_proof_that_no_image_is_right() -> None:
    """All sums hold: only the statement's own check knows that it says nothing."""
    nothing = replace(STATEMENT, threshold=0)
    secret = nothing.assign(NETWORK, PREIMAGE, np.zeros(3, np.int64))
    proof = prove_unchecked(nothing, secret, SCHEME)
    with pytest.raises(VerificationError, match="threshold"):
        verify(nothing, SCHEME, proof)


@pytest.mark.parametrize("n", [0, len(MAGIC), _HEAD.size - 1, _HEAD.size])
def test_bytes_that_end_early(n: int) -> None:
    proof = prove_unchecked(SEAL_ONLY, SEAL_ONLY.assign(NETWORK, PREIMAGE), SCHEME)
    said = "ends inside the commitment" if n == _HEAD.size else "not a proof"
    with pytest.raises(DecodeError, match=said):
        verify(SEAL_ONLY, SCHEME, proof[:n])
