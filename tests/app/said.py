"""What a page says, as a reader reads it."""

import re

_LOOK = re.compile(r":(?:orange|primary|gray|small)\[((?:\\.|[^\[\]\\])*)\]")


def words(markdown):
    """The text of a heading or sentence: without colours and sizes, and what Markdown needs to be told."""
    before = ""
    while before != markdown:
        before, markdown = markdown, _LOOK.sub(r"\1", markdown)
    return markdown.replace("\\", "").replace("\N{NO-BREAK SPACE}", " ")
