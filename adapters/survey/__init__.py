"""Looks at the host for `doctor`: the software, the engines, the users. Changes nothing."""
