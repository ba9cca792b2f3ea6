"""Buttons that take a figure away: each names a figure that is on the page, and no two are called alike."""

import json


def tools_on(test):
    found = [c.proto for c in test.get("bidi_component") if c.proto.component_name == "fmd_figure_tools"]
    return [json.loads(proto.json) for proto in found]


def test_every_figure_of_find_bias_can_be_taken_away_and_the_view_too(open_page):
    test = open_page("find_bias")
    tools = tools_on(test)
    assert {"opening", "findings_list"} <= {tool["of"] for tool in tools}
    assert len({tool["name"] for tool in tools}) == len(tools)
    names = [c.proto.component_name for c in test.get("bidi_component")]
    assert names.count("fmd_copy_link") == 1
