"""The Dagster application: definitions, event mirror, command line, embedded stack."""
