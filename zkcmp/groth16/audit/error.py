"""What an audit objects to."""

from zkcmp.errors import VerificationError

_ADVICE = "this key could make a proof reveal the witness, refuse it"


class AuditError(VerificationError):
    """A key is not what an honest setup could have made.

    `section` is the key's array (or elements), `index` the position in it, None where no single
    position is to blame.
    """

    def __init__(
        self, section: str, index: int | None, expected: object, got: object, hint: str = ""
    ):
        self.section, self.index = section, index
        place = section if index is None else f"{section}[{index}]"
        super().__init__(f"proving key {place}", expected, got, hint or _ADVICE)
