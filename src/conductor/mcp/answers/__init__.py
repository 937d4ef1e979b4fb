"""What the tools answer: data with a schema, and the same in words. By what they are about, as the tools are."""
