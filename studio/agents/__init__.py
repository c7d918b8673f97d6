"""The agents: who they are, what they are told, what they return."""
