"""What rounds of drills found: kept one line each in docs/drills.csv, and printed as a table of distributions."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

RECORD = Path(__file__).resolve().parents[2] / "docs" / "drills.csv"


@dataclass
class Round:
    """Of one round: the longest time without an answer in seconds, numbers of statements, and what went wrong."""

    date: str
    release: str
    drill: str
    gap: float
    written: int
    failed: int
    failed_reads: int | None  # where a second client reads
    lost: int
    kept: bool  # what is promised
    problem: str = ""
    changed: int | None = None  # hosts that site.yml changed after this round, where it was run


READ = {
    "gap": float,
    **dict.fromkeys(("written", "failed", "lost"), int),
    **dict.fromkeys(("failed_reads", "changed"), lambda text: int(text) if text else None),
    "kept": lambda text: text == "True",
}
NAMES = [column.name for column in fields(Round)]


def record(found: Round) -> None:
    """At once, so that the rounds of a run that is killed are not lost."""
    new = not RECORD.exists()
    with RECORD.open("a", newline="") as lines:
        writer = csv.DictWriter(lines, NAMES, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(asdict(found))


def recorded(release: str) -> list[Round]:
    if not RECORD.exists():
        return []
    with RECORD.open(newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["release"] == release]
    return [Round(**{name: READ[name](text) if name in READ else text for name, text in row.items()}) for row in rows]


def distribution(values: Iterable[float]) -> list[float]:
    """Least, median, 95th percentile by nearest rank, most."""
    ordered = sorted(values)
    p95 = ordered[-(-95 * len(ordered) // 100) - 1]
    return [ordered[0], statistics.median(ordered), p95, ordered[-1]]


def span(numbers: list[int]) -> str:
    """The least and the most of the rounds."""
    return f"{min(numbers)} to {max(numbers)}" if numbers else "-"


def table(rounds: list[Round], promised: dict[str, float | None]) -> str:
    """In Markdown, a row per drill in the order of `promised`."""
    lines = [
        "| drill | kept | promised | min | median | p95 | max | failed writes | failed reads | lost | site.yml after |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for drill, most in promised.items():
        of_it = [found for found in rounds if found.drill == drill]
        if not of_it:
            continue
        gaps = " | ".join(f"{value:.2f}" for value in distribution(found.gap for found in of_it))
        failed = span([found.failed for found in of_it])
        reads = span([found.failed_reads for found in of_it if found.failed_reads is not None])
        lost, written = (sum(getattr(found, name) for found in of_it) for name in ("lost", "written"))
        limit = "-" if most is None else f"{most:g} s"
        kept = f"{sum(found.kept for found in of_it)} of {len(of_it)}"
        runs = [found.changed for found in of_it if found.changed is not None]
        after = f"changed={sum(runs)}" if runs else "-"
        lines.append(
            f"| `{drill}` | {kept} | {limit} | {gaps} | {failed} | {reads} | {lost} of {written:,} | {after} |"
        )
    return "\n".join(lines)
