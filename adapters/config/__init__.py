"""YAML files of operators: read by PyYAML, mistakes told with their line, values cached."""
