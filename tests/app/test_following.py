"""Elements that go with the slider follow it once, with what is known now, however often Streamlit draws them."""

import pytest

from app.unlearning import trade_off
from app.widgets import paired_bars, twin_stage

SLIDER = "<div class='st-key-how_far'><input type='range' aria-valuetext='0'></div>"
RING = "<div id='{}'><div class='fmd-ring' hidden></div></div>"


@pytest.fixture
def page(chromium):
    """A slider and a ring; `draw` is what Streamlit does with the ring's component."""
    page = chromium.new_page()
    page.set_content(SLIDER + RING.format("first") + RING.format("second"))
    script = trade_off._RING_JS.replace("export default", "window.component =")
    page.add_script_tag(content=script)
    page.evaluate("""() => {
      window.looks = [];
      window.draw = (id, places) => component({
        parentElement: document.getElementById(id),
        data: { slider: 'how_far', places: new Proxy(places, { get: (of, stop) => (looks.push(stop), of[stop]) }) },
      });
    }""")
    yield page
    page.close()


def moved(page, stop):
    """How often it was asked where the ring stands when the slider moves there."""
    return page.evaluate(
        """async (stop) => {
          looks.length = 0;
          document.querySelector('input').setAttribute('aria-valuetext', stop);
          await new Promise((done) => setTimeout(done));
          return looks.filter((one) => one === stop).length;
        }""",
        stop,
    )


def left_of(page, ring="first"):
    return page.evaluate("(id) => document.getElementById(id).firstChild.style.left", ring)


@pytest.mark.browser
def test_what_is_drawn_again_with_other_data_follows_once_by_those(page):
    page.evaluate(
        "() => { window.early = draw('first', { 0: ['0px', '0px'], 1: ['1px', '0px'], 2: ['2px', '0px'] }); }"
    )
    assert (moved(page, "1"), left_of(page)) == (1, "1px")
    page.evaluate("() => { window.end = draw('first', { 0: ['5px', '0px'], 1: ['6px', '0px'] }); }")
    assert left_of(page) == "6px"
    page.evaluate("() => early()")  # as Streamlit does of a call that was overtaken
    assert (moved(page, "0"), left_of(page)) == (1, "5px")
    assert (moved(page, "2"), left_of(page)) == (1, "5px")  # what was known before is told no more
    page.evaluate("() => end()")
    assert (moved(page, "1"), left_of(page)) == (0, "5px")


@pytest.mark.browser
def test_what_is_taken_off_the_page_and_drawn_again_follows_on(page):
    page.evaluate("() => { window.end = draw('first', { 0: ['0px', '0px'], 1: ['1px', '0px'] }); }")
    page.evaluate("() => { draw('second', { 0: ['7px', '0px'], 1: ['8px', '0px'] }); end(); }")
    assert (moved(page, "1"), left_of(page), left_of(page, "second")) == (1, "0px", "8px")
    page.evaluate("() => draw('first', { 0: ['3px', '0px'], 1: ['4px', '0px'] })")
    assert left_of(page) == "4px"
    assert (moved(page, "0"), left_of(page), left_of(page, "second")) == (2, "3px", "7px")


@pytest.mark.browser
def test_bars_that_were_drawn_anew_stay_so_when_the_window_is_resized(page):
    page.set_content("<div id='bars' style='width:600px'><div class='pairs'></div></div>")
    page.add_script_tag(content=paired_bars._JS.replace("export default", "window.component ="))
    told = page.evaluate("""async () => {
      const frames = async () => { for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame); };
      const place = document.getElementById('bars'), says = [];
      for (const name of ['before', 'now']) {
        const data = { rows: [], names: [name], axis: '', label: name };
        component({ parentElement: place, data });
        await frames();
        says.push(place.querySelector('svg').getAttribute('aria-label'));
      }
      place.style.width = '400px';
      await frames();
      return [...says, place.querySelector('svg').getAttribute('aria-label')];
    }""")
    assert told == ["before", "now", "now"]


LONG, OTHER = "not blond hair", "blond hair"


@pytest.mark.browser
def test_long_answers_of_twins_are_read_whole_once_where_they_agree_and_never_move_the_rows(chromium):
    page = chromium.new_page()
    page.set_content(
        "<div id='said'><p class='told'><strong></strong> <span></span></p></div>"
        "<div id='seen' style='width:90px'><ul class='stage'></ul></div>" + SLIDER
    )
    page.add_style_tag(content=twin_stage._CSS)
    for name, script in (("said", twin_stage._SAID_JS), ("seen", twin_stage._JS)):
        page.add_script_tag(content=script.replace("export default", f"window.{name} ="))
    told = page.evaluate(
        """async ([same, other]) => {
          const sides = [{ src: '', alt: 'male' }, { src: '', alt: 'female' }];
          const stops = { 0: { summary: '', said: [[same, same]] }, 1: { summary: '', said: [[other, same]] } };
          const place = (id) => document.getElementById(id);
          window.said({ parentElement: place('said'),
            data: { stops, slider: 'how_far', truths: [other], kind: '', signature: 's', long: true } });
          window.seen({ parentElement: place('seen'), data: { twins: [{ sides }], label: '', signature: 's' } });
          const look = async (stop) => {
            document.querySelector('input').setAttribute('aria-valuetext', stop);
            await new Promise((done) => setTimeout(done, 50));
            const captions = [...document.querySelectorAll('.says')].filter((one) => one.offsetHeight);
            return { text: captions.map((one) => one.textContent), wrong: captions.map((one) => one.matches('.wrong')),
              cut: captions.some((one) => one.scrollWidth > one.clientWidth || one.scrollHeight > one.clientHeight),
              high: document.querySelector('.twin').offsetHeight };
          };
          return [await look('0'), await look('1'), await look('0')];
        }""",
        [LONG, OTHER],
    )
    page.close()
    agree, differ, again = told
    assert (agree["text"], agree["wrong"]) == ([LONG], [True])
    assert (differ["text"], differ["wrong"]) == ([OTHER, LONG], [False, True])
    assert again == agree
    assert agree["high"] == differ["high"]
    assert not agree["cut"]
    assert not differ["cut"]
