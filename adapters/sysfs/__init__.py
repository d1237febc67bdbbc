"""The processors of the running kernel, or of a tree with the same shape under another root."""
