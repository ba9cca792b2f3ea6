"""Scroll to the heading that the address names once the page's layout has settled.

Streamlit scrolls as soon as the heading is there; styles and pictures that come later move it away again.
"""

from __future__ import annotations

import streamlit as st

_JS = """
const went = new Set();
export default function () {
  const id = decodeURIComponent(location.hash.slice(1));
  const heading = id && document.getElementById(id);
  if (!heading || went.has(id)) return;
  went.add(id);
  let left = 25;
  const stop = () => { left = 0; };  // whoever scrolls or types knows better
  for (const event of ['wheel', 'touchmove', 'pointerdown', 'keydown']) {
    window.addEventListener(event, stop, { once: true, passive: true });
  }
  const align = () => {
    if (left-- <= 0) return;
    const top = heading.getBoundingClientRect().top;
    if (top < 0 || top > 120) heading.scrollIntoView();
    setTimeout(align, 100);
  };
  align();
}
"""
_component = st.components.v2.component("fmd_deep_link", html="<span></span>", js=_JS)


def follow() -> None:
    """Put last on a page whose headings have anchors."""
    _component(key="deep_link")
