"""What is seen of a namespace: states, health, and what the kernel adds. Nothing here changes anything on the engine."""
