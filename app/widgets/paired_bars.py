"""Paired bars with whiskers, drawn by us in place: they change with every move of the slider, and a chart of plotly is
built anew for every change (docs/dashboard_speed.md says what that costs)."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.view_models import charts
from app.widgets import components, figure_tools
from fmd_core import figures
from fmd_core.intervals import Estimate
from fmd_core.text import cut

LONGEST_NAME = 36  # characters in the legend

_JS = """
const SPACE = 'http://www.w3.org/2000/svg';
const make = (tag, given, text) => {
  const node = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(given)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
};
const [BAR, GAP, ROW, FOOT, RIGHT] = [19, 3, 58, 40, 14];
const lines = (text, most) => {  // of a label; a word that is longer stands alone
  const found = [''];
  for (const word of text.split(' ')) {
    const grown = `${found.at(-1)} ${word}`.trim();
    if (grown.length > most && found.at(-1)) found.push(word); else found[found.length - 1] = grown;
  }
  return found;
};
const draw = (root, data, wide) => {
  const narrow = wide < 520;
  const [left, top] = narrow ? [104, 48] : [190, 30];
  const x = (percent) => left + (Math.min(Math.max(percent, 0), 105) / 105) * (wide - left - RIGHT);
  const high = top + ROW * data.rows.length + FOOT;
  const picture = make('svg', { width: wide, height: high, role: 'img', 'aria-label': data.label });
  data.names.forEach((name, which) => {
    const place = narrow ? `${left}, ${4 + 20 * which}` : `${left + which * Math.min(260, (wide - left) / 2)}, 4`;
    const legend = make('g', { transform: `translate(${place})` });
    legend.append(make('rect', { width: 12, height: 12, y: 2, class: `bar side${which}` }));
    legend.append(make('text', { x: 18, y: 12 }, name));
    picture.append(legend);
  });
  const bottom = top + ROW * data.rows.length;
  for (let at = 0; at <= 100; at += 20) {
    picture.append(make('line', { x1: x(at), x2: x(at), y1: top, y2: bottom, class: 'grid' }));
    picture.append(make('text', { x: x(at), y: bottom + 16, class: 'tick' }, at));
  }
  picture.append(make('text', { x: (left + wide - RIGHT) / 2, y: bottom + 34, class: 'tick' }, data.axis));
  data.rows.forEach((row, at) => {
    const middle = top + ROW * at + ROW / 2;
    const label = lines(row.label, narrow ? 13 : 24);
    label.forEach((line, i) => {
      const down = middle + 4 + 16 * (i - (label.length - 1) / 2);
      picture.append(make('text', { x: left - 10, y: down, class: 'name' }, line));
    });
    row.bars.forEach((bar, which) => {
      const y = middle - BAR - GAP / 2 + which * (BAR + GAP);
      const group = make('g', { class: 'pair' });
      group.append(make('title', {}, bar.said));
      group.append(make('rect', { x: left, y: y - GAP / 2, width: wide - left, height: BAR + GAP, class: 'hit' }));
      if (bar.value !== null) {
        const width = Math.max(0, x(bar.value) - left);
        group.append(make('rect', { x: left, y, width, height: BAR, class: `bar side${which}` }));
      }
      if (bar.low !== bar.high) {
        const [from, to, mid] = [x(bar.low), x(bar.high), y + BAR / 2];
        const path = `M${from} ${mid}H${to}M${from} ${mid - 4}v8M${to} ${mid - 4}v8`;
        group.append(make('path', { d: path, class: 'whisker' }));
      }
      picture.append(group);
    });
  });
  root.replaceChildren(picture);
};
export default function ({ data, parentElement }) {
  const root = parentElement.querySelector('.pairs');
  root.seen?.disconnect();  // with what was drawn before: Streamlit ends nothing when the data change
  const seen = root.seen = new ResizeObserver(([{ contentRect }]) => {
    const wide = Math.floor(contentRect.width);
    if (wide && wide !== root.wide) draw(root, data, root.wide = wide);
  });
  if (root.wide) draw(root, data, root.wide);  // in place, and nothing has to be measured
  seen.observe(root);
  return () => seen.disconnect();
}
"""
_CSS = """
.pairs { width: 100%; overflow: hidden; }
.pairs svg { display: block; font: 13px var(--st-font); }
.pairs text { fill: var(--st-text-color); }
.pairs .name { text-anchor: end; } .pairs .tick { text-anchor: middle; }
.grid { stroke: var(--st-border-color); stroke-width: 1; }
.side0 { fill: BEFORE; } .side1 { fill: AFTER; }
.whisker { fill: none; stroke: var(--st-text-color); stroke-width: 2; }
.hit { fill: transparent; } .pair:hover .hit { fill: var(--st-secondary-background-color); }
"""
_CSS = _CSS.replace("BEFORE", charts.NEUTRAL).replace("AFTER", charts.ACCENT)
_component = st.components.v2.component("fmd_paired_bars", html="<div class='pairs'></div>", css=_CSS, js=_JS)


def picture(
    labels: Sequence[str],
    pairs: Sequence[Sequence[Estimate]],
    *,
    names: Sequence[str],
    axis: str,
    summary: str,
    key: str,
) -> None:
    """Bars in percent, a pair for each label (before and after, which are called `names`), with 95 % whiskers, and on
    hovering the figure, its interval and how many people are behind it; the summary and the buttons to take it away."""
    rows = [
        {"label": label, "bars": [_bar(label, name, e) for name, e in zip(names, pair, strict=True)]}
        for label, pair in zip(labels, pairs, strict=True)
    ]
    legend = [cut(components.straight(name), LONGEST_NAME) for name in names]
    _component(key=key, data={"rows": rows, "names": legend, "axis": axis, "label": summary})
    figure_tools.caption(summary, key, key.replace("_", " ").capitalize())


def _bar(label: str, name: str, estimate: Estimate) -> dict[str, object]:
    """One bar; null where nothing is known, and then the reason is said."""
    if estimate.value is None:
        return {"value": None, "low": None, "high": None, "said": f"{label}, {name}: {estimate.problem}"}
    said = f"{label}, {name}: {figures.figure(estimate)}, n = {figures.count(estimate.n)}"
    low, high = (100 * (estimate.value if end is None else end) for end in (estimate.low, estimate.high))
    return {"value": 100 * estimate.value, "low": low, "high": high, "said": said}
