"""What a site is made with, told from what only such a site sends.

A word in prose proves nothing ("our app uses React" is a sentence about somebody's app), so that page texts are
never searched. What counts: the generator a page names, response headers, the host a page lies on, and what it
loads its scripts and style sheets from (domain specification §11, D42).
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable

from pydantic import BaseModel, ConfigDict

from studio.outbound import Fetched
from studio.text import clip, one_line
from studio.webpage import Page

EVIDENCE_CHARS = 120
# No site needs more to be described, and a hostile page could name hundreds.
MAX_SIGNS = 20

# The word with which the generator's own text begins.
_GENERATORS = {
    "astro": "Astro",
    "docusaurus": "Docusaurus",
    "drupal": "Drupal",
    "eleventy": "Eleventy",
    "framer": "Framer",
    "gatsby": "Gatsby",
    "ghost": "Ghost",
    "hexo": "Hexo",
    "hugo": "Hugo",
    "jekyll": "Jekyll",
    "joomla": "Joomla",
    "mkdocs": "MkDocs",
    "next.js": "Next.js",
    "nuxt": "Nuxt",
    "prestashop": "PrestaShop",
    "shopify": "Shopify",
    "squarespace": "Squarespace",
    "typo3": "TYPO3",
    "vitepress": "VitePress",
    "webflow": "Webflow",
    "wix.com": "Wix",
    "woocommerce": "WooCommerce",
    "wordpress": "WordPress",
}
_FIRST_WORD = re.compile(r"[a-z0-9][a-z0-9.-]*")
# Products as the `server` and `x-powered-by` headers name them, before a slash or a space.
_PRODUCTS = {
    "apache": "Apache",
    "asp.net": "ASP.NET",
    "caddy": "Caddy",
    "cloudflare": "Cloudflare",
    "express": "Express",
    "github.com": "GitHub Pages",
    "gunicorn": "Gunicorn",
    "litespeed": "LiteSpeed",
    "microsoft-iis": "IIS",
    "netlify": "Netlify",
    "next.js": "Next.js",
    "nginx": "nginx",
    "nuxt": "Nuxt",
    "openresty": "OpenResty",
    "php": "PHP",
    "vercel": "Vercel",
}
_PRODUCT_HEADERS = ("server", "x-powered-by")
# Headers that only these send.
_HEADERS = {
    "cf-ray": "Cloudflare",
    "fly-request-id": "Fly.io",
    "x-amz-cf-id": "CloudFront",
    "x-github-request-id": "GitHub Pages",
    "x-nextjs-cache": "Next.js",
    "x-nf-request-id": "Netlify",
    "x-shopid": "Shopify",
    "x-shopify-stage": "Shopify",
    "x-vercel-cache": "Vercel",
    "x-vercel-id": "Vercel",
    "x-wix-request-id": "Wix",
}
# Hosts that sites lie on.
_HOMES = {
    "framer.website": "Framer",
    "github.io": "GitHub Pages",
    "gitlab.io": "GitLab Pages",
    "myshopify.com": "Shopify",
    "netlify.app": "Netlify",
    "pages.dev": "Cloudflare Pages",
    "vercel.app": "Vercel",
    "webflow.io": "Webflow",
    "wixsite.com": "Wix",
    "wordpress.com": "WordPress",
}
# Hosts that scripts and style sheets are loaded from.
_SOURCES = {
    "cdn.shopify.com": "Shopify",
    "cdn.tailwindcss.com": "Tailwind CSS",
    "clerk.accounts.dev": "Clerk",
    "framerusercontent.com": "Framer",
    "googletagmanager.com": "Google Tag Manager",
    "hs-scripts.com": "HubSpot",
    "js.stripe.com": "Stripe",
    "parastorage.com": "Wix",
    "plausible.io": "Plausible",
    "static1.squarespace.com": "Squarespace",
    "assets.squarespace.com": "Squarespace",
    "supabase.co": "Supabase",
    "website-files.com": "Webflow",
    "widget.intercom.io": "Intercom",
}
# Folders of a site's own scripts and style sheets.
_FOLDERS = {
    "/_astro/": "Astro",
    "/_next/static/": "Next.js",
    "/_nuxt/": "Nuxt",
    "/wp-content/": "WordPress",
    "/wp-includes/": "WordPress",
}
# Libraries by their package on a public delivery network: https://unpkg.com/react@18/…, …/npm/react-dom@18/…
_PACKAGE_HOSTS = {"unpkg.com", "cdn.jsdelivr.net", "esm.sh"}
_PACKAGE = re.compile(r"/(?:npm/)?(?P<name>(?:@[\w.-]+/)?[\w.-]+?)(?:@[^/]*)?(?:/.*)?")
_PACKAGES = {
    "@supabase/supabase-js": "Supabase",
    "@tailwindcss/browser": "Tailwind CSS",
    "alpinejs": "Alpine.js",
    "bootstrap": "Bootstrap",
    "htmx.org": "htmx",
    "jquery": "jQuery",
    "react": "React",
    "react-dom": "React",
    "vue": "Vue",
}


_Notes = Callable[[str, str], None]


class TechSign(BaseModel):
    """Something a site is made with, and what says so."""

    model_config = ConfigDict(frozen=True)

    name: str
    evidence: str


def tech_signs(fetched: Fetched, page: Page) -> list[TechSign]:
    """Return what the answer and its page prove about how the site is made, each name once, at most 20."""
    found: dict[str, str] = {}

    def note(name: str, evidence: str) -> None:
        found.setdefault(name, one_line(evidence, EVIDENCE_CHARS))

    _from_generator(page, note)
    _from_headers(fetched, note)
    home = _host(fetched.final_url)
    for domain, name in _HOMES.items():
        if _within(domain, home) and home != domain:
            note(name, f"It lies on {home}")
    _from_sources(fetched.final_url, page, note)
    return [TechSign(name=name, evidence=evidence) for name, evidence in found.items()][:MAX_SIGNS]


def _from_generator(page: Page, note: _Notes) -> None:
    generator = one_line(page.metas.get("generator", ""), EVIDENCE_CHARS)
    word = _FIRST_WORD.match(generator.lower())
    name = _GENERATORS.get(word.group().rstrip(".")) if word else None
    if name is not None:
        note(name, f"The page names its generator: {generator}")


def _from_headers(fetched: Fetched, note: _Notes) -> None:
    for header in _PRODUCT_HEADERS:
        value = fetched.headers.get(header, "")
        for part in value.split(","):
            name = _PRODUCTS.get(re.split(r"[/\s(]", part.strip().lower(), maxsplit=1)[0])
            if name is not None:
                note(name, f"Header {header}: {clip(value, 60)}")
    for header, name in _HEADERS.items():
        if header in fetched.headers:
            note(name, f"Header {header}")


def _from_sources(page_url: str, page: Page, note: _Notes) -> None:
    home = _host(page_url)
    for reference in page.loaded:
        try:
            url = urllib.parse.urljoin(page_url, reference)
            path = urllib.parse.urlsplit(url).path
        except ValueError:
            continue
        host = _host(url)
        for source, name in _SOURCES.items():
            if _within(source, host):
                note(name, f"It loads from {host}")
        if host in _PACKAGE_HOSTS and (package := _PACKAGE.fullmatch(path)) is not None:
            library = _PACKAGES.get(package["name"].lower())
            if library is not None:
                note(library, f"It loads {package['name']} from {host}")
        # Of its own alone: a frame or a widget of another site says nothing about this one.
        if _within(host, home) or _within(home, host):
            for folder, name in _FOLDERS.items():
                if path.startswith(folder):
                    note(name, f"It loads from {folder}")


def _host(url: str) -> str:
    try:
        return (urllib.parse.urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def _within(name: str, host: str) -> bool:
    return host == name or host.endswith(f".{name}")
