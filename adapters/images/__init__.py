"""Container images on disk: how a path in one is resolved, and how firmware is copied out."""
