"""The small pictures of the Method page: HTML and CSS, so that they follow light and dark."""

from __future__ import annotations

from collections.abc import Iterable

STYLE = """<style>
.fmd-fig { --quiet: light-dark(#5a6478, #a3acbf); --line: light-dark(#dce1eb, #2e3850);
  --accent: light-dark(#3451b2, #8da4ef); --grey: light-dark(#c3cad8, #4a5671);
  border: 1px solid var(--line); border-radius: .6rem; padding: 1.1rem 1.2rem; font-size: .87rem; line-height: 1.35;
  background: light-dark(#f8f9fc, #141a29); display: grid; gap: .55rem .8rem; align-items: center; margin: 0; }
.fmd-fig small { font-size: .8rem; color: var(--quiet); }
.fmd-fig b { font-weight: 600; }
.fmd-fig .all { grid-column: 1 / -1; }
.fmd-fig .bar { height: .85rem; border-radius: 3px; background: var(--grey); position: relative; display: block; }
.fmd-fig .on { background: var(--accent); }
.fmd-fig .whisker { position: absolute; top: calc(50% - 1px); height: 2px; background: currentColor; opacity: .75; }
.fmd-fig .glyph { width: 2.3rem; height: 2.3rem; border-radius: 6px; border: 1px solid var(--line);
  background: light-dark(#fff, #0f1420); display: grid; place-items: center; font-size: 1.45rem; font-weight: 700; }
.fmd-fig .red { color: light-dark(#c2324f, #ff8a9b); }
.fmd-fig .green { color: light-dark(#1a7f6b, #5cc8b0); }
.fmd-fig .layer { border: 1px solid var(--grey); border-radius: 6px; padding: .75rem .35rem; text-align: center; }
.fmd-fig .layer.on { border-color: var(--accent); color: light-dark(#fff, #0f1420); font-weight: 600; }
.fmd-fig .brace { border: 1px solid var(--grey); border-top: 0; height: .4rem; }
</style>"""


def _picture(label: str, columns: str, parts: Iterable[str]) -> str:
    """One picture: a grid of `columns`, told to screen readers as one sentence."""
    return (
        f"<div class='fmd-fig' role='img' aria-label='{label}' style='grid-template-columns: {columns}'>"
        f"{''.join(parts)}</div>"
    )


def _bar(percent: float, *, on: bool = False, whisker: tuple[float, float] | None = None) -> str:
    """A bar over a track, with a whisker from and to a share of the track, all in per cent."""
    mark = ""
    if whisker:
        left, right = (100 * end / percent for end in whisker)
        mark = f"<span class='whisker' style='left:{left:.0f}%;width:{right - left:.0f}%'></span>"
    return f"<span class='bar{' on' * on}' style='width:{percent}%'>{mark}</span>"


def _glyph(ink: str) -> str:
    return f"<span class='glyph {ink}'>3</span>"


PARTS = _picture(
    "Four bars: training, external, validation and test samples; the training part is the largest.",
    "minmax(3rem, 1fr) auto auto",
    [
        f"{_bar(share, on=name == 'test')}<b>{name}</b><small>{role}</small>"
        for name, role, share in (
            ("training", "taught the model", 100),
            ("external", "decides the fix", 24),
            ("validation", "guards the fix", 28),
            ("test", "judges the fix", 50),
        )
    ],
)
TWINS = _picture(
    "Example: the model is 92 per cent sure that a red 3 is a 3, and 31 per cent sure of the same 3 in green: "
    "61 points apart.",
    "auto minmax(4rem, 1fr) auto",
    [
        "<small class='all'>How sure is the model that this is a 3?</small>",
        f"{_glyph('red')}{_bar(92)}<b>92 %</b>",
        f"{_glyph('green')}{_bar(31)}<b>31 %</b>",
        "<span></span><span style='display:flex'><span style='width:31%'></span>"
        "<span class='brace' style='width:61%;border-color:var(--accent)'></span></span><span></span>",
        "<span></span><span class='all' style='grid-column:2/-1'><b>61 points apart</b> "
        "<small>for the ink alone (example)</small></span>",
    ],
)
INFLUENCE = _picture(
    "Example: without a red 3 the bias would fall, so it is harmful; without a green 3 it would rise, so it is "
    "helpful.",
    "auto 1fr 1fr auto",
    [
        "<small class='all' style='text-align:center'>Without it the bias would &hellip;</small>",
        "<span></span><small style='text-align:right'>&hellip; fall</small><small>rise &hellip;</small><span></span>",
        f"{_glyph('red')}<span style='display:grid;justify-items:end'>{_bar(86, on=True)}</span><span></span>"
        "<b>harmful</b>",
        f"{_glyph('red')}<span style='display:grid;justify-items:end'>{_bar(38, on=True)}</span><span></span>"
        "<b>harmful</b>",
        f"{_glyph('green')}<span></span>{_bar(62)}<b>helpful</b>",
    ],
)
LAYERS = _picture(
    "A sample goes through the layers of the model to an answer. Only the last layer is fitted again.",
    "auto 1fr 1fr 1fr auto",
    [
        _glyph("red"),
        "<span class='layer'>layer</span><span class='layer'>layer</span><span class='layer'>layer</span>",
        "<span class='layer on' style='padding-inline:.6rem'>last&nbsp;layer</span>",
        "<span></span><span class='brace' style='grid-column:2/5'></span>",
        "<span class='brace' style='border-color:var(--accent)'></span>",
        "<span></span><small style='grid-column:2/5;text-align:center'>stay as they are</small>",
        "<small style='text-align:center'>is fitted again</small>",
    ],
)
CHECKS = _picture(
    "Example: on test samples the bias falls from 59 to 12 points and accuracy rises from 61 to 83 per cent; "
    "each bar has an interval.",
    "auto minmax(4rem, 1fr) auto",
    [
        f"<b>bias</b>{_bar(59, whisker=(55, 63))}<small>before</small>",
        f"<span></span>{_bar(12, on=True, whisker=(9.5, 14.5))}<small>after</small>",
        f"<b>accuracy</b>{_bar(61, whisker=(56.5, 65.5))}<small>before</small>",
        f"<span></span>{_bar(83, on=True, whisker=(79.5, 86.5))}<small>after</small>",
        "<small class='all'>Example. Thin lines are 95 % intervals.</small>",
    ],
)
PICTURES = {
    "parts": PARTS,
    "twins": TWINS,
    "influence": INFLUENCE,
    "layers": LAYERS,
    "checks": CHECKS,
}
