"""Elements that go with a slider in the browser, before the server has heard of the move.

A slider of Streamlit tells the server when it is let go, and what it moves is drawn when that has answered. What is
known of every stop beforehand is sent once and put on screen in the frame that moves the thumb, also while it is
dragged. It is a function of the stop alone, so that both ways show the same.
"""

FOLLOW_JS = """
const follow = (root, key, tell) => {  // key of the container with the slider; the returned function ends it
  root.fmdEndsFollowing?.();
  let told;
  const look = () => {
    const thumb = document.querySelector(`.st-key-${key} input[type=range]`);
    const stop = thumb?.getAttribute('aria-valuetext');
    if (stop && stop !== told && tell(stop)) told = stop;
  };
  const watcher = new MutationObserver(look);
  watcher.observe(document.body, { subtree: true, attributes: true, attributeFilter: ['aria-valuetext'] });
  look();
  return root.fmdEndsFollowing = () => watcher.disconnect();  // of this call: a later one may follow by then
};
"""
"""`tell` is given the slider's stop in its own words, and answers whether it knows that one. `root` is the element that
follows: Streamlit calls a component again whenever its data change, and calls what that returned only when it is taken
off the page, so that one element would follow twice, once with what was known before."""
