"""Grafana: dashboards as JSON from a small builder, put there and taken away by its HTTP API.

What belongs here: what the dashboards show, and how Grafana is asked. What does not: which of them there should be.
"""
