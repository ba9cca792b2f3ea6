"""Take a figure away: to the clipboard, as PNG or as SVG, as it is on screen.

One component for every kind of figure: charts of Plotly and our own SVG are put together as SVG, what is drawn in HTML
goes into an SVG whole. Styles are written into each element, because the page's do not travel.
"""

from __future__ import annotations

import streamlit as st

from app.widgets import components

_JS = """
const NS = 'http://www.w3.org/2000/svg';
const PAINT = ['fill', 'fill-opacity', 'stroke', 'stroke-width', 'stroke-dasharray', 'stroke-opacity', 'opacity',
  'font-family', 'font-size', 'font-weight', 'text-anchor', 'display', 'visibility'];
const children = (node) => [...(node.shadowRoot ?? node).childNodes]
  .filter((child) => !['STYLE', 'SCRIPT', 'TITLE'].includes(child.nodeName));
const all = (node, wanted) => children(node).filter((child) => child.nodeType === 1)
  .flatMap((child) => [...(child.matches(wanted) ? [child] : []), ...all(child, wanted)]);
const asData = async (url) => {
  if (url.startsWith('data:')) return url;
  const blob = await (await fetch(url)).blob();
  return new Promise((done) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result);
    reader.readAsDataURL(blob);
  });
};
// A picture does not see the page's typeface; another one is wider and breaks its lines.
const typeface = async () => {
  const style = document.createElementNS(NS, 'style');
  const font = await asData(new URL('./app/static/Inter.woff2', location.href).href).catch(() => '');
  if (font) style.textContent = `@font-face { font-family: Inter; font-weight: 100 900; src: url("${font}"); }`;
  return style;
};
const painted = (node) => {
  const copy = node.cloneNode(false);
  if (node.nodeType !== 1) return copy;
  const style = getComputedStyle(node);
  for (const name of PAINT) copy.style.setProperty(name, style.getPropertyValue(name));
  copy.append(...children(node).map(painted));
  return copy;
};
const isOneLine = (node, style) => [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim())
  && node.getBoundingClientRect().height - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom)
    < 1.6 * parseFloat(style.lineHeight);
const laidOut = async (node) => {
  if (node.nodeType === 3) return node.cloneNode();
  if (node.nodeType !== 1) return document.createComment('');
  const copy = document.createElement(node.shadowRoot || node.matches('button') ? 'div' : node.localName);
  for (const name of ['src', 'alt']) if (node.hasAttribute(name)) copy.setAttribute(name, node.getAttribute(name));
  if (node.localName === 'img') copy.src = await asData(node.src);
  const style = getComputedStyle(node);
  if (style.display === 'none') return document.createComment('');
  for (const name of style) copy.style.setProperty(name, style.getPropertyValue(name));
  if (isOneLine(node, style)) copy.style.whiteSpace = 'nowrap';  // a rounded width would break it
  const before = getComputedStyle(node, '::before');
  if (/^".+"$/.test(before.content)) copy.append(JSON.parse(before.content));
  for (const child of children(node)) copy.append(await laidOut(child));
  return copy;
};
const drawn = async (of) => {
  const figure = document.querySelector(`.st-key-${of}`);
  if (!figure) return null;
  const plots = all(figure, '.main-svg');
  const parts = plots.length ? plots : all(figure, 'svg[role=img]').slice(0, 1);
  const box = (parts[0] ?? figure).getBoundingClientRect();
  const svg = document.createElementNS(NS, 'svg');
  const [wide, high] = [Math.ceil(box.width), Math.ceil(box.height)];
  for (const [name, value] of Object.entries({ xmlns: NS, width: wide, height: high,
    viewBox: `0 0 ${wide} ${high}` })) svg.setAttribute(name, value);
  const ground = document.createElementNS(NS, 'rect');
  ground.setAttribute('width', '100%');
  ground.setAttribute('height', '100%');
  ground.setAttribute('fill', getComputedStyle(document.querySelector('.stApp')).backgroundColor);
  svg.append(await typeface(), ground);
  for (const part of parts) {
    const copy = painted(part);
    copy.setAttribute('width', wide);
    copy.setAttribute('height', high);
    svg.append(copy);
  }
  if (!parts.length) {
    const whole = document.createElementNS(NS, 'foreignObject');
    whole.setAttribute('width', '100%');
    whole.setAttribute('height', '100%');
    whole.append(await laidOut(figure));
    svg.append(whole);
  }
  return { text: new XMLSerializer().serializeToString(svg), wide, high };
};
const asPng = async ({ text, wide, high }) => {
  const image = new Image();
  image.src = 'data:image/svg+xml;charset=utf-8,' + encodeURIComponent(text);
  await image.decode();
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [2 * wide, 2 * high];
  canvas.getContext('2d').drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, 'image/png'));
};
const save = (blob, name) => {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
};
export default function ({ data, parentElement }) {
  const [copy, png, svg] = parentElement.querySelectorAll('button');
  const said = parentElement.querySelector('[role=status]');
  const tell = (words) => {
    said.textContent = words;
    setTimeout(() => { if (said.textContent === words) said.textContent = ''; }, 6000);
  };
  const act = (button, what, does) => {
    button.setAttribute('aria-label', `${what}: ${data.name}`);
    button.onclick = async () => {
      try {
        const figure = await drawn(data.of);
        if (figure) tell(await does(figure));
        else tell('The figure is not on screen.');
      } catch {
        tell(`This browser cannot do that here. ${button === copy ? 'Save it as PNG.' : 'Take a screenshot.'}`);
      }
    };
  };
  const file = data.name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
  act(copy, 'Copy figure', async (figure) => {
    await navigator.clipboard.write([new ClipboardItem({ 'image/png': asPng(figure) })]);
    return 'Copied.';
  });
  act(png, 'Save as PNG', async (figure) => { save(await asPng(figure), `${file}.png`); return 'Saved.'; });
  act(svg, 'Save as SVG', async (figure) => {
    save(new Blob([figure.text], { type: 'image/svg+xml' }), `${file}.svg`);
    return 'Saved.';
  });
}
"""
CSS = """
.tools { display: flex; flex-wrap: wrap; justify-content: flex-end; align-items: center; gap: 2px;
  font: 13px/1.5 var(--st-font); color: var(--st-text-color); }
.tools button { border: 0; border-radius: 6px; padding: 2px 8px; min-height: 24px; background: none; font: inherit;
  color: light-dark(#4e5a74, #a9b4cc); cursor: pointer; white-space: nowrap; }
.tools button:hover { color: var(--st-primary-color); background: var(--st-secondary-background-color); }
.tools button:focus-visible { outline: 3px solid var(--st-primary-color); outline-offset: -2px; }
.tools [role=status]:empty { display: none; }
"""
_component = st.components.v2.component(
    "fmd_figure_tools",
    html="<div class='tools'><span role='status'></span><button type='button'>Copy figure</button>"
    "<button type='button'>PNG</button><button type='button'>SVG</button></div>",
    css=CSS,
    js=_JS,
)


def offer(of: str, name: str) -> None:
    """Buttons that take away the figure in the element or container with the key `of`; `name` is what its file and a
    screen reader call it."""
    _component(key=f"take_{of}", data={"of": of, "name": name}, width="content")


def caption(summary: str, of: str, name: str, *, help: str | None = None) -> None:
    """What a figure says, in a sentence under it, and beside that the buttons that take it away."""
    with st.container(horizontal=True, gap="small", key=f"under_{of}"):
        st.caption(components.plain(summary), help=help)
        offer(of, name)
