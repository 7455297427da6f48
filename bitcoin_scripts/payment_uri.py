"""Asking an external wallet for one payment: a BIP 21 URI, and the same as a QR code for terminals.

    bitcoin:<address>?amount=<bitcoin, decimal>&label=<text>

A URI has no field for a last moment to pay, so whoever shows it says that beside it.
"""

import io
from decimal import Decimal
from urllib.parse import quote

import segno

_SAT_DIGITS = 8
_QUIET_ZONE = 2  # modules; terminals have space around them anyway


def payment_uri(address: str, amount_sat: int, label: str = "") -> str:
    """The URI that wallets on every chain understand; the amount is exact."""
    amount = Decimal(amount_sat).scaleb(-_SAT_DIGITS)
    uri = f"bitcoin:{address}?amount={amount:.{_SAT_DIGITS}f}"
    return f"{uri}&label={quote(label, safe='')}" if label else uri


def terminal_qr(text: str) -> str:
    """A QR code in half-height block characters, bright on dark; several lines."""
    drawn = io.StringIO()
    segno.make_qr(text, error="l").terminal(drawn, border=_QUIET_ZONE, compact=True)
    return drawn.getvalue().rstrip("\n")
