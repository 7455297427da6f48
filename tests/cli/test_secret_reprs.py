"""What is printed of objects that hold a secret: in a notebook, a debugger, a failed assertion."""

from dataclasses import fields

import pytest

from circuits.gadgets.sha256 import Word
from circuits.lookups.ranges import _Lookup
from zkcmp.api import Sealed, SealedNetwork
from zkcmp.cli.node_options import NodeChoice
from zkcmp.cli.passphrase import _Given
from zkcmp.commitments.hyrax import HyraxOpening
from zkcmp.commitments.zkvpd import ZkvpdOpening
from zkcmp.exchange.messages.contents import Request
from zkcmp.exchange.party import DealKeys
from zkcmp.exchange.private.keyring import Keyring
from zkcmp.exchange.rescue import Rescue
from zkcmp.exchange.settlement.signed_spends import SignedSpend
from zkcmp.groth16.first_round import _Answer
from zkcmp.groth16.setup import QapAtTau, Trapdoor

HOLDERS: list[tuple[type, tuple[str, ...]]] = [
    (DealKeys, ("reading", "coin_secret")),
    (HyraxOpening, ("values", "tail", "blinders")),
    (Keyring, ("keys",)),
    (NodeChoice, ("node",)),
    (QapAtTau, ("z",)),
    (Request, ("test_set",)),
    (Rescue, ("files", "keyring")),
    (Sealed, ("network", "preimage")),
    (SealedNetwork, ("ciphertext",)),
    (SignedSpend, ("transaction",)),
    (Trapdoor, ("alpha", "beta", "gamma", "delta", "tau", "delta0")),
    (Word, ("values",)),
    (ZkvpdOpening, ("values", "tail", "blinders")),
    (_Answer, ("committed", "blinder")),
    (_Given, ("read",)),
    (_Lookup, ("small",)),
]


@pytest.mark.parametrize(("holder", "secrets"), HOLDERS, ids=[h.__name__ for h, _ in HOLDERS])
def test_nothing_secret(holder: type, secrets: tuple[str, ...]) -> None:
    """Every field says its own name, in capitals."""
    instance = object.__new__(holder)
    names = [field.name for field in fields(holder)]
    assert set(secrets) <= set(names)
    for name in names:
        object.__setattr__(instance, name, name.upper())
    shown = repr(instance)
    assert [name for name in secrets if repr(name.upper()) in shown] == []
