"""The one error a caller of this package can meet."""


class SettlementError(Exception):
    """A script, transaction or chain is not what it must be; one line that ends with what to do."""
