"""The one line with which a command ends that did not do its work: refused, mistyped, interrupted.

An interrupt loses nothing: files are written beside their place and moved there when they are
whole, and what cannot be undone is recorded before it is done. So the line says where to look, and
to repeat.
"""

import errno
import re
from typing import Any

import typer

from zkcmp.cli import passphrase
from zkcmp.errors import WrongPassphraseError, ZkcmpError

_CLICK_ERROR = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")

_FINGERPRINT = re.compile(r"[0-9a-f]{4}( [0-9a-f]{4})+", re.IGNORECASE)

_DEAL = (
    "what was finished is kept in the private directory, and `zkcmp {} status` shows it; "
    "repeat the command to go on"
)
_UNCHANGED = "files are written whole or not at all; repeat the command to go on"
_AFTER_AN_INTERRUPT = {
    "seller": _DEAL.format("seller"),
    "buyer": _DEAL.format("buyer"),
    "recover": "what was finished is kept in the private directory; repeat it with the same file",
    "demo": "the demo begins anew each time; with --keep, name another directory",
    "chain": "the chain has the blocks that were finished; `zkcmp chain height` counts them",
    "bench": "what was printed stands",
}
_ADVICE = {
    errno.ENOSPC: "make room on that disk, then repeat the command",
    errno.EDQUOT: "make room on that disk, then repeat the command",
    errno.EROFS: "name a place that can be written to",
    errno.EFBIG: "its disk, or `ulimit -f`, allows no file so large: name a place on another disk",
    errno.EIO: "the disk fails: save what is on it, then go on with a copy elsewhere",
    errno.EEXIST: "name a folder, or a place where nothing is",
}


def interrupted(arguments: list[str]) -> str:
    """What is kept of the command that Ctrl-C ended, and how to go on."""
    name = next((word for word in arguments if word in _AFTER_AN_INTERRUPT), "")
    return f"interrupted; {_AFTER_AN_INTERRUPT.get(name, _UNCHANGED)}"


def was_interrupted(error: BaseException) -> bool:
    """Whether an error stands for Ctrl-C, which Typer turns into others on its way."""
    return isinstance(error, KeyboardInterrupt) or isinstance(error.__cause__, KeyboardInterrupt)


def one_line(error: Exception, arguments: list[str], program: typer.Typer) -> str | None:
    """What to tell a user about an error that is no defect of ours; None for a defect.

    program: the command `zkcmp` itself, to name what was meant and whose --help has more.
    """
    if isinstance(error, WrongPassphraseError) and passphrase.source():
        return f"{error}; {passphrase.source()}"
    if isinstance(error, ZkcmpError):
        return str(error)
    if isinstance(error, _CLICK_ERROR):
        text: str = error.format_message()  # type: ignore[attr-defined]
        return _mistyped(text, arguments, typer.main.get_command(program))
    if isinstance(error, typer.Abort):
        return "aborted"
    if isinstance(error, OSError):
        if _is_of_the_cache(error):
            return (
                f"compiled kernels cannot be kept: {error.strerror or error}; make room in "
                "~/.cache/zkcmp, or set ZKCMP_CACHE to a directory elsewhere, then repeat the "
                "command"
            )
        place = f"{error.filename}: " if error.filename else ""
        advice = _ADVICE.get(error.errno or 0, "check the path and its permissions")
        return f"{place}{error.strerror or error}; {advice}"
    if isinstance(error, MemoryError):
        return "not enough memory; use fewer test images"
    from bitcoin_scripts.errors import SettlementError

    return str(error) if isinstance(error, SettlementError) else None


def _is_of_the_cache(error: OSError) -> bool:
    """Whether numba met it while it kept, or looked for, what it had compiled."""
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_globals.get("__name__") == "numba.core.caching":
            return True
        step = step.tb_next
    return False


def _mistyped(text: str, arguments: list[str], program: Any) -> str:
    path, unknown = _followed(arguments, program)
    if text.startswith("No such command"):
        meant = _commands_named(unknown, program)
        if meant:
            return f"there is no command `{path} {unknown}`; is it {' or '.join(meant)}?"
    if text.startswith("Got unexpected extra argument") and _FINGERPRINT.search(text):
        return f"a fingerprint has blanks; put it in quotes, or leave them out; see `{path} --help`"
    end = "" if text.endswith("?") else ";"
    return f"{text.rstrip('.')}{end} see `{path} --help`"


def _followed(arguments: list[str], program: Any) -> tuple[str, str]:
    """The command that the arguments lead to, and the first word that leads no further."""
    names, command = ["zkcmp"], program
    for word in arguments:
        commands = getattr(command, "commands", {})
        if word in commands:
            names.append(word)
            command = commands[word]
        elif commands and not word.startswith("-") and not word.isdigit():  # of --passphrase-fd
            return " ".join(names), word
    return " ".join(names), ""


def _commands_named(name: str, program: Any) -> list[str]:
    """Every `zkcmp group name`: whoever forgot the group meant one of them."""
    return [
        f"`zkcmp {group} {name}`"
        for group, command in program.commands.items()
        if name in getattr(command, "commands", {})
    ]
