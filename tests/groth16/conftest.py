"""Fixtures about the circuit `r1cs` of a test module: its key, its ceremony, and forged ones."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from forged_keys import forge

from zkcmp.errors import DecodeError
from zkcmp.groth16 import ProvingKey, setup
from zkcmp.groth16.audit import AuditError, audit
from zkcmp.groth16.ceremony import Ceremony
from zkcmp.r1cs import R1CS


@pytest.fixture(scope="module")
def key(r1cs: R1CS, tmp_path_factory: pytest.TempPathFactory) -> ProvingKey:
    return setup(r1cs, tmp_path_factory.mktemp("key"))


@pytest.fixture
def rejected(
    key: ProvingKey, r1cs: R1CS, tmp_path: Path
) -> Callable[..., AuditError | DecodeError]:
    """The error with which a key with these arrays is turned down."""

    def run(**changed: np.ndarray) -> AuditError | DecodeError:
        with pytest.raises((AuditError, DecodeError)) as caught:
            audit(ProvingKey.open(forge(key, tmp_path / "forged", **changed)), r1cs)
        return caught.value

    return run


@pytest.fixture
def ceremony(r1cs: R1CS, tmp_path: Path) -> Ceremony:
    return Ceremony.begin(tmp_path / "ceremony", r1cs)


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where private directories are made."""
    place = tmp_path / "private"
    place.mkdir(mode=0o700)
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place
