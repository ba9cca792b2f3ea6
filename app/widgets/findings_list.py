"""The findings as a list, each a line with its interval and its limit: one inline component.

A line is a button: what is chosen fills the picture above. Its figures come up on hover and focus, and Escape
closes them. Texts are set as text, never as markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import streamlit as st

from app.view_models.verdict import Line
from fmd_core.measure.verdict.values import Outcome

LOOK = {Outcome.BEYOND: "beyond", Outcome.WITHIN: "within", Outcome.UNKNOWN: "unknown"}
TICKS = (5, 10, 20, 25, 50)  # points between two marks of the axis
MOST_TICKS = 5

_JS = """
export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector('.findings');
  const make = (tag, name, text) => {
    const node = document.createElement(tag);
    node.className = name;
    if (text) node.textContent = text;
    return node;
  };
  const place = (node, share) => { node.style.left = `${100 * share / data.top}%`; return node; };
  if (root.dataset.signature !== data.signature) {
    root.dataset.signature = data.signature;
    delete root.dataset.chosen;
    const head = make('div', 'head');
    head.setAttribute('aria-hidden', 'true');
    const axis = make('span', 'scale');
    for (const tick of data.ticks) axis.append(place(make('span', 'tick', String(Math.round(100 * tick))), tick));
    if (data.limit !== null) axis.append(place(make('span', 'tick limit', `limit ${+(100 * data.limit).toFixed(1)}`),
      data.limit));
    head.append(make('span', ''), make('span', 'points', 'points apart'), axis);
    const list = make('ul', 'lines');
    list.setAttribute('aria-label', data.label);
    for (const [at, line] of data.lines.entries()) {
      const item = make('li', '');
      const row = make('button', 'line ' + line.look);
      row.type = 'button';
      row.dataset.at = at;
      const scale = make('span', 'scale');
      scale.setAttribute('aria-hidden', 'true');
      const band = place(make('span', 'band'), Math.max(0, line.low));
      band.style.width = `max(4px, ${100 * (line.high - Math.max(0, line.low)) / data.top}%)`;
      scale.append(make('span', 'rule'), place(make('span', 'mark limit'), line.limit), band,
        place(make('span', 'dot'), Math.max(0, line.value)));
      const sign = make('span', 'sign');
      sign.setAttribute('aria-hidden', 'true');
      row.append(sign, make('span', 'sentence', line.sentence), scale, make('span', 'points', line.points),
        make('span', 'words', line.words));
      const tip = make('span', 'tip', line.detail);
      tip.id = `tip-${data.signature}-${at}`;
      tip.setAttribute('role', 'tooltip');
      row.setAttribute('aria-describedby', tip.id);
      item.append(row, tip);
      list.append(item);
    }
    root.replaceChildren(head, list);
  }
  const mark = () => {
    for (const row of root.querySelectorAll('.line')) {
      row.setAttribute('aria-pressed', String(row.dataset.at === (root.dataset.chosen ?? '0')));
    }
  };
  mark();
  root.onclick = (event) => {
    const row = event.target.closest('.line');
    if (!row) return;
    root.dataset.chosen = row.dataset.at;
    mark();
    setStateValue('chosen', { at: Number(row.dataset.at), signature: data.signature });
  };
  root.onkeydown = (event) => { if (event.key === 'Escape') root.classList.add('quiet'); };
  root.onfocusout = root.onpointerleave = () => root.classList.remove('quiet');
}
"""
_CSS = """
.findings { font: 15px/1.4 var(--st-font); color: var(--st-text-color); --flag: light-dark(#a34f00, #f5a65b);
  --good: light-dark(#14683d, #5bd69b); --muted: light-dark(#4e5a74, #a9b4cc); --limit: light-dark(#c2456b, #f08ba8); }
.head, .line { display: grid; grid-template-columns: 20px minmax(0, 5fr) minmax(0, 4fr) 93px 126px; gap: 0 14px;
  align-items: center; width: 100%; box-sizing: border-box; padding: 0 8px; }
.head { height: 26px; font-size: 13px; color: var(--muted); border-bottom: 1px solid var(--st-border-color); }
.head .points { grid-column: 4; grid-row: 1; } .head .scale { grid-column: 3; grid-row: 1; }
.lines { list-style: none; margin: 0; padding: 0; }
.lines li { position: relative; border-bottom: 1px solid var(--st-border-color); }
.line { min-height: 44px; border: 0; background: none; font: inherit; color: inherit; text-align: left; cursor: pointer;
  border-radius: 6px; padding-block: 6px; }
.line:hover { background: light-dark(#f3f6ff, #1a2340); }
.line[aria-pressed=true] { background: light-dark(#f3f6ff, #1a2340);
  box-shadow: inset 3px 0 0 var(--st-primary-color); }
.line:focus-visible { outline: 3px solid var(--st-primary-color); outline-offset: -2px; }
.beyond .sentence { font-weight: 600; }
.points { text-align: right; font-weight: 600; white-space: nowrap; } .head .points { font-weight: 400; }
.words { color: var(--muted); } .beyond .words { color: var(--flag); font-weight: 600; }
.within .words { color: var(--good); }
.sign { width: 14px; height: 14px; box-sizing: border-box; }
.beyond .sign { background: #d9730d; clip-path: polygon(50% 5%, 100% 95%, 0 95%); }
.within .sign::before { content: '✓'; color: var(--good); font-weight: 700; line-height: 14px; display: block; }
.unknown .sign { border: 2px dotted var(--muted); border-radius: 50%; }
.scale { position: relative; display: block; height: 18px; }
.scale > * { position: absolute; top: 50%; transform: translateY(-50%); }
.scale > .tick { transform: translate(-50%, -50%); white-space: nowrap; }
.scale > .tick:first-child { transform: translateY(-50%); }
.tick.limit { color: var(--limit); background: var(--st-background-color); padding: 0 3px; font-weight: 600; }
.rule { left: 0; right: 0; height: 1px; background: var(--st-border-color); }
.band { height: 14px; border-radius: 5px; background: light-dark(#dce4fc, #2a3a70); }
.beyond .band { background: light-dark(#f6cfa4, #6a4a26); } .unknown .band { background: light-dark(#d3d8e2, #3a4459); }
.scale > .dot { width: 11px; height: 11px; border-radius: 50%; background: #4f6fdb; transform: translate(-50%, -50%); }
.beyond .dot { background: #d9730d; } .unknown .dot { background: #8a94a8; }
.mark.limit { height: 44px; border-left: 2px dashed var(--limit); }
.tip { display: none; position: absolute; z-index: 2; left: 34px; top: calc(100% - 6px); max-width: 34rem;
  padding: 8px 12px; border-radius: 8px; border: 1px solid var(--st-border-color); font-size: 14px;
  background: var(--st-background-color); box-shadow: 0 4px 14px rgba(22, 32, 58, .16); pointer-events: none; }
.findings:not(.quiet) .line:is(:hover, :focus-visible) + .tip { display: block; }
@media (max-width: 720px) {
  .head { display: none; }
  .line { grid-template-columns: 20px 1fr auto; gap: 2px 8px; padding-block: 10px; }
  .sentence { grid-column: 2 / -1; grid-row: 1; } .line .scale { grid-column: 2 / -1; grid-row: 2; }
  .line .points { grid-column: 2; grid-row: 3; text-align: left; } .words { grid-column: 3; grid-row: 3; }
  .mark.limit { height: 22px; } .tip { left: 8px; right: 8px; }
}
"""

_component = st.components.v2.component("fmd_findings", html="<div class='findings'></div>", css=_CSS, js=_JS)


def show(lines: Sequence[Line], *, key: str, label: str) -> int:
    """Draw the lines; returns which one is chosen, the first until another is."""
    if not lines:
        return 0
    content = [
        {
            "sentence": line.sentence, "look": LOOK[line.outcome], "value": line.value, "low": line.low,
            "high": line.high, "limit": line.limit, "points": line.points, "words": line.words, "detail": line.detail,
        }
        for line in lines
    ]  # fmt: skip
    limits = {line.limit for line in lines}
    top = max(max(line.high, line.limit, line.value) for line in lines) * 1.04
    limit = limits.pop() if len(limits) == 1 else None
    signature = sha256(repr(content).encode()).hexdigest()[:16]
    state = _component(
        key=key,
        data={
            "lines": content, "ticks": _ticks(top, limit), "top": top, "limit": limit, "label": label,
            "signature": signature,
        },
        default={"chosen": None},
        on_chosen_change=lambda: None,
    )  # fmt: skip
    chosen = state.chosen  # of the lines as they are now, or as they were
    return int(chosen["at"]) if chosen and chosen["signature"] == signature else 0


def _ticks(top: float, limit: float | None) -> list[float]:
    """Round marks from 0 on, but for those that the limit's own would cover."""
    step = next((s for s in TICKS if 100 * top / s <= MOST_TICKS), TICKS[-1]) / 100
    marks = [i * step for i in range(int(top / step) + 1)]
    return [mark for mark in marks if limit is None or abs(mark - limit) > 0.13 * top]
