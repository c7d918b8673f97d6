"""How Chromium is started: without a way out of its own, without wishes of its own, and with little memory."""

from __future__ import annotations

# Playwright allows for tests what a stranger's page must not have.
NOT_PLAYWRIGHTS = (
    "--disable-popup-blocking",
    "--disable-ipc-flooding-protection",
    "--disable-prompt-on-repost",
)
# One script's heap; what it holds outside of that is watched from outside (see `studio.browser.guard`).
_HEAP_MB = 512
_CACHE_BYTES = 64 * 1024 * 1024

ARGUMENTS = (
    # Names are the proxy's business: nothing is looked up here, not even ahead of time.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--dns-prefetch-disable",
    # What would go around the proxy: UDP.
    "--disable-quic",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    # Its name until 2024.
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    # What a browser does by itself.
    "--disable-background-networking",
    "--disable-client-side-phishing-detection",
    "--disable-component-update",
    # One component is asked about all the same; at an address that is none it is not.
    "--component-updater=url-source=http://127.0.0.1:1/",
    "--disable-domain-reliability",
    "--disable-sync",
    "--disable-translate",
    "--disable-breakpad",
    "--disable-crash-reporter",
    "--no-pings",
    # What a page could ask a person for.
    "--deny-permission-prompts",
    "--disable-notifications",
    "--disable-file-system",
    "--disable-gpu",
    # /dev/shm is 64 MB in most containers; the profile's folder serves.
    "--disable-dev-shm-usage",
    f"--disk-cache-size={_CACHE_BYTES}",
    f"--js-flags=--max-old-space-size={_HEAP_MB}",
)
