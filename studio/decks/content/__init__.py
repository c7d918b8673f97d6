"""What the decks say: one module per phase, from the packet and nothing else, and the brand brief."""
