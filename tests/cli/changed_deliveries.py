"""Deliveries that are honest but for one thing."""

from collections.abc import Callable

from deal_stages import Sale

from zkcmp.exchange.buyer import Buyer
from zkcmp.exchange.messages import contents as messages
from zkcmp.exchange.messages.contents import Delivery
from zkcmp.exchange.messages.envelope import Kind
from zkcmp.exchange.seller import Seller


def redeliver(deal: Sale, change: Callable[[Delivery], tuple[bytes, bytes]]) -> None:
    """The seller's delivery again, validly signed, with another proof or other parameters."""
    with Seller.opened(deal.root / "seller") as seller, Buyer.opened(deal.root / "buyer") as buyer:
        mine, bought = seller.need(deal.deal), buyer.need(deal.deal)
        offer = mine.offer()
        request = messages.read_request(mine.own(Kind.REQUEST), offer, mine.keys().reading)
        answered = bytes.fromhex(mine.state.key_material or mine.state.request)
        honest = messages.read_delivery(
            mine.own(Kind.DELIVERY),
            offer,
            request.sender,
            request.digest,
            answered,
            bought.keys().reading,
        )
        proof, parameters = change(honest)
        deal.message("delivery").unlink()
        messages.write_delivery(
            deal.message("delivery"),
            seller.identity,
            offer,
            request,
            answered,
            parameters,
            honest.ciphertext,
            proof,
        )
