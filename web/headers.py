"""What browsers are told not to do."""

from __future__ import annotations

from web.site import Site

# On every answer. A token in an address goes to nobody else, and no page is taken for what it does not say it is.
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_SELF_CONTAINED = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; base-uri 'none'"


def published_page(site: Site) -> str:
    """Return the policy of a generated page: it may look like something and send its form to us, and nothing else.

    The sandbox takes its origin away: a script that got into it would not run, and nothing here would be its own.
    """
    here = " ".join(["'self'", *site.origins])
    return f"{_SELF_CONTAINED}; form-action {here}; frame-ancestors {here}; sandbox allow-forms"


def file(site: Site) -> str:
    """Return the policy of an artifact: it may look like something."""
    here = " ".join(["'self'", *site.origins])
    return f"{_SELF_CONTAINED}; form-action 'none'; frame-ancestors {here}; sandbox"


def own_page() -> str:
    """Return the policy of the pages in `templates`."""
    return f"{_SELF_CONTAINED}; form-action 'self'; frame-ancestors 'none'"
