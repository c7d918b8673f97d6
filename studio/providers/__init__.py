"""Services that the studio acts through, each behind a small adapter.

An adapter says one of four things about a request that changes something: it was done, it was certainly not done
and may be asked again (`ProviderUnavailable`), certainly not and need not be (`ProviderRefused`), or nobody knows
(`OutcomeUnknown`).
"""
