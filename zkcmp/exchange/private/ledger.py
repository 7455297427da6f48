"""Two ledgers that outlive every deal: samples a buyer has sent, requests a seller has answered.

A test set is spent once sent: after an abort the seller has seen it and can train on it. An
answered request tells its sender one bit about the weights, however often they are sealed again.
Both are written durably *before* the message goes out, so a crash can only count too much.

A sample is known by its image alone (`TestSet.sample_digests`): another label on the same image
does not make it new. The same image quantised to other integers is not recognised.
"""

import json
import re
from pathlib import Path

from zkcmp.errors import DealError, DecodeError
from zkcmp.exchange.private.store import write_atomic

_RECORD_BYTES = 64
_DIGEST = rb'"[0-9a-f]*"'
_ENTRY = rb"%b: \[%b(?:, %b)*\]" % (_DIGEST, _DIGEST, _DIGEST)
_LEDGER = re.compile(rb"\{(?:%b(?:, %b)*)?\}" % (_ENTRY, _ENTRY))
"""What `AnsweredRequests` writes. Looked at first: json's parser follows any depth of brackets."""


class SpentSamples:
    """File of records: sample digest (32) | digest of the request that sent it (32)."""

    def __init__(self, path: Path):
        self.path = path

    def load(self) -> dict[bytes, bytes]:
        """The request that spent each sample, by digests. Raises DecodeError for a damaged file."""
        data = self.path.read_bytes() if self.path.exists() else b""
        if len(data) % _RECORD_BYTES:
            raise DecodeError(f"{self.path} is damaged; restore it before you request again")
        records = (data[i : i + _RECORD_BYTES] for i in range(0, len(data), _RECORD_BYTES))
        return {record[:32]: record[32:] for record in records}

    def check(self, samples: list[bytes], request: bytes = b"") -> dict[bytes, bytes]:
        """All records. Raises DealError when a request other than `request` sent a sample."""
        spent = self.load()
        reused = sum(spent.get(sample, request) != request for sample in samples)
        if reused:
            raise DealError(
                f"{reused} of {len(samples)} samples were already sent to a seller, who can have "
                "trained on them; use samples that no request contained"
            )
        return spent

    def spend(self, samples: list[bytes], request: bytes) -> None:
        """Record `samples` as sent by `request`, durably. Raises as `check` does."""
        spent = self.check(samples, request)
        if any(sample not in spent for sample in samples):
            spent.update(dict.fromkeys(samples, request))
            write_atomic(self.path, b"".join(a + b for a, b in spent.items()))


class AnsweredRequests:
    """Weights digest -> digests of the requests answered about these weights."""

    def __init__(self, path: Path):
        self.path = path

    def load(self) -> dict[str, list[str]]:
        """All of them, in hexadecimal. Raises DecodeError when the file is damaged."""
        if not self.path.exists():
            return {}
        data = self.path.read_bytes()
        if not _LEDGER.fullmatch(data):
            raise DecodeError(f"{self.path} is damaged; restore it before you answer a request")
        loaded: dict[str, list[str]] = json.loads(data)
        return loaded

    def record(self, weights: bytes, request: bytes) -> int:
        """Count `request` (once) as answered about `weights`, durably; return the total."""
        answered = self.load()
        requests = answered.setdefault(weights.hex(), [])
        if request.hex() not in requests:
            requests.append(request.hex())
            write_atomic(self.path, json.dumps(answered, sort_keys=True).encode())
        return len(requests)

    def count(self, weights: bytes) -> int:
        """How many requests about weights of this digest were answered."""
        return len(self.load().get(weights.hex(), []))
