"""The command `zkcmp`: mounts the sub-commands and turns every error into one line.

Nothing heavy is imported here; commands import the exchange when they run.
"""

import io
import os
import sys
from typing import Annotated

import typer

from zkcmp import __version__
from zkcmp.cli import buyer, chain, demo, model, passphrase, recover, seller
from zkcmp.cli.endings import interrupted, one_line, was_interrupted
from zkcmp.cli.interrupts import heeded
from zkcmp.cli.node_options import ChainTyper
from zkcmp.cli.proving import estimate, groth16, setup
from zkcmp.cli.terminal.console import fail, say

EXIT_INTERRUPTED = 130

_GROUPS: list[list[str]] = [
    [],
    ["seller"],
    ["buyer"],
    ["chain"],
    ["groth16"],
    ["groth16", "export"],
    ["groth16", "import"],
    ["setup"],
    ["model"],
    ["bench"],
]

app = ChainTyper(
    help="Sell a trained network, or buy one, with a proof of its accuracy before payment and "
    "payment only against the key. Experimental: do not use it with money. Begin with "
    "`zkcmp demo`.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["--help", "-h"]},
)
app.add_typer(seller.app, name="seller")
app.add_typer(buyer.app, name="buyer")
app.add_typer(chain.app, name="chain")
app.add_typer(groth16.app, name="groth16")
app.add_typer(setup.app, name="setup")
app.add_typer(model.app, name="model")
seller.app.command(name="passphrase")(passphrase.seller_passphrase)
buyer.app.command(name="passphrase")(passphrase.buyer_passphrase)
seller.app.command(name="rescue")(recover.seller_rescue)
buyer.app.command(name="rescue")(recover.buyer_rescue)
app.command(name="recover")(recover.recover)
app.command(name="demo")(demo.demo)
app.command(name="estimate")(estimate.estimate)


@app.command(
    name="bench",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def bench(context: typer.Context) -> None:
    """Measure engine and proofs: see `zkcmp bench --help`."""
    from importlib import import_module

    benchmarks = import_module("zkcmp.cli.proving.bench_libra")  # which adds to those of bench
    benchmarks.app(args=list(context.args), prog_name="zkcmp bench", standalone_mode=False)


def _version(asked: bool) -> None:
    if asked:
        say(f"zkcmp {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    passphrase_fd: Annotated[
        int | None,
        typer.Option(
            "--passphrase-fd",
            min=0,
            metavar="N",
            help="Read the passphrase of a private directory from this open file descriptor; "
            f"else from the file that {passphrase.VARIABLE} names, else from the terminal.",
        ),
    ] = None,
) -> None:
    passphrase.begin(passphrase_fd)


def main() -> None:
    """Entry point of the command."""
    # one that was closed by who called us would be the number of the next file that is opened
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # a path that the terminal cannot show must not end a command half way
            stream.reconfigure(errors="backslashreplace")
    try:
        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # once more, while the first was answered
        code = _interrupted(sys.argv[1:])
    heeded()
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command; its exit code: 0 done, 2 refused, 130 interrupted, 1 a defect."""
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:], "--help"]
    if arguments in _GROUPS:
        arguments = [*arguments, "--help"]
    try:
        code = app(args=arguments, prog_name="zkcmp", standalone_mode=False)
        if code == EXIT_INTERRUPTED:  # that is what Typer makes of Ctrl-C
            return _interrupted(arguments)
        return code if isinstance(code, int) else 0
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    except KeyboardInterrupt:
        return _interrupted(arguments)
    except Exception as error:
        if was_interrupted(error):
            return _interrupted(arguments)
        text = one_line(error, arguments, app)
        if text is not None:
            return _failed(text, 2)
        if os.environ.get("ZKCMP_TRACEBACK"):
            raise
        # its text could hold a secret, so only its kind is shown
        kind = type(error).__name__
        return _failed(f"a defect in zkcmp ({kind}); ZKCMP_TRACEBACK=1 shows where", 1)


def _interrupted(arguments: list[str]) -> int:
    heeded()
    if sys.stderr.isatty():
        sys.stderr.write("\n")  # the terminal has just shown ^C
    return _failed(interrupted(arguments), EXIT_INTERRUPTED)


def _failed(text: str, code: int) -> int:
    try:
        fail(text)
    except SystemExit:
        return code


if __name__ == "__main__":
    main()
