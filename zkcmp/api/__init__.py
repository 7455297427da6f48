"""The project from Python: arrays and paths in, small results out.

    Seller, Buyer      a party at work in its private directory, one method a step of a deal
    read, quantize, save
                       from a trained network to the integer one that is sold
    seal, setup, prove, verify, open_seal
                       the same statement without a deal: for research and for tests. Nothing here
                       stops anyone from proving twice about one seal; that is what a deal is for.

Images are (n, C, H, W) or (n, H, W) integers, labels (n,) class numbers from 0. A `model` is a path
to an ONNX file, or a Network. Amounts are satoshi. docs/api.md has examples.

Every error on purpose is one line: a ZkcmpError, or where a chain is asked a SettlementError of
bitcoin_scripts.
"""

from zkcmp.api.networks import costs, evaluate, quantize, read, save
from zkcmp.api.parties import Buyer, Seller, regtest
from zkcmp.api.statements import Sealed, SealedNetwork, open_seal, prove, seal, setup, verify

__all__ = [
    "Buyer",
    "Sealed",
    "SealedNetwork",
    "Seller",
    "costs",
    "evaluate",
    "open_seal",
    "prove",
    "quantize",
    "read",
    "regtest",
    "save",
    "seal",
    "setup",
    "verify",
]
