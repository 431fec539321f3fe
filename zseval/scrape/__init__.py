"""Scraping: targets found, fetched on time, and their pages turned into rows."""
