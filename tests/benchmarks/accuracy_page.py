"""The page about accuracy: tables, and the frontier of accuracy against time as a drawing."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

Results = dict[str, dict[str, list[dict[str, Any]]]]
"""By set, by method: the figures of each seed."""

_COLUMNS = (
    ("image_auroc", "image AUROC", 4),
    ("pixel_auroc", "pixel AUROC", 4),
    ("pro", "PRO", 3),
    ("false_rejects", "false rejects", 3),
    ("escapes", "escapes", 3),
    ("ms", "ms", 1),
)


def write_page(
    output: Path, results: Results, rate: float, command: str, sections: dict[str, str]
) -> None:
    """Write FILE.md, and the drawing beside it as FILE.svg."""
    methods = list(dict.fromkeys(name for row in results.values() for name in row))
    drawing = output.with_suffix(".svg")
    drawing.write_text(frontier(results, methods))
    seeds = {
        name: max(len(row[name]) for row in results.values() if name in row)
        for name in methods
        if any("image_auroc" in run for row in results.values() for run in row.get(name, []))
    }
    counted = ", ".join(f"{name}: {count}" for name, count in seeds.items())
    parts = [
        "# Accuracy",
        "",
        f"Made by `{command}`; do not edit. What the figures mean, and what they are not:",
        "",
        "- Taught on `train/good` with defaults only, the same for every set; measured on `test`."
        f" The threshold is calibrated for a false reject rate of {rate:.0%}.",
        "- Bits go through `calibrate` and `evaluate`; `base` at 336 px is what happens without any"
        " option, `small` at 256 px with `--backbone small` alone."
        " Float teachers and HOG see the same pictures at 336 px and go through the same"
        " folds, choice of pose, places, drift, outliers and threshold, with Euclidean distances;"
        " no defects are drawn for them, so smoothing is as usual;"
        " teachers give their maps at strides 8 and 16, projected onto 256 directions where they"
        " have more channels.",
        "- Mean over seeds, which decide the folds and the bank, ± standard deviation. Seeds:"
        f" {counted}.",
        "- ms: median of an inspection of good parts, by turns on one core with MobileNet's forward"
        " pass; of float teachers and HOG, taken when their accuracy was.",
        *(
            []
            if any("float" in name for name in methods)
            else ["- Float teachers were not measured when this page was made: run it again."]
        ),
        "- Some constants of the calibration (the size of the input, the limits of the rules for"
        " pose, drift and outliers, on how many parts defects are drawn) were chosen while looking"
        " at figures of these sets:"
        " expect a little less on others.",
        "- `casting` has rotated near-copies across its split: a sanity check, no headline.",
        "",
        f"![image AUROC against milliseconds]({drawing.name})",
        "",
        "Mean over all sets:",
        "",
        *_table(["method", "image AUROC", "ms"], [_mean_row(results, name) for name in methods]),
    ]
    for name, row in results.items():
        rows = [
            [method, *(_cell(runs, key, digits) for key, _, digits in _COLUMNS)]
            for method, runs in row.items()
        ]
        parts += ["", f"## {name}", "", *_table(["method", *(c[1] for c in _COLUMNS)], rows)]
        shares = [run["drift"] for runs in row.values() for run in runs if run.get("drift")]
        if shares and max(shares) > 0.25:
            parts += [
                "",
                f"Drift: {np.mean(shares):.0%} of the good test pictures lie as a whole beyond"
                " every taught one, which `evaluate` says. The threshold promises nothing there.",
            ]
    for title, text in sections.items():
        parts += ["", f"## {title}", "", text.strip()]
    output.write_text("\n".join(parts) + "\n")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [
        f"| {' | '.join(head)} |",
        "|---" + "|---:" * (len(head) - 1) + "|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def _cell(runs: list[dict[str, Any]], key: str, digits: int) -> str:
    values = [run[key] for run in runs if run.get(key) is not None]
    if not values:
        return "-"
    text = f"{np.mean(values):.{digits}f}"
    return f"{text} ± {np.std(values):.{digits}f}" if len(values) > 1 and key != "ms" else text


def _means(results: Results, method: str) -> tuple[float, float]:
    """Over the sets; not a number where a set has none."""
    auroc, ms = (
        float(
            np.mean(
                [
                    np.mean([run.get(key, math.nan) for run in row.get(method, [{}])])
                    for row in results.values()
                ]
            )
        )
        for key in ("image_auroc", "ms")
    )
    return auroc, ms


def _mean_row(results: Results, method: str) -> list[str]:
    auroc, ms = _means(results, method)
    return [
        method,
        "-" if math.isnan(auroc) else f"{auroc:.4f}",
        "-" if math.isnan(ms) else f"{ms:.1f}",
    ]


def frontier(results: Results, methods: Sequence[str]) -> str:
    """Mean image AUROC against milliseconds, the latter on a logarithmic scale: an SVG."""
    width, height, left, foot = 720, 380, 60, 50
    points = [(name, *_means(results, name)) for name in methods]
    points = [point for point in points if not math.isnan(point[1] + point[2])]
    decades = [math.log10(ms) for _, _, ms in points]
    low, high = math.floor(min(decades) * 2) / 2, math.ceil(max(decades) * 2 + 0.2) / 2
    bottom = math.floor(min(auroc for _, auroc, _ in points) * 20) / 20
    top = math.ceil(max(auroc for _, auroc, _ in points) * 20 + 0.2) / 20

    def across(ms: float) -> float:
        return left + (math.log10(ms) - low) / (high - low) * (width - left - 150)

    def up(auroc: float) -> float:
        return 20 + (top - auroc) / (top - bottom) * (height - 20 - foot)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        ' font-family="sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for step in range(round((top - bottom) / 0.05) + 1):
        value = bottom + step * 0.05
        lines.append(
            f'<line x1="{left}" x2="{width - 20}" y1="{up(value):.1f}" y2="{up(value):.1f}"'
            f' stroke="#ddd"/><text x="{left - 8}" y="{up(value) + 4:.1f}" text-anchor="end"'
            f' fill="#555">{value:.2f}</text>'
        )
    for exponent in range(round(low * 2), round(high * 2) + 1):
        ms = float(f"{10 ** (exponent / 2):.1g}")
        if low <= math.log10(ms) <= high:
            lines.append(
                f'<text x="{across(ms):.1f}" y="{height - 28}" text-anchor="middle"'
                f' fill="#555">{ms:g}</text>'
            )
    lines.append(
        f'<text x="{left}" y="{height - 8}" fill="#555">milliseconds an inspection, mean over'
        " sets; image AUROC upwards</text>"
    )
    for name, auroc, ms in points:
        colour = "#c8352b" if name.startswith("bits") else "#4178be"
        lines.append(
            f'<circle cx="{across(ms):.1f}" cy="{up(auroc):.1f}" r="6" fill="{colour}"/>'
            f'<text x="{across(ms) + 10:.1f}" y="{up(auroc) + 4:.1f}"'
            f' fill="#222">{html.escape(name)}</text>'
        )
    return "\n".join([*lines, "</svg>"]) + "\n"
