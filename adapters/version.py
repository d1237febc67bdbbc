"""The version of this runtime."""

VERSION = "0.1.0"
