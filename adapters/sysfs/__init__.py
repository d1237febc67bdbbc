"""The processors of the running kernel, or of a tree of the same form under another root."""
