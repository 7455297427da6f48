"""README's performance section is what the CSV files in results/ say, and nothing else."""

from pathlib import Path

import readme_table

ROOT = Path(__file__).resolve().parents[2]


def test_every_number_is_of_a_row() -> None:
    readme = (ROOT / "README.md").read_text()
    assert readme_table.replaced(readme, readme_table.section(ROOT / "results")) == readme


def test_a_number_that_was_typed_is_found() -> None:
    text = readme_table.section(ROOT / "results")
    readme = f"a\n{readme_table.BEGIN}\n\n{text}\n\n{readme_table.END}\nb"
    assert readme_table.replaced(readme, text) == readme
    assert readme_table.replaced(readme.replace("|", "| 1.0 ", 1), text) != readme.replace(
        "|", "| 1.0 ", 1
    )
