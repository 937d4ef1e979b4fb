"""The way to an API server: who asks, what it is asked, in which words it refuses. Knows objects only as plain data."""
