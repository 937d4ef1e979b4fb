"""The folder forge: repositories as git finds them, on this machine or at a URL."""
