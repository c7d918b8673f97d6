"""A part of a page waits only for what a stream tells: a misspelt word would leave it as it was for ever."""

from __future__ import annotations

import re

import pytest

from studio.paths import ROOT
from web.stream.changes import WHAT

TEMPLATES = sorted((ROOT / "web" / "templates").rglob("*.html"))
# The seed's event types (agent_job_events), and our hint.
TYPES = {"status", "log", "artifact", "tool_call", "tool_result", "changed"}
_TAGS = re.compile(r"{%.*?%}")
_WAITS = re.compile(r'data-on="([^"]+)"')


def test_there_are_parts_that_wait() -> None:
    assert sum(len(_WAITS.findall(template.read_text())) for template in TEMPLATES) > 10


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)
def test_a_part_waits_for_what_there_is(template: object) -> None:
    assert hasattr(template, "read_text")
    for waits in _WAITS.findall(_TAGS.sub(" ", template.read_text())):
        for word in waits.split():
            kind, _, what = word.partition(":")
            assert kind in TYPES, word
            assert not what or (kind == "changed" and what in WHAT), word
