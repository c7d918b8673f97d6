"""One module per job type: its ops and its Dagster job."""
