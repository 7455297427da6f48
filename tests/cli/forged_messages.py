"""What tests of parties that lie share: who reads a message, lies that are signed, and refusals."""

from collections.abc import Callable

from deal_stages import Result, Sale

from zkcmp.exchange.buyer import Buyer
from zkcmp.exchange.messages import contents as messages
from zkcmp.exchange.messages.contents import Offer

READER: dict[str, tuple[str, Callable[[Sale], Result]]] = {
    "offer": ("sealed", Sale.request),
    "request": ("set_up", Sale.prove),
    "key-material": ("set_up", Sale.prove),
    "delivery": ("proved", lambda sale: sale.run("buyer", "verify")),
    "lock": ("locked", lambda sale: sale.run("seller", "redeem")),
}
"""Which command reads a message, and after which step."""


def refused_without_a_trace(sale: Sale, command: Callable[[Sale], Result]) -> str:
    """What the command that refuses says; no file of anybody's was changed."""
    before = sale.tree()
    result = command(sale)
    assert result.refused, result
    assert sale.tree() == before
    return result.err


def offer_terms(offer: Offer, **changed: object) -> dict[str, object]:
    """The fields that `messages.write_offer` takes, some of them others."""
    fields = {**vars(offer), **changed}
    return {k: v for k, v in fields.items() if k not in ("sender", "digest", "architecture")}


def forged_request(sale: Sale, test_set: bytes, **changed: object) -> bytes:
    """The buyer's request again, with something else in it; its digest."""
    path = sale.message("request")
    offer = messages.read_offer(sale.message("offer"))
    with Buyer.opened(sale.root / "buyer") as buyer:
        keys = buyer.need(sale.deal).keys()
        record = {
            "reading_key": keys.reading.public_key,
            "refund_key": keys.coin_public,
            "threshold": 2,
            "method": "freivalds",
            "nonce": bytes(16),
            **changed,
        }
        path.unlink()
        return messages.write_request(path, buyer.identity, offer, record, test_set)
