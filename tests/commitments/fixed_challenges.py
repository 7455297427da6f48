"""Transcripts for tests: one whose challenges are known beforehand, one that writes them down.

A simulator may know the challenges, a cheat may not.
"""

from zkcmp.bn254.params import FR_MODULUS
from zkcmp.transcript import Transcript


class FixedChallenges(Transcript):
    """Challenges of one label, in order, from a list; of labels without a list, counted on."""

    def __init__(self, **lists: list[int]):
        super().__init__(b"fixed")
        self._lists = {name: list(values) for name, values in lists.items()}
        self._next = 1000

    def challenge(self, label: bytes) -> int:
        """`label` is protocol/name; the list is chosen by name."""
        queue = self._lists.get(label.decode().split("/")[-1])
        if queue:
            return queue.pop(0)
        self._next += 1
        return pow(7, self._next, FR_MODULUS)


class RecordedChallenges(Transcript):
    """The real thing; `challenges` are those that it gave."""

    def __init__(self, domain: bytes):
        super().__init__(domain)
        self.challenges: list[int] = []

    def challenge(self, label: bytes) -> int:
        self.challenges.append(super().challenge(label))
        return self.challenges[-1]
