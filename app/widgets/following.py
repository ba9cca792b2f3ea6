"""Elements that go with a slider in the browser, before the server has heard of the move.

A slider of Streamlit tells the server when it is let go, and what it moves is drawn when that has answered. What is
known of every stop beforehand is sent once and put on screen in the frame that moves the thumb, also while it is
dragged. It is a function of the stop alone, so that both ways show the same.
"""

FOLLOW_JS = """
const follow = (key, tell) => {  // key of the container with the slider; the returned function ends it
  let told;
  const look = () => {
    const thumb = document.querySelector(`.st-key-${key} input[type=range]`);
    const stop = thumb?.getAttribute('aria-valuetext');
    if (stop && stop !== told && tell(stop)) told = stop;
  };
  const watcher = new MutationObserver(look);
  watcher.observe(document.body, { subtree: true, attributes: true, attributeFilter: ['aria-valuetext'] });
  look();
  return () => watcher.disconnect();
};
"""
"""`tell` is given the slider's stop in its own words, and answers whether it knows that one."""
