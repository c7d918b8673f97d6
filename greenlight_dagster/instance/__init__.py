"""What `dagster.yaml` puts into the Dagster instance: its storage and how it captures the output of runs."""
