"""What a site is made with is told from what only such a site sends, and never from words on its page (D42)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from studio.onboarding.technology import EVIDENCE_CHARS, MAX_SIGNS, tech_signs
from studio.outbound import Fetched
from studio.webpage import read_page


def names(markup: str = "", url: str = "https://site.test/", **headers: str) -> list[str]:
    flat = {name.replace("_", "-"): value for name, value in headers.items()}
    fetched = Fetched(url, url, (url,), 200, flat, b"", False, datetime.now(UTC))
    signs = tech_signs(fetched, read_page(markup))
    assert all(0 < len(sign.evidence) <= EVIDENCE_CHARS for sign in signs)
    return [sign.name for sign in signs]


@pytest.mark.parametrize(
    ("markup", "name"),
    [
        ("<meta name=generator content='WordPress 6.4.2'>", "WordPress"),
        ("<meta name=Generator content='Hugo 0.120.4'>", "Hugo"),
        ("<meta name=generator content='Wix.com Website Builder'>", "Wix"),
        ("<script src=/_next/static/chunks/main.js></script>", "Next.js"),
        ("<link rel='preload stylesheet' href=https://www.site.test/wp-content/themes/a.css>", "WordPress"),
        ("<script src=//cdn.shopify.com/s/a.js></script>", "Shopify"),
        ("<script src=https://cdn.tailwindcss.com></script>", "Tailwind CSS"),
        ("<script src=https://unpkg.com/react@18/umd/react.production.min.js></script>", "React"),
        ("<script src=https://cdn.jsdelivr.net/npm/@supabase/supabase-js@2></script>", "Supabase"),
        ("<script src=https://cdn.jsdelivr.net/npm/vue></script>", "Vue"),
        ("<script src=https://happy-cat-1.clerk.accounts.dev/npm/clerk.js></script>", "Clerk"),
    ],
)
def test_the_page_proves_it(markup: str, name: str) -> None:
    assert names(markup) == [name]


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({"server": "cloudflare"}, "Cloudflare"),
        ({"cf_ray": "8a-FRA"}, "Cloudflare"),
        ({"server": "nginx/1.25.3 (Ubuntu)"}, "nginx"),
        ({"x_powered_by": "PHP/8.2"}, "PHP"),
        ({"x_powered_by": "Next.js"}, "Next.js"),
        ({"x_vercel_id": "fra1::x"}, "Vercel"),
    ],
)
def test_a_header_proves_it(headers: dict[str, str], name: str) -> None:
    assert names(**headers) == [name]


def test_the_host_proves_it() -> None:
    assert names(url="https://anvils.vercel.app/") == ["Vercel"]
    assert names(url="https://vercel.app.site.test/") == []
    assert names(url="https://notvercel.app/") == []


@pytest.mark.parametrize(
    "markup",
    [
        "<title>React, Next.js and WordPress</title><p>We use Tailwind, Supabase and Shopify. Powered by Ghost.",
        "<meta name=description content='WordPress hosting'><meta name=author content=Hugo>",
        "<meta name=generator content='My own thing, better than WordPress'>",
        "<meta name=generator content='WordPressish 1'>",
        "<a href=https://cdn.shopify.com/a.js>script</a><a href=/wp-content/a>a</a>",
        "<img src=https://other.test/wp-content/a.png><iframe src=https://other.test/_next/static/a></iframe>",
        "<img src=/wp-content/a.png>",
        "<script src=https://widget.other.test/_next/static/a.js></script>",
        "<script src=https://site.test.other.test/_next/static/a.js></script>",
        "<script src=/blog/_next/static/a.js></script>",
        "<script src=https://evil.test/cdn.shopify.com/a.js></script>",
        "<script src=https://notunpkg.com/react@18></script>",
        "<script src=https://unpkg.com/react-like-thing@1></script>",
        "<script>import React from 'react'; '/_next/static/'</script>",
        "<!-- <meta name=generator content=WordPress> -->",
        "<script src='https://[bad/_next/static/a.js'></script>",
    ],
)
def test_words_and_other_peoples_files_prove_nothing(markup: str) -> None:
    assert names(markup) == []


def test_a_header_that_only_contains_the_word_proves_nothing() -> None:
    assert names(server="my-nginx-like", x_powered_by="Love for PHP", x_note="cloudflare") == []


def test_each_name_stands_once_and_there_is_an_end() -> None:
    markup = "<meta name=generator content='Next.js'><script src=/_next/static/a.js></script>"
    assert names(markup, x_powered_by="Next.js", server="Next.js") == ["Next.js"]
    everything = "".join(f"<script src=https://unpkg.com/{name}></script>" for name in ("vue", "jquery", "htmx.org"))
    assert len(names(everything * 1000, server="nginx, php, caddy")) <= MAX_SIGNS
