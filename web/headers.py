"""What browsers are told not to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web.site import Site

if TYPE_CHECKING:
    # The public application knows nothing of sign-in, nor needs what that needs.
    from web.studio_site import StudioSite

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


def studio_page(site: StudioSite) -> str:
    """Return the policy of the studio's own pages: their own scripts and styles, and generated pages in frames.

    With Clerk its script may run, and whatever it needs (https://clerk.com/docs/security/clerk-csp).
    """
    frames = " ".join(["'self'", *site.origins])
    clerk = site.settings.clerk_issuer if site.clerk is not None else None
    script, connect, extra = "'self'", "'self'", ""
    if clerk:
        script = f"'self' {clerk} https://challenges.cloudflare.com"
        connect = f"'self' {clerk}"
        frames += " https://challenges.cloudflare.com"
        extra = "; worker-src 'self' blob:"
    style = "'self' 'unsafe-inline'" if clerk else "'self'"
    # What a browser has taken of a page lies with the other files of projects, on the origin of public pages.
    images = " ".join(["'self'", "data:", *site.origins, *(["https://img.clerk.com"] if clerk else [])])
    return (
        f"default-src 'none'; script-src {script}; style-src {style}; img-src {images}; font-src 'self';"
        f" connect-src {connect}; frame-src {frames}; form-action 'self'; frame-ancestors 'none';"
        f" base-uri 'none'; object-src 'none'; manifest-src 'self'{extra}"
    )
