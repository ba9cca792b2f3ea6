"""The opening picture of Find bias: two who are answered differently, and how many in a hundred fare as they do."""

from __future__ import annotations

from dataclasses import replace
from html import escape

import streamlit as st

from app import cache
from app.record.review import Review
from app.view_models.opening_picture import OpeningPicture, Share, Shown, Side
from app.widgets import components, gallery, marked_text, portraits
from fmd_core import figures

MOST_LINES = 8  # of a record
STYLE = """<style>
.fmd-open { position: relative; display: grid; grid-template-columns: 1fr 1fr;
  border: 1px solid light-dark(#dce1eb, #2e3850);
  border-radius: 12px; margin: 14px 0 0; }
.fmd-open > b { position: absolute; top: 0; left: 50%; transform: translate(-50%, -50%); padding: 3px 14px;
  border: 1px solid light-dark(#dce1eb, #2e3850); border-radius: 999px; background: light-dark(#fff, #0f1420);
  font-size: .87rem; font-weight: 600; white-space: nowrap; }
.fmd-open > section { display: flex; gap: 22px; align-items: center; padding: 22px 20px; min-width: 0; }
.fmd-open > section + section { border-left: 1px solid light-dark(#dce1eb, #2e3850); }
.fmd-open.three { grid-template-columns: 1fr 1fr 1.25fr; }
.fmd-open.three > section { flex-direction: column; align-items: flex-start; gap: 12px; }
.fmd-open.three > b { left: 30.8%; }
.fmd-open img { display: block; width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 8px; }
.fmd-open figure { flex: none; width: clamp(96px, 13vw, 188px); margin: 0; }
.fmd-open.three figure { width: min(100%, 168px); }
.fmd-open figure.record { flex: 0 1 46%; width: auto; font-size: .82rem; line-height: 1.5; overflow-wrap: anywhere; }
.fmd-open figure.record span { display: block; opacity: .8; }
.fmd-open figure.record strong { display: block; border-left: 3px solid; padding-left: 7px; margin-left: -10px; }
.fmd-open figure.sentence { flex: 0 1 46%; width: auto; font-size: 1.12rem; line-height: 1.5; }
.fmd-open figure.sentence::before { content: '“'; } .fmd-open figure.sentence::after { content: '”'; }
.fmd-share { flex: 1; min-width: 0; }
.fmd-says { display: inline-block; padding: 2px 12px; border-radius: 14px; font-size: .87rem; margin: 0;
  overflow-wrap: anywhere; }
.fmd-worse .fmd-says { background: light-dark(#fbe3cb, #4a3420); }
.fmd-better .fmd-says { background: light-dark(#dce4fc, #2a3a70); }
.fmd-figure { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 12px; font-size: .9rem; margin: 4px 0 0; }
.fmd-figure strong { font-size: clamp(2.2rem, 4vw, 3.4rem); line-height: 1.15; letter-spacing: -.02em; }
.fmd-worse .fmd-figure strong { color: light-dark(#a34f00, #f5a65b); }
.fmd-better .fmd-figure strong { color: light-dark(#3451b2, #8da4ef); }
.fmd-share p { margin: 0 0 10px; font-size: 1rem; line-height: 1.4; text-wrap: balance; }
.fmd-dots { display: grid; grid-template-columns: repeat(20, minmax(0, 12px)); gap: 3px; }
.fmd-dots i { aspect-ratio: 1; border-radius: 50%; background: light-dark(#dde2ec, #2b3449); }
.fmd-worse .fmd-dots i.on { background: #d9730d; }
.fmd-better .fmd-dots i.on { background: #4f6fdb; }
@media (max-width: 900px) { .fmd-dots { grid-template-columns: repeat(10, minmax(0, 13px)); }
  .fmd-open > section { flex-direction: column; align-items: flex-start; gap: 10px; padding: 20px 12px 14px; }
  .fmd-open figure, .fmd-open.three figure { width: 100%; max-width: 150px; }
  .fmd-open figure.sentence, .fmd-open.three figure.sentence { width: 100%; max-width: none; flex: none; }
  .fmd-open figure.record { width: 100%; max-width: none; flex: none; }
  .fmd-open.three { grid-template-columns: 1fr 1fr; } .fmd-open.three > b { left: 50%; }
  .fmd-open.three > section:nth-of-type(3) { grid-column: 1 / -1; border-left: 0;
    border-top: 1px solid light-dark(#dce1eb, #2e3850); }
  .fmd-open.three .fmd-dots { grid-template-columns: repeat(20, minmax(0, 12px)); } }
</style>"""


def draw(review: Review, view: OpeningPicture) -> None:
    """Both sides, and of twins the share beside them."""
    pictures = [_picture(review, view, side.shown) if side.shown is not None else None for side in view.sides]
    parts = [
        f"<section class='{look}'>{_portrait(pictures, at)}{_words(side)}</section>"
        for at, (look, side) in enumerate(zip(("fmd-worse", "fmd-better"), view.sides, strict=True))
        if side.shown is not None or side.share is not None
    ]
    if view.together is not None:
        parts.append(f"<section class='fmd-worse'>{_share(view.together)}</section>")
    three = " three" if len(parts) == 3 else ""
    pill = f"<b>{_text(view.alike)}</b>" if any(pictures) else ""
    st.html(f"{STYLE}{marked_text.STYLE}<div class='fmd-open{three}'>{pill}{''.join(parts)}</div>")


def _picture(review: Review, view: OpeningPicture, shown: Shown) -> gallery.Picture:
    alt = f"{shown.name}: the model says {shown.answer}"
    code = shown.code if view.redrawn else 0
    picture = portraits.picture(review, shown.row, alt, attribute=view.redrawn, code=code, side=188)
    data = cache.dataset(review)
    is_harmless = data.target.levels[data.target.codes[shown.row]] == data.favourable
    return replace(picture, blurred=picture.blurred and not is_harmless)


def _portrait(pictures: list[gallery.Picture | None], at: int) -> str:
    """A picture, or the lines of a record of which those stand out that differ from the other's."""
    mine, other = pictures[at], pictures[1 - at]
    if mine is None:
        return ""
    if mine.src:
        return f"<figure><img src='{mine.src}' alt='{_text(mine.alt)}'></figure>"
    theirs = set(other.text.split("\n")) if other is not None else set(mine.text.split("\n"))
    lines = mine.text.split("\n")
    if mine.prose:
        said = marked_text.marked(mine.text, _own_words(mine.text, other), blurred=mine.blurred)
        return f"<figure class='sentence'>{said}</figure>"
    differ = [line for line in lines if line not in theirs]
    alike = [line for line in lines if line in theirs]
    shown = {*differ[:MOST_LINES], *alike[: max(0, MOST_LINES - len(differ))]}
    rest = len(lines) - len(shown)
    told = [_line(line, differs=line in differ) for line in lines if line in shown]
    more = f"<span>and {figures.counted(rest, 'field')} more</span>" if rest > 0 else ""
    return f"<figure class='record'>{''.join(told)}{more}</figure>"


def _own_words(text: str, other: gallery.Picture | None) -> list[marked_text.Span]:
    """Where a sentence says something else than its twin: from the first word that differs to the last."""
    if other is None or other.text == text:
        return []
    mine, theirs = text.split(" "), other.text.split(" ")
    shorter = min(len(mine), len(theirs))
    start = next((i for i in range(shorter) if mine[i] != theirs[i]), shorter)
    end = next((i for i in range(shorter - start) if mine[-1 - i] != theirs[-1 - i]), shorter - start)
    begin = len(" ".join(mine[:start])) + (1 if start else 0)
    stop = len(" ".join(mine[: len(mine) - end]))
    return [(begin, stop)] if begin < stop else []


def _line(text: str, *, differs: bool) -> str:
    tag = "strong" if differs else "span"
    return f"<{tag}>{_text(text)}</{tag}>"


def _words(side: Side) -> str:
    says = ""
    if side.shown is not None:
        mark = "✓" if side.shown.is_well else "✗"
        says = (
            f"<p class='fmd-says'><span aria-hidden='true'>{mark}</span> The model says "
            f"<strong>“{_text(side.shown.answer)}”</strong></p>"
        )
    return f"<div class='fmd-share'>{says}{_share(side.share) if side.share is not None else ''}</div>"


def _share(share: Share) -> str:
    dots = "<i class='on'></i>" * share.hundred + "<i></i>" * (100 - share.hundred)
    return (
        f"<div class='fmd-figure'><strong>{_text(share.figure)}</strong> <span>{_text(share.counts)}</span></div>"
        f"<p>{_text(share.who)}</p>"
        f"<div class='fmd-dots' role='img' aria-label='{share.hundred} of 100 dots'>{dots}</div>"
    )


def _text(text: str) -> str:
    return escape(components.straight(figures.unbroken(text)))
