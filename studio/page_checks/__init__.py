"""Page checks: each passes or fails on what a browser measured, and says on what."""
