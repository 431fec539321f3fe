"""Scrape bodies: bytes to rows and rows to bytes."""
