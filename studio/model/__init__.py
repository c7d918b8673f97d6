"""The language model: client, prices, spend ledger."""
