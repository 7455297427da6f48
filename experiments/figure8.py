"""Figure 8 of the paper: Table 2 as curves, from results/table2.csv.

python experiments/figure8.py [DIRECTORY of the table, and for the drawing]
"""

import sys
from pathlib import Path

from curves import draw
from records import RESULTS

if __name__ == "__main__":
    results = Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS
    panels = [
        ("prove_s", "paper_prove_s", "prover (s)"),
        ("verify_s", "paper_verify_s", "verifier (s)"),
    ]
    draw(results / "table2.csv", panels, results / "figure8.png")
