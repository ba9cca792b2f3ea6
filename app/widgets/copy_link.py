"""Copy the page's address, which holds the view; where the browser gives no clipboard, it is laid out selected."""

from __future__ import annotations

import streamlit as st

from app.widgets.figure_tools import CSS

_JS = """
export default function ({ parentElement }) {
  const [button, said, field] = ['button', '[role=status]', 'input'].map((tag) => parentElement.querySelector(tag));
  button.onclick = async () => {
    const view = new URL(location.href);
    view.searchParams.delete('job');  // whoever opens it does not wait for our work
    const address = view.href;
    field.hidden = true;
    try {
      await navigator.clipboard.writeText(address);
      said.textContent = 'Copied. It opens this view.';
    } catch {
      field.value = address;
      field.hidden = false;
      field.select();
      said.textContent = 'Press Ctrl+C, or Cmd+C, to copy it.';
    }
  };
}
"""
_CSS = """
.tools { justify-content: flex-start; }
.tools button { border: 1px solid var(--st-border-color); min-height: 32px; padding: 2px 12px; }
.tools input { flex: 1 0 100%; min-width: 0; box-sizing: border-box; font: inherit; color: inherit; padding: 4px 6px;
  border: 1px solid var(--st-border-color); border-radius: 6px; background: var(--st-background-color); }
"""
_component = st.components.v2.component(
    "fmd_copy_link",
    html="<div class='tools'><button type='button'>Copy link</button><span role='status'></span>"
    "<input hidden readonly aria-label='Address of this view'></div>",
    css=CSS + _CSS,
    js=_JS,
)


def draw() -> None:
    """The button, and what came of it."""
    _component(key="copy_link")
