"""`visual_difference`: the live page looks like the draft that was approved."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image, ImageChops

from studio.job_types import CheckName
from studio.page_checks.limits import PICTURE_HEIGHT
from studio.page_checks.results import CheckResult, judged, unseen
from studio.page_checks.seen import Seen

# Both are drawn by the same browser on the same machine, so the same bytes give the same picture: the allowance is
# for what no eye sees (the edges of letters and of gradients), not for content. One line of text is above it.
DIFFERENT_SHARE = 0.001
# Of 255, in any of red, green and blue.
VISIBLE_STEP = 24
_MARK = (220, 0, 60)
_PALE = 0.75


def visual_difference(seen: Seen) -> tuple[CheckResult, dict[str, bytes]]:
    """Pass where both windows show what the draft shows there; beside it return the pictures of what differs."""
    check: CheckName = "visual_difference"
    problems: list[str] = []
    missing: list[str] = []
    evidence: dict[str, Any] = {"limit": DIFFERENT_SHARE, "visible_step": VISIBLE_STEP}
    drawn: dict[str, bytes] = {}
    for window in ("desktop", "mobile"):
        if why := seen.no_picture(window) or seen.no_picture(window, draft=True):
            (problems if why.by_page else missing).append(why.why)
            continue
        live, draft = seen.pictures[window], seen.pictures[f"draft-{window}"]
        # Where it was pictured twice, what differs is what differs both times.
        lives = [live, *(again for again in [seen.pictures.get(f"again-{window}")] if again is not None)]
        share, marked = min((compared(one, draft) for one in lives), key=lambda found: found[0])
        evidence[window] = {"different_share": share, "pictures_taken": len(lives)}
        if share > DIFFERENT_SHARE:
            problems.append(f"{100 * share:.1f} % of the {window} picture differs from the approved draft")
            drawn[f"difference-{window}"] = marked
    if silence := seen.unreachable():
        return unseen(check, silence), {}
    well = "The live page looks like the draft that was approved."
    return judged(check, problems, well, missing=missing, **evidence), drawn


def compared(one: bytes, other: bytes) -> tuple[float, bytes]:
    """Return the share of pixels that differ, and the first picture, pale, with what differs marked.

    Where one is longer than the other, what it has more differs.
    """
    first, second = _opened(one), _opened(other)
    size = (max(first.width, second.width), max(first.height, second.height))
    # Different grounds: what only one has differs, whatever its colour.
    left, right = Image.new("RGB", size, (0, 0, 0)), Image.new("RGB", size, (255, 255, 255))
    left.paste(first)
    right.paste(second)
    bands = ImageChops.difference(left, right).split()
    most = ImageChops.lighter(ImageChops.lighter(bands[0], bands[1]), bands[2])
    mask = most.point([0] * VISIBLE_STEP + [255] * (256 - VISIBLE_STEP))
    # The shorter one's absence is no matter of shades.
    for picture in (first, second):
        if picture.height < size[1]:
            mask.paste(255, (0, picture.height, size[0], size[1]))
        if picture.width < size[0]:
            mask.paste(255, (picture.width, 0, size[0], size[1]))
    different = mask.histogram()[255]
    pale = Image.blend(left, Image.new("RGB", size, (255, 255, 255)), _PALE)
    pale.paste(_MARK, mask=mask)
    written = io.BytesIO()
    pale.save(written, "PNG", optimize=False)
    return different / (size[0] * size[1]), written.getvalue()


def _opened(picture: bytes) -> Image.Image:
    with Image.open(io.BytesIO(picture), formats=["PNG"]) as image:
        # What the browser's process hands over was bounded there; here it is bounded again.
        return image.crop((0, 0, min(image.width, 4096), min(image.height, PICTURE_HEIGHT))).convert("RGB")
