"""`meta_tags` and `waitlist_form`: what the page says of itself, and where one can sign up."""

from __future__ import annotations

from typing import Any

from studio.job_types import CheckName
from studio.page_checks.results import CheckResult, counted, failed, judged, unseen
from studio.page_checks.seen import Seen

# Search engines and tabs cut a title off at about this many characters.
TITLE_CHARS = 70


def meta_tags(seen: Seen) -> CheckResult:
    """Pass where the page has a title, a description, both again for who shares it, and names its language."""
    check: CheckName = "meta_tags"
    if silence := seen.silence("desktop", "document"):
        return unseen(check, silence)
    document = seen.desktop["document"]
    wanted = {
        "title": "title",
        "description": "meta description",
        "og_title": "og:title",
        "og_description": "og:description",
        "lang": "language (html lang)",
    }
    problems = [f"The page has no {name}" for key, name in wanted.items() if not (document[key] or "").strip()]
    if len(document["title"]) > TITLE_CHARS:
        problems.append(f"The title has {len(document['title'])} characters, of which about {TITLE_CHARS} are shown")
    if document["titles"] > 1:
        problems.append(f"The page has {document['titles']} titles")
    return judged(
        check,
        problems,
        "Title, description, what is shown where the page is shared, and its language are there.",
        **{key: document[key] for key in wanted},
        title_limit=TITLE_CHARS,
    )


def waitlist_form(seen: Seen) -> CheckResult:
    """Pass where a visible form has a labelled field for a mail address and a button that can be pressed."""
    check: CheckName = "waitlist_form"
    if silence := seen.silence("desktop", "forms"):
        return unseen(check, silence)
    found = seen.desktop["forms"]
    judgements = [(form, _lacking(form)) for form in found["forms"]]
    frames = seen.desktop.get("document", {}).get("frames", 0)
    evidence: dict[str, Any] = {
        "forms": [{**form, "lacking": lacking} for form, lacking in judgements],
        "frames_not_looked_into": frames,
    }
    if not judgements:
        loose = found["loose_emails"]
        what = f"{counted(loose, 'field')} for a mail address, but no form" if loose else "no form"
        hidden = f"; what {counted(frames, 'frame')} of other pages hold is not looked at" if frames else ""
        return failed(check, f"There is {what}{hidden}.", **evidence)
    # The best of them: a page may have a search field beside its form.
    form, lacking = min(judgements, key=lambda one: len(one[1]))
    return judged(
        check,
        [f"The form {name}" for name in lacking],
        "A form that can be seen asks for a mail address, with a label and a button.",
        **evidence,
        form=form["name"],
    )


def _lacking(form: dict[str, Any]) -> list[str]:
    """Return what keeps people from signing up with this form, each as the end of a sentence."""
    lacking: list[str] = []
    emails, submits = form["emails"], form["submits"]
    if not form["visible"]:
        lacking.append("cannot be seen")
    if not emails:
        lacking.append("has no field for a mail address")
    elif not any(email["visible"] for email in emails):
        lacking.append("hides its field for a mail address")
    elif not any(email["visible"] and email["label"] for email in emails):
        lacking.append("does not say in a label what its field for a mail address is for")
    if not submits:
        lacking.append("has no button")
    elif not any(submit["visible"] and not submit["disabled"] for submit in submits):
        lacking.append("has no button that can be pressed")
    elif not any(submit["visible"] and submit["label"] for submit in submits):
        lacking.append("has a button without a name")
    return lacking
