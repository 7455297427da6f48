"""How `--help` of a group lists its commands: in the order of a deal, with whole sentences."""

from typing import Any

from typer.core import TyperGroup

_FIRST = ("demo", "model", "estimate", "seller", "buyer", "chain", "recover")
_LONGEST_SENTENCE = 1_000


class Listing(TyperGroup):
    """A group whose commands are shown with all of their first sentence, wrapped."""

    def list_commands(self, ctx: Any) -> list[str]:
        """What a newcomer wants first, then the others, as they were mounted."""
        names = super().list_commands(ctx)
        first = [name for name in _FIRST if name in names] if ctx.parent is None else []
        return [*first, *(name for name in names if name not in first)]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """As click's, which cuts a sentence off where the line ends."""
        rows = [
            (name, self.commands[name].get_short_help_str(_LONGEST_SENTENCE))
            for name in self.list_commands(ctx)
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
