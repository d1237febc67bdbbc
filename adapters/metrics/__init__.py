"""Input adapter: shows processors to Prometheus."""
