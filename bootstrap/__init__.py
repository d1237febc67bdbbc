"""The composition root: reads the configuration and joins domain and adapters."""
