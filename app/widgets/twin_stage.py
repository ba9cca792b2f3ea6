"""The stage: twins whose captions follow the slider, and the slope chart of who gains and who pays.

Pictures are one component and what is said to them another, which finds them by a signature. It is told what every stop
of the slider says, once, and goes with the slider by itself: a move sends neither. Captions and frames change in place.
A frame and the word "differs" mark twins with two answers, an underline a wrong answer.
"""

from __future__ import annotations

from dataclasses import asdict
from hashlib import sha256

import streamlit as st

from app.record.review import Review
from app.view_models.stage import SlopeView, StageTwin, StageView
from app.widgets import portraits
from app.widgets.following import FOLLOW_JS

SIDE = 64  # pixels of a picture
SHORT = 9  # letters of an answer that stand below one of two pictures; longer ones lie below both

_JS = """
export default function ({ data, parentElement }) {
  const root = parentElement.querySelector('.stage');
  const make = (tag, name, text) => {
    const node = document.createElement(tag);
    node.className = name;
    if (text !== undefined) node.textContent = text;
    return node;
  };
  if (root.dataset.signature !== data.signature) {
    root.dataset.signature = data.signature;
    root.setAttribute('aria-label', data.label);
    root.classList.toggle('words', !data.twins.some((twin) => twin.sides[0].src));
    root.replaceChildren(...data.twins.map((twin) => {
      const item = make('li', 'twin');
      for (const side of twin.sides) {
        const figure = make('span', 'side');
        if (side.src) {
          const image = make('img', '');
          image.src = side.src;
          image.alt = side.alt;
          figure.append(image);
        } else {
          figure.append(make('span', 'level', side.alt));
        }
        figure.append(make('span', 'says'));
        item.append(figure);
      }
      item.append(make('span', 'heard'));
      return item;
    }));
  }
  const stage = ((window.fmdStages ??= {})[data.signature] ??= {});
  stage.tell = () => {
    root.classList.toggle('stacked', !!stage.isLong);
    (stage.said ?? []).forEach(([favoured, other], at) => {
      const item = root.children[at];
      item.classList.toggle('differs', favoured !== other);
      item.lastChild.textContent = `truly ${stage.truths[at]}: ${favoured === other ? 'one answer' : 'two answers'}`;
      [favoured, other].forEach((answer, which) => {
        const says = item.children[which].querySelector('.says');
        if (says.textContent !== answer) says.textContent = answer;
        says.classList.toggle('wrong', answer !== stage.truths[at]);
        says.hidden = stage.isLong && which === 1 && favoured === other;
      });
    });
  };
  stage.tell();
}
"""
_SAID_JS = (
    FOLLOW_JS
    + """
export default function ({ data, parentElement }) {
  const stage = ((window.fmdStages ??= {})[data.signature] ??= {});  // whichever of the two comes first
  const [summary, kind] = parentElement.querySelectorAll('.told *');
  kind.textContent = data.kind;
  stage.truths = data.truths;
  stage.isLong = data.long;
  return follow(parentElement, data.slider, (stop) => {
    const now = data.stops[stop];
    if (!now) return false;
    stage.said = now.said;
    if (summary.textContent !== now.summary) summary.textContent = now.summary;
    stage.tell?.();
    return true;
  });
}
"""
)
_SAID_CSS = """
.told { margin: 0 0 8px; font: 1rem/1.5 var(--st-font); color: var(--st-text-color); }
.told span { font-size: .875rem; color: var(--st-gray-text-color); }
"""
_CSS = """
.stage { display: grid; grid-template-columns: repeat(auto-fill, minmax(76px, 1fr)); gap: 6px; margin: 0; padding: 0;
  list-style: none; font: 13px/1.3 var(--st-font); color: var(--st-text-color); }
.twin { display: grid; grid-template-columns: 1fr 1fr; gap: 3px; padding: 4px; border-radius: 8px; position: relative;
  border: 1px solid var(--st-border-color); transition: border-color .15s; }
.twin.differs { border-color: #d9730d; box-shadow: inset 0 0 0 1px #d9730d;
  background: light-dark(#fff6ec, #231c18); }
.stage.words { grid-template-columns: repeat(auto-fill, minmax(136px, 1fr)); }
.stage.words .level { min-height: 24px; }
.side { min-width: 0; text-align: center; }
.side img { display: block; width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 5px; }
.level { display: grid; place-items: center; min-height: 34px; font-size: 12px; overflow-wrap: break-word;
  border-radius: 5px; background: var(--st-secondary-background-color); }
.says { display: block; margin-top: 2px; font-weight: 600; overflow: hidden; text-overflow: ellipsis;
  display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow-wrap: anywhere; }
.says.wrong { color: light-dark(#a34f00, #f5a65b); text-decoration: underline; text-underline-offset: 2px; }
.heard { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.says[hidden] { display: none; }
.stacked .twin { grid-template-rows: auto 14px 14px; row-gap: 1px; }
.stacked .side { display: contents; }
.stacked .says { grid-column: 1 / -1; order: 1; align-self: center; text-align: center; margin: 0; font-size: 11px;
  line-height: 14px; overflow-wrap: normal; }
.stacked .differs .says { -webkit-line-clamp: 1; text-align: start; }
.stacked .differs .side:nth-child(2) .says { text-align: end; }
.stacked .twin:not(.differs) .says { grid-row: 2 / span 2; }
@media (prefers-reduced-motion: reduce) { .twin { transition: none; } }
@media (max-width: 640px) { .stage { grid-template-columns: repeat(3, minmax(0, 1fr)); } }
"""
_component = st.components.v2.component("fmd_stage", html="<ul class='stage'></ul>", css=_CSS, js=_JS)
_said = st.components.v2.component(
    "fmd_stage_said", html="<p class='told'><strong></strong> <span></span></p>", css=_SAID_CSS, js=_SAID_JS
)

_SLOPES_JS = """
export default function ({ data, parentElement }) {
  const root = parentElement.querySelector('.slopes');
  const space = 'http://www.w3.org/2000/svg';
  const make = (tag, given, text) => {
    const node = document.createElementNS(space, tag);
    for (const [name, value] of Object.entries(given)) node.setAttribute(name, value);
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const [wide, high, left, right, top, foot] = [370, 220, 140, 240, 12, 22];
  const y = (share) => top + (1 - (share - data.low) / (data.high - data.low)) * (high - top - foot);
  const picture = make('svg', { viewBox: `0 0 ${wide} ${high}`, role: 'img', 'aria-label': data.label });
  for (const x of [left, right]) {
    picture.append(make('line', { x1: x, x2: x, y1: top, y2: high - foot, class: 'axis' }));
  }
  picture.append(make('text', { x: left, y: high - 6, class: 'foot' }, 'before'));
  picture.append(make('text', { x: right, y: high - 6, class: 'foot' }, 'now'));
  const taken = { before: [], after: [] };
  const free = (side, wanted) => {  // the free place that is nearest; the wanted one where there is none
    const at = Math.min(Math.max(wanted, top), high - foot);
    const places = [at];
    for (let off = 1; off < high; off += 1) places.push(at + off, at - off);
    const found = places.find((place) => place >= top && place <= high - foot
      && taken[side].every((other) => Math.abs(other - place) >= 15)) ?? at;
    taken[side].push(found);
    return found;
  };
  const order = [...data.lines].sort((a, b) => (a.role ? 1 : 0) - (b.role ? 1 : 0));
  for (const line of order) {
    const group = make('g', { class: 'line ' + (line.role || 'rest') });
    group.append(make('line', { x1: left, x2: right, y1: y(line.before), y2: y(line.after), class: 'hit' }));
    group.append(make('line', { x1: left, x2: right, y1: y(line.before), y2: y(line.after), class: 'seen' }));
    if (line.role) {
      for (const [x, share] of [[left, line.before], [right, line.after]]) {
        group.append(make('circle', { cx: x, cy: y(share), r: 4.5 }));
      }
      const name = line.name.length > 17 ? line.name.slice(0, 16) + '\\u2026' : line.name;
      group.append(make('text', { x: left - 10, y: free('before', y(line.before)) + 4, class: 'name' },
        `${name} ${Math.round(100 * line.before)}`));
      group.append(make('text', { x: right + 10, y: free('after', y(line.after)) + 4, class: 'value' },
        `${Math.round(100 * line.after)} % ${line.words}`));
    }
    group.append(make('title', {}, line.detail));
    picture.append(group);
  }
  root.replaceChildren(picture);
}
"""
_SLOPES_CSS = """
.slopes svg { display: block; width: 100%; max-width: 34rem; height: auto; font: 13px var(--st-font); }
.slopes text { fill: var(--st-text-color); } .foot { text-anchor: middle; opacity: .8; }
.name { text-anchor: end; }
.axis { stroke: var(--st-border-color); }
.hit { stroke: transparent; stroke-width: 12; }
.seen { stroke: light-dark(#c3cad8, #414c66); stroke-width: 1.5; }
.line.rest:hover .seen { stroke: var(--st-text-color); }
.pays .seen { stroke: #d9730d; stroke-width: 3; } .pays circle { fill: #d9730d; }
.gains .seen { stroke: #4f6fdb; stroke-width: 3; } .gains circle { fill: #4f6fdb; }
.worst .seen { stroke: #8a94a8; stroke-width: 3; } .worst circle { fill: #8a94a8; }
.slopes .pays .value { fill: light-dark(#a34f00, #f5a65b); font-weight: 600; }
.slopes .gains .value { fill: light-dark(#3451b2, #8da4ef); font-weight: 600; }
"""
_slopes = st.components.v2.component(
    "fmd_slopes", html="<div class='slopes'></div>", css=_SLOPES_CSS, js=_SLOPES_JS
)


def show(review: Review, attribute: str, view: StageView, *, key: str, slider: str, kind: str) -> None:
    """Draw the twins with what they are answered where the slider in the container `slider` stands; `kind` says in
    words who they are and what the marks mean."""
    label = "Twins and what the model says to each"
    shown = [_shown(review, attribute, twin, redrawn=view.redrawn) for twin in view.twins]
    who = [
        (twin.truth, *(side.row for side in twin.sides), *(s.code for s in twin.sides)) for twin in view.twins
    ]
    signature = sha256(repr((review.data, attribute, who)).encode()).hexdigest()[:16]
    said: dict[str, object] = {
        "stops": {stop: asdict(answers) for stop, answers in view.stops.items()},
        "slider": slider,
    }
    said |= {"truths": [twin.truth for twin in view.twins], "kind": kind, "signature": signature}
    answers = (answer for stop in view.stops.values() for both in stop.said for answer in both)
    said["long"] = max(map(len, answers), default=0) > SHORT
    with st.container(gap=None):
        _said(key=f"{key}_said", data=said)
        _component(key=key, data={"twins": shown, "label": label, "signature": signature})


def _shown(review: Review, attribute: str, twin: StageTwin, *, redrawn: bool) -> dict[str, object]:
    """Both sides' pictures, or their levels."""
    sides = []
    for side in twin.sides:
        shown = portraits.picture(
            review, side.row, f"{twin.truth}, {side.level}", attribute=attribute if redrawn else "",
            code=side.code if redrawn else 0, side=SIDE,
        )  # fmt: skip
        sides.append({"src": shown.src, "alt": shown.alt if shown.src else side.level})
    return {"sides": sides}


def slopes(view: SlopeView, *, key: str) -> None:
    """Draw who gains and who pays; the same figures stand in the tables below."""
    shares = [share for line in view.lines for share in (line.before, line.after)]
    low, high = (min(shares), max(shares)) if shares else (0.0, 1.0)
    lines = [asdict(line) for line in view.lines]
    span = max(high - low, 0.05)
    _slopes(
        key=key,
        data={"lines": lines, "low": low - 0.04 * span, "high": high + 0.04 * span, "label": view.summary},
    )  # fmt: skip
