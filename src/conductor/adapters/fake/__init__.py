"""An outside world in memory, which ships with Conductor: for trying it out, for its tests, and for tests of what uses it.

What belongs here: ports played without a container, a network or a wait, and every misfortune that befalls the real ones
(`CONDUCTOR_FAIL=deploy:ImagePullBackOff`). What does not: anything that the real adapters need.
"""
