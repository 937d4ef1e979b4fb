"""How a workload becomes containers: what the engine is told, and the order in which it is told. What becomes of them is not here."""
