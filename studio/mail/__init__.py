"""Mail: letters that are rendered when they are queued, and the sender that claims and sends them, each once."""
