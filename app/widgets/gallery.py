"""A gallery of samples as one inline component: hundreds of pictures in one paint, one message.

A tile is a button when the gallery is selectable; captions are set as text, never as markup. Of two records
side by side the lines that differ stand out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Literal

import streamlit as st

Size = Literal["", "ten", "five", "pairs", "wide", "pair"]
"""Tiles as they fit; ten in a row; five bare pictures in a row; tiles for pairs of pictures, two in a row on a phone;
wide tiles for pairs of records; one bare pair."""


@dataclass(frozen=True)
class Picture:
    """One image of a tile, or the lines of a record, with a line under it."""

    src: str
    alt: str
    note: str = ""
    text: str = ""  # lines of a record, where there is no image
    marks: tuple[tuple[int, int], ...] = ()  # begin and end of what stands out in a text
    blurred: bool = False  # until the reader asks for it
    prose: bool = False  # whether the lines are sentences, not a record


@dataclass(frozen=True)
class Tile:
    """One sample, or a pair of pictures of it."""

    id: int
    pictures: tuple[Picture, ...]
    caption: str = ""
    detail: str = ""
    badge: str = ""  # a word on the picture, such as "marked"


_JS = """
export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector('.gallery');
  const tag = data.selectable ? 'button' : 'div';
  if (root.dataset.signature !== data.signature) {
    root.dataset.signature = data.signature;
    root.setAttribute('aria-label', data.label);
    root.className = 'gallery ' + data.size;
    root.replaceChildren(...data.tiles.map((tile) => {
      const item = document.createElement('li');
      const box = document.createElement(tag);
      box.className = 'tile';
      box.dataset.id = tile.id;
      if (data.selectable) box.type = 'button';
      const row = document.createElement('span');
      row.className = 'pictures';
      for (const picture of tile.pictures) {
        const figure = document.createElement('span');
        if (picture.src) {
          const image = document.createElement('img');
          image.src = picture.src;
          image.alt = picture.alt;
          image.decoding = 'async';
          figure.append(image);
        } else {
          const record = document.createElement('span');
          record.className = 'record';
          if (picture.blurred) record.classList.add('blurred');
          if (picture.prose) record.classList.add('prose');
          if (picture.blurred) record.setAttribute('aria-hidden', 'true');
          if (picture.marks.length) {
            let done = 0;
            const letters = Array.from(picture.text);
            const said = (from, to) => letters.slice(from, to).join('');
            for (const [from, to] of picture.marks) {
              record.append(said(done, from));
              const mark = document.createElement('mark');
              mark.textContent = said(from, to);
              record.append(mark);
              done = to;
            }
            record.append(said(done));
          } else {
          const others = tile.pictures.filter((other) => other !== picture && other.text);
          for (const text of picture.text.split('\\n')) {
            const differs = others.some((other) => !other.text.split('\\n').includes(text));
            const line = document.createElement(differs ? 'strong' : 'span');
            line.textContent = text;
            record.append(line);
          }
          }
          figure.append(record);
        }
        if (picture.note) {
          const note = document.createElement('span');
          note.className = 'note';
          note.textContent = picture.note;
          figure.append(note);
        }
        row.append(figure);
      }
      if (tile.badge) {
        const badge = document.createElement('span');
        badge.className = 'badge';
        badge.textContent = tile.badge;
        row.append(badge);
      }
      box.append(row);
      for (const part of ['caption', 'detail']) {
        if (!tile[part]) continue;
        const line = document.createElement('span');
        line.className = part;
        line.textContent = tile[part];
        box.append(line);
      }
      item.append(box);
      return item;
    }));
  }
  const mark = (id) => {
    for (const box of root.querySelectorAll('button.tile')) {
      box.setAttribute('aria-pressed', String(box.dataset.id === String(id)));
    }
  };
  if (!data.tiles.some((tile) => String(tile.id) === root.dataset.selected)) delete root.dataset.selected;
  mark(root.dataset.selected);
  root.onclick = (event) => {
    const box = event.target.closest('button.tile');
    if (!box) return;
    root.dataset.selected = box.dataset.id;
    mark(box.dataset.id);
    setStateValue('selected', Number(box.dataset.id));
  };
}
"""
_CSS = """
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(106px, 1fr)); gap: 10px; margin: 0;
  padding: 3px; list-style: none; font-family: var(--st-font); }
.gallery.wide { grid-template-columns: repeat(auto-fill, minmax(min(212px, 100%), 1fr)); }
.gallery.pairs { grid-template-columns: repeat(auto-fill, minmax(min(164px, calc(50% - 5px)), 1fr)); }
.gallery.ten { grid-template-columns: repeat(10, minmax(0, 1fr)); gap: 8px; padding: 0; }
.gallery.five { grid-template-columns: repeat(5, minmax(0, 1fr)); gap: 8px; padding: 0; }
@media (max-width: 720px) { .gallery.ten { grid-template-columns: repeat(5, minmax(0, 1fr)); } }
.gallery.pair { grid-template-columns: minmax(0, 20rem); padding: 0; }
.gallery:is(.five, .pair) .tile { padding: 0; border: 0; background: none; }
.gallery:is(.five, .pair) .pictures { margin: 0; }
.tile { width: 100%; height: 100%; display: flex; flex-direction: column; gap: 2px; text-align: left;
  box-sizing: border-box; border: 1px solid var(--st-border-color); border-radius: 9px; padding: 8px;
  font: inherit; font-size: 13px;
  line-height: 1.35; background: var(--st-secondary-background-color); color: var(--st-text-color); }
button.tile { cursor: pointer; }
button.tile:hover { border-color: var(--st-primary-color); }
button.tile[aria-pressed=true] { border-color: var(--st-primary-color); box-shadow: 0 0 0 2px var(--st-primary-color); }
button.tile:focus-visible { outline: 3px solid var(--st-primary-color); outline-offset: 1px; }
.pictures { display: flex; gap: 8px; margin-bottom: 4px; position: relative; }
.pictures > .badge { position: absolute; left: 4px; top: 4px; max-width: calc(100% - 8px); padding: 1px 7px;
  border-radius: 999px; font-size: 12px; font-weight: 600; background: var(--st-background-color);
  color: var(--st-text-color); border: 1px solid var(--st-border-color); }
.pictures > span { flex: 1; min-width: 0; }
.pictures img { display: block; width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 6px; }
.record { display: block; font-size: 12px; line-height: 1.45; overflow-wrap: anywhere; }
.record > :not(mark) { display: block; }
.record.prose { font-size: 14px; line-height: 1.5; }
.gallery:not(.pair) .record.prose { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 9;
  overflow: hidden; }
.record mark { background: none; color: inherit; font-weight: 650; padding: 0 1px; border-radius: 3px;
  box-shadow: inset 0 -0.45em color-mix(in srgb, var(--st-primary-color) 32%, transparent); }
.record.blurred { filter: blur(5px); user-select: none; }
.record > strong { border-left: 3px solid var(--st-primary-color); margin-left: -8px; padding-left: 5px; }
.note { display: block; font-size: 12px; margin-top: 4px; }
.caption { font-weight: 600; }
.detail { font-size: 12px; white-space: pre-line; }
"""

_component = st.components.v2.component("fmd_gallery", html="<ul class='gallery'></ul>", css=_CSS, js=_JS)


def show(
    tiles: Sequence[Tile], *, key: str, label: str, selectable: bool = False, size: Size = ""
) -> int | None:
    """Draw `tiles`; returns the id of the selected one, or None."""
    content = [asdict(tile) for tile in tiles]
    state = _component(
        key=key,
        data={
            "tiles": content,
            "label": label,
            "selectable": selectable,
            "size": size,
            "signature": sha256(repr(content).encode()).hexdigest()[:16],
        },
        default={"selected": None},
        on_selected_change=lambda: None,
    )
    ids = {tile.id for tile in tiles}
    return state.selected if state.selected in ids else None
