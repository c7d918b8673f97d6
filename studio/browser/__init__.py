"""A real browser that sees nothing but what the studio's guard lets through, and that always ends."""
