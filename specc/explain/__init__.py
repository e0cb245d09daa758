"""The derivation of one network, written as a page."""
