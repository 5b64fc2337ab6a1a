"""Published versions, and which one is in use."""
