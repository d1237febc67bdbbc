"""Collects the scenarios of every feature."""

from pytest_bdd import scenarios

scenarios(".")
