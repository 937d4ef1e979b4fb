"""Prometheus' Pushgateway, for figures of a process that ends before anybody scrapes it."""
