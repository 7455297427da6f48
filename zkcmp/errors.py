"""The errors a caller can meet. Every message ends with what to do next."""


class ZkcmpError(Exception):
    """Base of every error this package raises on purpose; its text is one line for a user."""


class SettingError(ZkcmpError):
    """An environment variable has a value that cannot be used."""


class DecodeError(ZkcmpError):
    """Untrusted bytes are not a canonical encoding of what they should be."""


class VerificationError(ZkcmpError):
    """A check of a proof, a seal or a deal failed.

    `where` names the failed check (gadget, field or message); `expected` and `got` were compared.
    """

    def __init__(self, where: str, expected: object = None, got: object = None, hint: str = ""):
        self.where, self.expected, self.got = where, expected, got
        text = where
        if expected is not None or got is not None:
            text += f": expected {expected}, got {got}"
        super().__init__(f"{text}; {hint}" if hint else text)


class DealError(ZkcmpError):
    """A step of a deal cannot be taken now; the text says what is missing and what supplies it."""


class PassphraseError(DealError):
    """A passphrase is needed, and nobody gives it; nothing was changed."""


class WrongPassphraseError(PassphraseError):
    """A passphrase that does not open what it was given for; nothing was changed."""
