"""A local AWS: moto's API, and containers that give its instances and databases bodies."""
