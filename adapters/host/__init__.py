"""This Linux host: state, supervisor processes, locks, firmware taken out of images."""
