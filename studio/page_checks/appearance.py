"""`screenshot` and `mobile_responsive`: there is something to see, and it fits a telephone."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

from studio.job_types import CheckName
from studio.page_checks.limits import MOBILE, SMALLEST_TARGET, SMALLEST_TEXT
from studio.page_checks.results import CheckResult, counted, failed, judged, unseen
from studio.page_checks.seen import Seen

# Of 255: two shades closer than this nobody tells apart on a screen.
VISIBLE_CONTRAST = 16
# One word in the middle of a laptop's window covers more of it.
PAINTED_SHARE = 0.0002
# One short word.
VISIBLE_CHARS = 3
# Pictures are made by pages: what claims to be larger than a whole page at its bound is not opened.
_MAX_PIXELS = 20_000_000


def screenshot(seen: Seen) -> CheckResult:
    """Pass where the page answered well and painted something in both windows; the pictures show what."""
    problems: list[str] = []
    missing: list[str] = []
    status = seen.desktop.get("status")
    evidence: dict[str, Any] = {"status": status, "final_url": seen.final_url, "seconds": seen.desktop.get("seconds")}
    if not _is_well(status):
        problems.append(f"The page answers with status {status}")
    if seen.mobile.get("reached") and not _is_well(on_mobile := seen.mobile.get("status")):
        problems.append(f"The page answers a telephone with status {on_mobile}")
        evidence["mobile_status"] = on_mobile
    if silence := seen.silence("desktop", "document"):
        (problems if silence.by_page else missing).append(silence.why)
    else:
        chars = seen.desktop["document"]["text_chars"]
        evidence["visible_text_chars"] = chars
        if chars < VISIBLE_CHARS:
            problems.append("There is no text on the page that could be seen")
    for window in ("desktop", "mobile"):
        if why := seen.no_picture(window):
            (problems if why.by_page else missing).append(why.why)
            continue
        painted = painting(seen.pictures[window])
        evidence[window] = painted
        if painted["painted_share"] < PAINTED_SHARE:
            problems.append(f"The {window} picture is blank: all of it has one colour")
    well = "The page answered and painted something in both windows."
    return judged("screenshot", problems, well, missing=missing, **evidence)


def painting(picture: bytes) -> dict[str, Any]:
    """Return size, colours and the share of a picture that stands out from its most frequent shade."""
    with Image.open(io.BytesIO(picture), formats=["PNG"]) as image:
        size = image.size
        if size[0] * size[1] > _MAX_PIXELS:
            return {"width": size[0], "height": size[1], "painted_share": 0.0}
        grey = image.convert("L")
    shades = grey.histogram()
    ground = max(range(256), key=shades.__getitem__)
    apart = sum(count for shade, count in enumerate(shades) if abs(shade - ground) >= VISIBLE_CONTRAST)
    return {
        "width": size[0],
        "height": size[1],
        "shades": sum(count > 0 for count in shades),
        "painted_share": apart / (size[0] * size[1]),
    }


def mobile_responsive(seen: Seen) -> CheckResult:
    """Pass where a telephone shows the page in its own width, readable, and with targets that a finger hits."""
    check: CheckName = "mobile_responsive"
    if silence := seen.silence("mobile", "document", "layout"):
        return unseen(check, silence)
    if not _is_well(status := seen.mobile.get("status")):
        # What it shows then is not the page.
        return failed(check, f"The page answers a telephone with status {status}.", status=status)
    layout, viewport = seen.mobile["layout"], seen.mobile["document"]["viewport"]
    problems: list[str] = []
    if viewport is None or "width=device-width" not in viewport.lower().replace(" ", ""):
        problems.append("There is no meta viewport with width=device-width")
    # Without it a telephone lays the page out at 980 pixels and shows it small.
    if layout["page_width"] > max(layout["window_width"], MOBILE.width) + 1:
        culprit = layout["overflowing"][0] if layout["overflowing"] else None
        by = f": {culprit['element']} reaches to {culprit['right']}" if culprit else ""
        problems.append(f"The page is {layout['page_width']} pixels wide in a window of {MOBILE.width}{by}")
    if layout["small_text"]:
        first = layout["small_text"][0]
        problems.append(
            f"{counted(len(layout['small_text']), 'text is', 'texts are')} smaller than {SMALLEST_TEXT} pixels:"
            f" {first['element']} has {first['pixels']:g}"
        )
    if layout["small_targets"]:
        first = layout["small_targets"][0]
        problems.append(
            f"{counted(len(layout['small_targets']), 'target is', 'targets are')} smaller than {SMALLEST_TARGET}"
            f" pixels: {first['element']} is {first['width']} by {first['height']}"
        )
    limits = {"window": MOBILE.width, "smallest_text": SMALLEST_TEXT, "smallest_target": SMALLEST_TARGET}
    return judged(
        check,
        problems,
        f"The page fits a window of {MOBILE.width} pixels, its text can be read and its targets can be hit.",
        viewport=viewport,
        limits=limits,
        **layout,
    )


def _is_well(status: object) -> bool:
    return isinstance(status, int) and status < 400
