"""A text with the words that matter marked, as HTML: a twin with its swapped word, or a text with its decisive ones."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from app.widgets import components

Span = tuple[int, int]
STYLE = """<style>
.fmd-text mark { background: none; color: inherit; font-weight: 650; padding: 0 1px; border-radius: 3px;
  box-shadow: inset 0 -0.45em color-mix(in srgb, light-dark(#3451b2, #8ca2f0) 32%, transparent); }
.fmd-text.blurred { filter: blur(5px); user-select: none; }
.fmd-said { display: grid; grid-template-columns: minmax(0, max-content) clamp(3rem, 12vw, 10rem) 3.2rem;
  gap: .15rem .75rem; align-items: center;
  font-size: .95rem; line-height: 1.35; margin: 0; }
.fmd-said .bar { height: .5rem; border-radius: 4px; background: color-mix(in srgb, currentColor 14%, transparent); }
.fmd-said .bar > span { display: block; height: 100%; border-radius: 4px;
  background: light-dark(#3451b2, #8ca2f0); }
.st-key-sentences_on_card .fmd-said { grid-template-columns: minmax(0, 1fr) 3.2rem; }
.st-key-sentences_on_card .fmd-said .bar { display: none; }
.fmd-said .share { text-align: right; font-variant-numeric: tabular-nums; }
</style>"""


def marked(text: str, spans: Sequence[Span], *, blurred: bool = False) -> str:
    """`text` as HTML with `spans` (begin, end) marked, in order; blurred, it is hidden from screen readers too.

    Nothing in the text is read as markup, and marks that turn the direction of what follows are left out of it.
    """
    parts, done = [], 0
    for begin, end in spans:
        parts += [_safe(text[done:begin]), f"<mark>{_safe(text[begin:end])}</mark>"]
        done = end
    hidden = ' blurred" aria-hidden="true' if blurred else ""
    return f'<span class="fmd-text{hidden}">{"".join(parts)}{_safe(text[done:])}</span>'


def answers(rows: Sequence[tuple[str, Sequence[Span], float]], answer: str) -> str:
    """Texts one under another with the probability of `answer` beside each, a share, as a bar and a figure."""
    lines = [
        f'{marked(text, spans)}<span class="bar" aria-hidden="true"><span style="width: {100 * share:.0f}%"></span>'
        f'</span><span class="share" aria-label="{escape(answer)}: {100 * share:.0f} %">{100 * share:.0f} %</span>'
        for text, spans, share in rows
    ]
    return f'{STYLE}<div class="fmd-said">{"".join(lines)}</div>'


def weighed(words: Sequence[tuple[str, float]], title: str, *, blurred: bool = False) -> str:
    """Words coloured by their weight, from -1 (orange, against) to 1 (blue, for), under a title."""
    from fmd_core.explain.heat_map import AGAINST, FOR  # with scipy, for which the first page does not wait

    spans = [
        f'<span style="background: color-mix(in srgb, {FOR if weight > 0 else AGAINST} '
        f'{70 * min(1.0, abs(weight)):.0f}%, transparent); border-radius: 3px; padding: 0 2px">{_safe(word)}</span>'
        for word, weight in words
    ]
    hidden = ' blurred" aria-hidden="true' if blurred else ""
    return (
        f'{STYLE}<div style="font-size: .85rem">{_safe(title)}</div>'
        f'<div class="fmd-text{hidden}" style="line-height: 1.7">{" ".join(spans)}</div>'
    )


def _safe(text: str) -> str:
    return escape(components.straight(text))
