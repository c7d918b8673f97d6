"""What turns rows into runs, and what brings lost runs back to the queue."""
