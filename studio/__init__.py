"""What Greenlight does: queue, events, agents, packets, approvals. Knows neither Dagster nor the web."""
