"""Paper: the look of a report, and its parts: sections, tables, figures with a table instead; domain-free."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape

STYLE = """
:root{--paper:#fff;--ink:#1b1f24;--soft:#5b6470;--rule:#d8dde3;--tile:#f5f7f9;--low:#c2410c;--ok:#15803d;--high:#b7791f}
@media screen and (prefers-color-scheme:dark){:root{--paper:#14171b;--ink:#e6e9ed;--soft:#a3adb8;--rule:#363d46;
--tile:#1c2126;--low:#fb7c4b;--ok:#4ade80;--high:#f0b84a}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:62rem;margin:0 auto;padding:1.5rem 1rem 3rem}
header p,caption,dt,figcaption,.keys{color:var(--soft)}
h1{margin:0;font-size:2rem;overflow-wrap:anywhere}header p{margin:.2rem 0 0}
h2{margin:2.2rem 0 .8rem;font-size:1.25rem;border-bottom:1px solid var(--rule);padding-bottom:.3rem}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(13rem,1fr));gap:.8rem;margin:0 0 1.2rem}
dl div{background:var(--tile);border-radius:.5rem;padding:.6rem .8rem}
dt{font-size:.85rem}dd{margin:0;overflow-wrap:anywhere}
.scroll{overflow-x:auto;margin:0 0 1rem}
table{border-collapse:collapse;width:100%;font-size:.92rem}caption{text-align:left;padding-bottom:.35rem}
th,td{text-align:left;padding:.3rem .7rem .3rem 0;border-bottom:1px solid var(--rule);vertical-align:top}
thead th{font-weight:600;white-space:nowrap}tbody th{font-weight:500}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.wrap td{overflow-wrap:anywhere;word-break:break-word}
.wrap tbody th{white-space:nowrap}
figure{margin:0}details{margin:.3rem 0 1rem}summary{cursor:pointer;color:var(--soft)}
summary:focus-visible{outline:2px solid #3b82f6;outline-offset:2px}
.bar{display:flex;height:1.1rem;border-radius:.4rem;overflow:hidden}.bar i{display:block}
.keys{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1.4rem;padding:0;margin:.5rem 0 1.2rem}
.keys b{display:inline-block;width:.8em;height:.8em;border-radius:.2em}
.below{background:var(--low)}.within{background:var(--ok)}.above{background:var(--high)}
@media print{body{font-size:11pt}main{max-width:none;padding:0}section{break-inside:avoid}
.modebar{display:none!important}
.bar i,.keys b{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""

SCRIPT = """
(() => {
  const paint = () => {
    const ink = getComputedStyle(document.documentElement).getPropertyValue('--ink').trim();
    const tile = getComputedStyle(document.documentElement).getPropertyValue('--tile').trim();
    document.querySelectorAll('.js-plotly-plot').forEach(plot => Plotly.relayout(plot, {
      'font.color': ink, 'hoverlabel.bgcolor': tile, 'hoverlabel.font.color': ink}));
  };
  paint();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', paint);
  matchMedia('print').addEventListener('change', paint);
})();
"""


def section(title: str, content: str) -> str:
    """Return a part of the page under its own heading; *content* is HTML."""
    name = title.lower().replace(" ", "-")
    return f'<section aria-labelledby="{name}"><h2 id="{name}">{escape(title)}</h2>{content}</section>'


def table(
    caption: str, head: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Collection[int] = (), kind: str = ""
) -> str:
    """Return a table; the first cell of each row is its heading, columns in *numbers* are set to the right."""
    heads = "".join(f'<th scope="col"{_right(i, numbers)}>{escape(cell)}</th>' for i, cell in enumerate(head))
    body = "".join(f"<tr>{_cells(row, numbers)}</tr>" for row in rows)
    top = f"<caption>{escape(caption)}</caption><thead><tr>{heads}</tr></thead>"
    named = escape(caption, quote=True)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{named}">'
        f'<table class="{kind}">{top}<tbody>{body}</tbody></table></div>'
    )


def _cells(row: Sequence[str], numbers: Collection[int]) -> str:
    first, *rest = row
    cells = "".join(f"<td{_right(i, numbers)}>{escape(cell)}</td>" for i, cell in enumerate(rest, 1))
    return f'<th scope="row">{escape(first)}</th>{cells}'


def _right(column: int, numbers: Collection[int]) -> str:
    return ' class="n"' if column in numbers else ""


def figure(text: str, drawn: str, numbers: str) -> str:
    """Return a drawing with its caption, and the same in numbers for those who do not see it."""
    image = f'<div role="img" aria-label="{escape(text, quote=True)}">{drawn}</div>'
    return (
        f"<figure><figcaption>{escape(text)}</figcaption>{image}</figure>"
        f"<details><summary>The same in numbers</summary>{numbers}</details>"
    )
