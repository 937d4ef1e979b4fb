"""Fakes that ship with the product: an engine, a builder and a forge that misbehave on request."""
