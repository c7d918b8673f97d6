"""The night shift: once per project and night, look at the figures and the packets, and propose what comes next."""
