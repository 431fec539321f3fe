"""How zseval opens HTTP connections: credentials, TLS, proxies; shared by scraping and notifying."""
