"""REST under `/api/v1`: one module for each kind of thing, each with its routes. Their shapes are in `schemas`."""
