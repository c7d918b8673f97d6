"""`accessibility`: what axe-core finds that keeps people out."""

from __future__ import annotations

from studio.job_types import CheckName
from studio.page_checks.results import CheckResult, judged, unseen
from studio.page_checks.seen import Seen

# The two of axe's four that keep somebody from using the page; the lesser ones are told, and do not fail it.
BARRIERS = frozenset({"critical", "serious"})


def accessibility(seen: Seen) -> CheckResult:
    """Pass where axe finds nothing critical and nothing serious."""
    check: CheckName = "accessibility"
    if silence := seen.silence("desktop", "axe"):
        return unseen(check, silence)
    found = seen.desktop["axe"]
    barriers = [rule for rule in found["violations"] if rule["impact"] in BARRIERS]
    lesser = [rule for rule in found["violations"] if rule["impact"] not in BARRIERS]
    problems = [
        f"{rule['help']} ({rule['rule']}, {rule['impact']}), at {rule['targets'][0] if rule['targets'] else 'the page'}"
        for rule in barriers
    ]
    return judged(
        check,
        problems,
        f"axe {found['version']} finds nothing serious; {found['passes']} of its rules are kept.",
        violations=barriers,
        lesser=[{"rule": rule["rule"], "impact": rule["impact"], "count": rule["count"]} for rule in lesser],
        undecided=found["incomplete"],
        version=found["version"],
        frames_not_looked_into=seen.desktop.get("document", {}).get("frames", 0),
    )
