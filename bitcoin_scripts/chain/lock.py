"""One process at a time in a directory: an advisory lock that dies with its holder."""

import fcntl
import os
import time
from pathlib import Path

from bitcoin_scripts.errors import SettlementError

_POLL_S = 0.05


class DirectoryLock:
    """Holds `directory`/lock until `release`, or until the process ends in whatever way.

    Waits up to `timeout_s` for another holder, then raises SettlementError naming it. The file
    stays: deleting a lock file lets two processes each lock their own.
    """

    def __init__(self, directory: Path, timeout_s: float):
        self._fd = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + timeout_s
        while not self._try():
            if time.monotonic() >= deadline:
                holder = os.pread(self._fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
                os.close(self._fd)
                raise SettlementError(
                    f"the chain in {directory} is in use by process {holder}; "
                    "wait until it has finished, then repeat the command"
                )
            time.sleep(_POLL_S)
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, b"%d\n" % os.getpid(), 0)

    def _try(self) -> bool:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Let the next process in."""
        os.close(self._fd)
