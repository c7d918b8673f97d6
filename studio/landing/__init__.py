"""The Phase 1 landing page: three directions at most, each critiqued; one checked, self-contained document is kept.

`design.design` runs the rounds, `document.check` and `document.prepare` decide what a page may hold, and
`drafts.store` keeps the winner as a draft with the hash of exactly its bytes.
"""
