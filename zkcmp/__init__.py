"""Zero-knowledge contingent model payment: sell a trained network fairly, with no third party.

    zkcmp.Seller, zkcmp.Buyer    the two parties, from Python
    zkcmp.quantize, zkcmp.save   the integer network that is sold
    zkcmp.regtest                the embedded chain
    zkcmp.api                    these, and the statement without a deal

They load when they are first used: `import zkcmp` imports nothing heavy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zkcmp import api
    from zkcmp.api import Buyer, Seller, quantize, regtest, save

__version__ = "0.1.0"
__all__ = ["Buyer", "Seller", "api", "quantize", "regtest", "save"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'zkcmp' has no attribute {name!r}")
    api = import_module("zkcmp.api")
    return api if name == "api" else getattr(api, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
