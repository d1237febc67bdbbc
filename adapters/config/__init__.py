"""YAML files of operators: read by PyYAML, with the line of each mistake."""
