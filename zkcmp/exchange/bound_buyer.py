"""What the seller needs of the bound request to be paid: who sent it, and the key of its refund.

The request itself has the test set and can be large; a deal that was recovered from a rescue file
has these two things instead of it.
"""

from dataclasses import dataclass

from zkcmp.errors import DecodeError
from zkcmp.exchange.deal import SellerState
from zkcmp.exchange.messages import contents as messages
from zkcmp.exchange.messages.contents import Offer
from zkcmp.exchange.messages.envelope import Kind
from zkcmp.exchange.party import Deal

REFUND_KEY_FILE = "buyer-refund-key"
_PUBLIC_KEY_BYTES = 33


@dataclass(frozen=True)
class BoundBuyer:
    """The sender of the bound request, and its public key in the lock's refund path."""

    sender: bytes
    refund_key: bytes


def bound_buyer(deal: Deal[SellerState], offer: Offer) -> BoundBuyer:
    """From our copy of the request, or from what a rescue file kept of it. Raises DecodeError."""
    path = deal.directory / REFUND_KEY_FILE
    if path.exists() and not deal.own(Kind.REQUEST).exists():
        refund_key = path.read_bytes()
        if len(refund_key) != _PUBLIC_KEY_BYTES:
            raise DecodeError(f"{path} is damaged; recover the deal in another --home")
        return BoundBuyer(bytes.fromhex(deal.state.buyer), refund_key)
    request = messages.read_request(deal.own(Kind.REQUEST), offer, deal.keys().reading)
    return BoundBuyer(request.sender, request.refund_key)
